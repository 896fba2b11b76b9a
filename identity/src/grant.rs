//! Grants: which tools, effects, places and budget an agent has, and for how many generations (identity-v1 §8).
//!
//! A grant is part of a credential and has no signature of its own. Its window is that of the credential. Whether a
//! child is narrower than its parent is decided in [`narrow`]; whether a grant is spent or revoked is the law's.

pub mod narrow;
pub mod scope;

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};

use crate::binding::LedgerBinding;
use crate::did::ShortDid;
use crate::member::{Member, MemberError, Members};
use crate::text::{self, TextProblem};
pub use narrow::TooWide;
pub use scope::{AbsolutePath, HostScope};

/// Most tools in a grant.
pub const TOOLS_MAX: usize = 64;
/// Most paths in a grant.
pub const PATHS_MAX: usize = 32;
/// Most hosts in a grant.
pub const HOSTS_MAX: usize = 32;
/// Longest purpose in bytes.
pub const PURPOSE_LEN_MAX: usize = 256;
/// Most generations below a grant.
pub const DEPTH_MAX: u8 = 32;

/// Authority as one signed object; every member limits, and what is not named is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Tools that may be requested, at most [`TOOLS_MAX`].
    pub tools: BTreeSet<Name>,
    /// Effects that a request may have.
    pub effects: Effects,
    /// The folder to which relative paths belong.
    pub workspace: AbsolutePath,
    /// Places that may be touched, at most [`PATHS_MAX`].
    pub paths: BTreeSet<AbsolutePath>,
    /// Hosts that may be spoken to, at most [`HOSTS_MAX`]; the scope of every host stands alone.
    pub hosts: BTreeSet<HostScope>,
    /// What the whole subtree may use.
    pub budget: Budget,
    /// How many generations may follow, at most [`DEPTH_MAX`].
    pub depth: u8,
    /// Whether agents may be introduced under this grant.
    pub may_delegate: bool,
    /// The ledger in which it may be used.
    pub ledger: LedgerBinding,
    /// What it is for, in words.
    pub purpose: Purpose,
    /// What it says about policy.
    pub policy: PolicyTerms,
    /// Where it comes from.
    pub lineage: Lineage,
    /// The principal on whose behalf everything below it is done.
    pub principal: ShortDid,
}

/// Four amounts, for the grant and everything below it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Calls of models and tools.
    pub calls: Count,
    /// Tokens sent to models.
    pub tokens_in: Count,
    /// Tokens received from models.
    pub tokens_out: Count,
    /// Cost in millionths of a US dollar.
    pub cost_micro_usd: Count,
}

/// What a grant demands of the policies of its ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTerms {
    /// Whether an organisation policy may be adopted where none is pinned.
    pub adopt: bool,
    /// SHA-256 of the policy text that must be in force, by layer 1 to 5.
    pub floor: BTreeMap<PolicyLayer, Digest>,
}

/// Where a grant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// It is a root grant.
    Root,
    /// It narrows another grant.
    Child {
        /// SHA-256 of the JCS bytes of the credential that holds the parent grant.
        parent: Digest,
        /// SHA-256 of the JCS bytes of the credential that holds the root grant.
        root: Digest,
    },
}

/// What a grant is for: at most [`PURPOSE_LEN_MAX`] bytes without control or bidirectional characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purpose(String);

impl Purpose {
    /// Checks and takes a text; it may be empty.
    ///
    /// # Errors
    /// [`TextProblem::Length`], [`TextProblem::Character`].
    pub fn new(text: impl Into<String>) -> Result<Self, TextProblem> {
        let text = text.into();
        text::check(&text, PURPOSE_LEN_MAX)?;
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Grant {
    /// The JSON object of identity-v1 §8.1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (parent, root) = match self.lineage {
            Lineage::Root => (None, None),
            Lineage::Child { parent, root } => (Some(parent.to_string()), Some(root.to_string())),
        };
        let floor: Map<_, _> = self
            .policy
            .floor
            .iter()
            .map(|(layer, digest)| floor_member(*layer, digest))
            .collect();
        let effects: BTreeSet<&str> = self.effects.words().collect();
        json!({
            "tools": self.tools.iter().map(Name::as_str).collect::<Vec<_>>(),
            "effects": effects,
            "workspace": self.workspace.as_str(),
            "paths": self.paths.iter().map(AbsolutePath::as_str).collect::<Vec<_>>(),
            "hosts": self.hosts.iter().map(HostScope::as_str).collect::<Vec<_>>(),
            "budget": self.budget.to_json(),
            "depth": self.depth,
            "mayDelegate": self.may_delegate,
            "mayEnrol": false,
            "ledger": self.ledger.to_json(),
            "purpose": self.purpose.as_str(),
            "policy": { "adopt": self.policy.adopt, "floor": floor },
            "parent": parent,
            "root": root,
            "principal": self.principal.as_str(),
        })
    }

