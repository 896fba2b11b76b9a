//! COSE working group examples: the EdDSA ones verify with our keys, and none passes for a statement.

use coset::{CoseSign, CoseSign1, TaggedCborSerializable};
use countersign_identity::keys::{Ed25519Signature, HybridPublic};
use countersign_ledger::cose::Unverified;
use data_encoding::{HEXLOWER_PERMISSIVE, HEXUPPER_PERMISSIVE};
use serde_json::Value;

use super::folder::{json_files, vectors};
use crate::TestResult;

fn message(vector: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let hex = vector["output"]["cbor"].as_str().ok_or("no output")?;
    Ok(HEXUPPER_PERMISSIVE.decode(hex.as_bytes())?)
}

fn ed25519(key: &Value) -> Result<HybridPublic, Box<dyn std::error::Error>> {
    let key = HEXLOWER_PERMISSIVE.decode(key["x_hex"].as_str().ok_or("no key")?.as_bytes())?;
    Ok(HybridPublic::from_bytes(key.as_slice().try_into()?, &[0; 1312])?)
}

fn verify(key: &HybridPublic, signature: &[u8], signed: &[u8]) -> TestResult {
    Ok(key.verify_ed25519(signed, &Ed25519Signature::try_from(signature)?)?)
}

#[test]
fn published_eddsa_signatures_verify() -> TestResult {
    let Some(folder) = vectors("COSE EdDSA", "cose-wg-examples/eddsa-examples") else {
        return Ok(());
    };
    let sign1: Value = serde_json::from_slice(&std::fs::read(folder.join("eddsa-sig-01.json"))?)?;
    let key = ed25519(&sign1["input"]["sign0"]["key"])?;
    let parsed = CoseSign1::from_tagged_slice(&message(&sign1)?).map_err(|error| error.to_string())?;
    parsed.verify_signature(b"", |signature, signed| verify(&key, signature, signed))?;

    let sign: Value = serde_json::from_slice(&std::fs::read(folder.join("eddsa-01.json"))?)?;
    let key = ed25519(&sign["input"]["sign"]["signers"][0]["key"])?;
    let parsed = CoseSign::from_tagged_slice(&message(&sign)?).map_err(|error| error.to_string())?;
    parsed.verify_signature(0, b"", |signature, signed| verify(&key, signature, signed))?;
    Ok(())
}

#[test]
fn no_published_message_passes_for_a_statement() -> TestResult {
    let Some(folder) = vectors("COSE messages", "cose-wg-examples") else {
        return Ok(());
    };
    let mut refused = 0;
    for file in json_files(&folder)? {
        let vector: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        assert!(Unverified::parse(&message(&vector)?).is_err(), "{}", file.display());
        refused += 1;
    }
    assert!(refused >= 20, "only {refused} messages were found");
    Ok(())
}
