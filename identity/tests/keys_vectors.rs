//! Wycheproof, CCTV and ACVP against our strict verification, and a second ML-DSA implementation.

use countersign_identity::keys::{
    Ed25519Signature, HybridPublic, HybridSecret, ML_DSA_PUBLIC_LEN, MlDsaSignature, Seed32,
};
use fips204::ml_dsa_44;
use fips204::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};
use serde_json::Value;

use crate::public_vectors::{TestResult, hex, items, json};

/// A valid Ed25519 key for tests that are about ML-DSA.
fn any_ed25519() -> [u8; 32] {
    *HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new([7; 32]))
        .public()
        .ed25519_bytes()
}

fn accepts_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = <&[u8; 32]>::try_from(key) else {
        return false;
    };
    let Ok(public) = HybridPublic::from_bytes(key, &[0; ML_DSA_PUBLIC_LEN]) else {
        return false;
    };
    Ed25519Signature::try_from(signature).is_ok_and(|signature| public.verify_ed25519(message, &signature).is_ok())
}

fn accepts_ml_dsa(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = key.try_into() else { return false };
    let Ok(public) = HybridPublic::from_bytes(&any_ed25519(), key) else {
        return false;
    };
    MlDsaSignature::try_from(signature).is_ok_and(|signature| public.verify_ml_dsa(message, &signature).is_ok())
}

fn second_implementation_accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
        return false;
    };
    ml_dsa_44::PublicKey::try_from_bytes(key).is_ok_and(|key| key.verify(message, &signature, &[]))
}

fn has_flag(test: &Value, flag: &str) -> bool {
    test["flags"]
        .as_array()
        .is_some_and(|flags| flags.iter().any(|found| found == flag))
}

