//! A disk that fails on request and one that remembers: `faults/shim.c`, loaded into a program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::skip;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/shim.c");

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails with "input or output error", and those behind it are made.
    ErrorOnce,
    /// It fails with "no space left", and so does every call behind it.
    FullForGood,
    /// As before, but of what that call writes, half is written.
    HalfAndFull,
    /// The program is killed instead of it.
    Kill,
}

/// All of them.
pub(crate) const FAULTS: [Fault; 4] = [Fault::ErrorOnce, Fault::FullForGood, Fault::HalfAndFull, Fault::Kill];

impl Fault {
    /// The numbers are those of Linux: EIO is 5, ENOSPC 28.
    fn at(self, call: u32) -> String {
        match self {
            Self::ErrorOnce => format!("{call}:5:once"),
            Self::FullForGood => format!("{call}:28:ever"),
            Self::HalfAndFull => format!("{call}:28:short"),
            Self::Kill => format!("{call}:0:kill"),
        }
    }
}

/// The shim, compiled.
#[derive(Clone, Copy)]
pub(crate) struct Shim(&'static Path);

impl Shim {
    /// `None`, and a word about it, on machines whose loader does not know LD_PRELOAD as the GNU one does.
    pub(crate) fn for_test(test: &str) -> Option<Self> {
        static COMPILED: OnceLock<PathBuf> = OnceLock::new();
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            skip(test, "needs LD_PRELOAD and the GNU C library");
            return None;
        }
        Some(Self(COMPILED.get_or_init(compile)))
    }

    /// Lets call number `call` (from 1) that changes something below `folder` come to grief. If there is such a call,
    /// `struck` names it afterwards.
    pub(crate) fn break_disk(self, command: &mut Command, folder: &Path, fault: Fault, call: u32, struck: &Path) {
        self.load(command, folder);
        command.env("SHIM_FAIL", fault.at(call)).env("SHIM_STRUCK", struck);
    }

    /// Appends to `trace` whatever the program does below `folder`, and what it prints.
    pub(crate) fn record(self, command: &mut Command, folder: &Path, trace: &Path) {
        self.load(command, folder);
        command.env("SHIM_TRACE", trace);
    }

    /// Sets the program's clock forward or back.
    pub(crate) fn shift_clock(self, command: &mut Command, seconds: i64) {
        command.env("LD_PRELOAD", self.0).env("SHIM_CLOCK", seconds.to_string());
    }

    fn load(self, command: &mut Command, folder: &Path) {
        command.env("LD_PRELOAD", self.0).env("SHIM_FOLDER", folder);
    }
}

fn compile() -> PathBuf {
    // Several test processes may compile at once: each for itself, then whole files take each other's place.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join(format!("shim-{}.so", std::process::id()));
    let mut command = Command::new("cc");
    command.args([
        "-std=gnu11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
    ]);
    let status = command
        .arg(&made)
        .arg(SOURCE)
        .status()
        .expect("a C compiler can be started");
    assert!(status.success(), "{SOURCE} was not compiled: {status}");
    let shim = folder.join("shim.so");
    std::fs::rename(&made, &shim).expect("a file can be renamed in the folder for temporary files");
    shim
}
