//! Statements of every kind with random fields, for properties.

use countersign_schemas::body::*;
use countersign_schemas::cbor::Encoder;
use countersign_schemas::digest::{Commitment, Digest, LedgerId, Link};
use countersign_schemas::ext::Ext;
use countersign_schemas::field::Field;
use countersign_schemas::list::{Bytes, Doc, List};
use countersign_schemas::number::{Count, INTEGER_MAX, Millis, Seq, Size};
use countersign_schemas::payload::{PayloadClass, PayloadRef};
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::{Did, Name, Origin};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A type whose values can be drawn.
pub(crate) trait Sampled: Sized + std::fmt::Debug + 'static {
    /// Every value that its bytes can hold, small ones more often.
    fn sampled() -> BoxedStrategy<Self>;
}

fn sampled<T: Sampled>() -> BoxedStrategy<T> {
    T::sampled()
}

fn integer() -> BoxedStrategy<u64> {
    prop_oneof![
        0..=25_u64,
        250..=260_u64,
        65_530..=65_540_u64,
        0..=INTEGER_MAX,
        Just(INTEGER_MAX)
    ]
    .boxed()
}

macro_rules! sample_integers {
    ($($name:ident)*) => {$(
        impl Sampled for $name {
            fn sampled() -> BoxedStrategy<Self> {
                integer().prop_map($name::clamped).boxed()
            }
        }
    )*};
}
sample_integers! { Seq Size Millis Count }

impl Sampled for Need {
    fn sampled() -> BoxedStrategy<Self> {
        (1..=9_u64).prop_filter_map("one to nine", Need::new).boxed()
    }
}

macro_rules! sample_values {
    ($($name:ident)*) => {$(
        impl Sampled for $name {
            fn sampled() -> BoxedStrategy<Self> {
                any::<[u8; 32]>().prop_map($name::from_bytes).boxed()
            }
        }
    )*};
}
sample_values! { Link Commitment Digest LedgerId }

macro_rules! sample_texts {
    ($($name:ident $pattern:literal)*) => {$(
        impl Sampled for $name {
            fn sampled() -> BoxedStrategy<Self> {
                $pattern.prop_map(|text: String| $name::new(text).expect("the pattern is the alphabet")).boxed()
            }
        }
    )*};
}
sample_texts! {
    Name "[A-Za-z0-9._:/@+-]{1,64}"
    Did "did:[A-Za-z0-9._:%-]{4,300}"
    Origin "[A-Za-z0-9._/-]{1,128}"
}

macro_rules! sample_codes {
    ($($name:ident)*) => {$(
        impl Sampled for $name {
            fn sampled() -> BoxedStrategy<Self> {
                select($name::ALL).boxed()
            }
        }
    )*};
}
sample_codes! {
    Suites Role KeyForm RevokeReason PolicyLayer RunMode ClockState RunEndReason AnswerOutcome AdviceForm AdviceRelation
    Outcome PartOutcome Check ApproverClass Verdict OrderForm FinishOutcome EventCode ErasureGround StopReason
    RecoveryReason Direction PayloadClass
}

impl Sampled for Effects {
    fn sampled() -> BoxedStrategy<Self> {
        (0..64_u64)
            .prop_map(|bits| Self::from_bits(bits).expect("six bits are assigned"))
            .boxed()
    }
}

impl Sampled for Doc {
    fn sampled() -> BoxedStrategy<Self> {
        vec(any::<u8>(), 1..300)
            .prop_map(|bytes| Self::new(bytes).expect("not empty, and short"))
            .boxed()
    }
}

impl<const N: usize> Sampled for Bytes<N> {
    fn sampled() -> BoxedStrategy<Self> {
        any::<u8>().prop_map(|byte| Self::new([byte; N])).boxed()
    }
}

impl<T: Sampled> Sampled for Option<T> {
    fn sampled() -> BoxedStrategy<Self> {
        option::of(T::sampled()).boxed()
    }
}

impl<T: Sampled + Field + Clone, const MIN: usize, const MAX: usize> Sampled for List<T, MIN, MAX> {
    fn sampled() -> BoxedStrategy<Self> {
        vec(T::sampled(), MIN..=MAX)
            .prop_map(|items| Self::new(items).expect("drawn within the limits"))
            .boxed()
    }
}

