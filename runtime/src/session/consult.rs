//! Advice: a second model with its own identity answers a question and can do nothing else.
//!
//! Either the agent asks with the tool `advisor` and the advisor's model is called here, or the agent's provider let a
//! model of its own advise while it answered. The second has happened when we hear of it; it is requested, decided and
//! entered all the same, and where policy refuses it, nothing that was proposed under its influence is done.

use countersign_schemas::body::{
    AdviceForm, AdviceGiven, AdviceRequested, AnswerOutcome, FinishOutcome, ModelAnswered, ModelCalled, Spend,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis, Seq};
use serde_json::json;

use super::act::{Decided, Ended, Ran};
use super::agent::{Agent, Given};
use super::conversation::Conversation;
use super::think::{Speaker, Thought};
use super::{Event, Session, SessionError};
use crate::gate::Permit;
use crate::model::{AdviceContent, ProviderAdvice};
use crate::prompt::Prompt;
use crate::recorder::Payload;
use crate::tool::{ADVISOR, Cancel, Overflow, ToolOutput, toolset_digest};

/// What the advisor is called in ledgers and scripts.
pub(super) const ADVISOR_NAME: &str = "advisor";

/// What came of advice that a provider had given on its side.
pub(super) enum Consulted {
    /// It is entered, or there was none.
    Entered,
    /// Policy refuses it.
    Refused(String),
}

impl Session {
    /// Runs an allowed `advisor` call of `agent`; gives the `advice.given` with the result.
    pub(super) async fn consult(
        &self,
        agent: &Agent,
        permit: Permit,
        started: Millis,
        cancel: &Cancel,
    ) -> Result<(ToolOutput, Option<Given>), SessionError> {
        let question = match read_question(permit, started) {
            Ok(question) => self.clean(&question),
            Err(refused) => return Ok((failed(refused), None)),
        };
        // One question at a time: the advisor's call is charged to whoever asked first.
        let _turn = self.advisor_turn.lock().await;
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
                return Ok((failed(format!("the advisor failed: {reason}")), None));
            }
            Thought::Halted(cause) => return Ok((failed(format!("the advisor was not asked: {cause}")), None)),
            Thought::Interrupted => return Ok((interrupted(), None)),
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
        Ok((output, Some(given)))
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
                    let reason = format!("the provider let a model advise this agent: {}", result.content);
                    return Ok(Consulted::Refused(reason));
                }
            };
            let Some((permit, started)) = self.still_good(permit)? else {
                return Ok(Consulted::Refused("the permit to be advised expired".to_owned()));
            };
            let (decision, overflow) = (permit.decision(), Overflow::of(&permit));
            let (output, given) = self
                .enter_provider_advice(agent, permit, started, cause, advice)
                .await?;
            let ran = Ran::Ended(Ended {
                decision,
                started,
                ended: self.recorder.now(),
                overflow,
                output,
                advice: given,
            });
            let acted = self.finish_call(agent, &advice.call, ran).await?;
            // Its result is in the answer already; the model is not told again.
            agent.take_up(acted);
        }
        Ok(Consulted::Entered)
    }

    async fn enter_provider_advice(
        &self,
        agent: &Agent,
        permit: Permit,
        started: Millis,
        within: Seq,
        advice: &ProviderAdvice,
    ) -> Result<(ToolOutput, Option<Given>), SessionError> {
        let question = match read_question(permit, started) {
            Ok(question) => question,
            Err(refused) => return Ok((failed(refused), None)),
        };
        let _turn = self.advisor_turn.lock().await;
        let asked = self.enter_question(agent, &question)?;
        let call = self.enter_provider_call(within, advice)?;
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
                return Ok((
                    failed(format!("the provider's advisor failed: {}", self.clean(reason))),
                    None,
                ));
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
        Ok((output, Some(given)))
    }

    /// The call that the provider made on its side: what was asked is inside the answer `within`.
    fn enter_provider_call(&self, within: Seq, advice: &ProviderAdvice) -> Result<Seq, SessionError> {
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
        Ok(self.recorder.enter(&self.advisor, body.into(), vec![sent])?.in_order())
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
