//! The server refuses what the real ones refuse, in their words and shapes.

use serde_json::{Value, json};

use super::player::{Heard, Player};
use super::raw_client::ask;
use super::server::{Provider, Setup};
use super::server_tests::{TASK, TOOLS, WIRES, setup};
use super::wire::Wire;
use crate::support::Checked;

/// A change of a second request, and what the server says of it.
type Case = (fn(&mut Player, &Heard), u16, &'static str);

/// Sends the second request of a conversation after `change`.
fn second_request(wire: Wire, change: fn(&mut Player, &Heard)) -> Checked<(u16, String)> {
    let provider = Provider::start(setup()?)?;
    let mut player = Player::new(wire, TASK, &TOOLS);
    let heard = player.turn(&provider)?;
    player.results(&heard);
    change(&mut player, &heard);
    let answer = player.send(&provider)?;
    let message = answer.json()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let recorded = provider.requests().pop().ok_or("it is recorded")?;
    assert_eq!(recorded.problem.is_some(), answer.status != 200);
    Ok((answer.status, message))
}

fn check(wire: Wire, cases: &[Case]) -> Checked {
    assert_eq!(
        second_request(wire, |_, _| {})?.0,
        200,
        "the request is right without a change"
    );
    for (number, (change, status, words)) in cases.iter().enumerate() {
        let (found, message) = second_request(wire, *change)?;
        assert!(
            found == *status && message.contains(words),
            "case {number}: {found} {message}"
        );
    }
    Ok(())
}

fn remove(value: &mut Value, name: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(name);
    }
}

#[test]
fn messages_api_refuses_what_breaks_its_rules() -> Checked {
    let cases: &[Case] = &[
        (
            |p, _| remove(&mut p.body, "max_tokens"),
            400,
            "max_tokens: Field required",
        ),
        (|p, _| p.body["max_tokens"] = 0.into(), 400, "max_tokens"),
        (|p, _| p.body["model"] = "claude-else".into(), 404, "claude-else"),
        (|p, _| p.body["stream"] = false.into(), 400, "streams"),
        (|p, _| p.body["max_output_tokens"] = 5.into(), 400, "Extra inputs"),
        (
            |p, _| p.body["messages"][1]["name"] = "x".into(),
            400,
            "messages.1.name: Extra inputs",
        ),
        (|p, _| p.body["messages"] = json!([]), 400, "at least one message"),
        (
            |p, _| p.body["messages"][0]["role"] = "assistant".into(),
            400,
            "roles must alternate",
        ),
        (
            |p, _| p.body["messages"][0]["role"] = "system".into(),
            400,
            "Unexpected role",
        ),
        (|p, _| p.list().truncate(2), 400, "prefill"),
        (|p, _| drop(p.list().remove(1)), 400, "unexpected `tool_use_id`"),
        (
            |p, _| p.list().push(json!({ "role": "assistant", "content": "And on." })),
            400,
            "prefill",
        ),
        (
            |p, _| p.list().insert(2, json!({ "role": "assistant", "content": "And on." })),
            400,
            "roles must alternate",
        ),
        (
            |p, _| p.body["messages"][2]["content"] = json!("no results"),
            400,
            "without `tool_result` blocks",
        ),
        (
            |p, _| drop(p.body["messages"][2]["content"].as_array_mut().map(|c| c.remove(0))),
            400,
            "toolu_01",
        ),
        (
            |p, _| p.body["messages"][2]["content"][0]["tool_use_id"] = "toolu_x".into(),
            400,
            "unexpected `tool_use_id`",
        ),
        (
            |p, _| p.body["messages"][2]["content"][1] = p.body["messages"][2]["content"][0].clone(),
            400,
            "a single result",
        ),
        (
            |p, _| p.body["messages"][2]["content"][0]["is_error"] = 1.into(),
            400,
            "boolean",
        ),
        (
            |p, _| p.body["messages"][1]["content"][0]["thinking"] = "Other.".into(),
            400,
            "cannot be modified",
        ),
        (
            |p, _| p.body["messages"][1]["content"][0]["signature"] = "x".into(),
            400,
            "cannot be modified",
        ),
        (
            |p, _| drop(p.body["messages"][1]["content"].as_array_mut().map(|c| c.remove(1))),
            400,
            "cannot be modified",
        ),
        (
            |p, _| {
                p.body["messages"][1]["content"]
                    .as_array_mut()
                    .map_or((), |c| c.swap(0, 2))
            },
            400,
            "must start with",
        ),
        (
            |p, _| p.body["messages"][1]["content"][2]["text"] = " \n".into(),
            400,
            "non-whitespace",
        ),
        (
            |p, _| p.body["messages"][1]["content"][2]["text"] = "I never said that.".into(),
            400,
            "not what the model said",
        ),
        (
            |p, _| p.body["messages"][1]["content"][3]["input"] = "{}".into(),
            400,
            "valid dictionary",
        ),
        (
            |p, _| p.body["messages"][1]["content"][3]["input"]["path"] = "/".into(),
            400,
            "not what the model said",
        ),
        (
            |p, _| p.body["messages"][1]["content"][3]["id"] = "a.b".into(),
            400,
            "pattern",
        ),
        (
            |p, _| p.body["messages"][1]["content"][4]["id"] = p.body["messages"][1]["content"][3]["id"].clone(),
            400,
            "unique",
        ),
        (
            |p, _| p.body["tools"][0]["name"] = "list.all".into(),
            400,
            "tools.0.name: String should match",
        ),
        (|p, _| p.body["tools"][0]["name"] = "write".into(), 400, "unique"),
        (
            |p, _| p.body["tools"][0]["input_schema"] = json!({}),
            400,
            "tools.0.input_schema.type: Field required",
        ),
        (
            |p, _| p.body["system"] = json!([{ "type": "text", "text": "" }]),
            400,
            "non-empty",
        ),
        (
            |p, _| p.body["thinking"] = json!({ "type": "enabled", "budget_tokens": 4096 }),
            400,
            "budget_tokens",
        ),
        (
            |p, _| {
                let text = json!({ "type": "text", "text": "s", "cache_control": { "type": "ephemeral" } });
                p.body["system"] = json!(vec![text; 5]);
            },
            400,
            "A maximum of 4 blocks",
        ),
        (
            |p, _| p.body["cache_control"] = json!({ "type": "ephemeral", "ttl": "2h" }),
            400,
            "cache_control",
        ),
    ];
    check(Wire::Messages, cases)
}

