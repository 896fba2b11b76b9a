//! Who takes part in a run: everybody is introduced with a credential, and the policies they act under are adopted.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::did::PeerDid;
use countersign_identity::grant::Grant;
use countersign_identity::instant::Window;
use countersign_identity::keys::Seed32;
use countersign_schemas::body::{
    Body, ClockState, Granted, Introduced, Newcomer, PolicyAdopted, PolicyLayer, Role, RunMode, RunStarted,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::{Bytes, Doc};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::{Did, Name};
use countersign_verifier::law::{Instance as Known, Law, Stop};
use countersign_verifier::policy;

use super::consult::ADVISOR_NAME;
use super::root::GivenGrant;
use super::start::{ApproverKey, LEAD_NAME};
use super::{Models, SessionError, build};
use crate::gate::Enrolled;
use crate::recorder::{Authority, Instance, Newborn, Payload, RecordError, Recorder};
use crate::side_by_side::side_by_side;
use crate::tool::BUILTIN;

/// The Cedar language version of every policy.
const POLICY_LANGUAGE: &str = "cedar-4";

/// What the runtime instance needs to introduce others.
pub(super) struct Entrance<'a> {
    pub(super) recorder: &'a Recorder,
    pub(super) authority: &'a Authority,
    pub(super) models: &'a Models,
    pub(super) prices: Digest,
    pub(super) window: Window,
}

/// Somebody with keys and a credential of the host for them, whom the ledger does not know yet.
pub(super) struct Candidate {
    newborn: Newborn,
    role: Role,
    credential: Vec<u8>,
}

/// Why something was not entered.
enum Unneeded {
    /// It stands there already: another process that takes part in the ledger may have said it just before.
    Stands(Seq),
    /// It could not be entered.
    Failed(RecordError),
}

impl From<RecordError> for Unneeded {
    fn from(error: RecordError) -> Self {
        Self::Failed(error)
    }
}

impl Entrance<'_> {
    /// Adopts a policy, unless it is in force.
    pub(super) fn adopt(&self, layer: PolicyLayer, policies: &str) -> Result<(), SessionError> {
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
        let digest = Digest::sha256(policies.as_bytes());
        let adopt = |law: &Law, _| match law.layers_in_force().find(|adopted| adopted.layer() == layer) {
            Some(adopted) if adopted.digest() == Some(digest) => Err(Unneeded::Stands(adopted.seq())),
            _ => Ok((body.into(), payloads, ())),
        };
        self.enter_unless_it_stands(adopt).map(drop)
    }

    /// Nobody else can enter the same between the look at the state and the entry.
    fn enter_unless_it_stands(
        &self,
        conclude: impl FnOnce(&Law, Millis) -> Result<(Body, Vec<Payload>, ()), Unneeded>,
    ) -> Result<Seq, SessionError> {
        match self.recorder.enter_concluded(None, conclude) {
            Ok((entered, ())) => Ok(entered.in_order()),
            Err(Unneeded::Stands(seq)) => Ok(seq),
            Err(Unneeded::Failed(error)) => Err(error.into()),
        }
    }

    /// Introduces an approver, unless this ledger knows it already.
    pub(super) fn introduce_approver(&self, key: ApproverKey) -> Result<Enrolled, SessionError> {
        let ApproverKey {
            secret,
            did,
            credential,
            manner,
        } = key;
        let body = introduction_of(&did, Role::Approver, credential, None)?;
        let introduction = self.enter_unless_it_stands(|law, _| match introduced_approver(law, &did) {
            Some(introduction) => Err(Unneeded::Stands(introduction)),
            None => Ok((body, Vec::new(), ())),
        })?;
        Ok(Enrolled {
            introduction,
            secret,
            did,
            manner,
        })
    }

    /// Advisor and lead. Keys and credentials take longest of what a run begins with, and neither needs the other.
    pub(super) fn candidates(&self, lead: &Grant) -> Result<(Candidate, Candidate), SessionError> {
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
            ledger: LedgerBinding::Id(self.recorder.ledger()),
        };
        let credential = InstanceCredential::issue(&claims, self.authority.host(), self.authority.host_did())?;
        Ok(Candidate {
            newborn,
            role,
            credential,
        })
    }

    /// Introduces an instance; gives it with the digest of its credential.
    pub(super) fn introduce(
        &self,
        candidate: Candidate,
        parent_grant: Option<Seq>,
    ) -> Result<(Instance, Digest), SessionError> {
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
        let body = introduction_of(did, role, credential, parent_grant)?;
        Ok(self.recorder.enter_own(body, Vec::new())?.in_order())
    }

    /// Enters a grant of the principal, unless this ledger holds it already: runs that use it share its budget.
    pub(super) fn issue(&self, given: &GivenGrant) -> Result<Seq, SessionError> {
        let digest = given.credential.digest();
        if let Some(issued) = self.recorder.with_law(|law| law.issued_grant(digest)) {
            return Ok(issued);
        }
        let body = Granted {
            holder: Seq::ZERO,
            credential: Doc::new(given.bytes.clone())?,
            parent_grant: Seq::ZERO,
            spent_in: None,
        };
        Ok(self.recorder.enter_own(body.into(), Vec::new())?.in_order())
    }

    pub(super) async fn start_run(
        &self,
        task: &str,
        lead: Seq,
        mode: RunMode,
        config: Digest,
    ) -> Result<Seq, SessionError> {
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
    pub(super) fn config(&self, prompt: &str, policy: Option<&str>) -> Digest {
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

/// What the runtime instance says of somebody whom it introduces.
fn introduction_of(
    did: &PeerDid,
    role: Role,
    credential: Vec<u8>,
    parent_grant: Option<Seq>,
) -> Result<Body, SessionError> {
    let body = Introduced {
        did: Newcomer::Did(Did::new(did.long())?),
        role,
        credential: Doc::new(credential)?,
        run: None,
        succeeds: None,
        parent_grant,
    };
    Ok(body.into())
}

/// Where the approver with this DID was introduced. Nobody can be introduced twice.
fn introduced_approver(law: &Law, did: &PeerDid) -> Option<Seq> {
    let is_it = |known: &&Known| known.role() == Role::Approver && known.did() == did && known.stop() == Stop::Running;
    law.instances().find(is_it).map(Known::seq)
}
