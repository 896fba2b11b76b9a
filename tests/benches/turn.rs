//! What a headless turn costs: two model calls and one shell call, with the ledger on, beside a bare HTTP client.
//!
//! `cargo bench -p countersign-tests --bench turn [-- --rounds N] [--as-built]`
//!
//! Builds the programs (unless `--as-built`), starts the loopback provider of the tests, and lets three programs take
//! turns, so that whatever else the machine does falls on all alike: `countersign run` over Anthropic's format on a fresh
//! ledger, a client that sends the same two bodies and runs the same command (`examples/bare_client.rs`), and
//! `countersign --version`. Prints one `countersign.bench/v1` document. It judges nothing: a time is not a test.
//!
//! Each program is started by a helper process, this program with `--watch`, which takes the time from its start to its
//! end; the kernel tells a process the peak memory of its ended children, so whoever has had one child only knows that
//! child's. What is told is the most that the program or any of its own children held.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::Checked;
use support::actions::actions;
use support::programs::{countersign, countersign_path};
use support::provider::{Provider, Recorded, Setup};
use support::workshop::{PERMIT_WORK, Workshop};

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests need more than a turn does")]
mod support;

const ROUNDS: usize = 30;
/// Rounds before those that count: files are read into memory, and the server has heard what it will be asked.
const WARM_UP_ROUNDS: usize = 2;

const TASK: &str = "say hello";
const SCRIPT: &str = r#"{"schema": "countersign.script/v1", "agents": {"lead": [
    {"say": "I say it.", "calls": [{"tool": "bash", "args": {"command": "echo hello"}}]},
    {"say": "It is said."}]}}"#;
const KEY: &str = "Key0fThisBench5d41402abc4b2a76b9719d911017c592";

/// The first argument of the helper process.
const WATCH: &str = "--watch";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, program)) if first == WATCH => watch(program),
        _ => Options::of(&arguments).and_then(bench),
    };
    match done {
        Ok(document) => {
            let written = writeln!(std::io::stdout(), "{document}");
            written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            // Where standard error is closed nobody can be told.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    rounds: usize,
    build: Build,
}

/// Whether the programs are built before they are measured.
#[derive(PartialEq, Eq)]
enum Build {
    Now,
    /// What lies there is measured, however old it is.
    Not,
}

impl Options {
    fn of(arguments: &[OsString]) -> Checked<Self> {
        let mut options = Self {
            rounds: ROUNDS,
            build: Build::Now,
        };
        let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
        while let Some(argument) = arguments.next() {
            match argument {
                // Cargo says so to every bench.
                "--bench" => {}
                "--as-built" => options.build = Build::Not,
                "--rounds" => options.rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?,
                other => return Err(format!("unknown argument {other}; there are --rounds N and --as-built").into()),
            }
        }
        if options.rounds == 0 {
            return Err("no rounds, no figures".into());
        }
        Ok(options)
    }
}

fn bench(options: Options) -> Checked<Value> {
    if options.build == Build::Now {
        // Apart from each other: built together, each would get the features that the other asks for.
        build(&["-p", "countersign-runtime", "--bins"])?;
        build(&["-p", "countersign-tests", "--example", "bare_client"])?;
    }
    let place = Place::new()?;
    let provider = Provider::start(Setup::new(SCRIPT, TASK)?.key(KEY))?;
    let programs = Programs::new(&place, &provider)?;
    let (mut turns, mut bares, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP_ROUNDS + options.rounds {
        let measured = (programs.turn()?, programs.bare()?, programs.version()?);
        if round >= WARM_UP_ROUNDS {
            turns.push(measured.0);
            bares.push(measured.1);
            versions.push(measured.2);
        }
    }
    check_requests(&provider.requests(), 2 + 4 * (WARM_UP_ROUNDS + options.rounds))?;
    let ratio = Measured::median_ms(&turns) / Measured::median_ms(&bares);
    let mut turn = Measured::summary("turn", &turns);
    turn["limit"] = json!({"name": "bare HTTP client", "median_ms": Measured::median_ms(&bares)});
    turn["ratio"] = json!((ratio * 100.0).round() / 100.0);
    Ok(json!({
        "schema": "countersign.bench/v1",
        "bench": "turn",
        "machine": machine(),
        "rounds": options.rounds,
        "binary_bytes": fs::metadata(countersign_path())?.len(),
        "runs": [turn, Measured::summary("bare", &bares), Measured::summary("version", &versions)],
    }))
}

fn build(what: &[&str]) -> Checked {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let status = command
        .args(["build", "--release", "--locked", "--quiet"])
        .args(what)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the programs could not be built: {status}").into())
    }
}

/// Every request was answered, and there were as many as were meant: otherwise the figures are of something else.
fn check_requests(requests: &[Recorded], expected: usize) -> Checked {
    let wrong = requests.iter().find(|request| request.status != 200);
    if let Some(Recorded { status, problem, .. }) = wrong {
        return Err(format!("a request was answered with {status}: {problem:?}").into());
    }
    if requests.len() != expected {
        return Err(format!("{} requests instead of {expected}", requests.len()).into());
    }
    Ok(())
}

/// Where ledgers are made: on the disk that holds the build, because the temporary folder may lie in memory.
struct Place {
    workshop: Workshop,
    disk: TempDir,
}

impl Place {
    fn new() -> Checked<Self> {
        let disk = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        if statfs(disk.path())?.filesystem_type() == TMPFS_MAGIC {
            return Err(format!("{} lies in memory, where nothing is durable", disk.path().display()).into());
        }
        let workshop = Workshop::new()?;
        workshop.file("policy.cedar", PERMIT_WORK)?;
        Ok(Self { workshop, disk })
    }
}

/// The three programs that are compared.
struct Programs<'a> {
    place: &'a Place,
    url: String,
    bare: PathBuf,
    bodies: [PathBuf; 2],
}

