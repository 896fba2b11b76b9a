//! A running instance: its name in the ledger and the keys only it can sign with.

use countersign_identity::did::PeerDid;
use countersign_identity::keys::HybridSecret;
use countersign_schemas::number::Seq;

use super::RecordError;
use super::secret::InstanceSecret;

/// Keys and DID of somebody who is not introduced yet.
///
/// The secret never leaves memory; it is zeroized when this is dropped.
pub struct Newborn {
    secret: InstanceSecret,
    did: PeerDid,
}

impl Newborn {
    /// Makes fresh keys and the DID that holds both.
    ///
    /// # Errors
    /// [`RecordError::Randomness`] or [`RecordError::Signer`]; no key was made.
    pub fn generate() -> Result<Self, RecordError> {
        let secret = InstanceSecret::new(HybridSecret::generate()?)?;
        let did = PeerDid::from_keys(secret.hybrid().public());
        Ok(Self { secret, did })
    }

    /// Its DID.
    #[must_use]
    pub fn did(&self) -> &PeerDid {
        &self.did
    }

    /// The instance that entry `seq` introduced.
    #[must_use]
    pub fn introduced_at(self, seq: Seq) -> Instance {
        Instance {
            seq,
            secret: self.secret,
            did: self.did,
        }
    }
}

/// An introduced instance that can author entries. Dropping it destroys its keys: nobody can speak as it again.
pub struct Instance {
    seq: Seq,
    pub(super) secret: InstanceSecret,
    did: PeerDid,
}

impl Instance {
    /// Place of its introduction: its name inside the ledger.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Its DID.
    #[must_use]
    pub fn did(&self) -> &PeerDid {
        &self.did
    }

    /// Its keys, to sign the credential of a child.
    #[must_use]
    pub const fn secret(&self) -> &HybridSecret {
        self.secret.hybrid()
    }
}
