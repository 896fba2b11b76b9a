//! `CountersignDirective`: the principal orders one act in one ledger that is no approval (identity-v1 §9.2).

use countersign_schemas::body::{ErasureGround, PolicyLayer, RevokeReason};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{INTEGER_MAX, Millis};
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

use super::order::{check_expiry, read_nonce, read_word};
use super::{Claims, CredentialError, OrderNonce, subject_members};
use crate::instant::Window;
use crate::member::{Member, MemberError, Members};

/// A directive: what is to be done, where, and until when it may be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectiveClaims {
    /// From when until when.
    pub window: Window,
    /// The one ledger it counts in.
    pub ledger: LedgerId,
    /// What is ordered.
    pub act: DirectiveAct,
    /// Last millisecond at which it may be entered.
    pub expires: Millis,
    /// Makes every directive unique.
    pub nonce: OrderNonce,
}

/// What a principal can order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectiveAct {
    /// Withdraw what an entry introduced or issued, with everything below it.
    Revoke {
        /// SHA-256 of the statement bytes of that entry.
        entry: Digest,
        /// Why.
        reason: RevokeReason,
    },
    /// Erase one payload.
    Erase {
        /// SHA-256 of the statement bytes of the entry that carries it.
        entry: Digest,
        /// Its commitment.
        payload: Commitment,
        /// Why.
        reason: ErasureGround,
    },
    /// Put a policy text in force.
    Adopt {
        /// The layer.
        layer: PolicyLayer,
        /// SHA-256 of the text.
        policies: Digest,
    },
}

impl DirectiveAct {
    /// The word in the document.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Revoke { .. } => "revoke",
            Self::Erase { .. } => "erase",
            Self::Adopt { .. } => "adopt",
        }
    }

    /// The members that only this act has.
    fn put(&self, subject: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| subject.insert(name.to_owned(), value);
        match self {
            Self::Revoke { entry, reason } => {
                put("entry", entry.to_string().into());
                put("reason", reason.as_str().into());
            }
            Self::Erase { entry, payload, reason } => {
                put("entry", entry.to_string().into());
                put("payload", payload.to_string().into());
                put("reason", reason.as_str().into());
            }
            Self::Adopt { layer, policies } => {
                put("layer", layer.code().into());
                put("policies", policies.to_string().into());
            }
        }
    }

    fn read(act: Member<'_>, members: &mut Members<'_>) -> Result<Self, MemberError> {
        match act.text()? {
            "revoke" => Ok(Self::Revoke {
                entry: members.required("entry")?.digest()?,
                reason: read_word(members.required("reason")?, RevokeReason::ALL, RevokeReason::as_str)?,
            }),
            "erase" => Ok(Self::Erase {
                entry: members.required("entry")?.digest()?,
                payload: Commitment::from_bytes(*members.required("payload")?.digest()?.as_bytes()),
                reason: read_word(members.required("reason")?, ErasureGround::ALL, ErasureGround::as_str)?,
            }),
            "adopt" => Ok(Self::Adopt {
                layer: read_layer(members.required("layer")?)?,
                policies: members.required("policies")?.digest()?,
            }),
            _ => Err(act.wrong_value("revoke, erase or adopt")),
        }
    }
}

impl Claims for DirectiveClaims {
    const PROFILE: &'static str = "CountersignDirective";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        let mut subject = Map::new();
        subject.insert("act".to_owned(), self.act.as_str().into());
        subject.insert("ledger".to_owned(), self.ledger.to_string().into());
        subject.insert("expires".to_owned(), self.expires.get().into());
        subject.insert("nonce".to_owned(), HEXLOWER.encode(self.nonce.as_bytes()).into());
        self.act.put(&mut subject);
        Value::Object(subject)
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let mut members = subject_members(subject)?;
        let act = members.required("act")?;
        let act = DirectiveAct::read(act, &mut members)?;
        let claims = Self {
            window,
            ledger: LedgerId::from_bytes(*members.required("ledger")?.digest()?.as_bytes()),
            act,
            expires: Millis::clamped(members.required("expires")?.integer(INTEGER_MAX)?),
            nonce: read_nonce(members.required("nonce")?)?,
        };
        members.finish()?;
        check_expiry(claims.expires, window)?;
        Ok(claims)
    }
}

fn read_layer(member: Member<'_>) -> Result<PolicyLayer, MemberError> {
    let highest = PolicyLayer::ALL.last().map_or(0, |layer| layer.code());
    let layer = PolicyLayer::from_code(member.integer(highest)?);
    layer.ok_or_else(|| member.wrong_value("a layer"))
}
