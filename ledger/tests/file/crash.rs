//! A writer killed at any moment leaves no file, or one that holds everything it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_ledger::appender::Appender;
use countersign_ledger::store::{Sqlite, Store};
use tempfile::tempdir;

use super::rows::{Anyhow, count_whole, names, row, rows, size};
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
    appender.close()?.close()?;
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

/// Runs the child for `life` after its first word; gives what it acknowledged, and whether it got to its end.
fn run_and_kill(ledger: &Path, life: Option<Duration>) -> Anyhow<(u64, bool)> {
    let mut child = spawn(ledger)?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
    for line in lines.by_ref() {
        if line?.starts_with("ack 0") {
            break;
        }
    }
    if let Some(life) = life {
        std::thread::sleep(life);
        child.kill()?;
    }
    let (mut acknowledged, mut closed) = (0, false);
    // The last line may be cut in the middle: it counts only if its newline arrived, and digits may be missing otherwise.
    for line in lines {
        match line?.strip_prefix("ack ") {
            Some("closed") => closed = true,
            Some(number) => acknowledged = number.parse().unwrap_or(acknowledged).max(acknowledged),
            None => {}
        }
    }
    child.wait()?;
    Ok((acknowledged, closed))
}

/// Moments spread over the child's whole life, different in each round and the same in each run of the test.
fn moment(round: u64, whole: Duration) -> Duration {
    let scattered = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44;
    whole.mul_f64(scattered as f64 / f64::from(1 << 20) * 1.05)
}

#[test]
fn killed_writer_leaves_everything_it_acknowledged() -> TestResult {
    let folder = tempdir()?;
    let start = Instant::now();
    let (acknowledged, closed) = run_and_kill(&folder.path().join("whole.db"), None)?;
    assert!(
        closed && acknowledged >= ENTRIES,
        "the child does not get to its end: {acknowledged}"
    );
    let whole = start.elapsed();
    let (mut interrupted, mut absent) = (0, 0);
    for round in 0..ROUNDS {
        let ledger = folder.path().join(format!("{round}.db"));
        let (acknowledged, closed) = run_and_kill(&ledger, Some(moment(round, whole)))?;
        interrupted += u64::from(!closed);
        if !ledger.exists() {
            absent += 1;
            assert_eq!(acknowledged, 0, "round {round}: acknowledged, but no file");
            Sqlite::create(&ledger, &rows(0..2)?)?.close()?;
            continue;
        }
        let stored = count_whole(&ledger)?;
        assert!(
            stored >= acknowledged.max(2),
            "round {round}: {acknowledged} acknowledged, {stored} stored"
        );
        // The next writer goes on where it ends.
        let mut store = Sqlite::open(&ledger)?;
        assert_eq!(store.size(), size(stored));
        store.append(size(stored), &rows(stored..stored + 3)?)?;
        store.close()?;
        assert_eq!(count_whole(&ledger)?, stored + 3);
    }
    let left: Vec<String> = names(folder.path())?
        .into_iter()
        .filter(|name| name.contains("-wal"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        interrupted >= ROUNDS / 4,
        "only {interrupted} of {ROUNDS} were interrupted, {absent} before the file"
    );
    Ok(())
}

/// Kills in the first milliseconds, where the file is made: it is absent or whole, never half-made.
#[test]
fn killed_maker_leaves_no_file_or_a_whole_one() -> TestResult {
    let folder = tempdir()?;
    for round in 0..ROUNDS {
        let ledger = folder.path().join(format!("{round}.db"));
        let (acknowledged, _) = run_and_kill(&ledger, Some(moment(round, Duration::from_millis(12))))?;
        if ledger.exists() {
            assert!(count_whole(&ledger)? >= acknowledged.max(2), "round {round}");
        } else {
            assert_eq!(acknowledged, 0, "round {round}");
            // What the dead maker left is no obstacle.
            Sqlite::create(&ledger, &rows(0..2)?)?.close()?;
            assert_eq!(count_whole(&ledger)?, 2);
        }
    }
    Ok(())
}
