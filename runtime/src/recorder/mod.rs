//! The recorder: the one way from a statement into the ledger.
//!
//! Under one lock it stamps the author's counter, the time and the head that is seen, signs with the author's own key,
//! runs the law over the result, and only then hands the record to the ledger. So the runtime cannot write what the
//! verifier would reject, and entries stand in the order in which they were judged.

mod error;
mod existing;
mod heads;
mod instance;
mod leaving;
mod opening;
mod payload;
mod place;
mod takeover;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_ledger::appender::{Appender, Durable};
use countersign_ledger::cose::{self, AadLedger};
use countersign_ledger::layout::Slot;
use countersign_ledger::merkle::Frontier;
use countersign_ledger::store::{Row, Sqlite};
use countersign_schemas::body::{Body, EventCode, SessionEvent};
use countersign_schemas::chain;
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{Seen, Statement};
use countersign_verifier::law::{Entry, Law};

use crate::clock::Clock;

pub use error::RecordError;
pub use existing::{Existing, OpenError};
use heads::{Beat, Heads};
pub use instance::{Instance, Newborn};
pub use opening::Authority;
pub use payload::Payload;
pub use place::Place;

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
    fn durable_blocking(self) -> Result<Seq, RecordError> {
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
    /// Declared before what it shares, so that its thread has ended when the ledger is let go.
    beat: Beat,
    shared: Arc<Shared>,
}

/// What entries and heads are made of.
struct Shared {
    state: Mutex<State>,
    heads: Heads,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come before the law and the ledger changed together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    law: Law,
    clock: Clock,
    head: Link,
    tree: Frontier,
    appender: Appender<Sqlite>,
}

impl State {
    /// Admits a signed entry by the law and hands it to the ledger; the state is unchanged if the law forbids it.
    fn take(&mut self, signed: Signed, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        let row = signed.admit(&mut self.law, &self.tree, payloads)?;
        self.head = signed.link;
        self.tree.push(row.record());
        let durable = self.appender.submit(row);
        Ok(Entered {
            seq: signed.seq,
            digest: signed.digest,
            durable,
        })
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
        self.lock().clock.read().at
    }

    /// Enters what `author` says. `payloads` are those the body refers to, in slot order.
    ///
    /// # Errors
    /// [`RecordError::Unlawful`] when the law forbids the entry: nothing was written and the state is unchanged.
    /// [`RecordError::Append`] when the ledger takes nothing any more.
    pub fn enter(&self, author: &Instance, body: Body, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        self.enter_with(author, payloads, |_| body)
    }

    /// As [`Recorder::enter`], for a body that depends on everything in front of it.
    fn enter_with(
        &self,
        author: &Instance,
        payloads: Vec<Payload>,
        body: impl FnOnce(&State) -> Body,
    ) -> Result<Entered, RecordError> {
        let mut state = self.lock();
        let at = self.time(&mut state)?;
        let body = body(&state);
        self.append(&mut state, author, body, payloads, at)
    }

    /// The time of the next entry. A clock that was set back is an entry of its own before it.
    fn time(&self, state: &mut State) -> Result<Millis, RecordError> {
        let reading = state.clock.read();
        if reading.behind_ms > 0 {
            let stepped = SessionEvent {
                code: EventCode::ClockStepped,
                about: None,
                detail: None,
            };
            self.append(state, &self.runtime, stepped.into(), Vec::new(), reading.at)?
                .in_order();
        }
        Ok(reading.at)
    }

    /// Enters what the runtime instance concludes from the law's state at `at`: nothing can be entered between the look
    /// at the state and the entry, whoever else is at work.
    ///
    /// # Errors
    /// Those of `conclude`, and those of [`Recorder::enter`].
    pub fn enter_concluded<T, E: From<RecordError>>(
        &self,
        conclude: impl FnOnce(&Law, Millis) -> Result<(Body, Vec<Payload>, T), E>,
    ) -> Result<(Entered, T), E> {
        let mut state = self.lock();
        let at = self.time(&mut state)?;
        let (body, payloads, rest) = conclude(&state.law, at)?;
        Ok((self.append(&mut state, &self.runtime, body, payloads, at)?, rest))
    }

    /// Enters what the runtime instance says.
    ///
    /// # Errors
    /// As [`Recorder::enter`].
    pub fn enter_own(&self, body: Body, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        self.enter(&self.runtime, body, payloads)
    }

    fn append(
        &self,
        state: &mut State,
        author: &Instance,
        body: Body,
        payloads: Vec<Payload>,
        at: Millis,
    ) -> Result<Entered, RecordError> {
        let seen = state.law.head();
        // Somebody unknown to the law is refused by it, whatever the count.
        let n = state.law.next_n(author.seq()).unwrap_or_default();
        let statement = Statement {
            by: author.seq(),
            n,
            at,
            seen,
            body,
            ext: None,
        };
        let signed = Signed::new(statement, at, state.head, AadLedger::Of(self.ledger), author);
        state.take(signed, payloads)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

/// A signed statement with its place, not yet judged.
struct Signed {
    seq: Seq,
    received: Millis,
    prev: Link,
    statement: Statement,
    digest: Digest,
    record: Vec<u8>,
    link: Link,
}

impl Signed {
    fn new(statement: Statement, received: Millis, prev: Link, ledger: AadLedger, author: &Instance) -> Self {
        let encoded = statement.encode();
        let envelope = cose::sign(&encoded, statement.kind().signatures(), ledger, &author.secret);
        let Seen { size, .. } = statement.seen;
        let seq = size.next_seq();
        let record = Record {
            seq,
            received,
            prev,
            statement: envelope,
        }
        .encode();
        let link = chain::link(&record);
        Self {
            seq,
            received,
            prev,
            digest: Digest::sha256(&encoded),
            statement,
            record,
            link,
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
        })
        .map_err(|finding| RecordError::Unlawful {
            kind: self.statement.kind(),
            finding: Box::new(finding),
        })?;
        Ok(row)
    }
}
