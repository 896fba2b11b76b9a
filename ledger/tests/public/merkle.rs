//! transparency-dev/merkle: inclusion and consistency proofs, good and bad.

use std::path::Path;

use countersign_ledger::merkle::{NodeHash, Root, verify_consistency, verify_inclusion};
use countersign_schemas::number::{Seq, Size};
use data_encoding::BASE64;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::folder::{json_files, vectors};
use crate::TestResult;

fn bytes(value: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(BASE64.decode(value.as_str().ok_or("hash is no string")?.as_bytes())?)
}

/// Some vectors hold "hashes" of another length, which our types cannot express. They are mapped to
/// 32 bytes without collisions, so that equal stays equal and different stays different.
fn hash(value: &Value) -> Result<[u8; 32], Box<dyn std::error::Error>> {
    let bytes = bytes(value)?;
    Ok(<[u8; 32]>::try_from(bytes.as_slice()).unwrap_or_else(|_| Sha256::digest(&bytes).into()))
}

fn proof(vector: &Value) -> Result<Vec<NodeHash>, Box<dyn std::error::Error>> {
    let hashes = vector["proof"].as_array().map(Vec::as_slice).unwrap_or_default();
    hashes
        .iter()
        .map(|value| Ok(NodeHash::from_bytes(hash(value)?)))
        .collect()
}

fn number(vector: &Value, name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    vector[name]
        .as_u64()
        .ok_or_else(|| format!("{name} is no number").into())
}

/// A place or size beyond 2^53-1 is refused before the proof is looked at.
fn inclusion(vector: &Value) -> Result<bool, Box<dyn std::error::Error>> {
    let (Ok(index), Ok(size)) = (
        Seq::new(number(vector, "leafIdx")?),
        Size::new(number(vector, "treeSize")?),
    ) else {
        return Ok(false);
    };
    if bytes(&vector["leafHash"])?.len() != 32 {
        return Ok(false);
    }
    let leaf = NodeHash::from_bytes(hash(&vector["leafHash"])?);
    let root = Root::from_bytes(hash(&vector["root"])?);
    Ok(verify_inclusion(leaf, index, size, &proof(vector)?, root).is_ok())
}

fn consistency(vector: &Value) -> Result<bool, Box<dyn std::error::Error>> {
    let (Ok(old), Ok(new)) = (Size::new(number(vector, "size1")?), Size::new(number(vector, "size2")?)) else {
        return Ok(false);
    };
    let (old_root, new_root) = (
        Root::from_bytes(hash(&vector["root1"])?),
        Root::from_bytes(hash(&vector["root2"])?),
    );
    Ok(verify_consistency(old, old_root, new, new_root, &proof(vector)?).is_ok())
}

fn run(
    folder: &Path,
    check: fn(&Value) -> Result<bool, Box<dyn std::error::Error>>,
) -> Result<(usize, usize), Box<dyn std::error::Error>> {
    let (mut good, mut bad) = (0, 0);
    for file in json_files(folder)? {
        let vector: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let refuses = vector["wantErr"].as_bool().ok_or("wantErr is no bool")?;
        assert_eq!(check(&vector)?, !refuses, "{}", file.display());
        *(if refuses { &mut bad } else { &mut good }) += 1;
    }
    Ok((good, bad))
}

#[test]
fn inclusion_proofs_are_judged_as_published() -> TestResult {
    let Some(folder) = vectors("merkle inclusion", "rfc6962-merkle/testdata/inclusion") else {
        return Ok(());
    };
    let (good, bad) = run(&folder, inclusion)?;
    assert!(
        good >= 6 && bad >= 80,
        "only {good} good and {bad} bad vectors were found"
    );
    Ok(())
}

#[test]
fn consistency_proofs_are_judged_as_published() -> TestResult {
    let Some(folder) = vectors("merkle consistency", "rfc6962-merkle/testdata/consistency") else {
        return Ok(());
    };
    let (good, bad) = run(&folder, consistency)?;
    assert!(
        good >= 6 && bad >= 80,
        "only {good} good and {bad} bad vectors were found"
    );
    Ok(())
}
