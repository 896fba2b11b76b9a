//! Calling a model, with an entry before and an entry after.

use std::sync::Mutex;

use countersign_schemas::body::{AnswerOutcome, ModelAnswered, ModelCalled, Spend};
use countersign_schemas::digest::Digest;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Count, Seq};

use super::conversation::Conversation;
use super::{Event, Halt, Session, SessionError};
use crate::model::{Model, ModelAnswer, ModelError, ModelEvent, ModelRequest, Part, no_tokens};
use crate::recorder::{Entered, Instance, Payload, RecordError};
use crate::redact::Stream;
use crate::tool::Cancel;

/// Bytes of a request that are counted as one token before the provider has counted them.
const BYTES_PER_TOKEN: u64 = 4;

/// Who asks a model, and which.
#[derive(Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) instance: &'a Instance,
    pub(super) name: &'a str,
    pub(super) model: &'a dyn Model,
    /// Whether it speaks as an advisor, whose cost is told apart.
    pub(super) is_advisor: bool,
}

/// What came of asking a model.
pub(super) enum Thought {
    /// It answered in entry `entry`.
    Answered { entry: Seq, answer: ModelAnswer },
    /// It failed.
    Failed(String),
    /// It cannot be reached, or refuses our key: nothing the agents do will change that.
    Unreachable(String),
    /// The law does not allow the call.
    Halted(Halt),
    /// The turn was interrupted while it thought.
    Interrupted,
}

impl Session {
    /// Has the speaker's model answer what was said last. The call leaves only once its reservation is durable.
    pub(super) async fn think(
        &self,
        speaker: Speaker<'_>,
        conversation: &mut Conversation,
        cancel: &Cancel,
    ) -> Result<Thought, SessionError> {
        let call = match self.enter_call(speaker, conversation).await? {
            Ok(call) => call,
            Err(halted) => return Ok(Thought::Halted(halted)),
        };
        conversation.asked_in(call);
        let request = conversation.request(speaker.name);
        let shown = Shown::new(self, speaker.name);
        let told = |event: ModelEvent| shown.tell(event);
        let answer = tokio::select! {
            biased;
            () = cancel.raised() => {
                self.enter_failure(speaker, call, AnswerOutcome::Cancelled)?;
                return Ok(Thought::Interrupted);
            }
            answer = speaker.model.answer(&request, &told) => answer,
        };
        match answer {
            Ok(mut answer) => {
                shown.finish();
                self.clean_answer(&mut answer);
                let entry = self.enter_answer(speaker, call, &answer)?;
                Ok(Thought::Answered { entry, answer })
            }
            Err(error) => {
                self.enter_failure(speaker, call, error.outcome())?;
                Ok(self.failed(&error))
            }
        }
    }

    async fn enter_call(
        &self,
        speaker: Speaker<'_>,
        conversation: &Conversation,
    ) -> Result<Result<Seq, Halt>, SessionError> {
        let request = conversation.request(speaker.name);
        let sent = Payload::content(conversation.payload(speaker.name))?;
        let called = ModelCalled {
            provider: speaker.model.provider().clone(),
            model: speaker.model.name().clone(),
            request: sent.reference(),
            reserve: self.reserve(speaker.model, &request),
            system_prompt: Digest::sha256(request.system.split().0.as_bytes()),
            toolset: request.toolset(),
            price_table: self.prices.digest(),
        };
        match self.within_authority(self.recorder.enter(speaker.instance, called.into(), vec![sent]))? {
            Ok(entered) => Ok(Ok(entered.durable().await?)),
            Err(halted) => Ok(Err(halted)),
        }
    }

    /// What a call is reserved for: one call, the tokens of its request by the rule of thumb, the longest answer, and
    /// what both would cost.
    fn reserve(&self, model: &dyn Model, request: &ModelRequest<'_>) -> Spend {
        let mut tokens = no_tokens();
        tokens.input = Count::clamped(request.len_bytes() as u64 / BYTES_PER_TOKEN);
        tokens.output = Count::clamped(request.output_tokens_max);
        Spend {
            calls: Count::clamped(1),
            tokens_in: tokens.input,
            tokens_out: tokens.output,
            cost_micro_usd: self.cost(model, &tokens).unwrap_or(Count::ZERO),
        }
    }

