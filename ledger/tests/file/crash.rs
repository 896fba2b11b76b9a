//! A writer killed at any moment leaves no file, or one that holds everything it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_ledger::appender::Appender;
use countersign_ledger::store::{Sqlite, Store};
use tempfile::tempdir;

use super::rows::{Anyhow, count_whole, row, rows, size};
use crate::TestResult;

/// Set for the child alone: the ledger that it makes, extends and closes.
const LEDGER: &str = "COUNTERSIGN_TEST_CRASH_LEDGER";
const ROUNDS: u64 = 40;
const ENTRIES: u64 = 400;

/// The child: says `ack N` when N entries are durable.
#[test]
fn child_that_writes_until_it_is_killed() -> TestResult {
    let Some(path) = std::env::var_os(LEDGER).map(PathBuf::from) else {
        return Ok(());
    };
    let mut out = std::io::stdout();
    writeln!(out, "\nack 0")?;
    let appender = Appender::start(Sqlite::create(&path, &rows(0..2)?)?)?;
    writeln!(out, "ack 2")?;
    let mut number = 2;
    while number < ENTRIES {
        let group = 1 + number % 7;
        let durables = (number..number + group)
            .map(|number| Ok(appender.submit(row(number)?)))
            .collect::<Anyhow<Vec<_>>>()?;
        for durable in durables {
            durable.wait()?;
            number += 1;
            writeln!(out, "ack {number}")?;
        }
        // Closing and opening again belongs to what may be interrupted.
        if number > ENTRIES / 2 && number % 5 == 0 {
            appender.put_checkpoint(size(number), b"note".to_vec()).wait()?;
        }
    }
    let store = appender.close()?;
    writeln!(out, "ack closing")?;
    store.close()?;
    writeln!(out, "ack closed")?;
    Ok(())
}

fn spawn(ledger: &Path) -> Anyhow<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args([
            "--exact",
            "file::crash::child_that_writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(LEDGER, ledger)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?)
}

/// What a child got done.
struct Done {
    acknowledged: u64,
    closed: bool,
}

/// Runs the child and kills it `life` after it said `ack WORD`; gives what it acknowledged by then.
fn run_and_kill(ledger: &Path, word: &str, life: Option<Duration>) -> Anyhow<Done> {
    let mut child = spawn(ledger)?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    let mut done = Done {
        acknowledged: 0,
        closed: false,
    };
    for line in lines.by_ref() {
        let line = line?;
        done.note(&line);
        if line.strip_prefix("ack ") == Some(word) {
            break;
        }
    }
    if let Some(life) = life {
        std::thread::sleep(life);
        child.kill()?;
    }
    for line in lines {
        done.note(&line?);
    }
    child.wait()?;
    Ok(done)
}

impl Done {
    /// A line that the kill cut short can only say less than was acknowledged.
    fn note(&mut self, line: &str) {
        match line.strip_prefix("ack ") {
            Some("closed") => self.closed = true,
            Some(number) => self.acknowledged = number.parse().unwrap_or(0).max(self.acknowledged),
            None => {}
        }
    }
}

/// Moments spread over the child's whole life, different in each round and the same in each run of the test.
fn moment(round: u64, whole: Duration) -> Duration {
    let scattered = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44;
    whole.mul_f64(scattered as f64 / f64::from(1 << 20) * 1.05)
}

/// Everything acknowledged is there, and the next writer goes on where it ends.
fn expect_whole(ledger: &Path, acknowledged: u64) -> Anyhow<()> {
    let stored = count_whole(ledger)?;
    if stored < acknowledged.max(2) {
        return Err(format!("{acknowledged} acknowledged, {stored} stored").into());
    }
    let mut store = Sqlite::open(ledger)?;
    assert_eq!(store.size(), size(stored));
    store.append(size(stored), &rows(stored..stored + 3)?)?;
    store.close()?;
    assert_eq!(count_whole(ledger)?, stored + 3);
    Ok(())
}

#[test]
fn killed_writer_leaves_everything_it_acknowledged() -> TestResult {
    let folder = tempdir()?;
    let start = Instant::now();
    let done = run_and_kill(&folder.path().join("whole.db"), "closed", None)?;
    assert!(
        done.closed && done.acknowledged >= ENTRIES,
        "the child does not get to its end"
    );
    let whole = start.elapsed();
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        let ledger = folder.path().join(format!("{round}.db"));
        let done = run_and_kill(&ledger, "2", Some(moment(round, whole)))?;
        interrupted += u64::from(!done.closed);
        expect_whole(&ledger, done.acknowledged).map_err(|error| format!("round {round}: {error}"))?;
    }
    assert!(
        interrupted >= ROUNDS / 4,
        "only {interrupted} of {ROUNDS} were interrupted"
    );
    Ok(())
}

/// Kills in the first milliseconds, where the file is made: it is absent or whole, never half-made.
#[test]
fn killed_maker_leaves_no_file_or_a_whole_one() -> TestResult {
    let folder = tempdir()?;
    let mut absent = 0;
    for round in 0..ROUNDS {
        let ledger = folder.path().join(format!("{round}.db"));
        let done = run_and_kill(&ledger, "0", Some(moment(round, Duration::from_millis(10))))?;
        if !ledger.exists() {
            absent += 1;
            assert_eq!(done.acknowledged, 0, "round {round}");
            // What the dead maker left is no obstacle.
            Sqlite::create(&ledger, &rows(0..2)?)?.close()?;
        }
        expect_whole(&ledger, done.acknowledged).map_err(|error| format!("round {round}: {error}"))?;
    }
    assert!(absent < ROUNDS, "no child lived long enough to make its ledger");
    Ok(())
}

/// Kills while the file is folded into one: it is readable before, in between and after.
#[test]
fn killed_closer_leaves_a_readable_ledger() -> TestResult {
    let folder = tempdir()?;
    let mut interrupted = 0;
    for round in 0..ROUNDS / 2 {
        let ledger = folder.path().join(format!("{round}.db"));
        let done = run_and_kill(&ledger, "closing", Some(moment(round, Duration::from_millis(8))))?;
        interrupted += u64::from(!done.closed);
        expect_whole(&ledger, done.acknowledged).map_err(|error| format!("round {round}: {error}"))?;
    }
    assert!(interrupted > 0, "no child was interrupted");
    Ok(())
}
