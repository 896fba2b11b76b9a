//! Our own golden vectors: every file gives what it expects, and the generator still writes the same bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign_identity::credential::{
    ApproverClaims, Claims, Credential, CredentialError, DirectiveClaims, GrantClaims, HostClaims, InstanceClaims,
    OrderClaims,
};
use countersign_identity::did::PeerDid;
use countersign_identity::grant::{Grant, TooWide};
use countersign_identity::trust::{Anchor, TrustEntry, TrustedHost};
use countersign_schemas::body::Effects;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Millis;
use countersign_schemas::text::Name;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::public_vectors::{TestResult, hex, items, text};

#[path = "../examples/vectors/cases/mod.rs"]
mod cases;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/vectors/identity"))
}

fn stored() -> Result<BTreeMap<String, String>, Box<dyn std::error::Error>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        let name = path.file_name().ok_or("no file name")?.to_string_lossy().into_owned();
        files.insert(name, std::fs::read_to_string(path)?);
    }
    Ok(files)
}

#[test]
fn the_generator_writes_the_stored_files_and_no_others() -> TestResult {
    let mut stored = stored()?;
    for vector in cases::all()? {
        let found = stored
            .remove(&vector.file)
            .ok_or_else(|| format!("{} is not stored", vector.file))?;
        assert!(
            found == vector.to_text()?,
            "{} differs: run the example `vectors`",
            vector.file
        );
    }
    assert!(stored.is_empty(), "not written by the generator: {:?}", stored.keys());
    Ok(())
}

