//! Several processes on one ledger: one appends, the others hand over to it through a local socket.
//! Specified in `schemas/handover-v1.md`.
//!
//! Threads and std only. What is admitted is decided by whoever implements [`Admission`]; nothing here looks into a
//! statement. Neither side trusts the other's lengths, and a joiner that breaks the rules costs nobody but itself.

mod alive;
mod client;
mod frame;
mod message;
mod outbox;
mod place;
mod server;
#[cfg(test)]
mod tests;

pub use alive::Alive;
pub use client::{Ear, HandoverError, Joined, Voice, join};
pub use frame::FrameError;
pub use message::{FromAppender, GoneReason, MessageError, Refusal, Submission, SubmissionId};
pub use outbox::{Feed, Feeds, WAITING_BYTES_MAX};
pub use place::PlaceError;
pub use server::{Admission, Admitted, JOINERS_MAX, NotAdmitted, Server, ServerError, TURN_WAIT};
