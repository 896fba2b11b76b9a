//! A power cut at any moment loses nothing that was acknowledged, and what is left is never rejected.
//!
//! Simulated, so that it runs everywhere: a writer's doings are recorded (`faults/shim.c`), and of every moment the disk
//! is built as it may be found after a cut then ([`disk`]). That the simulation finds what there is to be found is shown
//! on a writer that acknowledges too early, and on a disk that does not sync.

mod disk;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use tempfile::TempDir;

use crate::support::programs::run;
use crate::support::rng::Rng;
use crate::support::shim::Shim;
use crate::support::trace::{Event, trace};
use crate::support::writer::{Told, go_on, writer};
use crate::support::{Checked, scratch};
use disk::{Disk, Names, Survival};

/// Moments of each recorded life at which the power is cut, if it has as many.
const CUTS: usize = 110;

/// What may be left of what was not synced; every cut is made in each of these ways.
const SURVIVALS: [Survival; 3] = [
    Survival {
        per_mille: 0,
        names: Names::Lost,
    },
    Survival {
        per_mille: 500,
        names: Names::Any,
    },
    Survival {
        per_mille: 900,
        names: Names::InOrder,
    },
];

/// Every how many-th wreck is also gone on with: that takes three times as long as to look at it, and is no multiple of
/// the ways above.
const GONE_ON_WITH: usize = 4;

/// A life that meets all stages; one in which the log is folded into the file and begun anew; and one of more than a
/// second, so that a head is signed and kept in between.
const LIVES: [&[&str]; 3] = [
    &["callers=8", "entries=24", "payload=3000"],
    &["callers=3", "entries=8", "payload=700000"],
    &["callers=2", "entries=6", "pause=700"],
];

/// Lets a writer make a ledger, a second one go on with it, and a third close it; gives what they did.
fn recorded(shim: Shim, arguments: &[&str]) -> Checked<Vec<Event>> {
    let (place, beside) = (scratch()?, scratch()?);
    let (folder, recorded) = (place.path().canonicalize()?, beside.path().join("trace"));
    for end in ["end=leave", "end=close"] {
        let mut command = writer(&folder.join("ledger.db"), arguments);
        shim.record(command.arg(end), &folder, &recorded);
        run(&mut command)?.expect(0);
    }
    trace(&recorded)
}

/// What a cut left: the files, and what had been said by then.
struct Wreck {
    files: Vec<(String, Vec<u8>)>,
    told: Told,
    what: String,
}

/// The wrecks of cuts all over a life: wherever something else begins, and elsewhere by lot.
fn wrecks(events: &[Event], rng: &mut Rng, mut each: impl FnMut(Wreck) -> Checked) -> Checked {
    let kinds: Vec<char> = events.iter().map(Event::kind).collect();
    let is_turn = |at: usize| at == 0 || kinds[at] != kinds[at - 1];
    let turns = (0..events.len()).filter(|at| is_turn(*at)).count();
    // Of so many moments, as many as there are cuts.
    let share = |moments: usize, cuts: usize| (cuts as u64 * 1000 / moments.max(1) as u64).min(1000);
    let (at_turns, elsewhere) = (share(turns, CUTS * 3 / 4), share(events.len() - turns, CUTS / 4));
    let (mut disk, mut told) = (Disk::default(), Told::default());
    for (at, event) in events.iter().enumerate() {
        if rng.below(1000) < if is_turn(at) { at_turns } else { elsewhere } {
            for survival in SURVIVALS {
                let mut files: Vec<_> = disk.after_cut(survival, rng).into_iter().collect();
                spoil_index(&mut files, rng);
                let what = format!("cut before event {at} of {}, {survival:?}, {told}", events.len());
                each(Wreck {
                    files,
                    told: told.clone(),
                    what,
                })?;
            }
        }
        disk.take(event);
        if let Event::Said(words) = event {
            told.hear_all(words)?;
        }
    }
    Ok(())
}

