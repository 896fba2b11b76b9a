//! What a ledger tells, without who tells it and when: two runs of the same story have the same tale, whatever the model.
//!
//! Left out are times, DIDs, digests, salts, tokens, costs, the names of models, and what a model was asked; each of them
//! may differ between two runs that did the same.

use std::path::Path;

use serde_json::Value;

use super::Checked;
use super::stored::{Stored, log};

/// The lines of a tale, one for each entry, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tale(Vec<String>);

impl Tale {
    /// Reads a ledger.
    pub(crate) fn of(ledger: &Path) -> Checked<Self> {
        let stored = Stored::read(ledger)?;
        let line = |entry: &Value| line(entry, &stored);
        log(ledger)?.iter().map(line).collect::<Checked<_>>().map(Self)
    }

    /// Fails unless both are the same, and shows where they are not: `-` only here, `+` only in `other`.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        assert!(
            self == other,
            "the ledgers tell different tales:\n{}",
            self.difference(other)
        );
    }

    fn difference(&self, other: &Self) -> String {
        let (one, other) = (&self.0, &other.0);
        // Length of the longest common tale from here on (Hunt and McIlroy 1976, the quadratic table of it).
        let mut common = vec![vec![0_usize; other.len() + 1]; one.len() + 1];
        for left in (0..one.len()).rev() {
            for right in (0..other.len()).rev() {
                common[left][right] = match one[left] == other[right] {
                    true => common[left + 1][right + 1] + 1,
                    false => common[left + 1][right].max(common[left][right + 1]),
                };
            }
        }
        let (mut left, mut right, mut lines) = (0, 0, Vec::new());
        while left < one.len() || right < other.len() {
            if left < one.len() && right < other.len() && one[left] == other[right] {
                lines.push(format!("  {left:3} {}", one[left]));
                (left, right) = (left + 1, right + 1);
            } else if right == other.len() || (left < one.len() && common[left + 1][right] >= common[left][right + 1]) {
                lines.push(format!("- {left:3} {}", one[left]));
                left += 1;
            } else {
                lines.push(format!("+ {right:3} {}", other[right]));
                right += 1;
            }
        }
        lines.join("\n")
    }
}

fn line(entry: &Value, stored: &Stored) -> Checked<String> {
    let (kind, body) = (text(&entry["kind"]), &entry["body"]);
    let payload = |slot: u64| -> Option<String> {
        let bytes = stored.payload(entry["seq"].as_u64()?, slot)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let told = |slot: u64| payload(slot).unwrap_or_default();
    let rest = match kind {
        "identity.introduced" => {
            let subject = &body["credential"]["credentialSubject"];
            format!("{} {} {}", body["role"], subject["name"], subject["grant"]["tools"])
        }
        "action.requested" => format!("{} {} advice {}", body["tool"], told(0), body["advice"]),
        "decision.made" => format!("request {} {} {}", body["request"], body["outcome"], body["parts"]),
        "approval.entered" => format!("decision {} {}", body["decision"], body["verdict"]),
        "action.finished" => format!("decision {} {} {:?}", body["decision"], body["outcome"], told(0)),
        "model.answered" => format!("call {} {} {}", body["call"], body["outcome"], answer(&told(0))?),
        "advice.requested" => format!("advisor {} {:?}", body["advisor"], told(0)),
        "advice.given" => format!("question {} answer {} {:?}", body["question"], body["answer"], told(0)),
        "instance.stopped" => format!("{} {}", body["instance"], body["reason"]),
        "run.ended" => format!("{} {:?}", body["reason"], told(0)),
        "session.event" => format!("{} about {}", body["code"], body["about"]),
        "ledger.closed" => format!("open {}", body["open_items"]),
        _ => String::new(),
    };
    Ok(format!("{} {kind} {rest}", text(&entry["agent"])))
}

/// What an answer says and proposes; not its ids, and not what went wrong before it came.
fn answer(payload: &str) -> Checked<String> {
    if payload.is_empty() {
        return Ok("nothing".to_owned());
    }
    let answer: Value = serde_json::from_str(payload)?;
    let calls = answer["calls"].as_array().ok_or("an answer has calls")?.iter();
    let calls = calls.map(|call| format!("{} {} {}", call["tool"], call["arguments"], call["advice"]));
    Ok(format!("{} {:?}", answer["text"], calls.collect::<Vec<_>>()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::story::{other_story, story};
    use super::*;

    #[test]
    fn two_demos_have_the_same_tale() -> Checked {
        let (one, other) = (Tale::of(&story().ledger())?, Tale::of(&other_story().ledger())?);
        one.assert_same(&other);
        assert!(
            one.0
                .iter()
                .any(|line| line.contains("action.finished") && line.contains("all 4 checks hold"))
        );
        Ok(())
    }

    #[test]
    fn difference_shows_what_is_only_on_one_side() {
        let tale = |lines: &[&str]| Tale(lines.iter().map(|line| (*line).to_owned()).collect());
        let shown = tale(&["a", "b", "c"]).difference(&tale(&["a", "x", "c", "d"]));
        assert_eq!(shown, "    0 a\n-   1 b\n+   1 x\n    2 c\n+   3 d");
    }
}
