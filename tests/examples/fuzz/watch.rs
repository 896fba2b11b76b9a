//! The watch over every input: a panic, a death, a broken property, or a second of work ends the run with the input in a file.
//!
//! The inputs are tried in a process of their own, because a stack that overflows or memory that runs out ends a process
//! without a word. That process writes down which input it is at; whoever started it makes the same input again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use nix::sys::time::TimeValLike;

use super::Outcome;
use super::dice::Dice;

/// The longest that an input may keep the processor busy.
const WORK_MAX: Duration = Duration::from_secs(1);
/// The longest that an input may take, whoever else wants the processor.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The most memory that the process may ask for.
const ADDRESS_SPACE_BYTES_MAX: u64 = 3 << 30;

/// What is fuzzed, and with which inputs.
pub(crate) trait Target: Send + Sync + 'static {
    /// One input.
    type Input;

    /// Makes an input from the choices.
    fn input(&self, dice: &mut Dice) -> Self::Input;

    /// Tries it, and says in a word how far it came.
    ///
    /// # Errors
    /// A property does not hold.
    fn play(&self, input: &Self::Input) -> Outcome<&'static str>;

    /// Writes the input to a file of this name, or to several whose names begin with it.
    fn save(&self, input: &Self::Input, path: &Path) -> Outcome;
}

/// Which inputs are tried, and for how long.
#[derive(Clone)]
struct Course {
    seconds: u64,
    seed: u64,
    from: u64,
    /// Where the trying process writes down how far it is.
    progress: Option<PathBuf>,
}

impl Course {
    fn of_arguments() -> Outcome<Self> {
        let mut course = Self {
            seconds: 60,
            seed: 1,
            from: 0,
            progress: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seconds" => course.seconds = value.parse()?,
                "--seed" => course.seed = value.parse()?,
                "--from" => course.from = value.parse()?,
                "--progress" => course.progress = Some(value.into()),
                _ => return Err(format!("{name}: only --seconds N, --seed S and --from K are known").into()),
            }
        }
        Ok(course)
    }
}

/// Runs the fuzzer `name`, as the arguments of the program say.
pub(crate) fn main<T: Target>(name: &'static str, target: T) -> ExitCode {
    let watched = Course::of_arguments().and_then(|course| match course.progress.clone() {
        Some(progress) => try_inputs(name, target, &course, &progress),
        None => supervise(name, &target, &course),
    });
    watched.unwrap_or_else(|error| {
        say(&format!("error: {error}"));
        ExitCode::from(2)
    })
}

/// Starts the process that tries the inputs, and saves the input that it died of, if it died.
fn supervise<T: Target>(name: &'static str, target: &T, course: &Course) -> Outcome<ExitCode> {
    let folder = tempfile::tempdir()?;
    let progress = folder.path().join("progress");
    let status = Command::new(std::env::current_exe()?)
        .args(["--seconds", &course.seconds.to_string()])
        .args(["--seed", &course.seed.to_string()])
        .args(["--from", &course.from.to_string()])
        .arg("--progress")
        .arg(&progress)
        .status()?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code)?)),
        None => {
            let bytes = std::fs::read(&progress)?;
            let number = u64::from_be_bytes(bytes.try_into().map_err(|_| "the process did not begin")?);
            found(name, target, course, number, &format!("the process died: {status}"))
        }
    }
}

/// Makes input `number` again, saves it and tells.
fn found<T: Target>(name: &str, target: &T, course: &Course, number: u64, what: &str) -> Outcome<ExitCode> {
    let path = PathBuf::from(format!("fuzz-{name}-{}-{number}", course.seed));
    target.save(&target.input(&mut Dice::of(course.seed, number)), &path)?;
    say(&format!(
        "found: {what}\ninput {number} of seed {} is in {}",
        course.seed,
        path.display()
    ));
    Ok(ExitCode::FAILURE)
}

/// What the watching thread looks at.
#[derive(Default)]
struct Now {
    number: AtomicU64,
    /// Processor time of the process when the input began, in microseconds.
    begun_us: AtomicU64,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

fn try_inputs<T: Target>(name: &'static str, target: T, course: &Course, progress: &Path) -> Outcome<ExitCode> {
    setrlimit(Resource::RLIMIT_AS, ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX)?;
    std::panic::set_hook(Box::new(|panic| PANIC.set(panic.to_string())));
    let (target, now) = (Arc::new(target), Arc::new(Now::default()));
    watch(name, Arc::clone(&target), course.clone(), Arc::clone(&now))?;
    let progress = File::create(progress)?;
    let begun = Instant::now();
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut number, mut slowest_us) = (course.from, 0);
    while begun.elapsed().as_secs() < course.seconds {
        progress.write_all_at(&number.to_be_bytes(), 0)?;
        let begun_us = worked_us()?;
        now.begun_us.store(begun_us, Ordering::SeqCst);
        now.number.store(number, Ordering::SeqCst);
        let input = target.input(&mut Dice::of(course.seed, number));
        match catch_unwind(AssertUnwindSafe(|| target.play(&input))) {
            Ok(Ok(word)) => *tally.entry(word).or_default() += 1,
            Ok(Err(error)) => return found(name, &*target, course, number, &error.to_string()),
            Err(_) => return found(name, &*target, course, number, &PANIC.take()),
        }
        slowest_us = slowest_us.max(worked_us()? - begun_us);
        number += 1;
    }
    let inputs = number - course.from;
    say(&format!(
        "{name}: seed {}, {inputs} inputs, slowest {slowest_us} us; {tally:?}",
        course.seed
    ));
    Ok(ExitCode::SUCCESS)
}

/// Ends the process when one input keeps it busy for too long.
fn watch<T: Target>(name: &'static str, target: Arc<T>, course: Course, now: Arc<Now>) -> Outcome {
    let check = move || {
        let (mut last, mut since) = (u64::MAX, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let number = now.number.load(Ordering::SeqCst);
            if number != last {
                (last, since) = (number, Instant::now());
                continue;
            }
            let begun_us = now.begun_us.load(Ordering::SeqCst);
            let worked = Duration::from_micros(worked_us().unwrap_or(begun_us).saturating_sub(begun_us));
            let is_same = now.number.load(Ordering::SeqCst) == number;
            if is_same && (worked > WORK_MAX || since.elapsed() > WAIT_MAX) {
                let what = format!("{worked:?} of work after {:?}", since.elapsed());
                if let Err(error) = found(name, &*target, &course, number, &what) {
                    say(&format!("error: {error}"));
                }
                std::process::exit(1);
            }
        }
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(check)?;
    Ok(())
}

/// Tells whoever runs the fuzzer; where nobody listens nothing is lost.
pub(crate) fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Processor time of this process so far, in microseconds.
fn worked_us() -> Outcome<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let worked = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(u64::try_from(worked)?)
}
