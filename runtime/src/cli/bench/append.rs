//! `countersign bench append`: how many durable signed entries a second, on the way that every entry of a run takes.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::keys::HybridSecret;
use countersign_ledger::reader::{ItemError, LedgerReader, StoredEntry};

use super::super::arguments::{BenchAppendArguments, BenchWork};
use super::super::exit::{Exit, Failure};
use super::super::session::block_on;
use super::crew::{Agent, BenchError, Crew, authority};
use super::laps::Laps;
use super::limits::Limits;
use super::machine::Machine;
use super::memory::PeakMemory;
use super::report::{Run, print_json, print_text};
use super::scratch::Scratch;
use super::worker::{Task, Worker, work_together};
use crate::recorder::Authority;
use crate::tool::Cancel;

/// The runs when none are named: alone, a busy host, and more than enough to fill every group.
const CALLERS: [u16; 3] = [1, 64, 256];
/// What is done when nothing is named: what the ledger takes, and what the gate makes of it.
const WORK: [BenchWork; 2] = [BenchWork::Statements, BenchWork::Actions];
/// Work between two looks at the machine's limits.
const SLICE: Duration = Duration::from_secs(1);
/// Slices of a run whose number of entries is not given.
const SLICES: u32 = 10;

/// Runs the bench and prints what it found.
pub(super) fn run(arguments: &BenchAppendArguments) -> Result<Exit, Failure> {
    let machine = Machine::look(&arguments.dir)?;
    let scratch = Scratch::make(&arguments.dir, arguments.keep)?;
    let authority = authority().map_err(|error| failure(&error))?;
    let wanted = runs_of(arguments);
    let mut runs = Vec::with_capacity(wanted.len());
    for (number, &(work, callers)) in wanted.iter().enumerate() {
        if io::stderr().is_terminal() {
            super::super::tell(&format_args!("{callers} callers, {} …", work.word()));
        }
        let ledger = scratch.at(&format!("ledger-{number}.db"));
        let place = Place {
            authority: &authority,
            scratch: &scratch,
            ledger: &ledger,
            cores: machine.cores,
        };
        runs.push(place.measure(work, callers, arguments.entries)?);
        if number + 1 == wanted.len() && arguments.keep {
            scratch.keep(&ledger, authority.principal().long())?;
        }
        std::fs::remove_file(&ledger)?;
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        print_json(&mut out, &machine, &runs)?;
    } else {
        print_text(&mut out, &machine, &runs)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Every kind of work with every number of callers.
fn runs_of(arguments: &BenchAppendArguments) -> Vec<(BenchWork, u16)> {
    let or = |given: &[u16]| {
        if given.is_empty() {
            CALLERS.to_vec()
        } else {
            given.to_vec()
        }
    };
    let work = if arguments.work.is_empty() {
        &WORK
    } else {
        &arguments.work[..]
    };
    let with_callers = |&work| or(&arguments.callers).into_iter().map(move |callers| (work, callers));
    work.iter().flat_map(with_callers).collect()
}

/// Where one run takes place, and under whose authority.
struct Place<'a> {
    authority: &'a Authority,
    scratch: &'a Scratch,
    ledger: &'a Path,
    cores: usize,
}

impl Place<'_> {
    fn measure(&self, work: BenchWork, callers: u16, entries: Option<u64>) -> Result<Run, Failure> {
        let disk = |error: io::Error| Failure::caused(Exit::Environment, "the probe", &error);
        let signer = HybridSecret::generate().map_err(|error| Failure::caused(Exit::Environment, "keys", &error))?;
        let probe = self.scratch.at("probe");
        let mut limits = Limits::prepare(&probe, signer, self.cores).map_err(disk)?;
        let memory = PeakMemory::watch().map_err(disk)?;
        let worked = block_on(|cancel, _| self.work((work, callers), entries, cancel, &mut limits))?;
        let (laps, took) = worked.map_err(|error| failure(&error))?;
        let peak_rss_bytes = memory.bytes();
        std::fs::remove_file(&probe).map_err(disk)?;
        let bytes_per_entry = self.bytes_per_entry(callers)?;
        Ok(Run {
            work: work.word(),
            callers,
            entries: laps.len(),
            per_second: laps.len() as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
            p50_us: laps.percentile_us(50),
            p99_us: laps.percentile_us(99),
            bytes_per_entry,
            peak_rss_bytes,
            limits,
        })
    }

    /// Work and looks at the limits in turns, so that what the disk and others on this machine do hits both.
    async fn work(
        &self,
        (work, callers): (BenchWork, u16),
        entries: Option<u64>,
        cancel: Cancel,
        limits: &mut Limits,
    ) -> Result<(Laps, Duration), BenchError> {
        let (crew, agents) = self.assemble(self.ledger, callers).await?;
        let crew = Arc::new(crew);
        let mut workers: Vec<Worker> = agents
            .into_iter()
            .map(|agent| Worker::new(Arc::clone(&crew), agent, work))
            .collect();
        let slices = if entries.is_some() { u32::MAX } else { SLICES };
        let task = Arc::new(Task::of(entries.unwrap_or(u64::MAX), cancel.clone()));
        let mut took = Duration::ZERO;
        limits.look()?;
        for _ in 0..slices {
            took += work_together(&mut workers, &task, SLICE).await?;
            limits.look()?;
            if task.is_done() {
                break;
            }
        }
        let mut laps = Laps::default();
        workers.iter().for_each(|worker| laps.merge(worker.laps()));
        let agents = workers.into_iter().map(Worker::into_agent).collect();
        let crew = Arc::into_inner(crew).ok_or(BenchError::Bug("a caller is still at work"))?;
        crew.dismiss(agents).await?;
        if cancel.is_raised() {
            return Err(BenchError::Interrupted);
        }
        Ok((laps, took))
    }

    async fn assemble(&self, ledger: &Path, callers: u16) -> Result<(Crew, Vec<Agent>), BenchError> {
        Crew::assemble(self.authority, ledger, self.scratch.path(), callers).await
    }

    /// What the closed file has grown by for each entry that was measured, without the bytes of payloads: a ledger of as
    /// many callers that do nothing is what it has grown from.
    fn bytes_per_entry(&self, callers: u16) -> Result<f64, Failure> {
        let idle = self.scratch.at("idle.db");
        let made = block_on(|_, _| async {
            let (crew, agents) = self.assemble(&idle, callers).await?;
            crew.dismiss(agents).await
        })?;
        made.map_err(|error| failure(&error))?;
        let (from, to) = (Kept::of(&idle)?, Kept::of(self.ledger)?);
        std::fs::remove_file(&idle)?;
        let entries = to.entries.saturating_sub(from.entries).max(1);
        Ok(to.bytes.saturating_sub(from.bytes) as f64 / entries as f64)
    }
}

/// What a closed ledger keeps.
struct Kept {
    entries: u64,
    /// The file without the content of its payloads.
    bytes: u64,
}

impl Kept {
    fn of(ledger: &Path) -> Result<Self, Failure> {
        let unread = |error: &dyn std::error::Error| Failure::caused(Exit::Failed, ledger.display(), error);
        let file = std::fs::metadata(ledger)?.len();
        let reader = LedgerReader::open(ledger).map_err(|error| unread(&error))?;
        let (mut entries, mut content) = (0, 0);
        for entry in reader.entries() {
            let entry: StoredEntry = entry.map_err(|error: ItemError| unread(&error))?;
            entries += 1;
            content += entry
                .payloads
                .iter()
                .map(|payload| payload.content.len() as u64)
                .sum::<u64>();
        }
        Ok(Self {
            entries,
            bytes: file.saturating_sub(content),
        })
    }
}

fn failure(error: &BenchError) -> Failure {
    let exit = match error {
        BenchError::Interrupted => Exit::Interrupted,
        BenchError::Bug(_) | BenchError::Caller(_) => Exit::Bug,
        _ => Exit::Environment,
    };
    Failure::caused(exit, "the bench", error)
}
