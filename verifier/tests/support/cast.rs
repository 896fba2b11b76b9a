//! Who plays in the story, with keys that never change.

use std::sync::OnceLock;

use countersign_identity::did::PeerDid;
use countersign_identity::keys::{HybridPublic, HybridSecret, Seed32};
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
    /// A second process, and the lead of its run.
    Second,
    SecondLead,
    /// A third process.
    Third,
    /// Anybody else, up to 51.
    Extra(u8),
}

/// How many there are, with room for stories of any cast.
const KEYS_MAX: usize = 64;

struct Keys {
    secret: HybridSecret,
    did: PeerDid,
}

static KEYS: [OnceLock<Keys>; KEYS_MAX] = [const { OnceLock::new() }; KEYS_MAX];

impl Who {
    const fn number(self) -> u8 {
        match self {
            Self::Principal => 0,
            Self::Host => 1,
            Self::Opener => 2,
            Self::Approver => 3,
            Self::Advisor => 4,
            Self::Lead => 5,
            Self::Scout => 6,
            Self::Stranger => 7,
            Self::Twin => 8,
            Self::Second => 9,
            Self::SecondLead => 10,
            Self::Third => 11,
            Self::Extra(number) => 12 + number,
        }
    }

    fn keys(self) -> &'static Keys {
        let number = self.number();
        KEYS[usize::from(number)].get_or_init(|| {
            let ed25519 = if self == Self::Twin {
                Self::Lead.number()
            } else {
                number
            };
            let secret = HybridSecret::from_seeds(Seed32::new([ed25519 + 1; 32]), Seed32::new([number + 101; 32]));
            let did = PeerDid::from_keys(secret.public());
            Keys { secret, did }
        })
    }

    pub(crate) fn secret(self) -> &'static HybridSecret {
        &self.keys().secret
    }

    pub(crate) fn did(self) -> &'static PeerDid {
        &self.keys().did
    }
}

/// A party with the Ed25519 key of one and the ML-DSA key of another.
pub(crate) fn mixed(ed25519: Who, ml_dsa: Who) -> PeerDid {
    let (ed25519, ml_dsa) = (ed25519.did().public(), ml_dsa.did().public());
    let keys = HybridPublic::from_bytes(ed25519.ed25519_bytes(), ml_dsa.ml_dsa_bytes()).expect("sound keys");
    PeerDid::from_keys(&keys)
}

pub(crate) fn checkpoint_keys() -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new([201; 32]), Seed32::new([202; 32]))
}
