//! The kill switch of a run: whoever pulls it revokes the lead, and with it everybody below, and interrupts them all.
//!
//! It may be pulled from any thread, and before the run has begun. The revocation is entered first: behind it the law
//! lets nothing more be permitted (authority-v1 §5.8), whatever the agents still ask for while they come to their end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_schemas::body::{RevokeReason, Revoked, Role};
use countersign_schemas::number::Seq;
use countersign_verifier::law::{Law, Stop};

use crate::recorder::{RecordError, Recorder};
use crate::tool::{Cancel, Canceller, cancellation};

/// What a pulled switch has revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The `grant.revoked`.
    pub entry: Seq,
    /// The agents whose authority it withdrew, the lead first.
    pub agents: Vec<RevokedAgent>,
}

/// An agent that was at work when its authority was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedAgent {
    /// Its name.
    pub name: String,
    /// Its short DID.
    pub did: String,
    /// Place of its introduction.
    pub introduced: Seq,
}

/// What became of a pull.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Pulled {
    /// The run has no lead yet: it ends as soon as it has one.
    Early,
    /// The revocation is on disk, and everybody is interrupted.
    Revoked(Revocation),
    /// Everybody is interrupted, but the revocation could not be entered.
    Unrecorded(String),
    /// The run was at its end already.
    Over,
}

/// The switch. A clone is the same switch.
#[derive(Clone)]
pub struct StopSwitch(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    hand: Canceller,
    ear: Cancel,
}

enum State {
    Idle,
    Armed(Armed),
    Fired(Result<Revocation, String>),
    Over,
}

/// What the switch acts on. It shares the recorder, which has to be given back before the ledger is let go.
struct Armed {
    recorder: Arc<Recorder>,
    lead: Seq,
    canceller: Canceller,
}

impl Default for StopSwitch {
    fn default() -> Self {
        let (hand, ear) = cancellation();
        Self(Arc::new(Inner {
            state: Mutex::new(State::Idle),
            hand,
            ear,
        }))
    }
}

impl StopSwitch {
    /// Revokes the run's lead and interrupts everybody; a second pull gives what the first one came to.
    #[must_use]
    pub fn pull(&self) -> Pulled {
        // Heard before anything is entered: what was permitted just before does not begin any more.
        self.0.hand.cancel();
        let mut state = self.lock();
        state.fire();
        match &*state {
            State::Idle | State::Armed(_) => Pulled::Early,
            State::Fired(Ok(revocation)) => Pulled::Revoked(revocation.clone()),
            State::Fired(Err(problem)) => Pulled::Unrecorded(problem.clone()),
            State::Over => Pulled::Over,
        }
    }

    /// Whether it was pulled, whatever came of that.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.0.ear.is_raised()
    }

    /// Waits until it is pulled.
    pub async fn pulled(&self) {
        self.0.ear.raised().await;
    }

    /// The run of `lead` has begun. If the switch was pulled by then, it acts now.
    pub(super) fn arm(&self, recorder: Arc<Recorder>, lead: Seq, canceller: Canceller) -> Arming {
        let mut state = self.lock();
        *state = State::Armed(Armed {
            recorder,
            lead,
            canceller,
        });
        if self.is_pulled() {
            state.fire();
        }
        Arming(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time in which the switch acts on a run; at its end it lets go of the recorder.
pub(super) struct Arming(StopSwitch);

impl Arming {
    /// Whether the switch was pulled, whatever came of that.
    pub(super) fn is_pulled(&self) -> bool {
        self.0.is_pulled()
    }

    /// What was revoked; waits until that is settled.
    pub(super) fn revocation(&self) -> Option<Revocation> {
        match &*self.0.lock() {
            State::Fired(Ok(revocation)) => Some(revocation.clone()),
            _ => None,
        }
    }

    /// The run comes to its end: what was revoked by now; from here on a pull does nothing.
    pub(super) fn settle(&self) -> Option<Revocation> {
        let mut state = self.0.lock();
        if let State::Armed(_) = *state {
            *state = State::Over;
        }
        match &*state {
            State::Fired(Ok(revocation)) => Some(revocation.clone()),
            _ => None,
        }
    }
}

impl Drop for Arming {
    fn drop(&mut self) {
        let _ = self.settle();
    }
}

impl State {
    fn fire(&mut self) {
        if let Self::Armed(armed) = self {
            let entered = armed.revoke();
            armed.canceller.cancel();
            *self = Self::Fired(entered.map_err(|error| super::error::with_causes(&error)));
        }
    }
}

impl Armed {
    fn revoke(&self) -> Result<Revocation, RecordError> {
        let body = Revoked {
            target: self.lead,
            reason: RevokeReason::Halted,
            order: None,
            suspected_since: None,
        };
        let (entered, agents) = self.recorder.enter_concluded(None, |law, _| {
            Ok::<_, RecordError>((body.into(), Vec::new(), self.below(law)))
        })?;
        // Interrupted before the disk has answered: nobody waits for it but whoever pulled.
        self.canceller.cancel();
        Ok(Revocation {
            entry: entered.durable_blocking()?,
            agents,
        })
    }

    /// The lead and every agent below it that is at work.
    fn below(&self, law: &Law) -> Vec<RevokedAgent> {
        let is_below = |seq| law.grant_chain(seq).any(|grant| grant.seq() == self.lead);
        law.instances()
            .filter(|known| known.role() == Role::Agent && known.stop() == Stop::Running && is_below(known.seq()))
            .map(|known| RevokedAgent {
                name: known.name().to_owned(),
                did: known.did().short().to_owned(),
                introduced: known.seq(),
            })
            .collect()
    }
}
