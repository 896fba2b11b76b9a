//! Running a program where there is no network, a read-only folder or a small disk.
//!
//! Linux user namespaces give that without being root; where they are refused a test is skipped by name.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use super::programs::{Ran, run};
use super::{Checked, skip};

/// What is taken away or set up anew around a program.
#[derive(Clone, Copy)]
pub(crate) enum Namespace {
    /// No network, not even a loopback interface that is up.
    Network,
    /// Mounts of its own.
    Mounts,
}

impl Namespace {
    fn flags(self) -> &'static str {
        match self {
            Self::Network => "-rn",
            Self::Mounts => "-rm",
        }
    }

    fn works(self) -> bool {
        let trial = match self {
            Self::Network => "true",
            Self::Mounts => "mount -t tmpfs -o size=64k none /mnt",
        };
        let mut command = Command::new("unshare");
        command.args([self.flags(), "sh", "-c", trial]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Runs a shell `script` with `arguments` (`$1` …) inside; `None`, and a word about it, where that is not possible.
    pub(crate) fn run(
        self,
        test: &str,
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Checked<Option<Ran>> {
        if !self.works() {
            skip(test, "user namespaces are refused here");
            return Ok(None);
        }
        let mut command = Command::new("unshare");
        command.args([self.flags(), "sh", "-c", script, "sh"]).args(arguments);
        command.env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        run(&mut command).map(Some)
    }
}
