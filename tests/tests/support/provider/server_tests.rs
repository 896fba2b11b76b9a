//! The server is what it says: every format plays the whole script, whatever the pieces, and goes wrong only as told.

use countersign_examples::{DEMO_SCRIPT, DEMO_TASK};
use serde_json::{Value, json};

use super::fault::Fault;
use super::player::{Heard, KEY, Player, hear};
use super::raw_client::ask;
use super::record::check_prefixes;
use super::server::{Provider, Setup};
use super::sse::LineEnd;
use super::wire::Wire;
use crate::support::Checked;

pub(super) const WIRES: [Wire; 3] = [Wire::Messages, Wire::Responses, Wire::Chat];
pub(super) const TASK: &str = "Grüße die Welt. 世界";
pub(super) const TOOLS: [&str; 3] = ["list", "write", "advisor"];

/// A lead that asks for advice and follows it.
pub(super) fn setup() -> Checked<Setup> {
    let advice = json!({ "relation": "followed", "reason": "«Naïve» \"but\" good." });
    let script = json!({ "schema": "countersign.script/v1", "agents": {
        "lead": [
            { "say": "Zuerst schaue ich. 🔍", "calls": [
                { "tool": "list", "args": { "path": "." } },
                { "tool": "advisor", "args": { "question": "Wie grüßt man «世界»?" } }] },
            { "say": "", "calls": [{ "tool": "write", "args": { "path": "a\\b", "content": "«世界»\r\n\"🎉\"\t" },
                "advice": advice }] },
            { "say": "Done: 世界 🎉" }],
        "advisor": [{ "say": "Höflich." }] } });
    Ok(Setup::new(&script.to_string(), TASK)?.key(KEY))
}

/// Plays the lead to its end; the texts and calls that were heard.
fn play(provider: &Provider, player: &mut Player) -> Checked<Vec<Heard>> {
    let mut all = Vec::new();
    loop {
        let heard = player.turn(provider)?;
        player.results(&heard);
        let is_last = heard.calls.is_empty();
        all.push(heard);
        if is_last {
            return Ok(all);
        }
    }
}

fn words(turns: &[Heard]) -> Vec<Value> {
    let calls = |heard: &Heard| -> Vec<Value> {
        let calls = heard.calls.iter();
        calls
            .map(|(_, tool, arguments)| json!({ "tool": tool, "arguments": arguments }))
            .collect()
    };
    turns
        .iter()
        .map(|heard| json!({ "text": heard.text, "calls": calls(heard) }))
        .collect()
}

fn expected() -> Vec<Value> {
    let write = json!({ "path": "a\\b", "content": "«世界»\r\n\"🎉\"\t",
        "advice": "followed: «Naïve» \"but\" good." });
    vec![
        json!({ "text": "Zuerst schaue ich. 🔍", "calls": [
            { "tool": "list", "arguments": { "path": "." } },
            { "tool": "advisor", "arguments": { "question": "Wie grüßt man «世界»?" } }] }),
        json!({ "text": "", "calls": [{ "tool": "write", "arguments": write }] }),
        json!({ "text": "Done: 世界 🎉", "calls": [] }),
    ]
}

#[test]
fn every_format_plays_the_script_whatever_the_pieces() -> Checked {
    for wire in WIRES {
        for (seed, line_end) in [
            (1, LineEnd::Lf),
            (2, LineEnd::CrLf),
            (3, LineEnd::Lf),
            (4, LineEnd::CrLf),
        ] {
            let provider = Provider::start(setup()?.seed(seed).chunks_up_to(1 + seed * seed).line_end(line_end))?;
            let turns = play(&provider, &mut Player::new(wire, TASK, &TOOLS))?;
            assert_eq!(words(&turns), expected(), "{wire:?} {seed}");
            let requests = provider.requests();
            let told: Vec<_> = requests.iter().filter_map(|request| request.usage).collect();
            let told: Vec<_> = told.iter().map(|usage| (usage.input_total(), usage.output)).collect();
            assert_eq!(turns.iter().map(|heard| heard.tokens).collect::<Vec<_>>(), told);
            assert_eq!(check_prefixes(&requests), Ok(2), "{wire:?}");
        }
    }
    Ok(())
}

#[test]
fn local_server_needs_no_key_and_takes_none() -> Checked {
    let mut local = setup()?.seed(9);
    local = local.without_key();
    let provider = Provider::start(local)?;
    let mut player = Player::new(Wire::Chat, TASK, &TOOLS);
    player.body["model"] = "local-model".into();
    player.body["max_tokens"] = 100.into();
    assert_eq!(player.send(&provider)?.status, 400, "a key is given away");
    player.key = None;
    assert_eq!(words(&play(&provider, &mut player)?), expected());
    Ok(())
}

