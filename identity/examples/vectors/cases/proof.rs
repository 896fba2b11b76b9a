//! Refusals of the proof set.

use countersign_identity::credential::{Claims as _, InstanceClaims};
use countersign_identity::proof::suite::{DocumentHash, HashData, Suite};
use serde_json::{Value, json};

use super::party::{Made, Party, host, lead_document, stranger, text};
use super::profile::credential;
use super::{Cases, Vector};

/// A change of the signed document that nobody signed again.
fn changed(name: &str, code: &str, why: &str, change: impl FnOnce(&mut Value)) -> Made<Vector> {
    let mut document = lead_document()?;
    change(&mut document);
    Ok(vector(name, code, why, &host(), &text(&document)?))
}

fn vector(name: &str, code: &str, why: &str, issuer: &Party, text: &str) -> Vector {
    credential(
        &format!("proof-{name}"),
        InstanceClaims::PROFILE,
        ("§6.3", why, code),
        issuer,
        text,
    )
}

pub(super) fn cases() -> Cases {
    let mut cases = of_the_set()?;
    cases.extend(of_the_options()?);
    cases.extend(of_the_signatures()?);
    cases.extend(of_the_issuer()?);
    Ok(cases)
}

fn keep(document: &mut Value, indices: &[usize]) {
    let proofs: Vec<Value> = indices.iter().map(|index| document["proof"][*index].clone()).collect();
    document["proof"] = Value::Array(proofs);
}

fn of_the_set() -> Cases {
    let lowered = {
        let mut document = lead_document()?;
        document["requiredSuites"] = json!(["eddsa-jcs-2022"]);
        text(&resigned(document, &[Suite::EddsaJcs2022])?)?
    };
    Ok(vec![
        changed(
            "ed25519-dropped",
            "downgraded",
            "the Ed25519 proof is taken off",
            |document| keep(document, &[1]),
        )?,
        changed(
            "mldsa44-dropped",
            "downgraded",
            "the ML-DSA proof is taken off",
            |document| keep(document, &[0]),
        )?,
        changed("both-dropped", "downgraded", "an empty set", |document| {
            keep(document, &[])
        })?,
        changed(
            "one-twice",
            "downgraded",
            "Ed25519 twice instead of ML-DSA",
            |document| keep(document, &[0, 0]),
        )?,
        changed("swapped", "proof_order", "ML-DSA before Ed25519", |document| {
            keep(document, &[1, 0])
        })?,
        changed("three", "proof_count", "a third proof", |document| {
            keep(document, &[0, 1, 1])
        })?,
        changed("not-a-set", "not_a_proof_set", "one proof without array", |document| {
            document["proof"] = document["proof"][0].clone();
        })?,
        vector(
            "required-suites-lowered",
            "required_suites",
            "the issuer itself asks for less",
            &host(),
            &lowered,
        ),
    ])
}

fn of_the_options() -> Cases {
    let own = host().did;
    let stranger = stranger().did;
    let method = |value: String| move |document: &mut Value| document["proof"][1]["verificationMethod"] = json!(value);
    let foreign = method(stranger.short_did().ml_dsa_method());
    Ok(vec![
        changed(
            "unknown-member",
            "unknown_member",
            "a proof chain in disguise",
            |document| {
                document["proof"][1]["previousProof"] = json!("urn:x");
            },
        )?,
        changed("no-context", "missing_member", "a proof without @context", |document| {
            document["proof"][0]
                .as_object_mut()
                .map(|proof| proof.remove("@context"));
        })?,
        changed(
            "other-context",
            "proof_context",
            "@context of the proof is not the document's",
            |document| {
                document["proof"][0]["@context"] = json!(["https://www.w3.org/ns/credentials/v2"]);
            },
        )?,
        changed("other-purpose", "wrong_value", "made for authentication", |document| {
            document["proof"][0]["proofPurpose"] = json!("authentication");
        })?,
        changed("other-type", "wrong_value", "another type of proof", |document| {
            document["proof"][0]["type"] = json!("Ed25519Signature2020");
        })?,
        changed(
            "other-created",
            "proof_created",
            "created is not validFrom",
            |document| {
                document["proof"][0]["created"] = json!("2026-11-21T08:00:01Z");
            },
        )?,
        changed(
            "foreign-method",
            "proof_method",
            "the verification method of a stranger",
            foreign,
        )?,
        changed(
            "method-of-other-suite",
            "proof_method",
            "Ed25519's method under ML-DSA",
            method(own.short_did().ed25519_method()),
        )?,
        changed(
            "method-long-form",
            "proof_method",
            "methods use the short form",
            method(format!("{}#mldsa44", own.long())),
        )?,
    ])
}

