//! One sample of every body, and a second one with every optional key where a body has such.

use countersign_schemas::body::*;
use countersign_schemas::digest::{Commitment, Digest, LedgerId, Link};
use countersign_schemas::ext::Ext;
use countersign_schemas::list::{Bytes, Doc, List};
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::{Did, Name, Origin};

/// 2025-11-21T08:00:05.250Z.
pub(crate) const AT_MS: u64 = 1_763_712_005_250;
/// A credential is not looked into by this crate; any JSON shows how documents are projected.
const CREDENTIAL: &str = r#"{"issuer":"did:peer:4zHost","type":["VerifiableCredential"]}"#;
/// The note of an imaginary checkpoint: a document that is not JSON.
const NOTE: &[u8] = b"countersign/00\n7\nAAAA\n";

/// The argument bytes that the sample request commits to.
pub(crate) const ARGUMENTS: &[u8] = br#"{"path":"notes.txt"}"#;
/// Their salt.
pub(crate) const ARGUMENTS_SALT: [u8; 32] = [0x5a; 32];

fn seq(value: u64) -> Seq {
    Seq::clamped(value)
}

fn count(value: u64) -> Count {
    Count::clamped(value)
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a sample keeps the alphabet")
}

fn did(text: &str) -> Did {
    Did::new(text).expect("a sample keeps the alphabet")
}

fn doc(bytes: impl AsRef<[u8]>) -> Doc {
    Doc::new(bytes.as_ref().to_vec()).expect("a sample keeps the limit")
}

fn list<T: countersign_schemas::field::Field, const MIN: usize, const MAX: usize>(items: Vec<T>) -> List<T, MIN, MAX> {
    List::new(items).expect("a sample keeps the limit")
}

fn content(salt: u8, bytes: &[u8]) -> PayloadRef {
    PayloadRef::new(&Salt([salt; 32]), bytes, PayloadClass::Content)
}

fn evidence(salt: u8, bytes: &[u8]) -> PayloadRef {
    PayloadRef::new(&Salt([salt; 32]), bytes, PayloadClass::Evidence)
}

