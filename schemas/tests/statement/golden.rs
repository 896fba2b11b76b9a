//! The vectors in `schemas/vectors/statement`: as the program makes them, and as the reader reads them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;

use countersign_schemas::body::Body;
use countersign_schemas::cbor::DecodeError;
use countersign_schemas::chain;
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::{Kind, SignatureSet};
use countersign_schemas::payload::{Salt, commit};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use ml_dsa::{KeyInit as _, MlDsa44, Verifier as _};
use serde_json::{Value, json};

use crate::TestResult;
use crate::vectors;

/// Every checked-in vector, by walking the folder.
fn checked_in() -> Result<Vec<Value>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(vectors::folder())? {
        found.push(serde_json::from_slice(&fs::read(entry?.path())?)?);
    }
    Ok(found)
}

fn text<'a>(vector: &'a Value, member: &str) -> Result<&'a str, Box<dyn Error>> {
    vector[member]
        .as_str()
        .ok_or_else(|| format!("{}: no {member}", vector["name"]).into())
}

fn bytes(vector: &Value, member: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(HEXLOWER.decode(text(vector, member)?.as_bytes())?)
}

fn of_subject(subject: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    Ok(checked_in()?
        .into_iter()
        .filter(|vector| vector["subject"] == subject)
        .collect())
}

