//! `countersign stop`: the kill switch.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_identity::instant;
use countersign_schemas::number::Millis;
use countersign_verifier::visible::{visible, visible_json};
use serde_json::{Value, json};

use super::arguments::StopArguments;
use super::exit::{Exit, Failure};
use super::init::home;
use crate::running::{Answer, Entry, Listing, Report, Request, RunId, RunningError, RunningFolder};

/// Fewest digits of an id that name a run.
const ID_DIGITS_MIN: usize = 4;

type Run = (RunId, Entry);

/// Stops one run, or lists those that can be stopped.
pub(super) fn run(arguments: &StopArguments) -> Result<Exit, Failure> {
    let folder = RunningFolder::open(home()?.running()).map_err(|error| unusable(&error))?;
    let listing = match &folder {
        Some(folder) => folder.list().map_err(|error| unusable(&error))?,
        None => Listing::default(),
    };
    if arguments.list {
        return list(&listing, arguments.json);
    }
    tell_stale(&listing);
    let (id, entry) = choose(&listing.running, arguments.run.as_deref())?;
    let request = folder
        .and_then(|folder| Request::leave(&folder, id).transpose())
        .transpose()
        .map_err(|error| unusable(&error))?;
    let request = request.ok_or_else(|| ended_before(entry, None))?;
    let patience = Duration::from_secs(arguments.wait);
    match request.wait(patience).map_err(|error| unusable(&error))? {
        Answer::Ended(report) => tell_end(id, entry, &report, arguments.json),
        Answer::Over => Err(ended_before(entry, None)),
        Answer::Died(report) => Err(died(entry, &report)),
        Answer::Waiting(report) => Err(no_reaction(entry, &report, arguments.wait)),
    }
}

/// Prints who runs.
fn list(listing: &Listing, json: bool) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    if json {
        let runs: Vec<Value> = listing.running.iter().map(|(id, entry)| entry.to_json(id)).collect();
        let stale: Vec<&str> = listing.stale.iter().map(RunId::as_str).collect();
        let document = json!({ "schema": "countersign.running/v1", "runs": runs, "stale": stale });
        writeln!(out, "{}", visible_json(&document.to_string()))?;
        return Ok(Exit::Done);
    }
    for run in &listing.running {
        writeln!(out, "{}", line(run))?;
    }
    tell_stale(listing);
    Ok(Exit::Done)
}

fn line((id, entry): &Run) -> String {
    format!(
        "{id}  {:<4}  pid {:<7}  since {}  {}  {}",
        visible(&entry.command, 8),
        entry.pid,
        since(entry),
        visible(&entry.ledger, usize::MAX),
        visible(&entry.task, usize::MAX),
    )
}

/// RFC 3339, in whole seconds.
fn since(entry: &Entry) -> String {
    let whole = Millis::clamped(entry.since / 1000 * 1000);
    instant::format(whole).unwrap_or_else(|_| whole.to_string())
}

fn tell_stale(listing: &Listing) {
    for id in &listing.stale {
        // Whoever does not listen misses a remark.
        let _ = writeln!(
            io::stderr(),
            "{id} was the run of a process that died; it is listed no more"
        );
    }
}

/// The run that is meant: by its id, the beginning of it, or its ledger; without any of that, the only one.
fn choose<'a>(running: &'a [Run], meant: Option<&str>) -> Result<&'a Run, Failure> {
    let Some(meant) = meant else {
        return only(running.iter().collect(), "");
    };
    if running.is_empty() {
        return only(Vec::new(), "");
    }
    let ledger = settled(Path::new(meant));
    let is_meant = |(id, entry): &&Run| {
        let by_id = meant.len() >= ID_DIGITS_MIN && id.as_str().starts_with(meant);
        by_id || Path::new(&entry.ledger) == ledger
    };
    only(running.iter().filter(is_meant).collect(), meant).map_err(|failure| match running {
        [] => failure,
        _ => failure.hint(format!("running:\n{}", lines(running.iter()))),
    })
}

fn only<'a>(candidates: Vec<&'a Run>, meant: &str) -> Result<&'a Run, Failure> {
    match candidates.as_slice() {
        [run] => Ok(run),
        [] if meant.is_empty() => Err(Failure::new(Exit::Failed, "nothing runs in this home")
            .hint("`countersign stop` finds the runs of its own home only, see COUNTERSIGN_HOME")),
        [] => Err(Failure::new(
            Exit::Failed,
            format!("no run that goes on is called {}", visible(meant, 200)),
        )),
        several => Err(
            Failure::new(Exit::Failed, format!("{} runs go on: say which", several.len())).hint(format!(
                "name one by the beginning of its id\n{}",
                lines(several.iter().copied())
            )),
        ),
    }
}

