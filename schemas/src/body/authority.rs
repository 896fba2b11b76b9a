//! Kinds 1 to 4: who may speak, and with what authority.

use serde_json::{Value, json};

use super::action::Order;
use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::code::codes;
use crate::digest::Digest;
use crate::field::{Field, map_struct};
use crate::list::Doc;
use crate::number::{Millis, Seq};
use crate::payload::PayloadRef;
use crate::text::{Did, Name};

codes! {
    /// What an introduced party may do.
    Role 3 {
        /// Gatekeeper and executor of one process.
        Runtime = 0 "runtime",
        /// Requests actions.
        Agent = 1 "agent",
        /// Recommends, and can do nothing else.
        Advisor = 2 "advisor",
        /// A person who may answer an ask; authors nothing.
        Approver = 3 "approver",
    }
}

codes! {
    /// The form of a key that has no DID.
    KeyForm 2 {
        /// An OpenSSH public key line.
        Ssh = 1 "ssh",
        /// A WebAuthn credential public key.
        WebAuthn = 2 "webauthn",
    }
}

/// Who is introduced: a DID in long form, or a bare key `[form, key]` of an approver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newcomer {
    /// A DID in long form.
    Did(Did),
    /// A key without a DID.
    Key(KeyForm, Doc),
}

impl Field for Newcomer {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Did(did) => did.encode(to),
            Self::Key(form, key) => {
                to.array(2);
                form.encode(to);
                key.encode(to);
            }
        }
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if from.next_is_text() {
            return Did::decode(from).map(Self::Did);
        }
        from.array(2, 2)?;
        Ok(Self::Key(Field::decode(from)?, Field::decode(from)?))
    }
    fn to_json(&self) -> Value {
        match self {
            Self::Did(did) => did.to_json(),
            Self::Key(form, key) => json!({ "form": form.as_str(), "key": key.to_json() }),
        }
    }
}

map_struct! {
    /// `identity.introduced`
    Introduced {
        1 did: Newcomer ["Who is introduced."];
        2 role: Role ["What it may do."];
        3 credential: Doc ["Its credential: identity, and for agents the first grant."];
        4 run: Option<Seq> ["The run it belongs to; null for what exists before the run."];
        ? 5 succeeds: Seq ["The introduction of the crashed instance it takes over from."];
        ? 6 parent_grant: Seq ["The entry that carries the parent grant."];
    }
}

map_struct! {
    /// `grant.issued`
    Granted {
        1 holder: Seq ["Introduction of the holder; 0 is the host."];
        2 credential: Doc ["The grant credential."];
        3 parent_grant: Seq ["The entry that carries the parent grant; 0 is the principal's own authority."];
        ? 4 spent_in: Digest ["The other ledger where it is spent."];
    }
}

codes! {
    /// Why authority is withdrawn.
    RevokeReason 15 {
        /// No reason is given.
        Unspecified = 0 "unspecified",
        /// The key may be in other hands.
        KeyCompromise = 1 "key-compromise",
        /// The work is over.
        Ceased = 2 "ceased",
        /// A person halted it.
        Halted = 3 "halted",
    }
}

map_struct! {
    /// `grant.revoked`
    Revoked {
        1 target: Seq ["The introduction or grant that is withdrawn."];
        2 reason: RevokeReason ["Why."];
        3 order: Option<Order> ["The person's order, if a person withdrew it."];
        ? 4 suspected_since: Millis ["Since when the key may have been in other hands; flags, does not undo."];
    }
}

codes! {
    /// Where a policy comes from; layers 0 and 1 may permit, the others only restrict.
    PolicyLayer 5 {
        /// Built into the program.
        Builtin = 0 "builtin",
        /// The organisation's.
        Organisation = 1 "organisation",
        /// The user's.
        User = 2 "user",
        /// The project's.
        Project = 3 "project",
        /// This session's.
        Session = 4 "session",
        /// A file given on the command line.
        File = 5 "file",
    }
}

map_struct! {
    /// `policy.adopted`
    PolicyAdopted {
        1 layer: PolicyLayer ["The layer it takes the place of."];
        2 policies: PayloadRef ["Cedar policies; class 1."];
        3 schema: PayloadRef ["Cedar schema; class 1."];
        4 entities: PayloadRef ["Cedar entities, JSON; class 1."];
        5 language: Name ["Language version, `cedar-4`."];
        ? 6 order: Order ["The principal's order, where one is needed."];
    }
}
