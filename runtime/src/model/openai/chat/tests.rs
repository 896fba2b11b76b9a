//! The whole way over a connection, with what goes wrong on it.

use serde_json::Value;

use super::super::test_support::{HASTY, TestResult, ask, malformed, remote, request, stream, user};
use super::*;
use crate::model::http::HttpError;
use crate::model::http::test_server::{Reply as Answering, TestServer, answer, until_closed};
use crate::model::{CallId, End, ModelEvent};

fn model(server: &TestServer, dialect: Dialect) -> Result<ChatModel, Box<dyn std::error::Error>> {
    let mut model = ChatModel::new(remote(server)?, dialect);
    model.retries = HASTY;
    Ok(model)
}

fn limited() -> Answering {
    let error = r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#;
    let headers = "content-type: application/json\r\nretry-after-ms: 1\r\n";
    answer("429 Too Many Requests", headers, error)
}

#[tokio::test]
async fn question_goes_out_in_the_dialect_of_the_server() -> TestResult {
    let messages = [user("Hello.")];
    for (dialect, limit) in [
        (Dialect::OpenAi, "max_completion_tokens"),
        (Dialect::Other, "max_tokens"),
    ] {
        let server = TestServer::start(vec![stream("chat", "text")?])?;
        let (answer, shown) = ask(&model(&server, dialect)?, &request(&[], &messages)).await;
        assert_eq!(answer?.text(), "Hello! Gr\u{fc}\u{df}e, \u{1f980}.");
        assert_eq!(shown.last(), Some(&ModelEvent::Ended(End::Done)));
        let sent = server.request()?;
        assert!(
            sent.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
            "{}",
            sent.head
        );
        assert_eq!(sent.header("authorization"), ["Bearer sk-test"]);
        let body: Value = serde_json::from_slice(&sent.body)?;
        assert_eq!(body[limit], 8192);
    }
    Ok(())
}

#[tokio::test]
async fn failed_attempts_are_recorded_and_what_they_showed_is_taken_back() -> TestResult {
    let server = TestServer::start(vec![
        limited(),
        stream("chat", "server_error")?,
        stream("chat", "calls")?,
    ])?;
    let (answer, shown) = ask(&model(&server, Dialect::OpenAi)?, &request(&[], &[user("Hello.")])).await;
    let answer = answer?;
    let problems: Vec<_> = answer.attempts.iter().map(|attempt| attempt.problem.as_str()).collect();
    assert!(
        problems[0].starts_with("the server answers 429 rate_limit_exceeded"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("the server breaks off with server_error"),
        "{problems:?}"
    );
    assert_eq!((problems.len(), answer.calls().count()), (2, 3));
    let restarts = shown
        .iter()
        .filter(|event| matches!(event, ModelEvent::Restarted { .. }));
    assert_eq!(restarts.count(), 2, "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn it_gives_up_in_the_end_and_tells_every_attempt() -> TestResult {
    let server = TestServer::start(vec![limited(), limited(), limited(), stream("chat", "text")?])?;
    let (answer, _) = ask(&model(&server, Dialect::Other)?, &request(&[], &[user("Hello.")])).await;
    let Err(ModelError::GaveUp { attempts, source }) = answer else {
        return Err(format!("{answer:?}").into());
    };
    assert_eq!(attempts.len(), 3);
    assert!(matches!(
        *source,
        ModelError::Http(HttpError::Status { status: 429, .. })
    ));
    assert_eq!(server.requests_left().len(), 3);
    Ok(())
}

#[tokio::test]
async fn calls_without_ids_get_names_that_no_earlier_answer_used() -> TestResult {
    let server = TestServer::start(vec![stream("chat", "without_ids")?])?;
    let earlier = Message::Assistant(vec![malformed(CallId::numbered(1, 1), "list", "{}")]);
    let messages = [user("Hello."), earlier, user("Go on.")];
    let (answer, _) = ask(&model(&server, Dialect::Other)?, &request(&[], &messages)).await;
    let answer = answer?;
    let ids: Vec<&str> = answer.calls().map(|call| call.id().as_str()).collect();
    assert_eq!(ids, ["call_2_1", "call_2_2", "call_2_3"]);
    Ok(())
}

#[tokio::test]
async fn end_of_the_connection_is_not_waited_for() -> TestResult {
    let bytes = b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let server = TestServer::start(vec![crate::model::http::test_server::events(
        vec![bytes.to_vec()],
        until_closed,
    )])?;
    let began = std::time::Instant::now();
    let (answer, _) = ask(&model(&server, Dialect::Other)?, &request(&[], &[user("Hello.")])).await;
    assert_eq!(answer?.end, End::Done);
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
    Ok(())
}
