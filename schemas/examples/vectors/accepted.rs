//! What must be read: every kind, the edges of every limit, records, commitments, foundings.

use countersign_schemas::body::{Body, SessionEvent};
use countersign_schemas::body::{EventCode, Introduced, Newcomer, Role};
use countersign_schemas::chain;
use countersign_schemas::digest::Link;
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Count, INTEGER_MAX, Millis, Seq, Size};
use countersign_schemas::payload::{Salt, commit};
use countersign_schemas::record::{Record, STATEMENT_BYTES_MAX};
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::Did;
use serde_json::{Map, json};

use super::{Expect, Vector, hex, projection, sample, unhex};

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = kinds();
    vectors.extend(edges());
    vectors.extend(records());
    vectors.extend(payloads());
    vectors.push(founding("first", &sample::opened()));
    vectors.push(founding("successor", &sample::opened_after()));
    vectors
}

fn kinds() -> Vec<Vector> {
    let first = sample::genesis();
    let of = |body: Body, suffix: &str, why: &str| {
        let statement = match body {
            Body::LedgerOpened(_) => Statement { body, ..first.clone() },
            _ => sample::statement(body),
        };
        let kind = statement.kind();
        let name = format!("kind_{:02}_{}{suffix}", kind.code(), kind.name().replace('.', "_"));
        accepted(
            &name,
            section(kind.code()),
            &format!("{} {why}", kind.name()),
            &statement,
        )
    };
    let least = sample::least()
        .into_iter()
        .map(|body| of(body, "", "with the keys that it must have"));
    let full = sample::full()
        .into_iter()
        .map(|body| of(body, "_full", "with every key that it may have"));
    least.chain(full).collect()
}

/// The section that holds the body of `kind`.
const fn section(kind: u64) -> &'static str {
    const SECTIONS: [&str; 21] = [
        "§5.1", "§5.2", "§5.3", "§5.4", "§5.5", "§5.6", "§5.7", "§5.8", "§5.9", "§5.10", "§5.11", "§5.12", "§5.13",
        "§5.14", "§5.15", "§5.16", "§5.17", "§5.18", "§5.19", "§5.20", "§5.21",
    ];
    SECTIONS[kind as usize]
}

fn edges() -> Vec<Vector> {
    let event = || {
        sample::statement(
            SessionEvent {
                code: EventCode::Warning,
                about: None,
                detail: None,
            }
            .into(),
        )
    };
    let largest = Statement {
        by: Seq::clamped(INTEGER_MAX),
        n: Count::clamped(INTEGER_MAX),
        at: Millis::clamped(INTEGER_MAX),
        seen: Seen {
            size: Size::clamped(INTEGER_MAX),
            link: Link::from_bytes([0xff; 32]),
        },
        ..event()
    };
    let with_ext = |hex: &str| Statement {
        ext: Some(sample::ext(&unhex(hex))),
        ..event()
    };
    let long = Introduced {
        did: Newcomer::Did(Did::new(format!("did:peer:4z{}", "z".repeat(8192 - 11))).expect("it is 8,192 long")),
        role: Role::Advisor,
        credential: Doc::new(vec![b' '; 16_384]).expect("it is 16,384 long"),
        run: None,
        succeeds: None,
        parent_grant: None,
    };
    vec![
        accepted(
            "edge_largest_integers",
            "§2.1 E5",
            "every integer is 2^53 - 1",
            &largest,
        ),
        accepted(
            "edge_longest_strings",
            "§2.2",
            "a DID of 8,192 characters and a document of 16,384 bytes",
            &sample::statement(long.into()),
        ),
        accepted(
            "edge_ext_depth_four",
            "§7",
            "a value at depth 4",
            &with_ext("a1 6161 a1 6162 81 a1 6163 80"),
        ),
        accepted(
            "edge_ext_key_order",
            "§2.1 E3",
            "a shorter text key comes before a longer one",
            &with_ext("a3 60 00 617a 01 626161 02"),
        ),
        accepted(
            "edge_ext_every_type",
            "§7",
            "every type that an extension may hold",
            &with_ext("a1 6178 89 00 1b001fffffffffffff 20 3b001ffffffffffffd 420001 63e282ac f4 f5 f6"),
        ),
        accepted(
            "edge_ext_largest",
            "§7",
            "an extension map of 4,096 bytes",
            &with_ext(&format!("a1 6178 59 0ffa{}", "00".repeat(4_090))),
        ),
    ]
}

