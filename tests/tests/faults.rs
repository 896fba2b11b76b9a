//! A disk that fails at any call loses nothing that was acknowledged, is named as the cause, and leaves a sound ledger.
//!
//! Every call by which the writer changes files is made to fail in turn, in each of the ways of [`Fault`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::scope;

use tempfile::TempDir;

use crate::support::namespace::Namespace;
use crate::support::programs::{Ran, ledger_writer_path, run};
use crate::support::rng::Rng;
use crate::support::shim::{FAULTS, Fault, Shim};
use crate::support::trace::{Event, trace};
use crate::support::writer::{Told, go_on, writer};
use crate::support::{Checked, scratch};

/// A short life that meets every stage: made, extended by several callers, closed.
const SHORT: [&str; 3] = ["callers=3", "entries=6", "payload=1500"];

/// A life in which the log is folded into the file while the ledger is open, because enough was written.
const TIDY: [&str; 3] = ["callers=2", "entries=12", "payload=700000"];

/// Calls of the longer life that are made to fail, beside those at which one kind of call follows another.
const SAMPLED: u64 = 24;

/// A folder for a ledger, and one beside it that no fault reaches.
struct Place {
    disk: TempDir,
    beside: TempDir,
}

impl Place {
    fn new() -> Checked<Self> {
        Ok(Self {
            disk: scratch()?,
            beside: scratch()?,
        })
    }

    /// The disk's path without links, as the shim wants it.
    fn disk(&self) -> Checked<PathBuf> {
        Ok(self.disk.path().canonicalize()?)
    }

    fn ledger(&self) -> Checked<PathBuf> {
        Ok(self.disk()?.join("ledger.db"))
    }
}

/// Runs the writer with one fault at one call; `None` if there is no such call. Gives the call that failed.
fn break_one(shim: Shim, arguments: &[&str], fault: Fault, call: u32) -> Checked<Option<String>> {
    let place = Place::new()?;
    let struck = place.beside.path().join("struck");
    let mut command = writer(&place.ledger()?, arguments);
    shim.break_disk(&mut command, &place.disk()?, fault, call, &struck);
    let ran = run(&mut command)?;
    let mut told = Told::default();
    told.hear_all(&ran.stdout)?;
    let Ok(struck) = fs::read_to_string(&struck) else {
        ran.expect(0);
        return Ok(None);
    };
    sound_end(&ran, fault).map_err(|error| format!("{struck}: {error}"))?;
    let rest = sound_rest(&place, &told);
    rest.map_err(|error| format!("{struck}; {told}; {error}\n{ran}"))?;
    Ok(Some(struck))
}

/// The program came to its end in one of the ways that it promises: done, or with an error that names the ledger. SQLite does
/// not always tell a full disk from a broken one, so no more than that is asked of the error.
fn sound_end(ran: &Ran, fault: Fault) -> Checked {
    let names_ledger = ran.stderr.starts_with("error: ") && ran.stderr.contains("ledger");
    match ran.code {
        None if fault == Fault::Kill => Ok(()),
        Some(0) if fault != Fault::Kill => Ok(()),
        Some(4) if fault != Fault::Kill && names_ledger => Ok(()),
        _ => Err(format!("it does not end as it should: {ran}").into()),
    }
}

/// What is left holds what was acknowledged, and the next writer goes on with it.
fn sound_rest(place: &Place, told: &Told) -> Checked {
    let ledger = place.ledger()?;
    let judged = told.kept_by(&ledger)?;
    if told.stage() == "closed" && judged.is_none_or(|judged| judged.code != 0) {
        return Err("the writer said that the ledger is closed".into());
    }
    go_on(&ledger, told).map(drop)
}

/// Breaks every call in turn until the program makes no more; gives what was broken.
fn break_all(shim: Shim, fault: Fault) -> Checked<Vec<String>> {
    let mut broken = Vec::new();
    let mut beyond = 0;
    let mut call = 0;
    // How callers meet in batches differs from run to run, and with it the number of calls.
    while beyond < 3 {
        call += 1;
        match break_one(shim, &SHORT, fault, call).map_err(|error| format!("{fault:?} at call {call}: {error}"))? {
            Some(struck) => broken.push(struck),
            None => beyond += 1,
        }
    }
    Ok(broken)
}

#[test]
fn no_failing_call_loses_an_entry_or_spoils_the_ledger() -> Checked {
    let Some(shim) = Shim::for_test("no_failing_call_loses_an_entry_or_spoils_the_ledger") else {
        return Ok(());
    };
    let broken: Checked<Vec<Vec<String>>> = scope(|scope| {
        let kinds: Vec<_> = FAULTS.map(|fault| scope.spawn(move || break_all(shim, fault))).into();
        kinds
            .into_iter()
            .map(|kind| kind.join().map_err(|_| "see above")?)
            .collect()
    });
    let broken = broken?;
    for broken in &broken {
        assert!(broken.len() > 60, "only {} calls", broken.len());
    }
    // Which call is the N-th differs a little from run to run, so a rare one can be passed over by one kind of fault.
    let broken = broken.concat();
    for call in [
        "open",
        "write",
        "pwrite",
        "ftruncate",
        "fsync",
        "fdatasync",
        "link",
        "unlink",
    ] {
        let is_met = broken.iter().any(|struck| struck.starts_with(call));
        assert!(is_met, "no {call} among {broken:#?}");
    }
    Ok(())
}

