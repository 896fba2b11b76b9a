//! The gate: the only place where a [`Permit`] is made.

mod permit;

pub use permit::{Permit, PermitError, PermittedCall};

#[cfg(test)]
pub(crate) use permit::PermitTerms;
