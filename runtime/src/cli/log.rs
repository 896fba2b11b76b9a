//! The log of the program itself: a file, if the environment asks for one.
//!
//! `COUNTERSIGN_LOG`, or else `RUST_LOG`, says what is logged, in the directives of `tracing`; without either nothing is,
//! and no file is made. One event is one line. Every line goes through the redactor of this process first, and what a
//! terminal would act on is written out, so that a log can be looked at with any program.
//!
//! A log is for finding faults and is no evidence: that is the ledger. So a log that cannot be made or written is a
//! warning, and the command goes on without one.

mod file;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_verifier::visible::visible;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::clock::Clock;
use crate::home::{Home, HomeError};
use crate::redact::Redactor;
use file::LogFileError;

/// What is logged, before [`COMMON_FILTER`].
const OWN_FILTER: &str = "COUNTERSIGN_LOG";
/// What is logged by whatever program uses `tracing`.
const COMMON_FILTER: &str = "RUST_LOG";
/// Where; without it a new file in the home.
const FILE: &str = "COUNTERSIGN_LOG_FILE";

/// The longest line, in characters; more is cut off.
const LINE_LEN_CHARS_MAX: usize = 16_384;

/// Starts logging, if the environment asks for it. Gives back what a person should be told: why there is no log, or less
/// of one than was asked for.
pub(super) fn start(redactor: Redactor) -> Vec<String> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let wish = Wish::of(variable);
    let mut warnings = wish.warnings;
    let Some(filter) = wish.filter else {
        return warnings;
    };
    match open(variable(FILE).map(PathBuf::from)) {
        Err(error) => warnings.push(told("there is no log", &error)),
        Ok(file) => {
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(false)
                .with_writer(Log::new(file, redactor))
                .finish();
            // Whoever has set one already, as a test does, keeps it.
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
    }
    warnings
}

/// What is to be logged.
struct Wish {
    filter: Option<EnvFilter>,
    warnings: Vec<String>,
}

impl Wish {
    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let nothing = |warnings| Self { filter: None, warnings };
        let Some((name, value)) = [OWN_FILTER, COMMON_FILTER]
            .iter()
            .find_map(|name| Some((*name, variable(name)?)))
        else {
            return nothing(Vec::new());
        };
        let Some(text) = value.to_str() else {
            return nothing(vec![format!("{name} is not UTF-8, so there is no log")]);
        };
        let (good, bad): (Vec<_>, Vec<_>) = directives(text).into_iter().partition(|part| is_directive(part));
        let warnings = bad
            .into_iter()
            .map(|part| {
                format!(
                    "{name}: `{}` is no filter directive and is left out",
                    visible(part, 200)
                )
            })
            .collect();
        let filter = EnvFilter::builder().parse(good.join(",")).ok();
        let is_on = |filter: &EnvFilter| filter.max_level_hint() != Some(LevelFilter::OFF);
        Self {
            filter: filter.filter(is_on),
            warnings,
        }
    }
}

