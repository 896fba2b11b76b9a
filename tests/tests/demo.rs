//! The demo tells its whole story, and leaves two files from which anybody can check it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Checked;
use crate::support::actions::{Action, actions};
use crate::support::namespace::Namespace;
use crate::support::programs::{countersign, countersign_path, run, run_countersign, run_verify, verify_path};
use crate::support::stored::log;
use crate::support::story::{Story, other_story, story};

fn story_actions() -> Checked<Vec<Action>> {
    actions(&story().ledger())
}

fn one<'a>(actions: &'a [Action], what: &str, wanted: impl Fn(&Action) -> bool) -> Checked<&'a Action> {
    actions
        .iter()
        .find(|action| wanted(action))
        .ok_or_else(|| format!("{what}: not in {actions:#?}").into())
}

fn names(folder: &Path) -> Checked<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[test]
fn demo_leaves_a_ledger_in_one_file_and_an_anchor() -> Checked {
    let story = story();
    // The project that the agents worked on may stay, to be looked at, and the head is for `verify --head`.
    let left: Vec<String> = names(&story.folder())?
        .into_iter()
        .filter(|name| name != "project")
        .collect();
    assert_eq!(left, ["ledger.db", "ledger.db-head", "principal.did"]);
    let anchor = fs::read_to_string(story.anchor())?;
    assert_eq!(anchor.lines().count(), 1, "one line: {anchor:?}");
    assert!(anchor.starts_with("did:peer:4zQm"), "{anchor:?}");
    // Read-write version 1 in the SQLite header: no write-ahead log belongs to the file any more.
    let bytes = fs::read(story.ledger())?;
    assert_eq!(bytes.get(18..20), Some(&[1, 1][..]));
    Ok(())
}

#[test]
fn demo_prints_the_authority_tree_down_from_the_principal() -> Checked {
    let story = story();
    let anchor = fs::read_to_string(story.anchor())?;
    let short = anchor.trim().rsplit_once(':').ok_or("a long form")?.0;
    let tree = &story.ran.stdout;
    for word in [
        short,
        "lead",
        "scout",
        "git push --force",
        "never-force-push",
        "verified",
    ] {
        assert!(tree.contains(word), "{word:?} is not in\n{tree}");
    }
    Ok(())
}

#[test]
fn demo_prints_no_terminal_codes_to_a_pipe() {
    let ran = &story().ran;
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{ran}");
}

#[test]
fn verify_accepts_the_demo_under_its_own_anchor() -> Checked {
    let story = story();
    run_verify([
        story.ledger().as_os_str(),
        "--trust".as_ref(),
        story.anchor().as_os_str(),
    ])?
    .expect(0);
    Ok(())
}

#[test]
fn subagent_is_introduced_by_the_lead_under_the_leads_grant() -> Checked {
    let entries = log(&story().ledger())?;
    let introduced = |name: &str| {
        let is_it = |entry: &&Value| {
            entry["kind"] == "identity.introduced"
                && entry["body"]["credential"]["credentialSubject"]["name"] == name
                && entry["body"]["role"] == "agent"
        };
        entries
            .iter()
            .find(is_it)
            .ok_or_else(|| format!("nobody introduced {name}"))
    };
    let (lead, scout) = (introduced("lead")?, introduced("scout")?);
    assert_eq!(scout["agent"], "lead");
    assert_eq!(scout["body"]["parent_grant"], lead["seq"]);
    let lead_did = &lead["body"]["credential"]["credentialSubject"]["id"];
    assert_eq!(&scout["body"]["credential"]["issuer"], lead_did);
    assert_eq!(&scout["by"], lead_did);
    let effects = &scout["body"]["credential"]["credentialSubject"]["grant"]["effects"];
    assert_eq!(effects, &serde_json::json!(["read"]), "an explorer may only read");
    Ok(())
}

