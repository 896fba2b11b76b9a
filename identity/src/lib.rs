//! Keys, DIDs, credentials and grants: who may speak, and with what authority (`schemas/identity-v1.md`).
//!
//! Pure core: bytes, keys and times come in as arguments and bytes or evidence go out. Nothing here reads a
//! clock, a network or the environment; only [`keys::HybridSecret::generate`] asks the operating system for
//! randomness, and only the `keystore` feature touches files. Whether a verified credential is *enough* for an
//! entry in a ledger is not decided here: that is the law, in `countersign-verifier`.
//!
//! | from the keys up | |
//! |---|---|
//! | [`keys`], [`multibase`], [`multikey`] | hybrid key pairs, strict verification, and their texts |
//! | [`did`], [`trust`] | who a party is, and whom an auditor trusts |
//! | [`jcs`], [`member`], [`text`], [`instant`] | reading signed JSON: canonical, closed, bounded |
//! | [`strict_json`] | reading JSON that nobody signed: no member twice |
//! | [`proof`] | two signatures on one document, neither of which can be taken off |
//! | [`credential`], [`grant`], [`binding`] | what is signed: who may speak, with what authority, in which ledger |
//! | `keyfile` (feature `keystore`) | private keys on disk |

mod base58;
pub mod binding;
pub mod credential;
pub mod did;
pub mod grant;
pub mod instant;
pub mod jcs;
#[cfg(feature = "keystore")]
pub mod keyfile;
pub mod keys;
pub mod member;
pub mod multibase;
pub mod multikey;
pub mod proof;
pub mod strict_json;
pub mod text;
pub mod trust;
