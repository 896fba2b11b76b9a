//! A ledger that is there: verified before anything is entered into it (ledger-v1 §4, authority-v1 §6).
//!
//! [`Existing::open`] takes the writer's place, looks for traces of loss, and folds the ledger with every signature. A
//! ledger that is damaged, cut, closed or another host's gets no entry. [`Existing::take_up`] goes on with one that is sound.

use std::path::{Path, PathBuf};

use countersign_identity::instant::Window;
use countersign_ledger::checkpoint::CheckpointKeys;
use countersign_ledger::cose;
use countersign_ledger::handover::Alive;
use countersign_ledger::head_file::{self, HeadError, HeadFile, HeadFileError};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::{LedgerReader, ReadError};
use countersign_ledger::store::{Sqlite, StoreError};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Millis, Size};
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_verifier::audit::{Folded, ReplayError, replay};
use countersign_verifier::fold_file::{FoldFile, FoldKey};
use countersign_verifier::law::{Law, Opening};
use data_encoding::HEXLOWER;
use thiserror::Error;

use super::fold::Folds;
use super::{Authority, Place};
use crate::clock::Clock;

/// Why a ledger that is there cannot be gone on with. It was not changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file is not there, in use, damaged in its `-wal`, or cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A rule is broken, or an entry is of a newer form.
    #[error("{}: the ledger is not sound", path.display())]
    Unsound {
        /// Path of the ledger.
        path: PathBuf,
        /// The first thing that is wrong.
        source: ReplayError,
    },
    /// The last entry is `ledger.closed`.
    #[error("{}: the ledger is closed", path.display())]
    Closed {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// Another host, or a host of another principal, made it: it cannot certify anybody in it, nor sign its heads.
    #[error("{}: the ledger of another host, {found}", path.display())]
    OtherHost {
        /// Path of the ledger.
        path: PathBuf,
        /// Short DID of the ledger's host.
        found: String,
    },
    /// It has no first entry, which is a bug of ours: its fold would have been refused.
    #[error("internal fault: a folded ledger without a first entry")]
    NoOpening,
    /// Its host's key does not give its checkpoint keys.
    #[error("{}: its checkpoint keys do not come from this host's key", path.display())]
    OtherKeys {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The host credential in its first entry, under which everybody is certified, holds no longer.
    #[error("{}: the host credential of the ledger has ended, so nobody new can be certified in it", path.display())]
    CredentialEnded {
        /// Path of the ledger.
        path: PathBuf,
    },
    /// The head file cannot be read.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The ledger is not, or no longer, what its head speaks of.
    #[error("{}: the ledger does not fit its head in {}", path.display(), head.display())]
    Head {
        /// Path of the ledger.
        path: PathBuf,
        /// Path of the head file.
        head: PathBuf,
        /// What does not fit.
        source: Box<HeadError>,
    },
}

/// A sound ledger whose writer's place this process holds; nothing has been entered yet.
pub struct Existing {
    pub(super) store: Sqlite,
    pub(super) found: Found,
}

/// What a ledger holds, as far as a new runtime instance needs it.
pub(super) struct Found {
    pub(super) folded: Folded,
    pub(super) keys: CheckpointKeys,
    pub(super) head_file: HeadFile,
    pub(super) folds: Folds,
    pub(super) clock: Clock,
    pub(super) host_window: Window,
    head: Head,
}

/// What the head file says.
struct Head {
    note: Option<Vec<u8>>,
    fault: Option<HeadError>,
}

impl Existing {
    /// Opens the ledger at `place` for `authority` and verifies it.
    ///
    /// # Errors
    /// [`OpenError`]; no entry was made, and nobody's place is taken.
    pub fn open(place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        let mut existing = Self::open_even_if_cut(place, authority)?;
        match existing.take_head_fault() {
            None => Ok(existing),
            Some((source, _)) => {
                let (path, head) = (existing.path().to_owned(), existing.head_path().to_owned());
                existing.put_back();
                let source = Box::new(source);
                Err(OpenError::Head { path, head, source })
            }
        }
    }

    /// As [`Existing::open`], but a ledger that does not fit its head is given as well: for its recovery alone.
    pub(super) fn open_even_if_cut(place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        Self::of(Sqlite::open(place.ledger())?, place, authority)
    }

    /// The ledger in `store`, whose writer's place is taken, verified.
    pub(super) fn of(store: Sqlite, place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        refuse_handed_on(store.path())?;
        match Found::look(store.path(), place, authority) {
            Ok(found) => Ok(Self { store, found }),
            Err(error) => {
                fold_up(store);
                Err(error)
            }
        }
    }

    /// What the ledger does not fit, with the head file's note.
    pub(super) fn take_head_fault(&mut self) -> Option<(HeadError, Option<Vec<u8>>)> {
        let Head { note, fault } = &mut self.found.head;
        fault.take().map(|fault| (fault, note.take()))
    }

    pub(super) fn head_path(&self) -> &Path {
        self.found.head_file.path()
    }

    /// The ledger's file, where links are resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The state of the law behind the last entry.
    #[must_use]
    pub const fn law(&self) -> &Law {
        &self.found.folded.law
    }

    /// The time, not before that of the last entry.
    pub fn now(&mut self) -> Millis {
        self.found.clock.read()
    }

    /// From when until when the host may certify anybody in this ledger.
    #[must_use]
    pub const fn host_window(&self) -> Window {
        self.found.host_window
    }

    /// Gives the ledger back without an entry.
    pub fn put_back(self) {
        fold_up(self.store);
    }
}

/// Refuses a ledger that was closed to its end: its last entry says so, and it is one file. Opening it, if only to see
/// whether it is sound, would change bytes of it, and of evidence none should change.
///
/// # Errors
/// [`OpenError::Closed`]. Whatever cannot be read here is found again by who opens the ledger.
pub(crate) fn refuse_closed(ledger: &Path) -> Result<(), OpenError> {
    let Ok(reader) = LedgerReader::open(ledger) else {
        return Ok(());
    };
    let last = reader.last_entry().ok().flatten();
    let is_closed = last.is_some_and(|last| kind_of(&last.record) == Some(Kind::LedgerClosed));
    if is_closed && reader.is_one_file() {
        let path = ledger.to_owned();
        return Err(OpenError::Closed { path });
    }
    Ok(())
}

fn kind_of(record: &[u8]) -> Option<Kind> {
    let record = Record::decode(record).ok()?;
    let envelope = cose::Unverified::parse(&record.statement).ok()?;
    Some(Statement::decode(envelope.payload()).ok()?.kind())
}

impl Found {
    /// Reads the ledger whose file, where links are resolved, is `ledger`.
    pub(super) fn look(ledger: &Path, place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        let path = || ledger.to_owned();
        let reader = LedgerReader::open(ledger)?;
        let fold = FoldFile::beside(ledger);
        let snapshot = FoldKey::of_ledger(authority.host(), &reader).and_then(|key| fold.read(&key, &reader));
        let began = snapshot
            .as_ref()
            .map_or_else(Frontier::new, |snapshot| snapshot.tree.clone());
        let began_with = began.size();
        let folded = replay(&reader, snapshot).map_err(|source| OpenError::Unsound { path: path(), source })?;
        if folded.law.closed().is_some() {
            return Err(OpenError::Closed { path: path() });
        }
        let opening = opening(&folded.law)?;
        let (keys, nonce) = own_keys(opening, ledger, authority)?;
        let mut clock = Clock::after(folded.law.last_received());
        let host_window = overlap(opening.host_claims().window, authority.window());
        let host_window = host_window.filter(|window| window.contains(clock.read()));
        let host_window = host_window.ok_or_else(|| OpenError::CredentialEnded { path: path() })?;
        let head_file = place.head_file(ledger);
        let head = Head::compare(&head_file, opening, folded.size(), |size| {
            root_at(&reader, began, &folded, size)
        })?;
        Ok(Self {
            folded,
            keys,
            head_file,
            folds: Folds::kept_up_to(began_with, ledger, authority.host(), &nonce),
            clock,
            host_window,
            head,
        })
    }
}

impl Head {
    fn compare(
        file: &HeadFile,
        opening: &Opening,
        size: Size,
        root_at: impl FnOnce(Size) -> Option<Root>,
    ) -> Result<Self, OpenError> {
        let note = file.read()?;
        let check =
            |note: &Vec<u8>| head_file::check(note, opening.checkpoint_keys(), opening.origin(), size, root_at).err();
        let fault = note.as_ref().and_then(check);
        Ok(Self { note, fault })
    }
}

/// A ledger that is being handed on belongs to those who take part in it: one of them waits for the writer's place.
fn refuse_handed_on(path: &Path) -> Result<(), OpenError> {
    let failed = |source: std::io::Error| StoreError::Io {
        path: path.to_owned(),
        doing: "looking who takes part",
        source: source.into(),
    };
    if Alive::anybody(path).map_err(failed)? {
        let path = path.to_owned();
        return Err(StoreError::LockedByAnotherWriter { path }.into());
    }
    Ok(())
}

/// What entry 0 says; a ledger that was folded has one.
fn opening(law: &Law) -> Result<&Opening, OpenError> {
    law.opening().ok_or(OpenError::NoOpening)
}

/// The checkpoint keys and the nonce they come from, if this host made the ledger for this principal.
fn own_keys(opening: &Opening, path: &Path, authority: &Authority) -> Result<(CheckpointKeys, [u8; 16]), OpenError> {
    let is_ours = opening.host() == authority.host_did() && opening.principal() == authority.principal();
    if !is_ours {
        return Err(OpenError::OtherHost {
            path: path.to_owned(),
            found: opening.host().short().to_owned(),
        });
    }
    let keys = nonce_of(opening).map(|nonce| (CheckpointKeys::derive(authority.host(), &nonce), nonce));
    keys.filter(|(keys, _)| keys.public() == *opening.checkpoint_keys())
        .ok_or_else(|| OpenError::OtherKeys { path: path.to_owned() })
}

/// The nonce of the ledger, which its origin spells out (statement-v1 §5.1).
fn nonce_of(opening: &Opening) -> Option<[u8; 16]> {
    let hex = opening.origin().as_str().strip_prefix("countersign/")?;
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// The time in which both hold.
fn overlap(first: Window, second: Window) -> Option<Window> {
    Window::new(first.from().max(second.from()), first.until().min(second.until())).ok()
}

/// The root over the first `size` records, at most those that were folded. `tree` is the one that folding began with.
fn root_at(reader: &LedgerReader, mut tree: Frontier, folded: &Folded, size: Size) -> Option<Root> {
    if size == folded.size() {
        return Some(folded.tree.root());
    }
    if size < tree.size() {
        tree = Frontier::new();
    }
    let mut entries = reader.entries_from(tree.size().next_seq());
    while tree.size() < size {
        tree.push(&entries.next()?.ok()?.record);
    }
    Some(tree.root())
}

/// Leaves one file behind. What does not go now goes when the ledger is next opened and closed.
fn fold_up(store: Sqlite) {
    if let Err(error) = store.close() {
        tracing::debug!(%error, "a ledger that was only looked at was not folded");
    }
}
