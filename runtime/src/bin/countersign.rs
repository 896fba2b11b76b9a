//! `countersign`: runs agents.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_runtime::cli::main(std::env::args_os())
}
