//! The two keys that sign a ledger's checkpoints, and nothing else.

use countersign_identity::keys::{HybridPublic, HybridSecret, PublicKeyError, RandomnessError, Seed32};

use super::Required;
use crate::note::{KeyId, SignatureType};

/// The secret checkpoint keys of one ledger: made when it is opened, in memory only, zeroized when dropped.
pub struct CheckpointKeys(HybridSecret);

/// The public checkpoint keys, as `ledger.opened` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPublicKeys(HybridPublic);

impl CheckpointKeys {
    /// Makes new keys from the operating system's randomness.
    ///
    /// # Errors
    /// [`RandomnessError`] if the operating system gives none.
    pub fn generate() -> Result<Self, RandomnessError> {
        HybridSecret::generate().map(Self)
    }

    /// Derives the keys from their seeds, Ed25519 first.
    #[must_use]
    pub fn from_seeds(ed25519: Seed32, ml_dsa: Seed32) -> Self {
        Self(HybridSecret::from_seeds(ed25519, ml_dsa))
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> CheckpointPublicKeys {
        CheckpointPublicKeys(self.0.public().clone())
    }

    pub(super) fn secret(&self) -> &HybridSecret {
        &self.0
    }
}

impl CheckpointPublicKeys {
    /// Takes the keys as `ledger.opened` holds them.
    ///
    /// # Errors
    /// [`PublicKeyError`] when the Ed25519 key is weak or malformed.
    pub fn from_bytes(ed25519: &[u8; 32], ml_dsa: &[u8; 1312]) -> Result<Self, PublicKeyError> {
        HybridPublic::from_bytes(ed25519, ml_dsa).map(Self)
    }

    /// The Ed25519 key.
    #[must_use]
    pub fn ed25519_bytes(&self) -> &[u8; 32] {
        self.0.ed25519_bytes()
    }

    /// The ML-DSA-44 key.
    #[must_use]
    pub fn ml_dsa_bytes(&self) -> &[u8; 1312] {
        self.0.ml_dsa_bytes()
    }

    pub(super) fn public(&self) -> &HybridPublic {
        &self.0
    }

    /// The key id of a required signature under the key name `name`, which is the ledger's origin.
    #[must_use]
    pub fn key_id(&self, name: &str, required: Required) -> KeyId {
        match required {
            Required::Ed25519 => KeyId::of(name, SignatureType::Ed25519, self.ed25519_bytes()),
            Required::MlDsa44 => KeyId::of(name, SignatureType::MlDsa44Cosignature, self.ml_dsa_bytes()),
        }
    }
}
