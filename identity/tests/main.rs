//! Integration tests of the identity crate: public vectors, our own golden vectors, cross-checks.

mod did_vectors;
mod golden;
mod jcs_vectors;
mod keys_vectors;
mod proof_vectors;
mod public_vectors;
