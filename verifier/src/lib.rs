//! The law, replay and explanation: what can be proven afterwards (`schemas/authority-v1.md`).
//!
//! Pure core: [`policy`] and [`projection`] say what a decision must be.
//! No clock, no network; nothing here prints.

pub mod code;
pub mod finding;
pub mod law;
pub mod policy;
pub mod projection;
pub mod visible;
