//! Checking proofs: RFC 9162 §2.1.3.2 and §2.1.4.2, step by step.

use super::{NodeHash, Root, node_hash};
use countersign_schemas::number::{Seq, Size};

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf index is not below the tree size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexBeyondSize {
        /// Index that was to be proven.
        index: Seq,
        /// Size of the tree.
        size: Size,
    },
    /// The older tree is empty, so it is a prefix of everything and proves nothing.
    #[error("consistency with an empty tree proves nothing")]
    OldTreeEmpty,
    /// The older tree is larger than the newer one.
    #[error("the older tree has {old} leaves and the newer one only {new}")]
    TreeShrank {
        /// Size of the older tree.
        old: Size,
        /// Size of the newer tree.
        new: Size,
    },
    /// The proof ends before the root is reached.
    #[error("the proof ends after {hashes} hashes, before the root")]
    TooShort {
        /// Number of hashes in the proof.
        hashes: usize,
    },
    /// The proof goes on after the root is reached.
    #[error("the proof has {hashes} hashes, more than lead to the root")]
    TooLong {
        /// Number of hashes in the proof.
        hashes: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to root {computed}, expected {expected}")]
    RootMismatch {
        /// Root that was to be reached.
        expected: Root,
        /// Root that the proof leads to.
        computed: Root,
    },
    /// The proof leads to another root of the older tree.
    #[error("the proof leads to root {computed} of the older tree, expected {expected}")]
    OldRootMismatch {
        /// Root of the older tree that was to be reached.
        expected: Root,
        /// Root that the proof leads to.
        computed: Root,
    },
}

impl ProofError {
    /// Stable name of the failed check, as used in the golden vectors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IndexBeyondSize { .. } => "index-beyond-size",
            Self::OldTreeEmpty => "old-tree-empty",
            Self::TreeShrank { .. } => "tree-shrank",
            Self::TooShort { .. } => "too-short",
            Self::TooLong { .. } => "too-long",
            Self::RootMismatch { .. } => "root-mismatch",
            Self::OldRootMismatch { .. } => "old-root-mismatch",
        }
    }
}

/// Checks that `leaf` is the leaf at `index` of the tree of `size` leaves with `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`] names the first check that failed.
pub fn verify_inclusion(
    leaf: NodeHash,
    index: Seq,
    size: Size,
    proof: &[NodeHash],
    root: Root,
) -> Result<(), ProofError> {
    if index.get() >= size.get() {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    let mut walk = Walk::new(index.get(), size.get() - 1, proof.len());
    let mut node = leaf;
    for sibling in proof {
        node = match walk.step()? {
            Side::Left => node_hash(*sibling, node),
            Side::Right => node_hash(node, *sibling),
        };
    }
    walk.finish()?;
    expect_root(root, node)
}

/// Checks that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 9162 §2.1.4.2).
///
/// Sizes may be equal: then the proof has to be empty and both roots the same.
///
/// # Errors
/// [`ProofError`] names the first check that failed; an older tree of size 0 is refused.
pub fn verify_consistency(
    old: Size,
    old_root: Root,
    new: Size,
    new_root: Root,
    proof: &[NodeHash],
) -> Result<(), ProofError> {
    if old.get() == 0 {
        return Err(ProofError::OldTreeEmpty);
    }
    if old > new {
        return Err(ProofError::TreeShrank { old, new });
    }
    if old == new {
        if !proof.is_empty() {
            return Err(ProofError::TooLong { hashes: proof.len() });
        }
        return expect_root(new_root, NodeHash(old_root.0));
    }
    // Step 2: where the older tree is complete, its own root is the first node of the path.
    let complete = old.get().is_power_of_two();
    let (start, rest) = match proof {
        _ if complete => (NodeHash(old_root.0), proof),
        [first, rest @ ..] => (*first, rest),
        [] => return Err(ProofError::TooShort { hashes: 0 }),
    };
    let skipped = (old.get() - 1).trailing_ones();
    let mut walk = Walk::new((old.get() - 1) >> skipped, (new.get() - 1) >> skipped, proof.len());
    let (mut older, mut newer) = (start, start);
    for node in rest {
        match walk.step()? {
            Side::Left => {
                older = node_hash(*node, older);
                newer = node_hash(*node, newer);
            }
            Side::Right => newer = node_hash(newer, *node),
        }
    }
    walk.finish()?;
    if older.0 != old_root.0 {
        return Err(ProofError::OldRootMismatch {
            expected: old_root,
            computed: Root(older.0),
        });
    }
    expect_root(new_root, newer)
}

fn expect_root(expected: Root, node: NodeHash) -> Result<(), ProofError> {
    let computed = Root(node.0);
    if computed == expected {
        Ok(())
    } else {
        Err(ProofError::RootMismatch { expected, computed })
    }
}

/// On which side of the running node the next hash of the proof stands.
enum Side {
    Left,
    Right,
}

/// The pair (fn, sn) of RFC 9162: the node's place at this level, and the last place there is.
struct Walk {
    place: u64,
    last: u64,
    hashes: usize,
}

impl Walk {
    fn new(place: u64, last: u64, hashes: usize) -> Self {
        Self { place, last, hashes }
    }

    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::TooLong { hashes: self.hashes });
        }
        let side = if self.place & 1 == 1 || self.place == self.last {
            // The last node of a level has no right sibling: rise until it has a left one.
            let lone = if self.place & 1 == 1 {
                0
            } else {
                self.place.trailing_zeros()
            };
            self.rise(lone);
            Side::Left
        } else {
            Side::Right
        };
        self.rise(1);
        Ok(side)
    }

    fn rise(&mut self, levels: u32) {
        self.place = self.place.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }

    fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::TooShort { hashes: self.hashes })
        }
    }
}
