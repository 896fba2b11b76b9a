//! Our own golden vectors: the generator still writes the same bytes, and every stored ledger gives what it expects.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use countersign_ledger::reader::{StoredCheckpoint, StoredEntry, StoredPayload};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::support::{Told, anchored, audit};

#[path = "../examples/vectors/cases/mod.rs"]
mod cases;

type Outcome = Result<(), Box<dyn Error>>;

fn stored() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(cases::folder())? {
        let path = entry?.path();
        let name = path.file_name().ok_or("no file name")?.to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(path)?);
    }
    Ok(files)
}

#[test]
fn the_generator_writes_the_stored_files_and_no_others() -> Outcome {
    let written: BTreeMap<String, String> = cases::all()
        .iter()
        .map(|vector| (vector.file_name(), vector.text()))
        .collect();
    let stored = stored()?;
    assert_eq!(written.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (name, text) in &written {
        assert!(stored.get(name) == Some(text), "{name} differs: run `just vectors`");
    }
    Ok(())
}

fn entries(vector: &Value) -> Result<Vec<StoredEntry>, Box<dyn Error>> {
    let rows = vector["entries"].as_array().ok_or("no entries")?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Value) -> Result<StoredEntry, Box<dyn Error>> {
    let bytes = |value: &Value| -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(HEXLOWER.decode(value.as_str().ok_or("no text")?.as_bytes())?)
    };
    let mut payloads = Vec::new();
    for payload in row["payloads"].as_array().ok_or("no payloads")? {
        payloads.push(StoredPayload {
            slot: u8::try_from(payload["slot"].as_u64().ok_or("no slot")?)?,
            salt: bytes(&payload["salt"])?,
            content: payload["content"].as_str().ok_or("no content")?.as_bytes().to_vec(),
        });
    }
    Ok(StoredEntry {
        seq: row["seq"].as_i64().ok_or("no seq")?,
        record: bytes(&row["record"])?,
        payloads,
    })
}

fn whole(vector: &Value) -> Result<Told, Box<dyn Error>> {
    let mut checkpoints = Vec::new();
    for row in vector["checkpoints"].as_array().ok_or("no checkpoints")? {
        let note = row["note"].as_str().ok_or("no note")?.as_bytes().to_vec();
        checkpoints.push(StoredCheckpoint {
            size: row["size"].as_i64().ok_or("no size")?,
            note,
        });
    }
    Ok(Told {
        entries: entries(vector)?,
        checkpoints,
    })
}

#[test]
fn every_stored_ledger_gives_what_it_expects() -> Outcome {
    let stored = stored()?;
    let mut sound = BTreeMap::new();
    for (name, text) in stored.iter().filter(|(name, _)| name.starts_with("ledger_")) {
        let vector: Value = serde_json::from_str(text)?;
        if vector["keep"].is_null() {
            sound.insert(name.trim_end_matches(".json").to_owned(), whole(&vector)?);
        }
    }
    let mut judged = 0;
    for (name, text) in stored.iter().filter(|(name, _)| name.starts_with("ledger_")) {
        let vector: Value = serde_json::from_str(text)?;
        let told = match vector["keep"].as_u64() {
            None => whole(&vector)?,
            Some(keep) => {
                let story = &sound[vector["base"].as_str().ok_or("no base")?];
                let mut rows = story.entries[..usize::try_from(keep)?].to_vec();
                rows.extend(entries(&vector)?);
                let kept = usize::try_from(vector["checkpoints"].as_u64().ok_or("no checkpoints")?)?;
                Told {
                    entries: rows,
                    checkpoints: story.checkpoints[..kept].to_vec(),
                }
            }
        };
        let found = cases::expectation(&audit(&told, &anchored()));
        assert_eq!(found, vector["expect"], "{name}");
        judged += 1;
    }
    assert!(judged > 80 && sound.len() == 7, "{judged} of {}", sound.len());
    Ok(())
}
