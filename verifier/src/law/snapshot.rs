//! The whole state as bytes, so that a ledger that is opened again need not be folded from its first entry.
//!
//! A snapshot is a cache, private to one version of the program: other versions do not read it. It is trusted, so whoever
//! stores it has to authenticate it; bytes of a stranger are refused or give a state that means nothing, and never panic.

use countersign_ledger::merkle::Frontier;
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder, Problem};
use countersign_schemas::digest::Digest;

use super::Law;
use super::snapshot_values::Kept;
use crate::policy::{BUILTIN_LAYER0, SCHEMA};

/// To be raised with every change of the state, of its encoding, or of what a rule makes of it.
const FORMAT: u64 = 5;

/// What a snapshot has to begin with: the format, the version of the program, and the built-in texts that it leaves out.
fn version() -> Vec<u8> {
    let mut version = Encoder::new();
    version.uint(FORMAT);
    version.text(env!("CARGO_PKG_VERSION"));
    [BUILTIN_LAYER0, SCHEMA]
        .iter()
        .for_each(|text| Digest::sha256(text.as_bytes()).keep(&mut version));
    version.finish()
}

/// Writes the state and the tree over the same records.
pub(crate) fn encode(law: &Law, tree: &Frontier) -> Vec<u8> {
    let mut out = Encoder::new();
    out.bytes(&version());
    tree.keep(&mut out);
    law.keep(&mut out);
    out.finish()
}

/// Reads what [`encode`] wrote in the same version of the program.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Law, Frontier), DecodeError> {
    let mut from = Decoder::new(bytes);
    let expected = version();
    if from.bytes(expected.len(), expected.len())? != expected {
        return Err(DecodeError {
            offset: 0,
            problem: Problem::Constant("version of this program"),
        });
    }
    let tree = Frontier::restore(&mut from)?;
    let law = Law::restore(&mut from)?;
    from.finish()?;
    Ok((law, tree))
}
