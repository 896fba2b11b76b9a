//! Keys, DIDs, credentials and grants: who may speak, and with what authority (`schemas/identity-v1.md`).
//!
//! Pure core: bytes, keys and times come in as arguments and bytes or evidence go out. Nothing here reads a
//! clock, a network or the environment; only [`keys::HybridSecret::generate`] asks the operating system for
//! randomness, and only the `keystore` feature touches files. Whether a verified credential is *enough* for an
//! entry in a ledger is not decided here: that is the law, in `countersign-verifier`.

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
pub mod text;
pub mod trust;
