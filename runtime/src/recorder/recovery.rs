//! Going on with a ledger that lost entries, or whose process died: what is lost is entered, and what damaged it is set
//! aside (ledger-v1 §4, authority-v1 §5.2.1).

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use countersign_identity::instant::Window;
use countersign_ledger::head_file::HeadError;
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Sqlite, StoreError, WalDamage};
use countersign_schemas::body::{LedgerRecovered, RecoveryReason};
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Millis, Seq, Size};
use countersign_verifier::audit::replay;
use countersign_verifier::law::Instance;
use thiserror::Error;

use super::existing::Existing;
use super::{Authority, OpenError, Place, RecordError, Recorder};

/// How long the instance that recovers a ledger may speak.
const WINDOW_MS: u64 = 60 * 60 * 1000;

/// A ledger that needs recovery, and why. Nothing has been entered yet.
pub struct Recovery {
    existing: Existing,
    /// Number of entries found.
    pub found: Size,
    /// When the last of them was received.
    pub last_received: Millis,
    /// Runtime instances whose processes died.
    pub crashed: Vec<Seq>,
    /// The damaged `-wal`, if it was.
    pub wal: Option<WalLoss>,
    /// The head that the ledger does not fit, if it does not.
    pub head: Option<HeadLoss>,
}

/// A `-wal` whose durable transactions SQLite drops.
#[derive(Debug, Clone)]
pub struct WalLoss {
    /// Where it is damaged, and what is lost.
    pub damage: WalDamage,
    /// The copy of it that was set aside.
    pub aside: PathBuf,
}

/// A head file that the ledger does not fit.
#[derive(Debug, Clone)]
pub struct HeadLoss {
    /// What does not fit.
    pub fault: HeadError,
    /// The copy of it that was set aside.
    pub aside: PathBuf,
    note: Option<Vec<u8>>,
}

/// Why a ledger was not recovered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// It cannot be gone on with at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What damaged it could not be set aside, so it was left as it was.
    #[error("{}: no copy of it could be made", path.display())]
    Aside {
        /// What was to be copied.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl Recovery {
    /// Looks at the ledger at `place`; `None` if nothing is to be recovered.
    ///
    /// A damaged `-wal` is copied aside and then emptied: what SQLite still reads of it is in the ledger afterwards.
    ///
    /// # Errors
    /// [`RecoverError`]. A ledger that is not sound as far as it goes is never recovered, and not changed.
    pub fn look(place: &Place, authority: &Authority) -> Result<Option<Self>, RecoverError> {
        let (mut existing, wal) = match Existing::open_even_if_cut(place, authority) {
            Ok(existing) => (existing, None),
            Err(OpenError::Store(StoreError::WalDamaged { path, damage })) => {
                let (existing, aside) = shorten(&path, place, authority)?;
                (existing, Some(WalLoss { damage, aside }))
            }
            Err(error) => return Err(error.into()),
        };
        let head = match existing.take_head_fault() {
            None => None,
            Some((fault, note)) => {
                let path = existing.head_path().to_owned();
                let aside = set_aside(&path)?;
                Some(HeadLoss { fault, aside, note })
            }
        };
        let crashed: Vec<Seq> = existing.law().running().map(Instance::seq).collect();
        if wal.is_none() && head.is_none() && crashed.is_empty() {
            existing.put_back();
            return Ok(None);
        }
        Ok(Some(Self {
            found: existing.law().head().size,
            last_received: existing.law().last_received(),
            existing,
            crashed,
            wal,
            head,
        }))
    }

    /// Introduces the instance that recovers the ledger, and enters what was lost and what became of what was open.
    ///
    /// # Errors
    /// As [`Existing::take_up`].
    pub fn enter(mut self, authority: &Authority) -> Result<Recorder, RecordError> {
        let recovered = self.recovered();
        let (now, outer) = (self.existing.now(), self.existing.host_window());
        let from = Millis::clamped(now.get() / 1000 * 1000).max(outer.from());
        let until = Millis::clamped(from.get() + WINDOW_MS).min(outer.until());
        let window = Window::new(from, until).map_err(|error| RecordError::Field(error.to_string()))?;
        self.existing.take_up_as(authority, window, recovered)
    }

    /// What is entered of the loss; nothing after a mere crash, which loses nothing that was durable.
    fn recovered(&self) -> Option<LedgerRecovered> {
        let fault = self.head.as_ref().map(|head| &head.fault);
        if self.wal.is_none() && fault.is_none() {
            return None;
        }
        let shows_loss = matches!(fault, Some(HeadError::TailLost { .. } | HeadError::OtherRoot { .. }));
        let note = self.head.as_ref().and_then(|head| head.note.clone());
        let reason = match fault {
            Some(HeadError::OtherRoot { .. }) => RecoveryReason::OldCopy,
            _ => RecoveryReason::LostTail,
        };
        Some(LedgerRecovered {
            size: self.found,
            lost_head: note.filter(|_| shows_loss).and_then(|note| Doc::new(note).ok()),
            reason,
        })
    }
}

/// Copies the damaged `-wal` of a ledger aside and opens the ledger without what is lost; refuses first what is unsound.
fn shorten(path: &Path, place: &Place, authority: &Authority) -> Result<(Existing, PathBuf), RecoverError> {
    let reader = LedgerReader::open(path).map_err(OpenError::from)?;
    let unsound = |source| OpenError::Unsound {
        path: path.to_owned(),
        source,
    };
    replay(&reader, None).map_err(unsound)?;
    drop(reader);
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let aside = set_aside(Path::new(&wal))?;
    let store = Sqlite::open_shortened(path).map_err(OpenError::from)?;
    Ok((Existing::of(store, place, authority)?, aside))
}

/// Copies the file at `path` to a new name beside it, durably; gives the name.
fn set_aside(path: &Path) -> Result<PathBuf, RecoverError> {
    let now = crate::clock::Clock::default().read();
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".damaged-{now}"));
    let aside = PathBuf::from(aside);
    copy_durably(path, &aside).map_err(|source| RecoverError::Aside {
        path: path.to_owned(),
        source,
    })?;
    Ok(aside)
}

fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut copy = options.open(to)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
