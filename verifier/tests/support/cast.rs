//! Who plays in the story, with keys that never change.

use std::sync::LazyLock;

use countersign_identity::did::PeerDid;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::checkpoint::CheckpointKeys;

/// Everybody who holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Principal,
    Host,
    Opener,
    Approver,
    Advisor,
    Lead,
    Scout,
    /// Nobody in the honest story.
    Stranger,
    /// Has the Ed25519 key of the lead and another ML-DSA key.
    Twin,
}

struct Keys {
    secret: HybridSecret,
    did: PeerDid,
}

static KEYS: LazyLock<Vec<Keys>> = LazyLock::new(|| {
    (0..9_u8)
        .map(|number| {
            let ed25519 = if number == Who::Twin as u8 {
                Who::Lead as u8
            } else {
                number
            };
            let secret = HybridSecret::from_seeds(Seed32::new([ed25519 + 1; 32]), Seed32::new([number + 101; 32]));
            let did = PeerDid::from_keys(secret.public());
            Keys { secret, did }
        })
        .collect()
});

impl Who {
    pub(crate) fn secret(self) -> &'static HybridSecret {
        &KEYS[self as usize].secret
    }

    pub(crate) fn did(self) -> &'static PeerDid {
        &KEYS[self as usize].did
    }
}

pub(crate) fn checkpoint_keys() -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new([201; 32]), Seed32::new([202; 32]))
}
