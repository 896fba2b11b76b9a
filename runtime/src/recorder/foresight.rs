//! Working out beside the state what policies say, so that nobody waits for it.

use countersign_schemas::number::Seq;
use countersign_verifier::law::JudgeError;
use countersign_verifier::projection::Observed;

use super::Recorder;

impl Recorder {
    /// Asks the policies in force about `request`, while others go on entering. The judgement that follows, and its
    /// admission, need not ask again, unless the state has changed what is to be asked.
    ///
    /// # Errors
    /// As [`Law::judge`](countersign_verifier::law::Law::judge).
    pub(crate) fn foresee(&self, request: Seq, observed: &Observed) -> Result<(), JudgeError> {
        let question = self.with_law(|law| law.policy_question(request, observed))?;
        // The long part: nothing is locked.
        let evaluated = question.map(countersign_verifier::law::PolicyQuestion::evaluate);
        if let Some(evaluated) = evaluated {
            self.lock().law.foresee(evaluated);
        }
        Ok(())
    }
}
