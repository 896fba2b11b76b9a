//! Fuzzes what opens a ledger's files: the reader with the whole audit behind it, the copies, and the writer.
//!
//! `cargo run --release -p countersign-tests --example fuzz_files -- --seconds 600 [--seed S] [--from K]`: inputs are
//! ledgers with mutated pages, headers, `-wal` frames and heads, closed and crashed. An input that panics, takes more
//! than a second, or breaks a property is written to files, and the exit code is 1. The property: what is not rejected
//! holds nothing but a prefix of the true records, each with true payloads or none.

#[path = "fuzz/mod.rs"]
mod fuzz;
#[path = "fuzz/sqlite.rs"]
mod sqlite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use countersign_identity::trust::Anchor;
use countersign_ledger::checkpoint::{self, CheckpointPublicKeys};
use countersign_ledger::cose::Unverified;
use countersign_ledger::head_file::HeadFile;
use countersign_ledger::reader::{LedgerReader, StoredEntry};
use countersign_ledger::store::{Content, Row, Sqlite, Store, backup, export};
use countersign_schemas::body::Body;
use countersign_schemas::number::Size;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_verifier::audit::{AuditOptions, Verdict, audit};
use rusqlite::Connection;
use tempfile::TempDir;

use fuzz::Outcome;
use fuzz::dice::Dice;
use fuzz::seeds;
use fuzz::watch::{self, Target};
use sqlite::{spoil_database, spoil_wal};

/// What lies beside a ledger and is read by name.
const COMPANIONS: [&str; 5] = ["", "-wal", "-journal", "-head", "-shm"];
/// Names that a run of the fuzzer makes in its folder.
const NAMES: [&str; 3] = ["ledger.db", "backup.db", "export.db"];

