//! Policy files are told apart before a run relies on them: what is invalid runs nothing and says why.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::programs::{Ran, run};
use crate::support::stored::log;
use crate::support::workshop::Workshop;

/// Permits one command, forbids another, and says both by examples.
const GOOD: &str = r#"@id("make")
@matches("bash make test")
@matches_not("bash make install")
permit (principal, action == Action::"bash", resource) when { resource.command == "make test" };

@id("no-force")
@reason("others build on it")
forbid (principal, action == Action::"bash", resource) when { resource.command like "*--force*" };
"#;

/// As [`GOOD`] with one example that does not hold, on line 3.
const FAILING: &str = r#"@id("make")
@matches("
  bash make
")
permit (principal, action == Action::"bash", resource) when { resource.command == "make test" };
"#;

/// `countersign policy …` in a folder with `good.cedar` and `failing.cedar`.
fn policy(arguments: &[&str]) -> Checked<Ran> {
    let workshop = Workshop::without_principal()?;
    workshop.file("good.cedar", GOOD)?;
    workshop.file("failing.cedar", FAILING)?;
    run(workshop.countersign().arg("policy").args(arguments))
}

fn document(ran: &Ran) -> Checked<Value> {
    Ok(serde_json::from_str(&ran.stdout)?)
}

#[test]
fn run_with_a_failing_example_begins_nothing_and_says_which() -> Checked {
    for command in ["run", "chat"] {
        let workshop = Workshop::new()?;
        workshop.script(&[("bash", json!({ "command": "touch made.txt" }))])?;
        workshop.file("failing.cedar", FAILING)?;
        let mut started = workshop.countersign();
        started.args([
            command,
            "do the work",
            "--model",
            "scripted:script.json",
            "--dir",
            "work",
        ]);
        started.args([
            "--ledger",
            "ledger.db",
            "--approve",
            "never",
            "--no-input",
            "--policy",
            "failing.cedar",
        ]);
        let ran = run(&mut started)?.expect(4);
        for told in [
            "failing.cedar",
            "line 3",
            "policy make",
            "`bash make`",
            "must apply to this call, and does not",
        ] {
            assert!(ran.stderr.contains(told), "{told} is not in {ran}");
        }
        assert!(!workshop.ledger().exists() && !workshop.work().join("made.txt").exists());
    }
    Ok(())
}

#[test]
fn run_with_examples_that_hold_goes_on() -> Checked {
    let workshop = Workshop::new()?;
    let actions = workshop.act(Some(GOOD), &[("bash", json!({ "command": "make test" }))])?;
    assert_eq!(actions[0].outcome.as_deref(), Some("allow"), "{actions:?}");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn refusal_gives_the_reason_of_its_rule_to_person_and_model() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("bash", json!({ "command": "git push --force" }))])?;
    workshop.file("policy.cedar", GOOD)?;
    let ran = workshop.run(&["--policy", "policy.cedar", "--json"])?.expect(0);
    let told = "permit-layers (1/no-force: others build on it)";
    assert!(ran.stdout.contains(told), "{ran}");
    let calls = log(&workshop.ledger())?;
    let last = calls.iter().rfind(|entry| entry["kind"] == "model.called");
    let prompt = last.ok_or("no model was called")?["seq"].to_string();
    let mut show = workshop.countersign();
    show.args(["ledger", "show", &prompt, "--ledger", "ledger.db"]);
    assert!(run(&mut show)?.expect(0).stdout.contains(told), "the model is not told");
    Ok(())
}

#[test]
fn check_is_zero_for_good_files_and_one_where_any_is_not() -> Checked {
    let ran = policy(&["check", "good.cedar"])?.expect(0);
    assert_eq!(ran.stdout, "good.cedar: valid: 2 policies, 2 examples hold\n");
    let ran = policy(&["check", "good.cedar", "failing.cedar", "--no-input"])?.expect(1);
    assert!(
        ran.stdout
            .contains("failing.cedar: line 3: policy make: @matches: `bash make`"),
        "{ran}"
    );
    assert!(
        ran.stdout
            .ends_with("failing.cedar: invalid: 1 problem; no run would begin\n"),
        "{ran}"
    );
    Ok(())
}

#[test]
fn check_tells_problems_and_warnings_as_json() -> Checked {
    let ran = policy(&["check", "failing.cedar", "good.cedar", "--json"])?.expect(1);
    let told = document(&ran)?;
    assert_eq!(told["schema"], "countersign.policy-check/v1");
    let [failing, good] = [&told["files"][0], &told["files"][1]];
    assert_eq!((&failing["valid"], &good["valid"]), (&json!(false), &json!(true)));
    let problem = &failing["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["line"], &problem["policy"]),
        (&json!("example"), &json!(3), &json!("make"))
    );
    assert_eq!((&good["problems"], &good["examples"]), (&json!([]), &json!(2)));
    Ok(())
}

