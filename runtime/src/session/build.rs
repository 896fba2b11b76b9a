//! What this program says about itself in ledgers.

use countersign_identity::credential::RuntimeBuild;
use countersign_schemas::digest::Digest;
use countersign_schemas::text::{Name, TextError};

/// Name and version, as instance credentials state them.
pub(crate) fn runtime() -> Result<RuntimeBuild, TextError> {
    Ok(RuntimeBuild {
        name: Name::new("countersign")?,
        version: Name::new(env!("CARGO_PKG_VERSION"))?,
    })
}

/// The `build` of `ledger.opened`: SHA-256 of `countersign <version> <architecture>-<operating system>`.
pub(crate) fn digest() -> Digest {
    let build = format!(
        "countersign {} {}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    Digest::sha256(build.as_bytes())
}
