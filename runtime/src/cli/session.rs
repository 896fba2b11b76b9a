//! What `run` and `chat` share: from the command line to a plan, and from a plan to an exit code.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::grant::HostScope;
use countersign_ledger::store::StoreError;
use countersign_schemas::body::{Predecessor, RunMode};
use countersign_verifier::policy;

use super::arguments::SessionArguments;
use super::exit::{Exit, Failure};
use super::init::{create_private_folder, home};
use super::interrupt::{Interrupts, Signals};
use super::keys::{self, ApproverManner, Input};
use super::ledger::predecessor;
use super::models::{self, Chosen};
use super::stop::{settled, unusable};
use crate::config::Settings;
use crate::gate::GateError;
use crate::home::Home;
use crate::model::prices::PriceTable;
use crate::recorder::{Authority, OpenError, Place, RecordError};
use crate::redact::Redactor;
use crate::running::{Ended, Entry, Registration, RunningFolder};
use crate::session::{
    self, ApproverKey, AtEnd, HOST_CREDENTIAL, Instructor, Observer, Plan, RunReport, SessionError, StopSwitch,
};
use crate::tool::{Cancel, Person, cancellation};

/// The longest policy or grant file that is read.
pub(super) const FILE_LEN_BYTES_MAX: u64 = 1 << 20;

/// What is told of a run whose models were still being looked for.
const STOPPED_EARLY: &str =
    "stopped by `countersign stop` before the run began; nothing was run, and there is no ledger of it";

/// Everything a session needs that does not depend on its front end.
pub(crate) struct Outfit {
    ledger: Place,
    after: Option<Predecessor>,
    at_end: AtEnd,
    /// The `--policy` file, for the words of an error.
    policy_file: Option<PathBuf>,
    /// Whether a person can be asked.
    pub(crate) input: Input,
    dir: PathBuf,
    own: Vec<PathBuf>,
    running: PathBuf,
    models: Chosen,
    prices: PriceTable,
    hosts: BTreeSet<HostScope>,
    coordinates: bool,
    policy: Option<String>,
    grant: Option<Vec<u8>>,
    authority: Authority,
    approver: Option<ApproverKey>,
    mode: RunMode,
    redactor: Redactor,
}

/// What a front end adds.
pub(crate) struct Front {
    pub(crate) task: String,
    pub(crate) cancel: Cancel,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) person: Arc<dyn Person>,
    pub(crate) instructor: Option<Arc<dyn Instructor>>,
}

impl Outfit {
    /// Opens what the arguments name. Nothing is written but, without `--ledger`, the folder for ledgers.
    pub(crate) fn of(arguments: SessionArguments) -> Result<Self, Failure> {
        // Policies are needed once everything here is opened. Without a thread they are read when they are needed.
        let _ = std::thread::Builder::new().spawn(policy::read_ahead);
        let home = home()?;
        let input = Input::of(arguments.no_input);
        let authority = keys::authority(&home)?;
        let models = models::choose(&home, &arguments)?;
        let prices = models::prices(&home, &arguments)?;
        let policy = arguments.policy.as_deref().map(read_text).transpose()?;
        let grant = arguments.grant.as_deref().map(read_file).transpose()?;
        let hosts = hosts(&arguments.hosts)?;
        let mut own = own_places(&home, &arguments.policy, arguments.approve.as_deref());
        own.extend(arguments.after.clone());
        let after = after(&arguments, &authority)?;
        let (approver, mode) = approver(arguments.approve.as_deref(), &home, input)?;
        let ledger = match arguments.ledger {
            Some(path) => path,
            None => new_ledger(&home)?,
        };
        let at_end = if arguments.keep_open {
            AtEnd::Leave
        } else {
            AtEnd::Close
        };
        Ok(Self {
            ledger: place(&home, ledger, arguments.head_file)?,
            after,
            at_end,
            policy_file: arguments.policy,
            input,
            dir: arguments.dir,
            own,
            running: home.running().to_owned(),
            models,
            prices,
            hosts,
            coordinates: arguments.coordinator,
            policy,
            grant,
            authority,
            approver,
            mode,
            redactor: Redactor::of_process(),
        })
    }

