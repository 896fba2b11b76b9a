//! Hybrid key pairs: Ed25519 (RFC 8032) and ML-DSA-44 (FIPS 204), always both (identity-v1 §1).
//!
//! Every signature that decides something is verified strictly: an Ed25519 key that is weak or not canonically
//! encoded is refused when it is parsed, and a signature is checked with the cofactorless equation, a reduced
//! scalar and a canonical `R` that is not of small order. ML-DSA is the pure variant with an empty context, and
//! signing is the deterministic variant: the same key and message give the same bytes.
//!
//! Not here: where keys are kept (`keyfile`, in builds with the keystore) and how they are written as text ([`crate::multikey`]).

mod derive;
mod sign;

use std::fmt;
use std::sync::{Arc, OnceLock};

use ed25519_dalek::Signer as _;
use ml_dsa::{KeyInit as _, Keypair as _, MlDsa44, Verifier as _};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

pub use derive::DerivationContext;
pub use sign::Sign;

/// Bytes of an Ed25519 public key.
pub const ED25519_PUBLIC_LEN: usize = 32;
/// Bytes of an Ed25519 signature.
pub const ED25519_SIGNATURE_LEN: usize = 64;
/// Bytes of an ML-DSA-44 public key (FIPS 204, table 2).
pub const ML_DSA_PUBLIC_LEN: usize = 1312;
/// Bytes of an ML-DSA-44 signature (FIPS 204, table 2).
pub const ML_DSA_SIGNATURE_LEN: usize = 2420;
/// Bytes of a seed, from which either private key is derived.
pub const SEED_LEN: usize = 32;

/// The secret 32 bytes a private key is derived from; zeroized when dropped.
pub struct Seed32(Zeroizing<[u8; SEED_LEN]>);

impl Seed32 {
    /// Takes over `bytes`; the caller's own copy, if any, is the caller's to wipe.
    #[must_use]
    pub fn new(bytes: [u8; SEED_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws a seed from the operating system.
    ///
    /// # Errors
    /// [`RandomnessError`] if the operating system gives none.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut seed = Self::new([0; SEED_LEN]);
        getrandom::fill(seed.0.as_mut()).map_err(RandomnessError)?;
        Ok(seed)
    }

    /// The secret bytes, for the key file and for whoever seals with a derived seed.
    #[must_use]
    pub fn expose(&self) -> &[u8; SEED_LEN] {
        &self.0
    }
}

/// A hybrid private key in memory: no `Debug`, no `Clone`, zeroized when dropped.
///
/// The expanded ML-DSA key is kept (about 50 KB), so that signing again does not derive it again.
pub struct HybridSecret {
    ed25519: ed25519_dalek::SigningKey,
    ml_dsa: ml_dsa::SigningKey<MlDsa44>,
    public: HybridPublic,
}

impl HybridSecret {
    /// Makes a new key pair from operating-system randomness.
    ///
    /// # Errors
    /// [`RandomnessError`] if the operating system gives none.
    pub fn generate() -> Result<Self, RandomnessError> {
        Ok(Self::from_seeds(Seed32::generate()?, Seed32::generate()?))
    }