/// What SQLite writes through memory was not recorded; it may be anything, or not be there.
fn spoil_index(files: &mut Vec<(String, Vec<u8>)>, rng: &mut Rng) {
    let Some(at) = files.iter().position(|(name, _)| name.ends_with("-shm")) else {
        return;
    };
    match rng.below(3) {
        0 => drop(files.remove(at)),
        1 => files[at].1.fill(0),
        _ => files[at].1.fill_with(|| rng.next().to_le_bytes()[0]),
    }
}

impl Wreck {
    /// Switches the machine on again, with what is left in a folder of its own.
    fn raise(&self) -> Checked<TempDir> {
        let folder = scratch()?;
        for (name, content) in &self.files {
            fs::write(folder.path().join(name), content)?;
        }
        Ok(folder)
    }

    /// All that was acknowledged is there, and no rule is broken.
    fn is_sound(&self, folder: &TempDir) -> Checked {
        self.told.kept_by(&folder.path().join("ledger.db")).map(drop)
    }
}

/// How often a log was begun, on a new file or over an old one: each begins with a header of its own.
fn logs_begun(events: &[Event]) -> usize {
    let is_header = |event: &&Event| matches!(event, Event::Written { place: 0, bytes, .. } if bytes.len() == 32);
    events.iter().filter(is_header).count()
}

#[test]
fn power_cut_at_any_moment_loses_nothing_and_is_recovered_from() -> Checked {
    let Some(shim) = Shim::for_test("power_cut_at_any_moment_loses_nothing_and_is_recovered_from") else {
        return Ok(());
    };
    let seed = Rng::chosen_seed(13);
    let looked_at = AtomicUsize::new(0);
    let life = |number: usize| -> Checked {
        let events = recorded(shim, LIVES[number])?;
        // Each of the two writers begins one; in the second life they come round to begin another.
        assert!(logs_begun(&events) >= if number == 1 { 4 } else { 2 }, "life {number}");
        let mut rng = Rng::seeded(seed + number as u64);
        wrecks(&events, &mut rng, |wreck| {
            let count = looked_at.fetch_add(1, Ordering::Relaxed);
            let folder = wreck.raise()?;
            let mut sound = wreck.is_sound(&folder);
            if count.is_multiple_of(GONE_ON_WITH) {
                sound = sound.and_then(|()| go_on(&folder.path().join("ledger.db"), &wreck.told).map(drop));
            }
            sound.map_err(|error| format!("seed {seed}, life {number}: {}: {error}", wreck.what).into())
        })
    };
    scope(|scope| {
        let lives: Vec<_> = (0..LIVES.len())
            .map(|number| scope.spawn(move || life(number)))
            .collect();
        lives
            .into_iter()
            .try_for_each(|life| life.join().map_err(|_| "see above")?)
    })?;
    let looked_at = looked_at.into_inner();
    assert!(
        looked_at >= 300 * SURVIVALS.len() * 9 / 10,
        "only {looked_at} wrecks were looked at"
    );
    Ok(())
}

/// Counts the wrecks of a life that have lost something.
fn broken_words(events: &[Event]) -> Checked<usize> {
    let mut broken = 0;
    wrecks(events, &mut Rng::seeded(14), |wreck| {
        broken += usize::from(wreck.is_sound(&wreck.raise()?).is_err());
        Ok(())
    })?;
    Ok(broken)
}

#[test]
fn simulation_finds_out_a_writer_that_acknowledges_early() -> Checked {
    let Some(shim) = Shim::for_test("simulation_finds_out_a_writer_that_acknowledges_early") else {
        return Ok(());
    };
    let early = recorded(shim, &["callers=4", "entries=16", "acks=early"])?;
    assert!(broken_words(&early)? > 0);
    Ok(())
}

#[test]
fn simulation_finds_out_a_disk_that_does_not_sync() -> Checked {
    let Some(shim) = Shim::for_test("simulation_finds_out_a_disk_that_does_not_sync") else {
        return Ok(());
    };
    let mut events = recorded(shim, &["callers=4", "entries=16"])?;
    assert_eq!(broken_words(&events)?, 0, "an honest disk keeps its word");
    events.retain(|event| !matches!(event, Event::Synced { .. }));
    assert!(broken_words(&events)? > 0);
    Ok(())
}
