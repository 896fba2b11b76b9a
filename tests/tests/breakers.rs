//! Agents that go in circles are halted, on record and with exit 3, long before their budget ends.

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::stored::{Stored, log};
use crate::support::workshop::{PERMIT_WORK, Workshop, turn};

/// Lets these agents work until the lead is halted; gives the documents of all halts, and how often models were asked.
fn play(agents: &Value, code: i32) -> Checked<(Vec<Value>, usize)> {
    let workshop = Workshop::new()?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    workshop.script_of(agents)?;
    let ran = workshop.run(&["--policy", "policy.cedar", "--json"])?.expect(code);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().ok_or("a line")?)?;
    let (entries, stored) = (log(&workshop.ledger())?, Stored::read(&workshop.ledger())?);
    let mut halts = Vec::new();
    for entry in &entries {
        if entry["kind"] == "session.event" && entry["body"]["code"] == "halted" {
            let seq = entry["seq"].as_u64().ok_or("a seq")?;
            halts.push(serde_json::from_slice(stored.payload(seq, 0).ok_or("a document")?)?);
        }
    }
    assert_eq!(last["event"], "run.ended");
    if code == 3 {
        assert_eq!(
            Some(&last["halt"]),
            halts.last(),
            "the last line says what the ledger says"
        );
        assert_eq!(last["reason"], "halted-policy");
    } else {
        assert_eq!(last["halt"], Value::Null);
    }
    workshop.verdict()?.expect(0);
    let asked = entries.iter().filter(|entry| entry["kind"] == "model.called").count();
    Ok((halts, asked))
}

fn assert_breaker(halts: &[Value], agent: &str, breaker: &str) {
    let [halt] = halts else {
        panic!("{halts:?}");
    };
    assert_eq!(
        (&halt["agent"], &halt["halt"], &halt["breaker"]),
        (&json!(agent), &json!("breaker"), &json!(breaker)),
        "{halt}"
    );
}

fn again(times: usize, turn: &Value) -> Vec<Value> {
    vec![turn.clone(); times]
}

#[test]
fn same_refused_call_halts_the_run() -> Checked {
    // Secrets are a protected place: no permit reaches them.
    let refused = turn("write", &json!({ "path": ".git/config", "content": "x" }));
    let looking = turn("list", &json!({ "path": "." }));
    let turns: Vec<Value> = [refused, looking].iter().cycle().take(40).cloned().collect();
    let (halts, asked) = play(&json!({ "lead": turns }), 3)?;
    assert_breaker(&halts, "lead", "refused-call");
    assert_eq!(asked, 9);
    Ok(())
}

#[test]
fn same_failing_call_halts_the_run() -> Checked {
    let failing = turn("bash", &json!({ "command": "false" }));
    let (halts, asked) = play(&json!({ "lead": again(40, &failing) }), 3)?;
    assert_breaker(&halts, "lead", "failing-call");
    assert_eq!(asked, 10);
    Ok(())
}

#[test]
fn failing_call_may_be_made_again_after_each_change() -> Checked {
    let failing = turn("bash", &json!({ "command": "false" }));
    let changing = turn("bash", &json!({ "command": "true" }));
    let mut turns: Vec<Value> = [failing, changing].iter().cycle().take(40).cloned().collect();
    turns.push(json!({ "say": "Done." }));
    let (halts, asked) = play(&json!({ "lead": turns }), 0)?;
    assert_eq!((halts.len(), asked), (0, 41));
    Ok(())
}

#[test]
fn subagents_that_fail_one_after_the_other_halt_the_run() -> Checked {
    let mut agents = json!({});
    let mut turns = Vec::new();
    for number in 0..10 {
        let name = format!("helper-{number}");
        turns.push(turn(
            "agent",
            &json!({ "type": "explore", "name": name, "task": "help" }),
        ));
        agents[&name] = json!([{ "error": "the provider is gone" }]);
    }
    agents["lead"] = turns.into();
    let (halts, asked) = play(&agents, 3)?;
    assert_breaker(&halts, "lead", "failing-helpers");
    assert_eq!(asked, 10, "five of the lead, one of each subagent");
    Ok(())
}

#[test]
fn advisor_that_fails_again_and_again_halts_the_run() -> Checked {
    let turns: Vec<Value> = (0..10)
        .map(|number| turn("advisor", &json!({ "question": format!("and {number}?") })))
        .collect();
    let (halts, _) = play(
        &json!({ "lead": turns, "advisor": again(10, &json!({ "error": "gone" })) }),
        3,
    )?;
    assert_breaker(&halts, "lead", "failing-helpers");
    Ok(())
}

#[test]
fn halted_subagent_is_told_to_its_parent_which_goes_on() -> Checked {
    let failing = turn("grep", &json!({ "pattern": "(", "path": "." }));
    let help = turn("agent", &json!({ "type": "explore", "name": "ann", "task": "help" }));
    let agents = json!({ "lead": [help, { "say": "Without her." }], "ann": again(40, &failing) });
    let (halts, asked) = play(&agents, 0)?;
    assert_breaker(&halts, "ann", "failing-call");
    assert_eq!(asked, 12);
    Ok(())
}

#[test]
fn used_up_budget_is_a_halt_of_its_own_word() -> Checked {
    let workshop = Workshop::new()?;
    let issue = ["grant", "issue", "-o", "small.grant", "--path", "work", "--calls", "3"];
    crate::support::programs::run(workshop.countersign().args(issue))?.expect(0);
    let looking: Vec<_> = (0..9).map(|_| ("list", json!({ "path": "." }))).collect();
    workshop.script(&looking)?;
    let ran = workshop.run(&["--grant", "small.grant", "--json"])?.expect(3);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().ok_or("a line")?)?;
    assert_eq!(
        (&last["reason"], &last["halt"]["halt"]),
        (&json!("halted-budget"), &json!("budget"))
    );
    workshop.verdict()?.expect(0);
    Ok(())
}