#[test]
fn responses_api_refuses_what_breaks_its_rules() -> Checked {
    let cases: &[Case] = &[
        (|p, _| p.body["max_tokens"] = 9.into(), 400, "max_tokens"),
        (|p, _| p.body["max_output_tokens"] = 9.into(), 400, "at least 16"),
        (|p, _| p.body["model"] = "gpt-else".into(), 404, "gpt-else"),
        (
            |p, _| drop(p.list().remove(1)),
            400,
            "without its required 'reasoning' item",
        ),
        (|p, _| p.list().swap(1, 2), 400, "reasoning stands before"),
        (
            |p, _| p.body["input"][1]["encrypted_content"] = "gAAA".into(),
            400,
            "'reasoning' item",
        ),
        (
            |p, _| remove(&mut p.body["input"][1], "encrypted_content"),
            404,
            "not persisted when `store` is set to false",
        ),
        (|p, _| p.list().truncate(2), 400, "without its required following item"),
        (
            |p, _| p.body["input"][2]["content"][0]["type"] = "input_text".into(),
            400,
            "input_text",
        ),
        (
            |p, _| p.body["input"][2]["content"][0]["text"] = "Else.".into(),
            400,
            "not what the model said",
        ),
        (|p, _| p.body["input"][3]["arguments"] = "{".into(), 400, "no JSON"),
        (
            |p, _| p.body["input"][3]["id"] = "call_1".into(),
            400,
            "begins with 'fc'",
        ),
        (
            |p, _| p.body["input"][4]["call_id"] = p.body["input"][3]["call_id"].clone(),
            400,
            "Duplicate call_id",
        ),
        (
            |p, _| p.body["input"][5]["call_id"] = "call_x".into(),
            400,
            "No tool call found for function call output",
        ),
        (
            |p, _| drop(p.list().pop()),
            400,
            "No tool output found for function call",
        ),
        (
            |p, _| p.body["input"][6]["call_id"] = p.body["input"][5]["call_id"].clone(),
            400,
            "Duplicate output",
        ),
        (|p, _| p.body["input"][5]["output"] = json!({}), 400, "valid string"),
        (
            |p, _| p.body["tools"][0]["parameters"]["type"] = "array".into(),
            400,
            "'object'",
        ),
        (
            |p, _| p.body["tools"][0]["strict"] = true.into(),
            400,
            "Missing 'advice'",
        ),
        (
            |p, _| remove(&mut p.body["tools"][1], "strict"),
            400,
            "not what the model said",
        ),
        (|p, _| p.body["tools"][0]["name"] = "a b".into(), 400, "pattern"),
    ];
    check(Wire::Responses, cases)
}

