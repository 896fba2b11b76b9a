//! Signed statements, Merkle tree, checkpoints and the file they are kept in: what was said, in which order,
//! unalterably. Specified in `schemas/ledger-v1.md`.
//!
//! Bytes, keys and time come in as arguments; only [`store`], [`appender`], [`reader`] and [`head_file`] touch a disk. What is *permitted*, and
//! what a sound ledger is, is the matter of `countersign-verifier`; what a statement says, of `countersign-schemas`.
//!
//! | module | what |
//! |---|---|
//! | [`cose`] | the signed form of a statement |
//! | [`merkle`] | the tree over record bytes, and its proofs |
//! | [`note`], [`checkpoint`] | C2SP notes; the ledger's signatures over its root |
//! | [`head_file`] | the newest checkpoint beside the ledger, and whether the ledger still holds it |
//! | [`layout`] | what makes a SQLite file a ledger |
//! | [`store`], [`appender`] | making, extending and closing a ledger; group commit |
//! | [`handover`] | several processes on one ledger: handing over to the one that appends |
//! | [`reader`] | reading one, hostile or not |

pub mod appender;
pub mod checkpoint;
pub mod cose;
mod fault;
pub mod handover;
pub mod head_file;
pub mod layout;
pub mod merkle;
pub mod note;
pub mod reader;
pub mod store;
