//! Roots and proofs over small trees.

use countersign_ledger::merkle::{Frontier, NodeHash, Root, consistency_proof, inclusion_proof, leaf_hash};
use countersign_schemas::number::{Seq, Size};
use serde_json::{Value, json};

use super::{Vector, hex, with};

/// Leaves of the larger tree: the first one that has complete subtrees of three sizes.
const LEAVES: u64 = 7;

/// The records of the toy tree: what they say does not matter to it.
pub(super) fn record(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

fn leaves(count: u64) -> Vec<NodeHash> {
    (0..count).map(|number| leaf_hash(&record(number))).collect()
}

pub(super) fn root(count: u64) -> Root {
    let mut tree = Frontier::new();
    (0..count).for_each(|number| tree.push(&record(number)));
    tree.root()
}

fn texts(hashes: &[NodeHash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = vec![
        tree("empty", "the tree without records", 0),
        tree("worked_example", "the tree of the worked example", 3),
        tree(
            "seven",
            "a tree with complete subtrees of four, two and one leaves",
            LEAVES,
        ),
        tree("eight", "a complete tree", 8),
    ];
    vectors.extend(inclusion());
    vectors.extend(consistency());
    vectors
}

fn tree(name: &str, why: &str, count: u64) -> Vector {
    let records: Vec<String> = (0..count).map(|number| hex(&record(number))).collect();
    let roots: Vec<String> = (0..=count).map(|size| root(size).to_string()).collect();
    let members = json!({
        "records_hex": records,
        "leaf_hashes": texts(&leaves(count)),
        "roots": roots,
        "root": root(count).to_string(),
    });
    Vector::accepted("tree", name, "ledger-v1 §5.1", why, members)
}

fn proven(index: u64, size: u64) -> Value {
    let proof = inclusion_proof(&leaves(size), Seq::clamped(index)).expect("the leaf is in the tree");
    json!({
        "leaf_hash": leaf_hash(&record(index)).to_string(),
        "index": index,
        "size": size,
        "proof": texts(&proof),
        "root": root(size).to_string(),
    })
}

fn inclusion() -> Vec<Vector> {
    let subject = "inclusion";
    let spec = "ledger-v1 §5.2";
    let good = proven(2, LEAVES);
    let proof = good["proof"].as_array().cloned().unwrap_or_default();
    let mut vectors: Vec<Vector> = [(0, 1), (0, LEAVES), (2, LEAVES), (6, LEAVES), (5, 8)]
        .map(|(index, size)| {
            let why = format!("leaf {index} of {size}");
            Vector::accepted(subject, &format!("{index}_of_{size}"), spec, &why, proven(index, size))
        })
        .into();
    let refused = |name: &str, why: &str, code, changes: Value| {
        Vector::refused(subject, name, spec, why, code, with(&good, &changes))
    };
    let mut swapped = proof.clone();
    swapped.swap(0, 1);
    let longer = [proof.as_slice(), &[json!(root(1).to_string())]].concat();
    vectors.extend([
        refused(
            "index",
            "the index is the size",
            "index-beyond-size",
            json!({ "index": LEAVES }),
        ),
        refused(
            "empty",
            "a tree without leaves has no leaf",
            "index-beyond-size",
            json!({ "index": 0, "size": 0 }),
        ),
        refused(
            "other_index",
            "the proof of another place",
            "root-mismatch",
            json!({ "index": 3 }),
        ),
        refused(
            "other_leaf",
            "another record",
            "root-mismatch",
            json!({ "leaf_hash": leaf_hash(&record(3)).to_string() }),
        ),
        refused(
            "other_root",
            "the root of a smaller tree",
            "root-mismatch",
            json!({ "root": root(6).to_string() }),
        ),
        refused(
            "swapped",
            "two hashes swapped",
            "root-mismatch",
            json!({ "proof": swapped }),
        ),
        refused(
            "short",
            "the last hash is missing",
            "too-short",
            json!({ "proof": proof[..proof.len() - 1] }),
        ),
        refused("long", "a hash too many", "too-long", json!({ "proof": longer })),
    ]);
    vectors
}

fn prefix(old: u64, new: u64) -> Value {
    let proof = consistency_proof(&leaves(new), Size::clamped(old)).expect("the prefix is in the tree");
    json!({
        "old_size": old,
        "old_root": root(old).to_string(),
        "size": new,
        "root": root(new).to_string(),
        "proof": texts(&proof),
    })
}

fn consistency() -> Vec<Vector> {
    let subject = "consistency";
    let spec = "ledger-v1 §5.3";
    let good = prefix(3, LEAVES);
    let proof = good["proof"].as_array().cloned().unwrap_or_default();
    let mut vectors: Vec<Vector> = [(1, 8), (3, LEAVES), (4, LEAVES), (6, LEAVES), (LEAVES, LEAVES)]
        .map(|(old, new)| {
            let why = format!("the first {old} of {new} leaves");
            Vector::accepted(subject, &format!("{old}_of_{new}"), spec, &why, prefix(old, new))
        })
        .into();
    let refused = |name: &str, why: &str, code, changes: Value| {
        Vector::refused(subject, name, spec, why, code, with(&good, &changes))
    };
    let longer = [proof.as_slice(), &[json!(root(1).to_string())]].concat();
    let (empty, same) = (root(0).to_string(), root(LEAVES).to_string());
    vectors.extend([
        refused(
            "empty",
            "an empty tree proves nothing",
            "old-tree-empty",
            json!({ "old_size": 0, "old_root": empty, "proof": [] }),
        ),
        refused(
            "shrunk",
            "the newer tree is smaller",
            "tree-shrank",
            json!({ "old_size": 8 }),
        ),
        refused(
            "other_old_root",
            "the older tree has another root",
            "old-root-mismatch",
            json!({ "old_root": root(4).to_string() }),
        ),
        refused(
            "other_root",
            "the newer tree has another root",
            "root-mismatch",
            json!({ "root": root(8).to_string() }),
        ),
        refused(
            "short",
            "the last hash is missing",
            "too-short",
            json!({ "proof": proof[..proof.len() - 1] }),
        ),
        refused("none", "no hash at all", "too-short", json!({ "proof": [] })),
        refused("long", "a hash too many", "too-long", json!({ "proof": longer })),
        refused(
            "equal_with_proof",
            "equal sizes need no hash",
            "too-long",
            json!({ "old_size": LEAVES, "old_root": same }),
        ),
        refused(
            "equal_other_root",
            "equal sizes, other roots",
            "root-mismatch",
            json!({ "old_size": LEAVES, "proof": [] }),
        ),
    ]);
    vectors
}
