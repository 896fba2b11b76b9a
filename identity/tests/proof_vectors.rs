//! W3C vectors of both cryptosuites, reproduced byte for byte.

use countersign_identity::did;
use countersign_identity::jcs;
use countersign_identity::keys::{HybridPublic, HybridSecret, ML_DSA_PUBLIC_LEN, Seed32};
use countersign_identity::multibase;
use countersign_identity::multikey::Multikey;
use countersign_identity::proof::suite::{DocumentHash, HashData, Suite};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::public_vectors::{TestResult, hex, json, path, text};

/// A signed document taken apart as the specifications do: without `proof`, and `proof` without `proofValue`.
fn take_apart(mut signed: Value) -> Result<(Value, Value, String), Box<dyn std::error::Error>> {
    let mut proof = signed
        .as_object_mut()
        .and_then(|members| members.remove("proof"))
        .ok_or("no proof")?;
    let value = proof
        .as_object_mut()
        .and_then(|members| members.remove("proofValue"))
        .ok_or("no proofValue")?;
    Ok((signed, proof, text(&value)?.to_owned()))
}

#[test]
fn eddsa_jcs_2022_reproduces_every_intermediate_value() -> TestResult {
    let Some(root) = path("eddsa-jcs-2022", "vc-di-eddsa/TestVectors") else {
        return Ok(());
    };
    let suite = root.join("eddsa-jcs-2022");
    let read = |name: &str| std::fs::read_to_string(suite.join(name));
    let (document, options, value) = take_apart(serde_json::from_str(&read("signedJCS.json")?)?)?;
    assert_eq!(jcs::canonicalize(&document)?, read("canonDocJCS.txt")?.as_bytes());
    assert_eq!(jcs::canonicalize(&options)?, read("proofCanonJCS.txt")?.as_bytes());

    let hash_data = HashData::of(&options, &DocumentHash::of(&document)?)?;
    assert_eq!(HEXLOWER.encode(hash_data.as_bytes()), read("combinedHashJCS.txt")?);
    assert_eq!(
        HEXLOWER.encode(hash_data.as_bytes()),
        read("proofHashJCS.txt")? + &read("docHashJCS.txt")?
    );

    let keys: Value = serde_json::from_slice(&std::fs::read(root.join("keyPair.json"))?)?;
    let private = multibase::decode_base58btc(text(&keys["privateKeyMultibase"])?)?;
    let seed: [u8; 32] = private
        .strip_prefix(&[0x80, 0x26])
        .ok_or("not ed25519-priv")?
        .try_into()?;
    let key = HybridSecret::from_seeds(Seed32::new(seed), Seed32::new([0; 32]));
    assert_eq!(
        Multikey::parse(text(&keys["publicKeyMultibase"])?)?,
        Multikey::Ed25519(*key.public().ed25519_bytes())
    );
    assert_eq!(Suite::EddsaJcs2022.sign(&key, &hash_data), read("sigBTC58JCS.txt")?);
    assert_eq!(Suite::EddsaJcs2022.sign(&key, &hash_data), value);
    Suite::EddsaJcs2022.verify(key.public(), &hash_data, &value)?;
    Ok(())
}

/// The published proof carries no `@context`, but its proof configuration was hashed with the document's.
#[test]
fn mldsa44_jcs_2024_reproduces_every_hash_and_verifies() -> TestResult {
    let Some(root) = path("mldsa44-jcs-2024", "di-quantum-safe/testVectors") else {
        return Ok(());
    };
    let read = |name: &str| std::fs::read_to_string(root.join(name));
    let signed = serde_json::from_str(&read("mldsa44-jcs-2024/signed-mldsa44-jcs-2024.json")?)?;
    let (document, mut options, value) = take_apart(signed)?;
    options["@context"] = document["@context"].clone();
    assert_eq!(
        jcs::canonicalize(&document)?,
        read("commonAlgs/transform-jcs-sha256.txt")?.as_bytes()
    );
    let config = read("commonAlgs/proofConfig-mldsa44-jcs-2024.txt")?;
    assert_eq!(jcs::canonicalize(&options)?, config.as_bytes());

    let hash_data = HashData::of(&options, &DocumentHash::of(&document)?)?;
    let hashes: Value = serde_json::from_str(&read("commonAlgs/hashing-combined.json")?)?;
    assert_eq!(hash_data.as_bytes()[..], hex(&hashes["mldsa44-jcs-2024"])?[..]);

    let Multikey::MlDsa44(public) = did::key::parse(text(&options["verificationMethod"])?)? else {
        return Err("not an ML-DSA-44 key".into());
    };
    let key = HybridPublic::from_bytes(HybridSecret::generate()?.public().ed25519_bytes(), &public)?;
    Suite::MlDsa44Jcs2024.verify(&key, &hash_data, &value)?;

    // The published signature is of the hedged variant, so ours has other bytes under the same key; both verify.
    let keys: Value = serde_json::from_str(&read("inputs/KeysMLDSA.json")?)?;
    let expanded = hex(&keys["mldsa44"]["secretKeyHex"])?;
    #[expect(deprecated, reason = "the vector gives the expanded key and no seed")]
    let signer = ml_dsa::ExpandedSigningKey::<ml_dsa::MlDsa44>::from_expanded(&expanded[..].try_into()?);
    let signature = signer.sign_deterministic(hash_data.as_bytes(), &[])?;
    Suite::MlDsa44Jcs2024.verify(&key, &hash_data, &multibase::encode_base64url(&signature.encode()))?;
    Ok(())
}

#[test]
fn a_changed_document_option_or_value_of_a_published_proof_is_refused() -> TestResult {
    let Some(signed) = json(
        "eddsa-jcs-2022",
        "vc-di-eddsa/TestVectors/eddsa-jcs-2022/signedJCS.json",
    )?
    else {
        return Ok(());
    };
    let Some(keys) = json("eddsa-jcs-2022", "vc-di-eddsa/TestVectors/keyPair.json")? else {
        return Ok(());
    };
    let Multikey::Ed25519(public) = Multikey::parse(text(&keys["publicKeyMultibase"])?)? else {
        return Err("not an Ed25519 key".into());
    };
    let key = HybridPublic::from_bytes(&public, &[0; ML_DSA_PUBLIC_LEN])?;
    let (document, options, value) = take_apart(signed)?;
    let mut changed = document.clone();
    changed["name"] = Value::from("Alumni credential");
    let hash_data = HashData::of(&options, &DocumentHash::of(&changed)?)?;
    assert!(Suite::EddsaJcs2022.verify(&key, &hash_data, &value).is_err());

    let mut other_options = options.clone();
    other_options["proofPurpose"] = Value::from("authentication");
    let hash_data = HashData::of(&other_options, &DocumentHash::of(&document)?)?;
    assert!(Suite::EddsaJcs2022.verify(&key, &hash_data, &value).is_err());

    let hash_data = HashData::of(&options, &DocumentHash::of(&document)?)?;
    assert!(
        Suite::EddsaJcs2022
            .verify(&key, &hash_data, &format!("{value}1"))
            .is_err()
    );
    assert!(Suite::MlDsa44Jcs2024.verify(&key, &hash_data, &value).is_err());
    Ok(())
}
