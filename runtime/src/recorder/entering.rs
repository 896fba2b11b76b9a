//! Entering: stamped, signed and judged against one state, by this process or by the one it joined.

use std::sync::MutexGuard;

use countersign_ledger::cose::AadLedger;
use countersign_schemas::body::{Body, EventCode, SessionEvent};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Millis;
use countersign_verifier::law::{Evaluated, Law};

use super::joined::Turn;
use super::writer::Writer;
use super::{Entered, Instance, Payload, RecordError, Recorder, Shared, Signed, Spoken, State};

impl Recorder {
    /// Enters what `author` says. `payloads` are those the body refers to, in slot order.
    ///
    /// # Errors
    /// [`RecordError::Unlawful`] when the law forbids the entry: nothing was written and the state is unchanged.
    /// [`RecordError::Append`] and [`RecordError::Handover`] when the ledger takes nothing any more.
    pub fn enter(&self, author: &Instance, mut body: Body, payloads: Vec<Payload>) -> Result<Entered, RecordError> {
        if sees_everything(body.kind()) {
            return self.enter_with(author, payloads, |_| body);
        }
        loop {
            let speaking = match self.shared.access()? {
                Access::Own(state) => match self.sign_beside(state, author, body)? {
                    Beside::Placed(mut state, signed) => return state.take(*signed, payloads),
                    Beside::Joined(taken_back) => {
                        body = taken_back;
                        continue;
                    }
                },
                Access::Joined(speaking) => speaking,
            };
            self.tell_stepped_clock(&speaking)?;
            if let Some(entered) = self.shared.hand_over(&speaking, author, &body, &payloads)? {
                return Ok(entered);
            }
        }
    }

    /// Signs what an agent or advisor says while others enter what they have to say, and gives it the place that is next
    /// then.
    ///
    /// What the runtime instance says is signed while nobody else enters: each of its statements has to have seen the one
    /// before it (rule I5), and it makes most of them, so that signing two at a time would come to signing one of them again.
    fn sign_beside<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        author: &Instance,
        body: Body,
    ) -> Result<Beside<'s>, RecordError> {
        let at = self.time(&mut state)?;
        if author.seq() == self.runtime.seq() {
            let signed = state.sign(self.ledger, author, body, at);
            return Ok(Beside::Placed(state, Box::new(signed)));
        }
        let statement = state.statement(author, body, at);
        drop(state);
        let spoken = Spoken::sign(statement, AadLedger::Of(self.ledger), author);
        let Access::Own(mut state) = self.shared.access()? else {
            return Ok(Beside::Joined(spoken.statement.body));
        };
        let received = self.time(&mut state)?;
        let signed = if state.still_stands(&spoken.statement) {
            spoken.placed(state.law.next_seq(), received, state.head)
        } else {
            // The same author has spoken on another thread meanwhile.
            state.sign(self.ledger, author, spoken.statement.body, received)
        };
        Ok(Beside::Placed(state, Box::new(signed)))
    }

    /// As [`Recorder::enter`], for a body that depends on everything in front of it.
    pub(super) fn enter_with(
        &self,
        author: &Instance,
        payloads: Vec<Payload>,
        body: impl FnOnce(&mut State) -> Body,
    ) -> Result<Entered, RecordError> {
        let mut alone = self.alone()?;
        let body = body(&mut alone.state);
        alone.enter(author, body, payloads)
    }

    /// Enters what the runtime instance concludes from the law's state at `at`: nothing can be entered between the look
    /// at the state and the entry, whoever else is at work. What was `foreseen` of it need not be worked out meanwhile.
    ///
    /// # Errors
    /// Those of `conclude`, and those of [`Recorder::enter`].
    pub fn enter_concluded<T, E: From<RecordError>>(
        &self,
        foreseen: Option<Evaluated>,
        conclude: impl FnOnce(&Law, Millis) -> Result<(Body, Vec<Payload>, T), E>,
    ) -> Result<(Entered, T), E> {
        let mut alone = self.alone()?;
        if let Some(evaluated) = foreseen {
            alone.state.law.foresee(evaluated);
        }
        let (body, payloads, rest) = conclude(&alone.state.law, alone.at)?;
        Ok((alone.enter(&self.runtime, body, payloads)?, rest))
    }

    /// Waits until nobody else can enter anything.
    pub(super) fn alone(&self) -> Result<Alone<'_>, RecordError> {
        loop {
            let speaking = match self.shared.access()? {
                Access::Own(mut state) => {
                    let at = self.time(&mut state)?;
                    return Ok(Alone {
                        shared: &self.shared,
                        state,
                        at,
                        turn: None,
                    });
                }
                Access::Joined(speaking) => speaking,
            };
            self.tell_stepped_clock(&speaking)?;
            if let Some(alone) = self.shared.ask_turn(speaking)? {
                return Ok(alone);
            }
        }
    }

    /// The time of the next entry. A clock that was set back is an entry of its own before it.
    fn time(&self, state: &mut State) -> Result<Millis, RecordError> {
        let at = state.clock.read();
        if state.clock.has_stepped() {
            let signed = state.sign(self.ledger, &self.runtime, clock_stepped(), at);
            state.take(signed, Vec::new())?.in_order();
            state.clock.step_is_told();
        }
        Ok(at)
    }

    /// As [`Recorder::time`], in a process that joined.
    fn tell_stepped_clock(&self, speaking: &MutexGuard<'_, ()>) -> Result<(), RecordError> {
        let has_stepped = {
            let mut state = self.lock();
            state.clock.read();
            state.clock.has_stepped()
        };
        if has_stepped {
            // If the appender leaves just now, the next round tells it to its successor.
            let entered = self.shared.hand_over(speaking, &self.runtime, &clock_stepped(), &[])?;
            if entered.map(Entered::in_order).is_some() {
                self.lock().clock.step_is_told();
            }
        }
        Ok(())
    }
}

