//! Several calls in one answer: what runs side by side, what runs alone, and what is not made any more.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::actions::Action;
use crate::support::rng::Rng;
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop};

/// A lead that makes all these calls in one answer, and ends.
fn one_answer(workshop: &Workshop, calls: &[(&str, Value)]) -> Checked {
    let calls: Vec<Value> = calls
        .iter()
        .map(|(tool, arguments)| json!({ "tool": tool, "args": arguments }))
        .collect();
    workshop.script_of(&json!({ "lead": [{ "say": "At once.", "calls": calls }, { "say": "Done." }] }))
}

fn play(workshop: &Workshop) -> Checked<Vec<Action>> {
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop.run(&["--policy", "policy.cedar"])?.expect(0);
    workshop.verdict()?.expect(0);
    workshop.actions()
}

/// Where the entry of this kind about the request `request` stands.
fn place(entries: &[Value], kind: &str, request: u64) -> Option<u64> {
    let decision = entries
        .iter()
        .find(|entry| entry["kind"] == "decision.made" && entry["body"]["request"] == request)?;
    match kind {
        "decision.made" => decision["seq"].as_u64(),
        _ => entries
            .iter()
            .find(|entry| entry["kind"] == kind && entry["body"]["decision"] == decision["seq"])
            .and_then(|entry| entry["seq"].as_u64()),
    }
}

fn append(number: usize) -> (&'static str, Value) {
    ("bash", json!({ "command": format!("echo {number} >> order") }))
}

#[test]
fn changes_of_one_answer_are_made_alone_and_in_their_order_whatever_stands_between_them() -> Checked {
    let mut rng = Rng::seeded(7);
    for _ in 0..4 {
        let workshop = Workshop::new()?;
        workshop.file("work/notes.txt", "x\n")?;
        let mut calls = Vec::new();
        let mut appended = Vec::new();
        for number in 0..14 {
            if rng.below(5) < 3 {
                calls.push(("read", json!({ "path": "notes.txt" })));
            } else {
                calls.push(append(number));
                appended.push(number.to_string());
            }
        }
        one_answer(&workshop, &calls)?;
        let actions = play(&workshop)?;
        let tools: Vec<&str> = actions.iter().map(|action| action.tool.as_str()).collect();
        let proposed: Vec<&str> = calls.iter().map(|(tool, _)| *tool).collect();
        assert_eq!(tools, proposed, "requests stand in the order of the proposals");
        let order = fs::read_to_string(workshop.work().join("order")).unwrap_or_default();
        assert_eq!(order.lines().collect::<Vec<_>>(), appended);

        let entries = log(&workshop.ledger())?;
        for (index, action) in actions.iter().enumerate().filter(|(_, action)| action.tool == "bash") {
            let begun = action.request;
            let ended = place(&entries, "action.finished", action.request).ok_or("a command that ended")?;
            for other in actions.iter().take(index) {
                let before = place(&entries, "action.finished", other.request).ok_or("an action that ended")?;
                assert!(
                    before < begun,
                    "{} had not ended when {begun} was requested",
                    other.request
                );
            }
            for other in actions.iter().skip(index + 1) {
                assert!(
                    other.request > ended,
                    "{} was requested before {begun} had ended",
                    other.request
                );
            }
        }
    }
    Ok(())
}

#[test]
fn reads_of_one_answer_are_all_decided_before_the_first_of_them_ends() -> Checked {
    let workshop = Workshop::new()?;
    for name in ["a", "b", "c"] {
        workshop.file(&format!("work/{name}"), name)?;
    }
    one_answer(
        &workshop,
        &["a", "b", "c"].map(|name| ("read", json!({ "path": name }))),
    )?;
    let actions = play(&workshop)?;
    let entries = log(&workshop.ledger())?;
    let places = |kind: &'static str| {
        let places = actions.iter().map(|action| place(&entries, kind, action.request));
        places.collect::<Option<BTreeSet<u64>>>().ok_or("a place")
    };
    let (decided, ended) = (places("decision.made")?, places("action.finished")?);
    assert!(decided.last() < ended.first(), "{decided:?} {ended:?}");
    let results: Vec<_> = actions.iter().filter_map(|action| action.result.as_deref()).collect();
    assert_eq!(results, ["a", "b", "c"]);
    Ok(())
}

