use serde_json::{Value, json};

use super::*;
use crate::keys::Seed32;

const AT: u64 = 1_795_248_000_000;

fn party(byte: u8) -> (HybridSecret, PeerDid) {
    let secret = HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte; 32]));
    let did = PeerDid::from_keys(secret.public());
    (secret, did)
}

fn unsigned(did: &PeerDid) -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "issuer": did.short(),
        "validFrom": "2026-11-21T08:00:00Z",
        "claim": {"a": [1, 2, 3]},
    })
}

fn signed(byte: u8) -> Result<(Value, PeerDid), ProofError> {
    let (secret, did) = party(byte);
    let document = sign_proof_set(unsigned(&did), &secret, did.short_did(), Millis::clamped(AT))?;
    Ok((document, did))
}

/// The code with which a changed document is refused.
fn refusal(change: impl FnOnce(&mut Value)) -> Result<&'static str, ProofError> {
    let (mut document, did) = signed(1)?;
    change(&mut document);
    Ok(verify_proof_set(&document, &did)
        .err()
        .map_or("accepted", |error| error.code()))
}

fn remove(value: &mut Value, member: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(member);
    }
}

#[test]
fn a_signed_document_verifies_and_signing_is_deterministic() -> Result<(), ProofError> {
    let (document, did) = signed(1)?;
    verify_proof_set(&document, &did)?;
    assert_eq!(signed(1)?.0, document);
    Ok(())
}

#[test]
fn a_dropped_proof_is_a_downgrade() -> Result<(), ProofError> {
    for index in [0, 1] {
        let code = refusal(|document| {
            let proofs = document["proof"].as_array_mut().map(|proofs| proofs.remove(index));
            assert!(proofs.is_some());
        })?;
        assert_eq!(code, "downgraded");
    }
    assert_eq!(refusal(|document| document["proof"] = json!([]))?, "downgraded");
    assert_eq!(
        refusal(|document| document["proof"][1] = document["proof"][0].clone())?,
        "downgraded"
    );
    assert_eq!(refusal(|document| remove(document, "proof"))?, "unsigned");
    assert_eq!(
        refusal(|document| document["proof"] = document["proof"][0].clone())?,
        "not_a_proof_set"
    );
    Ok(())
}

#[test]
fn required_suites_cannot_be_lowered_or_left_out() -> Result<(), ProofError> {
    assert_eq!(
        refusal(|document| document["requiredSuites"] = json!(["eddsa-jcs-2022"]))?,
        "required_suites"
    );
    assert_eq!(
        refusal(|document| document["requiredSuites"] = json!("eddsa-jcs-2022"))?,
        "required_suites"
    );
    assert_eq!(
        refusal(|document| remove(document, "requiredSuites"))?,
        "required_suites"
    );
    Ok(())
}

#[test]
fn swapped_or_additional_proofs_are_refused() -> Result<(), ProofError> {
    let swap = |document: &mut Value| {
        if let Some(proofs) = document["proof"].as_array_mut() {
            proofs.swap(0, 1);
        }
    };
    assert_eq!(refusal(swap)?, "proof_order");
    let add = |document: &mut Value| {
        let first = document["proof"][0].clone();
        if let Some(proofs) = document["proof"].as_array_mut() {
            proofs.push(first);
        }
    };
    assert_eq!(refusal(add)?, "proof_count");
    Ok(())
}

