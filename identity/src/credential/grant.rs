//! `CountersignGrantCredential` (identity-v1 §7.7).

use serde_json::{Value, json};

use super::{Claims, CredentialError, subject_members};
use crate::did::ShortDid;
use crate::grant::Grant;
use crate::instant::Window;

/// A root grant that a principal made beforehand and gave to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantClaims {
    /// From when until when.
    pub window: Window,
    /// The host that may pass it on.
    pub host: ShortDid,
    /// The authority.
    pub grant: Grant,
}

impl Claims for GrantClaims {
    const PROFILE: &'static str = "CountersignGrantCredential";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        json!({ "id": self.host.as_str(), "grant": self.grant.to_json() })
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let mut members = subject_members(subject)?;
        let host = members.required("id")?.short_did()?;
        let grant = Grant::from_json(members.required("grant")?.value)?;
        members.finish()?;
        Ok(Self { window, host, grant })
    }
}
