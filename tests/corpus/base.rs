//! The ledgers that are attacked.

use std::error::Error;
use std::path::Path;

use countersign_identity::trust::Anchor;
use countersign_ledger::cose::Unverified;
use countersign_ledger::reader::{LedgerReader, StoredCheckpoint, StoredEntry};
use countersign_schemas::body::Body;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use super::case::Class;
use super::large::tell_large;
use super::support::cast::Who;
use super::support::story::tell;
use super::support::writer::{Twist, Writer};
use super::support::{Told, anchored};

/// Something that went wrong with a base itself.
pub(crate) type BaseError = Box<dyn Error + Send + Sync>;

/// Tells the story of a base, with a twist.
pub(crate) type Tell = for<'t> fn(Twist<'t>) -> Writer<'t>;

/// A sound ledger.
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) told: Told,
    pub(crate) anchor: Anchor,
    /// How it came to be, where the keys are known.
    pub(crate) tell: Option<Tell>,
    pub(crate) entries: Vec<Known>,
    /// What the law says of it when nobody attacks: 0, or 3 where a process died.
    pub(crate) exit: u8,
    /// What the storyteller calls each entry.
    labels: Vec<&'static str>,
}

/// One entry of it, taken apart.
pub(crate) struct Known {
    pub(crate) record: Record,
    pub(crate) statement: Statement,
}

impl Known {
    fn of(stored: &StoredEntry) -> Result<Self, BaseError> {
        let record = Record::decode(&stored.record)?;
        let statement = Statement::decode(Unverified::parse(&record.statement)?.payload())?;
        Ok(Self { record, statement })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.statement.body.kind()
    }

    /// Whether an instance begins here that may sign.
    pub(crate) fn begins_an_author(&self) -> bool {
        use countersign_schemas::body::Role;
        match &self.statement.body {
            Body::LedgerOpened(_) => true,
            Body::IdentityIntroduced(body) => body.role != Role::Approver,
            _ => false,
        }
    }
}

impl Base {
    /// The ledger that `countersign demo` wrote: nobody knows its keys any more.
    pub(crate) fn demo(ledger: &Path, anchor: &Path) -> Result<Self, BaseError> {
        let reader = LedgerReader::open(ledger)?;
        let mut told = Told {
            entries: reader.entries().collect::<Result<_, _>>()?,
            checkpoints: reader.checkpoints().collect::<Result<_, _>>()?,
        };
        // How many a runtime signs in between depends on the clock; the first and the last are there in every demo.
        let between = 1..told.checkpoints.len().saturating_sub(1).max(1);
        told.checkpoints.drain(between);
        let anchor = Anchor::parse(&std::fs::read_to_string(anchor)?)?;
        Self::new("demo", told, anchor, 0)
    }

    /// The demo's story, told with keys that are known.
    pub(crate) fn story() -> Result<Self, BaseError> {
        Self::told("story", tell, 0)
    }

    /// Three levels of agents, approvals, a crash and a successor.
    pub(crate) fn large() -> Result<Self, BaseError> {
        Self::told("large", tell_large, 3)
    }

    fn told(name: &'static str, tell: Tell, exit: u8) -> Result<Self, BaseError> {
        let anchor = anchored().anchors.into_iter().next().ok_or("no anchor")?;
        let writer = tell(Twist::honest());
        if let Some(refusal) = writer.refusals.first() {
            return Err(format!("{name} is not lawful: {refusal:?}").into());
        }
        let mut labels = vec![""; writer.entries.len()];
        for (label, seq) in &writer.labels {
            labels[usize::try_from(seq.get())?] = label;
        }
        let base = Self::new(name, writer.into(), anchor, exit)?;
        Ok(Self {
            tell: Some(tell),
            labels,
            ..base
        })
    }

    fn new(name: &'static str, told: Told, anchor: Anchor, exit: u8) -> Result<Self, BaseError> {
        let entries = told.entries.iter().map(Known::of).collect::<Result<_, _>>()?;
        Ok(Self {
            name,
            told,
            anchor,
            tell: None,
            entries,
            exit,
            labels: Vec::new(),
        })
    }

    /// The demo stands for whoever has no key, its story for all others: the same attack is not posed twice.
    pub(crate) fn is_attacked_by(&self, class: Class) -> bool {
        match self.name {
            "demo" => class == Class::K0,
            "story" => class != Class::K0,
            _ => true,
        }
    }

    /// What the storyteller calls the entry at `place`.
    pub(crate) fn label(&self, place: usize) -> &'static str {
        self.labels[place]
    }

    /// Tells it again with a twist; a base without keys stays as it is.
    pub(crate) fn retell(&self, twist: Twist<'_>) -> Told {
        self.tell.map_or_else(|| self.told.clone(), |tell| tell(twist).into())
    }

    /// Number of entries.
    pub(crate) fn size(&self) -> usize {
        self.entries.len()
    }

    /// The head as a careful person keeps it elsewhere: the last checkpoint.
    pub(crate) fn head(&self) -> Vec<u8> {
        let last = self.told.checkpoints.last();
        last.map(|checkpoint| checkpoint.note.clone()).unwrap_or_default()
    }

    /// The checkpoint over so many entries.
    pub(crate) fn head_over(&self, size: usize) -> Option<Vec<u8>> {
        let mut checkpoints = self.told.checkpoints.iter();
        let fits = |checkpoint: &&StoredCheckpoint| usize::try_from(checkpoint.size) == Ok(size);
        checkpoints.find(fits).map(|checkpoint| checkpoint.note.clone())
    }

    /// The host that it names.
    pub(crate) fn host(&self) -> String {
        match &self.entries[0].statement.body {
            Body::LedgerOpened(body) => body.dids[0].as_str().to_owned(),
            _ => String::new(),
        }
    }

    /// The second behind everything that was received.
    pub(crate) fn afterwards(&self) -> u64 {
        let last = self.entries.iter().map(|known| known.record.received.get()).max();
        (last.unwrap_or(0) / 1_000 + 1) * 1_000
    }

    /// The largest checkpoint over at most so many entries.
    pub(crate) fn older_head(&self, most: usize) -> Option<usize> {
        let sizes = self.told.checkpoints.iter();
        let sizes = sizes.filter_map(|checkpoint| usize::try_from(checkpoint.size).ok());
        sizes.filter(|size| *size <= most).max()
    }

    /// Entries of these kinds.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (usize, &Known)> {
        self.entries
            .iter()
            .enumerate()
            .filter(move |(_, entry)| entry.kind() == kind)
    }

    /// Who holds the key of the author introduced at `place`.
    pub(crate) fn holder(&self, place: Seq) -> Option<Who> {
        let everybody = [
            Who::Opener,
            Who::Advisor,
            Who::Lead,
            Who::Scout,
            Who::Second,
            Who::SecondLead,
            Who::Third,
        ];
        let everybody = everybody.into_iter().chain((0..8).map(Who::Extra));
        let place = usize::try_from(place.get()).ok()?;
        let did = match &self.entries.get(place)?.statement.body {
            Body::LedgerOpened(body) => body.dids[1].as_str().to_owned(),
            Body::IdentityIntroduced(body) => match &body.did {
                countersign_schemas::body::Newcomer::Did(did) => did.as_str().to_owned(),
                countersign_schemas::body::Newcomer::Key(..) => return None,
            },
            _ => return None,
        };
        everybody.into_iter().find(|who| who.did().long() == did)
    }
}
