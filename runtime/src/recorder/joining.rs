//! Joining a ledger that another process has: the file is read, its state followed, and a runtime instance of our own
//! introduced beside the others (handover-v1 §4, authority-v1 §5.2.1).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::instant::Window;
use countersign_ledger::handover::{Alive, Joined, join};
use countersign_ledger::store::StoreError;
use countersign_schemas::number::Millis;
use countersign_verifier::law::Law;

use super::entering::{Access, Alone};
use super::existing::Found;
use super::heads::Heads;
use super::joined::Link;
use super::successor::{catch_up, is_passing};
use super::takeover::Certifier;
use super::writer::Writer;
use super::{Authority, Instance, OpenError, Place, RecordError, Recorder, Shared, State};

/// A sound ledger that another process writes; this one has no part in it yet.
pub struct Joining {
    path: PathBuf,
    found: Found,
}

impl Joining {
    /// Reads the ledger at `place` for `authority` and verifies it.
    ///
    /// # Errors
    /// [`OpenError`], save that its head is not compared: the process that has the ledger did that, and moves it on.
    pub fn open(place: &Place, authority: &Authority) -> Result<Self, OpenError> {
        let path = std::fs::canonicalize(place.ledger()).map_err(|_| StoreError::Missing {
            path: place.ledger().to_owned(),
        })?;
        let found = Found::look(&path, place, authority)?;
        Ok(Self { path, found })
    }

    /// The state of the law as far as it was read.
    #[must_use]
    pub const fn law(&self) -> &Law {
        &self.found.folded.law
    }

    /// The time, not before that of the last entry that was read.
    pub fn now(&mut self) -> Millis {
        self.found.clock.read()
    }

    /// From when until when the host may certify anybody in this ledger.
    #[must_use]
    pub const fn host_window(&self) -> Window {
        self.found.host_window
    }

    /// Joins the process that has the ledger, as a new runtime instance that the host certifies for `window`.
    ///
    /// # Errors
    /// [`RecordError::Join`]: see [`RecordError::is_passing`]. [`OpenError::Closed`] when it was closed meanwhile.
    pub fn join(self, authority: &Authority, window: Window) -> Result<Recorder, RecordError> {
        let Self { path, found } = self;
        let opening = found.folded.law.opening();
        let opening = opening.ok_or(RecordError::Bug("a ledger without its first entry"))?;
        let (ledger, origin) = (opening.ledger(), opening.origin().clone());
        // Before anybody else may open the ledger: from here on, this process is not to be taken for dead.
        let alive = show(&path)?;
        let Joined { position, voice, ear } = join(&path, ledger).map_err(RecordError::Join)?;
        let folded = catch_up(&path, found.folded, position.size)?;
        if folded.law.closed().is_some() {
            return Err(OpenError::Closed { path }.into());
        }
        let heads = Heads::signed_up_to(folded.size(), origin, found.keys, found.head_file, found.folds);
        let state = State {
            head: folded.law.head().link,
            law: folded.law,
            clock: found.clock,
            tree: folded.tree,
            writer: Writer::Joined(Link::new(voice, alive)),
            pending: None,
        };
        let shared = Arc::new(Shared::new(ledger, path, state, heads));
        shared.start_hearing(ear)?;
        let host = Certifier {
            authority,
            ledger,
            window,
        };
        let runtime = introduce(&shared, &host)?;
        Recorder::over(shared, runtime, None)
    }
}

impl RecordError {
    /// Whether the ledger was just changing hands, so that trying again may succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Join(error) => is_passing(error),
            Self::Store(StoreError::LockedByAnotherWriter { .. } | StoreError::Exists { .. })
            | Self::Open(OpenError::Store(StoreError::LockedByAnotherWriter { .. }))
            | Self::Handover => true,
            _ => false,
        }
    }
}

fn show(path: &Path) -> Result<Alive, RecordError> {
    Alive::show(path).map_err(|source| RecordError::Alive {
        path: path.to_owned(),
        source,
    })
}

/// Its own place is in the introduction, so nobody else can be let in between.
fn introduce(shared: &Shared, host: &Certifier<'_>) -> Result<Instance, RecordError> {
    let (newborn, body) = host.newcomer(None)?;
    let alone = loop {
        match shared.access()? {
            Access::Own(mut state) => {
                let at = state.clock.read();
                break Alone {
                    shared,
                    state,
                    at,
                    turn: None,
                };
            }
            Access::Joined(speaking) => {
                if let Some(alone) = shared.ask_turn(speaking)? {
                    break alone;
                }
            }
        }
    };
    let instance = newborn.introduced_at(alone.state.law.next_seq());
    alone.enter(&instance, body, Vec::new())?.in_order();
    Ok(instance)
}
