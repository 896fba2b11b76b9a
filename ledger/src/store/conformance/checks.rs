//! The checks, each on a ledger of its own.

use std::fmt::Debug;

use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;
use countersign_schemas::record::RECORD_BYTES_MAX;

use super::{Nonconformity, Place};
use crate::layout::{NOTE_BYTES_MAX, PAYLOAD_BYTES_MAX, Slot};
use crate::store::{ReadBack, Row, Store, StoreError};

/// Appends after which writes that were broken must have failed.
const BROKEN_APPENDS_MAX: u64 = 10_000;

type Done = Result<(), Nonconformity>;
type Check<P> = fn(&At<P>) -> Done;

/// A check, and the place that it has for itself.
pub(super) struct At<P> {
    pub(super) check: &'static str,
    pub(super) place: P,
}

/// All checks with their names, which are claims.
pub(super) fn all<P: Place>() -> [(&'static str, Check<P>); 13] {
    [
        ("a ledger needs its first entry", needs_genesis),
        ("rows come back in order, with their payloads", comes_back),
        ("rows at every limit are kept", keeps_limits),
        ("reading begins where it is asked to", reads_from),
        ("an append that counts on another size is refused", refuses_size),
        ("a batch out of its place is refused as a whole", refuses_places),
        ("an empty batch changes nothing", ignores_nothing),
        ("checkpoints that fit are kept, others are refused", keeps_checkpoints),
        ("a checkpoint of one size is never replaced", keeps_first_checkpoint),
        ("housekeeping changes nothing that is kept", tidies),
        (
            "of two writers the one behind is refused, and nothing is lost",
            bears_two_writers,
        ),
        ("a ledger that is opened again holds what was acknowledged", reopens),
        (
            "after a failed write nothing is taken until it is opened again",
            poisons,
        ),
    ]
}

fn row(place: u64) -> Row {
    // Every third row has no payload, the others one, or two with a gap between their slots.
    let lengths: &[(u8, usize)] = match place % 3 {
        0 => &[],
        1 => &[(0, 300)],
        _ => &[(1, 0), (7, 5000)],
    };
    let payloads = lengths.iter().map(|(slot, bytes)| payload(*slot, place as u8, *bytes));
    let record = place.to_be_bytes().repeat(20 + place as usize % 40);
    Row::new(Seq::clamped(place), record, payloads.collect()).expect("a row within the limits")
}

fn payload(slot: u8, byte: u8, bytes: usize) -> (Slot, Salt, Vec<u8>) {
    let slot = Slot::new(slot).expect("a slot below 8");
    (slot, Salt([byte; 32]), vec![byte; bytes])
}

fn rows(places: std::ops::Range<u64>) -> Vec<Row> {
    places.map(row).collect()
}

fn size(number: u64) -> Size {
    Size::clamped(number)
}

impl<P: Place> At<P> {
    fn done<T>(&self, call: &'static str, result: Result<T, StoreError>) -> Result<T, Nonconformity> {
        let check = self.check;
        result.map_err(|source| {
            let source = Box::new(source);
            Nonconformity::Failed { check, call, source }
        })
    }

    fn same<T: PartialEq + Debug>(&self, what: &'static str, found: T, expected: T) -> Done {
        if found == expected {
            return Ok(());
        }
        Err(self.differs(what, format!("{expected:?}"), format!("{found:?}")))
    }

    fn differs(&self, what: &'static str, expected: String, found: String) -> Nonconformity {
        let check = self.check;
        Nonconformity::Differs {
            check,
            what,
            expected,
            found,
        }
    }

    /// Expects a refusal that `is_right`.
    fn refused<T>(
        &self,
        call: &'static str,
        expected: &str,
        result: Result<T, StoreError>,
        is_right: impl FnOnce(&StoreError) -> bool,
    ) -> Done {
        match result {
            Ok(_) => Err(self.differs(call, expected.to_owned(), "no error".to_owned())),
            Err(error) if is_right(&error) => Ok(()),
            Err(error) => Err(self.differs(call, expected.to_owned(), format!("{error:?}"))),
        }
    }

    fn create(&self, count: u64) -> Result<P::Store, Nonconformity> {
        self.done("create", self.place.create(&rows(0..count)))
    }

    fn append(&self, store: &mut P::Store, places: std::ops::Range<u64>) -> Done {
        let end = size(places.end);
        let appended = self.done("append", store.append(size(places.start), &rows(places)))?;
        self.same("size that append gives", appended, end)
    }

    /// Expects exactly the rows 0 to `count`.
    fn holds(&self, store: &P::Store, count: u64) -> Done {
        self.same("size", store.size(), size(count))?;
        self.holds_from(store, 0, count)
    }

    fn holds_from(&self, store: &P::Store, first: u64, end: u64) -> Done {
        let mut place = first;
        for found in store.rows(Seq::clamped(first)) {
            let found = self.done("rows", found)?;
            self.same("place of a row", found.seq().get(), place)?;
            if found != row(place) {
                let what = format!("a record of {} bytes", found.record().len());
                return Err(self.differs("a row", format!("the row of {place}"), what));
            }
            place += 1;
        }
        self.same("end of the rows", place, end.max(first))
    }

    fn checkpoints(&self, store: &P::Store) -> Result<Vec<(Size, Vec<u8>)>, Nonconformity> {
        self.done("checkpoints", store.checkpoints().collect())
    }
}

fn needs_genesis<P: Place>(at: &At<P>) -> Done {
    let empty = at.place.create(&[]);
    at.refused("create without rows", "NoGenesis", empty, |error| {
        matches!(error, StoreError::NoGenesis)
    })?;
    let late = at.place.create(&rows(1..3));
    at.refused("create from row 1", "OutOfSequence", late, |error| {
        matches!(error, StoreError::OutOfSequence { .. })
    })?;
    at.holds(&at.create(1)?, 1)
}

fn comes_back<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(2)?;
    for places in [2..3, 3..50, 50..700] {
        at.append(&mut store, places)?;
    }
    at.holds(&store, 700)
}

