//! Everything of `countersign-ledger` that is tested from outside, in one binary.

/// Vectors of other publishers; skipped by name where the folder is absent.
mod public {
    mod cose;
    pub(crate) mod folder;
    mod merkle;
    mod tlog;
}

/// The program that writes the golden vectors.
#[path = "../examples/vectors/mod.rs"]
mod vectors;

/// Our own vectors: the same every time, and judged from their files alone.
mod golden {
    mod judged;
    mod regenerated;
    mod specified;
}

/// The file: made, extended, closed, killed, damaged and read.
mod file {
    mod copying;
    mod crash;
    mod damage;
    mod lost_tail;
    mod read_only;
    mod reading;
    pub(crate) mod rows;
    mod writing;
}

/// A ledger under random operations and crashes, beside a list in memory of what it must hold.
mod model {
    mod machine;
    mod operation;
    mod property;
    mod reference;
    mod shared;
    mod snapshot;

    use crate::file::rows::Anyhow;
}

/// Our statements as an independent COSE library sees them.
#[path = "public/coset_agrees.rs"]
mod coset_agrees;

/// What every test here gives back, so that `?` reads well.
type TestResult = Result<(), Box<dyn std::error::Error>>;
