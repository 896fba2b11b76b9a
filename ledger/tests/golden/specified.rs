//! The specification says what the code does: definitions, limits and the worked example.

use countersign_ledger::appender::BATCH_ROWS_MAX;
use countersign_ledger::layout::{APPLICATION_ID, NOTE_BYTES_MAX, PAYLOAD_BYTES_MAX, TABLES, TRIGGERS};
use countersign_ledger::note::SIGNATURES_MAX;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::TestResult;
use crate::vectors;

fn specification() -> std::io::Result<String> {
    std::fs::read_to_string(vectors::folder().join("../../ledger-v1.md"))
}

fn worked_example(subject: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let file = vectors::folder().join(format!("{subject}_worked_example.json"));
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

#[test]
fn definitions_and_limits_stand_in_the_specification() -> TestResult {
    let specification = specification()?;
    let lines: Vec<&str> = specification.lines().collect();
    for sql in TABLES.iter().map(|(_, sql)| *sql).chain(TRIGGERS) {
        assert!(lines.contains(&sql), "{sql}");
    }
    for limit in [
        format!("`0x{APPLICATION_ID:08X}`"),
        format!("{SIGNATURES_MAX} signature lines"),
        format!("{BATCH_ROWS_MAX} rows"),
        "1..65,535 bytes".to_owned(),
        "0..16,777,216 bytes".to_owned(),
        "1..131,072 bytes".to_owned(),
    ] {
        assert!(specification.contains(&limit), "{limit}");
    }
    assert_eq!((PAYLOAD_BYTES_MAX, NOTE_BYTES_MAX), (16_777_216, 131_072));
    Ok(())
}

#[test]
fn worked_example_stands_in_the_specification() -> TestResult {
    let specification = specification()?;
    let (tree, checkpoint) = (worked_example("tree")?, worked_example("checkpoint")?);
    let hashes = [&tree["leaf_hashes"], &tree["roots"], &checkpoint["key_ids"]];
    for text in hashes
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
    {
        assert!(specification.contains(text), "{text}");
    }
    for line in checkpoint["note"].as_str().ok_or("no note")?.lines().take(5) {
        assert!(specification.contains(line), "{line}");
    }
    let note = HEXLOWER.decode(checkpoint["input_hex"].as_str().ok_or("no input")?.as_bytes())?;
    let digest = HEXLOWER.encode(&Sha256::digest(&note));
    assert!(specification.contains(&digest), "the note has the SHA-256 {digest}");
    Ok(())
}

#[test]
fn every_refusal_has_a_word_in_the_specification() -> TestResult {
    let specification = specification()?;
    for vector in vectors::all() {
        let vector = vector.json();
        if let (Some(code), true) = (vector["code"].as_str(), vector["subject"] != "envelope") {
            assert!(specification.contains(&format!("*{code}*")), "{code}");
        }
    }
    Ok(())
}