#[test]
fn advisor_is_known_by_its_question() -> Checked {
    for wire in WIRES {
        let provider = Provider::start(setup()?)?;
        let mut advisor = Player::new(wire, "Wie grüßt man «世界»?", &[]);
        if wire == Wire::Chat {
            advisor.body.as_object_mut().ok_or("an object")?.remove("tools");
        }
        assert_eq!(advisor.turn(&provider)?.text, "Höflich.", "{wire:?}");
        let asked = provider.requests().remove(0).asked.ok_or("it was told who asks")?;
        assert_eq!((asked.agent.as_str(), asked.turn, asked.depth), ("advisor", 0, 0));
    }
    Ok(())
}

#[test]
fn demo_is_played_by_all_its_agents_in_every_format() -> Checked {
    let script: Value = serde_json::from_str(DEMO_SCRIPT)?;
    let argument = |tool: &str, name: &str| {
        let calls = script["agents"]["lead"].as_array().into_iter().flatten();
        let mut calls = calls.flat_map(|turn| turn["calls"].as_array().into_iter().flatten());
        let found = calls.find(|call| call["tool"] == tool);
        found.and_then(|call| call["args"][name].as_str()).map(str::to_owned)
    };
    let task = argument("agent", "task").ok_or("a scout is sent")?;
    let question = argument("advisor", "question").ok_or("the advisor is asked")?;
    for wire in WIRES {
        let provider = Provider::start(Setup::new(DEMO_SCRIPT, DEMO_TASK)?.key(KEY))?;
        for (agent, words) in [("lead", DEMO_TASK), ("scout", &task), ("advisor", &question)] {
            let turns = play(&provider, &mut Player::new(wire, words, &["edit"]))?;
            let expected = script["agents"][agent].as_array().map(Vec::len);
            assert_eq!(Some(turns.len()), expected, "{wire:?} {agent}");
        }
    }
    Ok(())
}

#[test]
fn user_may_go_on_after_results() -> Checked {
    for wire in WIRES {
        let provider = Provider::start(setup()?)?;
        let mut player = Player::new(wire, TASK, &TOOLS);
        let heard = player.turn(&provider)?;
        player.results(&heard);
        player.list().push(json!({ "role": "user", "content": "Go on." }));
        assert_eq!(player.turn(&provider)?.calls.len(), 1, "{wire:?}");
    }
    Ok(())
}

#[test]
fn chunks_are_as_short_as_they_are_told_to_be() -> Checked {
    let provider = Provider::start(setup()?.chunks_up_to(5))?;
    let answer = Player::new(Wire::Messages, TASK, &TOOLS).send(&provider)?;
    assert!(answer.chunks.iter().all(|len| (1..=5).contains(len)));
    let lens: std::collections::BTreeSet<usize> = answer.chunks.iter().copied().collect();
    assert_eq!(lens.len(), 5, "all lengths occur");
    Ok(())
}

#[test]
fn statuses_come_with_and_without_a_time_to_wait() -> Checked {
    for wire in WIRES {
        let faults = [
            Some(Fault::retry_now(529)),
            Some(Fault::status(429)),
            Some(Fault::status(500)),
            None,
        ];
        let provider = Provider::start(setup()?.faults(&faults))?;
        let player = Player::new(wire, TASK, &TOOLS);
        let answers: Vec<_> = faults.iter().map(|_| player.send(&provider)).collect::<Checked<_>>()?;
        assert_eq!(
            answers.iter().map(|answer| answer.status).collect::<Vec<_>>(),
            [529, 429, 500, 200]
        );
        assert!(answers[0].has_header("retry-after: 0") && !answers[1].head.contains("retry-after"));
        assert!(answers[0].json()["error"]["message"].is_string(), "{wire:?}");
        assert_eq!(
            check_prefixes(&provider.requests()),
            Ok(3),
            "repeated requests are the same"
        );
        if wire == Wire::Messages {
            assert_eq!(answers[0].json()["error"]["type"], "overloaded_error");
            assert!(answers[0].json()["request_id"].is_string());
        }
    }
    Ok(())
}

