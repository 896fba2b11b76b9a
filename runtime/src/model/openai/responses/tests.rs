//! The whole way over a connection, with what goes wrong on it, and with servers that speak only the other API.

use serde_json::Value;

use super::super::test_support::{HASTY, TestResult, ask, remote, request, stream, user};
use super::*;
use crate::model::http::test_server::{Reply as Answering, TestServer, answer, end, events};
use crate::model::{End, ModelEvent};

fn model(server: &TestServer) -> Result<ResponsesModel, Box<dyn std::error::Error>> {
    let mut model = ResponsesModel::new(remote(server)?);
    model.retries = HASTY;
    Ok(model)
}

fn not_found() -> Answering {
    let error = r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#;
    answer("404 Not Found", "content-type: application/json\r\n", error)
}

fn overloaded() -> Answering {
    let error = r#"{"error":{"message":"Overloaded","type":"server_error","code":null}}"#;
    answer("503 Service Unavailable", "content-type: application/json\r\n", error)
}

fn problems(answer: &ModelAnswer) -> Vec<&str> {
    answer.attempts.iter().map(|attempt| attempt.problem.as_str()).collect()
}

#[tokio::test]
async fn question_goes_out_with_the_key_and_nothing_is_kept() -> TestResult {
    let server = TestServer::start(vec![stream("responses", "text")?])?;
    let messages = [user("Hello.")];
    let (answer, shown) = ask(&model(&server)?, &request(&[], &messages)).await;
    assert_eq!(answer?.text(), "Hello! Gr\u{fc}\u{df}e, \u{1f980}.");
    assert_eq!(shown.last(), Some(&ModelEvent::Ended(End::Done)));
    let sent = server.request()?;
    assert!(
        sent.head.starts_with("POST /v1/responses HTTP/1.1\r\n"),
        "{}",
        sent.head
    );
    assert_eq!(sent.header("authorization"), ["Bearer sk-test"]);
    assert_eq!(sent.body, request::body("gpt-6.2-sol", &request(&[], &messages)));
    let body: Value = serde_json::from_slice(&sent.body)?;
    assert_eq!(body["store"], false);
    Ok(())
}

#[tokio::test]
async fn failed_attempts_are_recorded_and_what_they_showed_is_taken_back() -> TestResult {
    let half = b"event: response.created\ndata: {\"response\":{}}\n\n\
                 data: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\",\"id\":\"m\"}}\n\n\
                 data: {\"type\":\"response.output_text.delta\",\"item_id\":\"m\",\"delta\":\"Hel\"}\n\n";
    let server = TestServer::start(vec![
        overloaded(),
        events(vec![half.to_vec()], end),
        stream("responses", "calls")?,
    ])?;
    let (answer, shown) = ask(&model(&server)?, &request(&[], &[user("Hello.")])).await;
    let answer = answer?;
    assert_eq!(
        problems(&answer),
        [
            "the server answers 503 server_error: Overloaded",
            "the connection ended before the answer did"
        ]
    );
    assert_eq!((answer.calls().count(), answer.end), (3, End::Calls));
    let restarts = shown
        .iter()
        .filter(|event| matches!(event, ModelEvent::Restarted { .. }));
    assert_eq!(restarts.count(), 2, "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() -> TestResult {
    let server = TestServer::start(vec![stream("responses", "quota")?, overloaded()])?;
    let (answer, _) = ask(&model(&server)?, &request(&[], &[user("Hello.")])).await;
    let error = answer.err().ok_or("no quota")?;
    assert!(matches!(&error, ModelError::Http(HttpError::Reported { .. })) && error.is_environment());
    assert_eq!(server.requests_left().len(), 1);
    Ok(())
}

#[tokio::test]
async fn server_without_this_api_is_asked_by_the_other_from_then_on() -> TestResult {
    let server = TestServer::start(vec![
        overloaded(),
        not_found(),
        stream("chat", "ollama")?,
        stream("chat", "text")?,
    ])?;
    let model = model(&server)?;
    let messages = [user("Hello.")];
    let (answer, shown) = ask(&model, &request(&[], &messages)).await;
    let answer = answer?;
    assert_eq!(
        problems(&answer),
        [
            "the server answers 503 server_error: Overloaded",
            "the server has no Responses API; asked by chat completions"
        ]
    );
    assert_eq!((answer.calls().count(), answer.end), (2, End::Calls));
    // Of the 503 alone: another way to ask is no news for anybody.
    let restarts = shown
        .iter()
        .filter(|event| matches!(event, ModelEvent::Restarted { .. }));
    assert_eq!(restarts.count(), 1, "{shown:?}");
    let (answer, _) = ask(&model, &request(&[], &messages)).await;
    assert_eq!(problems(&answer?), [""; 0]);
    let paths: Vec<String> = server
        .requests_left()
        .iter()
        .filter_map(|sent| sent.head.split(' ').nth(1).map(str::to_owned))
        .collect();
    let (responses, chat) = ("/v1/responses", "/v1/chat/completions");
    assert_eq!(paths, [responses, responses, chat, chat]);
    assert_eq!(
        (model.provider().as_str(), model.name().as_str()),
        ("openai", "gpt-6.2-sol")
    );
    Ok(())
}

#[tokio::test]
async fn server_that_has_answered_by_this_api_is_not_asked_by_the_other() -> TestResult {
    let server = TestServer::start(vec![stream("responses", "text")?, not_found(), not_found()])?;
    let model = model(&server)?;
    let messages = [user("Hello.")];
    ask(&model, &request(&[], &messages)).await.0?;
    let error = ask(&model, &request(&[], &messages)).await.0.err().ok_or("gone")?;
    assert!(
        matches!(&error, ModelError::Http(HttpError::Status { status: 404, .. })),
        "{error:?}"
    );
    assert_eq!(server.requests_left().len(), 2);
    Ok(())
}

#[tokio::test]
async fn unknown_model_is_told_by_whoever_was_asked_last_and_nothing_is_concluded_from_it() -> TestResult {
    let server = TestServer::start(vec![not_found(), not_found(), stream("responses", "text")?])?;
    let model = model(&server)?;
    let messages = [user("Hello.")];
    let error = ask(&model, &request(&[], &messages)).await.0.err().ok_or("unknown")?;
    let ModelError::GaveUp { attempts, source } = &error else {
        return Err(format!("{error:?}").into());
    };
    assert_eq!(attempts[0].problem, NO_RESPONSES);
    assert_eq!(attempts.len(), 2);
    assert!(matches!(
        &**source,
        ModelError::Http(HttpError::Status { status: 404, .. })
    ));
    assert!(ask(&model, &request(&[], &messages)).await.0.is_ok());
    assert!(server.requests_left()[2].head.starts_with("POST /v1/responses "));
    Ok(())
}

#[test]
fn openai_itself_is_never_asked_by_the_other_api() -> TestResult {
    let server = TestServer::start(Vec::new())?;
    let unknown = || {
        ModelError::Http(HttpError::Status {
            status: 404,
            kind: Some("model_not_found".to_owned()),
            message: String::new(),
            request_id: None,
            retry_after: None,
            should_retry: None,
        })
    };
    assert!(model(&server)?.may_lack_responses(&unknown()));
    let base = crate::model::http::BaseUrl::parse("https://api.openai.com/v1")?;
    let openai = ResponsesModel::new(Remote {
        endpoint: crate::model::http::Endpoint::new(base),
        ..remote(&server)?
    });
    assert!(!openai.may_lack_responses(&unknown()));
    Ok(())
}
