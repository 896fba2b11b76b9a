//! `countersign stop`: whatever a run is doing, its authority is revoked, everybody ends, and the ledger is whole.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::child::Running;
use crate::support::programs::{Ran, countersign_path, run};
use crate::support::stored::{Stored, log};
use crate::support::workshop::{PERMIT_WORK, Workshop, turn};
use crate::support::{Checked, skip};

/// A command that shows that it has begun, and would then go on for long.
fn sleeper(name: &str) -> Value {
    json!({ "command": format!("touch begun-{name}; sleep 60; touch slept-{name}") })
}

fn begun(workshop: &Workshop, name: &str) -> bool {
    workshop.work().join(format!("begun-{name}")).exists()
}

fn workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    Ok(workshop)
}

/// A run of the script that goes on beside the test.
fn start(workshop: &Workshop, more: &[&str]) -> Checked<Running> {
    let mut command = workshop.run_command(&[&["--policy", "policy.cedar"], more].concat());
    Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// A run whose lead sleeps in a command.
fn sleeping(workshop: &Workshop, name: &str, more: &[&str]) -> Checked<Running> {
    workshop.script(&[
        ("bash", sleeper(name)),
        ("write", json!({ "path": "later.txt", "content": "x" })),
    ])?;
    let mut running = start(workshop, more)?;
    running.wait_for("the command", || begun(workshop, name))?;
    Ok(running)
}

fn stop(workshop: &Workshop, more: &[&str]) -> Checked<Ran> {
    run(workshop.countersign().arg("stop").args(more))
}

/// What `stop --json` says of the only run.
fn stop_only(workshop: &Workshop) -> Checked<Value> {
    let said = stop(workshop, &["--json"])?.expect(0);
    Ok(serde_json::from_str(&said.stdout)?)
}

fn listed(workshop: &Workshop) -> Checked<Value> {
    Ok(serde_json::from_str(
        &stop(workshop, &["--list", "--json"])?.expect(0).stdout,
    )?)
}

fn of_kind<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["kind"] == kind).collect()
}

/// What every ledger of a stopped run shows: one revocation of the lead, nothing permitted behind it, everybody stopped by
/// themselves, a halt on record, and a proper end.
fn check_stopped(workshop: &Workshop, said: &Value) -> Checked<Vec<Value>> {
    let entries = log(&workshop.ledger())?;
    let revoked = of_kind(&entries, "grant.revoked");
    let [revocation] = revoked.as_slice() else {
        return Err(format!("{} revocations", revoked.len()).into());
    };
    assert_eq!(revocation["seq"], said["revoked"]["entry"]);
    assert_eq!(revocation["body"]["reason"], "halted");
    let at = revocation["seq"].as_u64().ok_or("a seq")?;
    for entry in entries.iter().filter(|entry| entry["seq"].as_u64() > Some(at)) {
        assert!(
            entry["kind"] != "model.called" && entry["kind"] != "identity.introduced",
            "{entry}"
        );
        assert!(
            entry["kind"] != "decision.made" || entry["body"]["outcome"] == "deny",
            "{entry}"
        );
    }
    let ended = of_kind(&entries, "run.ended");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["body"]["reason"], "halted-policy");
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&json!("ledger.closed"))
    );
    let stored = Stored::read(&workshop.ledger())?;
    let halted: Vec<_> = of_kind(&entries, "session.event")
        .into_iter()
        .filter(|event| event["body"]["code"] == "halted")
        .collect();
    let [halted] = halted.as_slice() else {
        return Err(format!("{} halts", halted.len()).into());
    };
    let seq = halted["seq"].as_u64().ok_or("a seq")?;
    let document: Value = serde_json::from_slice(stored.payload(seq, 0).ok_or("a document")?)?;
    assert_eq!(
        (&document["schema"], &document["halt"], &document["revocation"]),
        (&json!("countersign.halt/v1"), &json!("stopped"), &json!(at))
    );
    assert!(
        fs::read_dir(workshop.home().join("running"))?.all(|name| {
            name.is_ok_and(|name| name.path().extension().is_some_and(|extension| extension == "report"))
        })
    );
    workshop.verdict()?.expect(0);
    Ok(entries)
}