/// The parts of a filter: separated by commas, except for those between brackets and braces (`[span{a=1,b=2}]=debug`).
fn directives(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|character| {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn is_directive(part: &str) -> bool {
    EnvFilter::builder().parse(part).is_ok()
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
enum LogError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    File(#[from] LogFileError),
}

fn open(named: Option<PathBuf>) -> Result<File, LogError> {
    if let Some(path) = named {
        return Ok(file::create_or_append(&path)?);
    }
    let home = Home::from_env()?;
    let now = Clock::default().read();
    // Sorts by time, and no two processes have the same.
    let name = format!("{now}-{}.log", std::process::id());
    Ok(file::create_in(home.logs(), &name)?)
}

fn told(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    visible(&text, 2_000)
}

/// An open log.
struct Log {
    file: File,
    redactor: Redactor,
    has_failed: AtomicBool,
}

impl Log {
    fn new(file: File, redactor: Redactor) -> Self {
        Self {
            file,
            redactor,
            has_failed: AtomicBool::new(false),
        }
    }

    /// Writes one event in one piece, so that lines of several threads and processes do not mix.
    fn write_line(&self, event: &[u8]) {
        let text = String::from_utf8_lossy(event);
        let clean = self.redactor.redact(text.trim_end());
        let line = format!("{}\n", visible(&clean, LINE_LEN_CHARS_MAX));
        if let Err(error) = (&self.file).write_all(line.as_bytes())
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            eprintln!("warning: {}", told("the log cannot be written", &error));
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            log: self,
            event: Vec::new(),
        }
    }
}

/// One event on its way into the log: secrets can only be found in the whole of it.
struct Line<'a> {
    log: &'a Log,
    event: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.event.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.event.is_empty() {
            self.log.write_line(&self.event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Secret;
    use std::error::Error;
    use std::fs;

    type TestResult = Result<(), Box<dyn Error>>;

    fn wish(variables: &[(&str, &str)]) -> Wish {
        Wish::of(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    }

    /// What a log of everything that `act` says looks like.
    fn logged(redactor: Redactor, act: impl FnOnce()) -> Result<String, Box<dyn Error>> {
        let folder = tempfile::TempDir::new()?;
        let path = folder.path().join("log");
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("trace")
            .with_ansi(false)
            .with_writer(Log::new(File::create_new(&path)?, redactor))
            .finish();
        tracing::subscriber::with_default(subscriber, act);
        Ok(fs::read_to_string(path)?)
    }

    #[test]
    fn nothing_is_logged_unless_it_is_asked_for() {
        for variables in [
            &[][..],
            &[("RUST_LOG", "off")],
            &[("RUST_LOG", "a=off,b=off")],
            &[("RUST_LOG", ",")],
        ] {
            let wish = wish(variables);
            assert!(wish.filter.is_none() && wish.warnings.is_empty(), "{variables:?}");
        }
    }

    #[test]
    fn our_own_variable_wins() {
        let wish = wish(&[("RUST_LOG", "trace"), ("COUNTERSIGN_LOG", "warn")]);
        let level = wish.filter.and_then(|filter| filter.max_level_hint());
        assert_eq!(level, Some(LevelFilter::WARN));
    }

    #[test]
    fn a_bad_part_is_named_and_the_rest_holds() {
        let wish = wish(&[("RUST_LOG", "countersign_runtime=debug, hyper=loud,\u{1b}=x,info")]);
        let text = wish.filter.map(|filter| filter.to_string());
        assert!(text.is_some_and(|text| text.contains("countersign_runtime=debug") && text.contains("info")));
        let [first, second] = &wish.warnings[..] else {
            panic!("{:?}", wish.warnings)
        };
        assert!(first.contains("RUST_LOG: `hyper=loud`"), "{first}");
        assert!(!second.contains('\u{1b}'), "{second}");
    }

    #[test]
    fn nothing_but_bad_parts_is_no_log() {
        let wish = wish(&[("COUNTERSIGN_LOG", "a=b=c")]);
        assert!(wish.filter.is_none());
        assert_eq!(wish.warnings.len(), 1);
    }

    #[test]
    fn commas_in_a_span_part_nothing() {
        assert_eq!(
            directives("a=debug, [span{x=1,y=2}]=trace ,,b"),
            ["a=debug", "[span{x=1,y=2}]=trace", "b"]
        );
    }

    #[test]
    fn an_event_is_one_line_without_secrets() -> TestResult {
        let key = format!("sk-ant-api03-{}", "a1B2".repeat(24));
        let redactor = Redactor::standard();
        redactor.also(Secret::new("correct horse".to_owned())?);
        let text = logged(redactor, || {
            tracing::info!(%key, debug = ?format!("a\n{key}"), "first\nwith \u{1b}[2J correct horse");
            tracing::info!("-----BEGIN PRIVATE KEY-----\nMIIE\n");
            let span = tracing::info_span!("run", header = format!("Authorization: Bearer {}", "x1".repeat(10)));
            span.in_scope(|| tracing::info!("last"));
        })?;
        for secret in [&key, "a1B2", "correct horse", "MIIE", "x1x1"] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].contains("first\\nwith") && lines[0].contains("[secret removed: key in use]"));
        assert!(lines[0].matches("[secret removed: anthropic key]").count() == 2);
        assert!(lines[1].ends_with("[secret removed: private key]"));
        assert!(lines[2].contains("[secret removed: authorization header]") && lines[2].ends_with("last"));
        assert!(
            text.chars()
                .all(|character| character == '\n' || !character.is_control())
        );
        Ok(())
    }

    #[test]
    fn a_long_event_is_cut() -> TestResult {
        let text = logged(Redactor::standard(), || tracing::info!("{}", "x".repeat(100_000)))?;
        assert_eq!(
            text.chars().count(),
            LINE_LEN_CHARS_MAX + 2,
            "with an ellipsis and a line end"
        );
        Ok(())
    }

    #[test]
    fn a_log_that_cannot_be_written_stops_nothing() -> TestResult {
        let file = File::open("/dev/null")?;
        let log = Log::new(file, Redactor::standard());
        log.write_line(b"one");
        log.write_line(b"two");
        assert!(log.has_failed.load(Ordering::Relaxed));
        Ok(())
    }
}