    /// The `model.called` that was entered; or the halt, where no budget has anything left for it, or the authority
    /// that it needs was withdrawn meanwhile.
    pub(super) fn within_authority(
        &self,
        entered: Result<Entered, RecordError>,
    ) -> Result<Result<Entered, Halt>, RecordError> {
        let refused = match entered {
            Err(RecordError::Unlawful {
                kind: Kind::ModelCalled,
                finding,
            }) => finding,
            entered => return entered.map(Ok),
        };
        match Halt::of_refused_call(&refused, || self.arming.revocation()) {
            Some(halt) => Ok(Err(halt)),
            None => Err(RecordError::Unlawful {
                kind: Kind::ModelCalled,
                finding: refused,
            }),
        }
    }

    fn failed(&self, error: &ModelError) -> Thought {
        let reason = self.clean(&super::error::with_causes(error));
        if error.is_environment() {
            Thought::Unreachable(reason)
        } else {
            Thought::Failed(reason)
        }
    }

    fn enter_failure(&self, speaker: Speaker<'_>, call: Seq, outcome: AnswerOutcome) -> Result<(), SessionError> {
        let body = ModelAnswered {
            call,
            outcome,
            response: None,
            tokens: no_tokens(),
            cost: Count::ZERO,
        };
        self.recorder
            .enter(speaker.instance, body.into(), Vec::new())?
            .in_order();
        Ok(())
    }

    fn enter_answer(&self, speaker: Speaker<'_>, call: Seq, answer: &ModelAnswer) -> Result<Seq, SessionError> {
        let response = Payload::content(answer.payload(&|text| self.clean(text)))?;
        let cost = self.cost(speaker.model, &answer.usage);
        let body = ModelAnswered {
            call,
            outcome: outcome_of(answer),
            response: Some(response.reference()),
            tokens: answer.usage.clone(),
            cost: cost.unwrap_or(Count::ZERO),
        };
        let entry = self
            .recorder
            .enter(speaker.instance, body.into(), vec![response])?
            .in_order();
        self.tell(Event::Spent {
            agent: speaker.name.to_owned(),
            is_advisor: speaker.is_advisor,
            model: format!("{}/{}", speaker.model.provider(), speaker.model.name()),
            tokens: answer.usage.clone(),
            cost_micro_usd: cost,
        });
        Ok(entry)
    }

    /// What `tokens` of a model cost by the price table of this run, in micro-USD; nothing known, nothing said.
    fn cost(&self, model: &dyn Model, tokens: &countersign_schemas::body::Tokens) -> Option<Count> {
        self.prices.cost(model.provider(), model.name(), tokens)
    }

    /// What the agent goes on with is what the ledger keeps: without the secrets that were recognised.
    fn clean_answer(&self, answer: &mut ModelAnswer) {
        for part in &mut answer.parts {
            if let Part::Text(text) = part {
                *text = self.clean(text);
            }
        }
    }
}

/// An answer that refuses is one, but proposes nothing (authority-v1 §5.6).
fn outcome_of(answer: &ModelAnswer) -> AnswerOutcome {
    match answer.end {
        crate::model::End::Refused => AnswerOutcome::Refused,
        _ => AnswerOutcome::Ok,
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

/// An answer as it is shown while it comes in: without secrets, and taken back when an attempt fails.
struct Shown<'a> {
    session: &'a Session,
    agent: &'a str,
    pieces: Mutex<Stream>,
}

impl<'a> Shown<'a> {
    fn new(session: &'a Session, agent: &'a str) -> Self {
        Self {
            session,
            agent,
            pieces: Mutex::new(session.redactor.stream()),
        }
    }

    fn tell(&self, event: ModelEvent) {
        match event {
            ModelEvent::Text(text) => {
                let clean = self.lock().push(&text);
                self.piece(clean);
            }
            ModelEvent::Restarted { reason } => {
                *self.lock() = self.session.redactor.stream();
                self.session.tell(Event::Retried {
                    agent: self.agent.to_owned(),
                    reason: self.session.clean(&reason),
                });
            }
            ModelEvent::Call(_) | ModelEvent::Ended(_) => {}
        }
    }

    fn finish(&self) {
        let rest = std::mem::replace(&mut *self.lock(), self.session.redactor.stream());
        self.piece(rest.finish());
    }

    fn piece(&self, text: String) {
        if !text.is_empty() {
            self.session.tell(Event::Piece {
                agent: self.agent.to_owned(),
                text,
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stream> {
        self.pieces.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
