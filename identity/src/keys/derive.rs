//! Seeds that only the holder of a key pair can derive, and derive again (ledger-v1 §6.8 uses two).

use zeroize::Zeroize as _;

use super::{HybridSecret, SEED_LEN, Seed32};

/// What seeds are derived for, as text that is used nowhere else; BLAKE3 separates the outputs of two contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DerivationContext(&'static str);

impl DerivationContext {
    /// Names a purpose. A constant in the program, never made of input (BLAKE3 §6.2).
    #[must_use]
    pub const fn new(purpose: &'static str) -> Self {
        Self(purpose)
    }
}

impl HybridSecret {
    /// Derives two seeds for `context` and `about`: 64 bytes of BLAKE3 in its key derivation mode over both own seeds, Ed25519
    /// first, and `about`.
    ///
    /// The same key pair, context and `about` give the same seeds; whoever has the seeds learns nothing of the key pair.
    /// `about` has to have one length for a context, so that nothing can be moved from one input to the next.
    #[must_use]
    pub fn derive(&self, context: DerivationContext, about: &[u8]) -> (Seed32, Seed32) {
        let (ed25519, ml_dsa) = self.own_seeds();
        let mut hasher = blake3::Hasher::new_derive_key(context.0);
        hasher.update(ed25519.expose()).update(ml_dsa.expose()).update(about);
        let mut output = hasher.finalize_xof();
        let mut seeds = (Seed32::new([0; SEED_LEN]), Seed32::new([0; SEED_LEN]));
        output.fill(seeds.0.0.as_mut());
        output.fill(seeds.1.0.as_mut());
        hasher.zeroize();
        output.zeroize();
        seeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: DerivationContext = DerivationContext::new("countersign/1 test of derivation");

    fn secret(ed25519: u8, ml_dsa: u8) -> HybridSecret {
        HybridSecret::from_seeds(Seed32::new([ed25519; 32]), Seed32::new([ml_dsa; 32]))
    }

    fn derived(secret: &HybridSecret, context: DerivationContext, about: &[u8]) -> ([u8; 32], [u8; 32]) {
        let (first, second) = secret.derive(context, about);
        (*first.expose(), *second.expose())
    }

    #[test]
    fn the_same_key_context_and_subject_give_the_same_two_different_seeds() {
        let first = derived(&secret(1, 2), CONTEXT, b"0123");
        assert_eq!(first, derived(&secret(1, 2), CONTEXT, b"0123"));
        assert_ne!(first.0, first.1);
    }

    #[test]
    fn another_half_of_the_key_or_context_or_subject_gives_other_seeds() {
        let known = derived(&secret(1, 2), CONTEXT, b"0123");
        let other_context = DerivationContext::new("countersign/1 another test");
        for other in [
            derived(&secret(3, 2), CONTEXT, b"0123"),
            derived(&secret(1, 3), CONTEXT, b"0123"),
            derived(&secret(2, 1), CONTEXT, b"0123"),
            derived(&secret(1, 2), other_context, b"0123"),
            derived(&secret(1, 2), CONTEXT, b"0124"),
        ] {
            assert_ne!(known.0, other.0);
            assert_ne!(known.1, other.1);
        }
    }

    /// Written out with the one-call interface of the crate, as another implementation would.
    #[test]
    fn the_first_seed_is_blake3_derive_key_over_seeds_and_subject() {
        let material = [[1; 32].as_slice(), &[2; 32], b"0123"].concat();
        let expected = blake3::derive_key("countersign/1 test of derivation", &material);
        assert_eq!(derived(&secret(1, 2), CONTEXT, b"0123").0, expected);
    }
}