fn main() -> ExitCode {
    match Files::new() {
        Ok(files) => watch::main("files", files),
        Err(error) => {
            watch::say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

struct Files {
    /// Where inputs are laid out: in memory, if the machine has such a place, because nothing there needs to last.
    folder: TempDir,
    seeds: Vec<Seed>,
    story: Vec<Row>,
    checkpoints: Vec<(u64, Vec<u8>)>,
    keys: CheckpointPublicKeys,
    options: AuditOptions,
}

/// A ledger's files as they are before they are spoilt.
#[derive(Clone)]
struct Seed {
    page_bytes: usize,
    /// By what follows the ledger's name.
    files: Vec<(&'static str, Vec<u8>)>,
}

/// Files to be opened, and as whom.
struct Input {
    files: Vec<(&'static str, Vec<u8>)>,
    way: Way,
}

/// What opens them.
#[derive(Clone, Copy)]
enum Way {
    Read,
    Audit,
    Copy,
    Write,
    Head,
}

impl Files {
    fn new() -> Outcome<Self> {
        let shared_memory = Path::new("/dev/shm");
        let folder = if shared_memory.is_dir() {
            TempDir::new_in(shared_memory)?
        } else {
            TempDir::new()?
        };
        let story = seeds::story()?;
        let seeds = [closed(&folder)?, crashed(&folder)?, with_free_pages(&folder)?];
        Ok(Self {
            seeds: seeds.to_vec(),
            folder,
            keys: checkpoint_keys(&story)?,
            story,
            checkpoints: checkpoints()?,
            options: AuditOptions {
                anchors: vec![Anchor::parse(&anchor()?)?],
                story: true,
                ..AuditOptions::default()
            },
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Removes whatever the input before left.
    fn clear(&self) {
        for name in NAMES {
            for suffix in COMPANIONS.iter().chain(&["-lock", "-fold"]) {
                let _ = fs::remove_file(self.path(&format!("{name}{suffix}")));
            }
        }
    }

    fn audit(&self) -> Outcome<&'static str> {
        let Ok(reader) = LedgerReader::open(&self.path(NAMES[0])) else {
            return Ok("audit: not opened");
        };
        let report = audit(&reader, &self.options);
        let shown = report.to_json().to_string();
        match report.verdict() {
            Verdict::Rejected => return Ok("audit: rejected"),
            Verdict::Unreadable => return Ok("audit: unreadable"),
            Verdict::Verified | Verdict::Incomplete => {}
        }
        let mut size = 0;
        for entry in reader.entries() {
            let entry = entry?;
            if entry.seq != size || !self.is_true(&entry) {
                return Err(format!("entry {} is not the true one, and yet: {shown}", entry.seq).into());
            }
            size += 1;
        }
        match (report.verdict(), usize::try_from(size)? == self.story.len()) {
            (Verdict::Verified, true) => Ok("audit: verified"),
            (Verdict::Verified, false) => Err(format!("verified with {size} entries").into()),
            _ => Ok("audit: incomplete"),
        }
    }

    fn is_true(&self, entry: &StoredEntry) -> bool {
        let row = usize::try_from(entry.seq).ok().and_then(|seq| self.story.get(seq));
        row.is_some_and(|row| {
            let is_payload_true = |payload: &countersign_ledger::reader::StoredPayload| {
                row.payloads().iter().any(|(slot, salt, content)| {
                    (slot.get(), &salt.0[..], content) == (payload.slot, &payload.salt[..], &payload.content)
                })
            };
            row.record() == entry.record && entry.payloads.iter().all(is_payload_true)
        })
    }

    fn read(&self) -> Outcome<&'static str> {
        let Ok(reader) = LedgerReader::open(&self.path(NAMES[0])) else {
            return Ok("read: not opened");
        };
        let broken =
            reader.entries().filter(Result::is_err).count() + reader.checkpoints().filter(Result::is_err).count();
        for row in self.story.iter().step_by(9) {
            let _ = reader.entry(row.seq());
        }
        Ok(if broken == 0 { "read: whole" } else { "read: damaged" })
    }

    fn copy(&self) -> Outcome<&'static str> {
        let backed_up = backup(&self.path(NAMES[0]), &self.path(NAMES[1])).is_ok();
        let exported = export(&self.path(NAMES[0]), &self.path(NAMES[2]), Content::WithoutErasable);
        if let Ok(copied) = &exported {
            let entries = LedgerReader::open(&copied.path)?
                .entries()
                .collect::<Result<Vec<_>, _>>()?;
            if entries.len() as u64 != copied.size.get() {
                return Err(format!("exported {} of {} entries", entries.len(), copied.size).into());
            }
        }
        Ok(match (backed_up, exported.is_ok()) {
            (true, true) => "copy: both",
            (true, false) => "copy: backup alone",
            (false, true) => "copy: export alone",
            (false, false) => "copy: none",
        })
    }

    /// The head file alone: only what the ledger's keys signed is a head of it.
    fn head(&self) -> Outcome<&'static str> {
        let Ok(Some(note)) = HeadFile::beside(&self.path(NAMES[0])).read() else {
            return Ok("head: not read");
        };
        let Ok(head) = checkpoint::verify(&note, &self.keys) else {
            return Ok("head: not signed");
        };
        let is_true = |(_, note): &(u64, Vec<u8>)| checkpoint::verify(note, &self.keys).is_ok_and(|it| it == head);
        match self.checkpoints.iter().any(is_true) {
            true => Ok("head: signed"),
            false => Err("a head verifies that nobody signed".into()),
        }
    }

    fn write(&self) -> Outcome<&'static str> {
        let Ok(mut store) = Sqlite::open(&self.path(NAMES[0])) else {
            return Ok("write: not opened");
        };
        let size = store.size();
        let row = Row::new(size.next_seq(), b"a record".to_vec(), Vec::new())?;
        let appended = store.append(size, &[row]).is_ok();
        let noted = store.put_checkpoint(Size::clamped(1), b"note").is_ok();
        let tidied = store.tidy().is_ok();
        let closed = store.close().is_ok();
        Ok(match (appended, noted || tidied, closed) {
            (true, _, true) => "write: appended",
            (true, _, false) => "write: appended, not closed",
            (false, ..) => "write: not appended",
        })
    }
}

impl Target for Files {
    type Input = Input;

    fn input(&self, dice: &mut Dice) -> Input {
        let mut seed = dice.pick(&self.seeds).clone();
        for _ in 0..=dice.below(3) {
            let which = dice.below(seed.files.len());
            let (suffix, bytes) = &mut seed.files[which];
            match *suffix {
                "-wal" => spoil_wal(dice, bytes, seed.page_bytes),
                _ if bytes.len() >= seed.page_bytes => spoil_database(dice, bytes, seed.page_bytes),
                _ => {}
            }
        }
        if dice.once_in(40) {
            seed.files
                .push(("-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\0\0\0\x01".repeat(80)));
        }
        let mut head = dice.pick(&self.checkpoints).1.clone();
        spoil_note(dice, &mut head);
        seed.files.push(("-head", head));
        let way = *dice.pick(&[Way::Read, Way::Read, Way::Audit, Way::Copy, Way::Write, Way::Head]);
        Input { files: seed.files, way }
    }

    fn play(&self, input: &Input) -> Outcome<&'static str> {
        self.clear();
        lay_out(&input.files, &self.path(NAMES[0]))?;
        match input.way {
            Way::Read => self.read(),
            Way::Audit => self.audit(),
            Way::Copy => self.copy(),
            Way::Write => self.write(),
            Way::Head => self.head(),
        }
    }

    fn save(&self, input: &Input, path: &Path) -> Outcome {
        lay_out(&input.files, &path.with_extension("db"))
    }
}

fn lay_out(files: &[(&str, Vec<u8>)], ledger: &Path) -> Outcome {
    for (suffix, bytes) in files {
        fs::write(beside(ledger, suffix), bytes)?;
    }
    Ok(())
}

fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", ledger.display()))
}

fn gather(ledger: &Path) -> Outcome<Seed> {
    let mut files = Vec::new();
    for suffix in COMPANIONS.into_iter().filter(|suffix| *suffix != "-shm") {
        if beside(ledger, suffix).exists() {
            files.push((suffix, fs::read(beside(ledger, suffix))?));
        }
    }
    let header = &files.first().ok_or("no ledger was made")?.1;
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => usize::from(bytes),
    };
    Ok(Seed { page_bytes, files })
}