#[test]
fn failed_command_keeps_the_calls_behind_it_from_being_made() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("work/notes.txt", "x\n")?;
    one_answer(
        &workshop,
        &[
            ("read", json!({ "path": "notes.txt" })),
            ("bash", json!({ "command": "exit 3" })),
            ("write", json!({ "path": "after", "content": "" })),
            ("read", json!({ "path": "notes.txt" })),
        ],
    )?;
    let actions = play(&workshop)?;
    let tools: Vec<&str> = actions.iter().map(|action| action.tool.as_str()).collect();
    assert_eq!(tools, ["read", "bash"], "what is not made is not requested either");
    assert!(!workshop.work().join("after").exists());
    let asked = crate::support::stored::Stored::read(&workshop.ledger())?;
    let told = asked.payloads.iter().any(|row| {
        let content = row
            .parts
            .get(1)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        content.is_some_and(|text| text.contains("not made: a command before it in the same answer failed"))
    });
    assert!(told, "the model is told which calls were not made");
    Ok(())
}

#[test]
fn failed_read_and_refused_action_stop_nothing() -> Checked {
    let workshop = Workshop::new()?;
    workshop.file("work/.env", "secret\n")?;
    one_answer(
        &workshop,
        &[
            ("read", json!({ "path": "no-such-file" })),
            ("write", json!({ "path": ".env", "content": "" })),
            ("nonsense", json!({})),
            append(1),
        ],
    )?;
    let actions = play(&workshop)?;
    let ends: Vec<_> = actions.iter().map(|action| action.finished.as_deref()).collect();
    assert_eq!(ends, [Some("error"), None, None, Some("ok")]);
    Ok(())
}

#[test]
fn agents_of_one_answer_are_introduced_in_their_order_and_work_side_by_side() -> Checked {
    let workshop = Workshop::new()?;
    let names = ["one", "two", "three", "four", "five"];
    for name in names {
        workshop.file(&format!("work/{name}"), name)?;
    }
    let calls: Vec<Value> = names
        .iter()
        .map(|name| json!({ "tool": "agent", "args": { "type": "explore", "name": name, "task": format!("read {name}") } }))
        .collect();
    let mut agents = json!({ "lead": [{ "say": "All at once.", "calls": calls }, { "say": "Done." }] });
    for name in names {
        let look = json!({ "tool": "read", "args": { "path": name } });
        agents[name] = json!([{ "say": "I look.", "calls": [look] }, { "say": format!("{name} it is.") }]);
    }
    workshop.script_of(&agents)?;
    let actions = play(&workshop)?;
    let entries = log(&workshop.ledger())?;
    let delegations: Vec<&Action> = actions.iter().filter(|action| action.tool == "agent").collect();
    let introduced: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["kind"] == "identity.introduced" && entry["agent"] == "lead")
        .collect();
    let given: Vec<&str> = introduced
        .iter()
        .filter_map(|entry| entry.pointer("/body/credential/credentialSubject/name")?.as_str())
        .collect();
    assert_eq!(given, names);
    for (delegation, name) in delegations.iter().zip(names) {
        assert_eq!(delegation.result.as_deref(), Some(format!("{name} it is.").as_str()));
    }
    let first_ended = place(&entries, "action.finished", delegations[0].request).ok_or("an end")?;
    let last_introduced = introduced
        .last()
        .and_then(|entry| entry["seq"].as_u64())
        .ok_or("a seq")?;
    assert!(last_introduced < first_ended, "the children worked one after the other");
    Ok(())
}
