//! From a proposed call to a permit or a refusal, every step of it an entry (authority-v1 §8, §9).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_schemas::body::{
    ActionRequested, AdviceCited, ApprovalEntered, ApproverClass, Ask, Body, Check, DecisionMade, Effects, EventCode,
    Need, Order, OrderForm, Outcome, Part, PartOutcome, SessionEvent, Verdict,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::{Doc, List};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::Name;
use countersign_verifier::code::Code;
use countersign_verifier::law::{self, Adopted, JudgeError, Law};
use countersign_verifier::projection::Observed;
use thiserror::Error;

use super::approver::{Answer, Approver, ApproverError, Question};
use super::{Permit, PermitTerms, Refusal, Surroundings};
use crate::recorder::{Entered, Instance, Payload, RecordError, Recorder};
use crate::tool::{Arguments, Cancel, PathError};

/// How long an allow may wait for its execution.
const PERMIT_MS: u64 = 10 * 60 * 1000;
/// How long an ask may wait for its answer, execution included.
const ASK_MS: u64 = 60 * 60 * 1000;

/// A call that an agent wants to make.
pub struct Proposal {
    /// The tool.
    pub tool: Name,
    /// Digest of the tool's descriptor.
    pub descriptor: Digest,
    /// The exact argument bytes.
    pub arguments: Arguments,
    /// The widest effect it can have.
    pub effects: Effects,
    /// The model answer that proposed it.
    pub cause: Seq,
    /// Advice the agent had, and what it says it did with it.
    pub advice: Vec<AdviceCited>,
    /// The workspace of the requester's grant.
    pub workspace: PathBuf,
}

/// What became of a proposal.
pub enum Ruling {
    /// It may happen, exactly so and once.
    Permitted {
        /// What the tool is run with.
        permit: Permit,
        /// Whether policy left it open and an approver said yes.
        approved: bool,
    },
    /// It does not happen.
    Refused(Refusal),
}

/// Why the gate could not do its work. The action does not happen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GateError {
    /// The ledger did not take an entry.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The law could not judge the request.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The approver could not be asked.
    #[error(transparent)]
    Approver(#[from] ApproverError),
}

/// Decides what the agents of one process may do.
pub struct Gate {
    recorder: Arc<Recorder>,
    surroundings: Surroundings,
    approver: Approver,
}

/// What the gate itself has to say about a request, beside what the law makes of it.
struct Sight {
    observed: Observed,
    objection: Option<Part>,
}

/// What a decision says.
struct Conclusion {
    outcome: Outcome,
    parts: Vec<Part>,
    expires: Millis,
}

/// A decision that is durable.
pub(crate) struct Decided {
    /// Place of the decision.
    pub(crate) seq: Seq,
    digest: Digest,
    conclusion: Conclusion,
    /// Where the path of the call leads; empty where it has none.
    real_path: String,
}

impl Decided {
    /// What it says.
    pub(crate) const fn outcome(&self) -> Outcome {
        self.conclusion.outcome
    }
}

impl Gate {
    /// A gate over `recorder` for a run in `surroundings`.
    #[must_use]
    pub fn new(recorder: Arc<Recorder>, surroundings: Surroundings, approver: Approver) -> Self {
        Self {
            recorder,
            surroundings,
            approver,
        }
    }

    /// Enters the request of `requester` under its own grant, decides on it, and has an ask answered, unless
    /// `cancel` is raised while the question stands.
    ///
    /// # Errors
    /// [`GateError`]: no permit exists, and what was not entered did not happen.
    pub async fn decide(&self, requester: &Instance, proposal: Proposal, cancel: &Cancel) -> Result<Ruling, GateError> {
        let (request, committed) = self.enter_request(requester, &proposal)?;
        let request_digest = request.digest;
        let decided = self.decide_on(request.in_order(), &proposal).await?;
        let permit = |expires| self.permit(&decided, requester, &proposal, expires);
        match decided.conclusion.outcome {
            Outcome::Allow => Ok(Ruling::Permitted {
                permit: permit(decided.conclusion.expires),
                approved: false,
            }),
            Outcome::Deny | Outcome::CouldNotEvaluate => Ok(Ruling::Refused(Refusal::of_parts(
                decided.seq,
                decided.conclusion.outcome,
                &decided.conclusion.parts,
                |rule| self.reason_of(rule),
            ))),
            Outcome::Ask => match self
                .ask(&decided, (requester, request_digest), committed, &proposal, cancel)
                .await?
            {
                None => Ok(Ruling::Permitted {
                    permit: permit(decided.conclusion.expires),
                    approved: true,
                }),
                Some(refusal) => Ok(Ruling::Refused(refusal)),
            },
        }
    }

