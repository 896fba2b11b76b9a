//! What a request is about, read from its arguments by whoever judges it first.
//!
//! Whoever decides asks three times: for the question, for the judgement and for its admission. The call, its arguments
//! and the workspace of its requester never change, so neither does what is read from them. Requests that nobody judges
//! are never read, and one that is decided forgets it: memory is that of the requests that wait.

use std::sync::OnceLock;

use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};

use super::snapshot_values::Kept;
use crate::projection::Subject;

/// The subject of one request; `None` inside where its arguments are not those of the tool.
#[derive(Debug, Clone, Default)]
pub(super) struct OnceRead(OnceLock<Option<Box<Subject>>>);

impl OnceRead {
    /// What a request for `tool` is about. The three must be those of the one request that this belongs to.
    pub(super) fn of(&self, tool: &str, arguments: &[u8], workspace: &str) -> Option<&Subject> {
        let read = || Subject::of(tool, arguments, workspace).ok().map(Box::new);
        self.0.get_or_init(read).as_deref()
    }
}

/// No part of the state.
impl Kept for OnceRead {
    fn keep(&self, _: &mut Encoder) {}

    fn restore(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use countersign_schemas::body::{Effects, Outcome};
    use countersign_schemas::digest::Digest;
    use countersign_schemas::number::{Millis, Seq};
    use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
    use countersign_schemas::text::Name;

    use super::*;
    use crate::law::action::{Actions, Decision, Request, standing_of};

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn request(tool: &str, arguments: &[u8]) -> Result<Request, Box<dyn std::error::Error>> {
        Ok(Request {
            author: Seq::clamped(3),
            tool: Name::new(tool)?,
            effects: Effects::READ,
            arguments_ref: PayloadRef::new(&Salt([0; 32]), arguments, PayloadClass::Content),
            arguments: Some(arguments.to_vec()),
            grant: Seq::clamped(3),
            received: Millis::ZERO,
            advised: false,
            digest: Digest::sha256(b"request"),
            decision: None,
            subject: OnceRead::default(),
        })
    }

    fn bytes(request: &Request) -> Vec<u8> {
        let mut out = Encoder::new();
        request.keep(&mut out);
        out.finish()
    }

    fn read(request: &Request) -> Option<&Subject> {
        request
            .subject
            .of(request.tool.as_str(), request.arguments.as_deref()?, "/w")
    }

    #[test]
    fn arguments_are_read_once_and_as_without_keeping() -> Tested {
        for (tool, arguments) in [
            ("read", &br#"{"path":"a"}"#[..]),
            ("bash", br#"{"command":"ls"}"#),
            ("mcp/x", br#"{"y":[]}"#),
        ] {
            let request = request(tool, arguments)?;
            assert_eq!(read(&request), Some(&Subject::of(tool, arguments, "/w")?));
            let kept = request.subject.of(tool, b"not looked at", "/w");
            assert_eq!(kept, read(&request));
        }
        Ok(())
    }

    #[test]
    fn arguments_of_another_tool_stay_unreadable() -> Tested {
        for arguments in [&b""[..], b"1", br#"{"command":"ls"}"#, br#"{"path": "a"}"#] {
            let request = request("read", arguments)?;
            assert_eq!((read(&request), read(&request)), (None, None));
        }
        Ok(())
    }

    #[test]
    fn what_was_read_is_no_part_of_the_state() -> Tested {
        let request = request("read", br#"{"path":"a"}"#)?;
        let unread = bytes(&request);
        read(&request).ok_or("no subject")?;
        assert_eq!(bytes(&request), unread);
        let restored = Request::restore(&mut Decoder::new(&unread))?;
        assert!(restored.subject.0.get().is_none());
        assert_eq!(read(&restored), read(&request));
        Ok(())
    }

    #[test]
    fn a_decision_forgets_what_was_read() -> Tested {
        for outcome in [Outcome::Allow, Outcome::Ask, Outcome::Deny] {
            let mut actions = Actions::default();
            let (seq, decision) = (Seq::clamped(7), Seq::clamped(8));
            actions.open(seq, request("read", br#"{"path":"a"}"#)?);
            assert!(
                actions.requests[&seq].subject.0.get().is_none(),
                "read before it is judged"
            );
            read(&actions.requests[&seq]).ok_or("no subject")?;
            actions.decide(
                decision,
                Decision {
                    request: seq,
                    author: Seq::ZERO,
                    expires: Millis::ZERO,
                    permitted_at: Millis::ZERO,
                    eligible: Vec::new(),
                    policies: Vec::new(),
                    digest: Digest::sha256(b"decision"),
                    standing: standing_of(outcome),
                    introduced: None,
                    question: None,
                },
            );
            let open = actions.requests.get(&seq);
            assert!(
                open.is_none_or(|request| request.subject.0.get().is_none()),
                "{outcome}"
            );
        }
        Ok(())
    }
}
