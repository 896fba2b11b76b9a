//! The property: whatever is done in whatever order, the ledger holds what the reference says.

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::machine::Machine;
use super::operation::{Operation, operation};
use crate::TestResult;

/// Sequences that a usual run tries; more with the variable of [`CASES`].
const CASES_USUAL: u32 = 16;
/// How many sequences are tried: `COUNTERSIGN_MODEL_CASES=2000 cargo test -p countersign-ledger model`.
const CASES: &str = "COUNTERSIGN_MODEL_CASES";
/// Operations in one sequence.
const OPERATIONS: std::ops::Range<usize> = 4..28;

#[test]
fn ledger_holds_what_was_acknowledged_and_nothing_that_was_not_submitted() -> TestResult {
    let cases = match std::env::var(CASES) {
        Ok(number) => number.parse()?,
        Err(_) => CASES_USUAL,
    };
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let operations = proptest::collection::vec(operation(), OPERATIONS);
    TestRunner::new(config).run(&operations, |operations| play(&operations))?;
    Ok(())
}

fn play(operations: &[Operation]) -> Result<(), TestCaseError> {
    let failed =
        |step: usize, error: Box<dyn std::error::Error>| TestCaseError::fail(format!("operation {step}: {error}"));
    let mut machine = Machine::new().map_err(|error| failed(0, error))?;
    for (step, operation) in operations.iter().enumerate() {
        machine.step(operation).map_err(|error| failed(step, error))?;
    }
    Ok(())
}
