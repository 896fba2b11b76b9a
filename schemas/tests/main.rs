//! Everything of `countersign-schemas` that is tested from outside, in one binary.

/// The program that writes the golden vectors.
#[path = "../examples/vectors/mod.rs"]
mod vectors;

/// statement-v1: its golden vectors, and what must hold for every statement.
mod statement {
    mod golden;
    mod properties;
    mod strategies;
}

/// What every test here gives back, so that `?` reads well.
type TestResult = Result<(), Box<dyn std::error::Error>>;