#[test]
fn check_refuses_every_kind_of_broken_text() -> Checked {
    let workshop = Workshop::without_principal()?;
    for (text, told) in [
        ("", "holds no policy"),
        ("permit (", "line 1, column"),
        ("permit (principal, action, resource)", "line 1, column"),
        (
            "@id(\"x\")\npermit (principal, action == Action::\"fly\", resource);",
            "line 2, column",
        ),
        ("permit (principal == ?principal, action, resource);", "is a template"),
        (&"(".repeat(100), "brackets nest deeper"),
    ] {
        workshop.file("policy.cedar", text)?;
        let ran = run(workshop.countersign().args(["policy", "check", "policy.cedar"]))?.expect(1);
        assert!(ran.stdout.contains(told), "{text}: {ran}");
    }
    Ok(())
}

#[test]
fn check_warns_and_is_zero_where_a_run_would_begin() -> Checked {
    let workshop = Workshop::without_principal()?;
    workshop.file(
        "policy.cedar",
        "@decison(\"ask\") permit (principal, action == Action::\"bash\", resource is File);",
    )?;
    let ran = run(workshop.countersign().args(["policy", "check", "policy.cedar"]))?.expect(0);
    for told in ["it has no @id", "@decison means nothing here", "policy policy0: "] {
        assert!(ran.stdout.contains(told), "{told} is not in {ran}");
    }
    Ok(())
}