/// A statement that must be read, with everything that a reader gets from it.
fn accepted(name: &str, spec: &'static str, why: &str, statement: &Statement) -> Vector {
    let input = statement.encode();
    let mut more = Map::new();
    more.insert("statement".into(), projection(statement));
    more.insert(
        "named".into(),
        statement.body.named_entries().iter().map(|seq| seq.get()).collect(),
    );
    more.insert(
        "slots".into(),
        statement
            .body
            .payloads()
            .iter()
            .map(|slot| slot.commitment.to_string())
            .collect(),
    );
    let signatures = if statement.kind().signatures() == SignatureSet::Hybrid {
        "hybrid"
    } else {
        "ed25519"
    };
    more.insert("signatures".into(), signatures.into());
    more.insert("digest".into(), Statement::digest(&input).to_string().into());
    let name = format!("statement_{name}");
    Vector {
        name,
        subject: "statement",
        spec,
        why: why.into(),
        input,
        expect: Expect::Ok,
        more,
    }
}

fn records() -> Vec<Vector> {
    let record = |seq, received, statement| Record {
        seq: Seq::clamped(seq),
        received: Millis::clamped(received),
        prev: Link::from_bytes([0x77; 32]),
        statement,
    };
    vec![
        record_vector(
            "first",
            "32 zero bytes before the first record; the envelope is not looked into here",
            &Record {
                prev: chain::GENESIS_PREV,
                ..record(0, 0, vec![0xd2])
            },
        ),
        record_vector(
            "usual",
            "a record in the middle",
            &record(7, sample::AT_MS, vec![0xd2, 0x84]),
        ),
        record_vector(
            "largest",
            "integers of 2^53 - 1 and an envelope of 65,000 bytes",
            &record(INTEGER_MAX, INTEGER_MAX, vec![0; STATEMENT_BYTES_MAX]),
        ),
    ]
}

fn record_vector(name: &str, why: &str, record: &Record) -> Vector {
    let input = record.encode();
    let mut more = Map::new();
    let fields = json!({
        "seq": record.seq.get(),
        "received": record.received.get(),
        "prev": record.prev.to_string(),
        "envelope_length": record.statement.len(),
    });
    more.insert("record".into(), fields);
    more.insert("link".into(), chain::link(&input).to_string().into());
    let name = format!("record_{name}");
    Vector {
        name,
        subject: "record",
        spec: "§3",
        why: why.into(),
        input,
        expect: Expect::Ok,
        more,
    }
}

fn payloads() -> Vec<Vector> {
    [
        ("empty", [0x00; 32], &b""[..]),
        ("arguments", sample::ARGUMENTS_SALT, sample::ARGUMENTS),
    ]
    .into_iter()
    .map(|(name, salt, bytes)| {
        let mut more = Map::new();
        more.insert("salt".into(), hex(&salt).into());
        more.insert("commitment".into(), commit(&Salt(salt), bytes).to_string().into());
        let name = format!("payload_{name}");
        let why = "the salted commitment to these bytes".into();
        Vector {
            name,
            subject: "payload",
            spec: "§6",
            why,
            input: bytes.to_vec(),
            expect: Expect::Ok,
            more,
        }
    })
    .collect()
}

/// A founding is computed from a genesis, so its input is a statement.
fn founding(name: &str, opened: &countersign_schemas::body::Opened) -> Vector {
    let statement = Statement {
        body: opened.clone().into(),
        ..sample::genesis()
    };
    let mut more = Map::new();
    more.insert("founding".into(), opened.founding().to_string().into());
    let name = format!("founding_{name}");
    let why = "the founding digest of this genesis statement".into();
    Vector {
        name,
        subject: "founding",
        spec: "§8",
        why,
        input: statement.encode(),
        expect: Expect::Ok,
        more,
    }
}
