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

/// The messages of the body, as JSON text.
fn messages_text(dialect: Dialect, messages: &[Message]) -> String {
    let body = body("m", dialect, &request(&[], messages));
    let text = String::from_utf8_lossy(&body).into_owned();
    let at = text.find(r#","messages":"#).unwrap_or_default();
    text[at..].trim_start_matches(r#","messages":"#).to_owned()
}

#[test]
fn body_is_written_in_one_order_in_each_dialect() -> TestResult {
    let schema = serde_json::to_string(&Sorted(&LIST.input_schema()))?;
    let key = cache_key(System::fixed("Be brief."));
    let common = [
        r#""tools":[{"type":"function","function":{"name":"list","description":""#,
        LIST.description,
        r#"","parameters":"#,
        &schema,
        r#"}}],"parallel_tool_calls":true,"#,
        r#""messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Fix it."}]}"#,
    ];
    let begin = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"#;
    let own = format!(r#""store":false,"max_completion_tokens":8192,"prompt_cache_key":"{key}","#);
    let messages = [user("Fix it.")];
    for (dialect, own) in [
        (Dialect::OpenAi, own.as_str()),
        (Dialect::Other, r#""max_tokens":8192,"#),
    ] {
        let body = body("m", dialect, &request(&[&LIST], &messages));
        assert_eq!(String::from_utf8(body)?, [begin, own, &common.concat()].concat());
    }
    Ok(())
}

#[test]
fn conversation_is_written_as_the_api_wants_it() -> TestResult {
    let said = AdviceStatement {
        relation: AdviceRelation::Overridden,
        reason: "large".to_owned(),
    };
    let arguments = object(json!({"path": "b", "a": {"z": 1, "y": 2}}));
    let call = ToolCall::new(id("call_1")?, "read", arguments, Some(said))?;
    let messages = [
        user("Go."),
        Message::Assistant(vec![
            sealed("openai", r#"{"type":"reasoning"}"#),
            Part::Text("I ".to_owned()),
            Part::Text("read.".to_owned()),
            Part::Call(call),
            malformed(id("read:2")?, "two words", r#"{"b":1.5,"a":0}"#),
            malformed(id("call_3")?, "", "[1]"),
        ]),
        Message::Results(vec![
            result(id("call_1")?, FinishOutcome::Ok, "one\n"),
            result(id("read:2")?, FinishOutcome::Error, "no"),
        ]),
        Message::Assistant(vec![malformed(id("call_4")?, "read", "{")]),
        user("And now?"),
    ];
    let foreign = wire_id(&id("read:2")?).into_owned();
    for (dialect, written) in [(Dialect::OpenAi, foreign.as_str()), (Dialect::Other, "read:2")] {
        let expected = [
            r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Go."},"#,
            r#"{"role":"assistant","content":"I read.","tool_calls":["#,
            r#"{"id":"call_1","type":"function","function":{"name":"read","#,
            r#""arguments":"{\"a\":{\"y\":2,\"z\":1},\"advice\":\"overridden: large\",\"path\":\"b\"}"}},"#,
            r#"{"id":""#,
            written,
            r#"","type":"function","function":{"name":"two_words","arguments":"{\"a\":0,\"b\":1.5}"}},"#,
            r#"{"id":"call_3","type":"function","function":{"name":"_","arguments":"{}"}}]},"#,
            r#"{"role":"tool","tool_call_id":"call_1","content":"one\n"},"#,
            r#"{"role":"tool","tool_call_id":""#,
            written,
            r#"","content":"[error]\nno"},"#,
            r#"{"role":"assistant","content":"","tool_calls":["#,
            r#"{"id":"call_4","type":"function","function":{"name":"read","arguments":"{}"}}]},"#,
            r#"{"role":"user","content":"And now?"}]}"#,
        ];
        assert_eq!(messages_text(dialect, &messages), expected.concat());
    }
    Ok(())
}

#[test]
fn what_would_be_empty_is_left_out() -> TestResult {
    let messages = [
        user(" \n"),
        Message::Assistant(vec![Part::Text("\t".to_owned())]),
        Message::Assistant(vec![sealed("openai", r#"{"type":"reasoning"}"#)]),
        Message::Assistant(Vec::new()),
        Message::Results(Vec::new()),
    ];
    let system = r#"[{"role":"system","content":"Be brief."}]}"#;
    assert_eq!(messages_text(Dialect::Other, &messages), system);
    let blank = ModelRequest {
        system: System::fixed(" "),
        ..request(&[], &[])
    };
    let body: Value = serde_json::from_slice(&body("m", Dialect::OpenAi, &blank))?;
    assert_eq!(body["messages"], json!([]));
    assert!(body.get("tools").is_none() && body.get("parallel_tool_calls").is_none());
    Ok(())
}

proptest! {
    #[test]
    fn body_of_a_turn_is_a_prefix_of_the_next(messages in prop::collection::vec(any_message(), 1..9), turn in any::<prop::sample::Index>()) {
        for dialect in [Dialect::OpenAi, Dialect::Other] {
            let ask = |messages| body("m", dialect, &request(&TOOLS, messages));
            let (earlier, later) = (ask(&messages[..turn.index(messages.len())]), ask(&messages));
            prop_assert!(is_prefix(&earlier, &later), "{}", String::from_utf8_lossy(&later));
        }
    }
}
