//! The Countersign formats, per `schemas/statement-v1.md`: canonical CBOR, records, statements, the bodies of the 21
//! kinds, payload commitments and the chain link.
//!
//! Pure bytes in, values out: no clock, no keys, no files. Signatures and envelopes live in `countersign-ledger`, what
//! a credential says in `countersign-identity`, what is permitted in `countersign-verifier`.

pub mod body;
pub mod cbor;
pub mod chain;
pub mod code;
pub mod digest;
pub mod ext;
pub mod field;
pub mod founding;
pub mod kind;
pub mod list;
pub mod number;
pub mod payload;
pub mod record;
pub mod statement;
pub mod text;
