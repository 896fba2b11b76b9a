//! The verifier as a library, asked many times over: exit code and findings without a process for each question.

use std::fmt;
use std::path::Path;

use countersign_identity::trust::Anchor;
use countersign_ledger::reader::LedgerReader;
use countersign_verifier::audit::{AuditOptions, Report, audit};

use super::Checked;

/// An auditor with one trust anchor.
pub(crate) struct Judge {
    options: AuditOptions,
}

/// What was found.
pub(crate) struct Judged {
    pub(crate) code: i32,
    report: Report,
}

impl Judge {
    pub(crate) fn new(anchor: &Path) -> Checked<Self> {
        Ok(Self::trusting(Some(Anchor::parse(&std::fs::read_to_string(anchor)?)?)))
    }

    /// An auditor who trusts this anchor, or nobody.
    pub(crate) fn trusting(anchor: Option<Anchor>) -> Self {
        Self {
            options: AuditOptions {
                anchors: anchor.into_iter().collect(),
                ..AuditOptions::default()
            },
        }
    }

    /// The judge who was given this head as well.
    pub(crate) fn with_head(mut self, head: Vec<u8>) -> Self {
        self.options.heads.push(head);
        self
    }

    pub(crate) fn judge(&self, ledger: &Path) -> Checked<Judged> {
        let report = match LedgerReader::open(ledger) {
            Ok(reader) => audit(&reader, &self.options),
            Err(error) => Report::unreadable(&error, &self.options),
        };
        Ok(Judged {
            code: report.verdict().exit_code().into(),
            report,
        })
    }
}

impl Judged {
    /// Whether a finding names this entry.
    pub(crate) fn names(&self, entry: u64) -> bool {
        self.report
            .findings
            .iter()
            .any(|finding| finding.entry.is_some_and(|seq| seq.get() == entry))
    }

    /// Whether a finding has this code at this entry.
    pub(crate) fn finds(&self, code: &str, entry: u64) -> bool {
        let is_it = |seq: countersign_schemas::number::Seq| seq.get() == entry;
        self.report
            .findings
            .iter()
            .any(|finding| finding.code.as_str() == code && finding.entry.is_some_and(is_it))
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        let mut told = self.report.findings.iter().chain(&self.report.unproven);
        told.try_for_each(|finding| {
            let entry = finding.entry.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
            write!(f, "; {} at {entry}: {}", finding.code, finding.text())
        })
    }
}
