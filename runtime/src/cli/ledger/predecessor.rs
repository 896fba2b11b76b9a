//! `--after OLD`: what a new ledger states of the one that it follows. It states it for good, so that one is verified first.

use std::path::Path;

use countersign_identity::did::PeerDid;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::Predecessor;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;
use countersign_verifier::audit;

use crate::cli::exit::{Exit, Failure};

/// Reads the ledger at `old` from its first entry to its last, as `verify` does, for a ledger of the same principal.
///
/// What is unproven there, for instance because a payload was erased, is no reason against it.
pub(crate) fn predecessor(old: &Path, principal: &PeerDid) -> Result<Predecessor, Failure> {
    let refused = |why: &str| Failure::new(Exit::Failed, format!("--after {}: {why}", old.display()));
    let reader = LedgerReader::open(old)
        .map_err(|error| Failure::caused(Exit::Environment, format!("--after {}", old.display()), &error))?;
    let folded = audit::replay(&reader, None).map_err(|error| {
        refused(&error.to_string())
            .hint("a ledger that does not verify cannot be followed; `verify` says all that is wrong with it")
    })?;
    let opening = folded.law.opening().ok_or_else(|| refused("it has no first entry"))?;
    if opening.principal() != principal {
        let why = format!("it is a ledger of another principal, {}", opening.principal().short());
        return Err(refused(&why).hint("a ledger follows one of the same principal"));
    }
    if folded.law.closed().is_none() {
        let hint = format!("`countersign run --ledger {}` goes on with it", old.display());
        return Err(refused("it is still open").hint(hint));
    }
    let head = folded.law.head();
    Ok(Predecessor {
        ledger: opening.ledger(),
        size: Count::clamped(head.size.get()),
        link: head.link,
        root: Digest::from_bytes(*folded.tree.root().as_bytes()),
    })
}
