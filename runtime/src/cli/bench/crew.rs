//! Who takes part in a bench: a ledger of a throw-away principal, and agents in it that may each act by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{CredentialError, InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::did::ShortDid;
use countersign_identity::grant::{AbsolutePath, Budget, Grant, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::{InstantError, Window};
use countersign_identity::keys::{RandomnessError, Seed32};
use countersign_schemas::body::{
    ClockState, Effects, InstanceStopped, Introduced, Newcomer, PolicyAdopted, PolicyLayer, Role, RunEndReason,
    RunEnded, RunMode, RunStarted, StopReason,
};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Bytes, Doc, LengthError};
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::text::{Did, Name, TextError};
use countersign_verifier::policy;
use thiserror::Error;

use super::super::household::{Household, HouseholdError};
use crate::clock::Clock;
use crate::gate::{Approver, Gate, GateError, Surroundings, SurroundingsError};
use crate::recorder::{Authority, Instance, Newborn, Payload, RecordError, Recorder};
use crate::tool::ArgumentError;

/// How long the credentials hold: longer than any bench takes.
const WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// More than any bench spends, and small enough that sums stay countable.
const PLENTY: Count = Count::clamped(1 << 40);
/// The one tool of a bench, which layer 0 permits inside the workspace.
pub(super) const TOOL: &str = "read";

