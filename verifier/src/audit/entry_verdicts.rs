//! A verdict for each entry (authority-v1 §6.5).
//!
//! A finding may name an entry that was read long before, so no line is final before the last row was read: an audit
//! remembers what it names, and the rows are read once more to tell of each. Where it names more than it may remember,
//! both are done again for what lies behind.

use std::collections::BTreeMap;

use countersign_ledger::reader::LedgerReader;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;

use super::row::Row;
use super::{AuditOptions, Report, audit_naming};
use crate::code::{Class, Code};
use crate::finding::Finding;
use crate::law::Law;

/// Entries that one pass remembers what it named at them: less than 16 MiB.
pub const NAMED_MAX: usize = 1 << 18;

/// What is said of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryWord {
    /// Nothing is named at it.
    Sound,
    /// Nothing is broken, something cannot be shown.
    Unproven,
    /// It breaks a rule.
    Broken,
    /// It is not folded, because of itself or of what it rests on.
    Damaged,
    /// It is newer than this verifier.
    Unjudged,
}

impl EntryWord {
    /// The word that is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Unproven => "unproven",
            Self::Broken => "broken",
            Self::Damaged => "damaged",
            Self::Unjudged => "unjudged",
        }
    }
}

/// The verdict on one entry, or on what concerns the ledger as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryVerdict {
    /// The entry; `None` for the ledger as a whole.
    pub entry: Option<Seq>,
    /// What its statement says it is, where that can be read.
    pub kind: Option<Kind>,
    /// The verdict.
    pub verdict: EntryWord,
    /// Everything that is named at it, in the order of the specification.
    pub codes: Vec<Code>,
}

/// Codes as bits, by how grave they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Codes {
    breaches: u64,
    others: u64,
}

// A set of codes is a word of 64 bits.
const _: () = assert!(Code::ALL.len() <= 64);

impl Codes {
    fn add(&mut self, finding: &Finding) {
        let bit = 1 << finding.code as u64;
        match finding.class {
            Class::Written | Class::Denied => self.breaches |= bit,
            Class::Unreadable | Class::Unproven => self.others |= bit,
        }
    }

    fn contains(self, code: Code) -> bool {
        (self.breaches | self.others) & (1 << code as u64) != 0
    }

    fn word(self, is_damaged: bool) -> EntryWord {
        let is_newer = self.contains(Code::U1) || self.contains(Code::U2);
        match self {
            Self { breaches: 0, .. } if is_newer => EntryWord::Unjudged,
            _ if is_damaged => EntryWord::Damaged,
            Self { breaches: 0, others: 0 } => EntryWord::Sound,
            Self { breaches: 0, .. } => EntryWord::Unproven,
            _ => EntryWord::Broken,
        }
    }

    fn list(self) -> Vec<Code> {
        Code::ALL.iter().copied().filter(|code| self.contains(*code)).collect()
    }
}

/// What an audit names, from one entry on, as far as it may remember.
#[derive(Debug, Default)]
pub(super) struct Named {
    from: Seq,
    /// The first entry that was named and is not remembered, nor is any behind it.
    behind: Option<Seq>,
    entries: BTreeMap<Seq, Codes>,
    /// Most of them; 0 if nothing at all is to be remembered.
    entries_max: usize,
    whole: Codes,
}

impl Named {
    fn from(from: Seq, entries_max: usize) -> Self {
        Self {
            from,
            behind: None,
            entries: BTreeMap::new(),
            // A round has to tell of one entry at least.
            entries_max: entries_max.max(1),
            whole: Codes::default(),
        }
    }

    pub(super) fn note(&mut self, finding: &Finding) {
        let Some(seq) = finding.entry else {
            return self.whole.add(finding);
        };
        let is_past = self.behind.is_some_and(|behind| seq >= behind);
        if seq < self.from || is_past || self.entries_max == 0 {
            return;
        }
        self.entries.entry(seq).or_default().add(finding);
        if self.entries.len() > self.entries_max {
            self.behind = self.entries.pop_last().map(|(seq, _)| seq);
        }
    }
}

/// What an audit remembers for the lines of its entries.
#[derive(Debug)]
pub struct Listing {
    named: Named,
    /// Knows which entries are damaged.
    law: Law,
}

impl Listing {
    pub(super) fn new(named: Named, law: Law) -> Self {
        Self { named, law }
    }

    /// Takes note of what a comparison with other ledgers added to the report.
    pub fn note(&mut self, report: &Report) {
        report.findings.iter().for_each(|finding| self.named.note(finding));
    }

