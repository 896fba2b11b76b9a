//! What the opening credential binds before the ledger has an id (statement-v1 §8).

use sha2::{Digest as _, Sha256};

use crate::body::Opened;
use crate::cbor::Encoder;
use crate::digest::Digest;
use crate::field::Field;

/// Domain separation of the founding digest, followed by one zero byte.
pub const FOUNDING_CONTEXT: &[u8] = b"countersign/1 founding\0";

impl Opened {
    /// SHA-256 over the founding terms: everything of the genesis except DIDs and credentials of host and instance,
    /// which depend on it.
    #[must_use]
    pub fn founding(&self) -> Digest {
        let mut terms = Encoder::new();
        terms.array(7);
        self.nonce.encode(&mut terms);
        self.origin.encode(&mut terms);
        self.principal.encode(&mut terms);
        self.checkpoint_keys.encode(&mut terms);
        self.suites.encode(&mut terms);
        self.build.encode(&mut terms);
        self.predecessor.encode(&mut terms);
        let mut hash = Sha256::new();
        hash.update(FOUNDING_CONTEXT);
        hash.update(terms.finish());
        Digest::from_bytes(hash.finalize().into())
    }
}
