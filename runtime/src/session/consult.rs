//! The tool `advisor`: a second model with its own identity answers a question and can do nothing else.

use countersign_schemas::body::{AdviceForm, AdviceGiven, AdviceRequested, FinishOutcome};
use countersign_schemas::number::Millis;

use super::agent::Agent;
use super::kind::ADVISOR_PROMPT;
use super::think::{ANSWER_TOKENS_MAX, Thought};
use super::{Event, Session, SessionError};
use crate::gate::Permit;
use crate::model::{Message, ModelRequest, System};
use crate::recorder::Payload;
use crate::tool::{ADVISOR, ToolOutput};

/// What the advisor is called in ledgers and scripts.
pub(super) const ADVISOR_NAME: &str = "advisor";

impl Session {
    /// Runs an allowed `advisor` call of `agent`.
    pub(super) async fn consult(
        &self,
        agent: &mut Agent,
        permit: Permit,
        started: Millis,
    ) -> Result<ToolOutput, SessionError> {
        let question = match read_question(permit, started) {
            Ok(question) => question,
            Err(refused) => return Ok(failed(refused)),
        };
        let shown = Payload::content(question.as_bytes())?;
        let body = AdviceRequested {
            advisor: self.advisor.seq(),
            question: shown.reference(),
        };
        let asked = self
            .recorder
            .enter(&agent.instance, body.into(), vec![shown])?
            .in_order();
        let request = ModelRequest {
            agent: ADVISOR_NAME,
            system: System::fixed(ADVISOR_PROMPT),
            tools: &[],
            messages: &[Message::User { text: question }],
            output_tokens_max: ANSWER_TOKENS_MAX,
            provider_advisor: None,
        };
        let (entry, advice) = match self.think(&self.advisor, &request, None).await? {
            Thought::Answered { entry, answer, .. } => (entry, answer.text()),
            Thought::Failed(reason) => return Ok(failed(format!("the advisor failed: {reason}"))),
            Thought::Halted(cause) => return Ok(failed(format!("the advisor was not asked: {cause}"))),
            Thought::Interrupted => {
                return Ok(ToolOutput {
                    content: "interrupted".to_owned(),
                    outcome: FinishOutcome::Aborted,
                });
            }
        };
        let content = Payload::content(advice.as_bytes())?;
        let body = AdviceGiven {
            question: asked,
            answer: entry,
            form: AdviceForm::Readable,
            content: content.reference(),
        };
        let given = self
            .recorder
            .enter(&self.advisor, body.into(), vec![content])?
            .in_order();
        self.tell(Event::Said {
            agent: ADVISOR_NAME.to_owned(),
            text: advice.clone(),
        });
        agent.advice.last = Some(given);
        agent.advice.given_last_turn = true;
        Ok(ToolOutput {
            content: advice,
            outcome: FinishOutcome::Ok,
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