#[test]
fn subagent_reads_but_its_write_is_refused_by_its_grant() -> Checked {
    let actions = story_actions()?;
    one(&actions, "a read by the scout", |action| {
        action.agent == "scout" && action.is_permitted()
    })?;
    let write = one(&actions, "a change by the scout", |action| {
        action.agent == "scout" && ["write", "edit"].contains(&action.tool.as_str())
    })?;
    assert!(write.is_refused(), "{write:?}");
    assert!(
        write.has_rule("grant/G3.tool") || write.has_rule("grant/G3.effect"),
        "{write:?}"
    );
    Ok(())
}

#[test]
fn force_push_is_refused_by_policy() -> Checked {
    let actions = story_actions()?;
    let push = one(&actions, "git push --force", |action| {
        action.argument("command").contains("git push --force")
    })?;
    assert_eq!(push.outcome.as_deref(), Some("deny"));
    assert!(
        push.is_refused() && push.has_rule("permit-layers/1/never-force-push"),
        "{push:?}"
    );
    Ok(())
}

#[test]
fn exactly_one_ask_is_made_and_approved_by_a_persons_key() -> Checked {
    let actions = story_actions()?;
    let asked: Vec<&Action> = actions
        .iter()
        .filter(|action| action.outcome.as_deref() == Some("ask"))
        .collect();
    let [ask] = asked.as_slice() else {
        return Err(format!("{asked:#?}").into());
    };
    assert_eq!(
        (ask.verdict.as_deref(), ask.finished.as_deref()),
        (Some("given"), Some("ok")),
        "{ask:?}"
    );
    let entries = log(&story().ledger())?;
    let approval = entries
        .iter()
        .find(|entry| entry["kind"] == "approval.entered")
        .ok_or("no approval")?;
    let order = &approval["body"]["order"]["doc"];
    let approver = entries
        .iter()
        .find(|entry| entry["seq"] == approval["body"]["approver"])
        .ok_or("no approver")?;
    assert_eq!(approver["body"]["role"], "approver");
    assert_eq!(
        order["issuer"],
        approver["body"]["credential"]["credentialSubject"]["id"]
    );
    Ok(())
}

#[test]
fn advice_is_asked_for_given_and_followed_by_a_later_action() -> Checked {
    let entries = log(&story().ledger())?;
    let kind = |wanted: &str| entries.iter().find(|entry| entry["kind"] == wanted).cloned();
    let question = kind("advice.requested").ok_or("no question")?;
    let given = kind("advice.given").ok_or("no advice")?;
    assert_eq!(question["agent"], "lead");
    assert_eq!(given["body"]["question"], question["seq"]);
    assert_ne!(given["by"], question["by"], "the advisor has an identity of its own");
    let follows = |entry: &Value| {
        let cited = entry["body"]["advice"].as_array().cloned().unwrap_or_default();
        cited
            .iter()
            .any(|advice| advice["entry"] == given["seq"] && advice["relation"] == "followed")
    };
    assert!(
        entries
            .iter()
            .any(|entry| entry["kind"] == "action.requested" && follows(entry))
    );
    Ok(())
}

#[test]
fn project_fails_its_test_first_and_is_green_after_the_edit() -> Checked {
    let actions = story_actions()?;
    let is_test = |action: &&Action| action.argument("command") == "sh test.sh";
    let runs: Vec<Option<&str>> = actions
        .iter()
        .filter(is_test)
        .map(|action| action.finished.as_deref())
        .collect();
    assert_eq!(runs.last(), Some(&Some("ok")), "{actions:#?}");
    let edit = one(&actions, "the edit", |action| {
        action.agent == "lead" && action.tool == "edit"
    })?;
    assert_eq!(edit.finished.as_deref(), Some("ok"));
    let last_test = actions.iter().rev().find(is_test).ok_or("no test was run")?;
    assert!(edit.request < last_test.request);
    assert_eq!(
        runs.first(),
        Some(&Some("error")),
        "the test failed at first: {actions:#?}"
    );
    let project = story().folder().join("project");
    if project.exists() {
        run(std::process::Command::new("sh").arg("test.sh").current_dir(project))?.expect(0);
    }
    Ok(())
}