impl<'a> Programs<'a> {
    /// Lets `countersign` run once, to learn what it sends, and to see that it does what is meant.
    fn new(place: &'a Place, provider: &Provider) -> Checked<Self> {
        let release = countersign_path().parent().map(Path::to_owned).unwrap_or_default();
        let mut programs = Self {
            place,
            url: provider.url(),
            bare: release.join("examples/bare_client"),
            bodies: Default::default(),
        };
        programs.turn_on(&programs.ledger())?;
        let actions = actions(&programs.ledger())?;
        fs::remove_file(programs.ledger())?;
        let has_run = |result: &Option<String>| result.as_deref().is_some_and(|said| said.contains("hello"));
        if actions.len() != 1 || !actions.iter().all(|action| has_run(&action.result)) {
            return Err(format!("a turn is not one command that says hello: {actions:?}").into());
        }
        let [first, second] = provider.requests().try_into().map_err(|requests: Vec<_>| {
            let asked = requests.len();
            format!("a turn made {asked} model calls instead of two")
        })?;
        programs.bodies = [
            place.workshop.file("first.json", first.body)?,
            place.workshop.file("second.json", second.body)?,
        ];
        Ok(programs)
    }

    fn ledger(&self) -> PathBuf {
        self.place.disk.path().join("ledger.db")
    }

    /// `countersign run` on a fresh ledger.
    fn turn(&self) -> Checked<Measured> {
        let ledger = self.ledger();
        let measured = self.turn_on(&ledger)?;
        fs::remove_file(&ledger)?;
        Ok(measured)
    }

    fn turn_on(&self, ledger: &Path) -> Checked<Measured> {
        let mut command = self.place.workshop.countersign();
        command.args(["run", TASK, "--dir", "work", "--model", "anthropic/claude-test"]);
        command.args(["--approve", "never", "--policy", "policy.cedar"]);
        command.arg("--ledger").arg(ledger);
        command
            .env("ANTHROPIC_BASE_URL", &self.url)
            .env("ANTHROPIC_API_KEY", KEY);
        Measured::of(&command)
    }

    fn bare(&self) -> Checked<Measured> {
        let mut command = Command::new(&self.bare);
        command.arg(format!("{}/v1/messages", self.url)).arg(KEY);
        Measured::of(command.args(&self.bodies))
    }

    fn version(&self) -> Checked<Measured> {
        Measured::of(countersign().arg("--version"))
    }
}

/// One program's time and memory.
struct Measured {
    time_ms: f64,
    peak_rss_bytes: u64,
}

impl Measured {
    /// Runs `command` to its end in a helper process. It starts with the variables that the command was given and `PATH`.
    fn of(command: &Command) -> Checked<Self> {
        let mut helper = Command::new(std::env::current_exe()?);
        helper.arg(WATCH).arg(command.get_program()).args(command.get_args());
        helper.env_clear().stdin(Stdio::null());
        helper.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        helper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            helper.current_dir(folder);
        }
        let output = helper.output()?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let told: Value = serde_json::from_slice(&output.stdout)?;
        Ok(Self {
            time_ms: told["time_ms"].as_f64().ok_or("the helper told no time")?,
            peak_rss_bytes: told["peak_rss_bytes"].as_u64().ok_or("the helper told no memory")?,
        })
    }

    fn median_ms(measured: &[Self]) -> f64 {
        let times = sorted_times_ms(measured);
        let (half, is_odd) = (times.len() / 2, times.len() % 2 == 1);
        if is_odd {
            times[half]
        } else {
            f64::midpoint(times[half - 1], times[half])
        }
    }

    fn summary(program: &str, measured: &[Self]) -> Value {
        let times = sorted_times_ms(measured);
        json!({
            "program": program,
            "min_ms": times[0],
            "median_ms": Self::median_ms(measured),
            "max_ms": times[times.len() - 1],
            "peak_rss_bytes": measured.iter().map(|one| one.peak_rss_bytes).max(),
        })
    }
}

fn sorted_times_ms(measured: &[Measured]) -> Vec<f64> {
    let mut times: Vec<f64> = measured.iter().map(|one| one.time_ms).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The helper: runs one program to its end, without its output, and tells what it took.
fn watch(program: &[OsString]) -> Checked<Value> {
    let (program, arguments) = program.split_first().ok_or("nothing to run")?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.spawn()?.wait()?;
    let took = begun.elapsed();
    if !status.success() {
        return Err(status.to_string().into());
    }
    // Linux counts it in KiB.
    let peak_rss_kib = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
    Ok(json!({ "time_ms": milliseconds(took), "peak_rss_bytes": peak_rss_kib * 1024 }))
}

/// In milliseconds, to the hundredth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// What the figures depend on, as far as the machine tells.
fn machine() -> Value {
    let first_line = |path: &str| Some(fs::read_to_string(path).ok()?.lines().next()?.to_owned());
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    json!({
        "cpu": cpu.map(|name| name.trim_start_matches([' ', '\t', ':'])),
        "cores": std::thread::available_parallelism().ok(),
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "load_average": first_line("/proc/loadavg"),
    })
}
