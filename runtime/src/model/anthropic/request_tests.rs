use std::error::Error;

use countersign_schemas::body::AdviceRelation;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::AdviceStatement;
use crate::model::CallId;
use crate::model::call::tests::object;
use crate::model::request::System;
use crate::tool::{LIST, READ, ToolSpec};

type TestResult = Result<(), Box<dyn Error>>;

const TOOLS: [&ToolSpec; 3] = [&ADVISOR, &LIST, &READ];

fn request<'a>(system: System<'a>, tools: &'a [&'static ToolSpec], messages: &'a [Message]) -> ModelRequest<'a> {
    ModelRequest {
        agent: "lead",
        system,
        tools,
        messages,
        output_tokens_max: 8192,
        provider_advisor: None,
    }
}

fn text(request: &ModelRequest<'_>) -> String {
    String::from_utf8_lossy(&body("claude-opus-5", request, &[])).into_owned()
}

fn id(text: &str) -> Result<CallId, Box<dyn Error>> {
    CallId::new(text).ok_or_else(|| "an id".into())
}

fn user(text: &str) -> Message {
    Message::User { text: text.to_owned() }
}

fn sealed(format: &'static str, block: &str) -> Part {
    Part::Opaque(Opaque {
        format,
        block: block.to_owned(),
    })
}

/// The messages of the body, as JSON text.
fn messages_text(messages: &[Message]) -> String {
    let text = text(&request(System::fixed(""), &[], messages));
    let expected =
        r#"{"model":"claude-opus-5","max_tokens":8192,"stream":true,"cache_control":{"type":"ephemeral"},"messages":"#;
    text.strip_prefix(expected).map(str::to_owned).unwrap_or(text)
}

#[test]
fn body_is_written_in_one_order() -> TestResult {
    let schema = serde_json::to_string(&Sorted(&LIST.input_schema()))?;
    let system = System {
        text: "Be brief.\n\nToday is Monday.",
        static_len_bytes: 9,
    };
    let expected = [
        r#"{"model":"claude-opus-5","max_tokens":8192,"stream":true,"cache_control":{"type":"ephemeral"},"#,
        r#""system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}},"#,
        r#"{"type":"text","text":"\n\nToday is Monday."}],"#,
        r#""tools":[{"name":"list","description":""#,
        LIST.description,
        r#"","input_schema":"#,
        &schema,
        r#","cache_control":{"type":"ephemeral"}}],"#,
        r#""messages":[{"role":"user","content":[{"type":"text","text":"Fix it."}]}]}"#,
    ];
    let messages = [user("Fix it.")];
    assert_eq!(text(&request(system, &[&LIST], &messages)), expected.concat());
    Ok(())
}