/// Why a bench could not go on.
#[derive(Debug, Error)]
pub(super) enum BenchError {
    /// Something that every run does failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    #[error("interrupted")]
    Interrupted,
    #[error("a caller of the bench stopped by itself")]
    Caller(#[source] tokio::task::JoinError),
    #[error("a bug of the bench: {0}")]
    Bug(&'static str),
}

macro_rules! fails {
    ($($error:ty)*) => {$(
        impl From<$error> for BenchError {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        }
    )*};
}
fails! {
    ArgumentError
    CredentialError
    GateError
    HouseholdError
    InstantError
    LengthError
    RandomnessError
    RecordError
    SurroundingsError
    TextError
    std::io::Error
}

/// Makes a principal and a host that live as long as the bench.
pub(super) fn authority() -> Result<Authority, BenchError> {
    let household = Household::make(Clock::default().read())?;
    let principal = household.principal_did();
    Ok(Authority::new(principal, household.host, household.host_credential)?)
}

/// An agent with a run, a root grant and a budget of its own, so that no agent has to wait for another.
pub(super) struct Agent {
    pub(super) instance: Instance,
    run: Seq,
}

/// A ledger with everybody who may enter something.
pub(super) struct Crew {
    pub(super) recorder: Arc<Recorder>,
    pub(super) gate: Gate,
    pub(super) workspace: PathBuf,
}

impl Crew {
    /// Makes the ledger and introduces `agents` agents that may read files in `workspace`.
    pub(super) async fn assemble(
        authority: &Authority,
        ledger: &Path,
        workspace: &Path,
        agents: u16,
    ) -> Result<(Self, Vec<Agent>), BenchError> {
        let now = Clock::default().read().get() / 1000 * 1000;
        let window = Window::new(
            Millis::clamped(now).max(authority.window().from()),
            Millis::clamped(now + WINDOW_MS).min(authority.window().until()),
        )?;
        let build = Digest::sha256(concat!("countersign bench ", env!("CARGO_PKG_VERSION")).as_bytes());
        let recorder = Arc::new(Recorder::create(ledger, authority, window, build)?);
        let surroundings = Surroundings::new(workspace, &[ledger.to_owned()])?;
        let crew = Self {
            workspace: surroundings.workspace().to_owned(),
            gate: Gate::new(Arc::clone(&recorder), surroundings, Approver::Nobody),
            recorder,
        };
        crew.adopt_builtin_policy()?;
        let grant = crew.grant(authority.principal().short_did(), crew.recorder.ledger())?;
        let mut introduced = Vec::with_capacity(agents.into());
        for number in 1..=agents {
            introduced.push(crew.introduce(authority, window, number, &grant).await?);
        }
        Ok((crew, introduced))
    }

    fn adopt_builtin_policy(&self) -> Result<(), BenchError> {
        let texts = [policy::BUILTIN_LAYER0, policy::SCHEMA, "[]"].map(Payload::evidence);
        let payloads = texts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let body = PolicyAdopted {
            layer: PolicyLayer::Builtin,
            policies: payloads[0].reference(),
            schema: payloads[1].reference(),
            entities: payloads[2].reference(),
            language: Name::new("cedar-4")?,
            order: None,
        };
        self.recorder.enter_own(body.into(), payloads)?.in_order();
        Ok(())
    }

    fn grant(&self, principal: &ShortDid, ledger: LedgerId) -> Result<Grant, BenchError> {
        let workspace = self.workspace.to_str().and_then(|path| AbsolutePath::new(path).ok());
        let workspace = workspace.ok_or(BenchError::Bug("the workspace is no absolute path of a grant"))?;
        Ok(Grant {
            tools: BTreeSet::from([Name::new(TOOL)?]),
            effects: Effects::READ,
            paths: BTreeSet::from([workspace.clone()]),
            workspace,
            hosts: BTreeSet::new(),
            budget: Budget {
                calls: PLENTY,
                tokens_in: PLENTY,
                tokens_out: PLENTY,
                cost_micro_usd: PLENTY,
            },
            depth: 0,
            may_delegate: false,
            ledger: LedgerBinding::Id(ledger),
            purpose: Purpose::default(),
            policy: PolicyTerms {
                adopt: false,
                floor: BTreeMap::new(),
            },
            lineage: Lineage::Root,
            principal: principal.clone(),
        })
    }

    async fn introduce(
        &self,
        authority: &Authority,
        window: Window,
        number: u16,
        grant: &Grant,
    ) -> Result<Agent, BenchError> {
        let newborn = Newborn::generate()?;
        let claims = InstanceClaims {
            window,
            instance: newborn.did().short_did().clone(),
            role: InstanceRole::Agent(Box::new(grant.clone())),
            name: Name::new(format!("caller-{number}"))?,
            operator: authority.principal().short_did().clone(),
            runtime: crate::session::runtime_build()?,
            model: Some(Name::new("bench")?),
            ledger: grant.ledger,
        };
        let credential = InstanceCredential::issue(&claims, authority.host(), authority.host_did())?;
        let body = Introduced {
            did: Newcomer::Did(Did::new(newborn.did().long())?),
            role: Role::Agent,
            credential: Doc::new(credential)?,
            run: None,
            succeeds: None,
            parent_grant: None,
        };
        let lead = self.recorder.enter_own(body.into(), Vec::new())?.in_order();
        let run = self.start_run(lead, authority.principal().short_did()).await?;
        Ok(Agent {
            instance: newborn.introduced_at(lead),
            run,
        })
    }

    async fn start_run(&self, lead: Seq, principal: &ShortDid) -> Result<Seq, BenchError> {
        let task = Payload::content("bench")?;
        let mut run_id = [0; 16];
        run_id.copy_from_slice(&Seed32::generate()?.expose()[..16]);
        let body = RunStarted {
            run_id: Bytes::new(run_id),
            task: task.reference(),
            asked_by: Some(Did::new(principal.as_str())?),
            root_grant: lead,
            mode: RunMode::Headless,
            config: Digest::sha256(b"bench"),
            clock: ClockState::Unknown,
        };
        Ok(self.recorder.enter_own(body.into(), vec![task])?.durable().await?)
    }

    /// Lets everybody stop, ends every run and closes the ledger.
    pub(super) async fn dismiss(self, agents: Vec<Agent>) -> Result<(), BenchError> {
        for agent in agents {
            self.end(agent)?;
        }
        let Self { recorder, gate, .. } = self;
        drop(gate);
        let recorder = Arc::into_inner(recorder).ok_or(BenchError::Bug("the recorder is still in use at the end"))?;
        Ok(recorder.close().await?)
    }

    fn end(&self, Agent { instance, run }: Agent) -> Result<(), BenchError> {
        let seq = instance.seq();
        let spend = self
            .recorder
            .with_law(|law| law.grant_of(seq).map(|grant| grant.spent()));
        let words = self
            .recorder
            .with_law(|law| law.instance(seq).map(|known| known.last_words()));
        let (Some(spend), Some((last_n, last_seq))) = (spend, words) else {
            return Err(BenchError::Bug("the law does not know an agent"));
        };
        let stopped = InstanceStopped {
            instance: seq,
            reason: StopReason::Done,
            last_n,
            last_seq,
        };
        self.recorder.enter(&instance, stopped.into(), Vec::new())?.in_order();
        let ended = RunEnded {
            run,
            reason: RunEndReason::Done,
            result: None,
            spend,
        };
        self.recorder.enter_own(ended.into(), Vec::new())?.in_order();
        Ok(())
    }
}

#[cfg(test)]
#[path = "crew_tests.rs"]
mod tests;
