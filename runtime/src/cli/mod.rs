//! The command line: reads arguments and the environment, prints, and turns every end into an exit code.

#![expect(clippy::print_stderr, reason = "this is the one place that talks to a person")]

mod arguments;
mod bench;
mod chat;
mod console;
mod demo;
mod exit;
mod grant;
pub(crate) mod household;
mod init;
mod interrupt;
mod keys;
mod ledger;
mod log;
mod models;
mod policy;
mod prompt;
mod run;
mod scene;
mod session;
mod stop;
mod tools;
mod voice;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
pub use exit::{Exit, Failure};

use crate::redact::Redactor;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    for warning in log::start(Redactor::of_process()) {
        eprintln!("warning: {warning}");
    }
    if let Err(error) = hide_memory() {
        eprintln!("error: the memory of this process cannot be hidden from others: {error}");
        return Exit::Environment.into();
    }
    // The arguments are not logged: a task may be anything. A failure says what a person is told anyway.
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "begins");
    match catch_unwind(AssertUnwindSafe(|| dispatch(arguments.command))) {
        Ok(Ok(End::Exit(exit))) => {
            tracing::info!(?exit, "ends");
            exit.into()
        }
        Ok(Ok(End::Code(code))) => code,
        Ok(Err(failure)) => {
            tracing::error!(exit = ?failure.exit, "{failure}");
            tell(&failure);
            failure.exit.into()
        }
        Err(_) => {
            tell(&"error: this is a bug of countersign; the ledger, if one was begun, is left open");
            Exit::Bug.into()
        }
    }
}

/// Says something to whoever listens; that nobody does must not change how the program ends.
fn tell(what: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// How a command ended: with a code of ours, or with one of the verifier's.
enum End {
    Exit(Exit),
    Code(ExitCode),
}

fn dispatch(command: Command) -> Result<End, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments).map(End::Exit),
        Command::Init(arguments) => init::run(&arguments).map(End::Exit),
        Command::Run(arguments) => run::run(arguments).map(End::Exit),
        Command::Chat(arguments) => chat::run(arguments).map(End::Exit),
        Command::Stop(arguments) => stop::run(&arguments).map(End::Exit),
        Command::Grant(command) => grant::run(command).map(End::Exit),
        Command::Ledger(command) => ledger::run(command).map(End::Exit),
        Command::Policy(command) => policy::run(command).map(End::Exit),
        Command::Tools(arguments) => tools::run(&arguments).map(End::Exit),
        Command::Bench(command) => bench::run(&command).map(End::Exit),
        Command::Verify { rest } => {
            let arguments = std::iter::once(OsString::from("countersign verify")).chain(rest);
            Ok(End::Code(countersign_verifier::cli::main(arguments)))
        }
    }
}

/// Keys are in memory, and a passphrase may be in the environment: a command that an agent runs as the same user could
/// read both below `/proc`, and a core dump would keep them. A program that is executed from here is not affected.
#[cfg(target_os = "linux")]
fn hide_memory() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Elsewhere no other process of the user can read either without a debugger's rights.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "Linux can refuse")]
fn hide_memory() -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn nobody_else_can_look_into_this_process() -> std::io::Result<()> {
        super::hide_memory()?;
        let behavior = rustix::process::dumpable_behavior()?;
        assert_eq!(behavior, rustix::process::DumpableBehavior::NotDumpable);
        Ok(())
    }
}
