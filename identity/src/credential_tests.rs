use std::sync::OnceLock;

use countersign_schemas::number::Millis;
use countersign_schemas::text::Name;
use proptest::prelude::*;

use super::*;
use crate::keys::Seed32;

fn party(byte: u8) -> (HybridSecret, PeerDid) {
    let secret = HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte; 32]));
    let did = PeerDid::from_keys(secret.public());
    (secret, did)
}

fn claims() -> Result<ApproverClaims, Box<dyn std::error::Error>> {
    Ok(ApproverClaims {
        window: Window::new(Millis::clamped(1_795_248_000_000), Millis::clamped(1_795_258_000_000))?,
        approver: party(2).1.short_did().clone(),
        name: Name::new("kim")?,
    })
}

fn issued() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (secret, did) = party(1);
    Ok(ApproverCredential::issue(&claims()?, &secret, &did)?)
}

#[test]
fn what_was_issued_verifies_and_says_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = issued()?;
    let unverified = ApproverCredential::parse(&bytes)?;
    assert_eq!(unverified.issuer(), party(1).1.short_did());
    assert_eq!(unverified.digest(), Digest::sha256(&bytes));
    let credential = unverified.verify(&party(1).1)?;
    assert_eq!(*credential.claims(), claims()?);
    assert_eq!(credential.digest(), Digest::sha256(&bytes));
    assert_eq!(credential.window(), claims()?.window);
    Ok(())
}

#[test]
fn issuing_with_a_key_that_is_not_the_issuers_is_refused() -> Result<(), Box<dyn std::error::Error>> {
    let ((secret, _), (_, other)) = (party(1), party(3));
    let refused = ApproverCredential::issue(&claims()?, &secret, &other);
    assert!(matches!(refused, Err(CredentialError::ForeignKey { .. })));
    Ok(())
}

#[test]
fn issuing_refuses_what_reading_would_refuse() -> Result<(), Box<dyn std::error::Error>> {
    let (secret, did) = party(1);
    let window = claims()?.window;
    let nothing = HostClaims {
        window,
        host: did.short_did().clone(),
        site: Name::new("x")?,
        may_issue: [].into(),
    };
    let refused = HostCredential::issue(&nothing, &secret, &did);
    assert_eq!(refused.err().map(|error| error.code()), Some("wrong_value"));
    Ok(())
}

#[test]
fn one_profile_is_never_read_as_another() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = issued()?;
    assert_eq!(
        HostCredential::parse(&bytes).err().map(|error| error.code()),
        Some("profile")
    );
    assert_eq!(Order::parse(&bytes).err().map(|error| error.code()), Some("profile"));
    Ok(())
}

fn verifies(bytes: &[u8], issuer: &PeerDid) -> bool {
    ApproverCredential::parse(bytes).is_ok_and(|unverified| unverified.verify(issuer).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_flipped_bit_is_rejected(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        static ISSUED: OnceLock<(Vec<u8>, PeerDid)> = OnceLock::new();
        let (bytes, issuer) = ISSUED.get_or_init(|| (issued().expect("fixed claims"), party(1).1));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(!verifies(&changed, issuer));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ApproverCredential::parse(&bytes).is_err());
    }
}
