//! The gate: the only place where a [`Permit`] is made.

mod permit;

pub use permit::{AgentId, Permit, PermitError, PermittedCall, UnixMillis};

#[cfg(test)]
pub(crate) use permit::PermitTerms;
