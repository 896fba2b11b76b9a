//! The tamper corpus: every attack that the law has to name, posed by somebody who really holds the keys of its class, at
//! every place where it can be posed.
//!
//! What is expected is written down by rule (authority-v1, quoted where it is not obvious), never taken from what a
//! verifier answers. An attacker with the file and keys of the host (K0 to K2) works on the bytes of a finished ledger
//! ([`file`]); a lying operator and a thief of the principal's key (K3, K4) tell the story anew ([`retelling`]).

mod advice;
pub(crate) mod base;
mod bytes;
pub(crate) mod case;
mod contents;
mod deciding;
mod encoding;
mod executing;
mod file;
pub(crate) mod folder;
mod forged;
mod history;
mod host;
mod identity;
pub(crate) mod judge;
mod large;
mod lie;
mod retelling;
mod revoking;
mod rows;
pub(crate) mod sample;
mod spending;
mod statement;
mod stolen;
#[path = "../../verifier/tests/support/mod.rs"]
#[expect(dead_code, reason = "the verifier's tests use more of it")]
mod support;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the document is written by the test that compares it")
)]
pub(crate) mod table;
mod tail;
mod unseen;

use std::sync::Arc;

use base::Base;
use case::Case;

/// How many places are tried where there is one for every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// A few bytes of each row.
    Sampled,
    /// Every byte of every row.
    All,
}

/// The cases of some attacks on one base.
type Family = fn(&Arc<Base>, Scale) -> Vec<Case>;

/// Every case on these bases.
pub(crate) fn cases(bases: &[Arc<Base>], scale: Scale) -> Vec<Case> {
    let families: [Family; 17] = [
        bytes::cases,
        contents::cases,
        encoding::cases,
        statement::cases,
        rows::cases,
        tail::cases,
        forged::cases,
        host::cases,
        history::cases,
        identity::cases,
        deciding::cases,
        executing::cases,
        revoking::cases,
        advice::cases,
        spending::cases,
        unseen::cases,
        stolen::cases,
    ];
    let of_base = |base: &Arc<Base>| -> Vec<Case> { families.iter().flat_map(|family| family(base, scale)).collect() };
    let all = bases.iter().flat_map(of_base);
    all.filter(|case| case.base.is_attacked_by(case.class)).collect()
}
