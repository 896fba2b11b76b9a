//! What an agent may not do is denied, whatever its model proposes, and nothing of it happens.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::Checked;
use crate::support::actions::Action;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// The only action of a run.
fn only(actions: Vec<Action>) -> Checked<Action> {
    let [action] = <[Action; 1]>::try_from(actions).map_err(|actions| format!("{actions:#?}"))?;
    Ok(action)
}

/// Fails unless the action was denied by a rule of this name and never executed.
#[track_caller]
fn denied_by(action: &Action, rule: &str) {
    assert_eq!(action.outcome.as_deref(), Some("deny"), "{action:?}");
    assert!(action.is_refused() && action.has_rule(rule), "{action:?}");
}

#[test]
fn what_would_be_asked_is_denied_where_nobody_can_be_asked() -> Checked {
    let workshop = Workshop::new()?;
    for (tool, arguments) in [
        ("write", json!({ "path": "made.txt", "content": "made" })),
        ("bash", json!({ "command": "touch made.txt" })),
    ] {
        let action = only(workshop.act(None, &[(tool, arguments)])?)?;
        denied_by(&action, "availability/no-approver");
        assert!(action.has_rule("permit-layers/0/ask-otherwise"), "{action:?}");
        assert!(!workshop.work().join("made.txt").exists());
        workshop.verdict()?.expect(0);
        fs::remove_file(workshop.ledger())?;
    }
    Ok(())
}

#[test]
fn approvers_key_answers_and_the_action_happens_once() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("bash", json!({ "command": "echo once >> made.txt" }))])?;
    workshop.run(&["--approve", "home/approver.key"])?.expect(0);
    let action = only(workshop.actions()?)?;
    assert_eq!(
        (action.outcome.as_deref(), action.verdict.as_deref()),
        (Some("ask"), Some("given")),
        "{action:?}"
    );
    assert_eq!(fs::read_to_string(workshop.work().join("made.txt"))?, "once\n");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn asking_at_a_terminal_that_is_not_there_is_no_yes() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("write", json!({ "path": "made.txt", "content": "made" }))])?;
    let ran = workshop.run(&["--approve", "ask", "--no-input"])?;
    if ran.code == Some(0) {
        assert!(only(workshop.actions()?)?.is_refused());
        workshop.verdict()?.expect(0);
    } else {
        ran.expect_one_of(&[2, 4]);
        assert!(!workshop.ledger().exists());
    }
    assert!(!workshop.work().join("made.txt").exists());
    Ok(())
}

