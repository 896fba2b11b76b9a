//! Judging a whole ledger: steps V1 to V9 of authority-v1 §6.
//!
//! [`audit`] reads a ledger once, front to back, in bounded memory, and goes on after whatever it finds. It trusts
//! nothing but the anchors and heads that it was given. [`replay`] takes the same steps for a writer that opens a ledger
//! again, and may begin behind what it folded itself.

mod asked;
mod collected;
mod entry_verdicts;
mod erasures;
mod heads;
mod limits;
mod payloads;
mod policies_asked;
mod predecessor;
mod replay;
mod report;
mod row;
mod signatures;

pub use asked::{Asked, Required};
pub use entry_verdicts::{EntryVerdict, EntryWord, Listing, NAMED_MAX, audit_listing};
pub use predecessor::{Continued, compare, stated_size};
pub use replay::{Folded, ReplayError, SnapshotError, replay};
pub use report::{Assurance, PolicyInForce, Report, TrustedAs, Verdict};

use std::collections::BTreeSet;

use countersign_identity::trust::Anchor;
use countersign_ledger::merkle::Frontier;
use countersign_ledger::reader::{ItemError, LedgerReader, StoredCheckpoint, StoredEntry, StoredRecord, Table};
use countersign_ledger::store::WalDamage;
use countersign_schemas::body::{Body, Predecessor};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{Seen, Statement};

use crate::code::{Class, Code};
use crate::explain::Story;
use crate::finding::Finding;
use crate::law::{Entry, Law};
use asked::Auditor;
use collected::Collected;
use entry_verdicts::Named;
use erasures::{Absent, Again, Target};
use heads::Heads;
use payloads::Unfit;
use predecessor::Marks;
use row::{Decoded, Row};
use signatures::{Keys, Verified};

/// Most rows that are held at once.
const BATCH_ROWS: usize = 256;
/// Bytes of records and payloads after which a batch is full.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What can stand in front of the first entry: a finding about each of its payload rows, and one about their table.
const ITEMS_BEFORE_ENTRY_MAX: usize = 9;

/// What the auditor brings along.
#[derive(Debug, Clone, Default)]
pub struct AuditOptions {
    /// The principals that are trusted; the ledger's has to be one of them.
    pub anchors: Vec<Anchor>,
    /// Checkpoint notes that were kept elsewhere.
    pub heads: Vec<Vec<u8>>,
    /// What is asked of the ledger beyond the law.
    pub asked: Asked,
    /// Whether to collect what [`crate::explain`] shows.
    pub story: bool,
    /// Sizes that other ledgers state of a predecessor, as [`stated_size`] gives them: what stands there is remembered for
    /// [`compare`].
    pub marks: BTreeSet<Size>,
}

/// A ledger as rows, wherever they come from.
pub struct Rows<'r, E, C> {
    /// The first row, which names the checkpoint keys.
    pub genesis: Option<StoredEntry>,
    /// All rows, the first one included.
    pub entries: E,
    /// All checkpoint rows.
    pub checkpoints: C,
    /// Reads one record again: an erasure is judged by the entry that it names, which may lie far behind.
    pub again: &'r dyn Fn(Seq) -> Option<StoredRecord>,
}

/// Judges the ledger behind `reader`.
#[must_use]
pub fn audit(reader: &LedgerReader, options: &AuditOptions) -> Report {
    audit_naming(reader, options, Named::default()).0
}

/// As [`audit`]; gives what `named` remembers too.
fn audit_naming(reader: &LedgerReader, options: &AuditOptions, named: Named) -> (Report, Listing) {
    let rows = Rows {
        genesis: genesis_of(reader),
        entries: reader.entries(),
        checkpoints: reader.checkpoints(),
        again: &|seq| again(reader, seq),
    };
    let mut audit = read_all(rows, options, named);
    audit.findings.extend(lost_commits(reader));
    audit.report(options)
}

/// The first row, with as many of its payloads as can be read. What is wrong with it is found again, and named, when the
/// rows are read in order.
fn genesis_of(reader: &LedgerReader) -> Option<StoredEntry> {
    let mut items = reader.entries_from(Seq::ZERO).take(ITEMS_BEFORE_ENTRY_MAX + 1);
    items.find_map(Result::ok).filter(|entry| entry.seq == 0)
}

