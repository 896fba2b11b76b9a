//! Models, tools, gate, sessions and the command line: what happens.

pub mod gate;
pub mod model;
pub mod tool;