#[test]
fn every_vector_gives_what_it_expects() -> TestResult {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (name, content) in stored()? {
        let vector: Value = serde_json::from_str(&content)?;
        assert_eq!(vector["format"], "identity/v1", "{name}");
        let kind = text(&vector["kind"])?;
        let result = match kind {
            "did" => of_did(&vector)?,
            "credential" => of_credential(&vector)?,
            "narrowing" => of_narrowing(&vector)?,
            "lineage" => of_lineage(&vector)?,
            "request" => of_request(&vector)?,
            "trust" => of_trust(&vector)?,
            other => return Err(format!("{name}: unknown kind {other}").into()),
        };
        assert_eq!(result, vector["expect"], "{name}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    for (kind, at_least) in [
        ("did", 16),
        ("credential", 100),
        ("narrowing", 22),
        ("lineage", 5),
        ("request", 12),
        ("trust", 70),
    ] {
        assert!(
            kinds.get(kind).is_some_and(|found| *found >= at_least),
            "{kind}: {kinds:?}"
        );
    }
    Ok(())
}

/// A reader of the specification must be able to tell that it has the right context.
#[test]
fn the_bundled_context_has_the_digest_that_the_specification_states() -> TestResult {
    let schemas = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas"));
    let context = std::fs::read(schemas.join("contexts/countersign-v1.jsonld"))?;
    let specification = std::fs::read_to_string(schemas.join("identity-v1.md"))?;
    assert!(specification.contains(&Digest::sha256(&context).to_string()));
    Ok(())
}

/// The worked example of a trust file is the one of the vectors.
#[test]
fn the_specification_holds_the_trust_file_of_the_vectors() -> TestResult {
    let specification = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/identity-v1.md"))?;
    let vector: Value = serde_json::from_str(&stored()?["trust-two-anchors.json"])?;
    assert!(specification.contains(&format!("```\n{}```", text(&vector["file"])?)));
    Ok(())
}

/// The worked examples are those of the vectors, so that neither can drift.
#[test]
fn the_specification_states_the_digests_of_its_examples() -> TestResult {
    let specification = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/identity-v1.md"))?;
    let stored = stored()?;
    for name in ["host", "runtime", "lead", "approver", "grant", "order", "revoke"] {
        let vector: Value = serde_json::from_str(&stored[&format!("credential-{name}.json")])?;
        let digest = Digest::sha256(text(&vector["document"])?.as_bytes());
        assert!(specification.contains(&digest.to_string()), "{name}");
    }
    let principal: Value = serde_json::from_str(&stored["did-principal.json"])?;
    assert!(specification.contains(text(&principal["short"])?));
    assert!(specification.contains(&Digest::sha256(text(&principal["did"])?.as_bytes()).to_string()));
    Ok(())
}

type Outcome = Result<Value, Box<dyn std::error::Error>>;

fn of_did(vector: &Value) -> Outcome {
    match PeerDid::parse_long(text(&vector["did"])?) {
        Ok(did) => {
            assert_eq!(vector["short"], did.short());
            assert_eq!(vector["ed25519"], HEXLOWER.encode(did.public().ed25519_bytes()));
            assert_eq!(vector["mldsa44"], HEXLOWER.encode(did.public().ml_dsa_bytes()));
            Ok(json!("valid"))
        }
        Err(error) => Ok(json!(error.code())),
    }
}

fn of_credential(vector: &Value) -> Outcome {
    let bytes = match vector["document"].as_str() {
        Some(document) => document.as_bytes().to_vec(),
        None => hex(&vector["document_hex"])?,
    };
    let issuer = PeerDid::parse_long(text(&vector["issuer"])?)?;
    let result = match text(&vector["profile"])? {
        "CountersignHostCredential" => judge::<HostClaims>(&bytes, &issuer),
        "CountersignInstanceCredential" => judge::<InstanceClaims>(&bytes, &issuer),
        "CountersignApproverCredential" => judge::<ApproverClaims>(&bytes, &issuer),
        "CountersignGrantCredential" => judge::<GrantClaims>(&bytes, &issuer),
        "CountersignOrder" => judge::<OrderClaims>(&bytes, &issuer),
        "CountersignDirective" => judge::<DirectiveClaims>(&bytes, &issuer),
        other => return Err(format!("unknown profile {other}").into()),
    };
    Ok(result.map_or_else(|error| json!(error.code()), |()| json!("valid")))
}

fn judge<C: Claims>(bytes: &[u8], issuer: &PeerDid) -> Result<(), CredentialError> {
    Credential::<C>::parse(bytes)?.verify(issuer).map(|_| ())
}

fn codes(result: Result<(), Vec<TooWide>>) -> Value {
    result.err().unwrap_or_default().iter().map(TooWide::code).collect()
}

fn of_narrowing(vector: &Value) -> Outcome {
    let (parent, child) = (
        Grant::from_json(&vector["parent"])?,
        Grant::from_json(&vector["child"])?,
    );
    Ok(codes(child.check_narrows(&parent)))
}

fn of_lineage(vector: &Value) -> Outcome {
    let (parent, child) = (
        Grant::from_json(&vector["parent"])?,
        Grant::from_json(&vector["child"])?,
    );
    Ok(codes(
        child.check_lineage(&parent, text(&vector["parent_digest"])?.parse()?),
    ))
}

fn of_trust(vector: &Value) -> Outcome {
    let bytes = match vector["file"].as_str() {
        Some(file) => file.as_bytes().to_vec(),
        None => hex(&vector["file_hex"])?,
    };
    match Anchor::read_file(&bytes) {
        Ok(anchors) => {
            let found: Vec<Value> = anchors.iter().map(anchor_json).collect();
            assert_eq!(vector["anchors"], Value::from(found));
            Ok(json!("valid"))
        }
        Err(error) => Ok(json!(error.code())),
    }
}

fn anchor_json(anchor: &Anchor) -> Value {
    let entry = anchor.entry();
    let time = |at: Option<Millis>| at.map(Millis::get);
    let host =
        |host: &TrustedHost| json!({ "did": host.did().as_str(), "compromised": time(host.compromised_since()) });
    json!({
        "did": anchor.short().as_str(),
        "name": entry.and_then(TrustEntry::name),
        "from": time(entry.and_then(TrustEntry::valid_from)),
        "until": time(entry.and_then(TrustEntry::valid_until)),
        "compromised": time(entry.and_then(TrustEntry::compromised_since)),
        "hosts": entry.and_then(TrustEntry::hosts).map(|hosts| hosts.iter().map(host).collect::<Vec<_>>()),
    })
}

fn of_request(vector: &Value) -> Outcome {
    let mut effects = Effects::default();
    for word in items(&vector["effects"])? {
        effects = effects.union(Effects::from_word(text(word)?).ok_or("unknown effect")?);
    }
    let grant = Grant::from_json(&vector["grant"])?;
    let tool = Name::new(text(&vector["tool"])?)?;
    Ok(codes(grant.covers(
        &tool,
        effects,
        vector["path"].as_str(),
        vector["host"].as_str(),
    )))
}