#[test]
fn chat_completions_refuse_what_breaks_their_rules() -> Checked {
    let cases: &[Case] = &[
        (|p, _| p.body["max_tokens"] = 9.into(), 400, "max_completion_tokens"),
        (|p, _| p.body["model"] = "gpt-else".into(), 404, "gpt-else"),
        (|p, _| p.body["system"] = "s".into(), 400, "system"),
        (|p, _| p.body["tools"] = json!([]), 400, "empty array"),
        (|p, _| p.body["messages"] = json!([]), 400, "empty array"),
        (|p, _| p.body["messages"][1]["role"] = "person".into(), 400, "person"),
        (
            |p, _| remove(&mut p.body["messages"][3], "tool_call_id"),
            400,
            "tool_call_id",
        ),
        (
            |p, _| p.body["messages"][3]["tool_call_id"] = "call_x".into(),
            400,
            "must be a response to a preceeding message",
        ),
        (|p, _| drop(p.list().pop()), 400, "must be followed by tool messages"),
        (
            |p, _| p.list().insert(3, json!({ "role": "user", "content": "x" })),
            400,
            "must be followed by tool messages",
        ),
        (
            |p, _| p.body["messages"][2]["content"] = "Else.".into(),
            400,
            "not what the model said",
        ),
        (
            |p, _| p.body["messages"][2]["tool_calls"][0]["index"] = 0.into(),
            400,
            "index",
        ),
        (
            |p, _| p.body["messages"][2]["tool_calls"][0]["function"]["arguments"] = json!({}),
            400,
            "valid string",
        ),
        (
            |p, _| p.body["messages"][2]["tool_calls"][0]["function"]["arguments"] = "{}".into(),
            400,
            "not what the model said",
        ),
        (
            |p, _| p.body["messages"][2] = json!({ "role": "assistant" }),
            400,
            "got null",
        ),
        (
            |p, _| p.body["tools"][0]["function"]["name"] = "".into(),
            400,
            "pattern",
        ),
        (
            |p, _| p.body["tools"][0]["function"]["strict"] = true.into(),
            400,
            "Missing 'advice'",
        ),
        (
            |p, _| {
                remove(&mut p.body, "tools");
                p.body["tool_choice"] = "auto".into();
            },
            400,
            "only allowed when 'tools'",
        ),
    ];
    check(Wire::Chat, cases)
}

#[test]
fn advice_is_said_only_where_a_tool_takes_it() -> Checked {
    for wire in WIRES {
        let provider = Provider::start(setup()?)?;
        let mut player = Player::new(wire, TASK, &TOOLS);
        for tool in player.body["tools"].as_array_mut().ok_or("tools")? {
            let function = if wire == Wire::Chat {
                &mut tool["function"]
            } else {
                tool
            };
            for name in ["input_schema", "parameters"] {
                if !function[name].is_null() {
                    function[name]["properties"] = json!({});
                } else {
                    remove(function, name);
                }
            }
        }
        let heard = player.turn(&provider)?;
        player.results(&heard);
        let answer = player.send(&provider)?;
        let message = answer.json()["error"]["message"].to_string();
        assert!(
            answer.status == 400 && message.contains("has no such input"),
            "{wire:?} {message}"
        );
    }
    Ok(())
}

#[test]
fn keys_are_asked_for() -> Checked {
    for wire in WIRES {
        let provider = Provider::start(setup()?)?;
        let mut player = Player::new(wire, TASK, &TOOLS);
        for key in [None, Some("another-key")] {
            player.key = key;
            let answer = player.send(&provider)?;
            assert_eq!(answer.status, 401, "{wire:?} {key:?}");
            let error = &answer.json()["error"];
            let kind = if wire == Wire::Messages {
                "authentication_error"
            } else {
                "invalid_request_error"
            };
            assert_eq!(error["type"], kind);
        }
    }
    Ok(())
}

#[test]
fn bodies_have_to_be_json_and_say_so() -> Checked {
    let provider = Provider::start(setup()?)?;
    let headers = [
        ("x-api-key", super::player::KEY),
        ("anthropic-version", "2023-06-01"),
        ("content-type", "application/json"),
    ];
    let status = |headers: &[(&str, &str)], body: &str| -> Checked<u16> {
        Ok(ask(&provider, "POST", "/v1/messages", headers, body)?.status)
    };
    assert_eq!(status(&headers, "{\"model\":")?, 400);
    assert_eq!(status(&headers, "\"text\"")?, 400);
    let body = Player::new(Wire::Messages, TASK, &[]).body.to_string();
    assert_eq!(status(&headers, &body)?, 200);
    assert_eq!(status(&headers[..2], &body)?, 400, "no content-type");
    assert_eq!(status(&[headers[0], headers[2]], &body)?, 400, "no version");
    assert_eq!(
        status(&[headers[0], ("anthropic-version", "2099-01-01"), headers[2]], &body)?,
        400
    );
    let newer = [headers[0], ("anthropic-version", "2026-10-21"), headers[2]];
    assert_eq!(status(&newer, &body)?, 200);
    let hot = body.replacen('{', "{\"temperature\":1.0,", 1);
    assert_eq!((status(&headers, &hot)?, status(&newer, &hot)?), (200, 400));
    let bearer = [("authorization", "Bearer test-key"), headers[1], headers[2]];
    assert_eq!(status(&bearer, &body)?, 200);
    assert_eq!(ask(&provider, "POST", "/v2/messages", &headers, &body)?.status, 404);
    Ok(())
}

#[test]
fn nobody_speaks_for_whom_the_script_does_not_know() -> Checked {
    let provider = Provider::start(setup()?)?;
    let answer = Player::new(Wire::Chat, "Who are you?", &TOOLS).send(&provider)?;
    assert_eq!(answer.status, 400);
    let failing = r#"{"schema":"countersign.script/v1","agents":{"lead":[{"error":"the model is tired"}]}}"#;
    let provider = Provider::start(Setup::new(failing, TASK)?.key(super::player::KEY))?;
    let answer = Player::new(Wire::Chat, TASK, &TOOLS).send(&provider)?;
    assert_eq!(
        (answer.status, &answer.json()["error"]["message"]),
        (400, &json!("the model is tired"))
    );
    Ok(())
}
