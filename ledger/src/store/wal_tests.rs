use std::io::Cursor;

use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;

use super::*;
use crate::layout::Slot;
use crate::store::{Row, Sqlite, Store};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const PAGE: usize = 4096;
const FRAME: usize = FRAME_HEADER_BYTES + PAGE;

fn rows(places: std::ops::Range<u64>, payload_bytes: usize) -> Vec<Row> {
    let row = |place: u64| {
        let slot = Slot::new(0).expect("0 is a slot");
        let payload = (slot, Salt([place as u8; 32]), vec![place as u8; payload_bytes]);
        Row::new(Seq::clamped(place), vec![place as u8 + 1; 300], vec![payload]).expect("a row within the limits")
    };
    places.map(row).collect()
}

/// Appends one transaction of several frames.
fn append(store: &mut Sqlite, rows: u64, payload_bytes: usize) -> TestResult {
    let size = store.size();
    store.append(size, &self::rows(size.get()..size.get() + rows, payload_bytes))?;
    Ok(())
}

/// The `-wal` of a live ledger with `transactions` of several frames each.
fn wal_of(transactions: u64) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..1, 10))?;
    for _ in 0..transactions {
        append(&mut store, 2, 3000)?;
    }
    Ok(std::fs::read(beside(&path, "-wal"))?)
}

fn judge(wal: &[u8]) -> io::Result<Option<WalDamage>> {
    scan(&mut Cursor::new(wal))
}

/// Where frame `number`, from 1, begins.
fn frame_at(number: usize) -> usize {
    HEADER_BYTES + (number - 1) * FRAME
}

/// The numbers of the frames with a commit mark.
fn marks(wal: &[u8]) -> Vec<usize> {
    let frames = (wal.len() - HEADER_BYTES) / FRAME;
    (1..=frames)
        .filter(|number| word(wal, frame_at(*number) + 4) != 0)
        .collect()
}

#[test]
fn sound_wal_is_not_reported() -> TestResult {
    for transactions in 0..4 {
        assert_eq!(judge(&wal_of(transactions)?)?, None);
    }
    assert_eq!(judge(b"")?, None);
    assert_eq!(judge(&[0; 100_000])?, None);
    Ok(())
}

#[test]
fn any_flipped_bit_of_a_frame_header_before_the_last_transaction_is_reported() -> TestResult {
    let mut wal = wal_of(3)?;
    let marks = marks(&wal);
    assert!(marks.len() == 3 && marks[0] > 1 && marks[2] > marks[1] + 1, "{marks:?}");
    for number in 1..=marks[1] {
        let lost = marks.iter().filter(|mark| **mark >= number).count() as u64;
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            wal[frame_at(number) + bit / 8] ^= 1 << (bit % 8);
            let damage = judge(&wal)?.ok_or_else(|| format!("frame {number}, bit {bit} is overlooked"))?;
            assert_eq!(damage.frame, number as u64, "bit {bit}");
            assert!(damage.commits.abs_diff(lost) <= 1, "bit {bit}: {damage:?}");
            wal[frame_at(number) + bit / 8] ^= 1 << (bit % 8);
        }
    }
    Ok(())
}

#[test]
fn any_flipped_bit_of_a_page_before_the_last_transaction_is_reported() -> TestResult {
    let mut wal = wal_of(3)?;
    let last = marks(&wal)[1];
    for number in 1..=last {
        for at in (0..PAGE).step_by(23) {
            let place = frame_at(number) + FRAME_HEADER_BYTES + at;
            wal[place] ^= 1 << (at % 8);
            let damage = judge(&wal)?;
            assert!(
                damage.is_some_and(|damage| damage.frame == number as u64),
                "frame {number}, byte {at}"
            );
            wal[place] ^= 1 << (at % 8);
        }
    }
    Ok(())
}

#[test]
fn any_flipped_bit_of_the_wal_header_is_reported() -> TestResult {
    let mut wal = wal_of(2)?;
    for bit in 0..HEADER_BYTES * 8 {
        wal[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judge(&wal)?, Some(WalDamage { frame: 0, commits: 2 }), "bit {bit}");
        wal[bit / 8] ^= 1 << (bit % 8);
    }
    // Overwritten altogether, so that not even the page size is known.
    wal[..HEADER_BYTES].fill(0xAA);
    assert!(judge(&wal)?.is_some());
    Ok(())
}