#[test]
fn run_and_every_instance_end_properly() -> Checked {
    let entries = log(&story().ledger())?;
    let last = entries.last().ok_or("an empty ledger")?;
    assert_eq!(
        (&last["kind"], &last["body"]["open_items"]),
        (&"ledger.closed".into(), &0.into())
    );
    let ended = entries
        .iter()
        .find(|entry| entry["kind"] == "run.ended")
        .ok_or("the run has no end")?;
    assert_eq!(ended["body"]["reason"], "done");
    let stopped = entries.iter().filter(|entry| entry["kind"] == "instance.stopped");
    assert!(stopped.clone().all(|entry| entry["body"]["reason"] == "done"));
    assert!(stopped.count() >= 3, "lead, scout and advisor stop themselves");
    Ok(())
}

#[test]
fn a_second_demo_into_the_same_folder_changes_nothing() -> Checked {
    let story = other_story();
    let before = (
        fs::read(story.ledger())?,
        fs::read(story.anchor())?,
        names(&story.folder())?,
    );
    let folder = story.folder();
    run_countersign(["demo".as_ref(), "--dir".as_ref(), folder.as_os_str()])?.expect(2);
    assert!(before == (fs::read(story.ledger())?, fs::read(story.anchor())?, names(&folder)?));
    Ok(())
}

#[test]
fn demo_into_a_folder_that_cannot_be_made_is_an_environment_error() -> Checked {
    let folder = TempDir::new()?;
    let file = folder.path().join("file");
    fs::write(&file, "a file, no folder")?;
    let below = file.join("demo");
    run_countersign(["demo".as_ref(), "--dir".as_ref(), below.as_os_str()])?.expect(4);
    assert_eq!(fs::read_to_string(&file)?, "a file, no folder");
    Ok(())
}

#[test]
fn two_demos_share_no_key_and_no_ledger() -> Checked {
    let (one, other): (&Story, &Story) = (story(), other_story());
    assert_ne!(fs::read(one.anchor())?, fs::read(other.anchor())?);
    let (one, other) = (log(&one.ledger())?, log(&other.ledger())?);
    let kinds = |entries: &[Value]| entries.iter().map(|entry| entry["kind"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&one), kinds(&other), "the same story");
    assert!(
        one.iter().zip(&other).all(|(one, other)| one["by"] != other["by"]),
        "told by others"
    );
    Ok(())
}

#[test]
fn demo_in_json_ends_with_the_verdict() -> Checked {
    let folder = TempDir::new()?;
    let ran = run(countersign().args(["demo", "--json"]).current_dir(folder.path()))?.expect(0);
    let lines: Vec<Value> = ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (verdict, events) = lines.split_last().ok_or("nothing was printed")?;
    assert_eq!(
        (&verdict["schema"], &verdict["verdict"]),
        (&"countersign.verdict/v1".into(), &"verified".into())
    );
    assert!(
        events.len() > 20 && events.iter().all(|event| event["schema"] == "countersign.event/v1"),
        "{ran}"
    );
    Ok(())
}

#[test]
fn demo_needs_no_home() -> Checked {
    let folder = TempDir::new()?;
    let mut command = countersign();
    command
        .arg("demo")
        .env("HOME", "")
        .env("COUNTERSIGN_HOME", "")
        .current_dir(folder.path());
    run(&mut command)?.expect(0);
    assert_eq!(names(folder.path())?, ["demo"]);
    Ok(())
}

#[test]
fn demo_and_verify_need_no_network() -> Checked {
    let folder = TempDir::new()?;
    let script = r#"cd "$1" && "$2" demo && "$3" demo/ledger.db --trust demo/principal.did"#;
    let arguments = [folder.path().to_owned(), countersign_path(), verify_path()];
    if let Some(ran) = Namespace::Network.run("demo_and_verify_need_no_network", script, arguments)? {
        ran.expect(0);
    }
    Ok(())
}