/// The record at `seq`, which was handed out before.
fn again(reader: &LedgerReader, seq: Seq) -> Option<StoredRecord> {
    reader.record(seq).ok().flatten()
}

/// Transactions that SQLite no longer sees, because the `-wal` is damaged before them (ledger-v1 §4.9).
fn lost_commits(reader: &LedgerReader) -> Option<Finding> {
    let found = match reader.wal_damage() {
        Ok(None) => return None,
        Ok(Some(WalDamage { frame, commits })) => {
            format!("damage at frame {frame}; the {commits} commits from there on are lost")
        }
        Err(error) => error.to_string(),
    };
    Some(Finding::whole(Code::C1, "a sound -wal", found))
}

/// Judges rows.
pub fn audit_rows<E, C>(rows: Rows<'_, E, C>, options: &AuditOptions) -> Report
where
    E: Iterator<Item = Result<StoredEntry, ItemError>>,
    C: Iterator<Item = Result<StoredCheckpoint, ItemError>>,
{
    read_all(rows, options, Named::default()).report(options).0
}

fn read_all<'r, E, C>(rows: Rows<'r, E, C>, options: &AuditOptions, named: Named) -> Audit<'r>
where
    E: Iterator<Item = Result<StoredEntry, ItemError>>,
    C: Iterator<Item = Result<StoredCheckpoint, ItemError>>,
{
    let genesis = rows.genesis.and_then(Row::read);
    let heads = Heads::read(genesis.as_ref(), rows.checkpoints, &options.heads);
    let mut audit = Audit::behind(Folded::default(), heads, rows.again);
    audit.story = options.story.then(Story::default);
    audit.findings.named = named;
    audit.auditor = Auditor::new(options);
    audit.marks = Marks::at(&options.marks);
    audit.read(rows.entries, Until::End);
    audit
}

/// How far rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To the end, whatever is found.
    End,
    /// To the end of the batch in which something is broken or cannot be judged.
    Breach,
}

#[derive(Default)]
struct Batch {
    rows: Vec<StoredEntry>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, stored: StoredEntry) {
        let payloads: usize = stored.payloads.iter().map(|payload| payload.content.len()).sum();
        self.bytes += stored.record.len() + payloads;
        self.rows.push(stored);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }
}

/// A row that waits for the next one, which may show that its record was changed.
struct Waiting {
    row: Row,
    verified: Verified,
}

struct Audit<'a> {
    law: Law,
    keys: Keys,
    tree: Frontier,
    heads: Heads,
    findings: Collected,
    waiting: Option<Waiting>,
    /// Payload rows of the entries to come that were named for what they hold.
    unfit: Unfit,
    absent: Absent,
    again: Again<'a>,
    /// The key that the next row should have.
    next: Seq,
    rows: u64,
    story: Option<Story>,
    auditor: Auditor,
    marks: Marks,
    predecessor: Option<Predecessor>,
}

impl<'a> Audit<'a> {
    /// Goes on behind what was folded already.
    fn behind(folded: Folded, mut heads: Heads, again: Again<'a>) -> Self {
        let Folded { law, tree } = folded;
        heads.note_root(tree.size(), || tree.root());
        Self {
            keys: Keys::of(&law),
            next: law.next_seq(),
            rows: tree.size().get(),
            law,
            tree,
            heads,
            findings: Collected::default(),
            waiting: None,
            unfit: Unfit::default(),
            absent: Absent::default(),
            again,
            story: None,
            auditor: Auditor::default(),
            marks: Marks::default(),
            predecessor: None,
        }
    }

    /// V1 to V6 and F for every row.
    fn read(&mut self, rows: impl Iterator<Item = Result<StoredEntry, ItemError>>, until: Until) {
        let mut batch = Batch::default();
        for item in rows {
            match item {
                Ok(stored) => batch.push(stored),
                Err(error) => {
                    self.take(std::mem::take(&mut batch));
                    self.item_error(&error);
                }
            }
            if batch.is_full() {
                self.take(std::mem::take(&mut batch));
            }
            if until == Until::Breach && !self.findings.breaches.is_empty() {
                return;
            }
        }
        self.take(batch);
        self.go_on(None);
    }

