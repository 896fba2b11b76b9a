//! Runs that go on: how a process says that it runs, and how another one of the same user has it stopped.
//!
//! Every process of `run` and `chat` leaves an entry in the folder `running` of the home (`docs/guide-stop.md`) and holds a
//! lock on it for as long as it lives: an entry that is not locked is that of a process that died. Whoever wants a run to
//! stop leaves a request beside its entry; the process looks for one all the time, on a thread of its own, pulls the
//! [`StopSwitch`](crate::session::StopSwitch) and leaves a report. The folder is closed to other users, which is checked
//! on both sides.
//!
//! Files and not a socket: they have no limit on the length of the home's path, need no protocol that could stall, and a
//! request stands until it is answered, also by a process that sleeps just now.

mod document;
mod folder;
mod registration;
mod request;
#[cfg(test)]
mod tests;

pub use document::{Ended, Entry, Report, RunId};
pub use folder::{Listing, RunningError, RunningFolder};
pub use registration::Registration;
pub use request::{Answer, Request};
