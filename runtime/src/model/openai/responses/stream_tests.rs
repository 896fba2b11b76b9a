use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::test_support::{
    TestResult, check_cuts, check_recorded, pieces, play, recorded, reply_to, told,
};
use super::*;
use crate::model::bounds::RESTARTS_MAX;

#[test]
fn recorded_streams_come_to_what_is_written_beside_them() -> TestResult {
    check_recorded("responses", Decoder::default)
}

#[test]
fn stream_that_ends_anywhere_too_early_is_no_answer() -> TestResult {
    // `[DONE]`, which does not belong to this API, may follow the end.
    check_cuts("responses", Decoder::default, |rest| {
        "data: [DONE]".ends_with(rest.trim())
    })
}

/// What comes of these events, after a proper start.
fn after_start(events: &[Value]) -> Result<Reply, ModelError> {
    let start = json!({ "type": "response.created", "response": { "id": "resp_1" } });
    reply_to(Decoder::default(), &[&[start], events].concat())
}

fn added(index: usize, item: Value) -> Value {
    json!({ "type": "response.output_item.added", "output_index": index, "item": item })
}

fn done(index: usize, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": index, "item": item })
}

fn message(texts: &[&str]) -> Value {
    let part = |text: &&str| json!({ "type": "output_text", "text": text });
    json!({ "type": "message", "content": texts.iter().map(part).collect::<Vec<_>>() })
}

fn call(id: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": "list", "arguments": arguments })
}

fn words(index: usize, text: &str) -> Value {
    json!({ "type": "response.output_text.delta", "output_index": index, "delta": text })
}

fn fragment(index: usize, text: &str) -> Value {
    json!({ "type": "response.function_call_arguments.delta", "output_index": index, "delta": text })
}

fn end(output: Value) -> Value {
    json!({ "type": "response.completed", "response": { "id": "resp_1", "output": output } })
}

fn incomplete() -> Value {
    json!({ "type": "response.incomplete",
        "response": { "incomplete_details": { "reason": "max_output_tokens" } } })
}

#[test]
fn what_contradicts_itself_is_refused() {
    let whole = |event: &str, member: &str, text: &str| json!({ "type": event, "output_index": 0, member: text });
    let refusal = || json!({ "type": "response.refusal.delta", "output_index": 0, "delta": "No." });
    let renamed = json!({ "type": "function_call", "call_id": "a", "name": "bash", "arguments": "" });
    for (events, problem) in [
        (vec![words(0, "x")], "item 0 was not announced"),
        (vec![fragment(3, "{")], "item 3 was not announced"),
        (
            vec![json!({ "type": "response.output_text.delta", "item_id": "msg_1", "delta": "x" })],
            "an event for an item that was not announced",
        ),
        (
            vec![added(0, message(&[])), words(0, "x"), added(0, message(&[]))],
            "item 0 was announced twice",
        ),
        (
            vec![added(0, message(&[])), added(0, call("a", ""))],
            "item 0 was announced twice",
        ),
        (vec![added(PARTS_MAX, message(&[]))], "item 256: more than 256 items"),
        (vec![added(0, json!({}))], "an item without a type"),
        (vec![added(0, call("", ""))], "a call without an id that can be used"),
        (
            vec![added(0, call("two words", ""))],
            "a call without an id that can be used",
        ),
        (
            vec![added(0, json!({ "type": "function_call", "call_id": "a" }))],
            "a call without a name",
        ),
        (
            vec![added(0, call("a", "")), added(1, call("a", ""))],
            "two calls with the same id",
        ),
        (
            vec![added(0, call("a", "")), words(0, "x")],
            "words for an item that is no message",
        ),
        (
            vec![added(0, message(&[])), fragment(0, "{")],
            "arguments for an item that is no call",
        ),
        (
            vec![added(0, message(&[])), words(0, "x"), refusal()],
            "a message refuses and speaks in one part",
        ),
        (
            vec![done(0, message(&["x"])), words(0, "y")],
            "an event for an item that has ended",
        ),
        (
            vec![done(0, message(&["x"])), done(0, message(&["x"]))],
            "an event for an item that has ended",
        ),
        (
            vec![added(0, message(&[])), done(0, call("a", ""))],
            "an item changed its type",
        ),
        (
            vec![added(0, call("a", "")), done(0, renamed)],
            "a call changed its name",
        ),
        (
            vec![
                added(0, message(&[])),
                words(0, "x"),
                whole("response.output_text.done", "text", "y"),
            ],
            "the whole words are not those that came in pieces",
        ),
        (
            vec![added(0, message(&[])), words(0, "x"), done(0, message(&["xy"]))],
            "the whole words are not those that came in pieces",
        ),
        (
            vec![added(0, message(&[])), words(0, "x"), done(0, message(&[]))],
            "words disappeared from a message",
        ),
        (
            vec![
                added(0, call("a", "")),
                fragment(0, "{}"),
                whole("response.function_call_arguments.done", "arguments", "{\"path\":\".\"}"),
            ],
            "the whole arguments are not those that came in pieces",
        ),
        (
            vec![
                added(0, call("a", "")),
                fragment(0, "{\"path\":\".\"}"),
                done(0, call("a", "{}")),
            ],
            "the whole arguments are not those that came in pieces",
        ),
        (
            vec![done(0, message(&["x"])), end(json!([message(&["y"])]))],
            "the whole words are not those that came in pieces",
        ),
        (
            vec![done(0, call("a", "{}")), end(json!([call("a", "[]")]))],
            "the whole arguments are not those that came in pieces",
        ),
        (
            vec![
                done(0, message(&["x"])),
                done(1, call("a", "{}")),
                end(json!([message(&["x"])])),
            ],
            "item 1 disappeared from the response",
        ),
        (
            vec![done(0, json!({ "type": "reasoning" })), end(json!([message(&["x"])]))],
            "an item changed its type",
        ),
        (
            vec![added(0, message(&[])), words(0, "x"), end(json!([]))],
            "the response was completed within item 0",
        ),
        (
            vec![json!({ "type": "response.completed", "response": { "id": "resp_2" } })],
            "another response ended than the one that started",
        ),
    ] {
        let refused = after_start(&events);
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{problem}: {refused:?}"
        );
    }
}