    /// Enters the request of `requester` under its own grant; gives it with its commitment to the arguments.
    ///
    /// # Errors
    /// As [`Recorder::enter`].
    pub(crate) fn enter_request(
        &self,
        requester: &Instance,
        proposal: &Proposal,
    ) -> Result<(Entered, PayloadRef), RecordError> {
        let arguments = Payload::content(proposal.arguments.as_bytes())?;
        let committed = arguments.reference();
        let body = request(requester, proposal, &arguments)?;
        Ok((self.recorder.enter(requester, body.into(), vec![arguments])?, committed))
    }

    /// Decides on `request`, which asks for `proposal`, by what can be seen now.
    ///
    /// # Errors
    /// [`GateError`]: there is no decision.
    pub(crate) async fn decide_on(&self, request: Seq, proposal: &Proposal) -> Result<Decided, GateError> {
        self.enter_decision(request, self.look(proposal)).await
    }

    fn look(&self, proposal: &Proposal) -> Sight {
        match self.surroundings.observe(
            &proposal.workspace,
            proposal.tool.as_str(),
            proposal.arguments.as_bytes(),
        ) {
            Ok(observed) => Sight {
                observed,
                objection: None,
            },
            Err(error) => {
                // Not the error itself: it names the path, which is an argument. The ledger has both.
                tracing::warn!(
                    reason = std::error::Error::source(&error),
                    "a path could not be observed"
                );
                Sight {
                    observed: Observed::unknown(),
                    objection: Some(unobservable(&error)),
                }
            }
        }
    }

    async fn enter_decision(&self, request: Seq, sight: Sight) -> Result<Decided, GateError> {
        let real_path = sight.observed.real_path.clone();
        let foreseen = self.recorder.foresee(request, &sight.observed)?;
        let (entered, conclusion) = self
            .recorder
            .enter_concluded(foreseen, |law, at| self.conclude(law, at, request, sight))?;
        Ok(Decided {
            digest: entered.digest,
            // Nothing may rest on a decision that a power cut could take back.
            seq: entered.durable().await?,
            conclusion,
            real_path,
        })
    }

    /// The decision that law and sight give, from what was foreseen as far as that still holds. Judged and entered under
    /// one lock: another agent's call in between would change what is left of a budget.
    fn conclude(
        &self,
        law: &Law,
        at: Millis,
        request: Seq,
        sight: Sight,
    ) -> Result<(Body, Vec<Payload>, Conclusion), GateError> {
        let judgement = law.judge(request, sight.observed)?;
        let mut parts = judgement.parts;
        parts.extend(sight.objection);
        let may_answer = |approver: &Seq| law.revocation_of(*approver).is_none();
        let approver = self.approver.introduction().filter(may_answer);
        if law::outcome(&parts) == Outcome::Ask && approver.is_none() {
            parts.retain(|part| part.check != Check::Availability);
            parts.push(availability(PartOutcome::Deny, "no-approver"));
        }
        let outcome = law::outcome(&parts);
        let cedar_request = judgement.cedar_request.map(Payload::content).transpose()?;
        let expires = expires(outcome, at);
        let ask = approver.filter(|_| outcome == Outcome::Ask);
        let body = DecisionMade {
            request,
            outcome,
            parts: List::new(parts.clone()).map_err(RecordError::from)?,
            policies: List::new(judgement.policies).map_err(RecordError::from)?,
            cedar_request: cedar_request.as_ref().map(Payload::reference),
            projection: judgement.projection,
            expires,
            ask: ask.map(who_is_asked).transpose()?,
            advice: None,
            status_lists: None,
        };
        let conclusion = Conclusion {
            outcome,
            parts,
            expires,
        };
        Ok((body.into(), cedar_request.into_iter().collect(), conclusion))
    }

    /// Has the approver answer, enters the answer, and gives the refusal unless it was a yes.
    async fn ask(
        &self,
        decided: &Decided,
        (requester, request): (&Instance, Digest),
        arguments: PayloadRef,
        proposal: &Proposal,
        cancel: &Cancel,
    ) -> Result<Option<Refusal>, GateError> {
        let workspace = proposal.workspace.to_string_lossy();
        let text = law::approval_text(proposal.tool.as_str(), &workspace, proposal.arguments.as_bytes());
        let question = Question {
            agent: self.name_of(requester),
            ledger: self.recorder.ledger(),
            request,
            decision: decided.digest,
            tool: proposal.tool.clone(),
            arguments: arguments.commitment,
            text,
            asked: self.recorder.now(),
            expires: decided.conclusion.expires,
        };
        let answer = self.answer(&question, cancel).await?;
        let Some(answer) = answer.filter(|_| self.recorder.now() <= question.expires) else {
            let why = if cancel.is_raised() {
                "interrupted before anybody answered"
            } else {
                "nobody answered in time"
            };
            return self.lapse(decided, why).await.map(Some);
        };
        let verdict = answer.verdict;
        match self.enter_approval(decided, question.text, answer) {
            Ok(entered) => entered.durable().await?,
            Err(RecordError::Unlawful { finding, .. }) if verdict == Verdict::Given && came_too_late(finding.code) => {
                let why = format!("approved, but no longer allowed: {}", finding.text());
                return self.lapse(decided, why).await.map(Some);
            }
            Err(error) => return Err(error.into()),
        };
        Ok((verdict == Verdict::Refused).then(|| Refusal::of_ask(decided.seq, "the approver refused")))
    }