/// The story, written in several batches.
fn written(ledger: &Path) -> Outcome<Sqlite> {
    let mut rows = seeds::story()?;
    let mut later = rows.split_off(1);
    let mut store = Sqlite::create(ledger, &rows)?;
    while !later.is_empty() {
        let rest = later.split_off(later.len().min(7));
        store.append(store.size(), &later)?;
        later = rest;
    }
    for (size, note) in checkpoints()? {
        store.put_checkpoint(Size::clamped(size), &note)?;
    }
    Ok(store)
}

fn closed(folder: &TempDir) -> Outcome<Seed> {
    let path = folder.path().join("closed.db");
    written(&path)?.close()?;
    gather(&path)
}

/// As a kill leaves it: almost everything is in the `-wal`.
fn crashed(folder: &TempDir) -> Outcome<Seed> {
    let path = folder.path().join("crashed.db");
    let store = written(&path)?;
    let seed = gather(&path)?;
    drop(store);
    Ok(seed)
}

/// With payloads erased and a cache dropped: a free list, and tables that do not lie in a row.
fn with_free_pages(folder: &TempDir) -> Outcome<Seed> {
    let path = folder.path().join("free.db");
    written(&path)?.close()?;
    let sql = Connection::open(&path)?;
    sql.execute_batch(
        "CREATE TABLE cache(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
         INSERT INTO cache SELECT randomblob(3000) FROM n; CREATE INDEX by_x ON cache(x); DROP TABLE cache;
         DELETE FROM payload WHERE id % 3 = 1 AND id > 40;",
    )?;
    sql.close().map_err(|(_, error)| error)?;
    gather(&path)
}

/// The checkpoints of that ledger: size and note.
fn checkpoints() -> Outcome<Vec<(u64, Vec<u8>)>> {
    let checkpoint = |value: &serde_json::Value| {
        let (size, note) = (value["size"].as_u64(), value["note"].as_str());
        Some((size?, note?.as_bytes().to_vec()))
    };
    let story = seeds::story_vector()?;
    let checkpoints = story["checkpoints"].as_array().ok_or("no checkpoints")?;
    Ok(checkpoints.iter().filter_map(checkpoint).collect())
}

/// The principal of that ledger, in the form of `--trust`.
fn anchor() -> Outcome<String> {
    Ok(seeds::story_vector()?["anchor"].as_str().ok_or("no anchor")?.to_owned())
}

/// The keys that sign the ledger's checkpoints, from its first entry.
fn checkpoint_keys(story: &[Row]) -> Outcome<CheckpointPublicKeys> {
    let record = Record::decode(story.first().ok_or("an empty story")?.record())?;
    let statement = Statement::decode(Unverified::parse(&record.statement)?.payload())?;
    let Body::LedgerOpened(opened) = statement.body else {
        return Err("the story does not begin with ledger.opened".into());
    };
    let keys = &opened.checkpoint_keys;
    Ok(CheckpointPublicKeys::from_bytes(&keys.ed25519.0, &keys.ml_dsa_44.0)?)
}

/// Changes a note: bits, lines that come twice, too early or not at all, numbers, and what stands in base64.
fn spoil_note(dice: &mut Dice, note: &mut Vec<u8>) {
    match dice.below(6) {
        0 => {}
        1 => {
            let at = dice.below(note.len());
            note[at] ^= 1 << dice.below(8);
        }
        2 => {
            let mut lines: Vec<Vec<u8>> = note
                .split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            let (from, to) = (dice.below(lines.len()), dice.below(lines.len()));
            let line = lines[from].clone();
            match dice.below(3) {
                0 => lines.insert(to, line),
                1 => lines.swap(from, to),
                _ => drop(lines.remove(from)),
            }
            *note = lines.concat();
        }
        3 => {
            let number = dice.number(51).to_string();
            let start = note.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            note.splice(start..start + 1, number.bytes());
        }
        4 => note.truncate(dice.below(note.len())),
        _ => {
            let piece = note.clone();
            let times = if dice.once_in(4) { 60 } else { 1 };
            (0..times).for_each(|_| note.extend(&piece));
        }
    }
}
