//! Ctrl-C: once stops the turn, twice the run. SIGTERM, and SIGHUP of a terminal that is closed, stop the run. However a run ends, its ledger is closed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Exit, Failure};
use crate::tool::Canceller;

/// What can be interrupted: the run, and within it the turn that goes on.
pub(crate) struct Interrupts {
    run: Canceller,
    turn: Mutex<Option<Canceller>>,
}

impl Interrupts {
    pub(crate) const fn new(run: Canceller) -> Self {
        Self {
            run,
            turn: Mutex::new(None),
        }
    }

    /// A turn begins: the next interruption ends it and not the run.
    pub(crate) fn turn_begins(&self, turn: Canceller) {
        *self.lock() = Some(turn);
    }

    /// The turn has ended: the next interruption ends the run.
    pub(crate) fn turn_ended(&self) {
        *self.lock() = None;
    }

    /// Interrupts the turn; without one, or for the second time, the run.
    pub(crate) fn interrupt(&self) {
        match self.lock().take() {
            Some(turn) => turn.cancel(),
            None => self.run.cancel(),
        }
    }

    /// Interrupts the run at once.
    pub(crate) fn terminate(&self) {
        self.run.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Canceller>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signals a person or a supervisor sends.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen; from here on no signal of these ends the process by itself.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::caused(Exit::Environment, "signals", &error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Passes every signal on, for ever.
    pub(crate) async fn pass_to(mut self, interrupts: &Interrupts) {
        loop {
            tokio::select! {
                Some(()) = self.interrupt.recv() => interrupts.interrupt(),
                Some(()) = self.terminate.recv() => interrupts.terminate(),
                Some(()) = self.hang_up.recv() => interrupts.terminate(),
                else => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::cancellation;

    #[test]
    fn once_stops_the_turn_twice_the_run() {
        let (run, run_cancel) = cancellation();
        let (turn, turn_cancel) = run_cancel.child();
        let interrupts = Interrupts::new(run);
        interrupts.turn_begins(turn);
        interrupts.interrupt();
        assert!(turn_cancel.is_raised() && !run_cancel.is_raised());
        interrupts.interrupt();
        assert!(run_cancel.is_raised());
    }

    #[test]
    fn between_turns_and_without_any_the_run_stops_at_once() {
        let (run, run_cancel) = cancellation();
        let interrupts = Interrupts::new(run);
        interrupts.turn_begins(run_cancel.child().0);
        interrupts.turn_ended();
        interrupts.interrupt();
        assert!(run_cancel.is_raised());
    }
}
