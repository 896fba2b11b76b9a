//! The command line of `verify`, and of `countersign verify`.
//!
//! The result goes to stdout, what went wrong with the arguments or the file to stderr. Exit codes are those of
//! authority-v1 §6.2. Output is plain text on every terminal.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use countersign_identity::trust::Anchor;
use countersign_ledger::layout::NOTE_BYTES_MAX;
use countersign_ledger::reader::{LedgerReader, ReadError};
use countersign_schemas::number::Seq;
use thiserror::Error;

use crate::audit::{AuditOptions, Report, Verdict, audit, compare, stated_size};
use crate::explain::{Selection, authority_tree};
use crate::finding::Finding;
use crate::visible::{visible, visible_json};

/// Exit code of wrong usage.
pub const EXIT_USAGE: u8 = 2;
/// Exit code when the result could not be written.
const EXIT_UNREADABLE: u8 = 4;

/// Largest trust anchor file: one DID and a line end.
const ANCHOR_BYTES_MAX: usize = 16_384;

/// Longest path or argument of a stranger that is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 400;

/// Proves a ledger: who acted, on whose authority, and whether anything was changed
#[derive(Debug, Parser)]
#[command(version, group(ArgGroup::new("part").args(["action", "agent", "entry"])))]
#[command(after_help = "Exit codes: 0 verified, 1 rejected, 2 wrong usage, 3 incomplete, 4 unreadable.")]
struct Arguments {
    /// Ledger files
    #[arg(required = true, value_name = "LEDGER")]
    ledgers: Vec<PathBuf>,
    /// Trust this principal: a DID, or a file that holds one. May be repeated
    #[arg(long, value_name = "FILE|DID")]
    trust: Vec<OsString>,
    /// A checkpoint that was kept elsewhere: the ledger must contain it. May be repeated
    #[arg(long, value_name = "FILE")]
    head: Vec<PathBuf>,
    /// Show who did what, on whose authority
    #[arg(long)]
    explain: bool,
    /// Show one action, named by any of its entries
    #[arg(long, value_name = "N")]
    action: Option<u64>,
    /// Show one agent and its actions, named by DID or name
    #[arg(long, value_name = "DID")]
    agent: Option<String>,
    /// Show one entry
    #[arg(long, value_name = "N")]
    entry: Option<u64>,
    /// Print one JSON document a ledger
    #[arg(long, conflicts_with_all = ["explain", "part"])]
    json: bool,
    /// Ask nothing (nothing is ever asked)
    #[arg(long)]
    no_input: bool,
}

/// What is wrong with the arguments.
#[derive(Debug, Error)]
enum UsageError {
    #[error("a ledger cannot be read from standard input: it is a database, not a stream")]
    StandardInput,
    #[error("--trust {}: {source}", visible(.given, SHOWN_CHARS_MAX))]
    Anchor {
        given: String,
        source: Box<dyn std::error::Error>,
    },
    #[error("--head {}: {source}", shown(.path))]
    Head { path: PathBuf, source: io::Error },
}

impl UsageError {
    fn hint(&self) -> &'static str {
        match self {
            Self::StandardInput => "write it to a file and give the path",
            Self::Anchor { .. } => "give a did:peer:4 or the principal.did file that `countersign init` wrote",
            Self::Head { .. } => "give a checkpoint as `countersign ledger checkpoint` prints it",
        }
    }
}

/// Runs `verify` on the process's own stdout and stderr; the first argument is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (out, err) = (io::stdout().lock(), io::stderr().lock());
    ExitCode::from(run(arguments, &mut io::BufWriter::new(out), &mut { err }))
}

/// Runs `verify` and gives its exit code; the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let written = match parse(arguments) {
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

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next().unwrap_or_else(|| OsString::from("verify"));
    let bin_name = Path::new(&name)
        .file_name()
        .unwrap_or(&name)
        .to_string_lossy()
        .into_owned();
    let matches = <Arguments as clap::CommandFactory>::command()
        .name("verify")
        .bin_name(bin_name)
        .try_get_matches_from(std::iter::once(name).chain(arguments))?;
    <Arguments as clap::FromArgMatches>::from_arg_matches(&matches)
}

fn judge_all(arguments: &Arguments, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let mut options = match options(arguments) {
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
                Report::unreadable(&error)
            }
        });
    }
    compare(&mut reports);
    Ok(reports)
}

fn options(arguments: &Arguments) -> Result<AuditOptions, UsageError> {
    if arguments.ledgers.iter().any(|ledger| ledger.as_os_str() == "-") {
        return Err(UsageError::StandardInput);
    }
    let heads = arguments.head.iter().map(|path| {
        read_bounded(path, NOTE_BYTES_MAX).map_err(|source| UsageError::Head {
            path: path.clone(),
            source,
        })
    });
    Ok(AuditOptions {
        anchors: arguments.trust.iter().map(anchor).collect::<Result<_, _>>()?,
        heads: heads.collect::<Result<_, _>>()?,
        story: selection(arguments).is_some(),
        marks: BTreeSet::new(),
    })
}

