//! Kinds 17 to 19: stopping, closing, going on after a loss.

use crate::code::codes;
use crate::digest::Digest;
use crate::field::map_struct;
use crate::list::Doc;
use crate::number::{Count, Seq, Size};

codes! {
    /// Why an instance stopped.
    StopReason 15 {
        /// Its work is done.
        Done = 0 "done",
        /// It failed.
        Failed = 1 "failed",
        /// A budget or policy halted it.
        Halted = 2 "halted",
        /// A person interrupted it.
        Interrupted = 3 "interrupted",
        /// Its process died.
        Crashed = 4 "crashed",
        /// Its authority was withdrawn.
        Revoked = 5 "revoked",
        /// Anything else.
        Other = 15 "other",
    }
}

map_struct! {
    /// `instance.stopped`
    InstanceStopped {
        1 instance: Seq ["Introduction of the instance that stops."];
        2 reason: StopReason ["Why."];
        3 last_n: Count ["Counter of its last statement before this one."];
        4 last_seq: Seq ["Place of its last entry before this one."];
    }
}

map_struct! {
    /// `ledger.closed`
    LedgerClosed {
        1 size: Size ["Entries before this one."];
        2 root: Digest ["Root of the tree over them."];
        3 open_items: Count ["Requests, asks, allows and model calls left without an end; 0 for a clean close."];
    }
}

codes! {
    /// Why a ledger goes on shorter than it was.
    RecoveryReason 15 {
        /// Its tail was lost.
        LostTail = 0 "lost-tail",
        /// An older copy took its place.
        OldCopy = 1 "old-copy",
    }
}

map_struct! {
    /// `ledger.recovered`
    LedgerRecovered {
        1 size: Size ["Entries found."];
        2 lost_head: Option<Doc> ["The head that says there were more."];
        3 reason: RecoveryReason ["Why."];
    }
}
