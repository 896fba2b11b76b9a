//! The gate: no action without a decision, and no permit without a durable one.
//!
//! It sees what the ledger cannot show (where links lead), lets the law judge the request, asks a person where policy
//! leaves it open, and is the only place where a [`Permit`] is made. It runs nothing.

mod approver;
mod decide;
mod observe;
mod permit;
mod refusal;

pub use approver::{Approver, Enrolled, Manner, Prompt, Question};
pub use decide::{Gate, GateError, Proposal, Ruling};
pub use observe::{Surroundings, SurroundingsError};
pub(crate) use permit::PermitTerms;
pub use permit::{Permit, PermitError, PermittedCall};
pub use refusal::Refusal;
