//! The beginning of a run: ledger, policies, and everybody who takes part, each introduced with a credential.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::credential::ApproverCredential;
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{HostScope, Lineage};
use countersign_identity::keys::HybridSecret;
use countersign_schemas::body::{Predecessor, RunMode};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::number::Millis;
use countersign_schemas::text::Name;
use tokio::sync::Mutex;

use super::agent::{Advice, Agent, offered};
use super::background::Background;
use super::breaker::Breakers;
use super::conversation::Conversation;
use super::delegate::{facts, may_consult};
use super::ending::Closing;
use super::entrance::Entrance;
use super::ledger::{self, Begun, Policies};
use super::outcome::Outcomes;
use super::root::{GivenGrant, check_window, root_grant};
use super::{HOST_CREDENTIAL, Instructor, Models, Observer, Session, SessionError, StopSwitch};
use crate::clock::Clock;
use crate::gate::{Approver, Gate, Manner, Surroundings};
use crate::model::prices::PriceTable;
use crate::prompt::{History, Prompt};
use crate::recorder::{Authority, Place};
use crate::redact::Redactor;
use crate::tool::{Cancel, Jobs, Person, ReadLog, Shell, Toolbox};

/// What the lead agent is called in ledgers and scripts.
pub(crate) const LEAD_NAME: &str = "lead";

/// A person's key that answers asks.
pub struct ApproverKey {
    /// Its keys.
    pub secret: HybridSecret,
    /// Its DID.
    pub did: PeerDid,
    /// The principal's credential for it.
    pub credential: Vec<u8>,
    /// How it answers.
    pub manner: Manner,
}

/// What a run does with its ledger when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Closes it: nothing can follow.
    Close,
    /// Leaves it open for the next run.
    Leave,
}

/// Everything a run needs to know before it begins.
pub struct Plan {
    /// What the lead is to do.
    pub task: String,
    /// The folder to work in.
    pub dir: PathBuf,
    /// The ledger: where it is to be made, or one that is there and open, to be gone on with.
    pub ledger: Place,
    /// What becomes of the ledger at the end of the run.
    pub at_end: AtEnd,
    /// The ledger that a new one follows.
    pub after: Option<Predecessor>,
    /// Further files of this run that no agent may touch: keys, policies.
    pub own: Vec<PathBuf>,
    /// What the agents and their advisor think with.
    pub models: Models,
    /// What the models cost.
    pub prices: PriceTable,
    /// Hosts that agents may fetch from, unless a grant says it.
    pub hosts: BTreeSet<HostScope>,
    /// Whether the lead only coordinates, and leaves every change to others.
    pub coordinates: bool,
    /// Text of the `--policy` file.
    pub policy: Option<String>,
    /// Bytes of the `--grant` file.
    pub grant: Option<Vec<u8>>,
    /// Principal and host.
    pub authority: Authority,
    /// Who answers asks; without one they are denied.
    pub approver: Option<ApproverKey>,
    /// How the run is attended.
    pub mode: RunMode,
    /// Raised to interrupt the run.
    pub cancel: Cancel,
    /// Pulled to stop it: everybody's authority is revoked.
    pub switch: StopSwitch,
    /// Watches the run.
    pub observer: Arc<dyn Observer>,
    /// Can be asked, and is shown the agents' lists.
    pub person: Arc<dyn Person>,
    /// Says what is next once the task is done; without one the run ends then.
    pub instructor: Option<Arc<dyn Instructor>>,
    /// Finds the secrets that go into no model, event or payload.
    pub redactor: Redactor,
}