#[test]
fn frame_that_is_wiped_out_is_reported_where_two_commits_follow() -> TestResult {
    let wal = wal_of(4)?;
    let marks = marks(&wal);
    for number in 1..=marks[1] {
        let mut wal = wal.clone();
        wal[frame_at(number)..][..FRAME].fill(0);
        assert!(
            judge(&wal)?.is_some_and(|damage| damage.frame == number as u64),
            "frame {number}"
        );
    }
    Ok(())
}

#[test]
fn torn_last_transaction_is_not_reported() -> TestResult {
    let wal = wal_of(3)?;
    let marks = marks(&wal);
    for number in marks[1] + 1..=marks[2] {
        for rubbish in [0, 0xFF] {
            let mut torn = wal.clone();
            torn[frame_at(number)..][..FRAME].fill(rubbish);
            assert_eq!(judge(&torn)?, None, "frame {number}");
            let mut torn = wal.clone();
            torn[frame_at(number) + 1000..][..512].fill(rubbish);
            assert_eq!(judge(&torn)?, None, "a sector of frame {number}");
        }
    }
    for length in (frame_at(marks[1] + 1)..wal.len()).step_by(509) {
        assert_eq!(judge(&wal[..length])?, None, "cut to {length} bytes");
    }
    Ok(())
}

#[test]
fn older_frames_behind_a_restart_are_not_reported() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    let mut store = Sqlite::create(&path, &rows(0..1, 10))?;
    for _ in 0..6 {
        append(&mut store, 2, 3000)?;
    }
    let before = std::fs::read(beside(&path, "-wal"))?;
    rusqlite::Connection::open(&path)?.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    for _ in 0..2 {
        append(&mut store, 2, 3000)?;
    }
    let wal = std::fs::read(beside(&path, "-wal"))?;
    assert!(
        wal.len() == before.len() && wal[16..24] != before[16..24],
        "the -wal was not used again"
    );
    assert_eq!(judge(&wal)?, None);
    // Torn as well.
    let last = frame_at(marks_of_present_use(&wal));
    let mut torn = wal.clone();
    torn[last..][..FRAME].copy_from_slice(&before[last..][..FRAME]);
    assert_eq!(judge(&torn)?, None);
    // And a flipped bit in what was written since is found.
    let mut damaged = wal;
    damaged[frame_at(1) + 100] ^= 1;
    assert!(judge(&damaged)?.is_some());
    Ok(())
}

/// The last frame with a commit mark that bears the salts of the header.
fn marks_of_present_use(wal: &[u8]) -> usize {
    let is_present = |number: &usize| wal[frame_at(*number) + 8..][..8] == wal[16..24];
    marks(wal).into_iter().rfind(is_present).unwrap_or_default()
}

/// What two crashes leave can hold two commit marks, of two transactions that never were durable.
#[test]
fn rubbish_of_two_crashes_is_not_reported() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (path, crashed) = (folder.path().join("ledger.db"), folder.path().join("crashed.db"));
    let mut store = Sqlite::create(&path, &rows(0..1, 10))?;
    append(&mut store, 2, 3000)?;
    append(&mut store, 5, 3000)?;
    std::fs::copy(&path, &crashed)?;
    let mut wal = std::fs::read(beside(&path, "-wal"))?;
    let first = marks(&wal);
    // The first crash: of the second transaction all but its first frame reached the disk.
    wal[frame_at(first[0] + 1)..][..FRAME].fill(0);
    std::fs::write(beside(&crashed, "-wal"), &wal)?;
    let mut store = Sqlite::open(&crashed)?;
    assert_eq!(store.size(), Size::clamped(3));
    append(&mut store, 1, 3000)?;
    let mut wal = std::fs::read(beside(&crashed, "-wal"))?;
    assert_eq!(judge(&wal)?, None);
    let second = marks(&wal);
    assert_eq!(
        second.len(),
        3,
        "the first crash's rubbish is gone, so this test shows nothing"
    );
    // The second crash: the same in the transaction that was written over the rubbish.
    wal[frame_at(second[0] + 1)..][..FRAME].fill(0);
    assert_eq!(judge(&wal)?, None);
    Ok(())
}

#[test]
fn bytes_of_any_kind_come_to_an_end() -> TestResult {
    let wal = wal_of(2)?;
    for step in 1..200 {
        let mangled: Vec<u8> = wal
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ u8::from(at % (step * 7) == 0))
            .collect();
        judge(&mangled)?;
        judge(&wal[..wal.len() / step])?;
    }
    Ok(())
}