    /// The `@reason` of the policy in force that a decision names `rule`, such as `1/never-force-push`.
    fn reason_of(&self, rule: &str) -> Option<String> {
        let (layer, name) = rule.split_once('/')?;
        self.recorder.with_law(|law| {
            let is_its = |adopted: &&Adopted| adopted.layer().code().to_string() == layer;
            law.layers_in_force().find(is_its)?.reason(name)
        })
    }

    /// The name in the credential under which `requester` was introduced.
    fn name_of(&self, requester: &Instance) -> String {
        let name = |law: &Law| law.instance(requester.seq()).map(|instance| instance.name().to_owned());
        self.recorder.with_law(name).unwrap_or_default()
    }

    fn enter_approval(&self, decided: &Decided, text: Vec<u8>, answer: Answer) -> Result<Entered, RecordError> {
        let text = Payload::content(text)?;
        let body = ApprovalEntered {
            decision: decided.seq,
            approver: answer.approver,
            verdict: answer.verdict,
            order: Order {
                form: OrderForm::DataIntegrity,
                doc: Doc::new(answer.order)?,
            },
            text: text.reference(),
        };
        self.recorder.enter_own(body.into(), vec![text])
    }

    /// Enters that the ask of `decided` is not waited for any more.
    async fn lapse(&self, decided: &Decided, why: impl Into<String>) -> Result<Refusal, GateError> {
        let why = why.into();
        let detail = Payload::content(why.as_bytes())?;
        let expired = SessionEvent {
            code: EventCode::ApprovalExpired,
            about: Some(decided.seq),
            detail: Some(detail.reference()),
        };
        self.recorder.enter_own(expired.into(), vec![detail])?.durable().await?;
        Ok(Refusal::of_ask(decided.seq, why))
    }

    /// The approver's answer; none if the turn is interrupted, or time runs out, while the question stands.
    async fn answer(&self, question: &Question, cancel: &Cancel) -> Result<Option<Answer>, ApproverError> {
        let left = question.expires.get().saturating_sub(question.asked.get());
        tokio::select! {
            answer = self.approver.answer(question) => answer,
            () = cancel.raised() => Ok(None),
            () = tokio::time::sleep(Duration::from_millis(left)) => Ok(None),
        }
    }

    fn permit(&self, decided: &Decided, requester: &Instance, proposal: &Proposal, expires: Millis) -> Permit {
        let real_path = decided.real_path.as_str();
        Permit::issue(PermitTerms {
            decision: decided.seq,
            tool: proposal.tool.clone(),
            arguments: proposal.arguments.as_bytes().into(),
            path: (!real_path.is_empty()).then(|| PathBuf::from(real_path)),
            workspace: proposal.workspace.clone(),
            agent: requester.seq(),
            expires,
        })
    }
}

/// What can happen while a person thinks: other agents use up the budget, a window or the run ends, the agent is revoked
/// (authority-v1 §9).
const fn came_too_late(code: Code) -> bool {
    matches!(code, Code::G6 | Code::G7 | Code::G8 | Code::D1)
}

fn expires(outcome: Outcome, at: Millis) -> Millis {
    let after = |ms| Millis::clamped(at.get().saturating_add(ms));
    match outcome {
        Outcome::Allow => after(PERMIT_MS),
        Outcome::Ask => after(ASK_MS),
        Outcome::Deny | Outcome::CouldNotEvaluate => Millis::ZERO,
    }
}

fn request(requester: &Instance, proposal: &Proposal, arguments: &Payload) -> Result<ActionRequested, RecordError> {
    let advice = match proposal.advice.as_slice() {
        [] => None,
        cited => Some(List::new(cited.to_vec())?),
    };
    Ok(ActionRequested {
        tool: proposal.tool.clone(),
        descriptor: proposal.descriptor,
        arguments: arguments.reference(),
        effects: proposal.effects,
        grant: requester.seq(),
        cause: Some(proposal.cause),
        advice,
        resumes: None,
    })
}

fn who_is_asked(approver: Seq) -> Result<Ask, RecordError> {
    Ok(Ask {
        need: Need::ONE,
        class: ApproverClass::Person,
        eligible: List::new(vec![approver])?,
    })
}

fn unobservable(_error: &PathError) -> Part {
    availability(PartOutcome::CouldNotEvaluate, "path-unresolvable")
}

/// A part of the check `availability` with one rule of our own naming.
fn availability(outcome: PartOutcome, rule: &'static str) -> Part {
    let rules = Name::new(rule).ok().into_iter().collect();
    let rules = List::new(rules).expect("one rule is within the limit of sixteen");
    Part {
        check: Check::Availability,
        outcome,
        rules,
    }
}
