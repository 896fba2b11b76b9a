//! Recorded streams and what they come to, each in a file of its own; and what holds for every stream.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use countersign_schemas::body::Tokens;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::bounds::ANSWER_LEN_BYTES_MAX;
use crate::model::http::EventStream;
use crate::model::streamed::decode;
use crate::model::{AdviceContent, Part};

type TestResult = Result<(), Box<dyn Error>>;

fn fixtures() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/model/anthropic/fixtures"]
        .iter()
        .collect()
}

/// The recorded streams, by name.
fn recorded() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut streams = Vec::new();
    for entry in fs::read_dir(fixtures())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sse") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            streams.push((name, fs::read(path)?));
        }
    }
    streams.sort();
    Ok(streams)
}

/// What comes of a stream whose bytes come in these pieces, and what was shown meanwhile.
fn play(pieces: Vec<Vec<u8>>) -> (Result<Reply, ModelError>, Vec<ModelEvent>) {
    let shown = Mutex::new(Vec::new());
    let show = |event| shown.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    let mut stream = EventStream::replay(pieces);
    let result = decode(Decoder::default(), &mut stream, &show).now_or_never();
    let result = result.expect("a recorded stream makes nobody wait");
    (result, shown.into_inner().unwrap_or_default())
}

/// Everything that can be told from outside, as JSON.
fn told((result, shown): (Result<Reply, ModelError>, Vec<ModelEvent>)) -> Value {
    let shown: Vec<Value> = shown.iter().map(shown_json).collect();
    let answer = match result {
        Ok(reply) => reply.into_answer(Vec::new()),
        Err(error) => return json!({ "error": error.to_string(), "shown": shown }),
    };
    let advice = answer.advice.iter().map(|advice| {
        let content = match &advice.content {
            AdviceContent::Readable(text) => json!({ "readable": text }),
            AdviceContent::Opaque(bytes) => json!({ "opaque": String::from_utf8_lossy(bytes) }),
            AdviceContent::Failed(why) => json!({ "failed": why }),
        };
        let model = advice.model.as_ref().map(Name::as_str);
        json!({ "call": advice.call.to_json(), "model": model, "content": content, "usage": counts(&advice.usage) })
    });
    let problems: Vec<&str> = answer.attempts.iter().map(|attempt| attempt.problem.as_str()).collect();
    json!({
        "parts": answer.parts.iter().map(part_json).collect::<Vec<_>>(),
        "advice": advice.collect::<Vec<_>>(),
        "usage": counts(&answer.usage),
        "end": answer.end.as_str(),
        "attempts": problems,
        "shown": shown,
    })
}

fn part_json(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "text": text }),
        Part::Call(call) => json!({ "call": call.to_json() }),
        Part::Malformed(call) => json!({ "malformed": call.to_json() }),
        Part::Opaque(opaque) => json!({ opaque.format: opaque.block }),
    }
}

fn shown_json(event: &ModelEvent) -> Value {
    match event {
        ModelEvent::Text(text) => text.as_str().into(),
        ModelEvent::Call(call) => json!({ "call": call.id().as_str() }),
        other => format!("{other:?}").into(),
    }
}

fn counts(tokens: &Tokens) -> [u64; 4] {
    [tokens.input, tokens.output, tokens.cache_write, tokens.cache_read].map(Count::get)
}

#[test]
fn recorded_streams_come_to_what_is_written_beside_them() -> TestResult {
    let streams = recorded()?;
    assert!(streams.len() >= 17);
    for (name, bytes) in streams {
        let expected: Value = serde_json::from_slice(&fs::read(fixtures().join(format!("{name}.json")))?)?;
        let found = told(play(vec![bytes]));
        assert_eq!(found, expected, "{name}: {found:#}");
    }
    Ok(())
}