    /// Derives the key pair: RFC 8032 §5.1.5 from the first seed, `ML-DSA.KeyGen_internal` from the second.
    #[must_use]
    pub fn from_seeds(ed25519: Seed32, ml_dsa: Seed32) -> Self {
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(ed25519.expose());
        let mut seed = ml_dsa::Seed::from(*ml_dsa.expose());
        let ml_dsa = ml_dsa::SigningKey::<MlDsa44>::new(&seed);
        seed.zeroize();
        let public = HybridPublic::from_verifying_keys(ed25519.verifying_key(), ml_dsa.verifying_key());
        Self {
            ed25519,
            ml_dsa,
            public,
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &HybridPublic {
        &self.public
    }

    /// Signs `message` with Ed25519 (deterministic by definition).
    #[must_use]
    pub fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature {
        Ed25519Signature(self.ed25519.sign(message).to_bytes())
    }

    /// Signs `message` with ML-DSA-44: pure, empty context, deterministic variant (FIPS 204 §3.4).
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the stated invariant cannot fail")]
    pub fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature {
        let signature = ml_dsa::Signer::try_sign(&self.ml_dsa, message)
            .expect("rejection sampling ends within 16,384 rounds except with probability below 2^-1000");
        let mut bytes = Box::new([0; ML_DSA_SIGNATURE_LEN]);
        bytes.copy_from_slice(&signature.encode());
        MlDsaSignature(bytes)
    }

    /// The two seeds, Ed25519 first, for the key file only; a build without keystore cannot take a key out.
    #[cfg(any(test, feature = "keystore"))]
    #[must_use]
    pub fn seeds(&self) -> (Seed32, Seed32) {
        self.own_seeds()
    }

    /// Lends the Ed25519 seed to `borrower`, which makes a second implementation's key of it; like [`HybridSecret::seeds`] not in
    /// a build without keystore.
    #[cfg(any(test, feature = "keystore"))]
    pub fn lend_ed25519_seed<T>(&self, borrower: impl FnOnce(&[u8; SEED_LEN]) -> T) -> T {
        borrower(self.ed25519.as_bytes())
    }

    fn own_seeds(&self) -> (Seed32, Seed32) {
        let mut seed = self.ml_dsa.to_seed();
        let ml_dsa = Seed32::new(seed.0);
        seed.zeroize();
        (Seed32::new(self.ed25519.to_bytes()), ml_dsa)
    }
}

/// A hybrid public key whose Ed25519 half has passed the strict checks; cheap to clone.
#[derive(Clone)]
pub struct HybridPublic(Arc<PublicHalves>);

struct PublicHalves {
    ed25519: ed25519_dalek::VerifyingKey,
    ml_dsa_bytes: Box<[u8; ML_DSA_PUBLIC_LEN]>,
    /// Expanded at the first verification, so that a key that is only compared or shown costs nothing.
    ml_dsa: OnceLock<ml_dsa::VerifyingKey<MlDsa44>>,
}

impl HybridPublic {
    /// Checks and takes the two encoded public keys.
    ///
    /// Any 1312 bytes are an ML-DSA-44 public key (FIPS 204, algorithm 23 cannot fail).
    ///
    /// # Errors
    /// [`PublicKeyError`], one variant a check; see identity-v1 §1.2.
    pub fn from_bytes(
        ed25519: &[u8; ED25519_PUBLIC_LEN],
        ml_dsa: &[u8; ML_DSA_PUBLIC_LEN],
    ) -> Result<Self, PublicKeyError> {
        Ok(Self(Arc::new(PublicHalves {
            ed25519: parse_ed25519(ed25519)?,
            ml_dsa_bytes: Box::new(*ml_dsa),
            ml_dsa: OnceLock::new(),
        })))
    }

    fn from_verifying_keys(ed25519: ed25519_dalek::VerifyingKey, ml_dsa: ml_dsa::VerifyingKey<MlDsa44>) -> Self {
        let mut ml_dsa_bytes = Box::new([0; ML_DSA_PUBLIC_LEN]);
        ml_dsa_bytes.copy_from_slice(&ml_dsa.encode());
        Self(Arc::new(PublicHalves {
            ed25519,
            ml_dsa_bytes,
            ml_dsa: OnceLock::from(ml_dsa),
        }))
    }

    /// The encoded Ed25519 key.
    #[must_use]
    pub fn ed25519_bytes(&self) -> &[u8; ED25519_PUBLIC_LEN] {
        self.0.ed25519.as_bytes()
    }

    /// The encoded ML-DSA-44 key.
    #[must_use]
    pub fn ml_dsa_bytes(&self) -> &[u8; ML_DSA_PUBLIC_LEN] {
        &self.0.ml_dsa_bytes
    }

    /// Verifies an Ed25519 signature strictly.
    ///
    /// # Errors
    /// [`SignatureError::Ed25519`] if it is not a strict signature of this key over `message`.
    pub fn verify_ed25519(&self, message: &[u8], signature: &Ed25519Signature) -> Result<(), SignatureError> {
        verify_ed25519(&self.0.ed25519, message, signature)
    }

    /// Verifies an ML-DSA-44 signature (pure, empty context).
    ///
    /// # Errors
    /// [`SignatureError::MlDsa44`] if it is not a signature of this key over `message`.
    pub fn verify_ml_dsa(&self, message: &[u8], signature: &MlDsaSignature) -> Result<(), SignatureError> {
        let key = self.0.ml_dsa.get_or_init(|| expand_ml_dsa(&self.0.ml_dsa_bytes));
        verify_ml_dsa(key, message, signature)
    }
}

impl PartialEq for HybridPublic {
    fn eq(&self, other: &Self) -> bool {
        self.ed25519_bytes() == other.ed25519_bytes() && self.ml_dsa_bytes() == other.ml_dsa_bytes()
    }
}

impl Eq for HybridPublic {}

impl fmt::Debug for HybridPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ed25519 = data_encoding::HEXLOWER.encode(self.ed25519_bytes());
        f.debug_struct("HybridPublic")
            .field("ed25519", &ed25519)
            .finish_non_exhaustive()
    }
}

/// Parses an Ed25519 public key under the strict rules of identity-v1 §1.2.
pub(crate) fn parse_ed25519(bytes: &[u8; ED25519_PUBLIC_LEN]) -> Result<ed25519_dalek::VerifyingKey, PublicKeyError> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
    if key.to_edwards().compress().as_bytes() != bytes {
        return Err(PublicKeyError::NotCanonical);
    }
    if key.is_weak() {
        return Err(PublicKeyError::SmallOrder);
    }
    Ok(key)
}