#[test]
fn every_member_of_a_proof_is_exact() -> Result<(), ProofError> {
    for member in [
        "@context",
        "created",
        "proofPurpose",
        "proofValue",
        "type",
        "verificationMethod",
    ] {
        assert_eq!(
            refusal(|document| remove(&mut document["proof"][1], member))?,
            "missing_member",
            "{member}"
        );
    }
    assert_eq!(
        refusal(|document| document["proof"][0]["previousProof"] = json!("x"))?,
        "unknown_member"
    );
    assert_eq!(
        refusal(|document| document["proof"][0]["type"] = json!("Other"))?,
        "wrong_value"
    );
    assert_eq!(
        refusal(|document| document["proof"][1]["proofPurpose"] = json!("authentication"))?,
        "wrong_value"
    );
    assert_eq!(
        refusal(|document| document["proof"][1]["@context"] = json!([]))?,
        "proof_context"
    );
    assert_eq!(
        refusal(|document| document["proof"][1]["created"] = json!("2026-11-21T08:00:01Z"))?,
        "proof_created"
    );
    assert_eq!(
        refusal(|document| document["proof"][1]["proofValue"] = json!(7))?,
        "wrong_type"
    );
    Ok(())
}

#[test]
fn a_verification_method_of_another_party_suite_or_long_form_is_refused() -> Result<(), ProofError> {
    let (_, other) = party(2);
    let (_, own) = party(1);
    for method in [
        other.short_did().ml_dsa_method(),
        own.short_did().ed25519_method(),
        own.short().to_owned(),
        "#mldsa44".to_owned(),
        format!("{}#mldsa44", own.long()),
    ] {
        assert_eq!(
            refusal(|document| document["proof"][1]["verificationMethod"] = json!(method))?,
            "proof_method"
        );
    }
    Ok(())
}

#[test]
fn proofs_by_another_key_than_the_issuers_are_refused() -> Result<(), ProofError> {
    let ((document, did), (_, other)) = (signed(1)?, party(2));
    verify_proof_set(&document, &did)?;
    assert_eq!(
        verify_proof_set(&document, &other).err().map(|error| error.code()),
        Some("issuer")
    );
    assert_eq!(refusal(|document| document["issuer"] = json!(other.short()))?, "issuer");
    // The thief names the victim as issuer and signs with keys of its own.
    let (thief, _) = party(3);
    let forged = sign_proof_set(unsigned(&did), &thief, did.short_did(), Millis::clamped(AT))?;
    assert_eq!(
        verify_proof_set(&forged, &did).err().map(|error| error.code()),
        Some("signature")
    );
    Ok(())
}

#[test]
fn any_change_of_the_signed_content_is_refused() -> Result<(), ProofError> {
    assert_eq!(refusal(|document| document["claim"]["a"] = json!([1, 2]))?, "signature");
    assert_eq!(refusal(|document| document["more"] = json!(null))?, "signature");
    assert_eq!(refusal(|document| remove(document, "claim"))?, "signature");
    Ok(())
}

#[test]
fn both_signatures_count() -> Result<(), ProofError> {
    let ((other, _), (document, did)) = (signed(2)?, signed(1)?);
    for index in [0, 1] {
        let mut spliced = document.clone();
        spliced["proof"][index]["proofValue"] = other["proof"][index]["proofValue"].clone();
        assert_eq!(
            verify_proof_set(&spliced, &did).err().map(|error| error.code()),
            Some("signature")
        );
        spliced["proof"][index]["proofValue"] = json!("z");
        let code = verify_proof_set(&spliced, &did).err().map(|error| error.code());
        assert!(matches!(code, Some("proof_encoding" | "signature")));
    }
    Ok(())
}

#[test]
fn signing_refuses_what_would_not_verify() -> Result<(), ProofError> {
    let ((secret, did), (_, other)) = (party(1), party(2));
    let at = Millis::clamped(AT);
    let code = |document: Value, did: &PeerDid, at| {
        sign_proof_set(document, &secret, did.short_did(), at)
            .err()
            .map(|error| error.code())
    };
    assert_eq!(code(json!([]), &did, at), Some("not_an_object"));
    assert_eq!(code(unsigned(&other), &did, at), Some("issuer"));
    assert_eq!(
        code(unsigned(&did), &did, Millis::clamped(AT + 1000)),
        Some("proof_created")
    );
    assert_eq!(code(unsigned(&did), &did, Millis::clamped(AT + 1)), Some("instant"));
    assert_eq!(code(signed(1)?.0, &did, at), Some("already_signed"));
    Ok(())
}