macro_rules! sample_structs {
    ($($name:ident { $($field:ident)* })*) => {$(
        impl Sampled for $name {
            fn sampled() -> BoxedStrategy<Self> {
                ($({ let $field = sampled(); $field },)*).prop_map(|($($field,)*)| Self { $($field),* }).boxed()
            }
        }
    )*};
}
sample_structs! {
    PayloadRef { commitment length class }
    CheckpointKeys { ed25519 ml_dsa_44 }
    Predecessor { ledger size link root }
    Spend { calls tokens_in tokens_out cost_micro_usd }
    Tokens { input output cache_write cache_read }
    AdviceCited { entry relation }
    Part { check outcome rules }
    Ask { need class eligible }
    StatusListRead { list as_of }
    Order { form doc }
    Seen { size link }
    Opened { nonce origin principal dids credentials checkpoint_keys suites build predecessor }
    Introduced { did role credential run succeeds parent_grant }
    Granted { holder credential parent_grant spent_in }
    Revoked { target reason order suspected_since }
    PolicyAdopted { layer policies schema entities language order }
    RunStarted { run_id task asked_by root_grant mode config clock }
    RunEnded { run reason result spend }
    ModelCalled { provider model request reserve system_prompt toolset price_table }
    ModelAnswered { call outcome response tokens cost }
    AdviceRequested { advisor question }
    AdviceGiven { question answer form content }
    ActionRequested { tool descriptor arguments effects grant cause advice resumes }
    DecisionMade { request outcome parts policies cedar_request projection expires ask advice status_lists }
    ApprovalEntered { decision approver verdict order text }
    ActionFinished { decision outcome result started duration sandbox }
    SessionEvent { code about detail }
    PayloadErased { entry commitment ground order }
    InstanceStopped { instance reason last_n last_seq }
    LedgerClosed { size root open_items }
    LedgerRecovered { size lost_head reason }
    PeerNoted { exchange direction ledger entry checkpoint own_entry }
    Statement { by n at seen body ext }
}

impl Sampled for Newcomer {
    fn sampled() -> BoxedStrategy<Self> {
        let key = (sampled(), sampled()).prop_map(|(form, key)| Self::Key(form, key));
        prop_oneof![sampled().prop_map(Self::Did), key].boxed()
    }
}

impl Sampled for Body {
    fn sampled() -> BoxedStrategy<Self> {
        fn of<T: Sampled>() -> BoxedStrategy<Body>
        where
            Body: From<T>,
        {
            T::sampled().prop_map(Body::from).boxed()
        }
        proptest::strategy::Union::new([
            of::<Opened>(),
            of::<Introduced>(),
            of::<Granted>(),
            of::<Revoked>(),
            of::<PolicyAdopted>(),
            of::<RunStarted>(),
            of::<RunEnded>(),
            of::<ModelCalled>(),
            of::<ModelAnswered>(),
            of::<AdviceRequested>(),
            of::<AdviceGiven>(),
            of::<ActionRequested>(),
            of::<DecisionMade>(),
            of::<ApprovalEntered>(),
            of::<ActionFinished>(),
            of::<SessionEvent>(),
            of::<PayloadErased>(),
            of::<InstanceStopped>(),
            of::<LedgerClosed>(),
            of::<LedgerRecovered>(),
            of::<PeerNoted>(),
        ])
        .boxed()
    }
}

/// A value inside an extension.
#[derive(Debug, Clone)]
enum Item {
    Uint(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Null,
    Array(Vec<Item>),
    Map(Vec<(String, Item)>),
}

impl Item {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Uint(value) => to.uint(*value),
            Self::Negative(value) => to.negative(*value),
            Self::Bytes(bytes) => to.bytes(bytes),
            Self::Text(text) => to.text(text),
            Self::Null => to.null(),
            Self::Array(items) => {
                to.array(items.len());
                items.iter().for_each(|item| item.encode(to));
            }
            Self::Map(pairs) => {
                to.map(pairs.len());
                for (key, item) in pairs {
                    to.text(key);
                    item.encode(to);
                }
            }
        }
    }

    fn map(of: BoxedStrategy<Self>, least: usize) -> BoxedStrategy<Self> {
        let pairs = btree_map("\\PC{0,8}", of, least..4);
        pairs
            .prop_map(|pairs| {
                let mut pairs: Vec<_> = pairs.into_iter().collect();
                pairs.sort_by(|left, right| (left.0.len(), &left.0).cmp(&(right.0.len(), &right.0)));
                Self::Map(pairs)
            })
            .boxed()
    }

    fn within(depth: usize) -> BoxedStrategy<Self> {
        let leaf = prop_oneof![
            integer().prop_map(Self::Uint),
            (0..INTEGER_MAX).prop_map(Self::Negative),
            vec(any::<u8>(), 0..40).prop_map(Self::Bytes),
            "\\PC{0,10}".prop_map(Self::Text),
            Just(Self::Null),
        ];
        if depth == 0 {
            return leaf.boxed();
        }
        let array = vec(Self::within(depth - 1), 0..3).prop_map(Self::Array);
        prop_oneof![3 => leaf, 1 => array, 1 => Self::map(Self::within(depth - 1), 0)].boxed()
    }
}

impl Sampled for Ext {
    fn sampled() -> BoxedStrategy<Self> {
        Item::map(Item::within(3), 1)
            .prop_map(|map| {
                let mut to = Encoder::new();
                map.encode(&mut to);
                Self::new(&to.finish()).expect("drawn within the limits")
            })
            .boxed()
    }
}
