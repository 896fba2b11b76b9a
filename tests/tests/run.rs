//! `countersign init` and `countersign run` as the README shows them.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::programs::{run, run_verify};
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop, turn};

fn readable_workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("work/notes.txt", "The answer is 42.\n")?;
    workshop.script(&[("read", json!({ "path": "notes.txt" }))])?;
    Ok(workshop)
}

fn files(folder: &Path) -> Checked<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

#[test]
fn readmes_first_run_works_and_is_verified() -> Checked {
    let workshop = readable_workshop()?;
    workshop.run(&[])?.expect(0);
    workshop.verdict()?.expect(0);
    let [read] = workshop.actions()?.try_into().map_err(|_| "one action")?;
    assert_eq!((read.tool.as_str(), read.agent.as_str()), ("read", "lead"));
    assert!(
        read.is_permitted() && read.finished.as_deref() == Some("ok"),
        "{read:?}"
    );
    assert!(read.result.is_some_and(|result| result.contains("The answer is 42.")));
    Ok(())
}

#[test]
fn ledger_is_whole_in_one_file_after_a_run() -> Checked {
    let workshop = readable_workshop()?;
    workshop.run(&[])?.expect(0);
    let names: Vec<String> = files(workshop.root())?.into_iter().map(|(name, _)| name).collect();
    let beside: Vec<&String> = names.iter().filter(|name| name.contains("ledger.db")).collect();
    let ledger = workshop.ledger().display().to_string();
    assert_eq!(
        beside,
        [&ledger, &format!("{ledger}-head")],
        "no journal, no lock, no socket, nothing half-made"
    );
    Ok(())
}

#[test]
fn run_without_a_ledger_argument_keeps_its_ledger_at_home() -> Checked {
    let workshop = readable_workshop()?;
    let mut command = workshop.countersign();
    command.args([
        "run",
        "read the notes",
        "--model",
        "scripted:script.json",
        "--dir",
        "work",
    ]);
    run(&mut command)?.expect(0);
    let kept: Vec<_> = files(&workshop.home().join("ledgers"))?;
    let [(path, _), (head, _)] = kept.as_slice() else {
        return Err(format!("{} files", kept.len()).into());
    };
    assert_eq!(*head, format!("{path}-head"));
    run_verify([
        path.as_str(),
        "--trust",
        &workshop.home().join("principal.did").display().to_string(),
    ])?
    .expect(0);
    run(workshop.countersign().args(["ledger", "log"]))?
        .expect(0)
        .says("ledger.closed");
    Ok(())
}

#[test]
fn two_runs_have_two_ledgers_that_verify_under_one_anchor() -> Checked {
    let workshop = readable_workshop()?;
    workshop.run(&[])?.expect(0);
    workshop.run(&["--ledger", "second.db"])?.expect(0);
    let anchor = workshop.home().join("principal.did").display().to_string();
    let second = workshop.root().join("second.db").display().to_string();
    run_verify([&workshop.ledger().display().to_string(), &second, "--trust", &anchor])?.expect(0);
    let (one, other) = (log(&workshop.ledger())?, log(Path::new(&second))?);
    assert!(
        one.iter().zip(&other).all(|(one, other)| one["by"] != other["by"]),
        "instances live for one run"
    );
    Ok(())
}

