//! The bodies of the 21 kinds, each a list of integer keys (statement-v1 §5).

mod action;
mod authority;
mod ending;
mod opening;
mod run;
mod side;

pub use action::{
    ActionFinished, ActionRequested, AdviceCited, AdviceRelation, ApprovalEntered, ApproverClass, Ask, Check,
    DecisionMade, Effects, FinishOutcome, Need, Order, OrderForm, Outcome, Part, PartOutcome, StatusListRead, Verdict,
};
pub use authority::{Granted, Introduced, KeyForm, Newcomer, PolicyAdopted, PolicyLayer, RevokeReason, Revoked, Role};
pub use ending::{InstanceStopped, LedgerClosed, LedgerRecovered, RecoveryReason, StopReason};
pub use opening::{CheckpointKeys, Opened, Predecessor, Suites};
pub use run::{
    AdviceForm, AdviceGiven, AdviceRequested, AnswerOutcome, ClockState, ModelAnswered, ModelCalled, RunEndReason,
    RunEnded, RunMode, RunStarted, Spend, Tokens,
};
pub use side::{Direction, ErasureGround, EventCode, PayloadErased, PeerNoted, SessionEvent};

use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::field::Field;
use crate::kind::Kind;
use crate::number::Seq;
use crate::payload::PayloadRef;

macro_rules! bodies {
    ($( $kind:ident ( $body:ident ), )*) => {
        /// One body of any kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Body {
            $( #[doc = concat!("Body of kind `", stringify!($kind), "`.")] $kind(Box<$body>), )*
        }

        $( impl From<$body> for Body {
            fn from(body: $body) -> Self {
                Self::$kind(Box::new(body))
            }
        } )*

        impl Body {
            /// The kind this body belongs to.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $( Self::$kind(_) => Kind::$kind, )* }
            }

            pub(crate) fn encode(&self, to: &mut Encoder) {
                match self { $( Self::$kind(body) => body.encode(to), )* }
            }

            pub(crate) fn decode(kind: Kind, from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                match kind { $( Kind::$kind => $body::decode(from).map(Self::from), )* }
            }

            /// The body as `ledger log --json` shows it.
            #[must_use]
            pub fn to_json(&self) -> Value {
                match self { $( Self::$kind(body) => body.to_json(), )* }
            }

            /// Every entry this body names: all of its `seq` fields, in order of appearance (rule I5).
            #[must_use]
            pub fn named_entries(&self) -> Vec<Seq> {
                let mut entries = Vec::new();
                match self { $( Self::$kind(body) => body.entries(&mut entries), )* }
                entries
            }

            /// Every payload this body commits to, in slot order.
            #[must_use]
            pub fn payloads(&self) -> Vec<&PayloadRef> {
                let mut payloads = Vec::new();
                match self { $( Self::$kind(body) => body.payloads(&mut payloads), )* }
                payloads
            }
        }
    };
}

bodies! {
    LedgerOpened(Opened),
    IdentityIntroduced(Introduced),
    GrantIssued(Granted),
    GrantRevoked(Revoked),
    PolicyAdopted(PolicyAdopted),
    RunStarted(RunStarted),
    RunEnded(RunEnded),
    ModelCalled(ModelCalled),
    ModelAnswered(ModelAnswered),
    AdviceRequested(AdviceRequested),
    AdviceGiven(AdviceGiven),
    ActionRequested(ActionRequested),
    DecisionMade(DecisionMade),
    ApprovalEntered(ApprovalEntered),
    ActionFinished(ActionFinished),
    SessionEvent(SessionEvent),
    PayloadErased(PayloadErased),
    InstanceStopped(InstanceStopped),
    LedgerClosed(LedgerClosed),
    LedgerRecovered(LedgerRecovered),
    PeerNoted(PeerNoted),
}
