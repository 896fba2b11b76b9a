//! One entry as the fold takes it: decoded, its signatures verified or about to be made.

use countersign_ledger::merkle::Frontier;
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::statement::Statement;

use super::erasure::Named;

/// An entry with everything that the law looks at.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its place.
    pub seq: Seq,
    /// The writer's clock when it took the statement.
    pub received: Millis,
    /// The link of the record before, as this record states it.
    pub prev: Link,
    /// The link of this record.
    pub link: Link,
    /// The tree over the records *before* this one; `ledger.closed` states its root.
    pub tree: &'a Frontier,
    /// The decoded statement.
    pub statement: &'a Statement,
    /// SHA-256 of the statement bytes: how orders name the entry, and the id of the ledger at entry 0.
    pub statement_digest: Digest,
    /// The bytes of its payloads by slot; `None` where they are absent, or are not what was committed to.
    pub payloads: &'a [Option<&'a [u8]>],
    /// For a `payload.erased`, the entry that it names, read again; `None` where that cannot be read, and for every other kind.
    pub named: Option<&'a Named>,
}

impl<'a> Entry<'a> {
    /// The bytes of the payload in `slot`, if they are there.
    #[must_use]
    pub fn payload(&self, slot: usize) -> Option<&'a [u8]> {
        self.payloads.get(slot).copied().flatten()
    }
}