#[test]
fn run_that_is_stopped_in_a_command_exits_3_with_everything_on_record() -> Checked {
    let workshop = workshop()?;
    let mut running = sleeping(&workshop, "lead", &[])?;
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    assert_eq!(said["schema"], "countersign.stopped/v1");
    assert_eq!(said["revoked"]["agents"][0]["name"], "lead");
    assert_eq!(
        (&said["ended"]["reason"], &said["ended"]["halt"]),
        (&json!("halted-policy"), &json!("stopped"))
    );
    let entries = check_stopped(&workshop, &said)?;
    let finished = of_kind(&entries, "action.finished");
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0]["body"]["outcome"], "aborted");
    let stopped = of_kind(&entries, "instance.stopped");
    assert!(
        stopped
            .iter()
            .any(|entry| entry["agent"] == "lead" && entry["body"]["reason"] == "revoked")
    );
    assert!(!workshop.work().join("later.txt").exists() && !workshop.work().join("slept-lead").exists());
    Ok(())
}

#[test]
fn stopped_run_says_so_in_words_and_in_its_last_line_of_json() -> Checked {
    for json in [true, false] {
        let workshop = workshop()?;
        workshop.script(&[("bash", sleeper("lead"))])?;
        let mut command = workshop.run_command(&["--policy", "policy.cedar"]);
        if json {
            command.arg("--json");
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stopper = workshop.countersign().args(["stop", "--list"]).output()?;
        assert!(stopper.status.success());
        for _ in 0..3_000 {
            if begun(&workshop, "lead") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let told = stop(&workshop, &["ledger.db"])?.expect(0);
        for word in [
            "stopped   ",
            "revoked   lead",
            "in entry ",
            "ended     halted-policy",
            "ledger.db",
        ] {
            assert!(told.stdout.contains(word), "{word:?} is missing\n{told}");
        }
        let ran = Ran::of(child.wait_with_output()?, "countersign run")?.expect(3);
        if json {
            let last: Value = serde_json::from_str(ran.stdout.lines().last().ok_or("a line")?)?;
            assert_eq!(
                (&last["event"], &last["halt"]["halt"]),
                (&json!("run.ended"), &json!("stopped"))
            );
        } else {
            assert!(ran.stderr.contains("error: the run was halted: stopped: "), "{ran}");
        }
    }
    Ok(())
}

#[test]
fn whole_tree_below_a_principals_grant_is_stopped_with_its_background_commands() -> Checked {
    let workshop = workshop()?;
    let task = |name: &str| json!({ "tool": "agent", "args": { "type": "verify", "name": name, "task": "sleep" } });
    workshop.script_of(&json!({
        "lead": [turn("bash_start", &sleeper("job")), { "say": "Both.", "calls": [task("ann"), task("bob")] }, { "say": "Never." }],
        "ann": [turn("bash", &sleeper("ann")), { "say": "Never." }],
        "bob": [turn("bash", &sleeper("bob")), { "say": "Never." }],
    }))?;
    let issue = ["grant", "issue", "-o", "team.grant", "--path", "work"];
    run(workshop.countersign().args(issue))?.expect(0);
    let mut running = start(&workshop, &["--grant", "team.grant"])?;
    running.wait_for("all commands", || {
        ["job", "ann", "bob"].iter().all(|name| begun(&workshop, name))
    })?;
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    let names: Vec<_> = said["revoked"]["agents"]
        .as_array()
        .ok_or("agents")?
        .iter()
        .map(|agent| &agent["name"])
        .collect();
    assert_eq!(names, ["lead", "ann", "bob"]);
    let entries = check_stopped(&workshop, &said)?;
    for name in ["lead", "ann", "bob"] {
        let stops = of_kind(&entries, "instance.stopped");
        let own = stops
            .iter()
            .filter(|entry| entry["agent"] == name && entry["body"]["reason"] == "revoked");
        assert_eq!(own.count(), 1, "{name}");
    }
    // Two delegations and three commands.
    let outcomes: Vec<_> = of_kind(&entries, "action.finished")
        .iter()
        .map(|entry| entry["body"]["outcome"] == "ok")
        .collect();
    assert_eq!(outcomes, [false; 5]);
    for name in ["job", "ann", "bob"] {
        assert!(!workshop.work().join(format!("slept-{name}")).exists());
    }
    Ok(())
}

#[test]
fn run_that_waits_for_its_model_is_stopped() -> Checked {
    let workshop = workshop()?;
    let provider = TcpListener::bind("127.0.0.1:0")?;
    let mut command = workshop.countersign();
    command
        .args([
            "run",
            "wait",
            "--model",
            "anthropic/slow",
            "--dir",
            "work",
            "--ledger",
            "ledger.db",
        ])
        .args(["--approve", "never"])
        .env("ANTHROPIC_BASE_URL", format!("http://{}", provider.local_addr()?))
        .env("ANTHROPIC_API_KEY", "sk-ant-none");
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    // It is asked, and says nothing.
    let asked = provider.accept()?;
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    drop(asked);
    let entries = check_stopped(&workshop, &said)?;
    let answers = of_kind(&entries, "model.answered");
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["body"]["outcome"], "cancelled");
    Ok(())
}

#[test]
fn run_that_waits_for_a_person_is_stopped() -> Checked {
    const TEST: &str = "run_that_waits_for_a_person_is_stopped";
    let version = Command::new("script").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        skip(TEST, "there is no `script` to make a terminal with");
        return Ok(());
    }
    let workshop = Workshop::new()?;
    workshop.script(&[("write", json!({ "path": "made.txt", "content": "made" }))])?;
    let run = format!(
        "exec {} run 'do the work' --model scripted:script.json --dir work --ledger ledger.db --approve ask",
        countersign_path().display()
    );
    let screen = workshop.root().join("screen");
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-f", "-c", &run])
        .arg(&screen)
        .current_dir(workshop.root());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("COUNTERSIGN_HOME", workshop.home());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = Running::start(&mut command)?;
    let _keyboard = running.take_input()?;
    running.wait_for("the question", || {
        fs::read_to_string(&screen)
            .unwrap_or_default()
            .contains("approve? [y/N]")
    })?;
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    let entries = check_stopped(&workshop, &said)?;
    assert!(
        of_kind(&entries, "session.event")
            .iter()
            .any(|event| event["body"]["code"] == "approval-expired")
    );
    assert!(of_kind(&entries, "approval.entered").is_empty() && !workshop.work().join("made.txt").exists());
    Ok(())
}

