//! Ledgers for the tests: an honest one, and every change an attacker with all keys could make to it.

pub(crate) mod aftermath;
pub(crate) mod amends;
pub(crate) mod cast;
pub(crate) mod credentials;
pub(crate) mod file;
pub(crate) mod orders;
pub(crate) mod story;
pub(crate) mod writer;

use std::collections::BTreeSet;

use countersign_identity::trust::Anchor;
use countersign_ledger::reader::{StoredCheckpoint, StoredEntry, StoredRecord};
use countersign_verifier::audit::{AuditOptions, Report, Rows, Verdict, audit_rows};

use countersign_schemas::body::{Body, Check};
use countersign_schemas::number::Seq;
use countersign_verifier::finding::Finding;

use cast::Who;
use story::tell;
use writer::{Twist, Writer};

/// A finished ledger in memory.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) checkpoints: Vec<StoredCheckpoint>,
}

impl Told {
    /// What a writer has written so far.
    pub(crate) fn from_written(writer: &Writer<'_>) -> Self {
        Self {
            entries: writer.entries.clone(),
            checkpoints: writer.checkpoints.clone(),
        }
    }
}

impl Told {
    /// One record, read again.
    pub(crate) fn again(&self, seq: Seq) -> Option<StoredRecord> {
        let place = i64::try_from(seq.get()).ok()?;
        let row = self.entries.iter().find(|row| row.seq == place)?;
        Some(StoredRecord {
            record: row.record.clone(),
            slots: row.payloads.iter().map(|payload| payload.slot).collect(),
        })
    }
}

impl From<Writer<'_>> for Told {
    fn from(writer: Writer<'_>) -> Self {
        Self {
            entries: writer.entries,
            checkpoints: writer.checkpoints,
        }
    }
}

pub(crate) fn anchored() -> AuditOptions {
    AuditOptions {
        anchors: vec![Anchor::Long(Who::Principal.did().clone())],
        ..AuditOptions::default()
    }
}

pub(crate) fn audit(told: &Told, options: &AuditOptions) -> Report {
    let rows = Rows {
        genesis: told.entries.iter().find(|entry| entry.seq == 0).cloned(),
        entries: told.entries.iter().cloned().map(Ok),
        checkpoints: told.checkpoints.iter().cloned().map(Ok),
        again: &|seq| told.again(seq),
    };
    audit_rows(rows, options)
}

/// The whole story, as it should be.
pub(crate) fn honest() -> Told {
    tell(Twist::honest()).into()
}

/// Asserts that nothing is wrong with a ledger, and nothing left unproven.
#[track_caller]
pub(crate) fn is_verified(report: &Report) {
    assert_eq!(
        (codes(report), unproven(report)),
        (Vec::new(), Vec::new()),
        "{report:#?}"
    );
    assert_eq!(report.verdict(), Verdict::Verified);
}

/// Code and entry of every finding.
pub(crate) fn codes(report: &Report) -> Vec<(String, Option<u64>)> {
    report.findings.iter().map(place).collect()
}

/// Code and entry of everything that is unproven.
pub(crate) fn unproven(report: &Report) -> Vec<(String, Option<u64>)> {
    report.unproven.iter().map(place).collect()
}

fn place(finding: &Finding) -> (String, Option<u64>) {
    (finding.code.to_string(), finding.entry.map(Seq::get))
}

/// The rules that a part of the decision with `label` names, as it is recorded.
pub(crate) fn rules_of(writer: &Writer<'_>, label: &str, check: Check) -> Vec<String> {
    let row = &writer.entries[usize::try_from(writer.at(label).get()).expect("a short story")];
    let Body::DecisionMade(body) = orders::statement_of(row).body else {
        panic!("{label} is no decision");
    };
    let parts = body.parts.iter().filter(|part| part.check == check);
    parts
        .flat_map(|part| part.rules.iter().map(|rule| rule.as_str().to_owned()))
        .collect()
}

/// Asserts that a twisted story breaks `code` at the entry with `label`, and nothing else; that a runtime would have
/// refused to write it; and that the ledger is rejected.
#[track_caller]
pub(crate) fn breaks(twist: Twist<'_>, code: &str, label: &str) {
    let writer = tell(twist);
    let entry = writer.at(label).get();
    let refused = writer
        .refusals
        .first()
        .map(|refusal| (refusal.code.to_string(), refusal.entry.map(Seq::get)));
    let report = audit(&writer.into(), &anchored());
    let found: BTreeSet<_> = codes(&report).into_iter().collect();
    assert_eq!(
        found,
        BTreeSet::from([(code.to_owned(), Some(entry))]),
        "{:#?}",
        report.findings
    );
    assert_eq!(
        refused,
        Some((code.to_owned(), Some(entry))),
        "a runtime would have written it"
    );
    assert_eq!(report.verdict().exit_code(), 1);
}

/// As [`breaks`], for what only signatures and bytes show: the law sees no difference.
#[track_caller]
pub(crate) fn breaks_bytes(twist: Twist<'_>, code: &str, label: &str) {
    let writer = tell(twist);
    let entry = writer.at(label).get();
    let report = audit(&writer.into(), &anchored());
    let found: BTreeSet<_> = codes(&report).into_iter().collect();
    assert_eq!(
        found,
        BTreeSet::from([(code.to_owned(), Some(entry))]),
        "{:#?}",
        report.findings
    );
    assert_eq!(report.verdict().exit_code(), 1);
}

/// Asserts that a twisted story leaves exactly this unproven, and is incomplete.
#[track_caller]
pub(crate) fn leaves_open(twist: Twist<'_>, open: &[(&str, &str)]) {
    let writer = tell(twist);
    let expected: BTreeSet<_> = open
        .iter()
        .map(|(code, label)| ((*code).to_owned(), Some(writer.at(label).get())))
        .collect();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [], "{:#?}", report.findings);
    let found = |finding: &Finding| (finding.code.to_string(), finding.entry.map(Seq::get));
    let unproven: BTreeSet<_> = report.unproven.iter().map(found).collect();
    assert_eq!(unproven, expected, "{:#?}", report.unproven);
    assert_eq!(report.verdict().exit_code(), 3);
}

/// As [`breaks_first`], at entry 0: everything behind it rests on it.
#[track_caller]
pub(crate) fn opening_breaks(twist: Twist<'_>, code: &str) {
    breaks_first(twist, code, "opened");
}

/// As [`breaks`], where what follows in the story cannot be lawful either: the first breach counts.
#[track_caller]
pub(crate) fn breaks_first(twist: Twist<'_>, code: &str, label: &str) {
    let writer = tell(twist);
    let entry = writer.at(label).get();
    let refused = writer
        .refusals
        .first()
        .map(|refusal| (refusal.code.to_string(), refusal.entry.map(Seq::get)));
    let report = audit(&writer.into(), &anchored());
    assert_eq!(
        codes(&report).first(),
        Some(&(code.to_owned(), Some(entry))),
        "{:#?}",
        report.findings
    );
    assert_eq!(
        refused,
        Some((code.to_owned(), Some(entry))),
        "a runtime would have written it"
    );
    assert_eq!(report.verdict().exit_code(), 1);
}