fn keeps_limits<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(1)?;
    let slots = (0..8).map(|slot| payload(slot, slot, 0)).collect();
    let longest = vec![payload(3, 0xAB, PAYLOAD_BYTES_MAX)];
    let built = [(1, vec![0xFF; RECORD_BYTES_MAX], slots), (2, vec![0], longest)];
    let batch = built.map(|(place, record, payloads)| {
        Row::new(Seq::clamped(place), record, payloads).expect("a row at the limits is within them")
    });
    at.done("append", store.append(size(1), &batch))?;
    let found = at.done("rows", store.rows(Seq::clamped(1)).collect::<Result<Vec<_>, _>>())?;
    at.same("rows at the limits come back", found == batch, true)
}

fn reads_from<P: Place>(at: &At<P>) -> Done {
    let store = at.create(40)?;
    for first in [0, 1, 39, 40, 41, Seq::clamped(u64::MAX).get()] {
        at.holds_from(&store, first, 40)?;
    }
    Ok(())
}

fn refuses_size<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(5)?;
    for expected in [0, 1, 4, 6, 100] {
        let appended = store.append(size(expected), &rows(expected..expected + 2));
        at.refused("append", "SizeMoved", appended, |error| {
            matches!(error, StoreError::SizeMoved { expected: counted, found }
                if (*counted, *found) == (size(expected), size(5)))
        })?;
        at.holds(&store, 5)?;
    }
    at.append(&mut store, 5..7)?;
    at.holds(&store, 7)
}

fn refuses_places<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(3)?;
    let twice = vec![row(3), row(3)];
    let gap = vec![row(3), row(4), row(6)];
    for batch in [rows(4..6), rows(2..5), twice, gap] {
        let appended = store.append(size(3), &batch);
        at.refused("append", "OutOfSequence", appended, |error| {
            matches!(error, StoreError::OutOfSequence { .. })
        })?;
        at.holds(&store, 3)?;
    }
    at.append(&mut store, 3..5)?;
    at.holds(&store, 5)
}

fn ignores_nothing<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(3)?;
    let appended = at.done("append", store.append(size(3), &[]))?;
    at.same("size that append gives", appended, size(3))?;
    at.holds(&store, 3)
}

