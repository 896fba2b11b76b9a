//! Telling of a verdict: as text for people, as JSON for programs.

use std::io::{self, Write};
use std::path::Path;

use countersign_ledger::reader::ReadError;

use super::arguments::Arguments;
use crate::audit::Report;
use crate::explain::{Selection, authority_tree};
use crate::finding::Finding;
use crate::visible::{visible, visible_json};

/// Longest path or argument of a stranger that is repeated, in characters.
pub(super) const SHOWN_CHARS_MAX: usize = 400;

/// Tells of one ledger.
pub(super) fn tell(
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
        if let (Some(selection), Some(story)) = (arguments.selection(), &report.story) {
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

pub(super) fn tell_unreadable(error: &ReadError, err: &mut impl Write) -> io::Result<()> {
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
    writeln!(
        err,
        "error: {}\nhint: {hint}",
        visible(&with_causes(error), SHOWN_CHARS_MAX)
    )
}

/// An error with everything that caused it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
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
        let name = report.anchor.as_ref().and_then(|anchor| anchor.name.as_deref());
        let name = name.map_or_else(String::new, |name| format!(", {}", visible(name, SHOWN_CHARS_MAX)));
        writeln!(out, "ledger     {ledger}\nprincipal  {principal}{name}")?;
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
    let asked = report.asked.words();
    if !asked.is_empty() {
        writeln!(out, "asked      {}", asked.join(", "))?;
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

pub(super) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy(), SHOWN_CHARS_MAX)
}