#[test]
fn wycheproof_ed25519_verdicts_are_ours() -> TestResult {
    let Some(file) = json("wycheproof ed25519", "wycheproof/testvectors_v1/ed25519_test.json")? else {
        return Ok(());
    };
    let mut seen = 0;
    for group in items(&file["testGroups"])? {
        let key = hex(&group["publicKey"]["pk"])?;
        for test in items(&group["tests"])? {
            let accepted = accepts_ed25519(&key, &hex(&test["msg"])?, &hex(&test["sig"])?);
            assert_eq!(accepted, test["result"] == "valid", "tcId {}", test["tcId"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 151);
    Ok(())
}

/// Strict means: no small-order key or `R`, no second encoding of either, and the cofactorless equation.
#[test]
fn cctv_ed25519_accepts_exactly_the_strict_ones() -> TestResult {
    let Some(file) = json("cctv ed25519", "c2sp-cctv/ed25519/ed25519vectors.json")? else {
        return Ok(());
    };
    let strict = [
        "low_order_A",
        "low_order_R",
        "non_canonical_A",
        "non_canonical_R",
        "low_order_residue",
    ];
    let mut accepted_count = 0;
    for test in items(&file)? {
        let message = test["msg"].as_str().unwrap_or_default();
        let accepted = accepts_ed25519(&hex(&test["key"])?, message.as_bytes(), &hex(&test["sig"])?);
        let expected = !strict.iter().any(|flag| has_flag(test, flag));
        assert_eq!(accepted, expected, "number {}", test["number"]);
        accepted_count += usize::from(accepted);
    }
    assert!(accepted_count > 0);
    Ok(())
}

#[test]
fn wycheproof_ml_dsa_verdicts_are_ours_and_those_of_a_second_implementation() -> TestResult {
    let name = "wycheproof/testvectors_v1/mldsa_44_verify_test.json";
    let Some(file) = json("wycheproof mldsa44 verify", name)? else {
        return Ok(());
    };
    let mut seen = 0;
    for group in items(&file["testGroups"])? {
        let key = hex(&group["publicKey"])?;
        for test in items(&group["tests"])? {
            // Our variant has an empty context; the others are not ours to judge.
            if test["ctx"].as_str().is_some_and(|context| !context.is_empty()) {
                continue;
            }
            let (message, signature) = (hex(&test["msg"])?, hex(&test["sig"])?);
            let expected = test["result"] == "valid";
            assert_eq!(
                accepts_ml_dsa(&key, &message, &signature),
                expected,
                "tcId {}",
                test["tcId"]
            );
            let second = second_implementation_accepts(&key, &message, &signature);
            assert_eq!(second, expected, "fips204, tcId {}", test["tcId"]);
            seen += 1;
        }
    }
    assert!(seen >= 160, "only {seen} judged");
    Ok(())
}

#[test]
fn wycheproof_ml_dsa_signing_from_a_seed_gives_the_same_bytes() -> TestResult {
    let name = "wycheproof/testvectors_v1/mldsa_44_sign_seed_test.json";
    let Some(file) = json("wycheproof mldsa44 sign", name)? else {
        return Ok(());
    };
    let mut seen = 0;
    for group in items(&file["testGroups"])? {
        let Ok(seed) = <[u8; 32]>::try_from(hex(&group["privateSeed"])?) else {
            continue;
        };
        let key = HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new(seed));
        assert_eq!(key.public().ml_dsa_bytes()[..], hex(&group["publicKey"])?[..]);
        for test in items(&group["tests"])? {
            let has_context = test["ctx"].as_str().is_some_and(|context| !context.is_empty());
            if has_context || test["rnd"].is_string() || has_flag(test, "Internal") {
                continue;
            }
            let signature = key.sign_ml_dsa(&hex(&test["msg"])?);
            assert_eq!(
                signature.as_bytes()[..],
                hex(&test["sig"])?[..],
                "tcId {}",
                test["tcId"]
            );
            seen += 1;
        }
    }
    assert!(seen >= 60, "only {seen} judged");
    Ok(())
}

fn acvp_groups(file: &Value) -> Result<impl Iterator<Item = &Value>, String> {
    Ok(items(&file["testGroups"])?
        .iter()
        .filter(|group| group["parameterSet"] == "ML-DSA-44"))
}

#[test]
fn acvp_key_generation_gives_the_same_public_key() -> TestResult {
    let Some(file) = json("acvp keygen", "acvp-mldsa/key-gen.json")? else {
        return Ok(());
    };
    for group in acvp_groups(&file)? {
        for test in items(&group["tests"])? {
            let seed = <[u8; 32]>::try_from(hex(&test["seed"])?).map_err(|_| "seed length")?;
            let key = HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new(seed));
            assert_eq!(
                key.public().ml_dsa_bytes()[..],
                hex(&test["pk"])?[..],
                "tcId {}",
                test["tcId"]
            );
        }
    }
    Ok(())
}

/// The ACVP signature vectors exercise the internal interface (no `00 00` before the message), which
/// [`HybridPublic`] does not offer; this checks the implementation underneath.
#[test]
fn acvp_signature_verification_of_the_implementation_underneath() -> TestResult {
    let Some(file) = json("acvp sigver", "acvp-mldsa/sig-ver.json")? else {
        return Ok(());
    };
    for group in acvp_groups(&file)? {
        let key = hex(&group["pk"])?;
        let key = ml_dsa::VerifyingKey::<ml_dsa::MlDsa44>::decode(&key[..].try_into()?);
        for test in items(&group["tests"])? {
            let message = hex(&test["message"])?;
            let accepted = ml_dsa::Signature::try_from(&hex(&test["signature"])?[..])
                .is_ok_and(|signature| key.verify_internal(&message, &signature));
            assert_eq!(accepted, test["testPassed"] == true, "tcId {}", test["tcId"]);
        }
    }
    Ok(())
}

#[test]
fn two_ml_dsa_implementations_agree_on_keys_signatures_and_refusals() -> TestResult {
    for byte in 0..8u8 {
        let seed = [byte.wrapping_mul(37); 32];
        let ours = HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new(seed));
        let (public, secret) = ml_dsa_44::KG::keygen_from_seed(&seed);
        let public_bytes = public.into_bytes();
        assert_eq!(ours.public().ml_dsa_bytes(), &public_bytes);
        let message = [byte; 77];
        let signature = ours.sign_ml_dsa(&message);
        // fips204 names the 32 bytes `rnd` a seed; zeros are the deterministic variant.
        let theirs = secret.try_sign_with_seed(&[0; 32], &message, &[])?;
        assert_eq!(signature.as_bytes(), &theirs);
        for index in [0, 31, 32, 700, 2335, 2336, 2419] {
            let mut flipped = theirs;
            flipped[index] ^= 1;
            assert!(!accepts_ml_dsa(&public_bytes, &message, &flipped), "byte {index}");
            assert!(
                !second_implementation_accepts(&public_bytes, &message, &flipped),
                "byte {index}"
            );
        }
    }
    Ok(())
}
