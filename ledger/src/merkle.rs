//! The Merkle tree over record bytes: RFC 9162 §2 with SHA-256 (the tree of RFC 6962), ledger-v1 §5.
//!
//! A leaf is one record exactly as stored. [`Frontier`] computes roots while records stream by and
//! keeps only the roots of the complete subtrees; [`inclusion_proof`] and [`consistency_proof`] need
//! every leaf hash. What a root is *signed* with is the matter of [`crate::checkpoint`].

mod prove;
mod verify;

use std::fmt;

use sha2::{Digest, Sha256};

pub use prove::{consistency_proof, inclusion_proof};
pub use verify::{ProofError, verify_consistency, verify_inclusion};

use countersign_schemas::number::Size;

/// Domain byte before a record (RFC 9162 §2.1.1), so that no leaf can pass for an inner node.
const LEAF: [u8; 1] = [0x00];
/// Domain byte before two child hashes.
const NODE: [u8; 1] = [0x01];

/// SHA-256 of one leaf or inner node of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeHash([u8; 32]);

/// SHA-256 root of the tree over the first records of a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Root([u8; 32]);

impl NodeHash {
    /// Takes 32 bytes as a node hash, as read from a proof.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Borrows the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Root {
    /// Takes 32 bytes as a root, as read from a checkpoint.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Borrows the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Root of the tree without leaves: SHA-256 of the empty string.
    pub fn of_empty() -> Self {
        Self(Sha256::digest([]).into())
    }
}

macro_rules! hex_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}
hex_text!(NodeHash);
hex_text!(Root);

/// Hashes one record into its leaf: SHA-256(0x00 ‖ record).
pub fn leaf_hash(record: &[u8]) -> NodeHash {
    NodeHash(Sha256::new().chain_update(LEAF).chain_update(record).finalize().into())
}

/// Hashes two children into their parent: SHA-256(0x01 ‖ left ‖ right).
fn node_hash(left: NodeHash, right: NodeHash) -> NodeHash {
    NodeHash(
        Sha256::new()
            .chain_update(NODE)
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The right edge of a growing tree: enough to append and to compute the root, in O(log n) memory.
///
/// Holds the roots of the complete subtrees, largest first: one for each bit set in the size.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    leaves: u64,
    peaks: Vec<NodeHash>,
}

impl Frontier {
    /// Starts an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the leaf of `record`.
    pub fn push(&mut self, record: &[u8]) {
        self.push_leaf(leaf_hash(record));
    }

    /// Appends a leaf that is hashed already.
    pub fn push_leaf(&mut self, leaf: NodeHash) {
        let mut node = leaf;
        let mut complete = self.leaves;
        while complete & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(left, node);
            complete >>= 1;
        }
        self.peaks.push(node);
        self.leaves += 1;
    }

    /// Counts the leaves appended so far.
    #[must_use]
    pub fn size(&self) -> Size {
        Size::clamped(self.leaves)
    }

    /// Writes the edge: the number of leaves in 8 bytes, big-endian, then the roots of the complete subtrees, largest first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let peaks = self.peaks.iter().flat_map(|peak| peak.0);
        self.leaves.to_be_bytes().into_iter().chain(peaks).collect()
    }

    /// Reads what [`Frontier::to_bytes`] wrote; `None` if the number of leaves does not go with that of the roots. Whether
    /// the roots are right, the bytes cannot tell.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (leaves, peaks) = bytes.split_first_chunk::<8>()?;
        let leaves = Size::new(u64::from_be_bytes(*leaves)).ok()?.get();
        let (peaks, rest) = peaks.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == leaves.count_ones() as usize;
        let peaks = peaks.iter().copied().map(NodeHash).collect();
        fits.then_some(Self { leaves, peaks })
    }

    /// Computes the root over all leaves appended so far (RFC 9162 §2.1.1).
    pub fn root(&self) -> Root {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(left, right))
            .map_or_else(Root::of_empty, |node| Root(node.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH of RFC 9162 §2.1.1, written as the definition reads: the model for [`Frontier`].
    fn definition(leaves: &[NodeHash]) -> Root {
        fn mth(leaves: &[NodeHash]) -> NodeHash {
            match leaves {
                [only] => *only,
                _ => {
                    let split = 1 << (usize::BITS - 1 - (leaves.len() - 1).leading_zeros());
                    node_hash(mth(&leaves[..split]), mth(&leaves[split..]))
                }
            }
        }
        if leaves.is_empty() {
            Root::of_empty()
        } else {
            Root(mth(leaves).0)
        }
    }

    #[test]
    fn frontier_agrees_with_the_definition_at_every_size() {
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        assert_eq!(frontier.root(), definition(&leaves));
        for record in 0..300_u32 {
            frontier.push(&record.to_be_bytes());
            leaves.push(leaf_hash(&record.to_be_bytes()));
            assert_eq!(frontier.root(), definition(&leaves), "size {}", leaves.len());
            assert_eq!(frontier.size().get(), leaves.len() as u64);
        }
    }

    #[test]
    fn a_leaf_never_equals_an_inner_node_over_the_same_bytes() {
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let forged = [left.0, right.0].concat();
        assert_ne!(leaf_hash(&forged), node_hash(left, right));
    }

    #[test]
    fn a_frontier_goes_on_from_its_bytes() {
        let mut frontier = Frontier::new();
        for record in 0..70_u32 {
            let mut restored = Frontier::from_bytes(&frontier.to_bytes());
            frontier.push(&record.to_be_bytes());
            restored
                .iter_mut()
                .for_each(|restored| restored.push(&record.to_be_bytes()));
            assert_eq!(restored.map(|restored| restored.root()), Some(frontier.root()));
        }
    }

    #[test]
    fn bytes_that_are_no_frontier_are_refused() {
        let mut frontier = Frontier::new();
        (0..5_u32).for_each(|record| frontier.push(&record.to_be_bytes()));
        let good = frontier.to_bytes();
        for cut in 0..good.len() {
            assert!(Frontier::from_bytes(&good[..cut]).is_none(), "{cut}");
        }
        let longer = [good.as_slice(), &[0; 32]].concat();
        let mut other_size = good.clone();
        other_size[7] = 7;
        let mut too_large = good;
        too_large[0] = 0xff;
        for bad in [longer, other_size, too_large] {
            assert!(Frontier::from_bytes(&bad).is_none());
        }
    }

    #[test]
    fn frontier_keeps_one_hash_for_each_bit_of_the_size() {
        let mut frontier = Frontier::new();
        for record in 0..1000_u32 {
            frontier.push(&record.to_be_bytes());
            assert_eq!(frontier.peaks.len() as u32, frontier.leaves.count_ones());
        }
    }
}
