//! Calling a model, with an entry before and an entry after.

use countersign_schemas::body::{AnswerOutcome, ModelAnswered, ModelCalled, Spend};
use countersign_schemas::digest::Digest;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Count, Seq};
use countersign_verifier::code::Code;

use super::{HaltCause, Session, SessionError};
use crate::model::{ModelAnswer, ModelEvent, ModelRequest, no_tokens};
use crate::recorder::{Instance, Payload, RecordError};

/// The price table of a model that costs nothing: `{"prices":[],"schema":"countersign.prices/v1"}`.
const NO_PRICES: &[u8] = br#"{"prices":[],"schema":"countersign.prices/v1"}"#;

/// Bytes of a request that are counted as one token before the provider has counted them.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens an answer may have.
pub(super) const ANSWER_TOKENS_MAX: u64 = 8_192;

/// What came of asking a model.
pub(super) enum Thought {
    /// It answered in entry `entry`.
    Answered { call: Seq, entry: Seq, answer: ModelAnswer },
    /// It failed.
    Failed(String),
    /// A budget does not allow the call.
    Halted(HaltCause),
    /// The run was interrupted while it thought.
    Interrupted,
}

impl Session {
    /// Has `speaker`'s model answer. The call leaves only once its reservation is durable.
    pub(super) async fn think(
        &self,
        speaker: &Instance,
        request: &ModelRequest<'_>,
        asked: Option<(Seq, usize)>,
    ) -> Result<Thought, SessionError> {
        let sent = Payload::content(request.payload(asked))?;
        let called = ModelCalled {
            provider: self.model.provider().clone(),
            model: self.model.name().clone(),
            request: sent.reference(),
            reserve: reserve(request.len_bytes()),
            system_prompt: Digest::sha256(request.system.text.as_bytes()),
            toolset: request.toolset(),
            price_table: Digest::sha256(NO_PRICES),
        };
        let call = match self.recorder.enter(speaker, called.into(), vec![sent]) {
            Ok(entered) => entered.durable().await?,
            Err(RecordError::Unlawful {
                kind: Kind::ModelCalled,
                finding,
            }) if finding.code == Code::G6 => {
                return Ok(Thought::Halted(HaltCause {
                    budget: finding.expected,
                }));
            }
            Err(error) => return Err(error.into()),
        };
        let ignored = |_event: ModelEvent| {};
        let answer = tokio::select! {
            answer = self.model.answer(request, &ignored) => answer,
            () = self.cancel.raised() => {
                self.enter_failure(speaker, call, AnswerOutcome::Cancelled)?;
                return Ok(Thought::Interrupted);
            }
        };
        match answer {
            Ok(answer) => {
                let entry = self.enter_answer(speaker, call, &answer)?;
                Ok(Thought::Answered { call, entry, answer })
            }
            Err(error) => {
                self.enter_failure(speaker, call, error.outcome())?;
                Ok(Thought::Failed(error.to_string()))
            }
        }
    }

    fn enter_failure(&self, speaker: &Instance, call: Seq, outcome: AnswerOutcome) -> Result<(), SessionError> {
        let body = ModelAnswered {
            call,
            outcome,
            response: None,
            tokens: no_tokens(),
            cost: Count::ZERO,
        };
        self.recorder.enter(speaker, body.into(), Vec::new())?.in_order();
        Ok(())
    }

    fn enter_answer(&self, speaker: &Instance, call: Seq, answer: &ModelAnswer) -> Result<Seq, SessionError> {
        let response = Payload::content(answer.payload(&str::to_owned))?;
        let body = ModelAnswered {
            call,
            outcome: AnswerOutcome::Ok,
            response: Some(response.reference()),
            tokens: answer.usage.clone(),
            cost: Count::ZERO,
        };
        Ok(self.recorder.enter(speaker, body.into(), vec![response])?.in_order())
    }
}

/// Nothing spent.
pub(super) const fn no_spend() -> Spend {
    Spend {
        calls: Count::ZERO,
        tokens_in: Count::ZERO,
        tokens_out: Count::ZERO,
        cost_micro_usd: Count::ZERO,
    }
}

/// What a call is reserved for: one call, the tokens of its request by the rule of thumb, and a long answer.
fn reserve(request_len_bytes: usize) -> Spend {
    Spend {
        calls: Count::clamped(1),
        tokens_in: Count::clamped(request_len_bytes as u64 / BYTES_PER_TOKEN),
        tokens_out: Count::clamped(ANSWER_TOKENS_MAX),
        cost_micro_usd: Count::ZERO,
    }
}
