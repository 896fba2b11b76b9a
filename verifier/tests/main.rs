//! What the verifier says about honest ledgers and about every way to forge one.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod asked;
mod command_line;
mod completeness;
mod damage;
mod entry_verdicts;
mod explained;
mod honest;
mod predecessor;
mod random_honest;
mod random_processes;
mod replay;
mod restored;
mod rules_adoption;
mod rules_advice;
mod rules_chain;
mod rules_decision;
mod rules_erasure;
mod rules_execution;
mod rules_fetch;
mod rules_grant;
mod rules_identity;
mod rules_opening;
mod rules_resumption;
mod rules_revocation;
mod rules_roles;
mod several_processes;
mod support;
mod tamper;
mod trust;
mod vectors;
