//! Models, tools, gate, sessions and the command line: what happens.
//!
//! [`session`] lets agents work; each action they propose goes through the [`gate`], which lets the law of
//! `countersign-verifier` judge it and makes a permit only once the decision is durable; [`recorder`] is the one way
//! into the ledger; [`tool`] runs by permit alone; [`model`] proposes and holds no key; [`prompt`] says to an agent what it
//! is there for.

pub mod cli;
pub mod clock;
pub mod config;
pub mod gate;
pub mod home;
pub mod kind;
pub mod model;
pub mod prompt;
pub mod recorder;
pub mod redact;
pub mod running;
pub mod session;
mod side_by_side;
pub mod tool;
pub mod worktree;
