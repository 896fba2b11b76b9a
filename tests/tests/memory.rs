//! A writer's memory does not grow with its ledger.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::writer::writer;
use crate::support::{Checked, scratch};

const ENTRIES: u64 = 300_000;

/// By then every queue, cache and pool has been filled.
const WARM: u64 = 50_000;

/// How much more a writer may hold at the end than when it was warm: allocators do not give everything back at once. It was
/// 17 per cent when measured, 16 MiB and 19 MiB; entries that were kept would be a hundred times as much.
const GROWTH_PER_CENT: u64 = 50;

/// Memory that is in use of the process `pid`, in KiB.
fn resident_kib(pid: u32) -> Checked<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

#[test]
#[ignore = "takes minutes"]
fn writer_of_300k_entries_holds_no_more_than_one_of_50k() -> Checked {
    let folder = scratch()?;
    let mut command: Command = writer(&folder.path().join("ledger.db"), &["callers=64", "entries=300000"]);
    let mut running = command.stdout(Stdio::piped()).spawn()?;
    let printed = running.stdout.take().ok_or("no output")?;
    let (mut acknowledged, mut warm, mut last) = (0, 0, 0);
    for line in BufReader::new(printed).lines() {
        acknowledged += u64::from(line?.starts_with("ack "));
        match acknowledged {
            WARM if warm == 0 => warm = resident_kib(running.id())?,
            // Looked at while there is still something to be written: afterwards nobody holds anything.
            count if count.is_multiple_of(WARM) && count < ENTRIES && count > WARM => {
                last = resident_kib(running.id())?
            }
            _ => {}
        }
    }
    assert!(running.wait()?.success());
    assert!(
        last * 100 <= warm * (100 + GROWTH_PER_CENT),
        "{warm} KiB grew to {last} KiB"
    );
    Ok(())
}
