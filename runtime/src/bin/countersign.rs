//! `countersign`: runs agents.

use std::process::ExitCode;

/// Deciding and writing down is mostly small pieces of memory, taken on one thread and given back on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    countersign_runtime::cli::main(std::env::args_os())
}