#[test]
fn conversation_is_written_as_the_api_wants_it() -> TestResult {
    let said = AdviceStatement {
        relation: AdviceRelation::Followed,
        reason: "small".to_owned(),
    };
    let call = ToolCall::new(
        id("toolu_1")?,
        "read",
        object(json!({"path": "b", "a": {"z": 1, "y": 2}})),
        Some(said),
    )?;
    let malformed = |id, tool: &str, raw: &str| {
        Part::Malformed(MalformedCall {
            id,
            tool: tool.to_owned(),
            raw: raw.to_owned(),
            problem: "no".to_owned(),
        })
    };
    let result = |id, outcome, content: &str| CallResult {
        id,
        tool: "read".to_owned(),
        outcome,
        content: content.to_owned(),
    };
    let messages = [
        user("Go."),
        Message::Assistant(vec![
            sealed("anthropic", r#"{"type":"thinking","thinking":"hm","signature":"x=="}"#),
            Part::Text("I read.".to_owned()),
            Part::Text(String::new()),
            Part::Call(call),
            malformed(id("toolu_2")?, "two words", r#"{"b":1.5,"a":0}"#),
            malformed(id("toolu_3")?, "", "[1]"),
        ]),
        Message::Results(vec![
            result(id("toolu_1")?, FinishOutcome::Ok, "one\n"),
            result(id("toolu_2")?, FinishOutcome::Error, "no"),
            result(id("toolu_3")?, FinishOutcome::Aborted, " \n"),
        ]),
        user("And now?"),
    ];
    let expected = [
        r#"[{"role":"user","content":[{"type":"text","text":"Go."}]},"#,
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x=="},"#,
        r#"{"type":"text","text":"I read."},"#,
        r#"{"type":"tool_use","id":"toolu_1","name":"read","#,
        r#""input":{"a":{"y":2,"z":1},"advice":"followed: small","path":"b"}},"#,
        r#"{"type":"tool_use","id":"toolu_2","name":"two_words","input":{"a":0,"b":1.5}},"#,
        r#"{"type":"tool_use","id":"toolu_3","name":"_","input":{}}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"one\n"},"#,
        r#"{"type":"tool_result","tool_use_id":"toolu_2","content":"no","is_error":true},"#,
        r#"{"type":"tool_result","tool_use_id":"toolu_3","is_error":true}]},"#,
        r#"{"role":"user","content":[{"type":"text","text":"And now?"}]}]}"#,
    ];
    assert_eq!(messages_text(&messages), expected.concat());
    Ok(())
}

#[test]
fn what_would_be_empty_is_left_out() {
    let messages = [
        user(" \n"),
        Message::Assistant(vec![
            Part::Text("\t".to_owned()),
            sealed("openai", "{\"type\":\"reasoning\"}"),
        ]),
        Message::Assistant(vec![sealed("anthropic", "no json"), sealed("anthropic", "[]")]),
        Message::Results(Vec::new()),
    ];
    assert_eq!(messages_text(&messages), "[]}");
    let blank = request(System::fixed(" "), &[], &[]);
    assert!(!text(&blank).contains("system"));
}

#[test]
fn answer_that_paused_stands_last() {
    let messages = [user("Go.")];
    let request = request(System::fixed(""), &[], &messages);
    let pending = r#"{"id":"srvtoolu_1","input":{},"name":"advisor","type":"server_tool_use"}"#;
    let unfinished = [Part::Text("Well.".to_owned()), sealed("anthropic", pending)];
    let body = String::from_utf8_lossy(&body("m", &request, &unfinished)).into_owned();
    let expected = format!(r#"]}},{{"role":"assistant","content":[{{"type":"text","text":"Well."}},{pending}]}}]}}"#);
    assert!(body.ends_with(&expected), "{body}");
}

#[test]
fn advisor_of_the_provider_stands_in_the_place_of_ours() -> Result<(), serde_json::Error> {
    let ours = request(System::fixed("x"), &TOOLS, &[]);
    assert_eq!(beta(&ours), None);
    let theirs = ModelRequest {
        provider_advisor: Some("claude-opus-4-8"),
        ..ours
    };
    for tools in [&TOOLS[..], &TOOLS[1..], &[]] {
        let theirs = ModelRequest { tools, ..theirs };
        assert_eq!(beta(&theirs), Some("advisor-tool-2026-03-01"));
        let body: Value = serde_json::from_str(&text(&theirs))?;
        let advisor = &body["tools"][0];
        assert_eq!(
            (&advisor["type"], &advisor["name"], &advisor["model"]),
            (&json!("advisor_20260301"), &json!("advisor"), &json!("claude-opus-4-8"))
        );
        assert_eq!(advisor["input_schema"], Value::Null);
        assert_eq!(text(&theirs).matches("\"advisor\"").count(), 1);
    }
    Ok(())
}

#[test]
fn advice_of_before_needs_the_beta_still() {
    for (block, expected) in [
        (
            r#"{"type":"advisor_tool_result","tool_use_id":"s"}"#,
            Some(ADVISOR_BETA),
        ),
        (r#"{"type":"server_tool_use","name":"advisor"}"#, Some(ADVISOR_BETA)),
        (r#"{"type":"thinking","thinking":"advisor"}"#, None),
    ] {
        let messages = [Message::Assistant(vec![sealed("anthropic", block)])];
        assert_eq!(beta(&request(System::fixed(""), &[], &messages)), expected, "{block}");
        let messages = [Message::Assistant(vec![sealed("openai", block)])];
        assert_eq!(beta(&request(System::fixed(""), &[], &messages)), None, "{block}");
    }
}

#[test]
fn three_cache_breakpoints_are_set() {
    let system = System {
        text: "fixed, changing",
        static_len_bytes: 5,
    };
    let messages = [user("cache_control"), user("Go.")];
    let text = text(&request(system, &TOOLS, &messages));
    assert_eq!(text.matches(r#""cache_control":{"type":"ephemeral"}"#).count(), 3);
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        ".{0,12}".prop_map(Part::Text),
        ("[a-z.]{1,6}", "[a-z]{1,3}", ".{0,9}").prop_filter_map("a call", |(id, name, text)| {
            let arguments = object(json!({ name: text, "n": 1 }));
            ToolCall::new(CallId::new(id)?, "read", arguments, None)
                .ok()
                .map(Part::Call)
        }),
        ("[a-z]{1,6}", ".{0,5}", ".{0,9}").prop_filter_map("a call", |(id, tool, raw)| {
            let (id, problem) = (CallId::new(id)?, String::new());
            Some(Part::Malformed(MalformedCall { id, tool, raw, problem }))
        }),
        ("anthropic|openai", ".{0,9}").prop_map(|(format, text)| {
            let format = if format == FORMAT { FORMAT } else { "openai" };
            sealed(format, &json!({ "type": "thinking", "thinking": text }).to_string())
        }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let result = ("[a-z.]{1,6}", ".{0,9}", any::<bool>()).prop_filter_map("an id", |(id, content, ok)| {
        Some(CallResult {
            id: CallId::new(id)?,
            tool: "read".to_owned(),
            outcome: if ok { FinishOutcome::Ok } else { FinishOutcome::Timeout },
            content,
        })
    });
    prop_oneof![
        ".{0,20}".prop_map(|text| Message::User { text }),
        prop::collection::vec(any_part(), 0..5).prop_map(Message::Assistant),
        prop::collection::vec(result, 0..4).prop_map(Message::Results),
    ]
}

proptest! {
    #[test]
    fn body_of_a_turn_is_a_prefix_of_the_next(messages in prop::collection::vec(any_message(), 1..9), turn in any::<prop::sample::Index>()) {
        let ask = |messages| text(&request(System::fixed("Be brief."), &TOOLS, messages));
        let (earlier, later) = (ask(&messages[..turn.index(messages.len())]), ask(&messages));
        let earlier = earlier.strip_suffix("]}").unwrap_or("not closed");
        prop_assert!(later.starts_with(earlier), "{earlier}\n{later}");
        let whole: Result<Value, _> = serde_json::from_str(&later);
        prop_assert!(whole.is_ok(), "{later}");
    }
}
