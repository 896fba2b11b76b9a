//! The program `git`, found at a fixed place and run with nothing of the user's or the system's settings.
//!
//! What a repository's own settings could do is the business of [`super::repository`] and [`super::sealed`].

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use countersign_verifier::visible::visible;
use rustix::process::{Pid, Signal};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::gate::PermittedCall;

/// Where git is looked for; the first that exists is taken, so that nothing in `PATH` can pose as it.
const PROGRAMS: [&str; 3] = ["/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git"];

/// Time for one run of git. A check-out of a large tree is the slowest.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Longest output: lists of files, and patches.
pub(super) const OUTPUT_LEN_BYTES_MAX: u64 = 64 << 20;

/// Longest complaint that is passed on, and longest line of it.
const COMPLAINT_LEN_BYTES_MAX: u64 = 16 << 10;
const LINE_CHARS_MAX: usize = 500;

/// The whole environment: no home, no settings of user or system, no questions, no network, no lazy downloads.
const VARIABLES: [(&str, &str); 17] = [
    ("PATH", "/usr/bin:/bin"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "/bin/false"),
    ("SSH_ASKPASS", "/bin/false"),
    ("GIT_SSH_COMMAND", "/bin/false"),
    ("GIT_EDITOR", "/bin/false"),
    ("GIT_PAGER", "cat"),
    // Overrides `protocol.*.allow` of the repository, which would override `protocol.allow`.
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_LITERAL_PATHSPECS", "1"),
];

/// Settings given on every command line, where they outrank those of a repository.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "protocol.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    // Git asks whose the repository is because its settings could run programs. Here they cannot, and the workspace was
    // named by the person who gave the grant.
    "safe.directory=*",
];

/// The program. Only a permitted call can find it, and only who has it can run it.
#[derive(Clone, Debug)]
pub(super) struct Git {
    program: PathBuf,
}

impl Git {
    /// Finds git for a permitted call; none if this machine has none.
    pub(super) fn of(_call: &PermittedCall) -> Option<Self> {
        let program = PROGRAMS
            .into_iter()
            .map(PathBuf::from)
            .find(|program| program.is_file())?;
        Some(Self { program })
    }

    /// One run of git in `folder`.
    pub(super) fn run(&self, folder: &Path) -> Run {
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .env_clear()
            .envs(VARIABLES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        Run {
            command,
            name: String::new(),
            input: Vec::new(),
        }
    }
}

/// A run of git that is being prepared.
pub(super) struct Run {
    command: Command,
    name: String,
    input: Vec<u8>,
}

impl Run {
    pub(super) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Adds arguments. The first of them names the command in messages.
    pub(super) fn with<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        for argument in arguments {
            if self.name.is_empty() {
                self.name = argument.as_ref().to_string_lossy().into_owned();
            }
            self.command.arg(argument);
        }
        self
    }

    pub(super) fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Runs it and gives its output.
    ///
    /// # Errors
    /// [`GitError::Failed`] if git did not do it, and the other variants if it could not be run to its end.
    pub(super) async fn output(self) -> Result<Vec<u8>, GitError> {
        let name = self.name.clone();
        let ended = self.ended().await?;
        if !ended.status.success() {
            return Err(GitError::Failed {
                command: name,
                complaint: ended.complaint(),
            });
        }
        Ok(ended.output)
    }

    /// Runs it and gives its output; none if it answers no, which is exit code 1.
    pub(super) async fn answer(self) -> Result<Option<Vec<u8>>, GitError> {
        let name = self.name.clone();
        let ended = self.ended().await?;
        match ended.status.code() {
            Some(0) => Ok(Some(ended.output)),
            Some(1) => Ok(None),
            _ => Err(GitError::Failed {
                command: name,
                complaint: ended.complaint(),
            }),
        }
    }

    async fn ended(mut self) -> Result<Ended, GitError> {
        let failed = |source| GitError::Run {
            command: self.name.clone(),
            source,
        };
        let mut child = self.command.spawn().map_err(failed)?;
        let group = Group::of(&child);
        let ended = tokio::time::timeout(TIME_LIMIT, attend(&mut child, &self.input)).await;
        // Whatever git may have left behind ends with it.
        drop(group);
        match ended {
            Ok(Ok(ended)) if ended.is_whole => Ok(ended),
            Ok(Ok(_)) => Err(GitError::TooLong { command: self.name }),
            Ok(Err(source)) => Err(failed(source)),
            Err(_) => Err(GitError::TimedOut { command: self.name }),
        }
    }
}

struct Ended {
    status: ExitStatus,
    output: Vec<u8>,
    complaint: Vec<u8>,
    /// Whether nothing of the output was left out.
    is_whole: bool,
}

impl Ended {
    /// What git complained about, without anything a terminal would obey.
    fn complaint(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.complaint);
        text.lines().map(|line| visible(line, LINE_CHARS_MAX)).collect()
    }
}

/// Feeds and reads a running git until it ends.
async fn attend(child: &mut Child, input: &[u8]) -> io::Result<Ended> {
    let mut stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin.take() {
            // It may have given up before it read everything; its exit code says so.
            let _ = stdin.write_all(input).await;
        }
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ((), output, complaint) = tokio::join!(
        feed,
        read(stdout, OUTPUT_LEN_BYTES_MAX),
        read_beginning(stderr, COMPLAINT_LEN_BYTES_MAX)
    );
    let (output, complaint) = (output?, complaint?);
    let is_whole = output.len() as u64 <= OUTPUT_LEN_BYTES_MAX;
    Ok(Ended {
        // With its output closed it ends by a signal if it had more to say.
        status: child.wait().await?,
        output,
        complaint,
        is_whole,
    })
}

/// Reads a pipe to its end and keeps the first `limit` bytes.
async fn read_beginning(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(limit).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

/// Reads a pipe to its end, or one byte more than `limit`.
async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A process group that does not outlive this value.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        let raw = leader.id().and_then(|id| i32::try_from(id).ok());
        Self(raw.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // No such group means that everybody has left: that is what is wanted.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// Names of files in git's `-z` form.
pub(super) fn zero_terminated<'a>(paths: impl IntoIterator<Item = &'a OsString>) -> Vec<u8> {
    let mut list = Vec::new();
    for path in paths {
        list.extend_from_slice(path.as_encoded_bytes());
        list.push(0);
    }
    list
}

/// Why git did not do what it was asked to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GitError {
    /// It could not be started or watched.
    #[error("cannot run git {command}")]
    Run {
        /// The command.
        command: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("git {command} failed: {}", complaint.join("; "))]
    Failed {
        /// The command.
        command: String,
        /// What it said, line by line.
        complaint: Vec<String>,
    },
    /// It took longer than 120 s and was killed.
    #[error("git {command} was stopped after {} s", TIME_LIMIT.as_secs())]
    TimedOut {
        /// The command.
        command: String,
    },
    /// It had more than 64 MiB to say.
    #[error("git {command} gives more than {OUTPUT_LEN_BYTES_MAX} bytes")]
    TooLong {
        /// The command.
        command: String,
    },
    /// It said something that cannot be read.
    #[error("git {command} gives what cannot be read")]
    Unreadable {
        /// The command.
        command: &'static str,
    },
}
