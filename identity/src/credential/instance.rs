//! `CountersignInstanceCredential` (identity-v1 §7.5).

use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};

use super::{Claims, CredentialError, subject_members};
use crate::binding::LedgerBinding;
use crate::did::ShortDid;
use crate::grant::Grant;
use crate::instant::Window;
use crate::member::{MemberError, Members};

/// One running instance: who it is, on whose behalf, in which ledger, and an agent's authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceClaims {
    /// From when until when.
    pub window: Window,
    /// The instance's DID.
    pub instance: ShortDid,
    /// What it may do.
    pub role: InstanceRole,
    /// What it is called in the ledger.
    pub name: Name,
    /// The principal on whose behalf it runs.
    pub operator: ShortDid,
    /// The program that runs it.
    pub runtime: RuntimeBuild,
    /// The model that speaks; a runtime instance has none.
    pub model: Option<Name>,
    /// The one ledger it speaks in: its id, or its founding digest for the instance that opens it.
    pub ledger: LedgerBinding,
}

/// The role of an instance, with what only that role has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceRole {
    /// Gatekeeper and executor of one process.
    Runtime,
    /// Requests actions within its grant.
    Agent(Box<Grant>),
    /// Recommends, and can do nothing else.
    Advisor,
}

impl InstanceRole {
    /// The word in the document.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Agent(_) => "agent",
            Self::Advisor => "advisor",
        }
    }

    /// The grant, if the role has one.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Agent(grant) => Some(grant),
            Self::Runtime | Self::Advisor => None,
        }
    }
}

/// Name and version of the program that runs an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeBuild {
    /// Name of the program.
    pub name: Name,
    /// Its version.
    pub version: Name,
}

impl Claims for InstanceClaims {
    const PROFILE: &'static str = "CountersignInstanceCredential";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        let mut subject = Map::new();
        let mut put = |name: &str, value: Value| subject.insert(name.to_owned(), value);
        put("id", self.instance.as_str().into());
        put("role", self.role.as_str().into());
        put("name", self.name.as_str().into());
        put("operator", self.operator.as_str().into());
        put(
            "runtime",
            json!({ "name": self.runtime.name.as_str(), "version": self.runtime.version.as_str() }),
        );
        put("ledger", self.ledger.to_json());
        if let Some(model) = &self.model {
            put("model", model.as_str().into());
        }
        if let Some(grant) = self.role.grant() {
            put("grant", grant.to_json());
        }
        Value::Object(subject)
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let mut members = subject_members(subject)?;
        let instance = members.required("id")?.short_did()?;
        let role = members.required("role")?;
        let name = members.required("name")?.name()?;
        let operator = members.required("operator")?.short_did()?;
        let runtime = read_runtime(members.required("runtime")?.value)?;
        let model = members.optional("model").map(|model| model.name()).transpose()?;
        let ledger = LedgerBinding::from_json(members.required("ledger")?.value)?;
        let grant = members
            .optional("grant")
            .map(|grant| Grant::from_json(grant.value))
            .transpose()?;
        members.finish()?;
        let role = match (role.text()?, grant) {
            ("runtime", None) => InstanceRole::Runtime,
            ("advisor", None) => InstanceRole::Advisor,
            ("agent", Some(grant)) => InstanceRole::Agent(Box::new(grant)),
            ("runtime" | "advisor" | "agent", _) => return Err(CredentialError::GrantOfRole),
            _ => return Err(role.wrong_value("runtime, agent or advisor").into()),
        };
        check_role(&role, model.as_ref(), &ledger)?;
        Ok(Self {
            window,
            instance,
            role,
            name,
            operator,
            runtime,
            model,
            ledger,
        })
    }
}

fn check_role(role: &InstanceRole, model: Option<&Name>, ledger: &LedgerBinding) -> Result<(), CredentialError> {
    let is_runtime = matches!(role, InstanceRole::Runtime);
    match ledger {
        LedgerBinding::Id(_) => {}
        LedgerBinding::Founding(_) if is_runtime => {}
        LedgerBinding::Founding(_) | LedgerBinding::Any => return Err(CredentialError::LedgerOfRole),
    }
    if is_runtime && model.is_some() {
        return Err(CredentialError::ModelOfRole);
    }
    Ok(())
}

fn read_runtime(value: &Value) -> Result<RuntimeBuild, MemberError> {
    let mut members = Members::of("runtime", value)?;
    let runtime = RuntimeBuild {
        name: members.required("name")?.name()?,
        version: members.required("version")?.name()?,
    };
    members.finish()?;
    Ok(runtime)
}
