//! Signed statements: the two envelopes of statement-v1 §4, with real signatures.

use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::cose::{AadLedger, sign};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::SignatureSet;
use serde_json::{Value, json};

use super::checkpoint::seed;
use super::{Vector, hex, with};

pub(super) const SUBJECT: &str = "envelope";
/// Not a statement: envelopes do not look into what they carry.
pub(super) const PAYLOAD: &[u8] = b"\xa1\x01\x02";

pub(super) fn signer(first: u8) -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new(seed(first)), Seed32::new(seed(first + 32)))
}

pub(super) fn ledger() -> LedgerId {
    LedgerId::from_bytes([0x11; 32])
}

pub(super) fn word(set: SignatureSet) -> &'static str {
    match set {
        SignatureSet::Ed25519 => "ed25519",
        SignatureSet::Hybrid => "hybrid",
    }
}

/// The message as input, and under what it has to verify.
pub(super) fn members(message: &[u8], set: SignatureSet, ledger: AadLedger) -> Value {
    let public = signer(0);
    let public = public.public();
    let ledger_id = match ledger {
        AadLedger::Genesis => Value::Null,
        AadLedger::Of(id) => id.to_string().into(),
    };
    json!({
        "input_hex": hex(message),
        "ledger_id": ledger_id,
        "signatures": word(set),
        "ed25519_seed": hex(&seed(0)),
        "mldsa44_seed": hex(&seed(32)),
        "ed25519_public": hex(public.ed25519_bytes()),
        "mldsa44_public": hex(public.ml_dsa_bytes()),
    })
}

pub(super) fn vectors() -> Vec<Vector> {
    use SignatureSet::{Ed25519, Hybrid};
    vec![
        accepted(
            "ed25519",
            "statement-v1 §4.4",
            "one signature",
            Ed25519,
            ledger().into(),
        ),
        accepted("hybrid", "statement-v1 §4.5", "two signatures", Hybrid, ledger().into()),
        accepted(
            "genesis",
            "statement-v1 §4.3",
            "record 0, which cannot name its ledger yet",
            Hybrid,
            AadLedger::Genesis,
        ),
    ]
}

fn accepted(name: &str, spec: &str, why: &str, set: SignatureSet, ledger: AadLedger) -> Vector {
    let message = sign(PAYLOAD, set, ledger, &signer(0));
    let says = json!({ "statement_hex": hex(PAYLOAD) });
    Vector::accepted(SUBJECT, name, spec, why, with(&members(&message, set, ledger), &says))
}