#[test]
fn broken_streams_are_no_answers() -> Checked {
    for wire in WIRES {
        for seed in 0..8 {
            let faults = [Fault::Cut, Fault::EndsEarly, Fault::ErrorEvent].map(Some);
            let provider = Provider::start(setup()?.seed(seed).chunks_up_to(30).faults(&faults))?;
            let mut player = Player::new(wire, TASK, &TOOLS);
            assert!(!player.send(&provider)?.is_whole, "cut");
            let early = player.send(&provider)?;
            let is_ended = |data: &str| {
                ["message_stop", "response.completed", "[DONE]"]
                    .iter()
                    .any(|end| data.contains(end))
            };
            assert!(
                early.is_whole && !early.events()?.iter().any(|(_, data)| is_ended(data)),
                "{wire:?} {seed}"
            );
            let failed = player.send(&provider)?;
            let last = failed.events()?.pop().ok_or("an error")?.1;
            assert!(
                failed.is_whole && last.contains("error") && !is_ended(&last),
                "{wire:?}: {last}"
            );
            assert_eq!(
                player.turn(&provider)?.text,
                "Zuerst schaue ich. 🔍",
                "and then it goes on"
            );
        }
    }
    Ok(())
}

#[test]
fn stalled_stream_keeps_its_connection_until_the_server_ends() -> Checked {
    let provider = Provider::start(setup()?.always(Fault::Stall))?;
    let answer = Player::new(Wire::Responses, TASK, &TOOLS).send(&provider)?;
    assert!(answer.status == 200 && !answer.is_whole);
    drop(provider);
    Ok(())
}

#[test]
fn beginnings_come_twice() -> Checked {
    for wire in WIRES {
        let provider = Provider::start(setup()?.faults(&[Some(Fault::DuplicateStart), Some(Fault::Splice)]))?;
        let player = Player::new(wire, TASK, &TOOLS);
        let ids = |answer: &super::raw_client::Answer| -> Checked<Vec<String>> {
            let id = |(_, data): &(String, String)| {
                let event: Value = serde_json::from_str(data).unwrap_or_default();
                let places = [&event["message"]["id"], &event["response"]["id"], &event["id"]];
                places.iter().find_map(|id| id.as_str().map(str::to_owned))
            };
            Ok(answer.events()?.iter().filter_map(id).collect())
        };
        let twice = player.send(&provider)?;
        let event = |index: usize| -> Checked<Value> { Ok(serde_json::from_str(&twice.events()?[index].1)?) };
        assert_eq!(event(0)?, event(1)?, "{wire:?}");
        assert_eq!(
            hear(wire, &twice).is_ok(),
            wire != Wire::Responses,
            "the numbers are wrong"
        );
        let spliced = ids(&player.send(&provider)?)?;
        assert_ne!(spliced.first(), spliced.last(), "{wire:?}: two answers");
    }
    Ok(())
}

#[test]
fn models_decline_and_run_out_of_words() -> Checked {
    let ends = [
        ("refusal", "max_tokens"),
        ("completed", "incomplete"),
        ("stop", "length"),
    ];
    for (wire, (declined, cut)) in WIRES.into_iter().zip(ends) {
        let provider = Provider::start(setup()?.faults(&[Some(Fault::Refusal), Some(Fault::Length)]))?;
        let player = Player::new(wire, TASK, &TOOLS);
        let refused = player.send(&provider)?;
        let heard = hear(wire, &refused)?;
        assert_eq!(
            (heard.end.as_str(), heard.text.as_str(), heard.calls.len()),
            (declined, "", 0)
        );
        assert!(wire == Wire::Messages || String::from_utf8_lossy(&refused.body).contains("refusal"));
        let heard = hear(wire, &player.send(&provider)?)?;
        assert_eq!(
            (heard.end.as_str(), heard.text.as_str(), heard.calls.len()),
            (cut, "Zuerst sch", 0)
        );
    }
    Ok(())
}

#[test]
fn models_are_listed_in_the_callers_format() -> Checked {
    let provider = Provider::start(setup()?)?;
    let anthropic = [("x-api-key", KEY), ("anthropic-version", "2023-06-01")];
    let listed = ask(&provider, "GET", "/v1/models", &anthropic, "")?.json();
    assert_eq!(
        (&listed["data"][0]["id"], &listed["has_more"]),
        (&json!("claude-test"), &json!(false))
    );
    let listed = ask(
        &provider,
        "GET",
        "/v1/models",
        &[("authorization", "Bearer test-key")],
        "",
    )?
    .json();
    assert_eq!(
        (&listed["object"], &listed["data"][1]["id"]),
        (&json!("list"), &json!("gpt-test"))
    );
    assert_eq!(provider.requests().len(), 2);
    Ok(())
}

#[test]
fn requests_are_kept_as_they_came() -> Checked {
    let provider = Provider::start(setup()?)?;
    let player = Player::new(Wire::Messages, TASK, &TOOLS);
    player.send(&provider)?;
    let request = provider.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v1/messages")
    );
    assert_eq!(request.header("x-api-key"), Some(KEY));
    assert_eq!((request.json(), request.status), (player.body, 200));
    assert_eq!((request.fault, request.problem), (None, None));
    Ok(())
}
