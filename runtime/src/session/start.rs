//! The beginning of a run: ledger, policies, and everybody who takes part, each introduced with a credential.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::credential::{ApproverCredential, InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::did::{PeerDid, ShortDid};
use countersign_identity::grant::{Grant, HostScope, Lineage};
use countersign_identity::instant::Window;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_schemas::body::{
    ClockState, Granted, Introduced, Newcomer, PolicyAdopted, PolicyLayer, Role, RunMode, RunStarted,
};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Bytes, Doc};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::{Did, Name};
use countersign_verifier::policy;
use tokio::sync::Mutex;

use super::agent::{Advice, Agent, offered};
use super::background::Background;
use super::consult::ADVISOR_NAME;
use super::conversation::Conversation;
use super::delegate::{facts, may_consult};
use super::ending::Closing;
use super::outcome::Outcomes;
use super::root::{GivenGrant, check_window, layer_of_policy_file, root_grant, run_window};
use super::{HOST_CREDENTIAL, Instructor, Models, Observer, Session, SessionError, build};
use crate::clock::Clock;
use crate::gate::{Approver, Enrolled, Gate, Manner, Surroundings};
use crate::model::prices::PriceTable;
use crate::prompt::{History, Prompt};
use crate::recorder::{Authority, Newborn, Payload, RecordError, Recorder};
use crate::redact::Redactor;
use crate::side_by_side::side_by_side;
use crate::tool::{BUILTIN, Cancel, Jobs, Person, ReadLog, Shell, Toolbox};

/// What the lead agent is called in ledgers and scripts.
pub(crate) const LEAD_NAME: &str = "lead";
/// The Cedar language version of every policy.
const POLICY_LANGUAGE: &str = "cedar-4";

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

/// Everything a run needs to know before it begins.
pub struct Plan {
    /// What the lead is to do.
    pub task: String,
    /// The folder to work in.
    pub dir: PathBuf,
    /// Where the ledger is to be made.
    pub ledger: PathBuf,
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
        let now = Clock::default().read().at;
        let shell = Shell::find(std::env::vars_os()).map_err(SessionError::Shell)?;
        let own = [vec![plan.ledger.clone()], plan.own].concat();
        let surroundings = Surroundings::new(&plan.dir, &own)?;
        let principal = plan.authority.principal().clone();
        let host = plan.authority.host_did().short_did().clone();
        let given = plan
            .grant
            .map(|bytes| GivenGrant::open(bytes, &principal, &host, now))
            .transpose()?;
        let layer = layer_of_policy_file(given.as_ref());
        if let Some(text) = &plan.policy {
            check_policy(layer, text)?;
        }
        let outer = given
            .as_ref()
            .map_or(plan.authority.window(), |given| given.credential.window());
        check_window(HOST_CREDENTIAL, plan.authority.window(), now)?;
        let window = run_window(now, within(plan.authority.window(), outer)?)?;
        let workspace = surroundings.workspace().to_owned();
        if let Some(key) = &plan.approver {
            check_approver(&key.credential, &principal, now)?;
        }
        check_covers(given.as_ref(), &workspace, &plan.hosts, principal.short_did())?;

        let recorder = Arc::new(Recorder::create(
            plan.ledger.as_path(),
            &plan.authority,
            window,
            build::digest(),
        )?);
        let entrance = Entrance {
            recorder: &recorder,
            authority: &plan.authority,
            models: &plan.models,
            prices: plan.prices.digest(),
            window,
        };
        entrance.adopt(PolicyLayer::Builtin, policy::BUILTIN_LAYER0)?;
        if let Some(text) = &plan.policy {
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
            closing: Closing::of(window, canceller),
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
        };
        Ok((session, lead))
    }
}