#[test]
fn stream_that_ends_anywhere_too_early_is_no_answer() -> TestResult {
    for (name, bytes) in recorded()? {
        let whole = told(play(vec![bytes.clone()]));
        for end in 0..bytes.len() {
            match play(vec![bytes[..end].to_vec()]) {
                // Nothing but the line end after the last event was missing.
                complete @ (Ok(_), _) => assert_eq!(told(complete), whole, "{name} up to {end}"),
                (Err(ModelError::Http(HttpError::Cut { .. } | HttpError::Reported { .. })), _) => {}
                (Err(ModelError::Protocol { .. }), _) => {}
                (Err(error), _) => return Err(format!("{name} up to {end}: {error}").into()),
            }
        }
        let before_its_end = String::from_utf8(bytes)?.replace("message_stop", "message_halt");
        assert!(play(vec![before_its_end.into()]).0.is_err(), "{name}");
    }
    Ok(())
}

#[test]
fn pauses_are_one_answer() -> TestResult {
    let read = |name: &str| fs::read(fixtures().join(name));
    let (paused, _) = play(vec![read("paused.sse")?]);
    let (resumed, _) = play(vec![read("resumed.sse")?]);
    let answer = paused?.followed_by(resumed?).into_answer(Vec::new());
    assert_eq!(answer.text(), "I ask first.So I do.");
    assert_eq!((counts(&answer.usage), answer.end.as_str()), ([220, 17, 0, 0], "done"));
    let [advice] = answer.advice.as_slice() else {
        return Err("one consultation".into());
    };
    assert_eq!(advice.content, AdviceContent::Readable("Keep it small.".to_owned()));
    assert_eq!(counts(&advice.usage), [90, 30, 0, 0]);
    Ok(())
}

/// What comes of these events, after a proper start.
fn after_start(events: &[Value]) -> Result<Reply, ModelError> {
    let mut decoder = Decoder::default();
    let start = json!({ "type": "message_start", "message": { "id": "msg_1" } });
    for event in std::iter::once(&start).chain(events) {
        decoder.event(event["type"].as_str().unwrap_or_default(), &event.to_string())?;
    }
    decoder.finish()
}

fn block(index: usize, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn text(index: usize) -> Value {
    block(index, json!({ "type": "text", "text": "" }))
}

fn call(index: usize, id: &str) -> Value {
    block(
        index,
        json!({ "type": "tool_use", "id": id, "name": "list", "input": {} }),
    )
}

fn delta(index: usize, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn words(index: usize) -> Value {
    delta(index, json!({ "type": "text_delta", "text": "x" }))
}

fn stop(index: usize) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({ "type": "message_delta", "delta": { "stop_reason": reason } }),
        json!({ "type": "message_stop" }),
    ]
}

