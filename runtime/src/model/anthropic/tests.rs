//! The whole way over a connection, with what goes wrong on it.

use std::error::Error;
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde_json::Value;
use zeroize::Zeroizing;

use super::*;
use crate::model::http::test_server::{Reply as Answering, TestServer, answer, end, events, until_closed};
use crate::model::http::{ApiKey, HttpError, KeyHeader, PlainHttp};
use crate::model::{End, Message, System};

type TestResult = Result<(), Box<dyn Error>>;

/// Pauses nobody notices, and few of them.
const HASTY: RetryPolicy = RetryPolicy {
    base: Duration::from_millis(1),
    attempts_max: 3,
    ..RetryPolicy::STANDARD
};

fn model(server: &TestServer) -> Result<AnthropicModel, Box<dyn Error>> {
    let key = ApiKey::new(Zeroizing::new("sk-ant-test".to_owned()))?;
    let endpoint = Endpoint::new(server.url()).with_key(KeyHeader::XApiKey, key, PlainHttp::Refused)?;
    let remote = Remote {
        provider: Name::new("anthropic")?,
        model: Name::new("claude-opus-5")?,
        endpoint,
    };
    Ok(AnthropicModel {
        retries: HASTY,
        ..AnthropicModel::new(remote)
    })
}

fn request<'a>(messages: &'a [Message], provider_advisor: Option<&'a str>) -> ModelRequest<'a> {
    ModelRequest {
        agent: "lead",
        system: System::fixed("Be brief."),
        tools: &[],
        messages,
        output_tokens_max: 100,
        provider_advisor,
    }
}

fn hello() -> [Message; 1] {
    [Message::User {
        text: "Hello.".to_owned(),
    }]
}

fn recorded(name: &str) -> io::Result<Vec<u8>> {
    fs::read(format!(
        "{}/src/model/anthropic/fixtures/{name}.sse",
        env!("CARGO_MANIFEST_DIR")
    ))
}

/// An answer that is one of the recorded streams.
fn stream(name: &str) -> io::Result<Answering> {
    Ok(answer("200 OK", "content-type: text/event-stream\r\n", recorded(name)?))
}

fn hang_up(_: &mut TcpStream) -> io::Result<()> {
    Ok(())
}

fn overloaded() -> Answering {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    answer("529 Overloaded", "content-type: application/json\r\n", error)
}

/// Asks, and tells what was shown meanwhile.
async fn ask(model: &AnthropicModel, request: &ModelRequest<'_>) -> (Result<ModelAnswer, ModelError>, Vec<ModelEvent>) {
    let shown = Mutex::new(Vec::new());
    let sink = |event| {
        shown
            .lock()
            .iter_mut()
            .for_each(|shown| shown.push(ModelEvent::clone(&event)))
    };
    let result = model.answer(request, &sink).await;
    (result, shown.into_inner().unwrap_or_default())
}

