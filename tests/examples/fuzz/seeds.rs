//! What is mutated: a whole lawful ledger out of the golden vectors.

use std::fs;
use std::path::Path;

use countersign_ledger::layout::Slot;
use countersign_ledger::store::Row;
use countersign_schemas::number::Seq;
use countersign_schemas::payload::Salt;
use data_encoding::HEXLOWER;
use serde_json::Value;

use super::Outcome;

/// The bytes of a member in hex.
pub(crate) fn bytes(value: &Value) -> Outcome<Vec<u8>> {
    Ok(HEXLOWER.decode(value.as_str().ok_or("no hex")?.as_bytes())?)
}

/// The vector of a whole lawful ledger.
pub(crate) fn story_vector() -> Outcome<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors/authority/ledger_story.json");
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The rows of that ledger.
pub(crate) fn story() -> Outcome<Vec<Row>> {
    let story = story_vector()?;
    let entries = story["entries"].as_array().ok_or("no entries")?;
    (0..).zip(entries).map(|(seq, entry)| row(seq, entry)).collect()
}

fn row(seq: u64, entry: &Value) -> Outcome<Row> {
    let payloads = entry["payloads"].as_array().ok_or("no payloads")?.iter().map(payload);
    let payloads = payloads.collect::<Outcome<_>>()?;
    Ok(Row::new(Seq::new(seq)?, bytes(&entry["record"])?, payloads)?)
}

fn payload(payload: &Value) -> Outcome<(Slot, Salt, Vec<u8>)> {
    let slot = payload["slot"]
        .as_u64()
        .and_then(|slot| Slot::new(u8::try_from(slot).ok()?));
    let salt = bytes(&payload["salt"])?.try_into().map_err(|_| "a salt has 32 bytes")?;
    let content = payload["content"].as_str().ok_or("no content")?;
    Ok((slot.ok_or("no slot")?, Salt(salt), content.as_bytes().to_vec()))
}
