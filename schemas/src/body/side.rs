//! Kinds 15, 16 and 20: events, erasure, peers.

use super::action::Order;
use crate::code::codes;
use crate::digest::{Commitment, Digest, LedgerId};
use crate::field::map_struct;
use crate::list::{Bytes, Doc};
use crate::number::Seq;
use crate::payload::PayloadRef;

codes! {
    /// What happened. The list is closed; codes up to 63 are reserved.
    EventCode 63 {
        /// The host's clock stepped back and was clamped.
        ClockStepped = 1 "clock-stepped",
        /// A person gave a further instruction.
        Instruction = 2 "instruction",
        /// Nobody answered an ask in time.
        ApprovalExpired = 3 "approval-expired",
        /// An append failed earlier.
        AppendRefused = 4 "append-refused",
        /// A handler failed.
        HandlerFailed = 5 "handler-failed",
        /// The run was halted.
        Halted = 6 "halted",
        /// A person interrupted the run.
        Interrupted = 7 "interrupted",
        /// A person reviewed an entry.
        Review = 8 "review",
        /// Something a reader should know.
        Warning = 9 "warning",
    }
}

map_struct! {
    /// `session.event`
    SessionEvent {
        1 code: EventCode ["What happened."];
        2 about: Option<Seq> ["The entry it is about."];
        ? 3 detail: PayloadRef ["More."];
    }
}

codes! {
    /// Why a payload was erased.
    ErasureGround 15 {
        /// No ground is given.
        Unspecified = 0 "unspecified",
        /// A person asked for it.
        Request = 1 "request",
        /// The time of keeping is over.
        Retention = 2 "retention",
        /// It should not have been recorded.
        Mistake = 3 "mistake",
    }
}

map_struct! {
    /// `payload.erased`
    PayloadErased {
        1 entry: Seq ["The entry that committed to it."];
        2 commitment: Commitment ["Its commitment."];
        3 ground: ErasureGround ["Why."];
        4 order: Order ["Order of the principal or the custodian."];
    }
}

codes! {
    /// Which way something crossed the boundary.
    Direction 1 {
        /// To the other ledger.
        Out = 0 "out",
        /// From the other ledger.
        In = 1 "in",
    }
}

map_struct! {
    /// `peer.noted`
    PeerNoted {
        1 exchange: Bytes<16> ["Id of the exchange, the same on both sides."];
        2 direction: Direction ["Which way."];
        3 ledger: LedgerId ["The other ledger."];
        4 entry: Digest ["Digest of the entry there."];
        5 checkpoint: Doc ["A checkpoint of the other ledger."];
        6 own_entry: Option<Seq> ["The entry here."];
    }
}
