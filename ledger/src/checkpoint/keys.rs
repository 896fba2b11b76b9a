//! The two keys that sign a ledger's checkpoints, and nothing else.

use countersign_identity::keys::{DerivationContext, HybridPublic, HybridSecret, PublicKeyError, Seed32};

use super::Required;
use crate::note::{KeyId, SignatureType};

/// Names the derivation of checkpoint keys from a host's keys (ledger-v1 §6.8).
const CONTEXT: DerivationContext = DerivationContext::new("countersign/1 checkpoint keys");

/// The secret checkpoint keys of one ledger: in memory only, zeroized when dropped. The host that opened the ledger derives
/// them again whenever it opens it again.
pub struct CheckpointKeys(HybridSecret);

/// The public checkpoint keys, as `ledger.opened` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPublicKeys(HybridPublic);

impl CheckpointKeys {
    /// Derives the keys of the ledger with this `nonce` from the keys of the host that opened it.
    #[must_use]
    pub fn derive(host: &HybridSecret, nonce: &[u8; 16]) -> Self {
        let (ed25519, ml_dsa) = host.derive(CONTEXT, nonce);
        Self::from_seeds(ed25519, ml_dsa)
    }

    /// Takes the keys of these seeds, Ed25519 first.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn host(first: u8) -> HybridSecret {
        let seed = |first: u8| Seed32::new(std::array::from_fn(|place| first + place as u8));
        HybridSecret::from_seeds(seed(first), seed(first + 32))
    }

    const NONCE: [u8; 16] = [0x5a; 16];

    #[test]
    fn the_same_host_derives_the_same_keys_again() {
        let keys = CheckpointKeys::derive(&host(0), &NONCE);
        assert_eq!(keys.public(), CheckpointKeys::derive(&host(0), &NONCE).public());
    }

    #[test]
    fn another_host_or_another_nonce_gives_other_keys() {
        let keys = CheckpointKeys::derive(&host(0), &NONCE).public();
        let mut other_nonce = NONCE;
        other_nonce[15] ^= 1;
        for other in [
            CheckpointKeys::derive(&host(1), &NONCE).public(),
            CheckpointKeys::derive(&host(0), &other_nonce).public(),
            CheckpointPublicKeys(host(0).public().clone()),
        ] {
            assert_ne!(keys.ed25519_bytes(), other.ed25519_bytes());
            assert_ne!(keys.ml_dsa_bytes(), other.ml_dsa_bytes());
        }
    }

    /// The example of ledger-v1 §6.8.
    #[test]
    fn derivation_is_the_specified_one() {
        let (ed25519, ml_dsa) = host(0).derive(CONTEXT, &NONCE);
        let hex = |seed: &Seed32| data_encoding::HEXLOWER.encode(seed.expose());
        assert_eq!(
            hex(&ed25519),
            "5452696b80ec196dfa85f600762b9091e167970f621fab6f2290753881f903b3"
        );
        assert_eq!(
            hex(&ml_dsa),
            "d7779f857d97412f3b25f94411a9fe70c585eb92331039942d9bc5c0da1bd132"
        );
    }
}
