//! The fuzzers run and find nothing in a few seconds. Longer runs, of an optimised build, are made by hand:
//! `cargo run --release -p countersign-tests --example fuzz_records -- --seconds 600 --seed 7`, and `fuzz_files` likewise.

use std::process::Command;

use tempfile::TempDir;

use crate::support::programs::{countersign_path, run};
use crate::support::{Checked, skip};

fn finds_nothing(name: &str, seconds: &str) -> Checked {
    let program = countersign_path().with_file_name("examples").join(name);
    if !program.is_file() {
        skip(
            name,
            "the examples were not built, `cargo test` without --test builds them",
        );
        return Ok(());
    }
    let folder = TempDir::new()?;
    let mut command = Command::new(program);
    let ran = run(command.args(["--seconds", seconds]).current_dir(folder.path()))?.expect(0);
    assert!(ran.stderr.contains("inputs"), "{ran}");
    Ok(())
}

#[test]
fn fuzzing_records_for_two_seconds_finds_nothing() -> Checked {
    finds_nothing("fuzz_records", "2")
}

#[test]
fn fuzzing_files_for_three_seconds_finds_nothing() -> Checked {
    finds_nothing("fuzz_files", "3")
}
