//! `CountersignApproverCredential` (identity-v1 §7.6).

use countersign_schemas::text::Name;
use serde_json::{Value, json};

use super::{Claims, CredentialError, subject_members};
use crate::did::ShortDid;
use crate::instant::Window;

/// A person who may answer what policy leaves open; bound to no ledger, because persons outlive ledgers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproverClaims {
    /// From when until when.
    pub window: Window,
    /// The approver's DID.
    pub approver: ShortDid,
    /// What the approver is called in ledgers; a role or a handle, since it cannot be erased.
    pub name: Name,
}

impl Claims for ApproverClaims {
    const PROFILE: &'static str = "CountersignApproverCredential";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        json!({
            "id": self.approver.as_str(),
            "role": "approver",
            "name": self.name.as_str(),
            "mayApprove": "person",
        })
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let mut members = subject_members(subject)?;
        let approver = members.required("id")?.short_did()?;
        members.required("role")?.constant(&json!("approver"), "`approver`")?;
        let name = members.required("name")?.name()?;
        members
            .required("mayApprove")?
            .constant(&json!("person"), "`person`, the only value of version 1")?;
        members.finish()?;
        Ok(Self { window, approver, name })
    }
}