#[test]
fn the_checked_in_vectors_are_what_the_program_makes() -> TestResult {
    let mut missing: BTreeSet<_> = fs::read_dir(vectors::folder())?
        .map(|entry| entry.map(|entry| entry.file_name().into_string().unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    for vector in vectors::all() {
        let file = format!("{}.json", vector.name);
        assert!(
            missing.remove(&file),
            "{file} is not checked in, or is made twice: run `just vectors`"
        );
        let found = fs::read_to_string(vectors::folder().join(&file))?;
        assert_eq!(found, vector.text(), "{file}: run `just vectors`");
    }
    assert!(missing.is_empty(), "nothing makes {missing:?}");
    Ok(())
}

#[test]
fn every_subject_is_one_that_a_test_reads() -> TestResult {
    let subjects: BTreeSet<_> = checked_in()?
        .iter()
        .map(|vector| vector["subject"].to_string())
        .collect();
    let known = ["founding", "payload", "record", "signed", "statement"].map(|subject| format!("\"{subject}\""));
    assert_eq!(subjects, BTreeSet::from(known));
    Ok(())
}

#[test]
fn there_are_more_refusals_than_acceptances() -> TestResult {
    let vectors = checked_in()?;
    let accepted = vectors.iter().filter(|vector| vector["expect"] == "ok").count();
    assert!(
        vectors.len() - accepted > 2 * accepted,
        "{accepted} of {}",
        vectors.len()
    );
    Ok(())
}

#[test]
fn every_kind_has_an_accepted_statement() -> TestResult {
    let statements = of_subject("statement")?;
    for kind in Kind::ALL {
        assert!(
            statements
                .iter()
                .any(|vector| vector["statement"]["kind"] == kind.name()),
            "{kind}"
        );
    }
    Ok(())
}

/// Compares what the reader says with what the vector expects; gives what was read if that was expected.
fn read<T>(vector: &Value, found: Result<T, DecodeError>) -> Result<Option<T>, Box<dyn Error>> {
    let expected = (text(vector, "expect")?, vector["code"].as_str());
    match found {
        Ok(read) => {
            assert_eq!(expected, ("ok", None), "{}", vector["name"]);
            Ok(Some(read))
        }
        Err(error) => {
            let verdict = if error.is_newer() { "newer" } else { "malformed" };
            assert_eq!(
                expected,
                (verdict, Some(error.problem.code())),
                "{}: {error}",
                vector["name"]
            );
            Ok(None)
        }
    }
}

#[test]
fn statements_read_as_their_vectors_say() -> TestResult {
    for vector in of_subject("statement")? {
        let input = bytes(&vector, "input_hex")?;
        let Some(statement) = read(&vector, Statement::decode(&input))? else {
            continue;
        };
        let name = &vector["name"];
        assert_eq!(statement.encode(), input, "{name}");
        assert_eq!(vectors::projection(&statement), vector["statement"], "{name}");
        let named: Value = statement.body.named_entries().iter().map(|seq| seq.get()).collect();
        assert_eq!(named, vector["named"], "{name}");
        let slots: Value = statement
            .body
            .payloads()
            .iter()
            .map(|slot| slot.commitment.to_string())
            .collect();
        assert_eq!(slots, vector["slots"], "{name}");
        let hybrid = statement.kind().signatures() == SignatureSet::Hybrid;
        assert_eq!(hybrid, vector["signatures"] == "hybrid", "{name}");
        assert_eq!(Statement::digest(&input).to_string(), vector["digest"], "{name}");
    }
    Ok(())
}

#[test]
fn an_independent_decoder_reads_the_same_items_from_accepted_statements() -> TestResult {
    for vector in of_subject("statement")?
        .iter()
        .filter(|vector| vector["expect"] == "ok")
    {
        let input = bytes(vector, "input_hex")?;
        let item: ciborium::Value = ciborium::from_reader(input.as_slice())?;
        let mut again = Vec::new();
        ciborium::into_writer(&item, &mut again)?;
        assert_eq!(again, input, "{}", vector["name"]);
    }
    Ok(())
}

#[test]
fn records_read_and_link_as_their_vectors_say() -> TestResult {
    for vector in of_subject("record")? {
        let input = bytes(&vector, "input_hex")?;
        let Some(record) = read(&vector, Record::decode(&input))? else {
            continue;
        };
        let fields = json!({
            "seq": record.seq.get(),
            "received": record.received.get(),
            "prev": record.prev.to_string(),
            "envelope_length": record.statement.len(),
        });
        assert_eq!(fields, vector["record"], "{}", vector["name"]);
        assert_eq!(record.encode(), input, "{}", vector["name"]);
        assert_eq!(chain::link(&input).to_string(), vector["link"], "{}", vector["name"]);
    }
    Ok(())
}

#[test]
fn commitments_are_what_their_vectors_say() -> TestResult {
    for vector in of_subject("payload")? {
        let salt: [u8; 32] = bytes(&vector, "salt")?.as_slice().try_into()?;
        let commitment = commit(&Salt(salt), &bytes(&vector, "input_hex")?);
        assert_eq!(commitment.to_string(), vector["commitment"], "{}", vector["name"]);
    }
    Ok(())
}

#[test]
fn foundings_are_what_their_vectors_say() -> TestResult {
    for vector in of_subject("founding")? {
        let Body::LedgerOpened(opened) = Statement::decode(&bytes(&vector, "input_hex")?)?.body else {
            return Err(format!("{} is no genesis", vector["name"]).into());
        };
        assert_eq!(opened.founding().to_string(), vector["founding"], "{}", vector["name"]);
    }
    Ok(())
}

#[test]
fn signed_records_hold_together_and_verify_strictly() -> TestResult {
    for vector in of_subject("signed")? {
        let input = bytes(&vector, "input_hex")?;
        let record = Record::decode(&input)?;
        assert_eq!(record.statement, bytes(&vector, "envelope_hex")?, "{}", vector["name"]);
        assert_eq!(chain::link(&input).to_string(), vector["link"], "{}", vector["name"]);
        Statement::decode(&bytes(&vector, "statement_hex")?)?;
        let signed = |index: usize| -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
            let hex = |member: &str| vector[member][index].as_str().ok_or("no such signature");
            let structure = HEXLOWER.decode(hex("sig_structures_hex")?.as_bytes())?;
            Ok((structure, HEXLOWER.decode(hex("signatures_hex")?.as_bytes())?))
        };
        let (message, signature) = signed(0)?;
        let key = VerifyingKey::from_bytes(bytes(&vector, "ed25519_public")?.as_slice().try_into()?)?;
        key.verify_strict(&message, &ed25519_dalek::Signature::from_slice(&signature)?)?;
        if vector["mldsa44_public"].is_string() {
            let (message, signature) = signed(1)?;
            let key = ml_dsa::VerifyingKey::<MlDsa44>::new_from_slice(&bytes(&vector, "mldsa44_public")?)?;
            key.verify(&message, &ml_dsa::Signature::try_from(signature.as_slice())?)?;
        }
    }
    Ok(())
}

#[test]
fn the_worked_example_belongs_to_the_genesis_vector() -> TestResult {
    let signed = of_subject("signed")?;
    let of = |name: &str| {
        signed
            .iter()
            .find(|vector| vector["name"] == name)
            .ok_or("no such vector")
    };
    let id = LedgerId::of_genesis(&bytes(of("signed_hybrid_genesis")?, "statement_hex")?);
    let aad = text(of("signed_worked_example")?, "aad_hex")?;
    assert_eq!(aad, format!("636f756e7465727369676e2f31{id}"));
    Ok(())
}

/// The hex of every drawn block of a text: the first word of each line, up to the comment.
fn drawn(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks
        .map(|block| {
            block
                .lines()
                .filter_map(|line| line.split_whitespace().next())
                .collect()
        })
        .collect()
}

#[test]
fn the_specification_shows_the_worked_example_as_it_is() -> TestResult {
    let text_of = |vectors: &[Value], name: &str, member: &str| -> Result<String, Box<dyn Error>> {
        let vector = vectors
            .iter()
            .find(|vector| vector["name"] == name)
            .ok_or("no such vector")?;
        let value = &vector[member];
        Ok(value
            .as_str()
            .or_else(|| value[0].as_str())
            .ok_or("no such member")?
            .to_owned())
    };
    let specification = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/statement-v1.md"))?;
    let (_, shown) = specification
        .split_once("## 12 Worked example")
        .ok_or("no worked example")?;
    let signed = of_subject("signed")?;
    let of_example = |member| text_of(&signed, "signed_worked_example", member);

    let blocks = drawn(shown);
    for member in ["aad_hex", "statement_hex", "sig_structures_hex", "input_hex"] {
        assert!(blocks.contains(&of_example(member)?), "{member} is drawn differently");
    }
    for member in [
        "aad_hex",
        "ed25519_seed",
        "ed25519_public",
        "digest",
        "signatures_hex",
        "link",
    ] {
        assert!(
            shown.contains(&format!("`{}`", of_example(member)?)),
            "{member} is written differently"
        );
    }
    let commitment = text_of(&of_subject("payload")?, "payload_arguments", "commitment")?;
    let founding = text_of(&of_subject("founding")?, "founding_first", "founding")?;
    assert!(shown.contains(&format!("`{commitment}`")) && shown.contains(&format!("`{founding}`")));
    Ok(())
}
