use std::ffi::OsString;
use std::sync::Mutex;

use super::super::http::test_server::{TestServer, answer};
use super::*;
use crate::config::ConfigFile;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn settings(variables: &[(&'static str, &str)]) -> Settings {
    let variables: Vec<(&str, OsString)> = variables.iter().map(|(name, value)| (*name, (*value).into())).collect();
    Settings::new(ConfigFile::default(), move |name| {
        variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.clone())
    })
}

async fn open(model: &str, settings: &Settings) -> Result<OpenError, Box<dyn std::error::Error>> {
    let opened = parse_model(model)?.open(settings, &|_| {}).await;
    opened.err().ok_or_else(|| "an error".into())
}

fn refusal(model: &str) -> String {
    match parse_model(model) {
        Ok(choice) => format!("{choice:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_way_to_name_a_model_is_understood() -> TestResult {
    let scripted = |file: &str| ModelChoice::Scripted(file.into());
    let server = |base: &str, model: Option<&str>| -> Result<ModelChoice, Box<dyn std::error::Error>> {
        let model = model.map(Name::new).transpose()?;
        let base = BaseUrl::parse(base)?;
        Ok(ModelChoice::Server { base, model })
    };
    for (text, expected) in [
        ("scripted:a/b:c.json", scripted("a/b:c.json")),
        (
            "anthropic/claude-opus-5-5",
            ModelChoice::Anthropic(Name::new("claude-opus-5-5")?),
        ),
        ("openai/gpt-6.2-sol", ModelChoice::OpenAi(Name::new("gpt-6.2-sol")?)),
        (
            "openai-chat/meta/llama-3",
            ModelChoice::OpenAiChat(Name::new("meta/llama-3")?),
        ),
        (
            "http://127.0.0.1:11434/v1#llama3.2:1b",
            server("http://127.0.0.1:11434/v1", Some("llama3.2:1b"))?,
        ),
        ("https://h:8000/v1", server("https://h:8000/v1", None)?),
    ] {
        assert_eq!(parse_model(text)?, expected);
    }
    Ok(())
}

#[test]
fn unknown_provider_is_refused_with_the_known() {
    for model in [
        "",
        "scripted",
        "Scripted:a",
        "claude-opus-5-5",
        "Anthropic/m",
        "openai_chat/m",
        "ollama/llama3",
        " openai/m",
        "ftp://h/v1#m",
        "HTTP://h/v1#m",
        "\u{1b}[2J/m",
    ] {
        let refused = refusal(model);
        assert!(refused.starts_with("unknown model \""), "{refused}");
        assert!(!refused.contains('\u{1b}'));
        for known in [
            "scripted:FILE",
            "anthropic/MODEL",
            "openai/MODEL",
            "openai-chat/MODEL",
            "http://HOST",
        ] {
            assert!(refused.contains(known), "{refused}");
        }
    }
    assert_eq!(parse_model("scripted:"), Err(ModelChoiceError::NoFile));
}

#[test]
fn name_that_could_not_stand_in_a_ledger_is_refused() {
    let long = format!("openai/{}", "m".repeat(65));
    for model in [
        "anthropic/",
        "openai/two words",
        "openai-chat/m\n",
        "http://h/v1#",
        "http://h/v1#a#b",
        &long,
    ] {
        let refused = refusal(model);
        assert!(refused.ends_with("is not the name of a model"), "{model:?}: {refused}");
    }
}

#[test]
fn server_is_named_by_a_url_without_user_or_query() {
    for model in [
        "http://me:secret@h/v1#m",
        "https://me@h/v1",
        "http://h/v1?k=secret#m",
        "http://#m",
        "https://",
    ] {
        let refused = parse_model(model);
        assert!(matches!(refused, Err(ModelChoiceError::Url(_))), "{refused:?}");
        assert!(!format!("{refused:?}").contains("secret"));
    }
}

#[tokio::test]
async fn missing_script_is_found_when_it_is_opened() -> TestResult {
    let refused = open("scripted:/nowhere/script.json", &settings(&[])).await?;
    assert!(matches!(refused, OpenError::Script(ScriptError::Read { .. })));
    Ok(())
}

#[tokio::test]
async fn provider_without_a_key_is_refused_with_what_to_set() -> TestResult {
    for (model, variable) in [
        ("anthropic/m", "ANTHROPIC_API_KEY"),
        ("openai/m", "OPENAI_API_KEY"),
        ("openai-chat/m", "OPENAI_API_KEY"),
    ] {
        let refused = open(model, &settings(&[])).await?;
        assert!(
            matches!(refused, OpenError::Setting(SettingError::NoKey { .. })),
            "{refused:?}"
        );
        assert!(refused.to_string().contains(variable), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn key_is_learned_and_does_not_travel_in_the_clear() -> TestResult {
    let settings = settings(&[
        ("OPENAI_BASE_URL", "http://10.0.0.7/v1"),
        ("OPENAI_API_KEY", "sk-1"),
        ("COUNTERSIGN_SERVER_API_KEY", "sk-2"),
    ]);
    for (model, key) in [("openai/m", "sk-1"), ("http://10.0.0.7/v1#m", "sk-2")] {
        let learned = Mutex::new(Vec::new());
        let learn = |key: &ApiKey| {
            learned
                .lock()
                .iter_mut()
                .for_each(|keys| keys.push(key.expose().to_owned()))
        };
        let opened = parse_model(model)?.open(&settings, &learn).await.map(drop);
        assert!(matches!(opened, Err(OpenError::KeyInTheClear(_))), "{opened:?}");
        assert_eq!(learned.into_inner()?, [key]);
    }
    Ok(())
}

#[tokio::test]
async fn server_is_asked_for_its_only_model() -> TestResult {
    let server = TestServer::start(vec![answer(
        "200 OK",
        "",
        r#"{"object":"list","data":[{"id":"llama3","object":"model"}]}"#,
    )])?;
    let endpoint = Endpoint::new(server.url());
    assert_eq!(only_model(&endpoint).await?.as_str(), "llama3");
    assert!(server.request()?.head.starts_with("GET /v1/models HTTP/1.1\r\n"));
    Ok(())
}

#[tokio::test]
async fn server_with_no_model_or_several_is_refused_with_their_names() -> TestResult {
    let eleven: Vec<_> = (0..11).map(|n| serde_json::json!({"id": format!("m{n}")})).collect();
    for (body, expected) in [
        (r#"{"data":[]}"#.to_owned(), "has no model; load one".to_owned()),
        (r#"{"data":null}"#.to_owned(), "has no model; load one".to_owned()),
        (
            r#"{"data":[{"id":"a\u001b"},{"id":"b"}]}"#.to_owned(),
            "#MODEL, of a\\u{1b}, b".to_owned(),
        ),
        (
            serde_json::json!({"data": eleven}).to_string(),
            "#MODEL, of m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 1 more".to_owned(),
        ),
        (
            r#"{"data":[{"id":"two words"}]}"#.to_owned(),
            "which cannot be recorded; serve it under another name".to_owned(),
        ),
        ("[]".to_owned(), "does not say which models it has".to_owned()),
        ("<html>".to_owned(), "does not say which models it has".to_owned()),
    ] {
        let server = TestServer::start(vec![answer("200 OK", "", body.clone())])?;
        let refused = open(server.url().to_string().as_str(), &settings(&[]))
            .await?
            .to_string();
        assert!(refused.contains(&expected), "{body}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn server_that_answers_with_an_error_is_told_and_asked_only_once() -> TestResult {
    let server = TestServer::start(vec![
        answer("503 X", "", ""),
        answer("200 OK", "", r#"{"data":[{"id":"m"}]}"#),
    ])?;
    let refused = open(server.url().to_string().as_str(), &settings(&[])).await?;
    assert!(matches!(
        refused,
        OpenError::Unasked {
            source: HttpError::Status { status: 503, .. },
            ..
        }
    ));
    assert_eq!(server.request()?.header("authorization"), [""; 0]);
    assert!(server.requests_left().is_empty());
    Ok(())
}
