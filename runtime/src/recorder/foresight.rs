//! Working out beside the state what policies say, so that nobody waits for it.

use countersign_schemas::number::Seq;
use countersign_verifier::law::{Evaluated, JudgeError, PolicyQuestion};
use countersign_verifier::projection::Observed;

use super::Recorder;

impl Recorder {
    /// Asks the policies in force about `request`, while others go on entering; none where there is nothing to ask.
    ///
    /// Handed to [`Recorder::enter_concluded`] the answer spares the judgement, and its admission, asking again, unless the
    /// state has changed what is to be asked.
    ///
    /// # Errors
    /// As [`Law::judge`](countersign_verifier::law::Law::judge).
    pub(crate) fn foresee(&self, request: Seq, observed: &Observed) -> Result<Option<Evaluated>, JudgeError> {
        let question = self.with_law(|law| law.policy_question(request, observed))?;
        // The long part: nothing is locked.
        Ok(question.map(PolicyQuestion::evaluate))
    }
}