impl Session {
    /// Checks everything that can be checked before a ledger exists, then opens it and introduces everybody.
    pub(super) async fn start(plan: Plan) -> Result<(Self, Agent), SessionError> {
        let now = Clock::default().read();
        let shell = Shell::find(std::env::vars_os()).map_err(SessionError::Shell)?;
        let own = [plan.ledger.files(), plan.own].concat();
        let surroundings = Surroundings::new(&plan.dir, &own)?;
        let principal = plan.authority.principal().clone();
        let host = plan.authority.host_did().short_did().clone();
        let given = plan
            .grant
            .map(|bytes| GivenGrant::open(bytes, &principal, &host, now))
            .transpose()?;
        let policies = Policies::of(given.as_ref(), plan.policy.as_deref())?;
        check_window(HOST_CREDENTIAL, plan.authority.window(), now)?;
        let workspace = surroundings.workspace().to_owned();
        if let Some(key) = &plan.approver {
            check_approver(&key.credential, &principal, now)?;
        }
        check_covers(given.as_ref(), &workspace, &plan.hosts, principal.short_did())?;

        let outer = given.as_ref().map(|given| given.credential.window());
        let Begun {
            recorder,
            window,
            to_adopt,
        } = ledger::begin(&plan.ledger, plan.after, &plan.authority, outer, &policies)?;
        let recorder = Arc::new(recorder);
        let entrance = Entrance {
            recorder: &recorder,
            authority: &plan.authority,
            models: &plan.models,
            prices: plan.prices.digest(),
            window,
        };
        for (layer, text) in to_adopt {
            entrance.adopt(layer, text)?;
        }
        let approver = plan.approver.map(|key| entrance.introduce_approver(key)).transpose()?;
        let grant = root_grant(
            given.as_ref(),
            &workspace,
            &plan.hosts,
            principal.short_did(),
            recorder.ledger(),
        )?;
        let (advisor, lead) = entrance.candidates(&grant)?;
        let (advisor, _) = entrance.introduce(advisor, None)?;
        let task = plan.redactor.redact(&plan.task).into_owned();
        let parent_grant = given.as_ref().map(|given| entrance.issue(given)).transpose()?;
        let (instance, credential) = entrance.introduce(lead, parent_grant)?;
        let history = history_of(&workspace);
        let facts = facts(&grant, history.clone(), now);
        let prompt = if plan.coordinates {
            Prompt::coordinator(&facts)
        } else {
            Prompt::lead(plan.mode, &facts)
        };
        let config = entrance.config(prompt.static_text(), plan.policy.as_deref());
        let run = entrance.start_run(&task, instance.seq(), plan.mode, config).await?;

        let root = match grant.lineage {
            Lineage::Root => credential,
            Lineage::Child { root, .. } => root,
        };
        let approver = approver.map_or(Approver::Nobody, |enrolled| Approver::Enrolled(Box::new(enrolled)));
        let (canceller, cancel) = plan.cancel.child();
        let arming = plan
            .switch
            .arm(Arc::clone(&recorder), instance.seq(), canceller.clone());
        let session = Self {
            gate: Gate::new(Arc::clone(&recorder), surroundings, approver),
            outcomes: Outcomes(Arc::clone(&recorder)),
            recorder,
            models: plan.models,
            prices: plan.prices,
            toolbox: Toolbox::new(shell.clone()),
            shell,
            jobs: Arc::new(Jobs::default()),
            reads: Arc::new(ReadLog::default()),
            person: plan.person,
            redactor: plan.redactor,
            cancel,
            arming,
            closing: Closing::of(window, canceller),
            at_end: plan.at_end,
            observer: plan.observer,
            instructor: plan.instructor,
            advisor,
            advisor_turn: Arc::new(Mutex::new(())),
            shared_folder: Mutex::new(()),
            principal: principal.short_did().clone(),
            history,
            run,
        };
        let consulted = session
            .models
            .provider_advisor
            .as_deref()
            .filter(|_| may_consult(&grant));
        let lead = Agent {
            instance,
            name: Name::new(LEAD_NAME)?,
            conversation: Conversation::new(prompt, offered(&grant), task).with_provider_advisor(consulted),
            grant,
            window,
            credential,
            root,
            advice: Advice::default(),
            background: Background::default(),
            children: 0,
            breakers: Breakers::default(),
        };
        Ok((session, lead))
    }
}

/// A grant that does not cover the folder must be told before a ledger exists; any ledger's id serves to find out.
fn check_covers(
    given: Option<&GivenGrant>,
    workspace: &Path,
    hosts: &BTreeSet<HostScope>,
    principal: &ShortDid,
) -> Result<(), SessionError> {
    root_grant(given, workspace, hosts, principal, LedgerId::from_bytes([0; 32])).map(drop)
}

/// What keeps the history of the folder a run works in.
fn history_of(workspace: &Path) -> History {
    if workspace.join(".git").exists() {
        History::Repository
    } else {
        History::None
    }
}

/// An approver who may not answer any more has to be known before anything is asked: an approval that the law refuses
/// would end the run.
fn check_approver(credential: &[u8], principal: &PeerDid, now: Millis) -> Result<(), SessionError> {
    let window = ApproverCredential::parse(credential)?.verify(principal)?.window();
    check_window("the approver's credential", window, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_identity::credential::ApproverClaims;
    use countersign_identity::instant::Window;

    #[test]
    fn an_approver_is_asked_only_while_the_credential_holds() -> Result<(), Box<dyn std::error::Error>> {
        let (principal, approver) = (HybridSecret::generate()?, HybridSecret::generate()?);
        let principal_did = PeerDid::from_keys(principal.public());
        let claims = ApproverClaims {
            window: Window::new(Millis::clamped(1_000_000), Millis::clamped(2_000_000))?,
            approver: PeerDid::from_keys(approver.public()).short_did().clone(),
            name: Name::new("alice")?,
        };
        let credential = ApproverCredential::issue(&claims, &principal, &principal_did)?;
        let at = |ms| check_approver(&credential, &principal_did, Millis::clamped(ms));
        assert!(at(1_500_000).is_ok());
        for outside in [999_999, 2_000_001] {
            assert!(
                matches!(at(outside), Err(SessionError::OutOfWindow { .. })),
                "{outside}"
            );
        }
        let other = PeerDid::from_keys(approver.public());
        let foreign = check_approver(&credential, &other, Millis::clamped(1_500_000));
        assert!(matches!(foreign, Err(SessionError::Credential(_))));
        Ok(())
    }
}