fn lines<'a>(runs: impl Iterator<Item = &'a Run>) -> String {
    runs.map(line).collect::<Vec<_>>().join("\n")
}

/// The absolute path by which a run lists its ledger, which may not be there yet.
pub(super) fn settled(ledger: &Path) -> PathBuf {
    let absolute = std::path::absolute(ledger).unwrap_or_else(|_| ledger.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => absolute.canonicalize().unwrap_or_else(|_| folder.join(name)),
        _ => absolute,
    }
}

/// Prints what was revoked, and how the run ended.
fn tell_end(id: &RunId, entry: &Entry, report: &Report, json: bool) -> Result<Exit, Failure> {
    let Some(ended) = &report.ended else {
        return Err(died(entry, report));
    };
    let Some(revoked) = &report.revoked else {
        if let Some(problem) = &report.problem {
            return Err(unrecorded(entry, problem));
        }
        return Err(ended_before(entry, Some(&ended.text)));
    };
    let mut out = io::stdout().lock();
    if json {
        let document = json!({
            "schema": "countersign.stopped/v1", "run": id.as_str(), "pid": entry.pid, "ledger": entry.ledger,
            "revoked": revoked, "ended": ended,
        });
        writeln!(out, "{}", visible_json(&document.to_string()))?;
        return Ok(Exit::Done);
    }
    writeln!(out, "stopped   {id}  {}", visible(&entry.task, usize::MAX))?;
    for agent in &revoked.agents {
        let (name, did) = (visible(&agent.name, 64), visible(&agent.did, 64));
        writeln!(out, "revoked   {name}  {did}  in entry {}", revoked.entry)?;
    }
    let reason = ended.reason.as_deref().unwrap_or("not on record");
    writeln!(out, "ended     {}: {}", visible(reason, 64), visible(&ended.text, 400))?;
    writeln!(out, "ledger    {}", visible(&entry.ledger, usize::MAX))?;
    Ok(Exit::Done)
}

fn ended_before(entry: &Entry, how: Option<&str>) -> Failure {
    let how = how.map_or_else(String::new, |how| format!(": {}", visible(how, 400)));
    Failure::new(
        Exit::Failed,
        format!("the run ended before anything could be revoked{how}"),
    )
    .hint(format!("its ledger is {}", visible(&entry.ledger, usize::MAX)))
}

fn unrecorded(entry: &Entry, problem: &str) -> Failure {
    let problem = visible(problem, 400);
    Failure::new(
        Exit::Failed,
        format!("the run was interrupted, but its revocation could not be entered: {problem}"),
    )
    .hint(format!(
        "`verify {}` shows what stands there",
        visible(&entry.ledger, usize::MAX)
    ))
}

fn died(entry: &Entry, report: &Report) -> Failure {
    let so_far = so_far(report);
    Failure::new(Exit::Failed, format!("the process {} died without a word; {so_far}", entry.pid)).hint(format!(
        "`verify {0}` shows what stands there; `countersign run --ledger {0}` or `countersign ledger recover` goes on with it \
         and enters what is known",
        visible(&entry.ledger, usize::MAX)
    ))
}

fn no_reaction(entry: &Entry, report: &Report, waited: u64) -> Failure {
    let so_far = so_far(report);
    Failure::new(
        Exit::Failed,
        format!("the process {} has not ended its run within {waited} s; {so_far}", entry.pid),
    )
    .hint(format!(
        "the request stands and is obeyed as soon as the process can. `kill -KILL {}` ends it at once: the ledger {} then stays \
         open, `verify` calls it incomplete (exit 3: C1, C2, and C3 for what was under way), and the next run on it, or \
         `countersign ledger recover`, enters what is known. Commands that agents had started may go on",
        entry.pid,
        visible(&entry.ledger, usize::MAX)
    ))
}

/// What stands in the ledger of a stop that did not come to its end.
fn so_far(report: &Report) -> String {
    match &report.revoked {
        Some(revoked) => format!(
            "all its authority is revoked since entry {}, and only what had begun before can go on",
            revoked.entry
        ),
        None => "nothing is revoked yet".to_owned(),
    }
}

pub(super) fn unusable(error: &RunningError) -> Failure {
    let failure = Failure::caused(Exit::Environment, "runs cannot be found", error);
    match error {
        RunningError::NotPrivate { path } => failure.hint(format!(
            "`chmod 700 {0}`, or take {0} away if it is not yours",
            path.display()
        )),
        _ => failure,
    }
}