/// A policy must be usable before anything begins: one that would only deny is a mistake to be told at once.
fn check_policy(layer: PolicyLayer, text: &str) -> Result<(), SessionError> {
    let loaded = policy::LoadedLayer::load(layer, text, policy::SCHEMA, "[]")?;
    if loaded.is_empty() {
        Err(SessionError::EmptyPolicy)
    } else {
        Ok(())
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

fn within(first: Window, second: Window) -> Result<Window, SessionError> {
    Ok(Window::new(
        first.from().max(second.from()),
        first.until().min(second.until()),
    )?)
}

/// An approver who may not answer any more has to be known before anything is asked: an approval that the law refuses
/// would end the run.
fn check_approver(credential: &[u8], principal: &PeerDid, now: Millis) -> Result<(), SessionError> {
    let window = ApproverCredential::parse(credential)?.verify(principal)?.window();
    check_window("the approver's credential", window, now)
}

/// What the runtime instance needs to introduce others.
struct Entrance<'a> {
    recorder: &'a Recorder,
    authority: &'a Authority,
    models: &'a Models,
    prices: Digest,
    window: Window,
}

/// Somebody with keys and a credential of the host for them, whom the ledger does not know yet.
struct Candidate {
    newborn: Newborn,
    role: Role,
    credential: Vec<u8>,
}

impl Entrance<'_> {
    fn adopt(&self, layer: PolicyLayer, policies: &str) -> Result<Seq, SessionError> {
        let payloads = vec![
            Payload::evidence(policies)?,
            Payload::evidence(policy::SCHEMA)?,
            Payload::evidence("[]")?,
        ];
        let body = PolicyAdopted {
            layer,
            policies: payloads[0].reference(),
            schema: payloads[1].reference(),
            entities: payloads[2].reference(),
            language: Name::new(POLICY_LANGUAGE)?,
            order: None,
        };
        Ok(self.recorder.enter_own(body.into(), payloads)?.in_order())
    }

    fn introduce_approver(&self, key: ApproverKey) -> Result<Enrolled, SessionError> {
        let ApproverKey {
            secret,
            did,
            credential,
            manner,
        } = key;
        let introduction = self.enter_introduction(&did, Role::Approver, credential, None)?;
        Ok(Enrolled {
            introduction,
            secret,
            did,
            manner,
        })
    }

    /// Advisor and lead. Keys and credentials take longest of what a run begins with, and neither needs the other.
    fn candidates(&self, lead: &Grant) -> Result<(Candidate, Candidate), SessionError> {
        let (advisor, lead) = side_by_side(
            || self.candidate(ADVISOR_NAME, InstanceRole::Advisor),
            || self.candidate(LEAD_NAME, InstanceRole::Agent(Box::new(lead.clone()))),
        )
        .map_err(RecordError::Thread)?;
        Ok((advisor?, lead?))
    }

    fn candidate(&self, name: &str, claimed: InstanceRole) -> Result<Candidate, SessionError> {
        let newborn = Newborn::generate()?;
        let (role, model) = match claimed {
            InstanceRole::Advisor => (Role::Advisor, &self.models.advisor),
            _ => (Role::Agent, &self.models.agents),
        };
        let claims = InstanceClaims {
            window: self.window,
            instance: newborn.did().short_did().clone(),
            role: claimed,
            name: Name::new(name)?,
            operator: self.authority.principal().short_did().clone(),
            runtime: build::runtime()?,
            model: Some(model.name().clone()),
            ledger: countersign_identity::binding::LedgerBinding::Id(self.recorder.ledger()),
        };
        let credential = InstanceCredential::issue(&claims, self.authority.host(), self.authority.host_did())?;
        Ok(Candidate {
            newborn,
            role,
            credential,
        })
    }

    /// Introduces an instance; gives it with the digest of its credential.
    fn introduce(
        &self,
        candidate: Candidate,
        parent_grant: Option<Seq>,
    ) -> Result<(crate::recorder::Instance, Digest), SessionError> {
        let Candidate {
            newborn,
            role,
            credential,
        } = candidate;
        let digest = Digest::sha256(&credential);
        let seq = self.enter_introduction(newborn.did(), role, credential, parent_grant)?;
        Ok((newborn.introduced_at(seq), digest))
    }

    fn enter_introduction(
        &self,
        did: &PeerDid,
        role: Role,
        credential: Vec<u8>,
        parent_grant: Option<Seq>,
    ) -> Result<Seq, SessionError> {
        let body = Introduced {
            did: Newcomer::Did(Did::new(did.long())?),
            role,
            credential: Doc::new(credential)?,
            run: None,
            succeeds: None,
            parent_grant,
        };
        Ok(self.recorder.enter_own(body.into(), Vec::new())?.in_order())
    }

    fn issue(&self, given: &GivenGrant) -> Result<Seq, SessionError> {
        let body = Granted {
            holder: Seq::ZERO,
            credential: Doc::new(given.bytes.clone())?,
            parent_grant: Seq::ZERO,
            spent_in: None,
        };
        Ok(self.recorder.enter_own(body.into(), Vec::new())?.in_order())
    }

    async fn start_run(&self, task: &str, lead: Seq, mode: RunMode, config: Digest) -> Result<Seq, SessionError> {
        let task = Payload::content(task.as_bytes())?;
        let mut run_id = [0; 16];
        run_id.copy_from_slice(&Seed32::generate()?.expose()[..16]);
        let body = RunStarted {
            run_id: Bytes::new(run_id),
            task: task.reference(),
            asked_by: Some(Did::new(self.authority.principal().short())?),
            root_grant: lead,
            mode,
            config,
            clock: ClockState::Unknown,
        };
        Ok(self.recorder.enter_own(body.into(), vec![task])?.durable().await?)
    }

    /// Digest of what two runs would have to share to be called alike: model, prompts, tools, policy.
    fn config(&self, prompt: &str, policy: Option<&str>) -> Digest {
        let toolset = crate::tool::toolset_digest(BUILTIN);
        let policy = policy.map_or_else(String::new, |text| Digest::sha256(text.as_bytes()).to_string());
        let prompt = Digest::sha256(prompt.as_bytes());
        let Models { agents, .. } = self.models;
        let text = format!(
            "countersign/1 configuration\nmodel {}/{}\nadvisor {}\nprompt {prompt}\ntools {toolset}\n\
             prices {}\npolicy {policy}\n",
            agents.provider(),
            agents.name(),
            advisor(self.models),
            self.prices,
        );
        Digest::sha256(text.as_bytes())
    }
}

/// The advisor as the configuration names it: a model of its own, or one that the provider consults.
fn advisor(models: &Models) -> String {
    match &models.provider_advisor {
        Some(name) => format!("provider:{name}"),
        None => format!("{}/{}", models.advisor.provider(), models.advisor.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_identity::credential::ApproverClaims;

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
