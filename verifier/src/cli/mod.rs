//! The command line of `verify`, and of `countersign verify`.
//!
//! The result goes to stdout, what went wrong with the arguments or the file to stderr. Exit codes are those of
//! authority-v1 §6.2. Output is plain text on every terminal.

mod arguments;
mod brought;
mod entries;
mod tell;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use countersign_ledger::reader::LedgerReader;

use crate::audit::{AuditOptions, Report, Verdict, audit, compare, stated_size};
use arguments::Arguments;
use tell::{tell, tell_unreadable};

/// Exit code of wrong usage.
pub const EXIT_USAGE: u8 = 2;
/// Exit code when the result could not be written.
const EXIT_UNREADABLE: u8 = 4;

/// Runs `verify` on the process's own stdout and stderr; the first argument is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (out, err) = (io::stdout().lock(), io::stderr().lock());
    ExitCode::from(run(arguments, &mut io::BufWriter::new(out), &mut { err }))
}

/// Runs `verify` and gives its exit code; the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let written = match Arguments::parse(arguments) {
        Ok(arguments) => judge_all(&arguments, out, err),
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let text = error.render().to_string();
            let written = if error.use_stderr() {
                write!(err, "{text}")
            } else {
                write!(out, "{text}")
            };
            written.map(|()| code)
        }
    };
    match written.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => code,
        // The reader went away: nobody is left to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_UNREADABLE,
        Err(error) => {
            let _ = writeln!(err, "error: the result could not be written: {error}");
            EXIT_UNREADABLE
        }
    }
}

fn judge_all(arguments: &Arguments, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let mut options = match brought::options(arguments) {
        Ok(options) => options,
        Err(error) => {
            writeln!(err, "error: {error}\nhint: {}", error.hint())?;
            return Ok(EXIT_USAGE);
        }
    };
    let ledgers = &arguments.ledgers;
    if ledgers.len() > 1 {
        let stated = ledgers.iter().filter_map(|path| LedgerReader::open(path).ok());
        options.marks = stated.filter_map(|reader| stated_size(&reader)).collect();
    }
    // Ledgers that state no predecessor are judged and told of one by one; the others are compared first.
    let together = if options.marks.is_empty() { 1 } else { ledgers.len() };
    let mut worst = Verdict::Verified;
    let mut first = true;
    for ledgers in ledgers.chunks(together) {
        if arguments.entries {
            worst = worst.max(entries::list(ledgers, arguments, &options, out, err)?);
            continue;
        }
        for (path, report) in ledgers.iter().zip(judge(ledgers, &options, err)?) {
            if !first && !arguments.json {
                writeln!(out)?;
            }
            first = false;
            tell(path, arguments, &report, out, err)?;
            worst = worst.max(report.verdict());
        }
    }
    Ok(worst.exit_code())
}

/// Judges ledgers, and each that continues another one of them beside that one.
fn judge(ledgers: &[PathBuf], options: &AuditOptions, err: &mut impl Write) -> io::Result<Vec<Report>> {
    let mut reports = Vec::with_capacity(ledgers.len());
    for path in ledgers {
        reports.push(match LedgerReader::open(path) {
            Ok(reader) => audit(&reader, options),
            Err(error) => {
                tell_unreadable(&error, err)?;
                Report::unreadable(&error, options)
            }
        });
    }
    compare(&mut reports);
    Ok(reports)
}