pub(crate) fn verify_ed25519(
    key: &ed25519_dalek::VerifyingKey,
    message: &[u8],
    signature: &Ed25519Signature,
) -> Result<(), SignatureError> {
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
        .map_err(|_| SignatureError::Ed25519)
}

pub(crate) fn expand_ml_dsa(bytes: &[u8; ML_DSA_PUBLIC_LEN]) -> ml_dsa::VerifyingKey<MlDsa44> {
    ml_dsa::VerifyingKey::decode(&(*bytes).into())
}

pub(crate) fn verify_ml_dsa(
    key: &ml_dsa::VerifyingKey<MlDsa44>,
    message: &[u8],
    signature: &MlDsaSignature,
) -> Result<(), SignatureError> {
    let signature = ml_dsa::Signature::<MlDsa44>::try_from(&signature.0[..]).map_err(|_| SignatureError::MlDsa44)?;
    key.verify(message, &signature).map_err(|_| SignatureError::MlDsa44)
}

/// An Ed25519 signature as it was received: 64 bytes that nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ed25519Signature([u8; ED25519_SIGNATURE_LEN]);

impl Ed25519Signature {
    /// Takes the encoded signature.
    #[must_use]
    pub fn from_bytes(bytes: [u8; ED25519_SIGNATURE_LEN]) -> Self {
        Self(bytes)
    }

    /// The encoded signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; ED25519_SIGNATURE_LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Ed25519Signature {
    type Error = SignatureError;

    fn try_from(bytes: &[u8]) -> Result<Self, SignatureError> {
        let expected = ED25519_SIGNATURE_LEN;
        bytes.try_into().map(Self).map_err(|_| SignatureError::Length {
            len: bytes.len(),
            expected,
        })
    }
}

/// An ML-DSA-44 signature as it was received: 2420 bytes that nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MlDsaSignature(Box<[u8; ML_DSA_SIGNATURE_LEN]>);

impl MlDsaSignature {
    /// Takes the encoded signature.
    #[must_use]
    pub fn from_bytes(bytes: Box<[u8; ML_DSA_SIGNATURE_LEN]>) -> Self {
        Self(bytes)
    }

    /// The encoded signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; ML_DSA_SIGNATURE_LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for MlDsaSignature {
    type Error = SignatureError;

    fn try_from(bytes: &[u8]) -> Result<Self, SignatureError> {
        let expected = ML_DSA_SIGNATURE_LEN;
        let boxed: Box<[u8]> = bytes.into();
        boxed.try_into().map(Self).map_err(|_| SignatureError::Length {
            len: bytes.len(),
            expected,
        })
    }
}

