//! Recorded streams and what they come to, each in a file of its own, and questions over a connection.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use countersign_schemas::body::Tokens;
use countersign_schemas::number::Count;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::reply::Reply;
use crate::model::choice::Remote;
use crate::model::http::retry::RetryPolicy;
use crate::model::http::test_server::{Reply as Answering, TestServer, answer};
use crate::model::http::{ApiKey, Endpoint, EventStream, HttpError, KeyHeader, PlainHttp};
use crate::model::streamed::{Decode, decode};
use crate::model::{
    CallId, CallResult, MalformedCall, Message, Model, ModelAnswer, ModelError, ModelEvent, ModelRequest, Opaque, Part,
    System, ToolCall,
};
use crate::tool::ToolSpec;
use countersign_schemas::body::FinishOutcome;
use countersign_schemas::text::Name;

pub(super) type TestResult = Result<(), Box<dyn Error>>;

/// Pauses nobody notices, and few of them.
pub(super) const HASTY: RetryPolicy = RetryPolicy {
    base: Duration::from_millis(1),
    attempts_max: 3,
    ..RetryPolicy::STANDARD
};

/// Longest stream that is ended at each of its bytes: what that costs grows with the square of it.
const EVERYWHERE_LEN_MAX: usize = 2500;

fn fixtures(api: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/model/openai", api, "fixtures"]
        .iter()
        .collect()
}

/// The recorded streams of `api`, by name.
pub(super) fn recorded(api: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut streams = Vec::new();
    for entry in fs::read_dir(fixtures(api))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sse") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            streams.push((name, fs::read(path)?));
        }
    }
    streams.sort();
    Ok(streams)
}

/// One recorded stream as the answer of a server.
pub(super) fn stream(api: &str, name: &str) -> io::Result<Answering> {
    let bytes = fs::read(fixtures(api).join(format!("{name}.sse")))?;
    Ok(answer("200 OK", "content-type: text/event-stream\r\n", bytes))
}

/// What comes of a stream whose bytes come in these pieces, and what was shown meanwhile.
pub(super) type Played = (Result<Reply, ModelError>, Vec<ModelEvent>);

pub(super) fn play(decoder: impl Decode<Reply = Reply>, pieces: Vec<Vec<u8>>) -> Played {
    let shown = Mutex::new(Vec::new());
    let show = |event| shown.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    let mut stream = EventStream::replay(pieces);
    let result = decode(decoder, &mut stream, &show).now_or_never();
    let result = result.expect("a recorded stream makes nobody wait");
    (result, shown.into_inner().unwrap_or_default())
}