#[test]
fn what_contradicts_itself_is_refused() {
    let [done, halt] = end("end_turn");
    let fragment = |index| delta(index, json!({ "type": "input_json_delta", "partial_json": "{" }));
    let sealed = || {
        block(
            0,
            json!({ "type": "server_tool_use", "id": "s", "name": "advisor", "input": {} }),
        )
    };
    let result = |id: &str| {
        block(
            0,
            json!({ "type": "advisor_tool_result", "tool_use_id": id, "content": {} }),
        )
    };
    for (events, problem) in [
        (vec![words(0)], "block 0 has not started"),
        (vec![stop(3)], "block 3 has not started"),
        (vec![text(0), stop(0), words(0)], "a delta for a block that has stopped"),
        (vec![text(0), stop(0), stop(0)], "a block stopped twice"),
        (vec![text(0), words(0), text(0)], "block 0 started twice"),
        (vec![text(0), stop(0), text(0)], "block 0 started twice"),
        (vec![text(0), call(0, "a")], "block 0 started twice"),
        (vec![text(PARTS_MAX)], "block 256: more than 256 blocks"),
        (vec![block(0, json!({}))], "a block without a type"),
        (vec![call(0, "")], "a call without an id that can be used"),
        (vec![call(0, "two words")], "a call without an id that can be used"),
        (
            vec![block(0, json!({ "type": "tool_use", "id": "a" }))],
            "a call without a name",
        ),
        (vec![call(0, "a"), call(1, "a")], "two calls with the same id"),
        (vec![text(0), fragment(0)], "a delta that does not fit its block"),
        (vec![call(0, "a"), words(0)], "a delta that does not fit its block"),
        (
            vec![
                text(0),
                delta(0, json!({ "type": "signature_delta", "signature": "x" })),
            ],
            "a delta that does not fit its block",
        ),
        (
            vec![sealed(), fragment(0), stop(0)],
            "the input of a provider's tool: EOF while parsing an object at line 1 column 1",
        ),
        (
            vec![result("two words"), stop(0), done.clone(), halt.clone()],
            "a call without an id that can be used",
        ),
        (vec![halt.clone()], "the message stopped without a reason"),
        (
            vec![text(0), done.clone(), halt.clone()],
            "the message stopped within a block",
        ),
        (
            end("tool_use").to_vec(),
            "it waits for the results of calls, but made none",
        ),
        (
            vec![call(0, "a"), stop(0), end("pause_turn")[0].clone(), halt.clone()],
            "it paused over calls that wait for their results",
        ),
        (end("\u{1b}new").to_vec(), "stop reason \"\\\\u{1b}new\" is not known"),
        (
            vec![json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": -1 } })],
            "usage.output_tokens is no count",
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
fn nothing_counts_before_the_message_starts() {
    for event in [
        text(0),
        words(0),
        stop(0),
        end("end_turn")[0].clone(),
        end("end_turn")[1].clone(),
    ] {
        let name = event["type"].as_str().unwrap_or_default();
        let refused = Decoder::default().event(name, &event.to_string());
        assert!(matches!(refused, Err(ModelError::Protocol { .. })), "{event}");
    }
    let pinged = Decoder::default().event("ping", "{}");
    assert!(matches!(pinged.as_deref(), Ok([])));
    assert!(matches!(
        Decoder::default().finish(),
        Err(ModelError::Http(HttpError::Cut { .. }))
    ));
}

#[test]
fn nothing_counts_after_the_message_stopped() -> TestResult {
    let mut decoder = Decoder::default();
    let start = json!({ "type": "message_start", "message": { "id": "msg_1" } });
    let another = json!({ "type": "message_start", "message": { "id": "msg_2" } });
    for event in [&[start][..], &end("end_turn"), &[another, words(9)]].concat() {
        decoder.event("", &event.to_string())?;
    }
    assert!(decoder.is_stopped());
    assert_eq!(decoder.finish()?.parts, []);
    Ok(())
}

#[test]
fn message_is_bounded() -> TestResult {
    let calls = |count: usize| -> Vec<Value> {
        let calls = (0..count).flat_map(|index| [call(index, &format!("call_{index}")), stop(index)]);
        calls.chain(end("tool_use")).collect()
    };
    assert_eq!(after_start(&calls(CALLS_MAX))?.parts.len(), CALLS_MAX);
    let refused = after_start(&calls(CALLS_MAX + 1));
    assert!(matches!(refused, Err(ModelError::Protocol { problem }) if problem == "more than 64 calls"));

    let long = |kind: &str, member: &str| delta(0, json!({ "type": kind, member: "x".repeat(1 << 20) }));
    for (start, grown) in [
        (text(0), long("text_delta", "text")),
        (call(0, "a"), long("input_json_delta", "partial_json")),
        (
            block(0, json!({ "type": "thinking", "thinking": "" })),
            long("thinking_delta", "thinking"),
        ),
        (
            block(0, json!({ "type": "thinking", "thinking": "" })),
            long("signature_delta", "signature"),
        ),
    ] {
        let events = [&[start][..], &vec![grown; 4]].concat();
        let refused = after_start(&events);
        let problem = "the answer is longer than 4194304 bytes";
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{refused:?}"
        );
    }
    let large = block(
        0,
        json!({ "type": "hologram", "frames": "x".repeat(ANSWER_LEN_BYTES_MAX) }),
    );
    assert!(after_start(&[large]).is_err());
    Ok(())
}

#[test]
fn message_starts_over_a_few_times_only() -> TestResult {
    let mut decoder = Decoder::default();
    for id in 0..=RESTARTS_MAX {
        let start = json!({ "type": "message_start", "message": { "id": id.to_string() } });
        let shown = decoder.event("message_start", &start.to_string())?;
        assert_eq!(shown.len(), usize::from(id > 0));
    }
    let start = json!({ "type": "message_start", "message": { "id": "one more" } });
    assert!(decoder.event("message_start", &start.to_string()).is_err());
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
        Just(json!([{"type": "advisor_message", "model": "m", "input_tokens": 3}])),
        Just(json!({})),
    ];
    let content = prop_oneof![
        Just(json!({"type": "text", "text": ""})),
        Just(json!({"type": "tool_use", "id": "a", "name": "list", "input": {}})),
        Just(json!({"type": "tool_use", "id": "b", "name": "two words", "input": {"path": 1.5}})),
        Just(json!({"type": "thinking", "thinking": 7})),
        Just(json!({"type": "server_tool_use", "id": "s", "name": "advisor", "input": {}})),
        Just(
            json!({"type": "advisor_tool_result", "tool_use_id": "s", "content": {"type": "advisor_result", "text": "t"}})
        ),
        Just(json!({"type": "advisor_tool_result", "tool_use_id": 7, "content": []})),
        scalar.clone(),
    ];
    let delta = prop_oneof![
        Just(json!({"type": "text_delta", "text": "w\u{e4}"})),
        Just(json!({"type": "input_json_delta", "partial_json": "{\"path\""})),
        Just(json!({"type": "input_json_delta", "partial_json": ":\".\"}"})),
        Just(json!({"type": "thinking_delta", "thinking": "hm"})),
        Just(json!({"type": "signature_delta", "signature": "s"})),
        scalar.clone(),
    ];
    let reason = prop_oneof![
        Just(json!("end_turn")),
        Just(json!("tool_use")),
        Just(json!("max_tokens")),
        Just(json!("refusal")),
        Just(json!("pause_turn")),
        Just(json!(null)),
        Just(json!("new")),
    ];
    let index = 0_usize..3;
    let event = prop_oneof![
        ("[ab]", scalar.clone())
            .prop_map(|(id, usage)| json!({"type": "message_start", "message": {"id": id, "usage": {"output_tokens": usage}}})),
        (index.clone(), content)
            .prop_map(|(index, content)| json!({"type": "content_block_start", "index": index, "content_block": content})),
        (index.clone(), delta).prop_map(|(index, delta)| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        index.prop_map(|index| json!({"type": "content_block_stop", "index": index})),
        (reason, scalar.clone())
            .prop_map(|(reason, usage)| json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"iterations": usage}})),
        Just(json!({"type": "message_stop"})),
        scalar,
    ];
    prop_oneof![
        9 => event.prop_map(|event| (event["type"].as_str().unwrap_or("ping").to_owned(), event.to_string())),
        1 => ("(message_start|content_block_delta|error||x)", ".{0,40}"),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_answer(stream in any::<prop::sample::Index>(), mut cuts in prop::collection::vec(0_usize..6000, 0..40)) {
        let streams = recorded().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bytes = &stream.get(&streams).1;
        cuts.retain(|cut| *cut < bytes.len());
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect();
        prop_assert_eq!(told(play(pieces)), told(play(vec![bytes.clone()])));
    }

    #[test]
    fn no_events_make_it_panic(events in prop::collection::vec(any_event(), 0..24)) {
        let mut decoder = Decoder::default();
        for (name, data) in events {
            if decoder.event(&name, &data).is_err() {
                return Ok(());
            }
        }
        if let Ok(reply) = decoder.finish() {
            let stop = reply.stop;
            let answer = reply.into_answer(Vec::new());
            let is_call = |part: &Part| matches!(part, Part::Call(_) | Part::Malformed(_));
            prop_assert_eq!(stop == Stop::Calls, answer.end.as_str() == "calls");
            prop_assert!(stop != Stop::Calls || answer.parts.iter().any(is_call));
            prop_assert!(stop != Stop::Refused || answer.calls().next().is_none());
        }
    }
}