#[test]
fn arguments_may_be_written_anew_as_long_as_they_say_the_same() -> TestResult {
    let events = [
        added(0, call("a", "")),
        fragment(0, "{\"path\": \".\"}"),
        done(0, call("a", "{\"path\":\".\"}")),
        end(json!([call("another id", "{ \"path\" : \".\" }")])),
    ];
    let [Part::Call(call)] = &after_start(&events)?.parts[..] else {
        return Err("a call".into());
    };
    assert_eq!(
        (call.id().as_str(), call.arguments().as_bytes()),
        ("a", &b"{\"path\":\".\"}"[..])
    );
    Ok(())
}

#[test]
fn call_that_is_cut_off_is_not_made() -> TestResult {
    let marked = json!({ "type": "function_call", "call_id": "a", "name": "list", "arguments": "{}",
        "status": "incomplete" });
    for (events, end) in [
        (
            vec![added(0, call("a", "")), fragment(0, "{}"), incomplete()],
            End::Length,
        ),
        (vec![done(0, call("a", "")), incomplete()], End::Length),
        (vec![done(0, marked.clone()), incomplete()], End::Length),
        (vec![done(0, marked.clone()), self::end(json!([]))], End::Calls),
        (vec![done(0, call("a", "{}")), self::end(json!([marked]))], End::Calls),
    ] {
        let reply = after_start(&events)?;
        let [Part::Malformed(call)] = &reply.parts[..] else {
            return Err(format!("{events:?}: {reply:?}").into());
        };
        assert_eq!((call.problem.as_str(), reply.end), (CUT_OFF, end));
    }
    let reply = after_start(&[done(0, call("a", "{}")), incomplete()])?;
    assert!(matches!(&reply.parts[..], [Part::Call(_)]) && reply.end == End::Length);
    Ok(())
}

#[test]
fn nothing_counts_before_the_response_starts() {
    for event in [
        added(0, message(&[])),
        words(0, "x"),
        done(0, message(&["x"])),
        end(json!([message(&["x"])])),
    ] {
        let refused = Decoder::default().event("", &event.to_string());
        assert!(matches!(refused, Err(ModelError::Protocol { .. })), "{event}");
    }
    assert!(matches!(
        Decoder::default().finish(),
        Err(ModelError::Http(HttpError::Cut { .. }))
    ));
}

#[test]
fn nothing_counts_after_the_response_ended() -> TestResult {
    let another = json!({ "type": "response.created", "response": { "id": "resp_2" } });
    let error = json!({ "type": "error", "message": "too late" });
    let reply = after_start(&[done(0, message(&["x"])), end(json!([])), another, words(9, "y"), error])?;
    assert_eq!((reply.parts, reply.end), (vec![Part::Text("x".to_owned())], End::Done));
    Ok(())
}

