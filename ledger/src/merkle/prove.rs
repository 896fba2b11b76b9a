//! Making proofs from leaf hashes: RFC 9162 §2.1.3.1 and §2.1.4.1.

use super::{Frontier, NodeHash};
use countersign_schemas::number::{Seq, Size};

/// Proves that the leaf at `index` is in the tree over `leaves` (RFC 9162 §2.1.3.1).
///
/// Gives the sibling hashes from the leaf upwards, at most 64; `None` when `index` is not below the
/// number of leaves. Hashes the whole tree once.
pub fn inclusion_proof(leaves: &[NodeHash], index: Seq) -> Option<Vec<NodeHash>> {
    let index = usize::try_from(index.get())
        .ok()
        .filter(|index| *index < leaves.len())?;
    let mut proof = Vec::new();
    path(index, leaves, &mut proof);
    Some(proof)
}

/// Proves that the tree over the first `old` leaves is a prefix of the tree over `leaves` (RFC 9162 §2.1.4.1).
///
/// Empty when both sizes are equal; `None` when `old` is 0 or above the number of leaves, because
/// nothing can be proven then. Hashes the whole tree once.
pub fn consistency_proof(leaves: &[NodeHash], old: Size) -> Option<Vec<NodeHash>> {
    let old = usize::try_from(old.get())
        .ok()
        .filter(|old| (1..=leaves.len()).contains(old))?;
    let mut proof = Vec::new();
    subproof(old, leaves, true, &mut proof);
    Some(proof)
}

/// PATH(m, D_n).
fn path(index: usize, leaves: &[NodeHash], proof: &mut Vec<NodeHash>) {
    if leaves.len() <= 1 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        path(index, left, proof);
        proof.push(subtree(right));
    } else {
        path(index - left.len(), right, proof);
        proof.push(subtree(left));
    }
}

/// SUBPROOF(m, D_n, b); `whole` is b: the verifier knows the hash of this subtree already.
fn subproof(old: usize, leaves: &[NodeHash], whole: bool, proof: &mut Vec<NodeHash>) {
    if old == leaves.len() {
        if !whole {
            proof.push(subtree(leaves));
        }
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        subproof(old, left, whole, proof);
        proof.push(subtree(right));
    } else {
        subproof(old - left.len(), right, false, proof);
        proof.push(subtree(left));
    }
}

/// The largest power of two below `leaves`, which is at least 2.
fn split(leaves: usize) -> usize {
    1 << (leaves - 1).ilog2()
}

fn subtree(leaves: &[NodeHash]) -> NodeHash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push_leaf(*leaf);
    }
    NodeHash(frontier.root().0)
}
