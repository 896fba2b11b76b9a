//! A run: agents at work in one folder, under one ledger.
//!
//! [`run`] opens the ledger, introduces everybody, lets the lead agent work, and closes or leaves the ledger
//! whatever the end is.
//! Every effect goes through the [`gate`](crate::gate); every statement goes through the [`recorder`](crate::recorder).

mod act;
mod agent;
mod background;
mod batch;
mod breaker;
mod build;
mod consult;
mod conversation;
mod delegate;
mod ending;
mod entrance;
mod error;
mod event;
mod halt;
mod ledger;
mod outcome;
mod root;
mod start;
mod switch;
#[cfg(test)]
mod tests;
mod think;
mod turns;

use std::path::PathBuf;
use std::sync::Arc;

use countersign_identity::did::ShortDid;
use countersign_schemas::body::RunEndReason;
use countersign_schemas::number::Seq;
use tokio::sync::Mutex;

use self::agent::{Agent, AgentEnd};
use self::ending::Closing;
use self::outcome::Outcomes;
use self::switch::Arming;
use crate::gate::Gate;
use crate::model::Model;
use crate::model::prices::PriceTable;
use crate::prompt::History;
use crate::recorder::{Instance, Recorder};
use crate::redact::Redactor;
use crate::tool::{Cancel, Jobs, Person, ReadLog, Shell, Toolbox};

pub use breaker::{Breaker, Trip};
pub(crate) use build::runtime as runtime_build;
pub(crate) use error::HOST_CREDENTIAL;
pub use error::SessionError;
pub use event::{Event, Observer, Ruled};
pub use halt::Halt;
pub(crate) use start::LEAD_NAME;
pub use start::{ApproverKey, AtEnd, Plan};
pub use switch::{Pulled, Revocation, RevokedAgent, StopSwitch};
pub use turns::{Instructor, TurnEnd};

/// The models of a run.
#[derive(Clone)]
pub struct Models {
    /// What the agents think with.
    pub agents: Arc<dyn Model>,
    /// What the advisor thinks with.
    pub advisor: Arc<dyn Model>,
    /// The model that the agents' provider is to let them consult on its own side, in place of our advisor.
    pub provider_advisor: Option<String>,
}

impl Models {
    /// One model for agents and advisor.
    #[must_use]
    pub fn same(model: Arc<dyn Model>) -> Self {
        Self {
            agents: Arc::clone(&model),
            advisor: model,
            provider_advisor: None,
        }
    }
}

/// Everything the agents of a run share.
struct Session {
    recorder: Arc<Recorder>,
    outcomes: Outcomes,
    gate: Gate,
    models: Models,
    prices: PriceTable,
    toolbox: Toolbox,
    shell: Shell,
    jobs: Arc<Jobs>,
    reads: Arc<ReadLog>,
    person: Arc<dyn Person>,
    redactor: Redactor,
    cancel: Cancel,
    arming: Arming,
    closing: Closing,
    at_end: AtEnd,
    observer: Arc<dyn Observer>,
    instructor: Option<Arc<dyn Instructor>>,
    advisor: Instance,
    /// Held from a question to the advisor until the action it was asked in has its outcome: the law charges the
    /// advisor's call to the oldest question that stands open (authority-v1 §5.5).
    advisor_turn: Arc<Mutex<()>>,
    /// Held by a child that changes files in a folder which it shares with others.
    shared_folder: Mutex<()>,
    principal: ShortDid,
    history: History,
    run: Seq,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// The ledger's id in hex.
    pub ledger_id: String,
    /// Why the run ended.
    pub reason: RunEndReason,
    /// What halted it, if anything did.
    pub halt: Option<Halt>,
    /// The lead's last words, or what went wrong.
    pub result: String,
}

/// Plays a plan to its end and closes the ledger, or leaves it as the plan says.
///
/// # Errors
/// [`SessionError`] when the run could not begin, or the ledger could not be written any more; no ledger, or an open one,
/// is left.
pub async fn run(plan: Plan) -> Result<RunReport, SessionError> {
    let ledger = plan.ledger.ledger().to_owned();
    let (session, mut lead) = Session::start(plan).await?;
    session.tell(Event::RunStarted {
        ledger: session.recorder.ledger().to_string(),
        path: ledger.display().to_string(),
    });
    session.tell(Event::AgentStarted {
        agent: lead.name.to_string(),
        did: lead.instance.did().short().to_owned(),
        parent: None,
    });
    let end = tokio::select! {
        end = session.play(&mut lead) => end?,
        never = session.watch_time() => match never {},
    };
    session.finish(lead, end, ledger).await
}

impl Session {
    /// Lets the lead work to the end, and its background commands after it.
    async fn play(&self, lead: &mut Agent) -> Result<AgentEnd, SessionError> {
        let end = self.take_turns(lead).await?;
        self.end_background(lead).await?;
        Ok(end)
    }

    fn tell(&self, event: Event) {
        self.observer.observe(&event);
    }

    /// `text` without the secrets that are recognised in it.
    fn clean(&self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }
}