/// A DID begins with `did:`; everything else is a path.
fn anchor(given: &OsString) -> Result<Anchor, UsageError> {
    let text = given.to_string_lossy();
    let refused = |source| UsageError::Anchor {
        given: text.clone().into_owned(),
        source,
    };
    if text.starts_with("did:") {
        return Anchor::parse(&text).map_err(|error| refused(error.into()));
    }
    let bytes = read_bounded(Path::new(given), ANCHOR_BYTES_MAX).map_err(|error| refused(error.into()))?;
    let content = String::from_utf8(bytes).map_err(|error| refused(error.into()))?;
    Anchor::parse(&content).map_err(|error| refused(error.into()))
}

fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("more than {bytes_max} bytes"),
        ));
    }
    Ok(bytes)
}

fn selection(arguments: &Arguments) -> Option<Selection> {
    let part = arguments.action.map(|seq| Selection::Action(Seq::clamped(seq)));
    let part = part.or_else(|| arguments.agent.clone().map(Selection::Agent));
    let part = part.or_else(|| arguments.entry.map(|seq| Selection::Entry(Seq::clamped(seq))));
    part.or_else(|| arguments.explain.then_some(Selection::Everything))
}

fn tell(
    path: &Path,
    arguments: &Arguments,
    report: &Report,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    if arguments.json {
        let mut document = report.to_json();
        document["input"] = shown(path).into();
        writeln!(out, "{}", visible_json(&document.to_string()))?;
    } else {
        write_report(path, arguments, report, out)?;
        if let (Some(selection), Some(story)) = (selection(arguments), &report.story) {
            match authority_tree(story, &selection) {
                Some(tree) => write!(out, "\n{tree}")?,
                None => writeln!(err, "hint: {} holds no such {}", shown(path), part_name(&selection))?,
            }
        }
    }
    Ok(())
}

fn part_name(selection: &Selection) -> &'static str {
    match selection {
        Selection::Everything => "entries",
        Selection::Action(_) => "action",
        Selection::Agent(_) => "agent",
        Selection::Entry(_) => "entry",
    }
}

fn tell_unreadable(error: &ReadError, err: &mut impl Write) -> io::Result<()> {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let hint = match error {
        ReadError::Missing { .. } => "check the path; a ledger is one file, `ledger.db` by default",
        ReadError::Newer { .. } => "use a newer version of verify",
        ReadError::WalUnreadable { .. } => "copy the ledger and its -wal into a folder that can be written",
        ReadError::InterruptedWrite { .. } => "open it once with SQLite to undo the interrupted write",
        ReadError::Busy { .. } => "wait until the other program is done",
        ReadError::NotPermitted { .. } => "ask for read permission, or copy the file",
        ReadError::Io { .. } | ReadError::Corrupt { .. } => "copy the file from a sound backup or medium",
        _ => "give a ledger that countersign wrote",
    };
    writeln!(err, "error: {}\nhint: {hint}", visible(&text, SHOWN_CHARS_MAX))
}

fn write_report(path: &Path, arguments: &Arguments, report: &Report, out: &mut impl Write) -> io::Result<()> {
    let prefix = if arguments.ledgers.len() > 1 {
        format!("{}: ", shown(path))
    } else {
        String::new()
    };
    let (entries, assurance) = (report.entries, &report.assurance);
    let word = if entries == 1 { "entry" } else { "entries" };
    writeln!(
        out,
        "{prefix}{}  {entries} {word}  end: {} · time: {} · pq: {}",
        report.verdict().as_str(),
        assurance.end,
        assurance.time,
        assurance.pq
    )?;
    if let (Some(ledger), Some(principal)) = (&report.ledger, &report.principal) {
        writeln!(out, "ledger     {ledger}\nprincipal  {principal}")?;
    }
    if let Some(predecessor) = &report.predecessor {
        let (stated, checked) = (
            &predecessor.stated,
            if predecessor.checked { "checked" } else { "not checked" },
        );
        let (ledger, size, root) = (stated.ledger, stated.size, stated.root);
        writeln!(out, "follows    {ledger}, {size} entries, root {root}, {checked}")?;
    }
    for policy in &report.policies {
        let digest = policy
            .sha256
            .map_or_else(|| "text absent".to_owned(), |digest| format!("sha256 {digest}"));
        writeln!(
            out,
            "policy     layer {} {}, entry {}, {digest}",
            policy.layer.code(),
            policy.layer,
            policy.entry
        )?;
    }
    write_findings("findings", &report.findings, out)?;
    if let Some(entry) = report.findings.first().and_then(|finding| finding.entry) {
        writeln!(out, "hint: `verify {} --entry {entry}` shows that entry", shown(path))?;
    }
    write_findings("unproven", &report.unproven, out)?;
    if report.omitted > 0 {
        writeln!(out, "and {} more", report.omitted)?;
    }
    Ok(())
}

fn write_findings(title: &str, findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for finding in findings {
        let entry = finding
            .entry
            .map_or_else(|| "ledger".to_owned(), |seq| format!("entry {seq}"));
        writeln!(out, "  {}  {entry}  {}", finding.code, finding.code.sentence())?;
        writeln!(
            out,
            "      expected {}\n      found    {}",
            finding.expected, finding.found
        )?;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy(), SHOWN_CHARS_MAX)
}
