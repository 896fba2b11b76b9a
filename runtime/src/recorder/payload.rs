//! Payloads on their way into the ledger.

use countersign_identity::keys::Seed32;
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};

use super::RecordError;

/// Bytes with the salt they are committed to with.
pub struct Payload {
    reference: PayloadRef,
    salt: Salt,
    bytes: Vec<u8>,
}

impl Payload {
    /// Content, erasable later.
    ///
    /// # Errors
    /// The operating system gives no randomness for the salt.
    pub fn content(bytes: impl Into<Vec<u8>>) -> Result<Self, RecordError> {
        Self::new(bytes.into(), PayloadClass::Content)
    }

    /// Evidence that verdicts rest on.
    ///
    /// # Errors
    /// The operating system gives no randomness for the salt.
    pub fn evidence(bytes: impl Into<Vec<u8>>) -> Result<Self, RecordError> {
        Self::new(bytes.into(), PayloadClass::Evidence)
    }

    fn new(bytes: Vec<u8>, class: PayloadClass) -> Result<Self, RecordError> {
        let salt = Salt(*Seed32::generate()?.expose());
        Ok(Self {
            reference: PayloadRef::new(&salt, &bytes, class),
            salt,
            bytes,
        })
    }

    /// What the body says of it.
    #[must_use]
    pub fn reference(&self) -> PayloadRef {
        self.reference.clone()
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_stored(self) -> (Salt, Vec<u8>) {
        (self.salt, self.bytes)
    }

    pub(super) fn to_stored(&self) -> (Salt, Vec<u8>) {
        (self.salt, self.bytes.clone())
    }

    /// What somebody else stored, if it is what `reference` commits to.
    pub(super) fn of_stored(reference: &PayloadRef, salt: Salt, bytes: Vec<u8>) -> Option<Self> {
        let is_it = reference.matches(&salt, &bytes);
        is_it.then(|| Self {
            reference: reference.clone(),
            salt,
            bytes,
        })
    }
}