    /// Reads the JSON object; an unknown member could be a limit we do not understand, so it refuses.
    ///
    /// # Errors
    /// [`MemberError`], one variant a check.
    pub fn from_json(value: &Value) -> Result<Self, MemberError> {
        let mut members = Members::of("grant", value)?;
        let grant = Self {
            tools: members.required("tools")?.sorted_set(TOOLS_MAX, Member::name)?,
            effects: read_effects(members.required("effects")?)?,
            workspace: read_path(members.required("workspace")?)?,
            paths: members.required("paths")?.sorted_set(PATHS_MAX, read_path)?,
            hosts: read_hosts(members.required("hosts")?)?,
            budget: Budget::from_json(members.required("budget")?.value)?,
            depth: read_depth(members.required("depth")?)?,
            may_delegate: members.required("mayDelegate")?.boolean()?,
            ledger: LedgerBinding::from_json(members.required("ledger")?.value)?,
            purpose: read_purpose(members.required("purpose")?)?,
            policy: PolicyTerms::from_json(members.required("policy")?.value)?,
            lineage: read_lineage(members.required("parent")?, members.required("root")?)?,
            principal: members.required("principal")?.short_did()?,
        };
        members
            .required("mayEnrol")?
            .constant(&json!(false), "false, the only value of version 1")?;
        members.finish()?;
        Ok(grant)
    }
}

impl Budget {
    fn to_json(self) -> Value {
        json!({
            "calls": self.calls.get(),
            "tokensIn": self.tokens_in.get(),
            "tokensOut": self.tokens_out.get(),
            "costMicroUsd": self.cost_micro_usd.get(),
        })
    }

    fn from_json(value: &Value) -> Result<Self, MemberError> {
        let mut members = Members::of("budget", value)?;
        let budget = Self {
            calls: members.required("calls")?.count()?,
            tokens_in: members.required("tokensIn")?.count()?,
            tokens_out: members.required("tokensOut")?.count()?,
            cost_micro_usd: members.required("costMicroUsd")?.count()?,
        };
        members.finish()?;
        Ok(budget)
    }
}

impl PolicyTerms {
    fn from_json(value: &Value) -> Result<Self, MemberError> {
        let mut members = Members::of("policy", value)?;
        let adopt = members.required("adopt")?.boolean()?;
        let floor = read_floor(members.required("floor")?.value)?;
        members.finish()?;
        Ok(Self { adopt, floor })
    }
}

/// Layers that a floor may pin, by their member name; layer 0 is part of the program and pinned by the law.
const FLOOR_LAYERS: [(&str, PolicyLayer); 5] = [
    ("1", PolicyLayer::Organisation),
    ("2", PolicyLayer::User),
    ("3", PolicyLayer::Project),
    ("4", PolicyLayer::Session),
    ("5", PolicyLayer::File),
];

fn floor_member(layer: PolicyLayer, digest: &Digest) -> (String, Value) {
    (layer.code().to_string(), Value::String(digest.to_string()))
}

fn read_floor(value: &Value) -> Result<BTreeMap<PolicyLayer, Digest>, MemberError> {
    let mut members = Members::of("floor", value)?;
    let mut floor = BTreeMap::new();
    for (name, layer) in FLOOR_LAYERS {
        if let Some(member) = members.optional(name) {
            floor.insert(layer, member.digest()?);
        }
    }
    members.finish()?;
    Ok(floor)
}

fn read_effects(member: Member<'_>) -> Result<Effects, MemberError> {
    let words = member.sorted_set(Effects::WORDS.len(), Member::text)?;
    words.into_iter().try_fold(Effects::default(), |effects, word| {
        Effects::from_word(word)
            .map(|effect| effects.union(effect))
            .ok_or_else(|| member.wrong_value("consult, delegate, execute, network, read or write"))
    })
}

fn read_path(member: Member<'_>) -> Result<AbsolutePath, MemberError> {
    AbsolutePath::new(member.text()?).map_err(|source| member.bad_text(source))
}

fn read_hosts(member: Member<'_>) -> Result<BTreeSet<HostScope>, MemberError> {
    let read = |item: Member<'_>| HostScope::new(item.text()?).map_err(|source| item.bad_text(source));
    let hosts = member.sorted_set(HOSTS_MAX, read)?;
    if hosts.len() > 1 && hosts.iter().any(HostScope::is_every_host) {
        return Err(member.wrong_value("`*` alone or a list without it"));
    }
    Ok(hosts)
}

fn read_depth(member: Member<'_>) -> Result<u8, MemberError> {
    let depth = member.integer(DEPTH_MAX.into())?;
    u8::try_from(depth).map_err(|_| member.wrong_value("a depth"))
}

fn read_purpose(member: Member<'_>) -> Result<Purpose, MemberError> {
    Purpose::new(member.text()?).map_err(|source| member.bad_text(source))
}

fn read_lineage(parent: Member<'_>, root: Member<'_>) -> Result<Lineage, MemberError> {
    match (parent.digest_or_null()?, root.digest_or_null()?) {
        (None, None) => Ok(Lineage::Root),
        (Some(parent), Some(root)) => Ok(Lineage::Child { parent, root }),
        _ => Err(root.wrong_value("null exactly when `parent` is")),
    }
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
