//! How fast several processes write one ledger together, and how evenly: what decision 0028 quotes.
//!
//! `cargo run --release -p countersign-tests --example several_writers -- FOLDER [PROCESSES] [SECONDS]`
//!
//! The first process makes the ledger in FOLDER and has it; the others join. Each enters remarks, one after the other, and
//! waits for every one to be durable, as a run does. It prints what each entered a second, and the share of the slowest in
//! the mean. FOLDER should be on a disk, not in memory.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_identity::credential::{HostClaims, HostCredential, MayIssue};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_runtime::recorder::{Authority, Joining, Payload, Place, Recorder};
use countersign_schemas::body::{EventCode, SessionEvent};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Millis;
use countersign_schemas::text::Name;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What marks a process that the first one started.
const WRITER: &str = "--writer";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let folder = arguments.first().ok_or("which folder?")?;
    let ledger = Path::new(folder).join("several_writers.db");
    if arguments.get(3).is_some_and(|word| word == WRITER) {
        return write(&ledger, Duration::from_secs(number(2, 5)?));
    }
    let (processes, seconds) = (number(1, 8)?, number(2, 5)?);
    let mut writers = Vec::new();
    for _ in 0..processes {
        let mut writer = start(folder, processes, seconds)?;
        // Everybody takes part before anybody begins.
        let mut said = String::new();
        let mut output = BufReader::new(writer.stdout.take().ok_or("no output")?);
        output.read_line(&mut said)?;
        writers.push((writer, output));
    }
    for (writer, _) in &mut writers {
        drop(writer.stdin.take());
    }
    let mut rates = Vec::new();
    for (mut writer, mut output) in writers {
        let mut said = String::new();
        output.read_line(&mut said)?;
        rates.push(said.trim().parse::<u64>()? / seconds);
        writer.wait()?;
    }
    let sum: u64 = rates.iter().sum();
    let slowest = rates.iter().min().copied().unwrap_or_default();
    let mean = sum / processes;
    let mut out = std::io::stdout().lock();
    writeln!(out, "each a second: {rates:?}")?;
    writeln!(
        out,
        "together {sum}, mean {mean}, slowest {slowest}: {} % of the mean",
        100 * slowest / mean.max(1)
    )?;
    Ok(())
}

fn start(folder: &str, processes: u64, seconds: u64) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args([folder, &processes.to_string(), &seconds.to_string(), WRITER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Takes part in the ledger, waits for the sign, and enters one remark after the other.
fn write(ledger: &Path, time: Duration) -> Outcome {
    let (authority, window) = authority()?;
    let recorder = if ledger.try_exists()? {
        Joining::open(&Place::from(ledger), &authority)?.join(&authority, window)?
    } else {
        Recorder::create(ledger, &authority, window, Digest::sha256(b"several_writers"))?
    };
    say("ready")?;
    std::io::stdin().read_line(&mut String::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let end = Instant::now() + time;
        let mut entered: u64 = 0;
        while Instant::now() < end {
            let detail = Payload::content(entered.to_string())?;
            let remark = SessionEvent {
                code: EventCode::Warning,
                about: None,
                detail: Some(detail.reference()),
            };
            recorder.enter_own(remark.into(), vec![detail])?.durable().await?;
            entered += 1;
        }
        say(&entered.to_string())?;
        Ok(recorder.close().await?)
    })
}

fn say(line: &str) -> Outcome {
    Ok(std::io::stdout().lock().write_all(format!("{line}\n").as_bytes())?)
}

/// A principal and a host from fixed seeds, so that all processes are under the same host.
fn authority() -> Outcome<(Authority, Window)> {
    let secret = |seed: u8| HybridSecret::from_seeds(Seed32::new([seed; 32]), Seed32::new([seed + 1; 32]));
    let (principal, host) = (secret(1), secret(3));
    let principal_did = PeerDid::from_keys(principal.public());
    // 2020-01-01 to 2100-01-01.
    let window = Window::new(Millis::new(1_577_836_800_000)?, Millis::new(4_102_444_800_000)?)?;
    let claims = HostClaims {
        window,
        host: PeerDid::from_keys(host.public()).short_did().clone(),
        site: Name::new("bench")?,
        may_issue: BTreeSet::from([MayIssue::Instance]),
    };
    let credential = HostCredential::issue(&claims, &principal, &principal_did)?;
    Ok((Authority::new(principal_did, host, credential)?, window))
}
