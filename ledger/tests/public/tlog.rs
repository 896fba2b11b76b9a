//! C2SP signed-note, tlog-checkpoint and tlog-cosignature.

use countersign_identity::keys::{Ed25519Signature, HybridPublic, Seed32};
use countersign_ledger::checkpoint::{Checkpoint, CheckpointKeys, CheckpointPublicKeys, UnixSeconds, sign, verify};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::note::{KeyId, Note, SignatureType};
use countersign_schemas::number::Size;
use countersign_schemas::text::Origin;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::folder::vectors;
use crate::TestResult;

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

/// Name, key id, type and key of a C2SP verifier key.
fn vkey(text: &str) -> Anyhow<(String, String, u8, Vec<u8>)> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("vkey has no three parts".into());
    };
    let mut key = BASE64.decode(key.as_bytes())?;
    let kind = key.remove(0);
    Ok((name.to_owned(), id.to_owned(), kind, key))
}

fn text<'v>(vector: &'v Value, name: &str) -> Anyhow<&'v str> {
    vector[name]
        .as_str()
        .ok_or_else(|| format!("{name} is no string").into())
}

/// Name of the key, and the key, of a vector: from its vkey or, for a checkpoint, from its first line.
fn key_of(vector: &Value) -> Anyhow<(String, Vec<u8>)> {
    if let Some(key) = vector["vkey"].as_str() {
        let (name, _, kind, key) = vkey(key)?;
        assert_eq!(kind, SignatureType::Ed25519 as u8);
        return Ok((name, key));
    }
    let name = text(vector, "note")?.split('\n').next().unwrap_or_default();
    Ok((
        name.to_owned(),
        HEXLOWER.decode(text(vector, "public_key_hex")?.as_bytes())?,
    ))
}

/// Whether the note carries a verifying signature of the known key.
fn is_signed(note: &Note<'_>, name: &str, key: &[u8]) -> Anyhow<bool> {
    let id = KeyId::of(name, SignatureType::Ed25519, key);
    let Some(line) = note
        .signatures()
        .iter()
        .find(|line| line.name() == name && line.key_id() == id)
    else {
        return Ok(false);
    };
    let public = HybridPublic::from_bytes(key.try_into()?, &[0; 1312])?;
    let signature = Ed25519Signature::try_from(line.signature())?;
    Ok(public.verify_ed25519(note.text().as_bytes(), &signature).is_ok())
}

#[test]
fn published_notes_are_judged_as_published() -> TestResult {
    let Some(path) = vectors("signed notes", "c2sp-tlog/vectors.json") else {
        return Ok(());
    };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let notes = vectors["notes"].as_array().ok_or("no notes")?;
    for vector in notes {
        let note = Note::parse(text(vector, "note")?.as_bytes())?;
        let (name, key) = key_of(vector)?;
        let expected = vector["valid"].as_bool().ok_or("valid is no bool")?;
        assert_eq!(is_signed(&note, &name, &key)?, expected, "{}", vector["name"]);
    }
    assert!(notes.len() >= 4);
    Ok(())
}

#[test]
fn published_key_ids_are_computed() -> TestResult {
    let Some(path) = vectors("key ids", "c2sp-tlog/vectors.json") else {
        return Ok(());
    };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let listed = vectors["key_ids"].as_array().ok_or("no key ids")?.iter();
    let noted = vectors["notes"].as_array().ok_or("no notes")?.iter();
    let mut checked = 0;
    for vector in listed.chain(noted).filter(|vector| vector["vkey"].is_string()) {
        let (name, id, kind, key) = vkey(text(vector, "vkey")?)?;
        // Type 4, Ed25519 cosignatures, is not used by ledgers.
        if kind == SignatureType::Ed25519 as u8 {
            assert_eq!(KeyId::of(&name, SignatureType::Ed25519, &key).to_string(), id);
            checked += 1;
        }
    }
    assert!(checked >= 4);
    Ok(())
}

struct Ours {
    note: String,
    head: Checkpoint,
    keys: CheckpointPublicKeys,
}

fn ours(path: &std::path::Path) -> Anyhow<Ours> {
    let vector: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let vkeys = vector["vkeys"].as_array().ok_or("no vkeys")?;
    let mut keys = Vec::new();
    for key in &vkeys[..2] {
        keys.push(vkey(key.as_str().ok_or("vkey is no string")?)?.3);
    }
    let root = HEXLOWER.decode(text(&vector, "root_hex")?.as_bytes())?;
    Ok(Ours {
        note: text(&vector, "note")?.to_owned(),
        head: Checkpoint {
            origin: Origin::new(text(&vector, "origin")?)?,
            size: Size::new(vector["size"].as_u64().ok_or("no size")?)?,
            root: Root::from_bytes(root.as_slice().try_into()?),
        },
        keys: CheckpointPublicKeys::from_bytes(keys[0].as_slice().try_into()?, keys[1].as_slice().try_into()?)?,
    })
}

#[test]
fn checkpoint_with_four_signatures_verifies() -> TestResult {
    let name = "c2sp-tlog/ours-mldsa44-cosignature.json";
    let Some(path) = vectors("ML-DSA-44 checkpoint", name) else {
        return Ok(());
    };
    let ours = ours(&path)?;
    assert_eq!(verify(ours.note.as_bytes(), &ours.keys)?, ours.head);
    let file = std::fs::read(path.with_file_name("ours-mldsa44-checkpoint.txt"))?;
    assert_eq!(verify(&file, &ours.keys)?, ours.head);
    Ok(())
}

#[test]
fn checkpoint_of_the_published_seeds_has_the_published_bytes() -> TestResult {
    let name = "c2sp-tlog/ours-mldsa44-cosignature.json";
    let Some(path) = vectors("ML-DSA-44 signing", name) else {
        return Ok(());
    };
    let ours = ours(&path)?;
    let keys = CheckpointKeys::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]));
    assert_eq!(keys.public(), ours.keys);
    let time = UnixSeconds::new(1_800_000_000).ok_or("time is out of range")?;
    let signed = sign(&ours.head, &keys, time);
    assert_eq!(verify(signed.as_bytes(), &ours.keys)?, ours.head);
    // Ed25519 is deterministic; the publisher's ML-DSA-44 signature is randomised.
    let ed25519 = |note: &str| note.lines().nth(4).map(str::to_owned);
    assert_eq!(ed25519(&signed), ed25519(&ours.note));
    Ok(())
}

#[test]
fn tree_of_seventy_thousand_leaves_has_the_published_root() -> TestResult {
    let name = "c2sp-tlog/ours-mldsa44-cosignature.json";
    let Some(path) = vectors("tree of 70000", name) else {
        return Ok(());
    };
    let ours = ours(&path)?;
    let mut tree = Frontier::new();
    for leaf in 0..ours.head.size.get() {
        tree.push(format!("entry-{leaf}").as_bytes());
    }
    assert_eq!((tree.size(), tree.root()), (ours.head.size, ours.head.root));
    Ok(())
}
