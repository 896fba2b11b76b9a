use countersign_schemas::body::{AdviceRelation, FinishOutcome};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::test_support::{
    TestResult, any_message, id, is_prefix, malformed, request, result, sealed, user,
};
use super::*;
use crate::model::call::tests::object;
use crate::model::{AdviceStatement, System, ToolCall};
use crate::tool::{ADVISOR, LIST, READ, ToolSpec};

const TOOLS: [&ToolSpec; 3] = [&ADVISOR, &LIST, &READ];

fn text(request: &ModelRequest<'_>) -> String {
    String::from_utf8_lossy(&body("gpt-6.2-sol", request)).into_owned()
}

/// The items of the body, as JSON text.
fn input_text(messages: &[Message]) -> String {
    let text = text(&request(&[], messages));
    let at = text.find(r#","input":"#).unwrap_or_default();
    text[at..].trim_start_matches(r#","input":"#).to_owned()
}

#[test]
fn body_is_written_in_one_order() -> TestResult {
    let schema = serde_json::to_string(&Sorted(&LIST.input_schema()))?;
    let system = System {
        text: "Be brief.\n\nToday is Monday.",
        static_len_bytes: 9,
    };
    let expected = [
        r#"{"model":"gpt-6.2-sol","stream":true,"store":false,"include":["reasoning.encrypted_content"],"#,
        r#""max_output_tokens":8192,"prompt_cache_key":""#,
        &cache_key(system),
        r#"","instructions":"Be brief.\n\nToday is Monday.","#,
        r#""tools":[{"type":"function","name":"list","description":""#,
        LIST.description,
        r#"","parameters":"#,
        &schema,
        r#","strict":false}],"parallel_tool_calls":true,"#,
        r#""input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Fix it."}]}]}"#,
    ];
    let (tools, messages) = ([&LIST], [user("Fix it.")]);
    let asked = ModelRequest {
        system,
        ..request(&tools, &messages)
    };
    assert_eq!(text(&asked), expected.concat());
    Ok(())
}

#[test]
fn conversation_is_written_as_the_api_wants_it() -> TestResult {
    let said = AdviceStatement {
        relation: AdviceRelation::Followed,
        reason: "small".to_owned(),
    };
    let arguments = object(json!({"path": "b", "a": {"z": 1, "y": 2}}));
    let call = ToolCall::new(id("call_1")?, "read", arguments, Some(said))?;
    let thought = r#"{"encrypted_content":"gAAA==","id":"rs_1","summary":[],"type":"reasoning"}"#;
    let messages = [
        user("Go."),
        Message::Assistant(vec![
            sealed("openai", thought),
            sealed("openai", r#"{"phase":"commentary","type":"message"}"#),
            Part::Text("I read.".to_owned()),
            Part::Call(call),
            malformed(id("call:2")?, "two words", r#"{"b":1.5,"a":0}"#),
            malformed(id("call_3")?, "", "[1]"),
        ]),
        Message::Results(vec![
            result(id("call_1")?, FinishOutcome::Ok, "one\n"),
            result(id("call:2")?, FinishOutcome::Error, "no"),
            result(id("call_3")?, FinishOutcome::Aborted, ""),
        ]),
        user("And now?"),
    ];
    let foreign = wire_id(&id("call:2")?).into_owned();
    let expected = [
        r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"Go."}]},"#,
        thought,
        r#",{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I read.","annotations":[]}],"#,
        r#""phase":"commentary"},"#,
        r#"{"type":"function_call","call_id":"call_1","name":"read","#,
        r#""arguments":"{\"a\":{\"y\":2,\"z\":1},\"advice\":\"followed: small\",\"path\":\"b\"}"},"#,
        r#"{"type":"function_call","call_id":""#,
        &foreign,
        r#"","name":"two_words","arguments":"{\"a\":0,\"b\":1.5}"},"#,
        r#"{"type":"function_call","call_id":"call_3","name":"_","arguments":"{}"},"#,
        r#"{"type":"function_call_output","call_id":"call_1","output":"one\n"},"#,
        r#"{"type":"function_call_output","call_id":""#,
        &foreign,
        r#"","output":"[error]\nno"},"#,
        r#"{"type":"function_call_output","call_id":"call_3","output":"[aborted]\n"},"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"And now?"}]}]}"#,
    ];
    assert_eq!(input_text(&messages), expected.concat());
    Ok(())
}

#[test]
fn what_would_be_empty_or_alone_is_left_out() -> TestResult {
    let thought = || sealed("openai", r#"{"type":"reasoning","id":"rs_1"}"#);
    let messages = [
        user(" \n"),
        Message::Assistant(vec![Part::Text("\t".to_owned())]),
        Message::Assistant(vec![thought(), Part::Text(" ".to_owned())]),
        Message::Assistant(vec![
            sealed("anthropic", r#"{"type":"thinking"}"#),
            sealed("openai", "no json"),
            sealed("openai", "[]"),
            sealed("openai", r#"{"phase":"commentary","type":"message"}"#),
        ]),
        Message::Results(Vec::new()),
    ];
    assert_eq!(input_text(&messages), "[]}");
    let messages = [Message::Assistant(vec![
        Part::Text("Well.".to_owned()),
        thought(),
        thought(),
        malformed(id("call_1")?, "read", ""),
        thought(),
    ])];
    let items: Value = serde_json::from_str(input_text(&messages).trim_end_matches('}'))?;
    let kinds: Vec<&str> = items
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["type"].as_str())
        .collect();
    assert_eq!(kinds, ["message", "reasoning", "reasoning", "function_call"]);
    let blank = ModelRequest {
        system: System::fixed(" "),
        ..request(&[], &[])
    };
    let text = text(&blank);
    assert!(!text.contains("instructions") && !text.contains("tools") && !text.contains("parallel"));
    Ok(())
}

#[test]
fn least_limit_is_the_least_that_is_taken() -> TestResult {
    for (asked, written) in [(1, 16), (16, 16), (17, 17)] {
        let request = ModelRequest {
            output_tokens_max: asked,
            ..request(&[], &[])
        };
        let body: Value = serde_json::from_slice(&body("m", &request))?;
        assert_eq!(body["max_output_tokens"], written);
    }
    Ok(())
}

proptest! {
    #[test]
    fn body_of_a_turn_is_a_prefix_of_the_next(messages in prop::collection::vec(any_message(), 1..9), turn in any::<prop::sample::Index>()) {
        let ask = |messages| body("m", &request(&TOOLS, messages));
        let (earlier, later) = (ask(&messages[..turn.index(messages.len())]), ask(&messages));
        // Without any element there is nothing behind which a comma could stand.
        let is_begun = !earlier.ends_with(b":[]}");
        prop_assert!(!is_begun || is_prefix(&earlier, &later), "{}", String::from_utf8_lossy(&later));
        prop_assert!(is_prefix(&later, &later));
    }
}
