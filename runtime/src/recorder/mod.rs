//! The recorder: the one way from a statement into the ledger.
//!
//! Under one lock it stamps the author's counter, the time and the head that is seen, runs the law over the signed
//! result, and only then hands the record to the ledger. So the runtime cannot write what the
//! verifier would reject, and entries stand in the order in which they were judged.
//!
//! One process at a time appends to a ledger. In the others, which joined it (`joined`), the same recorder holds a
//! replica of the state and hands over what it signs; the one that appends takes that in (`host`).

mod entering;
mod error;
mod existing;
mod fold;
mod foresight;
mod heads;
mod hearing;
mod host;
mod instance;
mod joined;
mod joining;
mod leaving;
mod opening;
mod payload;
mod place;
mod recovery;
#[cfg(test)]
mod reopen_tests;
mod secret;
#[cfg(test)]
mod several_tests;
mod successor;
mod takeover;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use countersign_ledger::appender::Durable;
use countersign_ledger::cose::{self, AadLedger};
use countersign_ledger::handover::Server;
use countersign_ledger::layout::Slot;
use countersign_ledger::merkle::Frontier;
use countersign_ledger::store::Row;
use countersign_schemas::body::Body;
use countersign_schemas::chain;
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_verifier::law::{Entry, Law, SEEN_LAG_MAX};

use crate::clock::Clock;

pub use error::RecordError;
pub(crate) use existing::refuse_closed;
pub use existing::{Existing, OpenError};
use heads::{Beat, Heads};
pub use instance::{Instance, Newborn};
use joined::Pending;
pub use joining::Joining;
pub use opening::Authority;
pub use payload::Payload;
pub use place::Place;
pub use recovery::{HeadLoss, RecoverError, Recovery, WalLoss};
pub use secret::SignerError;
use writer::Writer;

/// Looks at the state's lock before a thread goes to sleep over it: about as long as one entry takes, since to sleep and to
/// be woken costs as much again.
const PATIENCE: u32 = 500;

/// A place in the ledger that is taken; whether it is durable is to be awaited.
#[must_use = "an entry that is not durable may still be lost"]
pub struct Entered {
    /// Place of the entry.
    pub seq: Seq,
    /// SHA-256 of its statement: how orders name it.
    pub digest: Digest,
    durable: Durable,
}

impl Entered {
    /// Waits until the entry survives a power cut.
    ///
    /// # Errors
    /// [`RecordError::Append`]: it is unknown whether the entry is on disk, and nothing more can be entered.
    pub async fn durable(self) -> Result<Seq, RecordError> {
        self.durable.await?;
        Ok(self.seq)
    }

    /// As [`Entered::durable`], on a thread that has nothing else to do.
    pub(crate) fn durable_blocking(self) -> Result<Seq, RecordError> {
        self.durable.wait()?;
        Ok(self.seq)
    }

    /// The place, for entries whose durability a later one of the same ledger will vouch for: entries become durable
    /// in order.
    #[expect(clippy::must_use_candidate, reason = "entering is often all that is wanted")]
    pub fn in_order(self) -> Seq {
        self.seq
    }
}

/// An open ledger with its runtime instance.
pub struct Recorder {
    ledger: LedgerId,
    runtime: Instance,
    /// Declared before what it shares, so that its thread has ended when the ledger is let go. None once that begins: no
    /// head may be signed between the last entry and the last head.
    beat: Option<Beat>,
    shared: Arc<Shared>,
}

/// What entries and heads are made of.
struct Shared {
    ledger: LedgerId,
    /// The ledger's file, where links are resolved.
    path: PathBuf,
    state: Mutex<State>,
    /// Notified when something changes that another process brought about.
    changed: Condvar,
    /// Held by whoever hands something over: a joined process has one thing under way.
    speaking: Mutex<()>,
    heads: Heads,
    /// Where other processes join, while this one appends.
    door: Mutex<Option<Server>>,
}

