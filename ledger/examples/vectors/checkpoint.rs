//! Checkpoint notes that verify.

use countersign_identity::keys::Seed32;
use countersign_ledger::checkpoint::{Checkpoint, CheckpointKeys, Required, UnixSeconds, sign};
use countersign_schemas::number::Size;
use countersign_schemas::text::Origin;
use serde_json::{Value, json};

use super::{Vector, hex, tree, with};

pub(super) const SUBJECT: &str = "checkpoint";
/// 2027-01-15T08:00:00Z.
pub(super) const TIME: u64 = 1_800_000_000;

pub(super) fn seed(first: u8) -> [u8; 32] {
    std::array::from_fn(|place| first + place as u8)
}

/// Keys from the seeds `first`, `first` + 1 … and `first` + 32 ….
pub(super) fn keys(first: u8) -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new(seed(first)), Seed32::new(seed(first + 32)))
}

pub(super) fn head(size: u64) -> Checkpoint {
    Checkpoint {
        origin: Origin::new(format!("countersign/{}", hex(&seed(0)[..16]))).expect("a good origin"),
        size: Size::clamped(size),
        root: tree::root(size),
    }
}

pub(super) fn note(size: u64, first_seed: u8) -> String {
    sign(
        &head(size),
        &keys(first_seed),
        UnixSeconds::new(TIME).expect("63 bits suffice"),
    )
}

/// The note as input, and the keys to verify it under.
pub(super) fn members(note: &[u8]) -> Value {
    let public = keys(0).public();
    json!({
        "input_hex": hex(note),
        "ed25519_seed": hex(&seed(0)),
        "mldsa44_seed": hex(&seed(32)),
        "ed25519_public": hex(public.ed25519_bytes()),
        "mldsa44_public": hex(public.ml_dsa_bytes()),
    })
}

pub(super) fn vectors() -> Vec<Vector> {
    let (three, one) = (note(3, 0), note(1, 0));
    let witness = note(3, 64);
    let cosigned = format!(
        "{three}{}\u{2014} witness.example/w1 Uw2QOkk=\n",
        signature_lines(&witness).concat()
    );
    vec![
        accepted(
            "worked_example",
            "ledger-v1 §9",
            "the checkpoint of the worked example",
            &three,
            3,
        ),
        accepted(
            "first",
            "ledger-v1 §6.5",
            "the checkpoint over the first record",
            &one,
            1,
        ),
        accepted(
            "cosigned",
            "ledger-v1 §6.4",
            "lines of unknown keys follow the two required ones",
            &cosigned,
            3,
        ),
    ]
}

/// Both signature lines of a note, each with its newline.
pub(super) fn signature_lines(note: &str) -> Vec<&str> {
    note.split_inclusive('\n')
        .filter(|line| line.starts_with('\u{2014}'))
        .collect()
}

fn accepted(name: &str, spec: &str, why: &str, note: &str, size: u64) -> Vector {
    let (head, public) = (head(size), keys(0).public());
    let origin = head.origin.as_str();
    let says = json!({
        "origin": origin,
        "size": size,
        "root": head.root.to_string(),
        "time": TIME,
        "key_ids": [
            public.key_id(origin, Required::Ed25519).to_string(),
            public.key_id(origin, Required::MlDsa44).to_string(),
        ],
        "note": note,
    });
    Vector::accepted(SUBJECT, name, spec, why, with(&members(note.as_bytes()), &says))
}