#[tokio::test]
async fn question_goes_out_with_key_version_and_only_the_betas_it_needs() -> TestResult {
    let server = TestServer::start(vec![stream("text")?, stream("text")?])?;
    let (model, messages) = (model(&server)?, hello());
    for (advisor, beta) in [
        (None, &[][..]),
        (Some("claude-opus-4-8"), &["advisor-tool-2026-03-01"][..]),
    ] {
        let (answer, shown) = ask(&model, &request(&messages, advisor)).await;
        assert_eq!(answer?.text(), "Hello! Gr\u{fc}\u{df}e, \u{1f980}.");
        assert_eq!(shown.last(), Some(&ModelEvent::Ended(End::Done)));
        let sent = server.request()?;
        assert!(sent.head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{}", sent.head);
        assert_eq!(sent.header("x-api-key"), ["sk-ant-test"]);
        assert_eq!(sent.header("anthropic-version"), ["2023-06-01"]);
        assert_eq!(sent.header("anthropic-beta"), beta);
        assert_eq!(
            sent.body,
            request::body("claude-opus-5", &request(&messages, advisor), &[])
        );
    }
    Ok(())
}

#[tokio::test]
async fn failed_attempts_are_recorded_and_what_they_showed_is_taken_back() -> TestResult {
    let half = recorded("calls")?;
    let half = half[..half.len() / 2].to_vec();
    let server = TestServer::start(vec![overloaded(), events(vec![half], hang_up), stream("text")?])?;
    let (answer, shown) = ask(&model(&server)?, &request(&hello(), None)).await;
    let answer = answer?;
    let problems: Vec<_> = answer.attempts.iter().map(|attempt| attempt.problem.as_str()).collect();
    assert_eq!(problems[0], "the server answers 529 overloaded_error: Overloaded");
    assert!(problems.len() == 2 && problems[1].starts_with("the connection ended before the answer did"));
    let restarts = shown
        .iter()
        .filter(|event| matches!(event, ModelEvent::Restarted { .. }));
    assert_eq!(restarts.count(), 2, "{shown:?}");
    assert_eq!(answer.text(), "Hello! Gr\u{fc}\u{df}e, \u{1f980}.");
    Ok(())
}

#[tokio::test]
async fn stream_that_ends_properly_but_too_early_is_tried_again() -> TestResult {
    let mut early = recorded("text")?;
    early.truncate(early.len() - 60);
    let server = TestServer::start(vec![events(vec![early], end), stream("overloaded")?, stream("calls")?])?;
    let (answer, _) = ask(&model(&server)?, &request(&hello(), None)).await;
    let answer = answer?;
    assert_eq!((answer.attempts.len(), answer.end), (2, End::Calls));
    Ok(())
}

#[tokio::test]
async fn it_gives_up_in_the_end_and_tells_every_attempt() -> TestResult {
    let server = TestServer::start(vec![overloaded(), overloaded(), overloaded()])?;
    let (refused, shown) = ask(&model(&server)?, &request(&hello(), None)).await;
    let error = refused.err().ok_or("no answer")?;
    assert_eq!(
        error.to_string(),
        "tried 3 times: the server answers 529 overloaded_error: Overloaded"
    );
    assert!(matches!(&error, ModelError::GaveUp { attempts, .. } if attempts.len() == 3));
    assert!(error.is_environment(), "nobody's question is at fault");
    let told = ModelEvent::Restarted {
        reason: "the server answers 529 overloaded_error: Overloaded".to_owned(),
    };
    assert_eq!(shown, [told.clone(), told], "once for each that another one followed");
    Ok(())
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() -> TestResult {
    let denied = r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    let denied = answer("401 Unauthorized", "content-type: application/json\r\n", denied);
    let nonsense = events(vec![b"event: message_stop\ndata: {}\n\n".to_vec()], end);
    let server = TestServer::start(vec![denied, stream("invalid")?, nonsense])?;
    let (model, messages) = (model(&server)?, hello());
    let request = request(&messages, None);
    let error = ask(&model, &request).await.0.err().ok_or("denied")?;
    assert!(matches!(&error, ModelError::Http(HttpError::Status { status: 401, .. })) && error.is_environment());
    let error = ask(&model, &request).await.0.err().ok_or("invalid")?;
    assert!(matches!(&error, ModelError::Http(HttpError::Reported { .. })) && !error.is_environment());
    let error = ask(&model, &request).await.0.err().ok_or("nonsense")?;
    assert!(matches!(&error, ModelError::Protocol { .. }), "{error:?}");
    assert_eq!(server.requests_left().len(), 3);
    Ok(())
}

#[tokio::test]
async fn answer_that_pauses_is_gone_on_with() -> TestResult {
    let server = TestServer::start(vec![stream("paused")?, stream("resumed")?])?;
    let (answer, shown) = ask(&model(&server)?, &request(&hello(), Some("claude-opus-4-8"))).await;
    let answer = answer?;
    assert_eq!(
        (answer.text().as_str(), answer.end),
        ("I ask first.So I do.", End::Done)
    );
    assert_eq!((answer.advice.len(), answer.attempts.len()), (1, 0));
    assert_eq!(
        shown
            .iter()
            .filter(|event| matches!(event, ModelEvent::Ended(_)))
            .count(),
        1
    );
    let (first, second) = (server.request()?, server.request()?);
    let (first, second): (Value, Value) = (
        serde_json::from_slice(&first.body)?,
        serde_json::from_slice(&second.body)?,
    );
    assert_eq!((&first["max_tokens"], &second["max_tokens"]), (&100.into(), &88.into()));
    assert_eq!(first["messages"][0], second["messages"][0]);
    assert_eq!(second["messages"][1]["content"][1]["id"], "srvtoolu_9");
    Ok(())
}

#[tokio::test]
async fn pauses_without_end_are_an_unfinished_answer() -> TestResult {
    let paused = (0..=RESUMPTIONS_MAX)
        .map(|_| stream("paused"))
        .collect::<Result<_, _>>()?;
    let server = TestServer::start(paused)?;
    let messages = hello();
    let request = ModelRequest {
        output_tokens_max: 10_000,
        ..request(&messages, None)
    };
    let (answer, _) = ask(&model(&server)?, &request).await;
    assert_eq!(answer?.end, End::Length);
    assert_eq!(server.requests_left().len(), 9);
    Ok(())
}

#[tokio::test]
async fn end_of_the_connection_is_not_waited_for() -> TestResult {
    let server = TestServer::start(vec![events(vec![recorded("text")?], until_closed)])?;
    let began = Instant::now();
    let (answer, _) = ask(&model(&server)?, &request(&hello(), None)).await;
    assert_eq!(answer?.end, End::Done);
    assert!(began.elapsed() < Duration::from_secs(5));
    Ok(())
}
