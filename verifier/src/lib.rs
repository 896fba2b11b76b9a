//! The law, replay and explanation: what can be proven afterwards (`schemas/authority-v1.md`).
//!
//! Pure core: bytes and evidence come in as arguments. Only [`audit`] reads a ledger file, through `countersign-ledger`,
//! only [`fold_file`] writes one, beside it, and only [`cli`] prints. No clock, no network; what a verdict rests on is in the
//! file, in the anchors and heads that the auditor brings, and in this code.
//!
//! | module | what |
//! |---|---|
//! | [`code`], [`finding`] | the rules by their codes; what is said when one is broken |
//! | [`policy`] | policy layers, and what they say about one request |
//! | [`projection`] | from an action request to the question that policy is asked |
//! | [`law`] | the fold over entries: run by a writer before, by a verifier after |
//! | [`audit`] | a whole file: encoding, signatures, payloads, checkpoints, anchors, verdict |
//! | [`fold_file`] | a folded ledger in a file, for a writer that opens it again |
//! | [`explain`] | who did what, on whose authority, as a tree for people |
//! | [`visible`] | text of strangers, made fit to be looked at |
//! | [`cli`] | the command line of `verify` |

pub mod audit;
pub mod cli;
pub mod code;
pub mod explain;
pub mod finding;
pub mod fold_file;
pub mod law;
pub mod policy;
pub mod projection;
pub mod visible;