/// What says that something ends must have seen everything (statement-v1 §4.1).
const fn sees_everything(kind: Kind) -> bool {
    matches!(kind, Kind::InstanceStopped | Kind::LedgerClosed)
}

fn clock_stepped() -> Body {
    SessionEvent {
        code: EventCode::ClockStepped,
        about: None,
        detail: None,
    }
    .into()
}

/// What became of a statement that was signed beside the state.
enum Beside<'s> {
    /// It has its place in a state that nobody else can change as long as this is held.
    Placed(MutexGuard<'s, State>, Box<Signed>),
    /// Another process has become the one that appends: the statement is to be handed over.
    Joined(Body),
}

/// The way in, as it is just now.
pub(super) enum Access<'s> {
    /// This process appends; nobody else can as long as this is held.
    Own(MutexGuard<'s, State>),
    /// Another process appends; this is the only thing that is handed over to it as long as this is held.
    Joined(MutexGuard<'s, ()>),
}

/// Nobody else can enter anything as long as this is held.
pub(super) struct Alone<'s> {
    pub(super) shared: &'s Shared,
    /// The state behind the last entry.
    pub(super) state: MutexGuard<'s, State>,
    /// The time of what is entered now.
    pub(super) at: Millis,
    /// In a process that joined: what it was given for this.
    pub(super) turn: Option<Turn<'s>>,
}

impl Alone<'_> {
    /// Enters what `author` says, and lets the others in again.
    pub(super) fn enter(
        mut self,
        author: &Instance,
        body: Body,
        payloads: Vec<Payload>,
    ) -> Result<Entered, RecordError> {
        let signed = self.state.sign(self.shared.ledger, author, body, self.at);
        match self.turn {
            None => self.state.take(signed, payloads),
            Some(turn) => turn.use_up(self.shared, self.state, signed, &payloads),
        }
    }
}

impl Shared {
    /// Waits until there is a way in. While the ledger is handed on there is none.
    pub(super) fn access(&self) -> Result<Access<'_>, RecordError> {
        loop {
            let state = self.settled();
            match state.writer {
                Writer::Own(_) => return Ok(Access::Own(state)),
                Writer::Gone | Writer::Nobody(_) => return Err(RecordError::Handover),
                Writer::Joined(_) => {}
            }
            drop(state);
            // In this order: who waits for an answer holds this and waits for the state.
            let speaking = self.speaking.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if matches!(self.settled().writer, Writer::Joined(_)) {
                return Ok(Access::Joined(speaking));
            }
        }
    }

    /// The state, once it is known who writes. Whoever hands the ledger on does so in bounded time, or declares it gone.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while matches!(state.writer, Writer::Nobody(_)) {
            state = self.wait(state);
        }
        state
    }

    /// Waits until something changes that another process brought about.
    pub(super) fn wait<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
