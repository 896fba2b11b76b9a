//! A program that runs beside the test, and never longer than it.

use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Checked;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A started program; killed when the test drops it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Checked<Self> {
        Ok(Self(command.spawn()?))
    }

    /// Waits until `is_there`, or the program has ended.
    pub(crate) fn wait_for(&mut self, what: &str, is_there: impl Fn() -> bool) -> Checked {
        let begun = Instant::now();
        while !is_there() && self.0.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited {PATIENCE:?} for {what}").into());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Checked<ExitStatus> {
        self.wait_for("the end of the program", || false)?;
        Ok(self.0.wait()?)
    }

    /// Sends a signal by its name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) -> Checked {
        let pid = self.0.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("kill: {status}").into())
        }
    }

    /// SIGKILL: the program cannot prepare for it.
    pub(crate) fn kill(&mut self) -> Checked {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Takes its standard input, if that is a pipe.
    pub(crate) fn take_input(&mut self) -> Checked<std::process::ChildStdin> {
        self.0.stdin.take().ok_or_else(|| "no input".into())
    }

    /// Takes its standard output, if that is a pipe.
    pub(crate) fn take_output(&mut self) -> Checked<std::process::ChildStdout> {
        self.0.stdout.take().ok_or_else(|| "no output".into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or nobody wants it any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