#[test]
fn page_of_a_host_nobody_granted_is_denied_whatever_policy_permits() -> Checked {
    let workshop = Workshop::new()?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    server.set_nonblocking(true)?;
    let url = format!("http://{}/secrets?of=mine", server.local_addr()?);
    let permit_all = "permit (principal, action, resource);";
    let action = only(workshop.act(Some(permit_all), &[("web_fetch", json!({ "url": url }))])?)?;
    denied_by(&action, "grant/G3.host");
    assert!(server.accept().is_err(), "somebody called");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn address_that_could_be_read_as_another_is_not_judged() -> Checked {
    for url in [
        "http://127.0.0.1@example.com/",
        "http://example.com/a/../b",
        "file:///etc/passwd",
    ] {
        let workshop = Workshop::new()?;
        let action = only(workshop.act(None, &[("web_fetch", json!({ "url": url }))])?)?;
        assert_eq!(action.outcome.as_deref(), Some("could-not-evaluate"), "{action:?}");
        assert!(
            action.is_refused() && action.has_rule("permit-layers/projection"),
            "{action:?}"
        );
        workshop.verdict()?.expect(0);
    }
    Ok(())
}

#[test]
fn what_policy_forbids_is_denied_even_to_a_willing_approver() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("bash", json!({ "command": "touch made.txt && git push --force" }))])?;
    let policy = r#"
        @id("no-force") forbid (principal, action == Action::"bash", resource)
        when { resource.command like "*--force*" };"#;
    workshop.file("policy.cedar", policy)?;
    workshop
        .run(&["--policy", "policy.cedar", "--approve", "home/approver.key"])?
        .expect(0);
    denied_by(&only(workshop.actions()?)?, "permit-layers/1/no-force");
    assert!(!workshop.work().join("made.txt").exists());
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn paths_outside_the_workspace_are_denied_by_the_grant() -> Checked {
    let workshop = Workshop::new()?;
    let outside = workshop.root().join("outside.txt");
    let calls = [
        ("write", json!({ "path": "../outside.txt", "content": "x" })),
        ("write", json!({ "path": outside, "content": "x" })),
        ("write", json!({ "path": "a/../../outside.txt", "content": "x" })),
        ("read", json!({ "path": "/etc/passwd" })),
        ("list", json!({ "path": ".." })),
        ("grep", json!({ "pattern": "x", "path": "/" })),
    ];
    let actions = workshop.act(Some(PERMIT_WORK), &calls)?;
    assert_eq!(actions.len(), calls.len());
    actions.iter().for_each(|action| denied_by(action, "grant/G3.path"));
    assert!(!outside.exists());
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn symbolic_links_out_of_the_workspace_are_denied_by_the_grant() -> Checked {
    let workshop = Workshop::new()?;
    fs::create_dir(workshop.root().join("elsewhere"))?;
    workshop.file("elsewhere/secret.txt", "hidden")?;
    symlink("../elsewhere", workshop.work().join("folder"))?;
    symlink("../elsewhere/secret.txt", workshop.work().join("file"))?;
    symlink("../elsewhere/new.txt", workshop.work().join("dangling"))?;
    let calls = [
        ("read", json!({ "path": "file" })),
        ("read", json!({ "path": "folder/secret.txt" })),
        ("write", json!({ "path": "folder/new.txt", "content": "x" })),
        ("write", json!({ "path": "dangling", "content": "x" })),
        ("list", json!({ "path": "folder" })),
    ];
    let actions = workshop.act(Some(PERMIT_WORK), &calls)?;
    assert_eq!(actions.len(), calls.len());
    actions.iter().for_each(|action| denied_by(action, "grant/G3.path"));
    assert!(!workshop.root().join("elsewhere/new.txt").exists());
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn reading_a_secret_is_asked_for_and_changing_it_forbidden() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("work/.env", "TOKEN=1\n")?;
    symlink(".env", workshop.work().join("harmless.txt"))?;
    let calls = [
        ("read", json!({ "path": ".env" })),
        ("read", json!({ "path": "harmless.txt" })),
        ("write", json!({ "path": ".env", "content": "TOKEN=2\n" })),
        (
            "write",
            json!({ "path": ".git/hooks/pre-commit", "content": "echo hi" }),
        ),
    ];
    workshop.script(&calls)?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop
        .run(&["--policy", "policy.cedar", "--approve", "home/approver.key"])?
        .expect(0);
    let actions = workshop.actions()?;
    let [read, linked, write, hook] = actions.as_slice() else {
        return Err(format!("{actions:#?}").into());
    };
    for asked in [read, linked] {
        assert_eq!(asked.outcome.as_deref(), Some("ask"), "{asked:?}");
        assert!(asked.has_rule("permit-layers/0/ask-secret"), "{asked:?}");
    }
    denied_by(write, "permit-layers/0/forbid-change-secret");
    denied_by(hook, "permit-layers/0/forbid-change-secret");
    assert_eq!(fs::read_to_string(workshop.work().join(".env"))?, "TOKEN=1\n");
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn the_runs_own_ledger_keys_and_policy_are_forbidden() -> Checked {
    let workshop = Workshop::new()?;
    let own = [
        "ledger.db",
        "ledger.db-wal",
        "home/principal.key",
        "home/host.key",
        "policy.cedar",
    ];
    let reads = own.map(|path| ("read", json!({ "path": path })));
    let writes = own.map(|path| ("write", json!({ "path": path, "content": "mine" })));
    let calls = [reads, writes].concat();
    workshop.script(&calls)?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop
        .run(&[
            "--policy",
            "policy.cedar",
            "--approve",
            "home/approver.key",
            "--dir",
            ".",
        ])?
        .expect(0);
    let actions = workshop.actions()?;
    assert_eq!(actions.len(), calls.len());
    actions
        .iter()
        .for_each(|action| denied_by(action, "permit-layers/0/forbid-own"));
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn tools_that_do_not_exist_are_never_run() -> Checked {
    let workshop = Workshop::new()?;
    let calls = [("teleport", json!({ "to": "/etc" })), ("list", json!({ "path": "." }))];
    workshop.script(&calls)?;
    let ran = workshop.run(&[])?;
    if ran.code == Some(0) {
        let actions = workshop.actions()?;
        assert!(
            actions
                .iter()
                .filter(|action| action.tool == "teleport")
                .all(Action::is_refused),
            "{actions:#?}"
        );
        workshop.verdict()?.expect(0);
    } else {
        ran.expect_one_of(&[1, 2, 4]);
    }
    Ok(())
}

#[test]
fn arguments_that_are_none_are_never_run() -> Checked {
    let workshop = Workshop::new()?;
    let calls = [
        ("write", json!({ "path": "made.txt" })),
        ("write", json!({ "path": "made.txt", "content": "x", "mode": "0777" })),
        ("write", json!({ "path": 7, "content": "x" })),
        ("bash", json!({ "command": ["touch", "made.txt"] })),
        ("bash", json!({})),
    ];
    let actions = workshop.act(Some(PERMIT_WORK), &calls)?;
    assert!(actions.iter().all(Action::is_refused), "{actions:#?}");
    assert!(!workshop.work().join("made.txt").exists());
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn policy_that_fails_while_evaluated_denies() -> Checked {
    let workshop = Workshop::new()?;
    // Overflows for every request.
    let policy = r#"
        @id("work") permit (principal, action, resource);
        @id("fails") forbid (principal, action, resource)
        when { context.calls_left + 9223372036854775807 > 0 };"#;
    let action = only(workshop.act(
        Some(policy),
        &[("write", json!({ "path": "made.txt", "content": "x" }))],
    )?)?;
    assert_eq!(action.outcome.as_deref(), Some("could-not-evaluate"), "{action:?}");
    assert!(
        action.is_refused() && action.has_rule("permit-layers/1/fails"),
        "{action:?}"
    );
    assert!(!workshop.work().join("made.txt").exists());
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn organisation_may_ask_where_the_built_in_policy_permits() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("work/a.txt", "a")?;
    let policy = r#"@id("four-eyes") @decision("ask") permit (principal, action in Action::"observe", resource);"#;
    let action = only(workshop.act(Some(policy), &[("read", json!({ "path": "a.txt" }))])?)?;
    denied_by(&action, "availability/no-approver");
    assert!(action.has_rule("permit-layers/1/four-eyes"), "{action:?}");
    workshop.verdict()?.expect(0);
    Ok(())
}
