//! `verify --entries`: a line for each entry (authority-v1 §6.5).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use countersign_ledger::reader::LedgerReader;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;
use serde_json::json;

use super::arguments::Arguments;
use super::tell::{shown, tell_unreadable};
use crate::audit::{
    AuditOptions, EntryVerdict, EntryWord, Listing, NAMED_MAX, Report, Verdict, audit_listing, compare,
};
use crate::code::Code;
use crate::visible::visible_json;

/// Judges ledgers, each that continues another one of them beside that one, and tells of their entries; gives the worst
/// verdict.
pub(super) fn list(
    ledgers: &[PathBuf],
    arguments: &Arguments,
    options: &AuditOptions,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Verdict> {
    let (mut reports, mut listings) = (Vec::new(), Vec::new());
    for path in ledgers {
        let (report, listing) = judge(path, options, err)?;
        reports.push(report);
        listings.push(listing);
    }
    compare(&mut reports);
    let mut worst = Verdict::Verified;
    for ((path, report), listing) in ledgers.iter().zip(&reports).zip(listings) {
        worst = worst.max(report.verdict());
        let mut tell = |verdict: &EntryVerdict| write_line(path, arguments, verdict, out);
        match listing {
            Some((reader, mut listing)) => {
                listing.note(report);
                listing.tell(&reader, options, tell)?;
            }
            None => tell(&unreadable(report))?,
        }
    }
    Ok(worst)
}

type Listed = (Report, Option<(LedgerReader, Listing)>);

fn judge(path: &Path, options: &AuditOptions, err: &mut impl Write) -> io::Result<Listed> {
    match LedgerReader::open(path) {
        Ok(reader) => {
            let (report, listing) = audit_listing(&reader, options, NAMED_MAX);
            Ok((report, Some((reader, listing))))
        }
        Err(error) => {
            tell_unreadable(&error, err)?;
            Ok((Report::unreadable(&error, options), None))
        }
    }
}

/// What is said of an input without entries that could be read.
fn unreadable(report: &Report) -> EntryVerdict {
    EntryVerdict {
        entry: None,
        kind: None,
        verdict: EntryWord::Unjudged,
        codes: report.findings.iter().map(|finding| finding.code).collect(),
    }
}

fn write_line(path: &Path, arguments: &Arguments, verdict: &EntryVerdict, out: &mut impl Write) -> io::Result<()> {
    let EntryVerdict {
        entry,
        kind,
        verdict,
        codes,
    } = verdict;
    let (kind, codes) = (kind.map(Kind::name), codes.iter().map(|code| Code::as_str(*code)));
    if arguments.json {
        let document = json!({
            "schema": "countersign.entry-verdict/v1",
            "entry": entry.map(Seq::get),
            "kind": kind,
            "verdict": verdict.as_str(),
            "codes": codes.collect::<Vec<_>>(),
            "input": shown(path),
        });
        return writeln!(out, "{}", visible_json(&document.to_string()));
    }
    let input = if arguments.ledgers.len() > 1 {
        format!("{}: ", shown(path))
    } else {
        String::new()
    };
    let place = entry.map_or_else(|| "ledger".to_owned(), |seq| format!("entry {seq}"));
    let words = std::iter::once(verdict.as_str()).chain(codes).collect::<Vec<_>>();
    writeln!(out, "{input}{place}  {}  {}", kind.unwrap_or("-"), words.join(" "))
}