/// The operating system gave no randomness; no key was made.
#[derive(Debug, Error)]
#[error("the operating system gave no randomness")]
pub struct RandomnessError(#[source] getrandom::Error);

/// Why 32 bytes are not an acceptable Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The bytes do not decode to a point of the curve.
    #[error("the Ed25519 key is not a point of the curve")]
    NotAPoint,
    /// The bytes are a second encoding of a point (y not below p, or the sign of x = 0).
    #[error("the Ed25519 key is not canonically encoded")]
    NotCanonical,
    /// The point has small order: signatures for almost every message can be made up without a secret.
    #[error("the Ed25519 key is weak (small order)")]
    SmallOrder,
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not the length of a signature of its algorithm.
    #[error("signature has {len} bytes instead of {expected}")]
    Length {
        /// Bytes found.
        len: usize,
        /// Bytes of a signature of that algorithm.
        expected: usize,
    },
    /// The Ed25519 signature does not verify strictly.
    #[error("the Ed25519 signature does not verify")]
    Ed25519,
    /// The ML-DSA-44 signature does not verify.
    #[error("the ML-DSA-44 signature does not verify")]
    MlDsa44,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> HybridSecret {
        HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte ^ 0xff; 32]))
    }

    #[test]
    fn both_signatures_verify_and_are_deterministic() -> Result<(), SignatureError> {
        let key = secret(1);
        key.public().verify_ed25519(b"m", &key.sign_ed25519(b"m"))?;
        key.public().verify_ml_dsa(b"m", &key.sign_ml_dsa(b"m"))?;
        assert_eq!(key.sign_ml_dsa(b"m"), key.sign_ml_dsa(b"m"));
        Ok(())
    }

    #[test]
    fn a_public_key_from_its_bytes_verifies_like_the_original() -> Result<(), Box<dyn std::error::Error>> {
        let key = secret(2);
        let parsed = HybridPublic::from_bytes(key.public().ed25519_bytes(), key.public().ml_dsa_bytes())?;
        assert_eq!(&parsed, key.public());
        parsed.verify_ml_dsa(b"m", &key.sign_ml_dsa(b"m"))?;
        Ok(())
    }

    #[test]
    fn another_message_or_another_key_is_refused() {
        let (key, other) = (secret(3), secret(4));
        let (ed, ml) = (key.sign_ed25519(b"m"), key.sign_ml_dsa(b"m"));
        assert_eq!(key.public().verify_ed25519(b"n", &ed), Err(SignatureError::Ed25519));
        assert_eq!(key.public().verify_ml_dsa(b"n", &ml), Err(SignatureError::MlDsa44));
        assert_eq!(other.public().verify_ed25519(b"m", &ed), Err(SignatureError::Ed25519));
        assert_eq!(other.public().verify_ml_dsa(b"m", &ml), Err(SignatureError::MlDsa44));
    }

    #[test]
    fn seeds_give_back_the_same_key() {
        let key = secret(5);
        let (ed25519, ml_dsa) = key.seeds();
        assert_eq!(HybridSecret::from_seeds(ed25519, ml_dsa).public(), key.public());
    }

    #[test]
    fn the_seed_that_is_lent_is_that_of_the_ed25519_half() {
        let key = secret(6);
        assert_eq!(key.lend_ed25519_seed(|seed| *seed), *key.seeds().0.expose());
    }

    #[test]
    fn two_generated_keys_differ() -> Result<(), RandomnessError> {
        assert_ne!(HybridSecret::generate()?.public(), HybridSecret::generate()?.public());
        Ok(())
    }

    #[test]
    fn weak_and_non_canonical_ed25519_keys_are_refused_at_parse() {
        let ml_dsa = [0; ML_DSA_PUBLIC_LEN];
        let mut identity = [0; 32];
        identity[0] = 1;
        // y = p + 3 is a second encoding of y = 3, a point of large order.
        let mut second = [0xff; 32];
        (second[0], second[31]) = (0xed + 3, 0x7f);
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for (bytes, error) in [
            ([0; 32], PublicKeyError::SmallOrder),
            (identity, PublicKeyError::SmallOrder),
            (second, PublicKeyError::NotCanonical),
            (no_point, PublicKeyError::NotAPoint),
        ] {
            assert_eq!(HybridPublic::from_bytes(&bytes, &ml_dsa).err(), Some(error));
        }
    }

    /// The list of identity-v1 §1.2.
    #[test]
    fn all_eight_points_of_small_order_are_refused() -> Result<(), Box<dyn std::error::Error>> {
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes())?;
            assert_eq!(
                parse_ed25519(bytes[..].try_into()?),
                Err(PublicKeyError::SmallOrder),
                "{hex}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_signature_of_another_length_is_refused() {
        assert!(matches!(
            Ed25519Signature::try_from(&[0; 63][..]),
            Err(SignatureError::Length { len: 63, .. })
        ));
        assert!(matches!(
            MlDsaSignature::try_from(&[0; 2421][..]),
            Err(SignatureError::Length { len: 2421, .. })
        ));
    }
}
