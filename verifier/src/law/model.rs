//! `model.called` and `model.answered`: budgets, and what the answer proposed (authority-v1 §5.5, §5.6).

use countersign_identity::jcs;
use countersign_schemas::body::{AnswerOutcome, ModelAnswered, ModelCalled, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::account::Amount;
use super::entry::Entry;
use super::findings::Findings;
use super::instance::{Instance, Proposals};
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// Largest response document that is looked into, in bytes.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A model call without an answer.
#[derive(Debug, Clone)]
pub(super) struct OpenCall {
    pub(super) author: Seq,
    /// The agent whose grant chain pays.
    charged: Option<Seq>,
    reserve: Amount,
}

kept!(OpenCall {
    author,
    charged,
    reserve
});

/// A call that is entered.
pub(super) struct Called {
    seq: Seq,
    call: OpenCall,
}

impl Called {
    pub(super) fn apply(self, law: &mut Law) {
        if let Some(charged) = self.call.charged {
            law.grants
                .each_account(charged, |account| account.reserve(self.call.reserve));
        }
        if let Some(author) = law.instances.get_mut(&self.call.author) {
            author.open_call = Some(self.seq);
        }
        law.model_calls.insert(self.seq, self.call);
    }
}

pub(super) fn check_call(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &ModelCalled,
    out: &mut Findings,
) -> Option<Change> {
    if let Some(open) = author.open_call {
        out.breach(
            Code::A5,
            format_args!("an answer to the call at {open}"),
            "another call",
        );
    }
    let reserve = Amount::from(&body.reserve);
    out.require(reserve.0[0] >= 1, Code::G6, "at least one call reserved", "none");
    let charged = payer(law, author, out);
    if let Some(payer) = charged {
        law.require_unrevoked(payer, out);
        if let Some((grant, dimension)) = law.grants.overflowing(payer, reserve) {
            out.breach(
                Code::G6,
                format_args!("{dimension} of the grant at {grant} below 2^53"),
                "a greater sum",
            );
        } else if let Some((grant, dimension)) = law.grants.refusing(payer, reserve) {
            out.breach(
                Code::G6,
                format_args!("{dimension} left in the grant at {grant}"),
                "a reservation beyond it",
            );
        }
    }
    Some(Change::ModelCalled(Called {
        seq: entry.seq,
        call: OpenCall {
            author: author.seq,
            charged,
            reserve,
        },
    }))
}

/// Who pays: the agent itself, or the one whose question an advisor is answering.
fn payer(law: &Law, author: &Instance, out: &mut Findings) -> Option<Seq> {
    let payer = match author.role {
        Role::Advisor => {
            let question = law.open_question_to(author.seq);
            out.require(question.is_some(), Code::A5, "a question to answer", "none");
            question.map(|question| question.asked_by)
        }
        _ => Some(author.seq),
    };
    let payer = payer.filter(|payer| law.grants.at(*payer).is_some())?;
    let active = law.active_run_of(payer).is_some();
    out.require(active, Code::A5, "a model call within a run", "no run is active");
    Some(payer)
}

/// An answer that is entered.
pub(super) struct Answered {
    seq: Seq,
    author: Seq,
    call: Seq,
    charged: Option<Seq>,
    reserve: Amount,
    used: Amount,
    proposals: Proposals,
}

impl Answered {
    pub(super) fn apply(self, law: &mut Law) {
        law.model_calls.remove(&self.call);
        if let Some(charged) = self.charged {
            law.grants
                .each_account(charged, |account| account.settle(self.reserve, self.used));
        }
        if let Some(author) = law.instances.get_mut(&self.author) {
            if author.role == Role::Advisor {
                law.answers.insert(self.author, self.seq);
            }
            author.open_call = None;
            author.proposals = self.proposals;
        }
    }
}

pub(super) fn check_answer(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &ModelAnswered,
    out: &mut Findings,
) -> Option<Change> {
    let Some(call) = law.model_calls.get(&body.call).filter(|call| call.author == author.seq) else {
        out.breach(
            Code::A5,
            "an answer to an open call of its author",
            format_args!("entry {}", body.call),
        );
        return None;
    };
    let used = Amount::used(call.reserve.0[0], &body.tokens, body.cost);
    if let Some((grant, dimension)) = call.charged.and_then(|payer| law.grants.overflowing(payer, used)) {
        out.breach(
            Code::G6,
            format_args!("{dimension} of the grant at {grant} below 2^53"),
            "a greater sum",
        );
    }
    let calls = match (body.outcome, &body.response) {
        (AnswerOutcome::Ok, Some(_)) => entry.payload(0).map(calls_of),
        _ => Some(Vec::new()),
    };
    Some(Change::ModelAnswered(Answered {
        seq: entry.seq,
        author: author.seq,
        call: body.call,
        charged: call.charged,
        reserve: call.reserve,
        used,
        proposals: Proposals {
            answer: Some(entry.seq),
            calls,
        },
    }))
}

/// Names one tool call: SHA-256 of tool, a zero byte and the argument bytes. A tool's name holds no zero byte.
pub(super) fn digest_of_call(tool: &str, arguments: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(tool);
    hash.update([0]);
    hash.update(arguments);
    Digest::from_bytes(hash.finalize().into())
}

/// The calls in a response; none where it is not, down to its last call, the document of authority-v1 §5.6.
fn calls_of(response: &[u8]) -> Vec<Digest> {
    let Ok(document) = jcs::parse_canonical_within(response, RESPONSE_BYTES_MAX) else {
        return Vec::new();
    };
    let calls = document.get("calls").and_then(Value::as_array);
    let read = |call: &Value| {
        let tool = call.get("tool")?.as_str()?;
        let arguments = jcs::canonicalize(call.get("arguments")?).ok()?;
        Some(digest_of_call(tool, &arguments))
    };
    calls
        .and_then(|calls| calls.iter().map(read).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_canonical_responses_only() {
        let listed = digest_of_call("list", br#"{"path":"."}"#);
        let good = br#"{"calls":[{"arguments":{"path":"."},"id":"1","tool":"list"}],"text":"I look."}"#;
        assert_eq!(calls_of(good), [listed]);
        for bad in [
            &br#"{"calls": [{"arguments":{"path":"."},"tool":"list"}]}"#[..],
            br#"{"calls":{"arguments":{"path":"."},"tool":"list"}}"#,
            br#"{"calls":[{"arguments":{"path":"."}}]}"#,
            br#"{"calls":[{"arguments":{"path":"."},"tool":7}]}"#,
            br#"{"calls":[["list"]]}"#,
            br#"{"calls":[{"arguments":{"path":"."},"tool":"list"},5]}"#,
            br#"{"tool_calls":[]}"#,
            b"[]",
            b"",
            b"\xff",
        ] {
            assert_eq!(calls_of(bad), [], "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn tool_and_arguments_cannot_be_shifted() {
        assert_ne!(digest_of_call("a", b"b"), digest_of_call("ab", b""));
    }
}
