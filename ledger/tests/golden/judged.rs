//! Every vector in the folder is judged as it says, from nothing but what stands in its file.

use std::collections::BTreeMap;

use countersign_identity::keys::HybridPublic;
use countersign_ledger::checkpoint::{self, CheckpointPublicKeys};
use countersign_ledger::cose::{AadLedger, Unverified};
use countersign_ledger::merkle::{
    Frontier, NodeHash, ProofError, Root, leaf_hash, verify_consistency, verify_inclusion,
};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::record::Record;
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::TestResult;
use crate::public::folder::json_files;
use crate::vectors;

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;
/// The word of the refusal, if there is one.
type Judged = Result<(), &'static str>;

fn text<'v>(vector: &'v Value, name: &str) -> Anyhow<&'v str> {
    vector[name].as_str().ok_or_else(|| format!("{name} is no text").into())
}

fn bytes(value: &Value) -> Anyhow<Vec<u8>> {
    Ok(HEXLOWER.decode(value.as_str().ok_or("no text")?.as_bytes())?)
}

fn root(value: &Value) -> Anyhow<Root> {
    Ok(Root::from_bytes(bytes(value)?.as_slice().try_into()?))
}

fn nodes(value: &Value) -> Anyhow<Vec<NodeHash>> {
    let hashes = value.as_array().ok_or("no array")?.iter();
    hashes
        .map(|hash| Ok(NodeHash::from_bytes(bytes(hash)?.as_slice().try_into()?)))
        .collect()
}

fn number(vector: &Value, name: &str) -> Anyhow<u64> {
    vector[name]
        .as_u64()
        .ok_or_else(|| format!("{name} is no number").into())
}

fn size(vector: &Value, name: &str) -> Anyhow<Size> {
    Ok(Size::new(number(vector, name)?)?)
}

fn tree(vector: &Value) -> Anyhow<Judged> {
    let mut tree = Frontier::new();
    let mut roots = vec![tree.root()];
    let hashes = nodes(&vector["leaf_hashes"])?;
    for (record, hash) in vector["records_hex"].as_array().ok_or("no records")?.iter().zip(hashes) {
        let record = bytes(record)?;
        assert_eq!(leaf_hash(&record), hash);
        tree.push(&record);
        roots.push(tree.root());
    }
    assert_eq!(
        roots,
        vector["roots"]
            .as_array()
            .ok_or("no roots")?
            .iter()
            .map(root)
            .collect::<Anyhow<Vec<_>>>()?
    );
    assert_eq!(tree.root(), root(&vector["root"])?);
    Ok(Ok(()))
}

fn inclusion(vector: &Value) -> Anyhow<Judged> {
    let leaf = NodeHash::from_bytes(bytes(&vector["leaf_hash"])?.as_slice().try_into()?);
    let index = Seq::new(number(vector, "index")?)?;
    let judged = verify_inclusion(
        leaf,
        index,
        size(vector, "size")?,
        &nodes(&vector["proof"])?,
        root(&vector["root"])?,
    );
    Ok(judged.map_err(|error: ProofError| error.code()))
}

fn consistency(vector: &Value) -> Anyhow<Judged> {
    let judged = verify_consistency(
        size(vector, "old_size")?,
        root(&vector["old_root"])?,
        size(vector, "size")?,
        root(&vector["root"])?,
        &nodes(&vector["proof"])?,
    );
    Ok(judged.map_err(|error| error.code()))
}

fn checkpoint(vector: &Value) -> Anyhow<Judged> {
    let keys = CheckpointPublicKeys::from_bytes(
        bytes(&vector["ed25519_public"])?.as_slice().try_into()?,
        bytes(&vector["mldsa44_public"])?.as_slice().try_into()?,
    )?;
    let head = match checkpoint::verify(&bytes(&vector["input_hex"])?, &keys) {
        Ok(head) => head,
        Err(error) => return Ok(Err(error.code())),
    };
    assert_eq!(head.origin.as_str(), text(vector, "origin")?);
    assert_eq!((head.size, head.root), (size(vector, "size")?, root(&vector["root"])?));
    Ok(Ok(()))
}

