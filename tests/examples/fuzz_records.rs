//! Fuzzes what decodes one record: the record itself, the envelope in it, and the statement in that; and what decodes the
//! messages in which records go from one process to another.
//!
//! `cargo run --release -p countersign-tests --example fuzz_records -- --seconds 600 [--seed S] [--from K]`: inputs are
//! mutated golden vectors. An input that panics, takes more than a second, or breaks a property is written to a file,
//! and the exit code is 1. The properties: what is accepted is the one encoding of what it says (statement-v1 §2.1), and
//! no change of a signed statement verifies (§4).

#[path = "fuzz/cbor.rs"]
mod cbor;
#[path = "fuzz/mod.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign_identity::did::PeerDid;
use countersign_identity::keys::HybridPublic;
use countersign_ledger::cose::{AadLedger, Unverified};
use countersign_ledger::handover::FromAppender;
use countersign_schemas::body::{Body, Newcomer};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use cbor::{Item, spoil};
use fuzz::Outcome;
use fuzz::dice::Dice;
use fuzz::seeds;
use fuzz::watch::{self, Target};
use serde_json::Value;

fn main() -> ExitCode {
    match Records::new() {
        Ok(records) => watch::main("records", records),
        Err(error) => {
            watch::say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

struct Records {
    seeds: Vec<Vec<u8>>,
    trees: Vec<Item>,
    /// Where the records of the lawful ledger begin among them.
    lawful_from: usize,
    /// What an appender says to those who take part in the ledger (handover-v1 §3).
    handed_over: Vec<Item>,
    /// Keys of the ledger's instances, and its id: under one of them every statement of it verifies.
    keys: Vec<HybridPublic>,
    ledger: LedgerId,
    /// Every statement that one of those keys has signed.
    signed: BTreeSet<Vec<u8>>,
}

impl Records {
    fn new() -> Outcome<Self> {
        let mut seeds = messages()?;
        let lawful_from = seeds.len();
        let (mut keys, mut signed, mut ledger) = (Vec::new(), BTreeSet::new(), None);
        let mut handed_over = short_messages();
        for row in seeds::story()? {
            seeds.push(row.record().to_vec());
            let record = Record::decode(row.record())?;
            let envelope = Unverified::parse(&record.statement)?;
            let statement = Statement::decode(envelope.payload())?;
            handed_over.push(Item::read(&FromAppender::Entry(row).encode()));
            signed.insert(envelope.payload().to_vec());
            let did = match &statement.body {
                Body::LedgerOpened(opened) => {
                    ledger = Some(LedgerId::of_genesis(envelope.payload()));
                    opened.dids.get(1)
                }
                Body::IdentityIntroduced(introduced) => match &introduced.did {
                    Newcomer::Did(did) => Some(did),
                    Newcomer::Key(..) => None,
                },
                _ => None,
            };
            if let Some(did) = did {
                keys.push(PeerDid::parse_long(did.as_str())?.public().clone());
            }
        }
        Ok(Self {
            trees: seeds.iter().map(|seed| Item::read(seed)).collect(),
            seeds,
            lawful_from,
            handed_over,
            keys,
            ledger: ledger.ok_or("the story has no first entry")?,
            signed,
        })
    }
}

impl Target for Records {
    type Input = Vec<u8>;

    fn input(&self, dice: &mut Dice) -> Vec<u8> {
        let from = if dice.once_in(3) { 0 } else { self.lawful_from };
        let pool = if dice.once_in(6) {
            &self.handed_over
        } else {
            &self.trees[from..]
        };
        let mut tree = dice.pick(pool).clone();
        for _ in 0..dice.below(4) {
            let mut other = dice.pick(&self.trees).clone();
            tree.mutate(dice, &mut other);
        }
        let mut bytes = tree.write();
        if dice.once_in(3) {
            for _ in 0..=dice.below(3) {
                let other = dice.pick(&self.seeds);
                spoil(dice, &mut bytes, other);
            }
        }
        bytes
    }

    fn play(&self, input: &Vec<u8>) -> Outcome<&'static str> {
        if let Ok(message) = FromAppender::decode(input) {
            // Whatever reason is not known stands for one that is.
            return match message.encode() == *input || matches!(message, FromAppender::Gone(_)) {
                true => Ok("message of an appender"),
                false => Err("a message is accepted that is not canonical".into()),
            };
        }
        let record = Record::decode(input);
        if let Ok(record) = &record
            && record.encode() != *input
        {
            return Err("a record is accepted that is not canonical".into());
        }
        let message = record.as_ref().map_or(&input[..], |record| &record.statement);
        let envelope = Unverified::parse(message);
        let bytes = envelope.as_ref().map_or(message, Unverified::payload);
        let statement = Statement::decode(bytes);
        if let Ok(statement) = &statement {
            check_statement(statement, bytes)?;
        }
        if let (Ok(envelope), Ok(statement)) = (&envelope, &statement) {
            self.check_signatures(envelope, statement)?;
        }
        Ok(match (&record, &envelope, &statement) {
            (_, Ok(_), Ok(_)) => "envelope with a statement",
            (_, Err(_), Ok(_)) => "bare statement",
            (_, Ok(_), Err(error)) if error.is_newer() => "envelope with a newer statement",
            (_, Ok(_), Err(_)) => "envelope with a malformed statement",
            (Ok(_), Err(_), Err(_)) => "record with a malformed envelope",
            (Err(_), Err(_), Err(error)) if error.is_newer() => "bare newer statement",
            (Err(_), Err(_), Err(_)) => "malformed",
        })
    }

    fn save(&self, input: &Vec<u8>, path: &Path) -> Outcome {
        Ok(fs::write(path, input)?)
    }
}

impl Records {
    fn check_signatures(&self, envelope: &Unverified<'_>, statement: &Statement) -> Outcome {
        let signatures = statement.kind().signatures();
        for key in &self.keys {
            for ledger in [AadLedger::Genesis, AadLedger::Of(self.ledger)] {
                if envelope.verify(key, ledger, signatures).is_ok() && !self.signed.contains(envelope.payload()) {
                    return Err("a statement verifies that nobody signed".into());
                }
            }
        }
        Ok(())
    }
}

/// One encoding, and everything that shows it can show it.
fn check_statement(statement: &Statement, bytes: &[u8]) -> Outcome {
    if statement.encode() != bytes {
        return Err("a statement is accepted that is not canonical".into());
    }
    let shown = statement.body.to_json().to_string();
    let references = statement.body.payloads().len();
    if shown.is_empty() || references > countersign_schemas::payload::SLOTS_MAX {
        return Err(format!("a statement refers to {references} payloads").into());
    }
    Ok(())
}

/// Every vector of `folder` below `schemas/vectors`, in the order of their names.
fn vectors(folder: &str) -> Outcome<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas/vectors")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Outcome<_>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| Ok(serde_json::from_slice(&fs::read(path)?)?))
        .collect()
}

/// Records, envelopes and statements, lawful and malformed.
fn messages() -> Outcome<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    for vector in [vectors("statement")?, vectors("ledger")?].concat() {
        let is_cbor = ["record", "statement", "signed", "envelope"].contains(&vector["subject"].as_str().unwrap_or(""));
        if is_cbor && !vector["input_hex"].is_null() {
            messages.push(seeds::bytes(&vector["input_hex"])?);
        }
    }
    Ok(messages)
}

/// One message of each other kind that an appender says.
fn short_messages() -> Vec<Item> {
    let number = |argument| Item::Head {
        major: 0,
        argument,
        wide: false,
    };
    let hash = || Item::Bytes(vec![7; 32]);
    let text = |text: &str| Item::Text(text.as_bytes().to_vec());
    let items = [
        vec![number(16), number(1), hash(), number(51), hash()],
        vec![number(18), number(51)],
        vec![number(19), number(1), number(50)],
        vec![number(20), number(1), text("I5"), text("one thing"), text("another")],
        vec![number(21), number(1), number(51), hash()],
        vec![number(22), number(51), hash()],
        vec![number(23), text("slow")],
    ];
    items.map(Item::Array).to_vec()
}