impl Shared {
    fn new(ledger: LedgerId, path: PathBuf, state: State, heads: Heads) -> Self {
        Self {
            ledger,
            path,
            state: Mutex::new(state),
            changed: Condvar::new(),
            speaking: Mutex::new(()),
            heads,
            door: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        for _ in 0..PATIENCE {
            match self.state.try_lock() {
                Ok(state) => return state,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        // A panic under the lock can only come before the law and the ledger changed together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    law: Law,
    clock: Clock,
    head: Link,
    tree: Frontier,
    writer: Writer,
    /// In a process that joined: what is waited for.
    pending: Option<Pending>,
}

impl State {
    /// Admits a signed entry by the law and hands it to the ledger; the state is unchanged if the law forbids it.
    fn take(&mut self, signed: Signed, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        let Writer::Own(own) = &mut self.writer else {
            return Err(RecordError::Bug("another process appends to the ledger"));
        };
        let row = signed.admit(&mut self.law, &self.tree, payloads)?;
        self.head = signed.link;
        self.tree.push(row.record());
        let durable = own.submit(row);
        Ok(Entered {
            seq: signed.seq,
            digest: signed.digest,
            durable,
        })
    }

    /// What `author` says at `at`, having seen everything up to here.
    fn statement(&self, author: &Instance, body: Body, at: Millis) -> Statement {
        Statement {
            by: author.seq(),
            // Somebody unknown to the law introduces itself, or is refused by it, whatever the count.
            n: self.law.next_n(author.seq()).unwrap_or_default(),
            at,
            seen: self.law.head(),
            body,
            ext: None,
        }
    }

    /// As [`State::statement`]; signed, but nowhere yet.
    fn sign(&self, ledger: LedgerId, author: &Instance, body: Body, at: Millis) -> Signed {
        let statement = self.statement(author, body, at);
        Signed::new(statement, at, self.head, AadLedger::Of(ledger), author)
    }

    /// Whether `statement` can still be entered as it was signed: its author has said nothing since, and it has seen
    /// enough.
    fn still_stands(&self, statement: &Statement) -> bool {
        let lag = self.law.head().size.get().saturating_sub(statement.seen.size.get());
        self.law.next_n(statement.by) == Some(statement.n) && lag <= SEEN_LAG_MAX
    }
}

impl Recorder {
    /// The ledger's id.
    #[must_use]
    pub const fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The gatekeeper and executor of this process.
    #[must_use]
    pub const fn runtime(&self) -> &Instance {
        &self.runtime
    }

    /// Asks the law's state something.
    pub fn with_law<T>(&self, question: impl FnOnce(&Law) -> T) -> T {
        question(&self.lock().law)
    }

    /// The time by the recorder's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.lock().clock.read()
    }

    /// Enters what the runtime instance says.
    ///
    /// # Errors
    /// As [`Recorder::enter`].
    pub fn enter_own(&self, body: Body, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        self.enter(&self.runtime, body, payloads)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

/// A signed statement, not yet anywhere.
struct Spoken {
    statement: Statement,
    digest: Digest,
    envelope: Vec<u8>,
}

impl Spoken {
    fn sign(statement: Statement, ledger: AadLedger, author: &Instance) -> Self {
        let encoded = statement.encode();
        Self {
            envelope: cose::sign(&encoded, statement.kind().signatures(), ledger, &author.secret),
            digest: Digest::sha256(&encoded),
            statement,
        }
    }

    fn placed(self, seq: Seq, received: Millis, prev: Link) -> Signed {
        Signed::placed(self.statement, self.digest, self.envelope, seq, received, prev)
    }
}

/// A signed statement with its place, not yet judged.
struct Signed {
    seq: Seq,
    received: Millis,
    prev: Link,
    statement: Statement,
    digest: Digest,
    envelope: Vec<u8>,
    record: Vec<u8>,
    link: Link,
}

impl Signed {
    /// Has `author` sign the statement, for the place behind what it has seen.
    fn new(statement: Statement, received: Millis, prev: Link, ledger: AadLedger, author: &Instance) -> Self {
        let seq = statement.seen.size.next_seq();
        Spoken::sign(statement, ledger, author).placed(seq, received, prev)
    }

    /// Gives a signed statement this place.
    fn placed(statement: Statement, digest: Digest, envelope: Vec<u8>, seq: Seq, received: Millis, prev: Link) -> Self {
        let record = Record {
            seq,
            received,
            prev,
            statement: envelope,
        };
        let bytes = record.encode();
        Self {
            seq,
            received,
            prev,
            digest,
            statement,
            envelope: record.statement,
            link: chain::link(&bytes),
            record: bytes,
        }
    }

    /// Runs the law over the entry and gives the row to be stored.
    fn admit(&self, law: &mut Law, tree: &Frontier, payloads: Vec<Payload>) -> Result<Row, RecordError> {
        let stored = payloads.into_iter().enumerate().map(|(slot, payload)| {
            let (salt, bytes) = payload.into_stored();
            let slot = u8::try_from(slot).ok().and_then(Slot::new);
            let slot = slot.ok_or_else(|| RecordError::Field("more than eight payloads".into()))?;
            Ok((slot, salt, bytes))
        });
        // The limits come first: what the law has admitted can no longer be left out.
        let stored = stored.collect::<Result<_, RecordError>>()?;
        let row = Row::new(self.seq, self.record.clone(), stored)?;
        let bytes: Vec<Option<&[u8]>> = row.payloads().iter().map(|(.., bytes)| Some(&**bytes)).collect();
        law.admit(&Entry {
            seq: self.seq,
            received: self.received,
            prev: self.prev,
            link: self.link,
            tree,
            statement: &self.statement,
            statement_digest: self.digest,
            payloads: &bytes,
            // This program enters no `payload.erased`, and takes none from another process.
            named: None,
        })
        .map_err(|finding| RecordError::Unlawful {
            kind: self.statement.kind(),
            finding: Box::new(finding),
        })?;
        Ok(row)
    }
}
