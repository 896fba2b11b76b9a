//! `verify`: proves a ledger without a network, without asking anybody, and without trusting who wrote it.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_verifier::cli::main(std::env::args_os())
}
