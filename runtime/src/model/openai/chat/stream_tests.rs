use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::reply::CUT_OFF;
use super::super::super::test_support::{
    TestResult, check_cuts, check_recorded, pieces, play, recorded, reply_to, told,
};
use super::*;
use crate::model::bounds::{CALLS_MAX, RESTARTS_MAX};

fn decoder() -> Decoder {
    Decoder::new(1)
}

#[test]
fn recorded_streams_come_to_what_is_written_beside_them() -> TestResult {
    check_recorded("chat", decoder)
}

#[test]
fn stream_that_ends_before_it_says_why_is_no_answer() -> TestResult {
    // What follows the reason is the usage and `[DONE]`.
    check_cuts("chat", decoder, |rest| {
        let is_reason = |reason| rest.contains(&format!("\"finish_reason\":\"{reason}\""));
        !["stop", "tool_calls", "length", "content_filter"]
            .into_iter()
            .any(is_reason)
    })
}

fn piece(delta: Value, reason: Option<&str>) -> Value {
    json!({ "id": "c1", "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] })
}

fn words(text: &str) -> Value {
    piece(json!({ "content": text }), None)
}

fn call(arguments: &str) -> Value {
    let function = json!({ "name": "list", "arguments": arguments });
    piece(
        json!({ "tool_calls": [{ "index": 0, "id": "a", "function": function }] }),
        None,
    )
}

fn end(reason: &str) -> Value {
    piece(json!({}), Some(reason))
}

fn other(delta: Value) -> Value {
    json!({ "id": "c2", "choices": [{ "delta": delta }] })
}

#[test]
fn what_contradicts_itself_is_refused() {
    let second = json!({ "choices": [{ "index": 1, "delta": { "content": "x" } }] });
    let orphan = piece(
        json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{" } }] }),
        None,
    );
    let numbers = piece(
        json!({ "tool_calls": [{ "id": "a", "function": { "name": "list", "arguments": [1] } }] }),
        None,
    );
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": -1 } });
    for (events, problem) in [
        (vec![second], "a second answer that nobody asked for"),
        (vec![orphan], "a piece of a call that has not begun"),
        (vec![numbers], "arguments that are neither a text nor an object"),
        (
            vec![words("x"), other(json!({ "content": "y" }))],
            "the answer goes on as another one",
        ),
        (
            vec![end("stop"), other(json!({ "content": "y" }))],
            "the answer goes on as another one",
        ),
        (vec![end("stop"), words("x")], "the answer goes on after its end"),
        (
            vec![call("{}"), end("tool_calls"), call("")],
            "the answer goes on after its end",
        ),
        (vec![end("stop"), end("length")], "the answer ended for two reasons"),
        (
            vec![end("content_filter"), end("stop")],
            "the answer ended for two reasons",
        ),
        (
            vec![end("tool_calls")],
            "it waits for the results of calls, but made none",
        ),
        (
            vec![end("function_call")],
            "it waits for the results of calls, but made none",
        ),
        (vec![end("\u{1b}new")], "finish reason \"\\\\u{1b}new\" is not known"),
        (vec![usage], "prompt_tokens is no count"),
    ] {
        let refused = reply_to(decoder(), &events);
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{problem}: {refused:?}"
        );
    }
}

#[test]
fn answer_is_one_only_when_it_says_why_it_ended() -> TestResult {
    assert!(matches!(
        reply_to(decoder(), &[words("x")]),
        Err(ModelError::Http(HttpError::Cut { .. }))
    ));
    assert!(matches!(
        decoder().finish(),
        Err(ModelError::Http(HttpError::Cut { .. }))
    ));
    let mut unexplained = decoder();
    unexplained.event("", &words("x").to_string())?;
    unexplained.event("", "[DONE]")?;
    assert!(unexplained.is_stopped());
    assert!(matches!(unexplained.finish(), Err(ModelError::Protocol { .. })));
    assert_eq!(reply_to(decoder(), &[words("x"), end("stop")])?.end, End::Done);
    Ok(())
}

#[test]
fn answer_that_was_complete_is_given_up_for_one_that_follows() -> TestResult {
    let again = |text: &str| json!({ "id": "c2", "choices": [{ "delta": { "role": "assistant", "content": text } }] });
    let usage = json!({ "id": "c1", "choices": [], "usage": { "prompt_tokens": 9 } });
    let last = json!({ "id": "c2", "choices": [{ "finish_reason": "length" }] });
    let reply = reply_to(decoder(), &[words("x"), end("stop"), usage, again("y"), last])?;
    assert_eq!(
        (reply.parts, reply.end),
        (vec![Part::Text("y".to_owned())], End::Length)
    );
    assert_eq!(reply.usage, no_tokens());
    Ok(())
}

#[test]
fn calls_are_told_by_what_was_called_whatever_the_reason() -> TestResult {
    for reasons in [
        &["stop"][..],
        &["tool_calls"],
        &["function_call"],
        &["tool_calls", "stop"],
    ] {
        let ends = reasons.iter().map(|reason| end(reason));
        let events: Vec<Value> = [call("{}")].into_iter().chain(ends).collect();
        let reply = reply_to(decoder(), &events)?;
        assert!(matches!(&reply.parts[..], [Part::Call(_)]) && reply.end == End::Calls);
    }
    Ok(())
}

#[test]
fn call_that_is_cut_off_is_not_made() -> TestResult {
    for (arguments, is_made) in [("", false), ("{\"path\":", false), ("{}", true)] {
        let reply = reply_to(decoder(), &[call(arguments), end("length")])?;
        assert_eq!(reply.end, End::Length);
        match &reply.parts[..] {
            [Part::Call(_)] if is_made => {}
            [Part::Malformed(call)] if !is_made => assert_eq!(call.problem, CUT_OFF),
            parts => return Err(format!("{arguments}: {parts:?}").into()),
        }
    }
    Ok(())
}

#[test]
fn nothing_counts_after_the_end() -> TestResult {
    let mut decoder = decoder();
    for data in [words("x").to_string(), end("stop").to_string(), "[DONE]".to_owned()] {
        decoder.event("", &data)?;
    }
    for data in [other(json!({ "role": "assistant" })).to_string(), "not json".to_owned()] {
        assert_eq!(decoder.event("", &data)?, []);
    }
    assert_eq!(decoder.finish()?.parts, [Part::Text("x".to_owned())]);
    Ok(())
}

#[test]
fn answer_is_bounded() -> TestResult {
    let calls = |count: usize| -> Vec<Value> {
        let call = |index: usize| json!({ "index": index, "function": { "name": "list", "arguments": "{}" } });
        let calls: Vec<Value> = (0..count).map(call).collect();
        vec![piece(json!({ "tool_calls": calls }), Some("tool_calls"))]
    };
    assert_eq!(reply_to(decoder(), &calls(CALLS_MAX))?.parts.len(), CALLS_MAX);
    let refused = reply_to(decoder(), &calls(CALLS_MAX + 1));
    assert!(matches!(refused, Err(ModelError::Protocol { problem }) if problem == "more than 64 calls"));
    let long = "x".repeat(1 << 20);
    for event in [words(&long), piece(json!({ "refusal": long }), None), call(&long)] {
        let refused = reply_to(decoder(), &vec![event; 5]);
        let problem = "the answer is longer than 4194304 bytes";
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{refused:?}"
        );
    }
    Ok(())
}

#[test]
fn answer_starts_over_a_few_times_only() -> TestResult {
    let mut decoder = decoder();
    let start = |id: &str| json!({ "id": id, "choices": [{ "delta": { "role": "assistant" } }] }).to_string();
    for id in 0..=RESTARTS_MAX {
        let shown = decoder.event("", &start(&id.to_string()))?;
        assert_eq!(shown.len(), usize::from(id > 0));
    }
    assert!(decoder.event("", &start("one more")).is_err());
    Ok(())
}

/// Chunks of any kind in any order, more often right than chance would have it.
fn any_event() -> impl Strategy<Value = (String, String)> {
    let scalar = prop_oneof![
        Just(json!(null)),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        Just(json!("12")),
        Just(json!({})),
    ];
    let arguments = prop_oneof![
        Just(json!("{\"path\"")),
        Just(json!(":\".\"}")),
        Just(json!("{}")),
        Just(json!({ "path": 1.5 })),
        scalar.clone(),
    ];
    let call = (
        prop::option::of(0_usize..3),
        prop::option::of("[ab]|two words|"),
        prop::option::of("list|read|two words|"),
        arguments,
    );
    let call = call.prop_map(|(index, id, name, arguments)| {
        json!({ "index": index, "id": id, "function": { "name": name, "arguments": arguments } })
    });
    let delta = prop_oneof![
        2 => Just(json!({ "role": "assistant", "content": "" })),
        3 => "[a-z\u{e4}]{0,3}".prop_map(|text| json!({ "content": text, "reasoning_content": text })),
        1 => Just(json!({ "refusal": "no" })),
        6 => prop::collection::vec(call, 0..3).prop_map(|calls| json!({ "tool_calls": calls })),
        1 => scalar.clone(),
    ];
    let reason = prop_oneof![
        12 => Just(json!(null)),
        2 => Just(json!("stop")),
        2 => Just(json!("tool_calls")),
        1 => Just(json!("length")),
        1 => Just(json!("content_filter")),
        1 => Just(json!("")),
        1 => scalar.clone(),
    ];
    let id = prop_oneof![9 => Just("c1"), 1 => Just("c2"), 1 => Just("")];
    let chunk = (id, delta, reason, scalar.clone()).prop_map(|(id, delta, reason, usage)| {
        json!({ "id": id, "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
            "usage": { "prompt_tokens_details": usage } })
    });
    prop_oneof![
        18 => chunk.prop_map(|chunk| (String::new(), chunk.to_string())),
        1 => Just((String::new(), "[DONE]".to_owned())),
        1 => scalar.prop_map(|scalar| (String::new(), scalar.to_string())),
        1 => ("(message|error||x)", ".{0,40}"),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_answer(stream in any::<prop::sample::Index>(), cuts in prop::collection::vec(0_usize..6000, 0..40)) {
        let streams = recorded("chat").map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = &stream.get(&streams).1;
        let cut = play(decoder(), pieces(bytes, cuts));
        prop_assert_eq!(told(cut), told(play(decoder(), vec![bytes.clone()])));
    }

    #[test]
    fn no_events_make_it_panic(events in prop::collection::vec(any_event(), 0..24)) {
        let mut decoder = decoder();
        for (name, data) in events {
            if decoder.event(&name, &data).is_err() {
                return Ok(());
            }
        }
        if let Ok(reply) = decoder.finish() {
            let answer = reply.into_answer(Vec::new());
            let is_call = |part: &Part| matches!(part, Part::Call(_) | Part::Malformed(_));
            prop_assert!(answer.end != End::Calls || answer.parts.iter().any(is_call));
            prop_assert!(answer.end != End::Done || !answer.parts.iter().any(is_call));
            prop_assert!(answer.end != End::Refused || answer.calls().next().is_none());
            let mut ids: Vec<&str> = answer.calls().map(|call| call.id().as_str()).collect();
            ids.sort_unstable();
            prop_assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
