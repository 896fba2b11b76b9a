//! Writes a ledger as the runtime does, with many callers at once, and says on standard output what is durable.
//!
//! `ledger_writer LEDGER [callers=N] [entries=N] [payload=BYTES] [pause=MS] [end=close|leave] [acks=durable|early]`
//!
//! Makes the ledger, or goes on with it if it is there. The crash tests kill it, break its disk under it, and hold what it
//! said against what is there. It prints
//!
//! ```text
//! principal DID        whom an auditor is to trust; the same in every run
//! opening
//! opened SIZE
//! ack SEQ DIGEST       the entry is durable; SHA-256 of its statement
//! closing
//! closed
//! ```
//!
//! where the last two are `leaving` and `left` with `end=leave`. Exit code 0, or 4 with an error on standard error, as
//! `countersign` has it. Each caller waits `pause` milliseconds between two entries. `acks=early` acknowledges entries
//! before they are durable: a test that cannot tell this from the truth is worth nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_identity::credential::{HostClaims, HostCredential, MayIssue};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_runtime::recorder::{Authority, Existing, Payload, Place, Recorder};
use countersign_schemas::body::{EventCode, SessionEvent};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Name;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// 2020-01-01 to 2100-01-01, in milliseconds: whatever a test does to the clock, the host may act.
const WINDOW: (u64, u64) = (1_577_836_800_000, 4_102_444_800_000);

/// As of `countersign`: key, disk, network or policy file.
const ENVIRONMENT: u8 = 4;

fn main() -> ExitCode {
    let Err(error) = write_ledger() else {
        return ExitCode::SUCCESS;
    };
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    // Where standard error is closed nobody can be told.
    let _ = writeln!(std::io::stderr(), "error: {told}");
    ExitCode::from(ENVIRONMENT)
}

fn write_ledger() -> Outcome {
    let options = Options::parse(std::env::args().skip(1))?;
    let (authority, window) = authority()?;
    say(&format!("principal {}", authority.principal().short()))?;
    say("opening")?;
    let recorder = open(&options.ledger, &authority, window)?;
    say(&format!("opened {}", recorder.with_law(|law| law.head().size)))?;
    // As many workers as CI has cores; the callers are tasks, as agents are.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let recorder = enter_all(Arc::new(recorder), &options).await?;
        match options.end {
            End::Close => {
                say("closing")?;
                recorder.close().await?;
                say("closed")
            }
            End::Leave => {
                say("leaving")?;
                recorder.leave().await?;
                say("left")
            }
        }
    })
}

fn open(ledger: &Path, authority: &Authority, window: Window) -> Outcome<Recorder> {
    let place = Place::from(ledger);
    Ok(if ledger.try_exists()? {
        Existing::open(&place, authority)?.take_up(authority, window)?
    } else {
        Recorder::create(place, authority, window, Digest::sha256(b"ledger_writer"))?
    })
}

/// Lets every caller enter until all entries are made, and gives the recorder back.
async fn enter_all(recorder: Arc<Recorder>, options: &Options) -> Outcome<Recorder> {
    let taken = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..options.callers)
        .map(|_| tokio::spawn(caller(Arc::clone(&recorder), Arc::clone(&taken), options.clone())))
        .collect();
    for caller in callers {
        caller.await??;
    }
    Arc::into_inner(recorder).ok_or_else(|| "a caller still holds the recorder".into())
}

async fn caller(recorder: Arc<Recorder>, taken: Arc<AtomicU64>, options: Options) -> Outcome {
    loop {
        let number = taken.fetch_add(1, Ordering::Relaxed);
        if number >= options.entries {
            return Ok(());
        }
        let detail = Payload::content(vec![number.to_le_bytes()[0]; options.payload_bytes])?;
        let warning = SessionEvent {
            code: EventCode::Warning,
            about: None,
            detail: Some(detail.reference()),
        };
        let entered = recorder.enter_own(warning.into(), vec![detail])?;
        let (seq, digest) = (entered.seq, entered.digest);
        if options.acks == Acks::Early {
            acknowledge(seq, digest)?;
        }
        entered.durable().await?;
        if options.acks == Acks::Durable {
            acknowledge(seq, digest)?;
        }
        tokio::time::sleep(options.pause).await;
    }
}

fn acknowledge(seq: Seq, digest: Digest) -> Outcome {
    say(&format!("ack {seq} {digest}"))
}

/// Prints a line in one write, so that whoever kills this process gets all of it or nothing.
fn say(line: &str) -> Outcome {
    Ok(std::io::stdout().lock().write_all(format!("{line}\n").as_bytes())?)
}

/// When an entry is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acks {
    Durable,
    Early,
}

/// How the writer ends.
#[derive(Clone, Copy)]
enum End {
    /// With `ledger.closed`: nobody may go on.
    Close,
    /// The runtime instance stops itself, and another process may go on.
    Leave,
}

#[derive(Clone)]
struct Options {
    ledger: PathBuf,
    callers: u64,
    entries: u64,
    payload_bytes: usize,
    pause: Duration,
    end: End,
    acks: Acks,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            ledger: arguments.next().ok_or("which ledger?")?.into(),
            callers: 32,
            entries: 100,
            payload_bytes: 100,
            pause: Duration::ZERO,
            end: End::Close,
            acks: Acks::Durable,
        };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("callers", number)) => options.callers = number.parse()?,
                Some(("entries", number)) => options.entries = number.parse()?,
                Some(("payload", bytes)) => options.payload_bytes = bytes.parse()?,
                Some(("pause", ms)) => options.pause = Duration::from_millis(ms.parse()?),
                Some(("end", "close")) => options.end = End::Close,
                Some(("end", "leave")) => options.end = End::Leave,
                Some(("acks", "durable")) => options.acks = Acks::Durable,
                Some(("acks", "early")) => options.acks = Acks::Early,
                _ => return Err(format!("what is {argument}?").into()),
            }
        }
        Ok(options)
    }
}

/// A principal and a host from fixed seeds, so that every run is under the same host.
fn authority() -> Outcome<(Authority, Window)> {
    let secret = |seed: u8| HybridSecret::from_seeds(Seed32::new([seed; 32]), Seed32::new([seed + 1; 32]));
    let (principal, host) = (secret(1), secret(3));
    let principal_did = PeerDid::from_keys(principal.public());
    let window = Window::new(Millis::new(WINDOW.0)?, Millis::new(WINDOW.1)?)?;
    let claims = HostClaims {
        window,
        host: PeerDid::from_keys(host.public()).short_did().clone(),
        site: Name::new("crash-test")?,
        may_issue: BTreeSet::from([MayIssue::Instance]),
    };
    let credential = HostCredential::issue(&claims, &principal, &principal_did)?;
    Ok((Authority::new(principal_did, host, credential)?, window))
}