fn envelope(vector: &Value) -> Anyhow<Judged> {
    let author = author(vector)?;
    let ledger = match &vector["ledger_id"] {
        Value::Null => AadLedger::Genesis,
        id => AadLedger::Of(id.as_str().ok_or("ledger_id is no text")?.parse()?),
    };
    let message = bytes(&vector["input_hex"])?;
    let parsed = match Unverified::parse(&message) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(Err(error.code())),
    };
    if let Err(error) = parsed.verify(&author, ledger, set(text(vector, "signatures")?)?) {
        return Ok(Err(error.code()));
    }
    assert_eq!(parsed.payload(), bytes(&vector["statement_hex"])?);
    Ok(Ok(()))
}

fn author(vector: &Value) -> Anyhow<HybridPublic> {
    Ok(HybridPublic::from_bytes(
        bytes(&vector["ed25519_public"])?.as_slice().try_into()?,
        bytes(&vector["mldsa44_public"])?.as_slice().try_into()?,
    )?)
}

fn set(word: &str) -> Anyhow<SignatureSet> {
    match word {
        "ed25519" => Ok(SignatureSet::Ed25519),
        "hybrid" => Ok(SignatureSet::Hybrid),
        other => Err(format!("no such signature set: {other}").into()),
    }
}

#[test]
fn every_vector_is_judged_as_it_says() -> TestResult {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for file in json_files(&vectors::folder())? {
        let vector: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let subject = text(&vector, "subject")?;
        let judged = match subject {
            "tree" => tree(&vector),
            "inclusion" => inclusion(&vector),
            "consistency" => consistency(&vector),
            "checkpoint" => checkpoint(&vector),
            "envelope" => envelope(&vector),
            other => Err(format!("no such subject: {other}").into()),
        };
        let judged = judged.map_err(|error| format!("{}: {error}", file.display()))?;
        let expected = match text(&vector, "expect")? {
            "ok" => Ok(()),
            _ => Err(text(&vector, "code")?),
        };
        assert_eq!(judged, expected, "{}", file.display());
        *counted
            .entry(format!("{subject} {}", text(&vector, "expect")?))
            .or_default() += 1;
    }
    assert!(
        counted.len() >= 9 && counted.values().all(|count| *count >= 2),
        "{counted:?}"
    );
    Ok(())
}

/// The two signed records of statement-v1 are made without this crate; it reads them.
#[test]
fn signed_records_of_the_statement_format_verify() -> TestResult {
    let folder = vectors::folder().join("../statement");
    for (name, set) in [
        ("hybrid_genesis", SignatureSet::Hybrid),
        ("worked_example", SignatureSet::Ed25519),
    ] {
        let file = folder.join(format!("signed_{name}.json"));
        let vector: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let record = Record::decode(&bytes(&vector["input_hex"])?)?;
        let parsed = Unverified::parse(&record.statement)?;
        assert_eq!(parsed.payload(), bytes(&vector["statement_hex"])?);
        let aad = bytes(&vector["aad_hex"])?;
        let ledger = match <[u8; 32]>::try_from(&aad[13..])? {
            zeros if zeros == [0; 32] => AadLedger::Genesis,
            id => AadLedger::Of(countersign_schemas::digest::LedgerId::from_bytes(id)),
        };
        parsed.verify(&signed_author(&vector)?, ledger, set)?;
    }
    Ok(())
}

/// The worked example has one signature and names one key.
fn signed_author(vector: &Value) -> Anyhow<HybridPublic> {
    if vector["mldsa44_public"].is_string() {
        return author(vector);
    }
    let ed25519 = bytes(&vector["ed25519_public"])?;
    Ok(HybridPublic::from_bytes(ed25519.as_slice().try_into()?, &[0; 1312])?)
}
