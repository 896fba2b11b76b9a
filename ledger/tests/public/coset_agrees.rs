//! `coset` reads our statements, finds the headers that the specification names, and its own signature structures verify.

use coset::iana::{self, EnumI64};
use coset::{CoseSign, CoseSign1, Header, RegisteredLabel, RegisteredLabelWithPrivate, TaggedCborSerializable};
use countersign_identity::keys::{Ed25519Signature, HybridSecret, MlDsaSignature, Seed32};
use countersign_ledger::cose::{AadLedger, sign};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::SignatureSet;

use crate::TestResult;

const PAYLOAD: &[u8] = b"\xa1\x01\x02";
const CONTENT_TYPE: &str = "application/countersign-statement+cbor";

fn signer() -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new([8; 32]))
}

fn aad(id: [u8; 32]) -> Vec<u8> {
    [b"countersign/1".as_slice(), &id].concat()
}

fn algorithm(header: &Header) -> Option<i64> {
    match header.alg.as_ref()? {
        RegisteredLabelWithPrivate::Assigned(algorithm) => Some(algorithm.to_i64()),
        _ => None,
    }
}

fn has_content_type(header: &Header) -> bool {
    matches!(&header.content_type, Some(RegisteredLabel::Text(text)) if text == CONTENT_TYPE)
}

#[test]
fn coset_verifies_our_sign1() -> TestResult {
    let (id, key) = ([9; 32], signer());
    let message = sign(PAYLOAD, SignatureSet::Ed25519, LedgerId::from_bytes(id), &key);
    let parsed = CoseSign1::from_tagged_slice(&message).map_err(|error| error.to_string())?;
    assert_eq!(parsed.payload.as_deref(), Some(PAYLOAD));
    assert!(parsed.unprotected.is_empty());
    assert_eq!(
        algorithm(&parsed.protected.header),
        Some(iana::Algorithm::Ed25519.to_i64())
    );
    assert!(has_content_type(&parsed.protected.header));
    parsed.verify_signature(&aad(id), |signature, signed| {
        key.public()
            .verify_ed25519(signed, &Ed25519Signature::try_from(signature)?)
    })?;
    assert_eq!(parsed.to_tagged_vec().map_err(|error| error.to_string())?, message);
    Ok(())
}

#[test]
fn coset_verifies_our_sign() -> TestResult {
    let key = signer();
    let message = sign(PAYLOAD, SignatureSet::Hybrid, AadLedger::Genesis, &key);
    let parsed = CoseSign::from_tagged_slice(&message).map_err(|error| error.to_string())?;
    assert_eq!(parsed.payload.as_deref(), Some(PAYLOAD));
    assert!(has_content_type(&parsed.protected.header));
    assert_eq!(parsed.signatures.len(), 2);
    let algorithms: Vec<_> = parsed
        .signatures
        .iter()
        .map(|one| algorithm(&one.protected.header))
        .collect();
    assert_eq!(algorithms, [Some(-19), Some(iana::Algorithm::ML_DSA_44.to_i64())]);
    let aad = aad([0; 32]);
    parsed.verify_signature(0, &aad, |signature, signed| {
        key.public()
            .verify_ed25519(signed, &Ed25519Signature::try_from(signature)?)
    })?;
    parsed.verify_signature(1, &aad, |signature, signed| {
        key.public()
            .verify_ml_dsa(signed, &MlDsaSignature::try_from(signature)?)
    })?;
    assert_eq!(parsed.to_tagged_vec().map_err(|error| error.to_string())?, message);
    Ok(())
}
