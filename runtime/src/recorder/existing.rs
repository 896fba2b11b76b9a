//! A ledger that is there: verified before anything is entered into it (ledger-v1 §4, authority-v1 §6).
//!
//! [`Existing::open`] takes the writer's place, looks for traces of loss, and folds the ledger with every signature. A
//! ledger that is damaged, cut, closed or another host's gets no entry. [`Existing::take_up`] goes on with one that is sound.

use std::path::{Path, PathBuf};

use countersign_identity::instant::Window;
use countersign_ledger::checkpoint::CheckpointKeys;
use countersign_ledger::head_file::{self, HeadError, HeadFile, HeadFileError};
use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::{LedgerReader, ReadError};
use countersign_ledger::store::{Sqlite, StoreError};
use countersign_schemas::number::{Millis, Size};
use countersign_verifier::audit::{Folded, ReplayError, replay};
use countersign_verifier::law::{Law, Opening};
use data_encoding::HEXLOWER;
use thiserror::Error;

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
        source: HeadError,
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
    pub(super) clock: Clock,
    host_window: Window,
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
        match existing.found.head.fault.take() {
            None => Ok(existing),
            Some(source) => {
                let (path, head) = (existing.path().to_owned(), existing.found.head_file.path().to_owned());
                existing.put_back();
                Err(OpenError::Head { path, head, source })
            }
        }
    }

    /// As [`Existing::open`], but a ledger that does not fit its head is given as well: for its recovery alone.
    pub(super) fn open_even_if_cut(place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        let store = Sqlite::open(place.ledger())?;
        match Found::look(&store, place, authority) {
            Ok(found) => Ok(Self { store, found }),
            Err(error) => {
                fold_up(store);
                Err(error)
            }
        }
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
        self.found.clock.read().at
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

impl Found {
    fn look(store: &Sqlite, place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        let path = || store.path().to_owned();
        let reader = LedgerReader::open(store.path())?;
        let folded = replay(&reader, None).map_err(|source| OpenError::Unsound { path: path(), source })?;
        if folded.law.closed().is_some() {
            return Err(OpenError::Closed { path: path() });
        }
        let opening = opening(&folded.law)?;
        let keys = own_keys(opening, store.path(), authority)?;
        let mut clock = Clock::after(folded.law.last_received());
        let host_window = overlap(opening.host_claims().window, authority.window());
        let host_window = host_window.filter(|window| window.contains(clock.read().at));
        let host_window = host_window.ok_or_else(|| OpenError::CredentialEnded { path: path() })?;
        let head_file = place.head_file(store.path());
        let head = Head::compare(&head_file, opening, &reader, &folded)?;
        Ok(Self {
            folded,
            keys,
            head_file,
            clock,
            host_window,
            head,
        })
    }
}

impl Head {
    fn compare(file: &HeadFile, opening: &Opening, reader: &LedgerReader, folded: &Folded) -> Result<Self, OpenError> {
        let note = file.read()?;
        let root_at = |size| root_at(reader, folded, size);
        let check = |note: &Vec<u8>| {
            head_file::check(
                note,
                opening.checkpoint_keys(),
                opening.origin(),
                folded.size(),
                root_at,
            )
            .err()
        };
        let fault = note.as_ref().and_then(check);
        Ok(Self { note, fault })
    }
}

/// What entry 0 says; a ledger that was folded has one.
fn opening(law: &Law) -> Result<&Opening, OpenError> {
    law.opening().ok_or(OpenError::NoOpening)
}

/// The checkpoint keys, if this host made the ledger for this principal.
fn own_keys(opening: &Opening, path: &Path, authority: &Authority) -> Result<CheckpointKeys, OpenError> {
    let is_ours = opening.host() == authority.host_did() && opening.principal() == authority.principal();
    if !is_ours {
        return Err(OpenError::OtherHost {
            path: path.to_owned(),
            found: opening.host().short().to_owned(),
        });
    }
    let keys = nonce_of(opening).map(|nonce| CheckpointKeys::derive(authority.host(), &nonce));
    keys.filter(|keys| keys.public() == *opening.checkpoint_keys())
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

/// The root over the first `size` records, which are at most those that were folded.
fn root_at(reader: &LedgerReader, folded: &Folded, size: Size) -> Option<Root> {
    if size == folded.size() {
        return Some(folded.tree.root());
    }
    let mut tree = Frontier::new();
    for entry in reader.entries() {
        if tree.size() == size {
            break;
        }
        tree.push(&entry.ok()?.record);
    }
    (tree.size() == size).then(|| tree.root())
}

/// Leaves one file behind. What does not go now goes when the ledger is next opened and closed.
fn fold_up(store: Sqlite) {
    if let Err(error) = store.close() {
        tracing::debug!(%error, "a ledger that was only looked at was not folded");
    }
}