    fn take(&mut self, batch: Batch) {
        let mut rows = Vec::with_capacity(batch.rows.len());
        for stored in batch.rows {
            let key = stored.seq;
            match Row::read(stored) {
                Some(row) => rows.push(row),
                None => self.whole(Code::I4, "rows from 0 on", &format!("row {key}")),
            }
        }
        rows.iter().for_each(|row| self.keys.learn(row));
        let verified = self.keys.verify(&rows);
        rows.into_iter()
            .zip(verified)
            .for_each(|(row, verified)| self.go_on(Some(Waiting { row, verified })));
    }

    /// Judges the row that waits, and lets `next` wait.
    fn go_on(&mut self, next: Option<Waiting>) {
        if let Some(waiting) = self.waiting.take() {
            self.row(waiting, next.as_ref());
        }
        self.waiting = next;
    }

    /// V3: whether the record of `next`, and its author over `seen`, say the same of `before`, and something else than stands
    /// there (authority-v1 §6.1).
    fn shows_change(&self, next: &Waiting, before: &Row) -> bool {
        let (Some(record), Ok(decoded)) = (&next.row.record, &next.row.statement) else {
            return false;
        };
        let statement = &decoded.statement;
        let place = Seq::clamped(before.seq.get() + 1);
        let link = record.prev;
        let size = Size::clamped(place.get());
        link != before.link
            && (next.row.seq, record.seq) == (place, place)
            && statement.kind() != Kind::LedgerOpened
            && statement.seen == Seen { size, link }
            && matches!(next.verified, Verified::Yes)
            && !self.law.author_is_damaged(statement.by)
    }

    fn whole(&mut self, code: Code, expected: &str, found: &str) {
        self.findings.push(Finding::whole(code, expected, found));
    }

    /// Steps V1 to V6 and F for one row; the next one may name it by V3.
    fn row(&mut self, Waiting { row, verified }: Waiting, next: Option<&Waiting>) {
        self.rows += 1;
        let row = &row;
        let is_changed = next.is_some_and(|next| self.shows_change(next, row));
        match self.sound(row, verified) {
            Some((record, decoded)) if !is_changed && !self.law.is_misfit(record.prev) => {
                self.judge(row, record, decoded);
            }
            _ => self.skip(row),
        }
        self.unfit.forget(row.seq);
        self.tree.push(&row.bytes);
        self.next = Seq::clamped(row.seq.get() + 1);
        let size = Size::clamped(self.rows);
        self.heads.note_root(size, || self.tree.root());
        self.marks.note(size, row.link, || self.tree.root());
    }

