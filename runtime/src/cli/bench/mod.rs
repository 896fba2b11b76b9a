//! `countersign bench`: what this machine does, beside what its disk and its cores could do at most, in one run.
//!
//! A rate by itself says more about a machine than about a program. So every bench measures the machine's own limits in
//! turns with the work, and tells both and their ratio.

mod append;
mod crew;
mod laps;
mod limits;
mod machine;
mod memory;
mod report;
mod scratch;
mod worker;

use super::arguments::BenchCommand;
use super::exit::{Exit, Failure};

/// Runs one of the benches.
pub(super) fn run(command: &BenchCommand) -> Result<Exit, Failure> {
    match command {
        BenchCommand::Append(arguments) => append::run(arguments),
    }
}