/// Everything that can be told from outside, as JSON.
pub(super) fn told((result, shown): Played) -> Value {
    let shown: Vec<Value> = shown.iter().map(shown_json).collect();
    let answer = match result {
        Ok(reply) => reply.into_answer(Vec::new()),
        Err(error) => return json!({ "error": error.to_string(), "shown": shown }),
    };
    let problems: Vec<&str> = answer.attempts.iter().map(|attempt| attempt.problem.as_str()).collect();
    json!({
        "parts": answer.parts.iter().map(part_json).collect::<Vec<_>>(),
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

/// Every recorded stream of `api` comes to what is written beside it.
pub(super) fn check_recorded<D: Decode<Reply = Reply>>(api: &str, decoder: impl Fn() -> D) -> TestResult {
    let streams = recorded(api)?;
    assert!(streams.len() >= 14);
    for (name, bytes) in streams {
        let expected: Value = serde_json::from_slice(&fs::read(fixtures(api).join(format!("{name}.json")))?)?;
        let found = told(play(decoder(), vec![bytes]));
        assert_eq!(found, expected, "{name}: {found:#}");
    }
    Ok(())
}

/// No stream of `api` that ends too early is an answer. One that ends so late that `is_acceptable` has the same parts.
pub(super) fn check_cuts<D: Decode<Reply = Reply>>(
    api: &str,
    decoder: impl Fn() -> D,
    is_acceptable: impl Fn(&str) -> bool,
) -> TestResult {
    for (name, bytes) in recorded(api)? {
        let whole = told(play(decoder(), vec![bytes.clone()]));
        for end in ends(&bytes) {
            let played = play(decoder(), vec![bytes[..end].to_vec()]);
            let rest = String::from_utf8_lossy(&bytes[end..]).into_owned();
            match &played.0 {
                // Nothing but the line end after the last event was missing.
                Ok(_) if rest.trim().is_empty() => assert_eq!(told(played), whole, "{name} up to {end}"),
                Ok(_) if is_acceptable(&rest) => {
                    assert_eq!(told(played)["parts"], whole["parts"], "{name} up to {end}");
                }
                Err(ModelError::Http(
                    HttpError::Cut { .. } | HttpError::Reported { .. } | HttpError::Status { .. },
                ))
                | Err(ModelError::Protocol { .. }) => {}
                other => return Err(format!("{name} up to {end}: {other:?}").into()),
            }
        }
    }
    Ok(())
}

/// Where to end a stream too early: everywhere, or, in a long one, around every line end and at some places between.
fn ends(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let is_near_line_end = |end: usize| bytes[end.saturating_sub(2)..bytes.len().min(end + 2)].contains(&b'\n');
    (0..bytes.len()).filter(move |&end| bytes.len() < EVERYWHERE_LEN_MAX || end % 8 == 0 || is_near_line_end(end))
}

/// `bytes` cut at these places.
pub(super) fn pieces(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<Vec<u8>> {
    cuts.retain(|cut| *cut < bytes.len());
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect()
}

/// The reply to events without names.
pub(super) fn reply_to(mut decoder: impl Decode<Reply = Reply>, events: &[Value]) -> Result<Reply, ModelError> {
    for event in events {
        decoder.event("", &event.to_string())?;
    }
    decoder.finish()
}

/// A model at `server`, with a key.
pub(super) fn remote(server: &TestServer) -> Result<Remote, Box<dyn Error>> {
    let key = ApiKey::new(Zeroizing::new("sk-test".to_owned()))?;
    Ok(Remote {
        provider: Name::new("openai")?,
        model: Name::new("gpt-6.2-sol")?,
        endpoint: Endpoint::new(server.url()).with_key(KeyHeader::Bearer, key, PlainHttp::Refused)?,
    })
}

pub(super) fn request<'a>(tools: &'a [&'static ToolSpec], messages: &'a [Message]) -> ModelRequest<'a> {
    ModelRequest {
        agent: "lead",
        system: System::fixed("Be brief."),
        tools,
        messages,
        output_tokens_max: 8192,
        provider_advisor: None,
    }
}

pub(super) fn user(text: &str) -> Message {
    Message::User { text: text.to_owned() }
}

pub(super) fn sealed(format: &'static str, block: &str) -> Part {
    Part::Opaque(Opaque {
        format,
        block: block.to_owned(),
    })
}

pub(super) fn id(text: &str) -> Result<CallId, Box<dyn Error>> {
    CallId::new(text).ok_or_else(|| "an id".into())
}

pub(super) fn malformed(id: CallId, tool: &str, raw: &str) -> Part {
    Part::Malformed(MalformedCall {
        id,
        tool: tool.to_owned(),
        raw: raw.to_owned(),
        problem: "no".to_owned(),
    })
}

pub(super) fn result(id: CallId, outcome: FinishOutcome, content: &str) -> CallResult {
    CallResult {
        id,
        tool: "read".to_owned(),
        outcome,
        content: content.to_owned(),
    }
}

/// Asks `model`, and tells what was shown meanwhile.
pub(super) async fn ask(
    model: &dyn Model,
    request: &ModelRequest<'_>,
) -> (Result<ModelAnswer, ModelError>, Vec<ModelEvent>) {
    let shown = Mutex::new(Vec::new());
    let sink = |event| shown.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    let result = model.answer(request, &sink).await;
    (result, shown.into_inner().unwrap_or_default())
}

fn any_part() -> impl Strategy<Value = Part> {
    let call = ("[a-z.]{1,6}", "[a-z]{1,3}", ".{0,9}").prop_filter_map("a call", |(id, name, text)| {
        let arguments = json!({ name: text, "n": 1 }).as_object().cloned().unwrap_or_default();
        ToolCall::new(CallId::new(id)?, "read", arguments, None)
            .ok()
            .map(Part::Call)
    });
    prop_oneof![
        ".{0,12}".prop_map(Part::Text),
        call,
        ("[a-z]{1,6}", ".{0,5}", ".{0,9}").prop_filter_map("a call", |(id, tool, raw)| Some(malformed(
            CallId::new(id)?,
            &tool,
            &raw
        ))),
        ("reasoning|message|other", any::<bool>()).prop_map(|(kind, is_ours)| {
            let format = if is_ours { "openai" } else { "anthropic" };
            sealed(format, &json!({ "type": kind, "phase": "commentary" }).to_string())
        }),
    ]
}

/// A step of a conversation, of any kind.
pub(super) fn any_message() -> impl Strategy<Value = Message> {
    let result = ("[a-z.]{1,6}", ".{0,9}", any::<bool>()).prop_filter_map("an id", |(id, content, ok)| {
        let outcome = if ok { FinishOutcome::Ok } else { FinishOutcome::Timeout };
        Some(result(CallId::new(id)?, outcome, &content))
    });
    prop_oneof![
        ".{0,20}".prop_map(|text| Message::User { text }),
        prop::collection::vec(any_part(), 0..5).prop_map(Message::Assistant),
        prop::collection::vec(result, 0..4).prop_map(Message::Results),
    ]
}

/// Whether `earlier`, up to the brackets that close it, begins `later`, and both are JSON.
pub(super) fn is_prefix(earlier: &[u8], later: &[u8]) -> bool {
    let is_json = |body| serde_json::from_slice::<Value>(body).is_ok();
    let open = earlier.strip_suffix(b"]}").unwrap_or(b"not closed");
    is_json(earlier) && is_json(later) && later.starts_with(open)
}
