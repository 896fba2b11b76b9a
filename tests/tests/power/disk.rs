//! What a disk can hold after a power cut: everything that was synced, and of the rest whatever chance leaves.
//!
//! A write reaches the disk in parts of 512 bytes, each whole or not at all, in any order, or never, until its file is
//! synced. A length can be there before the bytes are: the gap reads as zeros. What happens to names is there once the
//! folder is synced; before that [`Names`] says what can be.

use std::collections::BTreeMap;

use crate::support::rng::Rng;
use crate::support::trace::Event;

/// What a disk writes whole or not at all (ledger-v1 §4.7).
const SECTOR: u64 = 512;

/// What becomes of changes that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survival {
    /// Of a thousand parts, how many reach the disk.
    pub(crate) per_mille: u64,
    pub(crate) names: Names,
}

/// What becomes of names that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    /// None is there: a disk that does no more than it must.
    Lost,
    /// The first few are there: a file system with a journal.
    InOrder,
    /// Any of them are there.
    Any,
    /// All are there, before what is in the files.
    AtOnce,
}

/// A file as the disk knows it, whatever its names are.
#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Written { place: u64, bytes: Vec<u8> },
    Resized { length: u64 },
}

enum NameChange {
    Added { name: String, file: usize },
    Removed { name: String },
    Moved { from: String, to: String },
}

/// The files of one folder.
#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// The number of the file that has an inode now: inodes are used again.
    by_inode: BTreeMap<u64, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

impl Disk {
    /// Takes what a program did.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Made { inode, name } => {
                let file = self.files.len();
                self.files.push(File::default());
                self.by_inode.insert(*inode, file);
                self.pending_names.push(NameChange::Added {
                    name: name.clone(),
                    file,
                });
            }
            Event::Linked { inode, name } => {
                let file = self.by_inode[inode];
                self.pending_names.push(NameChange::Added {
                    name: name.clone(),
                    file,
                });
            }
            Event::Removed { name } => self.pending_names.push(NameChange::Removed { name: name.clone() }),
            Event::Renamed { from, to } => {
                let (from, to) = (from.clone(), to.clone());
                self.pending_names.push(NameChange::Moved { from, to });
            }
            Event::Written { inode, place, bytes } => {
                let (place, bytes) = (*place, bytes.clone());
                self.file(*inode).pending.push(Change::Written { place, bytes });
            }
            Event::Resized { inode, length } => {
                let length = *length;
                self.file(*inode).pending.push(Change::Resized { length });
            }
            Event::Synced { inode } => self.file(*inode).sync(),
            Event::FolderSynced => {
                for change in self.pending_names.drain(..) {
                    change.apply(&mut self.durable_names);
                }
            }
            Event::Said(_) => {}
        }
    }

    fn file(&mut self, inode: u64) -> &mut File {
        &mut self.files[self.by_inode[&inode]]
    }

    /// The files that are there after a cut at this moment, by their names.
    pub(crate) fn after_cut(&self, survival: Survival, rng: &mut Rng) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.durable_names.clone();
        let until = match survival.names {
            Names::Lost => 0,
            Names::InOrder => rng.below(self.pending_names.len() as u64 + 1) as usize,
            Names::Any | Names::AtOnce => self.pending_names.len(),
        };
        for change in &self.pending_names[..until] {
            if !matches!(survival.names, Names::Any) || rng.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        let content = |file: usize, rng: &mut Rng| self.files[file].after_cut(survival.per_mille, rng);
        // A file with two names has one content.
        let mut contents = BTreeMap::new();
        for file in names.values() {
            contents.entry(*file).or_insert_with(|| content(*file, rng));
        }
        names
            .into_iter()
            .map(|(name, file)| (name, contents[&file].clone()))
            .collect()
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Added { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Removed { name } => {
                names.remove(name);
            }
            Self::Moved { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl File {
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Written { place, bytes } => put(&mut self.durable, place, &bytes),
                Change::Resized { length } => self.durable.resize(length as usize, 0),
            }
        }
    }

    fn after_cut(&self, per_mille: u64, rng: &mut Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        let survives = |rng: &mut Rng| rng.below(1000) < per_mille;
        for change in &self.pending {
            match change {
                Change::Written { place, bytes } => {
                    for (place, part) in sectors(*place, bytes) {
                        if survives(rng) {
                            put(&mut content, place, part);
                        }
                    }
                }
                Change::Resized { length } if survives(rng) => content.resize(*length as usize, 0),
                Change::Resized { .. } => {}
            }
        }
        content
    }
}

/// Cuts a write at the borders of sectors.
fn sectors(mut place: u64, mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let room = (SECTOR - place % SECTOR) as usize;
        let (part, rest) = bytes.split_at(room.min(bytes.len()));
        parts.push((place, part));
        place += part.len() as u64;
        bytes = rest;
    }
    parts
}

fn put(content: &mut Vec<u8>, place: u64, bytes: &[u8]) {
    let (place, end) = (place as usize, place as usize + bytes.len());
    content.resize(content.len().max(end), 0);
    content[place..end].copy_from_slice(bytes);
}

#[test]
fn synced_bytes_survive_and_others_may_not() {
    let mut disk = Disk::default();
    let written = |place, byte| Event::Written {
        inode: 7,
        place,
        bytes: vec![byte; 600],
    };
    let name = || "file".to_owned();
    for event in [
        Event::Made { inode: 7, name: name() },
        Event::FolderSynced,
        written(0, 1),
        Event::Synced { inode: 7 },
        written(0, 2),
    ] {
        disk.take(&event);
    }
    let mut rng = Rng::seeded(1);
    let names = Names::Lost;
    let mut left = |per_mille| disk.after_cut(Survival { per_mille, names }, &mut rng).remove("file");
    assert_eq!(left(0), Some(vec![1; 600]));
    assert_eq!(left(1000), Some(vec![2; 600]));
    let torn: Vec<_> = (0..40)
        .filter_map(|_| left(500))
        .map(|left| (left[0], left[511], left[512]))
        .collect();
    assert!(torn.contains(&(1, 1, 2)) && torn.contains(&(2, 2, 1)), "{torn:?}");
    assert!(
        torn.iter().all(|(first, last, _)| first == last),
        "sectors are not torn: {torn:?}"
    );
}

#[test]
fn names_survive_the_sync_of_their_folder_alone() {
    let mut disk = Disk::default();
    let made = |inode, name: &str| Event::Made {
        inode,
        name: name.to_owned(),
    };
    let moved = Event::Renamed {
        from: "b".into(),
        to: "a".into(),
    };
    for event in [
        made(1, "a"),
        Event::FolderSynced,
        made(2, "b"),
        Event::Synced { inode: 2 },
        moved,
    ] {
        disk.take(&event);
    }
    let mut rng = Rng::seeded(1);
    let mut left = |names| disk.after_cut(Survival { per_mille: 0, names }, &mut rng).len();
    assert_eq!((left(Names::Lost), left(Names::AtOnce)), (1, 1));
    assert!(
        (0..40).any(|_| left(Names::InOrder) == 2),
        "the new file beside the old one"
    );
}
