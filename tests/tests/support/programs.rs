//! Where the two programs are, and how a test starts them: with an empty environment, so that no test depends on it.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::Checked;

/// The program that runs agents.
pub(crate) fn countersign() -> Command {
    clean(&folder().join("countersign"))
}

/// The program that audits.
pub(crate) fn verify() -> Command {
    clean(&folder().join("verify"))
}

/// The path of the program that audits, for copies of it.
pub(crate) fn verify_path() -> PathBuf {
    folder().join("verify")
}

/// The path of the program that runs agents.
pub(crate) fn countersign_path() -> PathBuf {
    folder().join("countersign")
}

/// The program that writes ledgers for the crash tests.
pub(crate) fn ledger_writer() -> Command {
    clean(&ledger_writer_path())
}

/// The path of the program that writes ledgers.
pub(crate) fn ledger_writer_path() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let program = folder().join("examples/ledger_writer");
        // `cargo test` builds examples, unless it is told to build one test alone.
        if !program.is_file() {
            let example = ["-p", "countersign-tests", "--example", "ledger_writer"];
            build(&example, folder().ends_with("release"));
        }
        program
    });
    built.clone()
}

/// What a finished program left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

impl Ran {
    /// Fails unless the program exited with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless the program exited with one of `codes`.
    #[track_caller]
    pub(crate) fn expect_one_of(self, codes: &[i32]) -> Self {
        assert!(
            self.code.is_some_and(|code| codes.contains(&code)),
            "wanted one of {codes:?}\n{self}"
        );
        self
    }

    /// Fails unless `text` stands somewhere in what the program printed.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "wanted {text:?}\n{self}"
        );
        self
    }
}

impl Ran {
    /// What a program that was started by other means left.
    pub(crate) fn of(output: Output, command: &str) -> Checked<Self> {
        Ok(Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            command: command.to_owned(),
        })
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
            command,
        } = self;
        write!(f, "{command}\nexit: {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

/// Runs `command` to its end.
pub(crate) fn run(command: &mut Command) -> Checked<Ran> {
    let output = command.output()?;
    Ran::of(output, &format!("{command:?}"))
}

/// `verify` with `arguments`, run to its end.
pub(crate) fn run_verify(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Checked<Ran> {
    run(verify().args(arguments))
}

/// `countersign` with `arguments`, run to its end.
pub(crate) fn run_countersign(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Checked<Ran> {
    run(countersign().args(arguments))
}

fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The folder that holds the programs: the one above this test's own `deps`.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let own = std::env::current_exe().expect("a test knows where it runs");
        let folder = own
            .parent()
            .and_then(Path::parent)
            .expect("tests lie in target/PROFILE/deps")
            .to_owned();
        // `cargo test --workspace` builds both, because their packages have integration tests.
        if !["countersign", "verify"].iter().all(|name| folder.join(name).is_file()) {
            let both = ["-p", "countersign-verifier", "-p", "countersign-runtime", "--bins"];
            build(&both, folder.ends_with("release"));
        }
        folder
    })
}

fn build(what: &[&str], release: bool) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--locked"])
        .args(what)
        .args(release.then_some("--release"));
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "the programs could not be built: {status}");
}
