//! A ledger that goes on where another ended: whether that one is what it states (authority-v1 §6, V8: I8).

use std::collections::{BTreeMap, BTreeSet};

use countersign_ledger::merkle::Root;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{Body, Predecessor};
use countersign_schemas::digest::Link;
use countersign_schemas::number::{Seq, Size};
use serde_json::{Value, json};

use super::genesis_of;
use super::report::Report;
use super::row::Row;
use crate::code::Code;
use crate::finding::Finding;

/// What a ledger states of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// Id, size, link and root, as entry 0 has them.
    pub stated: Predecessor,
    /// Whether that ledger was given too, and is so.
    pub checked: bool,
}

impl Continued {
    pub(super) fn to_json(&self) -> Value {
        let stated = &self.stated;
        json!({
            "ledger": stated.ledger.to_string(),
            "size": stated.size.get(),
            "link": stated.link.to_string(),
            "root": stated.root.to_string(),
            "checked": self.checked,
        })
    }
}

/// What stands at the places of a ledger that another one may state.
#[derive(Debug, Default)]
pub(super) struct Marks {
    sizes: BTreeSet<Size>,
    found: BTreeMap<Size, (Link, Root)>,
}

impl Marks {
    pub(super) fn at(sizes: &BTreeSet<Size>) -> Self {
        Self {
            sizes: sizes.clone(),
            found: BTreeMap::new(),
        }
    }

    /// Remembers link and root behind `size` records, if they may be asked for.
    pub(super) fn note(&mut self, size: Size, link: Link, root: impl FnOnce() -> Root) {
        if self.sizes.contains(&size) {
            self.found.insert(size, (link, root()));
        }
    }
}

/// The size that the ledger behind `reader` states of the one before it: a place of that one to be remembered by its audit,
/// [`AuditOptions::marks`](super::AuditOptions::marks).
#[must_use]
pub fn stated_size(reader: &LedgerReader) -> Option<Size> {
    let genesis = genesis_of(reader).and_then(Row::read)?;
    let Body::LedgerOpened(body) = &genesis.statement.as_ref().ok()?.statement.body else {
        return None;
    };
    body.predecessor.as_ref().map(|stated| Size::clamped(stated.size.get()))
}

/// Compares every ledger with the one that it states to continue, where both were judged, and names what does not fit.
pub fn compare(reports: &mut [Report]) {
    for newer in 0..reports.len() {
        let Some(stated) = reports[newer].predecessor.as_ref().map(|it| it.stated.clone()) else {
            continue;
        };
        let id = stated.ledger.to_string();
        let others = reports.iter().enumerate().filter(|(place, _)| *place != newer);
        let older = others.filter(|(_, report)| report.ledger.as_deref() == Some(id.as_str()));
        let judged: Vec<Fit> = older.map(|(_, older)| Fit::of(&stated, older)).collect();
        reports[newer].predecessor_is(judged);
    }
}

/// How a ledger fits what a newer one states of it.
pub(super) enum Fit {
    Fits,
    /// It is damaged, so that nothing can be said.
    Unknown,
    Broken(Finding),
}

impl Fit {
    fn of(stated: &Predecessor, older: &Report) -> Self {
        let size = Size::clamped(stated.size.get());
        if older.tree_is_broken {
            return Self::Unknown;
        }
        let ledger = stated.ledger;
        if older.entries < size.get() || size == Size::ZERO {
            let expected = format!("a predecessor {ledger} of at least {size} records");
            return Self::broken(expected, format!("{} records", older.entries));
        }
        match older.marks.found.get(&size) {
            None => Self::Unknown,
            Some((link, root)) if *link == stated.link && root.as_bytes() == stated.root.as_bytes() => Self::Fits,
            Some((link, root)) => Self::broken(
                format!(
                    "predecessor {ledger} with link {}, root {} at {size} records",
                    stated.link, stated.root
                ),
                format!("link {link}, root {root}"),
            ),
        }
    }

    pub(super) fn into_broken(self) -> Option<Finding> {
        match self {
            Self::Broken(finding) => Some(finding),
            Self::Fits | Self::Unknown => None,
        }
    }

    fn broken(expected: String, found: String) -> Self {
        Self::Broken(Finding::new(Code::I8, Seq::ZERO, expected, found))
    }
}