fn of_the_signatures() -> Cases {
    let other: Value = {
        let mut document = lead_document()?;
        document["credentialSubject"]["name"] = json!("other");
        host().sign(document)?
    };
    let splice = |index: usize| {
        let value = other["proof"][index]["proofValue"].clone();
        move |document: &mut Value| document["proof"][index]["proofValue"] = value
    };
    let with_value =
        |value: &'static str| move |document: &mut Value| document["proof"][0]["proofValue"] = json!(value);
    Ok(vec![
        changed(
            "claim-changed",
            "signature",
            "one byte of a claim flipped",
            |document| {
                document["credentialSubject"]["name"] = json!("leae");
            },
        )?,
        changed(
            "budget-changed",
            "signature",
            "a budget raised after signing",
            |document| {
                document["credentialSubject"]["grant"]["budget"]["calls"] = json!(201);
            },
        )?,
        changed(
            "ed25519-spliced",
            "signature",
            "Ed25519 proof of another document",
            splice(0),
        )?,
        changed(
            "mldsa44-spliced",
            "signature",
            "ML-DSA proof of another document",
            splice(1),
        )?,
        changed("ed25519-empty", "signature", "no signature bytes", with_value("z"))?,
        changed(
            "ed25519-base64",
            "proof_encoding",
            "Ed25519 value in another base",
            with_value("uAAAA"),
        )?,
        changed(
            "ed25519-not-base58",
            "proof_encoding",
            "a character outside the alphabet",
            with_value("z0OIl"),
        )?,
    ])
}

fn of_the_issuer() -> Cases {
    let (victim, thief) = (host(), stranger());
    // Signed by the thief as itself; then the victim's name is put in.
    let mut renamed = thief.sign(lead_document()?)?;
    renamed["issuer"] = json!(victim.did.short());
    // Signed with the thief's keys under the victim's name and methods.
    let mut forged = lead_document()?;
    let unsigned = forged
        .as_object_mut()
        .and_then(|members| members.remove("proof"))
        .map(|_| forged);
    let created = countersign_identity::instant::parse("2026-11-21T08:00:00Z")?;
    let unsigned = unsigned.ok_or("no proof")?;
    let forged = countersign_identity::proof::sign_proof_set(unsigned, &thief.secret, victim.did.short_did(), created)?;
    Ok(vec![
        vector(
            "issuer-is-not-controller",
            "proof_method",
            "verifies under a stranger's keys, names the host",
            &victim,
            &text(&renamed)?,
        ),
        vector(
            "wrong-issuer-given",
            "issuer",
            "checked against a party that did not issue it",
            &thief,
            &text(&lead_document()?)?,
        ),
        vector(
            "thiefs-keys",
            "signature",
            "the host's name and methods, a thief's keys",
            &victim,
            &text(&forged)?,
        ),
    ])
}

/// The lead's document, changed, with right proofs of some suites only.
fn resigned(mut document: Value, suites: &[Suite]) -> Made<Value> {
    let issuer = host();
    let members = document.as_object_mut().ok_or("not an object")?;
    let old = members.remove("proof").ok_or("no proof")?;
    let hash = DocumentHash::of(&document)?;
    let mut proofs = Vec::new();
    for suite in suites {
        let index = usize::from(*suite == Suite::MlDsa44Jcs2024);
        let mut proof = old[index].clone();
        proof.as_object_mut().map(|proof| proof.remove("proofValue"));
        let value = suite.sign(&issuer.secret, &HashData::of(&proof, &hash)?);
        proof["proofValue"] = json!(value);
        proofs.push(proof);
    }
    document["proof"] = Value::Array(proofs);
    Ok(document)
}
