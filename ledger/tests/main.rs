//! Everything of `countersign-ledger` that is tested from outside, in one binary.

/// Vectors of other publishers; skipped by name where the folder is absent.
mod public {
    pub(crate) mod folder;
    mod merkle;
}

/// What every test here gives back, so that `?` reads well.
type TestResult = Result<(), Box<dyn std::error::Error>>;