#[test]
fn requests_under_way_at_a_stop_are_denied_or_not_begun() -> Checked {
    let workshop = workshop()?;
    // One answer of many commands, one after the other: the stop comes somewhere among them.
    let calls: Vec<Value> = (0..60)
        .map(|number| json!({ "tool": "bash", "args": { "command": format!("touch begun-{number}; sleep 0.05") } }))
        .collect();
    workshop.script_of(&json!({ "lead": [{ "say": "Many.", "calls": calls }, { "say": "Never." }] }))?;
    let mut running = start(&workshop, &[])?;
    running.wait_for("the third command", || begun(&workshop, "3"))?;
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    check_stopped(&workshop, &said)?;
    let at = said["revoked"]["entry"].as_u64().ok_or("a seq")?;
    for action in workshop.actions()? {
        let after = action.request > at;
        assert!(
            !after || (action.is_refused() && action.has_rule("grant/G7")),
            "{action:?}"
        );
    }
    Ok(())
}

#[test]
fn chat_is_stopped_between_its_turns() -> Checked {
    let workshop = workshop()?;
    workshop.script_of(&json!({ "lead": [{ "say": "What is next?" }, { "say": "Never." }] }))?;
    let mut command = workshop.countersign();
    command.args([
        "chat",
        "begin",
        "--model",
        "scripted:script.json",
        "--dir",
        "work",
        "--ledger",
        "ledger.db",
    ]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = Running::start(&mut command)?;
    let _keyboard = running.take_input()?;
    running.wait_for("the first turn", || {
        let ledger = workshop.ledger();
        ledger.exists() && log(&ledger).is_ok_and(|entries| !of_kind(&entries, "model.answered").is_empty())
    })?;
    assert_eq!(listed(&workshop)?["runs"][0]["command"], "chat");
    let said = stop_only(&workshop)?;
    assert_eq!(running.end()?.code(), Some(3));
    check_stopped(&workshop, &said)?;
    Ok(())
}

#[test]
fn with_nothing_running_there_is_nothing_to_stop() -> Checked {
    let without = Workshop::without_principal()?;
    let with = workshop()?;
    with.script(&[])?;
    for workshop in [&without, &with] {
        for more in [&[][..], &["ledger.db"], &["0123abcd"]] {
            let told = stop(workshop, more)?.expect(1);
            assert!(told.stderr.contains("nothing runs in this home"), "{told}");
        }
        assert_eq!(listed(workshop)?["runs"], json!([]));
    }
    assert!(!without.home().exists(), "looking makes no home");
    with.run(&[])?.expect(0);
    stop(&with, &["ledger.db"])?.expect(1);
    stop(&with, &["--list", "ledger.db"])?.expect(2);
    stop(&with, &["--wait", "0"])?.expect(2);
    Ok(())
}

#[test]
fn of_two_runs_one_has_to_be_named_and_the_other_goes_on() -> Checked {
    let workshop = workshop()?;
    let mut first = sleeping(&workshop, "first", &[])?;
    let mut second = sleeping(&workshop, "second", &["--ledger", "second.db"])?;
    let unnamed = stop(&workshop, &[])?.expect(1);
    assert!(unnamed.stderr.contains("2 runs go on: say which"), "{unnamed}");
    for run in listed(&workshop)?["runs"].as_array().ok_or("runs")? {
        let id = run["run"].as_str().ok_or("an id")?;
        assert!(unnamed.stderr.contains(id), "{id} is not shown\n{unnamed}");
    }
    let unknown = stop(&workshop, &["third.db"])?.expect(1);
    assert!(
        unknown.stderr.contains("no run that goes on is called third.db"),
        "{unknown}"
    );
    stop(&workshop, &["second.db"])?.expect(0);
    assert_eq!(second.end()?.code(), Some(3));
    let left = listed(&workshop)?;
    let [left] = left["runs"].as_array().ok_or("runs")?.as_slice() else {
        return Err(format!("{left}").into());
    };
    let id = left["run"].as_str().ok_or("an id")?;
    stop(&workshop, &[&id[..4]])?.expect(0);
    assert_eq!(first.end()?.code(), Some(3));
    Ok(())
}

#[test]
fn stop_of_one_run_leaves_the_others_on_the_same_ledger_at_work() -> Checked {
    let workshop = workshop()?;
    let mut first = sleeping(&workshop, "first", &[])?;
    let command = "touch begun-second; until [ -e go-on ]; do sleep 0.05; done; touch second-done";
    workshop.script(&[("bash", json!({ "command": command }))])?;
    let mut second = start(&workshop, &[])?;
    second.wait_for("the second run", || begun(&workshop, "second"))?;
    let both = stop(&workshop, &["ledger.db"])?.expect(1);
    assert!(both.stderr.contains("2 runs go on"), "{both}");
    let runs = listed(&workshop)?;
    // The first one began first; it is the one that has the file.
    let id = runs["runs"][0]["run"].as_str().ok_or("an id")?;
    stop(&workshop, &[id])?.expect(0);
    assert_eq!(first.end()?.code(), Some(3));
    fs::write(workshop.work().join("go-on"), "")?;
    assert_eq!(second.end()?.code(), Some(0));
    assert!(workshop.work().join("second-done").exists());
    let entries = log(&workshop.ledger())?;
    assert_eq!(of_kind(&entries, "grant.revoked").len(), 1);
    let mut reasons: Vec<_> = of_kind(&entries, "run.ended")
        .iter()
        .map(|end| end["body"]["reason"].to_string())
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["\"done\"", "\"halted-policy\""]);
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn run_that_joined_a_ledger_is_stopped_and_the_one_that_has_the_file_goes_on() -> Checked {
    let workshop = workshop()?;
    let command = "touch begun-first; until [ -e go-on ]; do sleep 0.05; done";
    workshop.script(&[("bash", json!({ "command": command }))])?;
    let mut first = start(&workshop, &[])?;
    first.wait_for("the first run", || begun(&workshop, "first"))?;
    let mut second = sleeping(&workshop, "second", &[])?;
    let runs = listed(&workshop)?;
    let id = runs["runs"][1]["run"].as_str().ok_or("an id")?;
    stop(&workshop, &[id])?.expect(0);
    assert_eq!(second.end()?.code(), Some(3));
    fs::write(workshop.work().join("go-on"), "")?;
    assert_eq!(first.end()?.code(), Some(0));
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn killed_run_is_recognised_as_dead_and_its_ledger_is_incomplete() -> Checked {
    let workshop = workshop()?;
    let mut running = sleeping(&workshop, "lead", &[])?;
    running.kill()?;
    let listing = listed(&workshop)?;
    assert_eq!(listing["runs"], json!([]));
    assert_eq!(listing["stale"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed(&workshop)?["stale"], json!([]), "it is told once");
    stop(&workshop, &[])?.expect(1);
    workshop.verdict()?.expect(3);
    Ok(())
}

#[test]
fn process_that_does_not_react_is_told_of_and_obeys_once_it_can() -> Checked {
    let workshop = workshop()?;
    let mut running = sleeping(&workshop, "lead", &[])?;
    running.signal("STOP")?;
    let told = stop(&workshop, &["--wait", "1"])?.expect(1);
    for word in [
        "within 1 s",
        "nothing is revoked yet",
        "kill -KILL",
        "exit 3",
        "ledger.db",
    ] {
        assert!(told.stderr.contains(word), "{word:?} is missing\n{told}");
    }
    running.signal("CONT")?;
    assert_eq!(running.end()?.code(), Some(3));
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn run_does_not_begin_where_others_could_speak_for_it() -> Checked {
    let workshop = workshop()?;
    workshop.script(&[])?;
    let folder = workshop.home().join("running");
    let elsewhere = workshop.root().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    refused(&workshop)?;
    fs::remove_dir(&folder)?;
    symlink(&elsewhere, &folder)?;
    refused(&workshop)?;
    fs::remove_file(&folder)?;
    workshop.run(&[])?.expect(0);
    Ok(())
}

fn refused(workshop: &Workshop) -> Checked {
    for ran in [workshop.run(&[])?, stop(workshop, &[])?] {
        let ran = ran.expect(4);
        assert!(
            ran.stderr.contains("not a folder that its owner alone can use"),
            "{ran}"
        );
    }
    assert!(!workshop.ledger().exists());
    Ok(())
}

#[test]
fn list_shows_the_beginning_of_a_task_and_no_secret() -> Checked {
    let workshop = workshop()?;
    workshop.script(&[("bash", sleeper("lead"))])?;
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let task = format!("use {secret} {} end-of-task", "and go on ".repeat(30));
    let mut command = workshop.countersign();
    command.args([
        "run",
        &task,
        "--model",
        "scripted:script.json",
        "--dir",
        "work",
        "--ledger",
        "ledger.db",
    ]);
    command.args(["--approve", "never", "--policy", "policy.cedar"]);
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    running.wait_for("the command", || begun(&workshop, "lead"))?;
    let shown = stop(&workshop, &["--list"])?.expect(0);
    assert!(shown.stdout.contains("use [secret removed"), "{shown}");
    assert!(!shown.stdout.contains("end-of-task"), "{shown}");
    assert_nowhere(&workshop.home().join("running"), &secret)?;
    stop(&workshop, &[])?.expect(0);
    assert_eq!(running.end()?.code(), Some(3));
    assert_nowhere(&workshop.home().join("running"), &secret)
}

fn assert_nowhere(folder: &Path, secret: &str) -> Checked {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        assert!(!fs::read_to_string(&path)?.contains(secret), "{}", path.display());
    }
    Ok(())
}