#[test]
fn check_reads_stdin() -> Checked {
    let workshop = Workshop::without_principal()?;
    let mut command = workshop.countersign();
    command
        .args(["policy", "check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().ok_or("no stdin")?.write_all(b"permit (")?;
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout)?.starts_with("stdin: line 1, column"));
    Ok(())
}

#[test]
fn what_cannot_be_read_is_four_and_nothing_is_said_of_the_others() -> Checked {
    for arguments in [
        &["check", "good.cedar", "missing.cedar"][..],
        &["check", "work"],
        &["explain", "--policy", "missing.cedar", "read", "a"],
        &["explain", "--policy", "failing.cedar", "read", "a"],
        &["explain", "--dir", "missing", "read", "a"],
    ] {
        let ran = policy(arguments)?.expect(4);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran}");
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_two() -> Checked {
    for arguments in [
        &[][..],
        &["check"],
        &["explain"],
        &["explain", "--as", "2", "read", "a"],
        &["explain", "--mode", "manual", "read", "a"],
        &["explain", "--set", "colour=red", "read", "a"],
        &["explain", "--set", "mode", "read", "a"],
        &["explain", "web_fetch", "ftp://a.example"],
        &["explain", "read", "{"],
        &["explain", "no such tool"],
    ] {
        policy(arguments)?.expect(2);
    }
    Ok(())
}

#[test]
fn explain_names_the_rule_its_text_its_reason_and_what_would_change_it() -> Checked {
    let ran = policy(&[
        "explain",
        "--policy",
        "good.cedar",
        "--dir",
        "work",
        "bash",
        "make --force",
    ])?
    .expect(0);
    for told in [
        "deny: bash {\"command\":\"make --force\"}",
        "layers 0 and 1: deny by 1/no-force",
        "1/no-force: forbid at line 6 of good.cedar",
        "  because others build on it",
        "  | @id(\"no-force\")",
        "  ask without 1/no-force",
    ] {
        assert!(ran.stdout.contains(told), "{told} is not in {ran}");
    }
    Ok(())
}

#[test]
fn explain_shows_the_permit_that_is_missing() -> Checked {
    let ran = policy(&["explain", "--json", "--dir", "work", "write", "notes.txt"])?.expect(0);
    let told = document(&ran)?;
    assert_eq!(told["schema"], "countersign.policy-explanation/v1");
    assert_eq!(
        (&told["outcome"], &told["rules"][0]["rule"]),
        (&json!("ask"), &json!("0/ask-otherwise"))
    );
    assert_eq!(told["request"]["context"]["observed"]["place"], "inside");
    let changes = told["changes"].as_array().ok_or("no changes")?;
    let permit = changes
        .iter()
        .find(|change| !change["permit"].is_null())
        .ok_or("no permit")?;
    assert_eq!(permit["outcome"], "allow");
    assert!(
        permit["permit"]
            .as_str()
            .is_some_and(|text| text.contains("resource.relative == \"notes.txt\""))
    );
    Ok(())
}

#[test]
fn explain_follows_links_unless_it_is_told_where_the_file_lies() -> Checked {
    let workshop = Workshop::without_principal()?;
    std::os::unix::fs::symlink("/etc", workshop.work().join("link"))?;
    let explain = |more: &[&str]| {
        let mut command = workshop.countersign();
        command
            .args(["policy", "explain", "--json", "--dir", "work", "read", "link/hosts"])
            .args(more);
        document(&run(&mut command)?.expect(0))
    };
    let place = |told: &Value| told["request"]["context"]["observed"]["place"].clone();
    let told = explain(&[])?;
    assert_eq!((place(&told), &told["outcome"]), (json!("outside"), &json!("ask")));
    let told = explain(&["--set", "place=inside"])?;
    assert_eq!((place(&told), &told["outcome"]), (json!("inside"), &json!("allow")));
    Ok(())
}

#[test]
fn starter_policy_of_init_is_good() -> Checked {
    let workshop = Workshop::new()?;
    let starter = workshop.home().join("policy.cedar");
    let ran = run(workshop.countersign().args(["policy", "check"]).arg(&starter))?.expect(0);
    assert!(!ran.stdout.contains("warning"), "{ran}");
    Ok(())
}

/// `countersign policy test` of [`GOOD`] with these cases.
fn tested(cases: &str, more: &[&str]) -> Checked<Ran> {
    let workshop = Workshop::without_principal()?;
    workshop.file("good.cedar", GOOD)?;
    workshop.file("cases.json", cases)?;
    let mut command = workshop.countersign();
    command
        .args(["policy", "test", "--cases", "cases.json", "good.cedar"])
        .args(more);
    run(&mut command)
}

fn cases(cases: &Value) -> String {
    json!({ "schema": "countersign.policy-test/v1", "cases": cases }).to_string()
}

#[test]
fn cases_that_come_out_as_written_are_zero() -> Checked {
    let written = cases(&json!([
        { "call": "bash make test", "outcome": "allow", "rules": ["1/make"] },
        { "call": "bash make test --force", "outcome": "deny", "rules": ["1/no-force"] },
        { "call": "[mode=headless] bash make install", "outcome": "ask" },
        { "call": "[place=secret] read a", "outcome": "ask", "rules": ["0/ask-secret", "0/ask-otherwise"] },
    ]));
    let ran = tested(&written, &[])?.expect(0);
    assert_eq!(ran.stdout, "4 of 4 cases passed\n");
    Ok(())
}

#[test]
fn case_that_comes_out_otherwise_is_one_and_told_with_what_was_found() -> Checked {
    let written = cases(&json!([
        { "call": "bash make test", "outcome": "allow" },
        { "call": "bash make install", "outcome": "allow" },
        { "call": "bash x --force", "outcome": "deny", "rules": ["1/make"] },
    ]));
    let ran = tested(&written, &[])?.expect(1);
    for told in [
        "case 2: `bash make install`: expected allow, found ask by 0/ask-otherwise",
        "case 3: `bash x --force`: expected deny by 1/make, found deny by 1/no-force",
        "1 of 3 cases passed",
    ] {
        assert!(ran.stdout.contains(told), "{told} is not in {ran}");
    }
    let told = document(&tested(&written, &["--json", "--as", "5"])?.expect(1))?;
    assert_eq!(
        (&told["schema"], &told["failed"]),
        (&json!("countersign.policy-test-result/v1"), &json!(3))
    );
    assert_eq!(told["results"][0]["outcome"], "ask", "a lower layer permits nothing");
    Ok(())
}

#[test]
fn cases_that_cannot_be_used_are_four() -> Checked {
    for written in [
        "{".to_owned(),
        "{}".to_owned(),
        cases(&json!([])),
        cases(&json!([{ "call": "bash x" }])),
        cases(&json!([{ "call": "bash x", "outcome": "maybe" }])),
        cases(&json!([{ "call": "bash x", "outcome": "deny", "rule": "1/make" }])),
        cases(&json!([{ "call": "[x=1] bash x", "outcome": "deny" }])),
        cases(&json!([{ "call": "bash x", "outcome": "deny" }])).replace("test/v1", "test/v2"),
        r#"{"schema":"countersign.policy-test/v1","cases":[],"cases":[{"call":"bash x","outcome":"ask"}]}"#.to_owned(),
    ] {
        let ran = tested(&written, &[])?.expect(4);
        assert_eq!(ran.stdout, "", "{written}");
        assert!(ran.stderr.starts_with("error: cases.json"), "{written}: {ran}");
    }
    tested("{}", &["--as", "0"])?.expect(2);
    Ok(())
}