#[test]
fn no_failing_call_of_housekeeping_loses_an_entry_or_spoils_the_ledger() -> Checked {
    let Some(shim) = Shim::for_test("no_failing_call_of_housekeeping_loses_an_entry_or_spoils_the_ledger") else {
        return Ok(());
    };
    let seed = Rng::chosen_seed(12);
    let place = Place::new()?;
    let recorded = place.beside.path().join("trace");
    let mut command = writer(&place.ledger()?, &TIDY);
    shim.record(&mut command, &place.disk()?, &recorded);
    run(&mut command)?.expect(0);
    let events = trace(&recorded)?;
    let calls: Vec<char> = events
        .iter()
        .filter(|event| !matches!(event, Event::Said(_)))
        .map(Event::kind)
        .collect();
    // Where one kind of call follows another, something new begins; within a row of writes some have to do.
    let turns = (1..calls.len())
        .filter(|at| calls[at - 1] != calls[*at])
        .map(|at| at as u64);
    let mut chosen: BTreeSet<u64> = turns.flat_map(|at| [at, at + 1]).collect();
    let mut rng = Rng::seeded(seed);
    chosen.extend((0..SAMPLED).map(|_| 1 + rng.below(calls.len() as u64)));
    let chosen: Vec<u32> = chosen.into_iter().map(u32::try_from).collect::<Result<_, _>>()?;
    scope(|scope| {
        let half = |part: usize| {
            let chosen = &chosen;
            scope.spawn(move || -> Checked {
                for (number, call) in chosen.iter().enumerate().filter(|(number, _)| number % 2 == part) {
                    let fault = FAULTS[number / 2 % FAULTS.len()];
                    let broken = break_one(shim, &TIDY, fault, *call);
                    broken.map_err(|error| format!("seed {seed}, {fault:?} at call {call}: {error}"))?;
                }
                Ok(())
            })
        };
        [half(0), half(1)]
            .into_iter()
            .try_for_each(|half| half.join().map_err(|_| "see above")?)
    })
}

/// What the shell runs with a limit of `$1` blocks to the size of files. Beyond it the kernel sends SIGXFSZ, and, where
/// that is ignored, answers EFBIG.
const LIMITED: &str = r#"trap '' XFSZ; ulimit -f "$1"; shift; exec "$@""#;

#[test]
fn files_that_may_not_grow_lose_no_entry() -> Checked {
    let mut codes = BTreeSet::new();
    for blocks in (0..400).step_by(20).chain([4_000]) {
        let place = Place::new()?;
        let ledger = place.ledger()?;
        let mut command = std::process::Command::new("sh");
        command.args(["-c", LIMITED, "sh", &blocks.to_string()]);
        let ran = run(command
            .arg(ledger_writer_path())
            .arg(&ledger)
            .args(["entries=20", "payload=1000"]))?;
        let ran = ran.expect_one_of(&[0, 4]);
        let mut told = Told::default();
        told.hear_all(&ran.stdout)?;
        sound_rest(&place, &told).map_err(|error| format!("{blocks} blocks: {told}; {error}\n{ran}"))?;
        codes.insert((ran.code, told.stage().to_owned()));
    }
    for stage in [(Some(4), "opening"), (Some(4), "opened"), (Some(0), "closed")] {
        assert!(
            codes.contains(&(stage.0, stage.1.to_owned())),
            "{stage:?} is not among {codes:?}"
        );
    }
    Ok(())
}

/// Writes a ledger `$2` with the program `$1` where that can be done, takes the right to write away, and tries again.
const READ_ONLY: &str = r#"
    mount -t tmpfs -o size=4000k none "$1" || exit 99
    "$2" "$1/ledger.db" entries=3 >/dev/null || exit 98
    mount -o remount,ro "$1" || exit 97
    "$2" "$1/other.db" entries=3"#;

#[test]
fn folder_that_cannot_be_written_is_named() -> Checked {
    let place = Place::new()?;
    let arguments = [place.disk()?.into_os_string(), ledger_writer_path().into_os_string()];
    let Some(ran) = Namespace::Mounts.run("folder_that_cannot_be_written_is_named", READ_ONLY, arguments)? else {
        return Ok(());
    };
    let ran = ran.expect(4).says("may not be written");
    assert!(ran.stderr.contains(&*place.disk()?.to_string_lossy()), "{ran}");
    Ok(())
}

/// As the shim sees it, a path with links is another one.
#[test]
fn shim_leaves_other_folders_alone() -> Checked {
    let Some(shim) = Shim::for_test("shim_leaves_other_folders_alone") else {
        return Ok(());
    };
    let (place, elsewhere) = (Place::new()?, Place::new()?);
    let mut command = writer(&place.ledger()?, &SHORT);
    let struck: &Path = &place.beside.path().join("struck");
    shim.break_disk(&mut command, &elsewhere.disk()?, Fault::FullForGood, 1, struck);
    run(&mut command)?.expect(0);
    assert!(!struck.exists());
    Ok(())
}
