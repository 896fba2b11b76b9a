//! A writer of 32 callers, killed at any moment, loses nothing that it acknowledged; what it leaves is never rejected, and
//! the next writer goes on with it.
//!
//! Where in its life a writer is killed is drawn by lot; the seed is told when a test fails, and
//! `COUNTERSIGN_TEST_SEED` sets another one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::support::child::Running;
use crate::support::rng::Rng;
use crate::support::writer::{Told, go_on, writer};
use crate::support::{Checked, scratch};

/// Writers killed in all, by as many hands at once as CI has cores.
const KILLS: u64 = 500;
const HANDS: u64 = 2;

/// Writers killed on one ledger before one is let go on to its end.
const LIVES: u64 = 4;

const ARGUMENTS: [&str; 3] = ["callers=32", "entries=96", "payload=300"];

/// The stages in which writers are killed: each begins when the writer says so.
const STAGES: [&str; 3] = ["opening", "opened", "closing"];

/// How long the stages of a life last that nobody ends.
type Lengths = [Duration; STAGES.len()];

/// Lets a writer live until `delay` after it said `stage`.
fn live_until(ledger: &Path, told: &mut Told, stage: &str, delay: Duration) -> Checked {
    let mut command = writer(ledger, &ARGUMENTS);
    let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let mut printed = BufReader::new(running.take_output()?);
    let mut line = String::new();
    while told.stage() != stage && printed.read_line(&mut line)? > 0 {
        told.hear_all(&line)?;
        line.clear();
    }
    sleep(delay);
    running.kill()?;
    while printed.read_line(&mut line)? > 0 {
        told.hear_all(&line)?;
        line.clear();
    }
    Ok(())
}

/// The longest of a few whole lives, half of them on a ledger that is there.
fn lengths() -> Checked<Lengths> {
    let mut longest = Lengths::default();
    let mut folder = scratch()?;
    for end in ["end=leave", "end=close", "end=leave", "end=close"] {
        let ledger = folder.path().join("ledger.db");
        let mut command = writer(&ledger, &ARGUMENTS);
        let mut running = Running::start(command.arg(end).stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let (mut told, mut begun) = (Told::default(), Instant::now());
        for line in BufReader::new(running.take_output()?).lines() {
            let before = STAGES.iter().position(|stage| *stage == told.stage());
            told.hear(&line?)?;
            let now = STAGES.iter().position(|stage| *stage == told.stage());
            if now != before {
                if let Some(ended) = before {
                    longest[ended] = longest[ended].max(begun.elapsed());
                }
                begun = Instant::now();
            }
        }
        assert!(["left", "closed"].contains(&told.stage()), "nobody killed it: {told}");
        if end == "end=close" {
            folder = scratch()?;
        }
    }
    Ok(longest)
}

/// What became of the writers of one hand.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kills: u64,
    /// Killed before there was a ledger, before one that was there was open again, while it was open, and in the last stage.
    making: u64,
    opening: u64,
    open: u64,
    closing: u64,
    /// Came to their ends before they could be killed.
    closed: u64,
    acknowledged: u64,
}

impl Tally {
    fn count(&mut self, told: &Told, is_there: bool) {
        self.kills += 1;
        match told.stage() {
            "closed" => self.closed += 1,
            "closing" => self.closing += 1,
            "opened" => self.open += 1,
            _ if is_there => self.opening += 1,
            _ => self.making += 1,
        }
    }

    fn add(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            making: self.making + other.making,
            opening: self.opening + other.opening,
            open: self.open + other.open,
            closing: self.closing + other.closing,
            closed: self.closed + other.closed,
            acknowledged: self.acknowledged + other.acknowledged,
        }
    }
}

/// Kills a few writers of one ledger, one after the other, and looks at what each leaves; the last one may close it.
fn kill_some(lengths: &Lengths, tally: &mut Tally, rng: &mut Rng) -> Checked {
    let folder = scratch()?;
    let ledger = folder.path().join("ledger.db");
    let mut told = Told::default();
    for life in 1..=LIVES {
        let stage = rng.below(STAGES.len() as u64) as usize;
        let length = lengths[stage].as_micros() as u64;
        let delay = Duration::from_micros(rng.below(length.max(1)));
        let failed = |told: &Told, error| format!("life {life}, {delay:?} after {}, {told}: {error}", STAGES[stage]);
        told.begin();
        live_until(&ledger, &mut told, STAGES[stage], delay)?;
        let judged = told.kept_by(&ledger).map_err(|error| failed(&told, error))?;
        tally.count(&told, judged.is_some());
        let is_over = told.stage().starts_with("clos");
        if is_over || life == LIVES {
            go_on(&ledger, &told).map_err(|error| failed(&told, error))?;
            break;
        }
    }
    tally.acknowledged += told.acknowledged() as u64;
    Ok(())
}

#[test]
fn writers_killed_at_any_moment_lose_nothing_and_are_succeeded() -> Checked {
    let seed = Rng::chosen_seed(11);
    let lengths = lengths()?;
    let tallies: Checked<Vec<Tally>> = scope(|scope| {
        let hand = |number| {
            let lengths = &lengths;
            scope.spawn(move || -> Checked<Tally> {
                let (mut tally, mut rng) = (Tally::default(), Rng::seeded(seed + number));
                while tally.kills < KILLS / HANDS {
                    let before = tally.kills;
                    let killed = kill_some(lengths, &mut tally, &mut rng);
                    killed.map_err(|error| format!("seed {seed}, hand {number}, behind {before} kills: {error}"))?;
                }
                Ok(tally)
            })
        };
        let hands: Vec<_> = (0..HANDS).map(hand).collect();
        let tallies = hands.into_iter().map(|hand| hand.join().map_err(|_| "see above")?);
        tallies.collect()
    });
    let tally = tallies?.into_iter().fold(Tally::default(), Tally::add);
    let told = format!("seed {seed}, {lengths:?}: {tally:?}");
    // On a machine under load moments come late, so nothing is said here about their shares.
    for met in [tally.making, tally.opening, tally.open, tally.closing] {
        assert!(met > 0, "{told}");
    }
    assert!(tally.closed < KILLS / 2 && tally.acknowledged > KILLS, "{told}");
    Ok(())
}
