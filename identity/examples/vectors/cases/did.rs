//! DIDs: one of each party, and one for every refusal.

use countersign_identity::did::peer4;
use countersign_identity::multibase;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::party::{Made, Party, lead, principal, stranger};
use super::{Cases, Vector};

pub(super) fn cases() -> Cases {
    let mut cases: Vec<Vector> = [("principal", principal()), ("lead", lead())]
        .iter()
        .map(|(name, party)| valid(name, party))
        .collect();
    cases.extend(of_the_text()?);
    cases.extend(of_the_document()?);
    Ok(cases)
}

fn valid(name: &str, party: &Party) -> Vector {
    let public = party.did.public();
    let more = json!({
        "did": party.did.long(),
        "short": party.did.short(),
        "ed25519": HEXLOWER.encode(public.ed25519_bytes()),
        "mldsa44": HEXLOWER.encode(public.ml_dsa_bytes()),
    });
    let why = "both keys of a party, from the seeds of identity-v1 §13";
    Vector::new(&format!("did-{name}"), "did", "§4.3", why, json!("valid"), more)
}

fn invalid(name: &str, code: &str, why: &str, did: &str) -> Vector {
    Vector::new(
        &format!("did-{name}"),
        "did",
        "§4.3",
        why,
        json!(code),
        json!({ "did": did }),
    )
}

fn of_the_text() -> Cases {
    let (own, other) = (principal().did, stranger().did);
    let long = own.long();
    let encoded = long.rsplit(':').next().ok_or("no document")?;
    let (without_codec, hash_only) = (rehashed(&multibase::encode_base58btc(b"{}"))?, "did:peer:4zQm");
    Ok(vec![
        invalid(
            "short-form",
            "did_form",
            "a short form where a long one is needed",
            own.short(),
        ),
        invalid(
            "other-method",
            "did_method",
            "another variant of did:peer",
            &long.replacen("peer:4", "peer:2", 1),
        ),
        invalid(
            "other-hash",
            "did_hash",
            "the hash of another party's document",
            &format!("{}:{encoded}", other.short()),
        ),
        invalid(
            "changed-document",
            "did_hash",
            "one character of the document changed",
            &changed_last(long),
        ),
        invalid(
            "base64-hash",
            "did_multibase",
            "the hash in another base",
            &long.replacen("4z", "4u", 1),
        ),
        invalid(
            "short-hash",
            "did_multihash",
            "a hash of another length",
            &format!("{hash_only}:{encoded}"),
        ),
        invalid(
            "no-json-codec",
            "did_codec",
            "a document without the JSON multicodec",
            &without_codec,
        ),
        invalid(
            "too-long",
            "did_too_long",
            "longer than 8192 characters",
            &format!("{long}{}", "1".repeat(8192)),
        ),
    ])
}

fn of_the_document() -> Cases {
    let document = peer4::decode(principal().did.long())?.document;
    let document = String::from_utf8(document)?;
    let encode = |text: &str| peer4::encode(text.as_bytes());
    let value: Value = serde_json::from_str(&document)?;
    let ed25519 = value["verificationMethod"][0]["publicKeyMultibase"]
        .as_str()
        .ok_or("no key")?;
    let weak = multibase::encode_base58btc(&[&[0xed, 0x01][..], &[0; 32]].concat());
    let x25519 = multibase::encode_base58btc(&[&[0xec, 0x01][..], &[9; 32]].concat());
    let extra = document.replacen("{\"@context\"", "{\"@base\":\"x\",\"@context\"", 1);
    let one_method = document.replacen("[\"#ed25519\",\"#mldsa44\"]", "[\"#ed25519\"]", 1);
    Ok(vec![
        invalid(
            "extra-member",
            "did_document",
            "a document with one member more",
            &encode(&extra),
        ),
        invalid(
            "one-assertion-method",
            "did_document",
            "ML-DSA not authorised to assert",
            &encode(&one_method),
        ),
        invalid(
            "whitespace",
            "did_document",
            "the same document with a space",
            &encode(&document.replacen(':', ": ", 1)),
        ),
        invalid("not-json", "did_document", "no JSON at all", &encode("hello")),
        invalid(
            "weak-key",
            "did_key",
            "an Ed25519 key of small order",
            &encode(&document.replacen(ed25519, &weak, 1)),
        ),
        invalid(
            "other-codec",
            "did_key",
            "an X25519 key",
            &encode(&document.replacen(ed25519, &x25519, 1)),
        ),
    ])
}

fn changed_last(long: &str) -> String {
    let mut text = long.to_owned();
    let last = if text.pop() == Some('2') { '3' } else { '2' };
    text.push(last);
    text
}

/// A long form with a right hash over any encoded document.
fn rehashed(encoded: &str) -> Made<String> {
    use sha2::{Digest as _, Sha256};
    let hash = multibase::encode_base58btc(&[&[0x12, 0x20][..], &Sha256::digest(encoded)].concat());
    Ok(format!("did:peer:4{hash}:{encoded}"))
}
