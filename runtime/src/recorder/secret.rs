//! The private keys of an instance, and who computes what with them (docs/decisions/0029).
//!
//! Statements are signed one after the other under the recorder's lock, so their Ed25519 signature is made by the faster of two
//! implementations, aws-lc. Everything else stays with [`HybridSecret`]: ML-DSA-44, and credentials that an instance issues. What
//! verifies does not know which implementation signed.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use countersign_identity::keys::{ED25519_PUBLIC_LEN, Ed25519Signature, HybridSecret, MlDsaSignature, SEED_LEN, Sign};
use data_encoding::HEXLOWER;
use thiserror::Error;

/// A hybrid private key with a second implementation of its Ed25519 half: no `Debug`, no `Clone`, wiped when dropped.
///
/// aws-lc keeps the seed a second time, with the public key behind it, in one block of its heap, and wipes that block when it
/// frees it (`OPENSSL_free`), which is when this is dropped. For each signature it derives scalar and prefix anew and wipes them
/// and the nonce before it returns (`ed25519_sign_internal`, aws-lc-sys 0.47); the state of the hash that gave the nonce stays on
/// the stack, where ed25519-dalek leaves the nonce itself.
pub(super) struct InstanceSecret {
    hybrid: HybridSecret,
    ed25519: Ed25519KeyPair,
}

impl InstanceSecret {
    /// Makes the second implementation's key from the same seed. It costs one public key, and no signature.
    ///
    /// # Errors
    /// [`SignerError`]: the key is dropped, and nothing signs with it.
    pub(super) fn new(hybrid: HybridSecret) -> Result<Self, SignerError> {
        let expected = *hybrid.public().ed25519_bytes();
        let ed25519 = hybrid.lend_ed25519_seed(|seed| key_pair(seed, expected))?;
        Ok(Self { hybrid, ed25519 })
    }

    /// The key pair, for what is not a statement.
    pub(super) const fn hybrid(&self) -> &HybridSecret {
        &self.hybrid
    }
}

impl Sign for InstanceSecret {
    fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature {
        let signature = self.ed25519.try_sign(message);
        // What Rust itself does without memory is to abort.
        let signature = signature.expect("a private key signs any message, unless aws-lc is given no memory");
        Ed25519Signature::try_from(signature.as_ref()).expect("an Ed25519 signature of aws-lc has 64 bytes")
    }

    fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature {
        self.hybrid.sign_ml_dsa(message)
    }
}

fn key_pair(seed: &[u8; SEED_LEN], expected: [u8; ED25519_PUBLIC_LEN]) -> Result<Ed25519KeyPair, SignerError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(SignerError::Refused)?;
    if pair.public_key().as_ref() == expected {
        Ok(pair)
    } else {
        Err(SignerError::OtherKey {
            expected: HEXLOWER.encode(&expected),
            found: HEXLOWER.encode(pair.public_key().as_ref()),
        })
    }
}

/// Why an instance cannot sign statements. Nothing else signs in its place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The second implementation makes no key of the seed: it was given no memory.
    #[error("aws-lc makes no Ed25519 key of an instance's seed")]
    Refused(#[source] KeyRejected),
    /// The two implementations do not agree on the public key of one seed, so one of them, or the machine, miscalculates.
    #[error("aws-lc derives the Ed25519 key {found} where ed25519-dalek derived {expected}")]
    OtherKey {
        /// Public key that the instance is known by, in hexadecimal.
        expected: String,
        /// Public key that the second implementation derives, in hexadecimal.
        found: String,
    },
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
