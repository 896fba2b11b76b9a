//! The two programs as a user has them: started as processes, judged by exit code, output and the files they leave.
//!
//! Every module is one topic and every test's name a claim. Ledgers are read with SQLite and with `countersign ledger`,
//! attacks are made on copies of one demo ledger that all tests share.

mod auditor;
mod bad_input;
mod bits;
mod breakers;
mod chat;
mod cli;
mod clock;
mod concurrency;
mod copies;
mod corpus;
mod crash;
mod cuts;
mod demo;
mod disk;
mod faults;
mod forgery;
mod fuzzers;
mod gate;
mod grants;
mod interrupt;
mod kills;
mod logging;
mod memory;
mod policy;
mod power;
mod providers;
mod reopen;
mod rows;
mod run;
mod session_tools;
mod several;
mod stop;
mod support;
mod terminal;
mod verdicts;
