//! `countersign run`: an agent works on a task in a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_schemas::body::{RunEndReason, RunMode};

use countersign_verifier::visible::visible;

use super::arguments::RunArguments;
use super::exit::{Exit, Failure};
use super::init::{create_private_folder, home};
use super::keys::{self, ApproverManner, Input};
use super::watch::{Show, Watcher};
use crate::config::Settings;
use crate::home::Home;
use crate::model::{Model, parse_model};
use crate::recorder::RecordError;
use crate::session::{self, ApproverKey, HOST_CREDENTIAL, Plan, RunReport, SessionError};
use crate::tool::{Cancel, cancellation};

/// The longest policy or grant file that is read.
const FILE_LEN_BYTES_MAX: u64 = 1 << 20;

/// Plays one run to its end.
pub(super) fn run(arguments: RunArguments) -> Result<Exit, Failure> {
    let home = home()?;
    let input = Input::of(arguments.no_input);
    let authority = keys::authority(&home)?;
    let model = model(&home, arguments.model.as_deref())?;
    let policy = arguments.policy.as_deref().map(read_text).transpose()?;
    let grant = arguments.grant.as_deref().map(read_file).transpose()?;
    let (approver, mode) = approver(arguments.approve.as_deref(), &home, input)?;
    let ledger = match arguments.ledger {
        Some(path) => path,
        None => new_ledger(&home)?,
    };
    let policy_file = arguments.policy.clone();
    let own = own_places(&home, &arguments.policy, arguments.approve.as_deref());
    let show = if arguments.json { Show::Json } else { Show::Text };
    let report = block_on(|cancel| {
        session::run(Plan {
            task: arguments.task,
            dir: arguments.dir,
            ledger: ledger.clone(),
            own,
            model,
            policy,
            grant,
            authority,
            approver,
            mode,
            cancel,
            observer: Arc::new(Watcher::new(show)),
        })
    })?
    .map_err(|error| failure(&error, &ledger, policy_file.as_deref()))?;
    finish(&report, show)
}

/// Runs a future on a small runtime; the first Ctrl-C or SIGTERM raises the cancellation.
pub(super) fn block_on<T, F: Future<Output = T>>(make: impl FnOnce(Cancel) -> F) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Environment, "threads", &error))?;
    let (canceller, cancel) = cancellation();
    let played = runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| Failure::caused(Exit::Environment, "signals", &error))?;
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            canceller.cancel();
        });
        Ok(make(cancel).await)
    });
    // A prompt that nobody answered may still wait for its line; everything that counts is done.
    runtime.shutdown_background();
    played
}

fn model(home: &Home, flag: Option<&str>) -> Result<Arc<dyn Model>, Failure> {
    let set = |error: &dyn std::error::Error| Failure::caused(Exit::Environment, "settings", error);
    let settings = Settings::load(home).map_err(|error| set(&error))?;
    let named = settings.model(flag).map_err(|error| set(&error))?;
    let name = named.ok_or_else(|| {
        Failure::new(Exit::Usage, "no model was named").hint("pass --model scripted:FILE, or set COUNTERSIGN_MODEL")
    })?;
    let choice = parse_model(&name).map_err(|error| Failure::caused(Exit::Usage, "--model", &error))?;
    // Opening asks a server which model it has, if none was named; no session runs yet that this could hold up.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Environment, "threads", &error))?;
    runtime
        .block_on(choice.open(&settings, &|_| {}))
        .map_err(|error| Failure::caused(Exit::Environment, "--model", &error))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_file(path)?).map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))
}

/// Reads a whole small file. A folder, a device or something huge is refused.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::caused(Exit::Environment, path.display(), &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::new(
            Exit::Environment,
            format!("{}: not a file", path.display()),
        ));
    }
    if metadata.len() > FILE_LEN_BYTES_MAX {
        let problem = format!("{}: larger than {FILE_LEN_BYTES_MAX} bytes", path.display());
        return Err(Failure::new(Exit::Environment, problem));
    }
    fs::read(path).map_err(failed)
}

fn approver(choice: Option<&str>, home: &Home, input: Input) -> Result<(Option<ApproverKey>, RunMode), Failure> {
    let unattended = |path: &str| {
        let key = keys::approver(Path::new(path), ApproverManner::Unattended, input)?;
        Ok((Some(key), RunMode::Headless))
    };
    match choice {
        Some("never") => Ok((None, RunMode::Headless)),
        Some(path) if path != "ask" => unattended(path),
        _ if input.is_possible() => {
            let key = keys::approver(&home.approver_key(), ApproverManner::Terminal, input)?;
            Ok((Some(key), RunMode::Interactive))
        }
        Some(_) => Err(Failure::new(Exit::Usage, "--approve ask needs a terminal")
            .hint("use --approve never, or --approve KEYFILE")),
        None => Ok((None, RunMode::Headless)),
    }
}

/// A place in the home for a ledger that was given none; its name sorts by time.
fn new_ledger(home: &Home) -> Result<PathBuf, Failure> {
    let folder = home.ledgers();
    create_private_folder(folder)?;
    let now = crate::clock::Clock::default().read().at;
    Ok(folder.join(format!("{now}-{}.db", std::process::id())))
}

/// What no agent of this run may touch, besides the ledger itself.
fn own_places(home: &Home, policy: &Option<PathBuf>, approve: Option<&str>) -> Vec<PathBuf> {
    let key_file = approve
        .filter(|word| !["ask", "never"].contains(word))
        .map(PathBuf::from);
    [
        Some(home.config().to_owned()),
        Some(home.ledgers().to_owned()),
        policy.clone(),
        key_file,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a person is told when a run could not begin or go on.
pub(super) fn failure(error: &SessionError, ledger: &Path, policy: Option<&Path>) -> Failure {
    let exit = match error {
        SessionError::Bug(_) | SessionError::Record(RecordError::Unlawful { .. } | RecordError::Field(_)) => Exit::Bug,
        _ => Exit::Environment,
    };
    match (error, policy) {
        (SessionError::Policy(_) | SessionError::EmptyPolicy, Some(path)) => {
            Failure::caused(exit, path.display(), error)
                .hint("nothing was run; correct the file, or leave --policy out")
        }
        (
            SessionError::OutOfWindow {
                what: HOST_CREDENTIAL, ..
            },
            _,
        ) => Failure::caused(exit, "the run could not begin", error)
            .hint("`countersign init --renew-host` signs a new one"),
        (SessionError::Record(RecordError::Store(_)), _) => {
            Failure::caused(exit, "no ledger, so no run", error).hint("name another place with --ledger")
        }
        _ if ledger.symlink_metadata().is_err() => Failure::caused(exit, "the run could not begin", error),
        _ => {
            let hint = format!(
                "what happened until then is in {}; `verify` will call it incomplete",
                ledger.display()
            );
            Failure::caused(exit, "the run stopped", error).hint(hint)
        }
    }
}

/// The lead's last words, line by line, without anything a terminal would obey.
fn shown(text: &str) -> String {
    text.lines()
        .map(|line| visible(line, usize::MAX))
        .collect::<Vec<_>>()
        .join("\n")
}

fn finish(report: &RunReport, show: Show) -> Result<Exit, Failure> {
    if show == Show::Text {
        let result = shown(&report.result);
        let mut out = io::stdout().lock();
        match report.reason {
            RunEndReason::Done => writeln!(out, "{result}")?,
            _ => writeln!(io::stderr(), "error: the run ended: {}: {result}", report.reason)?,
        }
        writeln!(io::stderr(), "ledger    {}", report.ledger.display())?;
    }
    Ok(Exit::of_run(report.reason))
}
