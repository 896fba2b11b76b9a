//! How actions end, on record.

use std::sync::Arc;

use countersign_schemas::body::ActionFinished;
use countersign_schemas::number::{Count, Millis, Seq};

use crate::recorder::{Payload, RecordError, Recorder};
use crate::tool::ToolOutput;

/// Enters the outcomes of actions. A clone goes with a command that is left running.
#[derive(Clone)]
pub(super) struct Outcomes(pub(super) Arc<Recorder>);

impl Outcomes {
    /// The time by the ledger's clock.
    pub(super) fn now(&self) -> Millis {
        self.0.now()
    }

    /// Enters how the action that `decision` permitted ended. `lasted` says from when until when; it is `None` for an
    /// action that never began.
    pub(super) fn enter(
        &self,
        decision: Seq,
        lasted: Option<(Millis, Millis)>,
        output: &ToolOutput,
    ) -> Result<(), RecordError> {
        let result = Payload::content(output.content.as_bytes())?;
        let duration = lasted.map(|(from, until)| Count::clamped(until.get().saturating_sub(from.get())));
        let body = ActionFinished {
            decision,
            outcome: output.outcome,
            result: Some(result.reference()),
            started: lasted.map(|(from, _)| from),
            duration,
            // Nothing is enforced around a tool yet, and the ledger says so.
            sandbox: Count::ZERO,
        };
        self.0.enter_own(body.into(), vec![result])?.in_order();
        Ok(())
    }
}
