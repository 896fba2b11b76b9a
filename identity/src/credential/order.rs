//! `CountersignOrder`: a person's answer to one decision that asks (identity-v1 §9.1).

use std::fmt;

use countersign_schemas::body::Verdict;
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{INTEGER_MAX, Millis};
use countersign_schemas::text::Name;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{Claims, CredentialError, subject_members};
use crate::instant::Window;
use crate::jcs::{self, JcsError};
use crate::member::{Member, MemberError};

/// An order: the context it is about, and from when until when it may be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderClaims {
    /// From when until when.
    pub window: Window,
    /// What is answered, and how.
    pub context: OrderContext,
}

/// Everything an approver answers to: one decision in one ledger, and the action as it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderContext {
    /// The ledger.
    pub ledger: LedgerId,
    /// SHA-256 of the statement bytes of the `action.requested`.
    pub request: Digest,
    /// SHA-256 of the statement bytes of the `decision.made` that asks.
    pub decision: Digest,
    /// The tool requested.
    pub tool: Name,
    /// Commitment of the argument bytes, as in the request.
    pub arguments: Commitment,
    /// SHA-256 of the text that was shown.
    pub text: Digest,
    /// The answer: `approve` or `refuse`.
    pub verdict: Verdict,
    /// What the signature means (21 CFR 11.50).
    pub meaning: Meaning,
    /// How the text was put before the approver.
    pub presentation: Presentation,
    /// Last millisecond at which the action may begin.
    pub expires: Millis,
    /// Makes every order unique.
    pub nonce: OrderNonce,
}

/// What a signature under an order means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The approver authorises the action.
    Approve,
    /// The approver has reviewed the action and lets it happen.
    Review,
    /// The approver refuses.
    Refuse,
    /// The approver takes the action as their own.
    Own,
}

impl Meaning {
    const ALL: [Self; 4] = [Self::Approve, Self::Review, Self::Refuse, Self::Own];

    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Review => "review",
            Self::Refuse => "refuse",
            Self::Own => "own",
        }
    }
}

/// How the text was put before the approver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presentation {
    /// Shown at a terminal and answered there.
    Terminal,
    /// Not shown to anybody: the key was given to answer by itself.
    Unattended,
}

impl Presentation {
    const ALL: [Self; 2] = [Self::Terminal, Self::Unattended];

    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Unattended => "unattended",
        }
    }
}

/// 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderNonce([u8; 16]);

impl OrderNonce {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for OrderNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl OrderContext {
    /// The JSON object, which is the `credentialSubject` of the order.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "ledger": self.ledger.to_string(),
            "request": self.request.to_string(),
            "decision": self.decision.to_string(),
            "tool": self.tool.as_str(),
            "arguments": self.arguments.to_string(),
            "text": self.text.to_string(),
            "verdict": verdict_word(self.verdict),
            "meaning": self.meaning.as_str(),
            "presentation": self.presentation.as_str(),
            "expires": self.expires.get(),
            "nonce": HEXLOWER.encode(&self.nonce.0),
        })
    }

    /// The canonical bytes of the object: what other forms of order sign.
    ///
    /// # Errors
    /// [`JcsError::Write`], which no context gives.
    pub fn to_jcs(&self) -> Result<Vec<u8>, JcsError> {
        jcs::canonicalize(&self.to_json())
    }

    /// Reads the JSON object.
    ///
    /// # Errors
    /// [`CredentialError::Member`] and [`CredentialError::MeaningOfVerdict`].
    pub fn from_json(value: &Value) -> Result<Self, CredentialError> {
        let mut members = subject_members(value)?;
        let context = Self {
            ledger: LedgerId::from_bytes(*members.required("ledger")?.digest()?.as_bytes()),
            request: members.required("request")?.digest()?,
            decision: members.required("decision")?.digest()?,
            tool: members.required("tool")?.name()?,
            arguments: Commitment::from_bytes(*members.required("arguments")?.digest()?.as_bytes()),
            text: members.required("text")?.digest()?,
            verdict: read_verdict(members.required("verdict")?)?,
            meaning: read_word(members.required("meaning")?, &Meaning::ALL, Meaning::as_str)?,
            presentation: read_word(
                members.required("presentation")?,
                &Presentation::ALL,
                Presentation::as_str,
            )?,
            expires: Millis::clamped(members.required("expires")?.integer(INTEGER_MAX)?),
            nonce: read_nonce(members.required("nonce")?)?,
        };
        members.finish()?;
        if (context.verdict == Verdict::Refused) != (context.meaning == Meaning::Refuse) {
            return Err(CredentialError::MeaningOfVerdict);
        }
        Ok(context)
    }
}

impl Claims for OrderClaims {
    const PROFILE: &'static str = "CountersignOrder";

    fn window(&self) -> Window {
        self.window
    }

    fn to_subject(&self) -> Value {
        self.context.to_json()
    }

    fn from_subject(subject: &Value, window: Window) -> Result<Self, CredentialError> {
        let context = OrderContext::from_json(subject)?;
        check_expiry(context.expires, window)?;
        Ok(Self { window, context })
    }
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Given => "approve",
        Verdict::Refused => "refuse",
    }
}

fn read_verdict(member: Member<'_>) -> Result<Verdict, MemberError> {
    read_word(member, &[Verdict::Given, Verdict::Refused], verdict_word)
}

/// Reads a word of a closed list.
pub(super) fn read_word<T: Copy>(
    member: Member<'_>,
    known: &[T],
    word: fn(T) -> &'static str,
) -> Result<T, MemberError> {
    let text = member.text()?;
    let found = known.iter().find(|known| word(**known) == text);
    found.copied().ok_or_else(|| member.wrong_value("a word of its list"))
}

/// Refuses an end that lies outside the window of its document.
pub(super) fn check_expiry(expires: Millis, window: Window) -> Result<(), CredentialError> {
    let (from, until) = (window.from(), window.until());
    if expires < from || expires > until {
        return Err(CredentialError::Expiry { expires, from, until });
    }
    Ok(())
}

pub(super) fn read_nonce(member: Member<'_>) -> Result<OrderNonce, MemberError> {
    let bytes = HEXLOWER
        .decode(member.text()?.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(OrderNonce)
        .ok_or_else(|| member.wrong_value("32 lower-case hex digits"))
}
