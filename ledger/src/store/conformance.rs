//! What every store has to do, as a suite that an implementation in any crate runs in one test.
//!
//! Implement [`Place`] for somewhere that a ledger of the implementation can be kept, and call [`run`] with a closure
//! that makes an empty one:
//!
//! ```ignore
//! #[test]
//! fn postgres_is_a_store() -> Result<(), Nonconformity> {
//!     conformance::run(|| Database::new_schema())
//! }
//! ```
//!
//! That acknowledged rows survive a power cut, no suite can show; what a process can see of it is checked: a store
//! that is dropped and opened again holds what it acknowledged.

mod checks;

use super::{ReadBack, Row, StoreError};

/// Somewhere that one ledger can be kept. It is empty when the suite gets it, and may be thrown away afterwards.
pub trait Place {
    /// The implementation.
    type Store: ReadBack;

    /// Makes the ledger with its first rows, and opens it.
    ///
    /// # Errors
    /// As the implementation has them.
    fn create(&self, first: &[Row]) -> Result<Self::Store, StoreError>;

    /// Opens the ledger again, also while it is open or after it was dropped without being closed.
    ///
    /// # Errors
    /// As the implementation has them; [`StoreError::LockedByAnotherWriter`] if it lets only one writer in.
    fn open(&self) -> Result<Self::Store, StoreError>;

    /// Makes one of the next appends to `store` fail by input or output; `false` if this cannot be arranged.
    fn break_writes(&self, store: &mut Self::Store) -> bool;
}

/// What an implementation does not do as every store has to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Nonconformity {
    /// A call failed that has to succeed.
    #[error("{check}: {call} failed")]
    Failed {
        /// The check.
        check: &'static str,
        /// The call.
        call: &'static str,
        /// Why it failed.
        source: Box<StoreError>,
    },
    /// Something else came out.
    #[error("{check}: {what}: expected {expected}, found {found}")]
    Differs {
        /// The check.
        check: &'static str,
        /// What was looked at.
        what: &'static str,
        /// What has to come out.
        expected: String,
        /// What came out.
        found: String,
    },
}

/// Runs every check, each in a new place.
///
/// # Errors
/// The first [`Nonconformity`].
pub fn run<P: Place>(new_place: impl Fn() -> P) -> Result<(), Nonconformity> {
    for (name, check) in checks::all::<P>() {
        check(&checks::At {
            check: name,
            place: new_place(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "conformance_tests.rs"]
mod tests;