fn keeps_checkpoints<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(5)?;
    let longest = vec![0xEE; NOTE_BYTES_MAX];
    for (number, note) in [(5, longest.as_slice()), (1, b"first"), (3, b"third")] {
        at.done("put_checkpoint", store.put_checkpoint(size(number), note))?;
    }
    for number in [0, 6, 1 << 53] {
        let put = store.put_checkpoint(size(number), b"note");
        at.refused("put_checkpoint", "CheckpointMisfit", put, |error| {
            matches!(error, StoreError::CheckpointMisfit { .. })
        })?;
    }
    let put = store.put_checkpoint(size(2), &[0; NOTE_BYTES_MAX + 1]);
    at.refused("put_checkpoint", "NoteTooLong", put, |error| {
        matches!(error, StoreError::NoteTooLong { .. })
    })?;
    let put = store.put_checkpoint(size(2), b"");
    at.refused("put_checkpoint", "NoteEmpty", put, |error| {
        matches!(error, StoreError::NoteEmpty)
    })?;
    let kept = [
        (size(1), b"first".to_vec()),
        (size(3), b"third".to_vec()),
        (size(5), longest),
    ];
    at.same("checkpoints", at.checkpoints(&store)? == kept, true)?;
    at.append(&mut store, 5..6)?;
    at.done("put_checkpoint", store.put_checkpoint(size(6), b"sixth"))
}

fn keeps_first_checkpoint<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(2)?;
    at.done("put_checkpoint", store.put_checkpoint(size(2), b"first"))?;
    for note in [b"other".as_slice(), b"first"] {
        let put = store.put_checkpoint(size(2), note);
        at.refused(
            "put_checkpoint",
            "CheckpointExists",
            put,
            |error| matches!(error, StoreError::CheckpointExists { size: found } if *found == size(2)),
        )?;
    }
    at.same(
        "checkpoints",
        at.checkpoints(&store)?,
        vec![(size(2), b"first".to_vec())],
    )
}

fn tidies<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(1)?;
    at.done("put_checkpoint", store.put_checkpoint(size(1), b"note"))?;
    for place in 1..400 {
        at.append(&mut store, place..place + 1)?;
        at.done("tidy", store.tidy())?;
    }
    at.holds(&store, 400)?;
    at.same("checkpoints", at.checkpoints(&store)?.len(), 1)
}

fn bears_two_writers<P: Place>(at: &At<P>) -> Done {
    let mut first = at.create(2)?;
    let mut second = match at.place.open() {
        Ok(second) => second,
        Err(StoreError::LockedByAnotherWriter { .. }) => {
            at.append(&mut first, 2..5)?;
            return at.holds(&first, 5);
        }
        Err(error) => return at.done("open", Err(error)),
    };
    at.append(&mut first, 2..5)?;
    let behind = second.append(size(2), &rows(2..3));
    at.refused(
        "append of the second writer",
        "SizeMoved",
        behind,
        |error| matches!(error, StoreError::SizeMoved { found, .. } if *found == size(5)),
    )?;
    at.append(&mut second, 5..6)?;
    let behind = first.append(size(5), &rows(5..7));
    at.refused(
        "append of the first writer",
        "SizeMoved",
        behind,
        |error| matches!(error, StoreError::SizeMoved { found, .. } if *found == size(6)),
    )?;
    at.holds(&second, 6)
}

fn reopens<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(2)?;
    let mut end = 2;
    for round in 0..6 {
        at.append(&mut store, end..end + 7)?;
        end += 7;
        at.done("put_checkpoint", store.put_checkpoint(size(end), b"note"))?;
        if round % 2 == 0 {
            drop(store);
        } else {
            at.done("close", store.close())?;
        }
        store = at.done("open", at.place.open())?;
        at.holds(&store, end)?;
        at.same("checkpoints", at.checkpoints(&store)?.len(), round + 1)?;
    }
    Ok(())
}

fn poisons<P: Place>(at: &At<P>) -> Done {
    let mut store = at.create(2)?;
    if !at.place.break_writes(&mut store) {
        return Ok(());
    }
    let mut end = 2;
    while let Ok(appended) = store.append(size(end), &rows(end..end + 3)) {
        at.same("size that append gives", appended, size(end + 3))?;
        end += 3;
        at.same("writes that were broken still succeed", end > BROKEN_APPENDS_MAX, false)?;
    }
    let is_poisoned = |error: &StoreError| matches!(error, StoreError::Poisoned { .. });
    let appended = store.append(size(end), &rows(end..end + 1));
    at.refused("append", "Poisoned", appended, is_poisoned)?;
    let put = store.put_checkpoint(size(1), b"note");
    at.refused("put_checkpoint", "Poisoned", put, is_poisoned)?;
    drop(store);
    let mut store = at.done("open", at.place.open())?;
    // The batch whose append failed is there as a whole or not at all.
    let found = store.size().get();
    if found != end && found != end + 3 {
        let expected = format!("{end} or {}", end + 3);
        return Err(at.differs("size after a failed append", expected, found.to_string()));
    }
    at.holds(&store, found)?;
    at.append(&mut store, found..found + 1)
}
