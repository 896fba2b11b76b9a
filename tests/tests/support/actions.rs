//! Who wanted to do what, and what became of it, joined from the entries of a ledger.

use std::path::Path;

use serde_json::Value;

use super::Checked;
use super::stored::{Stored, log};

/// One request with everything that answers it.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) request: u64,
    pub(crate) agent: String,
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    /// `allow`, `deny`, `ask` or `could-not-evaluate`; nothing where no decision was made.
    pub(crate) outcome: Option<String>,
    /// `check/rule` of every rule that speaks in the decision.
    pub(crate) rules: Vec<String>,
    /// The answer to an ask: `given` or `refused`.
    pub(crate) verdict: Option<String>,
    /// `ok`, `error` and so on; nothing where it was not executed.
    pub(crate) finished: Option<String>,
    pub(crate) result: Option<String>,
    /// The request's advice: relation words.
    pub(crate) advice: Vec<String>,
}

impl Action {
    /// Whether the ledger permits it: an allow, or an ask that was answered with yes.
    pub(crate) fn is_permitted(&self) -> bool {
        match self.outcome.as_deref() {
            Some("allow") => true,
            Some("ask") => self.verdict.as_deref() == Some("given"),
            _ => false,
        }
    }

    /// Whether it was refused and nothing was executed.
    pub(crate) fn is_refused(&self) -> bool {
        self.outcome.is_some() && !self.is_permitted() && self.finished.is_none()
    }

    /// Whether a rule of this name speaks in the decision.
    pub(crate) fn has_rule(&self, rule: &str) -> bool {
        self.rules.iter().any(|found| found == rule)
    }

    /// An argument's text.
    pub(crate) fn argument(&self, name: &str) -> &str {
        self.arguments[name].as_str().unwrap_or_default()
    }
}

/// All actions of a ledger, in the order of their requests.
pub(crate) fn actions(ledger: &Path) -> Checked<Vec<Action>> {
    let entries = log(ledger)?;
    let stored = Stored::read(ledger)?;
    let requests = entries.iter().filter(|entry| entry["kind"] == "action.requested");
    requests.map(|request| join(request, &entries, &stored)).collect()
}

fn join(request: &Value, entries: &[Value], stored: &Stored) -> Checked<Action> {
    let seq = number(request);
    let answers = |kind: &str, field: &str, to: Option<&Value>| {
        let to = number(to?);
        entries
            .iter()
            .find(|entry| entry["kind"] == kind && entry["body"][field] == to)
    };
    let decision = answers("decision.made", "request", Some(request));
    let approval = answers("approval.entered", "decision", decision);
    let finished = answers("action.finished", "decision", decision);
    let arguments = stored.payload(seq, 0).map_or(Ok(Value::Null), serde_json::from_slice)?;
    let result = finished.and_then(|entry| stored.payload(number(entry), 0));
    Ok(Action {
        request: seq,
        agent: text(&request["agent"]),
        tool: text(&request["body"]["tool"]),
        arguments,
        outcome: decision.map(|entry| text(&entry["body"]["outcome"])),
        rules: decision.map(rules).unwrap_or_default(),
        verdict: approval.map(|entry| text(&entry["body"]["verdict"])),
        finished: finished.map(|entry| text(&entry["body"]["outcome"])),
        result: result.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        advice: elements(&request["body"]["advice"])
            .iter()
            .map(|cited| text(&cited["relation"]))
            .collect(),
    })
}

fn rules(decision: &Value) -> Vec<String> {
    let parts = elements(&decision["body"]["parts"]).iter();
    parts
        .flat_map(|part| {
            let check = text(&part["check"]);
            elements(&part["rules"])
                .iter()
                .map(move |rule| format!("{check}/{}", text(rule)))
        })
        .collect()
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(entry: &Value) -> u64 {
    entry["seq"].as_u64().unwrap_or(u64::MAX)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
