//! Who answers what policy leaves open, and the signed order that carries the answer (authority-v1 §9).

use std::sync::Arc;

use countersign_identity::credential::{
    CredentialError, Meaning, Order, OrderClaims, OrderContext, OrderNonce, Presentation,
};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::{InstantError, Window};
use countersign_identity::keys::{HybridSecret, RandomnessError, Seed32};
use countersign_schemas::body::Verdict;
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;
use thiserror::Error;

use crate::tool::BoxFuture;

/// What an approver is asked, complete: the answer is signed over exactly this.
pub struct Question {
    /// Name of the agent that wants to act, for the person; no part of what is signed, which has the request's digest.
    pub agent: String,
    /// The ledger.
    pub ledger: LedgerId,
    /// Digest of the request's statement.
    pub request: Digest,
    /// Digest of the decision's statement.
    pub decision: Digest,
    /// The tool.
    pub tool: Name,
    /// Commitment to the argument bytes.
    pub arguments: Commitment,
    /// The text that is shown: tool, workspace and the exact argument bytes.
    pub text: Vec<u8>,
    /// When it is asked.
    pub asked: Millis,
    /// Until when it can be answered.
    pub expires: Millis,
}

/// Shows a question to a person and brings back the answer.
pub trait Prompt: Send + Sync {
    /// Asks whether `agent` may do what `text` says. `Some(true)` is a yes, `Some(false)` a no, `None` no answer at all
    /// (end of input).
    fn ask<'a>(&'a self, agent: &'a str, text: &'a [u8]) -> BoxFuture<'a, Option<bool>>;
}

/// How an enrolled approver comes to its answer.
pub enum Manner {
    /// The key was handed over to answer yes without anybody looking; the order says so.
    Unattended,
    /// A person is shown the text.
    Terminal(Arc<dyn Prompt>),
}

/// An approver that this ledger has introduced.
pub struct Enrolled {
    /// Place of the introduction.
    pub introduction: Seq,
    /// Its keys.
    pub secret: HybridSecret,
    /// Its DID.
    pub did: PeerDid,
    /// How it answers.
    pub manner: Manner,
}

/// Who answers an ask.
pub enum Approver {
    /// Nobody: what would be asked is denied.
    Nobody,
    /// A person, through their key.
    Enrolled(Box<Enrolled>),
}

/// Why no order could be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApproverError {
    /// No randomness for the order's nonce.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The order could not be signed.
    #[error("the approver's order could not be made")]
    Order(#[from] CredentialError),
    /// The order's times cannot be written.
    #[error("the approver's order has no window")]
    Window(#[from] InstantError),
}

/// A person's answer with the order that proves it.
pub(super) struct Answer {
    pub(super) approver: Seq,
    pub(super) verdict: Verdict,
    pub(super) order: Vec<u8>,
}

impl Approver {
    /// The introduction of who can be asked, if anybody can.
    #[must_use]
    pub fn introduction(&self) -> Option<Seq> {
        match self {
            Self::Nobody => None,
            Self::Enrolled(enrolled) => Some(enrolled.introduction),
        }
    }

    /// Puts the question; `None` when nobody answered.
    pub(super) async fn answer(&self, question: &Question) -> Result<Option<Answer>, ApproverError> {
        let Self::Enrolled(enrolled) = self else {
            return Ok(None);
        };
        let (yes, presentation) = match &enrolled.manner {
            Manner::Unattended => (Some(true), Presentation::Unattended),
            Manner::Terminal(prompt) => (
                prompt.ask(&question.agent, &question.text).await,
                Presentation::Terminal,
            ),
        };
        yes.map(|yes| enrolled.sign(question, yes, presentation)).transpose()
    }
}

impl Enrolled {
    fn sign(&self, question: &Question, yes: bool, presentation: Presentation) -> Result<Answer, ApproverError> {
        let (verdict, meaning) = if yes {
            (Verdict::Given, Meaning::Approve)
        } else {
            (Verdict::Refused, Meaning::Refuse)
        };
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&Seed32::generate()?.expose()[..16]);
        let context = OrderContext {
            ledger: question.ledger,
            request: question.request,
            decision: question.decision,
            tool: question.tool.clone(),
            arguments: question.arguments,
            text: Digest::sha256(&question.text),
            verdict,
            meaning,
            presentation,
            expires: question.expires,
            nonce: OrderNonce::from_bytes(nonce),
        };
        let claims = OrderClaims {
            window: window(question.asked, question.expires)?,
            context,
        };
        let order = Order::issue(&claims, &self.secret, &self.did)?;
        Ok(Answer {
            approver: self.introduction,
            verdict,
            order,
        })
    }
}

/// Whole seconds that begin no later than `from` and end after `until`.
fn window(from: Millis, until: Millis) -> Result<Window, InstantError> {
    let floor = |ms: u64| Millis::clamped(ms / 1000 * 1000);
    Window::new(floor(from.get()), floor(until.get().saturating_add(1999)))
}
