//! One shell command in a process group of its own, with an end to its time, its output and its children.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::cancel::Cancel;
use super::command::CommandCall;

/// Variables of the parent a command may see. Everything else, keys for models above all, stays out.
const VARIABLES: [&str; 5] = ["HOME", "LANG", "PATH", "TERM", "USER"];

/// Where shells are; the first that exists is taken, so that nothing in `PATH` can pose as one.
const PROGRAMS: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/bin/sh"];

/// How long a command has to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// How often a group is looked at that is about to end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// How long the group's end and the rest of its output are awaited after everything was killed. Only a process that left
/// the group can use it up, or one that nobody reaps.
const AFTER_END: Duration = Duration::from_millis(500);

/// The shell that runs commands, and the environment it runs them in.
#[derive(Clone, Debug)]
pub struct Shell {
    program: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Shell {
    /// Finds the shell of this machine and keeps those of `variables` that a command may see.
    ///
    /// # Errors
    /// `NotFound` if there is neither a bash nor a POSIX shell.
    pub fn find(variables: impl IntoIterator<Item = (OsString, OsString)>) -> io::Result<Self> {
        let program = PROGRAMS.iter().map(Path::new).find(|program| program.is_file());
        let program = program.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no /bin/bash and no /bin/sh"))?;
        let is_listed = |name: &OsString| VARIABLES.iter().any(|listed| name == listed);
        let variables = variables.into_iter().filter(|(name, _)| is_listed(name)).collect();
        Ok(Self {
            program: program.to_owned(),
            variables,
        })
    }

    /// The program that is run.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs the command of `call` in its folder until it ends, its time is up or it is cancelled, and gives `sink` what it
    /// writes, in the order in which it came in. In every case the whole process group is dead afterwards, and has heard
    /// SIGTERM first unless the command ended by itself; a process that made a session of its own (`setsid`) is out of
    /// reach without a sandbox.
    pub(super) async fn run(
        &self,
        call: &CommandCall,
        bounds: Bounds<'_>,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> io::Result<Ended> {
        if bounds.cancel.is_raised() {
            return Ok(Ended {
                end: End::Cancelled,
                is_held_open: false,
            });
        }
        let mut child = self.prepare(call).spawn()?;
        let mut group = Group::of(&child)?;
        let mut pipes = Pipes {
            out: child.stdout.take(),
            err: child.stderr.take(),
        };
        let end = tokio::select! {
            biased;
            () = bounds.cancel.raised() => End::Cancelled,
            () = tokio::time::sleep(bounds.time_limit) => End::TimedOut,
            status = pipes.collect_until_exit(&mut child, sink) => End::Exited(status?),
        };
        if !matches!(end, End::Exited(_)) {
            group.signal(Signal::TERM);
            // Its last words are worth having, and a full pipe must not keep it from ending.
            let _ = tokio::time::timeout(GRACE, pipes.collect_while(group.is_gone(&mut child), sink)).await;
        }
        // A permit is for one call: nothing of it goes on in the background.
        group.signal(Signal::KILL);
        let _ = tokio::time::timeout(AFTER_END, group.is_gone(&mut child)).await;
        let rest = tokio::time::timeout(AFTER_END, pipes.collect(sink)).await;
        Ok(Ended {
            end,
            is_held_open: rest.is_err(),
        })
    }

    fn prepare(&self, call: &CommandCall) -> Command {
        let mut shell = Command::new(&self.program);
        shell
            // `--` because a command that begins with a dash would be taken for an option.
            .args(["-c", "--", call.command()])
            .current_dir(call.folder())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        shell
    }
}

/// How long a command may take.
pub(super) struct Bounds<'a> {
    pub(super) time_limit: Duration,
    pub(super) cancel: &'a Cancel,
}

/// A command that has ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// Whether a process outside the group still holds the output open.
    pub(super) is_held_open: bool,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(ExitStatus),
    TimedOut,
    Cancelled,
}

/// A process group that does not outlive this value: it is killed even when the future that runs it is dropped.
struct Group {
    /// `None` once nobody is left in it: its number may be given to others then.
    id: Option<Pid>,
}

impl Group {
    fn of(leader: &Child) -> io::Result<Self> {
        let raw = leader.id().and_then(|id| i32::try_from(id).ok());
        let id = raw.and_then(Pid::from_raw);
        if id.is_none() {
            return Err(io::Error::other("the shell has no process id"));
        }
        Ok(Self { id })
    }

    fn signal(&mut self, signal: Signal) {
        let Some(id) = self.id else { return };
        // The number cannot have gone to another group while a member lives, and with no member left it would have to
        // be used anew within the moments between two looks.
        if rustix::process::kill_process_group(id, signal).is_err() {
            self.id = None;
        }
    }

    /// Waits until nobody is left in it. Takes as long as its members like; safe to cancel.
    async fn is_gone(&mut self, leader: &mut Child) {
        // A leader that cannot be waited for is gone already, or will be seen below.
        let _ = leader.wait().await;
        while let Some(id) = self.id {
            match rustix::process::test_kill_process_group(id) {
                Ok(()) => tokio::time::sleep(BETWEEN_LOOKS).await,
                Err(_) => self.id = None,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Both outputs of a command, each until its end.
struct Pipes {
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
}

impl Pipes {
    async fn collect_until_exit(
        &mut self,
        child: &mut Child,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> io::Result<ExitStatus> {
        self.collect_while(child.wait(), sink).await
    }

    /// Collects until `end` is there.
    async fn collect_while<T>(&mut self, end: impl Future<Output = T>, sink: &mut (dyn FnMut(&[u8]) + Send)) -> T {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                ended = &mut end => return ended,
                () = self.collect_some(sink), if self.is_open() => {}
            }
        }
    }

    async fn collect(&mut self, sink: &mut (dyn FnMut(&[u8]) + Send)) {
        while self.is_open() {
            self.collect_some(sink).await;
        }
    }

    fn is_open(&self) -> bool {
        self.out.is_some() || self.err.is_some()
    }

    /// Takes what one of the pipes has. A pipe that ends or fails is closed. Safe to cancel: nothing read is lost.
    async fn collect_some(&mut self, sink: &mut (dyn FnMut(&[u8]) + Send)) {
        let (mut from_out, mut from_err) = ([0; 8192], [0; 8192]);
        tokio::select! {
            len = read_some(&mut self.out, &mut from_out), if self.out.is_some() => match len {
                0 => self.out = None,
                len => sink(&from_out[..len]),
            },
            len = read_some(&mut self.err, &mut from_err), if self.err.is_some() => match len {
                0 => self.err = None,
                len => sink(&from_err[..len]),
            },
            else => {}
        }
    }
}

async fn read_some(pipe: &mut Option<impl AsyncReadExt + Unpin>, buffer: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => 0,
    }
}
