//! Arguments, grants and parts in a few words, fit to be looked at.

use countersign_identity::grant::{AbsolutePath, Grant, HostScope};
use countersign_schemas::body::Part;
use countersign_schemas::text::Name;
use serde_json::Value;

use crate::visible::visible;

/// Longest text of a stranger on one line, in characters.
const WORDS_MAX: usize = 72;

/// Text of a payload, cut.
pub(super) fn text(payload: Option<&[u8]>) -> String {
    payload.map_or_else(
        || "(absent)".to_owned(),
        |bytes| visible(&String::from_utf8_lossy(bytes), WORDS_MAX),
    )
}

/// What a call is about.
pub(super) fn arguments(tool: &str, arguments: Option<&[u8]>) -> String {
    let Some(bytes) = arguments else {
        return "(arguments absent)".to_owned();
    };
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return visible(&String::from_utf8_lossy(bytes), WORDS_MAX);
    };
    let member = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or("?");
    let words = match tool {
        "read" | "list" | "write" | "edit" => member("path").to_owned(),
        "glob" => member("pattern").to_owned(),
        "grep" => format!("{} in {}", member("pattern"), member("path")),
        "bash" | "bash_start" => member("command").to_owned(),
        "agent" => format!("{} {}: {}", member("type"), member("name"), member("task")),
        "advisor" | "ask_user" => member("question").to_owned(),
        "web_fetch" => member("url").to_owned(),
        "bash_read" | "bash_stop" => member("job").to_owned(),
        "merge" => member("branch").to_owned(),
        "todo" => member("items").to_owned(),
        "tool_schema" => member("tool").to_owned(),
        _ => document.to_string(),
    };
    visible(&words, WORDS_MAX)
}

/// Scope and budget of a grant.
pub(super) fn grant(grant: &Grant) -> String {
    let tools: Vec<&str> = grant.tools.iter().map(Name::as_str).collect();
    let effects: Vec<&str> = grant.effects.words().collect();
    let paths: Vec<&str> = grant.paths.iter().map(AbsolutePath::as_str).collect();
    let hosts: Vec<&str> = grant.hosts.iter().map(HostScope::as_str).collect();
    let budget = &grant.budget;
    format!(
        "tools {}; effects {}; paths {}; hosts {}; {} calls, {} + {} tokens, {} micro-USD; depth {}",
        or_none(&tools.join(", ")),
        or_none(&effects.join(", ")),
        or_none(&visible(&paths.join(", "), WORDS_MAX)),
        or_none(&visible(&hosts.join(", "), WORDS_MAX)),
        budget.calls,
        budget.tokens_in,
        budget.tokens_out,
        budget.cost_micro_usd,
        if grant.may_delegate { grant.depth } else { 0 },
    )
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// `check: outcome (rules)`.
pub(super) fn part(part: &Part) -> String {
    let rules: Vec<&str> = part.rules.iter().map(Name::as_str).collect();
    if rules.is_empty() {
        format!("{} {}", part.check, part.outcome)
    } else {
        format!("{} {} ({})", part.check, part.outcome, rules.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_shown_in_a_few_harmless_words() {
        assert_eq!(
            arguments("bash", Some(br#"{"command":"ls\n\u001b[2J"}"#)),
            "ls\\n\\u{1b}[2J"
        );
        assert_eq!(arguments("grep", Some(br#"{"path":".","pattern":"x"}"#)), "x in .");
        assert_eq!(
            arguments("web_fetch", Some(br#"{"url":"https://example.com/a"}"#)),
            "https://example.com/a"
        );
        assert_eq!(arguments("bash_stop", Some(br#"{"job":"j1"}"#)), "j1");
        assert_eq!(arguments("todo", Some(br#"{"items":"[ ] a"}"#)), "[ ] a");
        assert_eq!(arguments("read", Some(br"{}")), "?");
        assert_eq!(arguments("read", Some(b"\xff{")), "\u{fffd}{");
        assert_eq!(arguments("mcp/x", Some(br#"{"a":1}"#)), r#"{"a":1}"#);
        assert_eq!(arguments("read", None), "(arguments absent)");
        assert!(
            arguments(
                "bash",
                Some(format!(r#"{{"command":"{}"}}"#, "x".repeat(500)).as_bytes())
            )
            .ends_with("x…")
        );
    }
}
