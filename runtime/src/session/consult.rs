//! Advice: a second model with its own identity answers a question and can do nothing else.
//!
//! Either the agent asks with the tool `advisor` and the advisor's model is called here, or the agent's provider let a
//! model of its own advise while it answered. The second has happened when we hear of it; it is requested, decided and
//! entered all the same, and where policy refuses it, nothing that was proposed under its influence is done.

use std::sync::Arc;

use countersign_schemas::body::{
    AdviceForm, AdviceGiven, AdviceRequested, AnswerOutcome, FinishOutcome, ModelAnswered, ModelCalled, Spend,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use super::act::{Decided, Ended, Ran, expired};
use super::agent::{Agent, Given};
use super::conversation::Conversation;
use super::think::{Speaker, Thought};
use super::{Event, Halt, Session, SessionError};
use crate::gate::Permit;
use crate::model::{AdviceContent, ProviderAdvice};
use crate::prompt::Prompt;
use crate::recorder::{Entered, Payload};
use crate::tool::{ADVISOR, Cancel, Overflow, ToolOutput, toolset_digest};

/// What the advisor is called in ledgers and scripts.
pub(super) const ADVISOR_NAME: &str = "advisor";

/// What came of advice that a provider had given on its side.
pub(super) enum Consulted {
    /// It is entered, or there was none.
    Entered,
    /// Policy refuses it, or a bound leaves no room for it.
    Halted(Halt),
}

/// A turn with the advisor: one question at a time.
pub(super) type AdvisorTurn = OwnedMutexGuard<()>;

/// What a call came to that may have asked the advisor.
pub(super) struct Advised {
    pub(super) output: ToolOutput,
    /// The `advice.given`.
    pub(super) advice: Option<Given>,
    /// Kept until the outcome of the call is entered.
    pub(super) turn: Option<AdvisorTurn>,
}

impl Advised {
    /// A call that got no advice.
    pub(super) const fn without(output: ToolOutput) -> Self {
        Self {
            output,
            advice: None,
            turn: None,
        }
    }

    fn with(output: ToolOutput, given: Given) -> Self {
        Self {
            advice: Some(given),
            ..Self::without(output)
        }
    }

    fn in_turn(self, turn: AdvisorTurn) -> Self {
        Self {
            turn: Some(turn),
            ..self
        }
    }
}

impl Session {
    /// Runs an allowed `advisor` call of `agent`; gives the `advice.given` with the result.
    pub(super) async fn consult(
        &self,
        agent: &Agent,
        permit: Permit,
        started: Millis,
        cancel: &Cancel,
    ) -> Result<Advised, SessionError> {
        let turn = tokio::select! {
            biased;
            () = cancel.raised() => return Ok(Advised::without(interrupted())),
            turn = Arc::clone(&self.advisor_turn).lock_owned() => turn,
        };
        // Others may have been advised for long: nothing is asked in an action whose permit has ended (D7).
        if !permit.is_good_at(self.recorder.now()) {
            return Ok(Advised::without(expired()));
        }
        let question = match read_question(permit, started) {
            Ok(question) => self.clean(&question),
            Err(refused) => return Ok(Advised::without(failed(refused))),
        };
        Ok(self.ask_advisor(agent, question, cancel).await?.in_turn(turn))
    }

    async fn ask_advisor(&self, agent: &Agent, question: String, cancel: &Cancel) -> Result<Advised, SessionError> {
        let asked = self.enter_question(agent, &question)?;
        let mut conversation = Conversation::new(Prompt::advisor(), Vec::new(), question);
        let speaker = Speaker {
            instance: &self.advisor,
            name: ADVISOR_NAME,
            model: &*self.models.advisor,
            is_advisor: true,
        };
        let (entry, advice) = match self.think(speaker, &mut conversation, cancel).await? {
            Thought::Answered { entry, answer } => (entry, answer.text()),
            Thought::Failed(reason) | Thought::Unreachable(reason) => {
                return Ok(Advised::without(failed(format!("the advisor failed: {reason}"))));
            }
            Thought::Halted(halt) => {
                return Ok(Advised::without(failed(format!("the advisor was not asked: {halt}"))));
            }
            Thought::Interrupted => return Ok(Advised::without(interrupted())),
        };
        let given = self.enter_advice(asked, entry, AdviceForm::Readable, advice.as_bytes())?;
        self.tell(Event::Said {
            agent: ADVISOR_NAME.to_owned(),
            text: advice.clone(),
        });
        let output = ToolOutput {
            content: advice,
            outcome: FinishOutcome::Ok,
        };
        Ok(Advised::with(output, given))
    }

    /// Has every consultation within the answer `cause` decided, and enters it.
    pub(super) async fn consulted_by_provider(
        &self,
        agent: &mut Agent,
        cause: Seq,
        advice: &[ProviderAdvice],
        cancel: &Cancel,
    ) -> Result<Consulted, SessionError> {
        for advice in advice {
            let permit = match self.decide(agent, cause, &advice.call, cancel).await? {
                Decided::Permitted(permit) => permit,
                Decided::Refused(result) => {
                    let what = format!("the provider let a model advise this agent: {}", result.content);
                    return Ok(Consulted::Halted(Halt::Policy { what }));
                }
            };
            let turn = Arc::clone(&self.advisor_turn).lock_owned().await;
            let (permit, started) = match self.still_good(permit)? {
                Ok(good) => good,
                Err(unused) => {
                    let what = format!("nothing was advised: {}", unused.content);
                    return Ok(Consulted::Halted(Halt::Policy { what }));
                }
            };
            let (decision, overflow) = (permit.decision(), Overflow::of(&permit));
            let entered = self.enter_provider_advice(agent, permit, started, cause, advice)?;
            let (advised, halted) = match entered {
                Ok(advised) => (advised, None),
                Err(halt) => {
                    let output = failed(format!("the advice could not be entered: {halt}"));
                    (Advised::without(output), Some(halt))
                }
            };
            let ran = Ran::Ended(Ended {
                decision,
                started,
                ended: self.recorder.now(),
                overflow,
                output: advised.output,
                advice: advised.advice,
                turn: Some(turn),
            });
            let acted = self.finish_call(agent, &advice.call, ran).await?;
            // Its result is in the answer already; the model is not told again.
            agent.take_up(acted);
            if let Some(halt) = halted {
                return Ok(Consulted::Halted(halt));
            }
        }
        Ok(Consulted::Entered)
    }

    /// Enters what a provider's model advised; the halt if there is no authority left to count it in.
    fn enter_provider_advice(
        &self,
        agent: &Agent,
        permit: Permit,
        started: Millis,
        within: Seq,
        advice: &ProviderAdvice,
    ) -> Result<Result<Advised, Halt>, SessionError> {
        let question = match read_question(permit, started) {
            Ok(question) => self.clean(&question),
            Err(refused) => return Ok(Ok(Advised::without(failed(refused)))),
        };
        let asked = self.enter_question(agent, &question)?;
        let call = match self.enter_provider_call(within, advice)? {
            Ok(call) => call,
            Err(halted) => return Ok(Err(halted)),
        };
        let (form, content, told) = match &advice.content {
            AdviceContent::Readable(text) => {
                let text = self.clean(text);
                (AdviceForm::Readable, text.clone().into_bytes(), text)
            }
            AdviceContent::Opaque(sealed) => (
                AdviceForm::Opaque,
                sealed.clone(),
                "advice that only the provider can read".to_owned(),
            ),
            AdviceContent::Failed(reason) => {
                self.enter_provider_answer(call, AnswerOutcome::Error, None, advice)?;
                let told = format!("the provider's advisor failed: {}", self.clean(reason));
                return Ok(Ok(Advised::without(failed(told))));
            }
        };
        let answer = self.enter_provider_answer(call, AnswerOutcome::Ok, Some(&told), advice)?;
        let given = self.enter_advice(asked, answer, form, &content)?;
        self.tell(Event::Said {
            agent: ADVISOR_NAME.to_owned(),
            text: told.clone(),
        });
        let output = ToolOutput {
            content: told,
            outcome: FinishOutcome::Ok,
        };
        Ok(Ok(Advised::with(output, given)))
    }

    /// The call that the provider made on its side: what was asked is inside the answer `within`.
    fn enter_provider_call(&self, within: Seq, advice: &ProviderAdvice) -> Result<Result<Seq, Halt>, SessionError> {
        let document = json!({
            "schema": "countersign.model-request/v1",
            "after": null,
            "agent": ADVISOR_NAME,
            "provider_side": true,
            "within": within.get(),
        });
        let sent = Payload::content(super::error::canonical(&document)?)?;
        let body = ModelCalled {
            provider: self.models.agents.provider().clone(),
            model: advice
                .model
                .clone()
                .unwrap_or_else(|| self.models.agents.name().clone()),
            request: sent.reference(),
            // It has been spent already; the answer says how much.
            reserve: Spend {
                calls: Count::clamped(1),
                ..super::think::no_spend()
            },
            system_prompt: Digest::sha256(b""),
            toolset: toolset_digest([]),
            price_table: self.prices.digest(),
        };
        let entered = self.within_authority(self.recorder.enter(&self.advisor, body.into(), vec![sent]))?;
        Ok(entered.map(Entered::in_order))
    }

    fn enter_provider_answer(
        &self,
        call: Seq,
        outcome: AnswerOutcome,
        text: Option<&str>,
        advice: &ProviderAdvice,
    ) -> Result<Seq, SessionError> {
        let document = json!({ "schema": "countersign.answer/v1", "text": text.unwrap_or_default(), "calls": [] });
        let response = Payload::content(super::error::canonical(&document)?)?;
        let model = advice.model.as_ref().unwrap_or(self.models.agents.name());
        let cost = self.prices.cost(self.models.agents.provider(), model, &advice.usage);
        let body = ModelAnswered {
            call,
            outcome,
            response: Some(response.reference()),
            tokens: advice.usage.clone(),
            cost: cost.unwrap_or(Count::ZERO),
        };
        let entry = self
            .recorder
            .enter(&self.advisor, body.into(), vec![response])?
            .in_order();
        self.tell(Event::Spent {
            agent: ADVISOR_NAME.to_owned(),
            is_advisor: true,
            model: format!("{}/{model}", self.models.agents.provider()),
            tokens: advice.usage.clone(),
            cost_micro_usd: cost,
        });
        Ok(entry)
    }

    fn enter_question(&self, agent: &Agent, question: &str) -> Result<Seq, SessionError> {
        let shown = Payload::content(question.as_bytes())?;
        let body = AdviceRequested {
            advisor: self.advisor.seq(),
            question: shown.reference(),
        };
        Ok(self
            .recorder
            .enter(&agent.instance, body.into(), vec![shown])?
            .in_order())
    }

    fn enter_advice(
        &self,
        question: Seq,
        answer: Seq,
        form: AdviceForm,
        content: &[u8],
    ) -> Result<Given, SessionError> {
        let content = Payload::content(content)?;
        let body = AdviceGiven {
            question,
            answer,
            form,
            content: content.reference(),
        };
        let entered = self.recorder.enter(&self.advisor, body.into(), vec![content])?;
        Ok(Given {
            entry: entered.in_order(),
            form,
        })
    }
}

fn read_question(permit: Permit, started: Millis) -> Result<String, String> {
    let call = permit
        .redeem(ADVISOR.name, started)
        .map_err(|error| error.to_string())?;
    let members = ADVISOR.parse(call.arguments()).map_err(|error| error.to_string())?;
    members
        .text("question")
        .map(str::to_owned)
        .map_err(|error| error.to_string())
}

fn failed(content: String) -> ToolOutput {
    ToolOutput {
        content,
        outcome: FinishOutcome::Error,
    }
}

fn interrupted() -> ToolOutput {
    ToolOutput {
        content: "interrupted".to_owned(),
        outcome: FinishOutcome::Aborted,
    }
}
