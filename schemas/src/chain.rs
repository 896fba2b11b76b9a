//! The chain hash that makes every entry stand on all before it (statement-v1 §3).

use crate::digest::Link;

/// Key derivation context of the link: BLAKE3's `derive_key` mode.
pub const LINK_CONTEXT: &str = "countersign/1 chain";

/// `prev` of the first record.
pub const GENESIS_PREV: Link = Link::from_bytes([0; 32]);

/// The link of the record whose encoding is `record`.
#[must_use]
pub fn link(record: &[u8]) -> Link {
    Link::from_bytes(blake3::derive_key(LINK_CONTEXT, record))
}