#[test]
fn runs_that_begin_at_once_on_one_ledger_share_it() -> Checked {
    let workshop = readable_workshop()?;
    let start = || {
        let mut command = workshop.run_command(&[]);
        Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let mut runs = [start()?, start()?, start()?];
    let mut codes = Vec::new();
    for run in &mut runs {
        codes.push(run.end()?.code());
    }
    codes.sort();
    // One that comes when the others have closed the ledger is told so.
    assert!(
        codes[0] == Some(0) && codes.iter().all(|code| [Some(0), Some(4)].contains(code)),
        "{codes:?}"
    );
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn init_leaves_private_keys_and_a_public_anchor() -> Checked {
    use std::os::unix::fs::PermissionsExt;
    let workshop = Workshop::new()?;
    let anchor = fs::read_to_string(workshop.home().join("principal.did"))?;
    assert!(
        anchor.starts_with("did:peer:4zQm") && anchor.lines().count() == 1,
        "{anchor:?}"
    );
    for name in ["principal.key", "host.key", "approver.key"] {
        let mode = fs::metadata(workshop.home().join(name))?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    assert!(workshop.home().join("policy.cedar").is_file());
    Ok(())
}

#[test]
fn second_init_fails_and_changes_nothing() -> Checked {
    let workshop = Workshop::new()?;
    let before = files(&workshop.home())?;
    workshop.init()?.expect(1);
    assert!(before == files(&workshop.home())?);
    Ok(())
}

#[test]
fn init_takes_the_passphrase_from_the_environment_and_encrypts_the_principal() -> Checked {
    let workshop = Workshop::without_principal()?;
    let passphrase = workshop.file("passphrase", "correct horse battery staple\n")?;
    let mut command = workshop.countersign();
    run(command
        .args(["init", "--no-input"])
        .env("COUNTERSIGN_PASSPHRASE_FILE", passphrase))?
    .expect(0);
    let key = fs::read(workshop.home().join("principal.key"))?;
    let text = String::from_utf8_lossy(&key);
    assert!(
        text.contains("age-encryption.org/v1") || text.contains("BEGIN AGE ENCRYPTED FILE"),
        "stock age can read it"
    );
    assert!(!text.contains("did:peer"));
    // The host signs without a person, so a run needs no passphrase.
    workshop.script(&[])?;
    workshop.run(&[])?.expect(0);
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn init_without_terminal_and_passphrase_makes_nothing() -> Checked {
    let workshop = Workshop::without_principal()?;
    run(workshop.countersign().args(["init", "--no-input"]))?.expect_one_of(&[2, 4]);
    assert!(!workshop.home().join("principal.did").exists());
    Ok(())
}

#[test]
fn starter_policy_is_a_valid_policy() -> Checked {
    let workshop = readable_workshop()?;
    workshop.run(&["--policy", "home/policy.cedar"])?.expect(0);
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn json_run_prints_events_that_are_in_the_ledger() -> Checked {
    let workshop = readable_workshop()?;
    let ran = workshop.run(&["--json"])?.expect(0);
    let events: Vec<Value> = ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| {
        event["schema"]
            .as_str()
            .is_some_and(|name| name.starts_with("countersign."))
    }));
    let decided = events.iter().filter(|event| event["event"] == "decided").count();
    assert_eq!(decided, workshop.actions()?.len());
    Ok(())
}

#[test]
fn subagents_work_under_narrower_grants() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("work/a.txt", "alpha\n")?;
    let scout = json!({ "type": "explore", "name": "scout", "task": "look around" });
    workshop.script_of(&json!({
        "lead": [turn("agent", &scout), { "say": "Done." }],
        "scout": [
            turn("grep", &json!({ "pattern": "alpha", "path": "." })),
            turn("write", &json!({ "path": "b.txt", "content": "beta" })),
            turn("bash", &json!({ "command": "touch c.txt" })),
            { "say": "Only a.txt." }
        ]
    }))?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop.run(&["--policy", "policy.cedar"])?.expect(0);
    workshop.verdict()?.expect(0);
    let actions = workshop.actions()?;
    let of_scout: Vec<_> = actions.iter().filter(|action| action.agent == "scout").collect();
    let [grep, write, bash] = of_scout.as_slice() else {
        return Err(format!("{of_scout:#?}").into());
    };
    assert!(
        grep.is_permitted() && write.is_refused() && bash.is_refused(),
        "{of_scout:#?}"
    );
    assert!(!workshop.work().join("b.txt").exists() && !workshop.work().join("c.txt").exists());
    Ok(())
}

#[test]
fn advice_is_cited_as_the_agent_says_it_took_it() -> Checked {
    let workshop = Workshop::new()?;
    let cites = |relation: &str| {
        let advice = json!({ "relation": relation, "reason": "It is my task." });
        json!({ "say": "So be it.", "calls": [{ "tool": "list", "args": { "path": "." }, "advice": advice }] })
    };
    workshop.script_of(&json!({
        "lead": [
            turn("advisor", &json!({ "question": "Shall I look?" })),
            cites("followed"),
            cites("overridden"),
            { "say": "Done." }
        ],
        "advisor": [{ "say": "Look once, not twice." }]
    }))?;
    workshop.run(&[])?.expect(0);
    workshop.verdict()?.expect(0);
    let cited: Vec<_> = workshop.actions()?.into_iter().map(|action| action.advice).collect();
    assert_eq!(
        cited,
        [vec![], vec!["followed".to_owned()], vec!["overridden".to_owned()]]
    );
    Ok(())
}

#[test]
fn nested_subagents_end_at_the_depth_of_the_grant() -> Checked {
    let workshop = Workshop::new()?;
    let agent = |name: &str| {
        turn(
            "agent",
            &json!({ "type": "general", "name": name, "task": "go deeper" }),
        )
    };
    let names = ["lead", "a", "b", "c", "d", "e", "f", "g"];
    let mut agents = serde_json::Map::new();
    for pair in names.windows(2) {
        agents.insert(pair[0].to_owned(), json!([agent(pair[1]), { "say": "Deep enough." }]));
    }
    agents.insert("g".to_owned(), json!([{ "say": "At the bottom." }]));
    workshop.script_of(&Value::Object(agents))?;
    workshop.run(&[])?.expect(0);
    workshop.verdict()?.expect(0);
    let introduced = log(&workshop.ledger())?
        .iter()
        .filter(|entry| entry["body"]["role"] == "agent")
        .count();
    assert!(introduced < names.len(), "{introduced} agents: delegation has an end");
    Ok(())
}

#[test]
fn tools_errors_are_outcomes_and_the_run_goes_on() -> Checked {
    let workshop = Workshop::new()?;
    let calls = [
        ("read", json!({ "path": "no-such-file" })),
        ("bash", json!({ "command": "exit 3" })),
        ("list", json!({ "path": "." })),
    ];
    let actions = workshop.act(Some(PERMIT_WORK), &calls)?;
    let outcomes: Vec<_> = actions.iter().map(|action| action.finished.as_deref()).collect();
    assert_eq!(outcomes, [Some("error"), Some("error"), Some("ok")], "{actions:#?}");
    workshop.verdict()?.expect(0);
    Ok(())
}