    /// The plan of a session with this front end. The models are opened, which may ask a server which it has.
    async fn plan(self, front: Front, switch: StopSwitch) -> Result<Plan, Failure> {
        let models = self.models.open(&self.redactor).await?;
        Ok(Plan {
            task: front.task,
            dir: self.dir,
            ledger: self.ledger,
            after: self.after,
            at_end: self.at_end,
            own: self.own,
            models,
            prices: self.prices,
            hosts: self.hosts,
            coordinates: self.coordinates,
            policy: self.policy,
            grant: self.grant,
            authority: self.authority,
            approver: self.approver,
            mode: self.mode,
            cancel: front.cancel,
            switch,
            observer: front.observer,
            person: front.person,
            instructor: front.instructor,
            redactor: self.redactor,
        })
    }

    /// Plays the session with this front end to its end.
    pub(crate) async fn play(self, front: Front) -> Result<RunReport, Failure> {
        let switch = StopSwitch::default();
        let registration = self.register(&front, switch.clone())?;
        let played = self.play_until(front, switch).await;
        registration.end(ended(&played));
        played
    }

    /// Lists the run, so that it can be stopped from here on. One that nobody could stop does not begin.
    fn register(&self, front: &Front, switch: StopSwitch) -> Result<Registration, Failure> {
        let folder = RunningFolder::open_or_make(&self.running).map_err(|error| unusable(&error))?;
        let entry = Entry {
            pid: std::process::id(),
            command: if front.instructor.is_some() { "chat" } else { "run" }.to_owned(),
            ledger: settled(self.ledger.ledger()).to_string_lossy().into_owned(),
            since: crate::clock::Clock::default().read().get(),
            task: Entry::shown_task(&self.redactor.redact(&front.task)),
        };
        Registration::enter(folder, &entry, switch).map_err(|error| unusable(&error))
    }

    async fn play_until(self, front: Front, switch: StopSwitch) -> Result<RunReport, Failure> {
        let (ledger, policy_file) = (self.ledger.ledger().to_owned(), self.policy_file.clone());
        let plan = tokio::select! {
            plan = self.plan(front, switch.clone()) => plan?,
            () = switch.pulled() => return Err(Failure::new(Exit::Halted, STOPPED_EARLY)),
        };
        let played = session::run(plan).await;
        played.map_err(|error| failure(&error, &ledger, policy_file.as_deref()))
    }
}

/// How a run ended, for whoever has asked for its stop.
fn ended(played: &Result<RunReport, Failure>) -> Ended {
    match played {
        Ok(report) => Ended {
            reason: Some(report.reason.as_str().to_owned()),
            halt: report.halt.as_ref().map(|halt| halt.word().to_owned()),
            text: report.result.clone(),
        },
        Err(failure) => Ended {
            reason: None,
            halt: None,
            text: failure.to_string(),
        },
    }
}

/// Runs a future on a small runtime. Ctrl-C and SIGTERM raise the cancellation, as [`Interrupts`] says.
pub(crate) fn block_on<T, F: Future<Output = T>>(
    make: impl FnOnce(Cancel, Arc<Interrupts>) -> F,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::caused(Exit::Environment, "threads", &error))?;
    let (canceller, cancel) = cancellation();
    let interrupts = Arc::new(Interrupts::new(canceller));
    let played = runtime.block_on(async {
        let signals = Signals::listen()?;
        let heard = Arc::clone(&interrupts);
        tokio::spawn(async move { signals.pass_to(&heard).await });
        Ok(make(cancel, interrupts).await)
    });
    // A prompt that nobody answered may still wait for its line; everything that counts is done.
    runtime.shutdown_background();
    played
}

fn hosts(given: &[String]) -> Result<BTreeSet<HostScope>, Failure> {
    let scope = |host: &String| {
        HostScope::new(host.as_str()).map_err(|error| {
            Failure::caused(Exit::Usage, format!("--host {host}"), &error)
                .hint("write a host name in lower case, an IPv4 address, or * for every host")
        })
    };
    given.iter().map(scope).collect()
}

pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
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
    let now = crate::clock::Clock::default().read();
    Ok(folder.join(format!("{now}-{}.db", std::process::id())))
}

/// The ledger that `--after` names, verified.
fn after(arguments: &SessionArguments, authority: &Authority) -> Result<Option<Predecessor>, Failure> {
    let Some(old) = &arguments.after else {
        return Ok(None);
    };
    if let Some(new) = arguments.ledger.as_deref().filter(|new| new.symlink_metadata().is_ok()) {
        let problem = format!(
            "--ledger {}: exists already, and --after begins a new ledger",
            new.display()
        );
        return Err(Failure::new(Exit::Usage, problem).hint("name a new file with --ledger, or leave --after out"));
    }
    predecessor(old, authority.principal()).map(Some)
}

/// The ledger with its head file.
pub(super) fn place(home: &Home, ledger: PathBuf, head_file: Option<PathBuf>) -> Result<Place, Failure> {
    let settings =
        Settings::load(home).map_err(|error| Failure::caused(Exit::Environment, "the configuration", &error))?;
    let head_file = settings.head_file(head_file, &ledger);
    Ok(Place::new(ledger).with_head_file(head_file))
}

/// What no agent of this run may touch, besides the ledger itself.
pub(super) fn own_places(home: &Home, policy: &Option<PathBuf>, approve: Option<&str>) -> Vec<PathBuf> {
    let key_file = approve
        .filter(|word| !["ask", "never"].contains(word))
        .map(PathBuf::from);
    [
        Some(home.config().to_owned()),
        Some(home.ledgers().to_owned()),
        Some(home.logs().to_owned()),
        Some(home.running().to_owned()),
        policy.clone(),
        key_file,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a person is told when a ledger that is there cannot be gone on with.
pub(super) fn cannot_go_on(error: &OpenError, ledger: &Path) -> Failure {
    let failure = Failure::caused(Exit::Environment, "the ledger cannot be gone on with", error);
    let shown = ledger.display();
    match error {
        OpenError::Closed { .. } => failure.hint(format!(
            "nothing was entered; `--after {shown} --ledger NEW` begins a ledger that follows it"
        )),
        OpenError::CredentialEnded { .. } | OpenError::OtherHost { .. } => {
            failure.hint("nothing was entered; name a new ledger with --ledger")
        }
        OpenError::Head { .. } | OpenError::Store(StoreError::WalDamaged { .. }) => failure.hint(format!(
            "nothing was entered; `countersign ledger recover --ledger {shown}` says what is lost"
        )),
        OpenError::Unsound { .. } => failure.hint(format!("nothing was entered; `verify {shown}` shows what is wrong")),
        _ => failure.hint("nothing was entered"),
    }
}

/// What a person is told when a run could not begin or go on.
pub(super) fn failure(error: &SessionError, ledger: &Path, policy: Option<&Path>) -> Failure {
    let exit = match error {
        SessionError::Bug(_)
        | SessionError::Gate(GateError::Judge(_))
        | SessionError::Record(RecordError::Unlawful { .. } | RecordError::Field(_) | RecordError::Bug(_))
        | SessionError::Gate(GateError::Record(
            RecordError::Unlawful { .. } | RecordError::Field(_) | RecordError::Bug(_),
        )) => Exit::Bug,
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
        (SessionError::Record(RecordError::Open(error)), _) => cannot_go_on(error, ledger),
        (SessionError::PolicyFixed, _) => Failure::caused(exit, ledger.display(), error)
            .hint("give the --policy that the ledger was begun with, or none if it had none, or name a new ledger"),
        (SessionError::OtherBuiltin, _) => {
            Failure::caused(exit, ledger.display(), error).hint("name a new ledger with --ledger")
        }
        (SessionError::Record(RecordError::Join(_)), _) => Failure::caused(exit, "no ledger, so no run", error)
            .hint("wait until the other process has ended, or name another place with --ledger"),
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
