//! Signing with both halves of a key pair, whoever computes it.

use super::{Ed25519Signature, HybridSecret, MlDsaSignature};

/// Holds a hybrid private key and signs with either half of it.
///
/// A signature of one key over one message is the same to the byte, whichever implementation made it: Ed25519 is deterministic by
/// definition (RFC 8032 §5.1.6), and ML-DSA-44 is the pure and deterministic variant with an empty context (FIPS 204 §3.4).
/// No verifier counts on that.
pub trait Sign {
    /// Signs `message` with Ed25519.
    fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature;

    /// Signs `message` with ML-DSA-44.
    fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature;
}

impl Sign for HybridSecret {
    fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature {
        self.sign_ed25519(message)
    }

    fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature {
        self.sign_ml_dsa(message)
    }
}