    /// V1, V2 and V4: what fails is named, and is not judged further.
    fn sound<'r>(&mut self, row: &'r Row, verified: Verified) -> Option<(&'r Record, &'r Decoded)> {
        let is_placed = self.place(row);
        let decoded = match &row.statement {
            Ok(decoded) => decoded,
            Err(finding) => {
                self.name(finding.clone());
                return None;
            }
        };
        if !is_placed {
            return None;
        }
        let statement = &decoded.statement;
        let misplaced = self.law.misplaced(row.seq, statement.kind());
        // Whose keys, or which ledger, cannot be told behind a damaged introduction.
        let is_told = !self.law.author_is_damaged(statement.by);
        let unsigned = || unsigned(row.seq, statement, verified).filter(|_| is_told);
        if let Some(finding) = misplaced.or_else(unsigned) {
            self.name(finding);
            return None;
        }
        Some((row.record.as_ref()?, decoded))
    }

    /// Names the record itself: no root over it is compared, unless it is only of a newer form.
    fn name(&mut self, finding: Finding) {
        if let Some(seq) = finding.entry.filter(|_| finding.is_breach()) {
            self.law.break_roots(seq);
        }
        self.findings.push(finding);
    }

    /// V2. Behind missing rows the count goes on from the first that is there.
    fn place(&mut self, row: &Row) -> bool {
        let stated = row.record.as_ref().map_or(row.seq, |record| record.seq);
        let holds = row.seq == self.next && stated == row.seq;
        if !holds {
            let found = if stated == row.seq {
                format!("entry {stated}")
            } else {
                format!("a record of entry {stated}")
            };
            self.name(Finding::new(Code::I4, row.seq, format!("entry {}", self.next), found));
        }
        holds
    }

    fn skip(&mut self, row: &Row) {
        // Of a row at a wrong place `prev` says nothing about the row before.
        let opens = |decoded: &Decoded| decoded.statement.kind() == Kind::LedgerOpened;
        let is_placed = row
            .statement
            .as_ref()
            .map_or(true, |it| opens(it) == (row.seq == Seq::ZERO));
        let record = row
            .record
            .as_ref()
            .filter(|record| is_placed && record.seq == self.next);
        let prev = record.map(|record| record.prev);
        self.findings.extend(self.law.skip(row.seq, Some(row.link), prev));
    }

    /// V5, V6 and F.
    fn judge(&mut self, row: &Row, record: &Record, decoded: &Decoded) {
        let statement = &decoded.statement;
        let payloads = payloads::check(
            row.seq,
            statement,
            &row.payloads,
            &self.unfit,
            &mut self.absent,
            &mut self.findings,
        );
        let target = Target::of(&statement.body, self.again);
        let entry = Entry {
            seq: row.seq,
            received: record.received,
            prev: record.prev,
            link: row.link,
            tree: &self.tree,
            statement,
            statement_digest: decoded.digest,
            payloads: &payloads,
            named: target.as_ref().map(|target| &target.named),
        };
        let found = self.law.fold(&entry);
        let is_lawful = found.iter().all(|it| it.class == Class::Unproven) && !self.law.is_damaged(row.seq);
        self.findings.extend(found);
        if let (Body::PayloadErased(body), Some(target), true) = (&statement.body, &target, is_lawful) {
            target.erased(row.seq, body, &mut self.absent, &mut self.findings);
        }
        self.auditor.look_at(&self.law, &entry, &mut self.findings);
        if let Some(story) = &mut self.story {
            story.take(&self.law, &entry);
        }
        match &statement.body {
            Body::LedgerOpened(body) if row.seq == Seq::ZERO => self.predecessor.clone_from(&body.predecessor),
            Body::InstanceStopped(body) => self.keys.forget_expansion(body.instance),
            Body::IdentityIntroduced(body) => body
                .succeeds
                .into_iter()
                .for_each(|before| self.keys.forget_expansion(before)),
            _ => {}
        }
    }

    /// A row, or a part of the table, that could not be handed out.
    fn item_error(&mut self, error: &ItemError) {
        if error.is_read_failure() {
            self.whole(Code::U1, "a readable file", &error.to_string());
            return;
        }
        let place = |row: i64| u64::try_from(row).ok().and_then(|row| Seq::new(row).ok());
        if error.table() == Table::Record {
            self.go_on(None);
        }
        match error {
            ItemError::Orphan { seq, .. } => self.damaged(Code::I9, place(*seq), "payloads of entries only", error),
            ItemError::WrongType {
                table: Table::Payload,
                row,
                ..
            }
            | ItemError::TooLong {
                table: Table::Payload,
                row,
                ..
            } => {
                self.unfit.insert(*row);
                self.damaged(Code::I9, place(row.div_euclid(8)), "a payload", error);
            }
            ItemError::OutOfOrder {
                table: Table::Payload,
                after,
                ..
            } => self.payloads_end(Some(*after), error),
            ItemError::Unreadable {
                table: Table::Payload,
                after,
                ..
            } => self.payloads_end(*after, error),
            ItemError::WrongType { row, .. } | ItemError::TooLong { row, .. } => {
                self.damaged(Code::I1, place(*row), "a record", error);
                if let Some(seq) = place(*row) {
                    self.rows += 1;
                    self.next = Seq::clamped(seq.get() + 1);
                    self.law.break_roots(seq);
                    self.findings.extend(self.law.skip(seq, None, None));
                }
            }
            // The table ends here for every reader: what stood behind is lost.
            _ => self.damaged(Code::I4, Some(self.next), "all rows of the table", error),
        }
    }

    fn damaged(&mut self, code: Code, entry: Option<Seq>, expected: &str, error: &ItemError) {
        self.findings.push(match entry {
            Some(entry) => Finding::new(code, entry, expected, error.to_string()),
            None => Finding::whole(code, expected, error.to_string()),
        });
    }

    /// The table of payloads ends behind row `after` for every reader: what stood there is lost.
    fn payloads_end(&mut self, after: Option<i64>, error: &ItemError) {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let entry = u64::try_from(first.div_euclid(8)).ok().map(Seq::clamped);
        self.damaged(Code::I9, entry, "all rows of the table", error);
    }

    /// V7 and V8 for checkpoints and heads; gives the largest head that fits.
    fn judge_heads(&mut self, heads: Heads) -> Option<Size> {
        if self.rows == 0 && !self.findings.breaches.iter().any(|it| it.code == Code::I4) {
            self.whole(Code::I4, "ledger.opened as entry 0", "no entries");
        }
        // Entry 0 names the keys of checkpoints and heads: where it is damaged, they cannot be told from forgeries.
        self.law.opening()?;
        let is_known = |size| self.law.root_is_known(size);
        heads.judge(Size::clamped(self.rows), is_known, &mut self.findings)
    }

    /// V7 to V9.
    fn report(mut self, options: &AuditOptions) -> (Report, Listing) {
        let size = Size::clamped(self.rows);
        let heads = std::mem::take(&mut self.heads);
        let covered = heads.covers(size);
        let head = self.judge_heads(heads);
        self.findings.extend(anchored(&self.law, &options.anchors));
        self.findings.extend(self.law.completeness(head));
        if let (Some(closed), false) = (self.law.closed(), covered) {
            let expected = format!("a checkpoint over all {size} entries");
            self.findings
                .push(Finding::unproven(Code::C1, closed, expected, "none"));
        }
        self.findings.extend(self.auditor.unproven(head));
        if options.asked.strict {
            self.findings.reject_unproven();
        }
        let named = std::mem::take(&mut self.findings.named);
        let report = Report::new(&self.law, self.findings, self.rows, head, self.story);
        let report = report.placed(&self.law, self.marks, self.predecessor);
        let report = report.on_behalf_of(options, &self.law);
        (report, Listing::new(named, self.law))
    }

    /// V7; gives the state, unless anything is broken or cannot be judged: then the first of it.
    fn folded(mut self) -> Result<Folded, Finding> {
        if self.findings.breaches.is_empty() {
            let heads = std::mem::take(&mut self.heads);
            self.judge_heads(heads);
        }
        self.findings.sort();
        match self.findings.breaches.into_iter().next() {
            Some(breach) => Err(breach),
            None => Ok(Folded {
                law: self.law,
                tree: self.tree,
            }),
        }
    }
}

/// What V4 says about a statement that its author did not sign.
fn unsigned(seq: Seq, statement: &Statement, verified: Verified) -> Option<Finding> {
    let author = statement.by;
    match verified {
        Verified::Yes => None,
        Verified::NoAuthor => Some(Finding::new(
            Code::A1,
            seq,
            "an author that was introduced",
            format!("by {author}"),
        )),
        Verified::No(error) => Some(Finding::new(
            Code::I2,
            seq,
            format!("signed by the author, {author}"),
            error.to_string(),
        )),
    }
}

/// V8: the principal is one of the anchors.
fn anchored(law: &Law, anchors: &[Anchor]) -> Option<Finding> {
    if anchors.is_empty() {
        return Some(Finding::whole(Code::C4, "a trust anchor (--trust)", "none"));
    }
    let principal = law.opening()?.principal();
    if anchors.iter().any(|anchor| anchor.matches(principal)) {
        return None;
    }
    let given: Vec<String> = anchors.iter().map(ToString::to_string).collect();
    Some(Finding::new(
        Code::A2,
        Seq::ZERO,
        format!("principal {}", given.join(" or ")),
        principal.short(),
    ))
}