    /// Tells of every entry in order, and last of the ledger as a whole. `reader` and `options` are those of the audit.
    ///
    /// # Errors
    /// The first error of `tell`, which is then not called again.
    pub fn tell<E>(
        mut self,
        reader: &LedgerReader,
        options: &AuditOptions,
        mut tell: impl FnMut(&EntryVerdict) -> Result<(), E>,
    ) -> Result<(), E> {
        let whole = self.named.whole;
        while let Some(behind) = self.tell_remembered(reader, &mut tell)? {
            let named = Named::from(behind, self.named.entries_max);
            (_, self) = audit_naming(reader, options, named);
        }
        if whole != Codes::default() {
            tell(&verdict(None, None, whole, false))?;
        }
        Ok(())
    }

    /// Tells of the entries as far as they are remembered; gives the first that is not.
    fn tell_remembered<E>(
        &mut self,
        reader: &LedgerReader,
        tell: &mut impl FnMut(&EntryVerdict) -> Result<(), E>,
    ) -> Result<Option<Seq>, E> {
        // What cannot be handed out is named already.
        let rows = reader.entries_from(self.named.from).filter_map(Result::ok);
        let behind = self.named.behind;
        let is_remembered = |row: &Row| behind.is_none_or(|behind| row.seq < behind);
        for row in rows.filter_map(Row::read).take_while(is_remembered) {
            while let Some(seq) = self.named.entries.first_key_value().map(|(seq, _)| *seq)
                && seq < row.seq
            {
                self.tell_one(seq, None, tell)?;
            }
            let kind = row.statement.as_ref().ok().map(|decoded| decoded.statement.kind());
            self.tell_one(row.seq, kind, tell)?;
        }
        while let Some(seq) = self.named.entries.first_key_value().map(|(seq, _)| *seq) {
            self.tell_one(seq, None, tell)?;
        }
        Ok(behind)
    }

    fn tell_one<E>(
        &mut self,
        seq: Seq,
        kind: Option<Kind>,
        tell: &mut impl FnMut(&EntryVerdict) -> Result<(), E>,
    ) -> Result<(), E> {
        let codes = self.named.entries.remove(&seq).unwrap_or_default();
        tell(&verdict(Some(seq), kind, codes, self.law.is_damaged(seq)))
    }
}

fn verdict(entry: Option<Seq>, kind: Option<Kind>, codes: Codes, is_damaged: bool) -> EntryVerdict {
    EntryVerdict {
        entry,
        kind,
        verdict: codes.word(is_damaged),
        codes: codes.list(),
    }
}

/// Judges the ledger behind `reader`, and remembers what the lines of its entries need; `entries_max` bounds how many
/// entries one pass remembers, [`NAMED_MAX`] where nothing else is wanted.
#[must_use]
pub fn audit_listing(reader: &LedgerReader, options: &AuditOptions, entries_max: usize) -> (Report, Listing) {
    audit_naming(reader, options, Named::from(Seq::ZERO, entries_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_at(named: &mut Named, seq: u64, code: Code) {
        named.note(&Finding::new(code, Seq::clamped(seq), "", ""));
    }

    #[test]
    fn the_first_named_entries_are_remembered_whatever_the_order() {
        let mut named = Named::from(Seq::clamped(3), 2);
        for seq in [9, 4, 1, 7, 5, 8, 4] {
            named_at(&mut named, seq, Code::I1);
        }
        let kept: Vec<u64> = named.entries.keys().map(|seq| seq.get()).collect();
        assert_eq!((kept, named.behind), (vec![4, 5], Some(Seq::clamped(7))));
    }

    #[test]
    fn the_gravest_word_is_said() {
        let of = |codes: &[Code]| {
            let mut all = Codes::default();
            for code in codes {
                all.add(&Finding::new(*code, Seq::ZERO, "", ""));
            }
            (all.word(false), all.word(true), all.list())
        };
        assert_eq!(of(&[]), (EntryWord::Sound, EntryWord::Damaged, Vec::new()));
        assert_eq!(of(&[Code::C3]).0, EntryWord::Unproven);
        assert_eq!(of(&[Code::C3, Code::D7]).0, EntryWord::Broken);
        assert_eq!(of(&[Code::U2, Code::C3]).1, EntryWord::Unjudged);
        assert_eq!(of(&[Code::U2, Code::A5]).1, EntryWord::Damaged);
        assert_eq!(of(&[Code::U2, Code::C1, Code::I9]).2, [Code::I9, Code::C1, Code::U2]);
    }
}
