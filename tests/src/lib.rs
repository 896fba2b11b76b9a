//! End-to-end, tamper, crash and command-line tests of the two binaries.
