//! did:peer:4 and did:key vectors of their specifications.

use countersign_identity::did::{self, PeerDid, peer4};
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_identity::multikey::Multikey;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

use crate::public_vectors::{TestResult, hex, items, json, text};

#[test]
fn did_peer_4_examples_decode_and_encode_to_the_same_text() -> TestResult {
    let Some(file) = json("did:peer:4", "did-peer-4/vectors.json")? else {
        return Ok(());
    };
    for case in items(&file["valid"])? {
        let long = text(&case["long"])?;
        let decoded = peer4::decode(long)?;
        assert_eq!(decoded.short.as_str(), text(&case["short"])?);
        assert_eq!(
            serde_json::from_slice::<Value>(&decoded.document)?,
            case["inputDocument"]
        );
        assert_eq!(peer4::encode(&decoded.document), long);
        // None of them holds our two keys, so none can be one of our parties.
        assert!(PeerDid::parse_long(long).is_err());
    }
    Ok(())
}

#[test]
fn did_peer_4_negatives_are_refused() -> TestResult {
    let Some(file) = json("did:peer:4", "did-peer-4/vectors.json")? else {
        return Ok(());
    };
    for case in items(&file["negative_ours"])? {
        assert!(peer4::decode(text(&case["long"])?).is_err(), "{}", case["name"]);
    }
    Ok(())
}

#[test]
fn did_key_ed25519_gives_the_published_key() -> TestResult {
    let Some(file) = json("did:key", "did-key/test-vectors/ed25519-x25519.json")? else {
        return Ok(());
    };
    let cases = file.as_object().ok_or("not an object")?;
    for (name, case) in cases {
        let key = did::key::parse(name)?;
        assert_eq!(did::key::encode(&key), *name);
        assert_eq!(did::key::parse(&format!("{name}#{}", &name["did:key:".len()..]))?, key);
        if let Some(seed) = case["seed"].as_str() {
            let seed = HEXLOWER_PERMISSIVE
                .decode(seed.as_bytes())?
                .try_into()
                .map_err(|_| "seed length")?;
            let pair = HybridSecret::from_seeds(Seed32::new(seed), Seed32::new([0; 32]));
            assert_eq!(Multikey::Ed25519(*pair.public().ed25519_bytes()), key, "{name}");
        }
    }
    assert!(!cases.is_empty());
    Ok(())
}

#[test]
fn did_key_of_other_algorithms_is_refused() -> TestResult {
    for name in ["bls12381", "nist-curves", "rsa", "secp256k1", "x25519"] {
        let Some(file) = json("did:key", &format!("did-key/test-vectors/{name}.json"))? else {
            return Ok(());
        };
        for name in file.as_object().ok_or("not an object")?.keys() {
            assert!(did::key::parse(name).is_err(), "{name}");
        }
    }
    Ok(())
}

#[test]
fn did_key_of_ml_dsa_44_gives_the_published_key() -> TestResult {
    let Some(file) = json("did:key ML-DSA", "di-quantum-safe/testVectors/inputs/KeysMLDSA.json")? else {
        return Ok(());
    };
    let expected = hex(&file["mldsa44"]["publicKeyHex"])?;
    let name = "di-quantum-safe/testVectors/mldsa44-jcs-2024/signed-mldsa44-jcs-2024.json";
    let Some(signed) = json("did:key ML-DSA", name)? else {
        return Ok(());
    };
    let method = text(&signed["proof"]["verificationMethod"])?;
    match did::key::parse(method)? {
        Multikey::MlDsa44(key) => assert_eq!(key[..], expected[..]),
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}
