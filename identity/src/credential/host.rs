//! `CountersignHostCredential` (identity-v1 §7.4).

use std::collections::BTreeSet;

use countersign_schemas::text::Name;
use serde_json::{Value, json};

use super::{Claims, CredentialError, subject_members};
use crate::did::ShortDid;
use crate::instant::Window;
use crate::member::{Member, MemberError};

/// A host: one installation, certified by its principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostClaims {
    /// From when until when.
    pub window: Window,
    /// The host's DID.
    pub host: ShortDid,
    /// Where it runs, as its operator calls the place.
    pub site: Name,
    /// What it may issue; at least one.
    pub may_issue: BTreeSet<MayIssue>,
}

/// What a host may issue; ordered as the words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MayIssue {
    /// Instance credentials.
    Instance,
    /// Root grants, inside the instance credential of a lead agent.
    RootGrant,
}

impl MayIssue {
    const ALL: [Self; 2] = [Self::Instance, Self::RootGrant];

    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::RootGrant => "root-grant",
        }
    }
}

impl Claims for HostClaims {
    const PROFILE: &'static str = "CountersignHostCredential";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        json!({
            "id": self.host.as_str(),
            "site": self.site.as_str(),
            "mayIssue": self.may_issue.iter().map(|word| word.as_str()).collect::<Vec<_>>(),
            "mayEnrol": false,
        })
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let mut members = subject_members(subject)?;
        let host = members.required("id")?.short_did()?;
        let site = members.required("site")?.name()?;
        let may_issue = read_may_issue(members.required("mayIssue")?)?;
        members
            .required("mayEnrol")?
            .constant(&json!(false), "false, the only value of version 1")?;
        members.finish()?;
        Ok(Self {
            window,
            host,
            site,
            may_issue,
        })
    }
}

fn read_may_issue(member: Member<'_>) -> Result<BTreeSet<MayIssue>, MemberError> {
    let expected = "one or both of instance and root-grant";
    let read = |item: Member<'_>| {
        let word = item.text()?;
        MayIssue::ALL
            .into_iter()
            .find(|known| known.as_str() == word)
            .ok_or_else(|| item.wrong_value(expected))
    };
    let words = member.sorted_set(MayIssue::ALL.len(), read)?;
    if words.is_empty() {
        Err(member.wrong_value(expected))
    } else {
        Ok(words)
    }
}
