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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Root, leaf_hash, verify_consistency, verify_inclusion};

    /// Beyond every shape that the recursion and the walk can meet: five levels, all remainders.
    const LEAVES: u64 = 35;

    fn leaves(count: u64) -> Vec<NodeHash> {
        (0..count).map(|record| leaf_hash(&record.to_be_bytes())).collect()
    }

    fn root(leaves: &[NodeHash]) -> Root {
        Root::from_bytes(subtree(leaves).0)
    }

    fn seq(number: u64) -> Seq {
        Seq::clamped(number)
    }

    fn size(number: u64) -> Size {
        Size::clamped(number)
    }

    /// Every way to change one bit of one hash, to leave one out, or to add one.
    fn spoilt(proof: &[NodeHash]) -> Vec<Vec<NodeHash>> {
        let mut all = vec![[proof, &[leaf_hash(b"more")]].concat()];
        for at in 0..proof.len() {
            let mut changed = proof.to_vec();
            changed[at].0[at % 32] ^= 1;
            all.push(changed);
            let mut shorter = proof.to_vec();
            shorter.remove(at);
            all.push(shorter);
        }
        all
    }

    #[test]
    fn every_leaf_of_every_tree_is_proven_at_its_place_alone() {
        for count in 1..=LEAVES {
            let leaves = leaves(count);
            let root = root(&leaves);
            for index in 0..count {
                let proof = inclusion_proof(&leaves, seq(index)).expect("the leaf is in the tree");
                let judge = |at, proof: &[NodeHash]| {
                    verify_inclusion(leaves[index as usize], seq(at), size(count), proof, root)
                };
                assert_eq!(judge(index, &proof), Ok(()));
                assert!((0..count).all(|other| other == index || judge(other, &proof).is_err()));
                assert!(spoilt(&proof).iter().all(|proof| judge(index, proof).is_err()));
            }
            assert_eq!(inclusion_proof(&leaves, seq(count)), None);
        }
    }

    #[test]
    fn every_prefix_of_every_tree_is_proven_at_its_size_alone() {
        let all = leaves(LEAVES);
        for new in 1..=LEAVES {
            let leaves = &all[..new as usize];
            for old in 1..=new {
                let proof = consistency_proof(leaves, size(old)).expect("the prefix is in the tree");
                let judge = |at: u64, proof: &[NodeHash]| {
                    let old_root = root(&all[..old as usize]);
                    verify_consistency(size(at), old_root, size(new), root(leaves), proof)
                };
                assert_eq!(judge(old, &proof), Ok(()));
                assert!(
                    (0..=new).all(|other| other == old || judge(other, &proof).is_err()),
                    "{old} of {new}"
                );
                assert!(
                    spoilt(&proof).iter().all(|proof| judge(old, proof).is_err()),
                    "{old} of {new}"
                );
            }
        }
        assert_eq!(consistency_proof(&all, size(0)), None);
        assert_eq!(consistency_proof(&all, size(LEAVES + 1)), None);
    }

    #[test]
    fn prefix_with_another_root_is_refused() {
        let all = leaves(9);
        for old in 1..9 {
            let proof = consistency_proof(&all, size(old)).expect("the prefix is in the tree");
            let wrong = Root::from_bytes([7; 32]);
            let good = root(&all[..old as usize]);
            assert!(verify_consistency(size(old), wrong, size(9), root(&all), &proof).is_err());
            assert!(verify_consistency(size(old), good, size(9), wrong, &proof).is_err());
        }
    }
}
