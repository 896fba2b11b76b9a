//! Who was introduced, and how far each has spoken.

use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_schemas::body::Role;
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};

use super::snapshot_values::{Kept, kept, malformed};

/// Whether an instance has stopped, and who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It may still speak.
    Running,
    /// It said so itself, under both of its keys.
    Own,
    /// Another instance said so: its last words may be missing.
    Declared,
    /// The runtime instance introduced here took over from it: its last words may be missing.
    Succeeded(Seq),
}

impl Kept for Stop {
    fn keep(&self, to: &mut Encoder) {
        match self {
            Self::Running => to.uint(0),
            Self::Own => to.uint(1),
            Self::Declared => to.uint(2),
            Self::Succeeded(by) => {
                to.uint(3);
                by.keep(to);
            }
        }
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match from.uint53()? {
            0 => Ok(Self::Running),
            1 => Ok(Self::Own),
            2 => Ok(Self::Declared),
            3 => Kept::restore(from).map(Self::Succeeded),
            _ => malformed(from, "stop"),
        }
    }
}

/// Tool calls that the last model answer of an agent proposed and no request has used.
#[derive(Debug, Clone, Default)]
pub(super) struct Proposals {
    /// The `model.answered`.
    pub(super) answer: Option<Seq>,
    /// Digests of tool and arguments; `None` where the response is absent, so that nothing can be told.
    pub(super) calls: Option<Vec<Digest>>,
}

kept!(Proposals { answer, calls });

/// One party of the ledger: a runtime, an agent, an advisor or an approver.
#[derive(Debug, Clone)]
pub struct Instance {
    pub(super) seq: Seq,
    pub(super) role: Role,
    pub(super) did: PeerDid,
    pub(super) name: String,
    pub(super) window: Window,
    /// Who introduced it; itself for the opener.
    pub(super) introduced_by: Seq,
    /// The runtime instance under which it was introduced, directly or through other agents.
    pub(super) runtime: Seq,
    /// The first of the runtime instances that succeeded one another, down to this one; itself for everybody else.
    pub(super) line: Seq,
    pub(super) run: Option<Seq>,
    pub(super) next_n: Count,
    pub(super) last_seq: Option<Seq>,
    pub(super) last_at: Millis,
    pub(super) stop: Stop,
    pub(super) proposals: Proposals,
    /// Its `model.called` that has no answer yet.
    pub(super) open_call: Option<Seq>,
}

kept!(Instance {
    seq,
    role,
    did,
    name,
    window,
    introduced_by,
    runtime,
    line,
    run,
    next_n,
    last_seq,
    last_at,
    stop,
    proposals,
    open_call
});

impl Instance {
    /// The `seq` of its introduction: its name in the ledger.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its DID, which holds its keys.
    #[must_use]
    pub fn did(&self) -> &PeerDid {
        &self.did
    }

    /// The name in its credential.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The window of its credential.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// Who introduced it; itself for the opener.
    #[must_use]
    pub fn introduced_by(&self) -> Seq {
        self.introduced_by
    }

    /// Whether a runtime introduced it; among agents that makes a lead.
    pub(super) fn is_introduced_by_runtime(&self) -> bool {
        self.introduced_by == self.runtime
    }

    /// The runtime instance under which it was introduced; itself for a runtime instance.
    #[must_use]
    pub fn runtime(&self) -> Seq {
        self.runtime
    }

    /// Whether it succeeded a runtime instance whose process died (authority-v1 §5.2.1).
    #[must_use]
    pub fn took_over(&self) -> bool {
        self.line != self.seq
    }

    /// Whether `other` stands in its line: it is this one, or one that this one succeeded, at once or over others.
    ///
    /// An instance succeeds at most one and is succeeded at most once, so a line never forks, and later instances of it
    /// have the greater `seq`.
    pub(super) fn stands_for(&self, other: &Self) -> bool {
        self.line == other.line && self.seq >= other.seq
    }

    /// The `run.started` it belongs to, if it belongs to one yet.
    #[must_use]
    pub fn run(&self) -> Option<Seq> {
        self.run
    }

    /// The counter that its next statement has.
    #[must_use]
    pub fn next_n(&self) -> Count {
        self.next_n
    }

    /// Its last entry, if it has spoken.
    #[must_use]
    pub fn last_seq(&self) -> Option<Seq> {
        self.last_seq
    }

    /// `at` of its last statement; 0 before the first.
    #[must_use]
    pub fn last_at(&self) -> Millis {
        self.last_at
    }

    /// Whether it has stopped.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// `last_n` and `last_seq` as its `instance.stopped` states them; 0 and its introduction if it never spoke.
    #[must_use]
    pub fn last_words(&self) -> (Count, Seq) {
        match self.last_seq {
            Some(seq) => (Count::clamped(self.next_n.get().saturating_sub(1)), seq),
            None => (Count::ZERO, self.seq),
        }
    }

    /// Counts one statement of it.
    pub(super) fn spoke(&mut self, seq: Seq, n: Count, at: Millis) {
        self.next_n = n.next();
        self.last_seq = Some(seq);
        self.last_at = at.max(self.last_at);
    }
}