#[test]
fn answer_is_bounded() -> TestResult {
    let calls = |count: usize| -> Vec<Value> {
        let calls = (0..count).map(|index| done(index, call(&format!("call_{index}"), "{}")));
        calls.chain([end(json!([]))]).collect()
    };
    assert_eq!(after_start(&calls(CALLS_MAX))?.parts.len(), CALLS_MAX);
    let refused = after_start(&calls(CALLS_MAX + 1));
    assert!(matches!(refused, Err(ModelError::Protocol { problem }) if problem == "more than 64 calls"));
    let far = json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 256, "delta": "x" });
    assert!(after_start(&[added(0, message(&[])), far]).is_err());

    let long = "x".repeat(1 << 20);
    for (start, grown) in [
        (added(0, message(&[])), words(0, &long)),
        (added(0, call("a", "")), fragment(0, &long)),
    ] {
        let refused = after_start(&[&[start][..], &vec![grown; 4]].concat());
        let problem = "the answer is longer than 4194304 bytes";
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{refused:?}"
        );
    }
    let large = long.repeat(5);
    for item in [
        message(&[&large]),
        call("a", &large),
        json!({ "type": "hologram", "frames": large }),
    ] {
        assert!(after_start(&[done(0, item.clone())]).is_err());
        assert!(after_start(&[end(json!([item]))]).is_err());
    }
    Ok(())
}

#[test]
fn response_starts_over_a_few_times_only() -> TestResult {
    let mut decoder = Decoder::default();
    let start = |id: &str| json!({ "type": "response.created", "response": { "id": id } }).to_string();
    for id in 0..=RESTARTS_MAX {
        let shown = decoder.event("", &start(&id.to_string()))?;
        assert_eq!(shown.len(), usize::from(id > 0));
    }
    assert!(decoder.event("", &start("one more")).is_err());
    Ok(())
}

/// Events of any kind in any order, more often right than chance would have it.
fn any_event() -> impl Strategy<Value = (String, String)> {
    let scalar = prop_oneof![
        Just(json!(null)),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        Just(json!("12")),
        Just(json!({})),
    ];
    let item = prop_oneof![
        Just(message(&[])),
        Just(message(&["w\u{e4}", "x"])),
        Just(
            json!({ "type": "message", "phase": "final_answer", "content": [{ "type": "refusal", "refusal": "no" }] })
        ),
        Just(call("a", "{}")),
        Just(call("b", "{\"path\"")),
        Just(json!({ "type": "function_call", "call_id": "c", "name": "two words", "status": "incomplete" })),
        Just(json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "s" })),
        scalar.clone(),
    ];
    let kind = prop_oneof![
        Just("response.output_text.delta"),
        Just("response.output_text.done"),
        Just("response.refusal.delta"),
        Just("response.refusal.done"),
        Just("response.function_call_arguments.delta"),
        Just("response.function_call_arguments.done"),
    ];
    let index = prop_oneof![4 => (0_usize..3).prop_map(|index| json!(index)), 1 => scalar.clone()];
    let text = prop_oneof![Just("w\u{e4}"), Just("x"), Just("{}"), Just("{\"path\""), Just("")];
    let reason = prop_oneof![Just("max_output_tokens"), Just("content_filter"), Just("new")];
    let event = prop_oneof![
        1 => "[ab]".prop_map(|id| json!({ "type": "response.created", "response": { "id": id } })),
        4 => (index.clone(), item.clone(), any::<bool>()).prop_map(|(index, item, is_done)| {
            let kind = if is_done { "done" } else { "added" };
            json!({ "type": format!("response.output_item.{kind}"), "output_index": index, "item": item })
        }),
        4 => (kind, index, text)
            .prop_map(|(kind, index, text)| json!({ "type": kind, "output_index": index, "delta": text })),
        1 => (prop::collection::vec(item, 0..3), scalar.clone()).prop_map(|(output, usage)| {
            json!({ "type": "response.completed", "response": { "output": output, "usage": { "input_tokens": usage } } })
        }),
        1 => reason.prop_map(|reason| {
            json!({ "type": "response.incomplete", "response": { "incomplete_details": { "reason": reason } } })
        }),
        1 => scalar,
    ];
    prop_oneof![
        9 => event.prop_map(|event| (event["type"].as_str().unwrap_or("ping").to_owned(), event.to_string())),
        1 => ("(response.created|response.output_text.delta|error||x)", ".{0,40}"),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_answer(stream in any::<prop::sample::Index>(), cuts in prop::collection::vec(0_usize..9000, 0..40)) {
        let streams = recorded("responses").map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = &stream.get(&streams).1;
        let cut = play(Decoder::default(), pieces(bytes, cuts));
        prop_assert_eq!(told(cut), told(play(Decoder::default(), vec![bytes.clone()])));
    }

    #[test]
    fn no_events_make_it_panic(events in prop::collection::vec(any_event(), 0..24)) {
        let mut decoder = Decoder::default();
        decoder.event("", r#"{"type":"response.created","response":{}}"#).map_err(|error| TestCaseError::fail(error.to_string()))?;
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
        }
    }
}
