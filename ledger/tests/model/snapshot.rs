//! A ledger's files at one moment, and what a power cut could make of a commit that was going on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Anyhow;

/// What belongs to a ledger beside the file itself, save what the operating system forgets with the process.
const COMPANIONS: [&str; 5] = ["", "-wal", "-journal", "-head", "-fold"];
/// A sector: written whole or not at all (ledger-v1 §4.7).
const SECTOR_BYTES: usize = 512;
/// The header of a `-wal` is synced before any frame is written behind it.
const WAL_HEADER_BYTES: usize = 32;

/// The files of a ledger by what follows its name.
#[derive(Clone)]
pub(super) struct Snapshot(BTreeMap<&'static str, Vec<u8>>);

impl Snapshot {
    /// Reads the files as they are.
    pub(super) fn take(ledger: &Path) -> Anyhow<Self> {
        let mut files = BTreeMap::new();
        for suffix in COMPANIONS {
            let path = beside(ledger, suffix);
            if path.exists() {
                files.insert(suffix, std::fs::read(path)?);
            }
        }
        Ok(Self(files))
    }

    /// Writes the files beside each other under another name.
    pub(super) fn put(&self, ledger: &Path) -> Anyhow<()> {
        for (suffix, bytes) in &self.0 {
            std::fs::write(beside(ledger, suffix), bytes)?;
        }
        Ok(())
    }

    /// The power fails while a commit writes the `-wal` of `after`: each sector that changed is the old one, the new one
    /// or, behind the old end, zeros; and the file may end anywhere behind its old end.
    pub(super) fn torn(mut self, mut after: Self, seed: u64) -> Self {
        let old = self.0.remove("-wal").unwrap_or_default();
        let new = after.0.remove("-wal").unwrap_or_default();
        let mut dice = Dice(seed);
        let grown = new.len().saturating_sub(old.len()) as u64;
        let end = match dice.below(3) {
            0 => new.len(),
            _ => new.len() - usize::try_from(dice.below(grown + 1)).unwrap_or(0),
        };
        let mut torn = new[..end].to_vec();
        // Of so many sectors one was not written; 0: all of them were.
        let stale_of = [0, 2, 16][usize::try_from(dice.below(3)).unwrap_or(0)];
        for (number, sector) in torn.chunks_mut(SECTOR_BYTES).enumerate() {
            let start = number * SECTOR_BYTES;
            let kept_len = if number == 0 { WAL_HEADER_BYTES } else { 0 };
            let stale = |place: usize| old.get(place).copied().unwrap_or(0);
            if stale_of > 0 && dice.below(stale_of) == 0 {
                for (at, byte) in sector.iter_mut().enumerate().skip(kept_len) {
                    *byte = stale(start + at);
                }
            }
        }
        // What the commit did not reach is as it was.
        torn.extend(old.get(end..).unwrap_or_default());
        self.0.insert("-wal", torn);
        self
    }
}

/// The path of what lies beside a ledger.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", ledger.display()))
}

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