fn order() -> Order {
    Order {
        form: OrderForm::DataIntegrity,
        doc: doc(r#"{"type":["VerifiableCredential","CountersignOrder"]}"#),
    }
}

fn spend(calls: u64) -> Spend {
    Spend {
        calls: count(calls),
        tokens_in: count(4_096),
        tokens_out: count(1_024),
        cost_micro_usd: count(65_536),
    }
}

/// A statement around `body`, by the instance introduced at 4, that has seen the first seven records.
pub(crate) fn statement(body: Body) -> Statement {
    Statement {
        by: seq(4),
        n: count(2),
        at: Millis::clamped(AT_MS),
        seen: Seen {
            size: Size::clamped(7),
            link: Link::from_bytes([0x77; 32]),
        },
        body,
        ext: None,
    }
}

/// The first statement of a ledger.
pub(crate) fn genesis() -> Statement {
    Statement {
        by: Seq::ZERO,
        n: Count::ZERO,
        at: Millis::clamped(1_763_712_000_000),
        seen: Seen {
            size: Size::ZERO,
            link: Link::from_bytes([0; 32]),
        },
        body: opened().into(),
        ext: None,
    }
}

/// An extension map from its encoding.
pub(crate) fn ext(canonical: &[u8]) -> Ext {
    Ext::new(canonical).expect("a sample is canonical")
}

/// The body of the genesis without a predecessor.
pub(crate) fn opened() -> Opened {
    Opened {
        nonce: Bytes::new([0xab; 16]),
        origin: Origin::new("countersign/abababababababababababababababab").expect("a sample keeps the alphabet"),
        principal: did("did:peer:4zPrincipal:zDocument"),
        dids: list(vec![
            did("did:peer:4zHost:zDocument"),
            did("did:peer:4zRuntime:zDocument"),
        ]),
        credentials: list(vec![doc(CREDENTIAL), doc(CREDENTIAL)]),
        checkpoint_keys: CheckpointKeys {
            ed25519: Bytes::new([0xed; 32]),
            ml_dsa_44: Bytes::new([0x44; 1312]),
        },
        suites: Suites::Table,
        build: digest(0xb0),
        predecessor: None,
    }
}

/// The same with a predecessor.
pub(crate) fn opened_after() -> Opened {
    let ledger = LedgerId::from_bytes([0x1d; 32]);
    let predecessor = Predecessor {
        ledger,
        size: count(58),
        link: Link::from_bytes([0x11; 32]),
        root: digest(0x22),
    };
    Opened {
        predecessor: Some(predecessor),
        ..opened()
    }
}

/// The request of the worked example.
pub(crate) fn requested() -> ActionRequested {
    ActionRequested {
        tool: name("read"),
        descriptor: digest(0xde),
        arguments: PayloadRef::new(&Salt(ARGUMENTS_SALT), ARGUMENTS, PayloadClass::Content),
        effects: Effects::READ,
        grant: seq(4),
        cause: Some(seq(6)),
        advice: None,
        resumes: None,
    }
}

/// Every kind with the fewest keys, in the order of the kinds.
pub(crate) fn least() -> Vec<Body> {
    let mut bodies = vec![opened().into()];
    bodies.extend(authority());
    bodies.extend(run());
    bodies.extend(action());
    bodies.extend(side());
    bodies
}

fn authority() -> [Body; 4] {
    [
        Introduced {
            did: Newcomer::Did(did("did:peer:4zLead:zDocument")),
            role: Role::Agent,
            credential: doc(CREDENTIAL),
            run: None,
            succeeds: None,
            parent_grant: None,
        }
        .into(),
        Granted {
            holder: seq(0),
            credential: doc(CREDENTIAL),
            parent_grant: seq(0),
            spent_in: None,
        }
        .into(),
        Revoked {
            target: seq(4),
            reason: RevokeReason::Halted,
            order: None,
            suspected_since: None,
        }
        .into(),
        PolicyAdopted {
            layer: PolicyLayer::Builtin,
            policies: evidence(1, b"permit(principal, action, resource);"),
            schema: evidence(2, b"entity Agent;"),
            entities: evidence(3, b"[]"),
            language: name("cedar-4"),
            order: None,
        }
        .into(),
    ]
}

fn run() -> [Body; 6] {
    [
        RunStarted {
            run_id: Bytes::new([0x52; 16]),
            task: content(4, b"What do the notes say?"),
            asked_by: None,
            root_grant: seq(4),
            mode: RunMode::Headless,
            config: digest(0xc0),
            clock: ClockState::Unknown,
        }
        .into(),
        RunEnded {
            run: seq(5),
            reason: RunEndReason::Failed,
            result: None,
            spend: spend(3),
        }
        .into(),
        ModelCalled {
            provider: name("scripted"),
            model: name("lead"),
            request: content(5, b"[]"),
            reserve: spend(1),
            system_prompt: digest(1),
            toolset: digest(2),
            price_table: digest(3),
        }
        .into(),
        ModelAnswered {
            call: seq(6),
            outcome: AnswerOutcome::Timeout,
            response: None,
            tokens: Tokens {
                input: count(0),
                output: count(0),
                cache_write: count(0),
                cache_read: count(0),
            },
            cost: count(0),
        }
        .into(),
        AdviceRequested {
            advisor: seq(3),
            question: content(6, b"Patch or rewrite?"),
        }
        .into(),
        AdviceGiven {
            question: seq(5),
            answer: seq(6),
            form: AdviceForm::Readable,
            content: content(7, b"Patch."),
        }
        .into(),
    ]
}

fn action() -> [Body; 4] {
    let parts = vec![
        Part {
            check: Check::Grant,
            outcome: PartOutcome::Allow,
            rules: list(vec![]),
        },
        Part {
            check: Check::Budget,
            outcome: PartOutcome::Allow,
            rules: list(vec![]),
        },
        Part {
            check: Check::PermitLayers,
            outcome: PartOutcome::Deny,
            rules: list(vec![name("1/no-push")]),
        },
    ];
    [
        requested().into(),
        DecisionMade {
            request: seq(6),
            outcome: Outcome::Deny,
            parts: list(parts),
            policies: list(vec![seq(1)]),
            cedar_request: None,
            projection: digest(0x9a),
            expires: Millis::ZERO,
            ask: None,
            advice: None,
            status_lists: None,
        }
        .into(),
        ApprovalEntered {
            decision: seq(6),
            approver: seq(2),
            verdict: Verdict::Given,
            order: order(),
            text: content(8, b"tool: bash"),
        }
        .into(),
        ActionFinished {
            decision: seq(6),
            outcome: FinishOutcome::Unknown,
            result: None,
            started: None,
            duration: None,
            sandbox: count(0),
        }
        .into(),
    ]
}

fn side() -> [Body; 6] {
    [
        SessionEvent {
            code: EventCode::Warning,
            about: None,
            detail: None,
        }
        .into(),
        PayloadErased {
            entry: seq(5),
            commitment: Commitment::from_bytes([0xcc; 32]),
            ground: ErasureGround::Request,
            order: order(),
        }
        .into(),
        InstanceStopped {
            instance: seq(4),
            reason: StopReason::Other,
            last_n: count(1),
            last_seq: seq(6),
        }
        .into(),
        LedgerClosed {
            size: Size::clamped(7),
            root: digest(0x40),
            open_items: count(0),
        }
        .into(),
        LedgerRecovered {
            size: Size::clamped(7),
            lost_head: None,
            reason: RecoveryReason::LostTail,
        }
        .into(),
        PeerNoted {
            exchange: Bytes::new([0xee; 16]),
            direction: Direction::Out,
            ledger: LedgerId::from_bytes([0x1d; 32]),
            entry: digest(0xe0),
            checkpoint: doc(NOTE),
            own_entry: None,
        }
        .into(),
    ]
}

/// Bodies with every optional key and no `null`, where that differs from [`least`].
pub(crate) fn full() -> Vec<Body> {
    vec![
        opened_after().into(),
        Introduced {
            did: Newcomer::Key(KeyForm::Ssh, doc("ssh-ed25519 AAAA approver")),
            role: Role::Approver,
            credential: doc(CREDENTIAL),
            run: Some(seq(5)),
            succeeds: Some(seq(3)),
            parent_grant: Some(seq(4)),
        }
        .into(),
        Granted {
            holder: seq(4),
            credential: doc(CREDENTIAL),
            parent_grant: seq(3),
            spent_in: Some(digest(0x1d)),
        }
        .into(),
        Revoked {
            target: seq(4),
            reason: RevokeReason::KeyCompromise,
            order: Some(order()),
            suspected_since: Some(Millis::clamped(AT_MS - 1)),
        }
        .into(),
        PolicyAdopted {
            layer: PolicyLayer::File,
            policies: evidence(1, b""),
            schema: evidence(2, b"entity Agent;"),
            entities: evidence(3, b"[]"),
            language: name("cedar-4"),
            order: Some(order()),
        }
        .into(),
        RunStarted {
            run_id: Bytes::new([0x52; 16]),
            task: content(4, b"What do the notes say?"),
            asked_by: Some(did("did:peer:4zPrincipal")),
            root_grant: seq(4),
            mode: RunMode::Interactive,
            config: digest(0xc0),
            clock: ClockState::Tsa,
        }
        .into(),
        RunEnded {
            run: seq(5),
            reason: RunEndReason::Done,
            result: Some(content(9, b"The notes say 42.")),
            spend: spend(3),
        }
        .into(),
        ModelAnswered {
            call: seq(6),
            outcome: AnswerOutcome::Ok,
            response: Some(content(10, b"[]")),
            tokens: Tokens {
                input: count(23),
                output: count(24),
                cache_write: count(255),
                cache_read: count(256),
            },
            cost: count(65_535),
        }
        .into(),
        requested_with_advice().into(),
        asked().into(),
        ActionFinished {
            decision: seq(6),
            outcome: FinishOutcome::Ok,
            result: Some(content(11, b"42\n")),
            started: Some(Millis::clamped(AT_MS)),
            duration: Some(count(4_294_967_296)),
            sandbox: count(0),
        }
        .into(),
        SessionEvent {
            code: EventCode::Review,
            about: Some(seq(6)),
            detail: Some(content(12, b"Fine.")),
        }
        .into(),
        LedgerRecovered {
            size: Size::clamped(7),
            lost_head: Some(doc(NOTE)),
            reason: RecoveryReason::OldCopy,
        }
        .into(),
        PeerNoted {
            exchange: Bytes::new([0xee; 16]),
            direction: Direction::In,
            ledger: LedgerId::from_bytes([0x1d; 32]),
            entry: digest(0xe0),
            checkpoint: doc(NOTE),
            own_entry: Some(seq(6)),
        }
        .into(),
    ]
}

fn requested_with_advice() -> ActionRequested {
    let advice = vec![
        AdviceCited {
            entry: seq(5),
            relation: AdviceRelation::Followed,
        },
        AdviceCited {
            entry: seq(6),
            relation: AdviceRelation::NotAssessable,
        },
    ];
    ActionRequested {
        effects: Effects::READ.union(Effects::EXECUTE).union(Effects::CONSULT),
        cause: None,
        advice: Some(list(advice)),
        resumes: Some(seq(3)),
        ..requested()
    }
}

fn asked() -> DecisionMade {
    let rules = (0..16).map(|rule| name(&format!("0/rule-{rule:02}"))).collect();
    let parts = vec![
        Part {
            check: Check::Grant,
            outcome: PartOutcome::Allow,
            rules: list(vec![]),
        },
        Part {
            check: Check::Budget,
            outcome: PartOutcome::Allow,
            rules: list(vec![]),
        },
        Part {
            check: Check::PermitLayers,
            outcome: PartOutcome::Ask,
            rules: list(rules),
        },
        Part {
            check: Check::LowerLayers,
            outcome: PartOutcome::Neutral,
            rules: list(vec![]),
        },
    ];
    DecisionMade {
        request: seq(6),
        outcome: Outcome::Ask,
        parts: list(parts),
        policies: list(vec![seq(1), seq(2)]),
        cedar_request: Some(content(13, b"{}")),
        projection: digest(0x9a),
        expires: Millis::clamped(AT_MS + 300_000),
        ask: Some(Ask {
            need: Need::ONE,
            class: ApproverClass::Person,
            eligible: list(vec![seq(2), seq(3)]),
        }),
        advice: Some(list(vec![seq(5)])),
        status_lists: Some(list(vec![StatusListRead {
            list: digest(0x57),
            as_of: Millis::clamped(AT_MS),
        }])),
    }
}
