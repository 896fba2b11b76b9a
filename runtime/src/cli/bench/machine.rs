//! The machine that a bench ran on, as far as its figures depend on it.

use std::num::NonZero;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::super::exit::{Exit, Failure};

/// Where a bench ran.
pub(super) struct Machine {
    /// Cores this process may use.
    pub(super) cores: usize,
    cpu: Option<String>,
    memory_bytes: Option<u64>,
    /// The kind of file system below the folder; `None` where the system does not tell.
    filesystem: Option<String>,
}

impl Machine {
    /// Looks at the machine, and at the file system below `dir`.
    ///
    /// A file system in memory is refused: what is durable there costs nothing, and is not.
    pub(super) fn look(dir: &Path) -> Result<Self, Failure> {
        let filesystem =
            filesystem::kind_of(dir).map_err(|error| Failure::caused(Exit::Environment, dir.display(), &error))?;
        if let Some(kind) = filesystem
            .as_deref()
            .filter(|kind| filesystem::IN_MEMORY.contains(kind))
        {
            return Err(Failure::new(
                Exit::Environment,
                format!("{} is on a {kind}, where nothing is ever durable", dir.display()),
            )
            .hint("name a folder on a disk with --dir"));
        }
        Ok(Self {
            cores: thread::available_parallelism().map_or(1, NonZero::get),
            cpu: line_of("/proc/cpuinfo", "model name"),
            memory_bytes: line_of("/proc/meminfo", "MemTotal").as_deref().and_then(kilobytes),
            filesystem,
        })
    }

    /// The `machine` of a report.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "cores": self.cores,
            "cpu": self.cpu,
            "memory_bytes": self.memory_bytes,
            "filesystem": self.filesystem,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "countersign": env!("CARGO_PKG_VERSION"),
        })
    }

    /// The machine in one line.
    pub(super) fn to_text(&self) -> String {
        let cpu = self.cpu.as_deref().unwrap_or(std::env::consts::ARCH);
        let filesystem = self.filesystem.as_deref().unwrap_or("unknown file system");
        format!("{} cores, {cpu}, {filesystem}, {}", self.cores, std::env::consts::OS)
    }
}

/// The value of the first line `name: value`, in files that only Linux has.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let value_of = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value_of)
}

fn kilobytes(text: &str) -> Option<u64> {
    let kilobytes: u64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(target_os = "linux")]
mod filesystem {
    use std::io;
    use std::path::Path;

    /// Kinds that a power cut empties.
    pub(super) const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

    /// Magic numbers of statfs(2).
    const KINDS: [(u32, &str); 10] = [
        (0x0102_1994, "tmpfs"),
        (0x8584_58f6, "ramfs"),
        (0x0000_ef53, "ext4"),
        (0x5846_5342, "xfs"),
        (0x9123_683e, "btrfs"),
        (0x2fc1_2fc1, "zfs"),
        (0xf2f5_2010, "f2fs"),
        (0x794c_7630, "overlay"),
        (0x0000_6969, "nfs"),
        (0x0102_1997, "9p"),
    ];

    /// The kind of file system that `dir` is on; its number where it is none we know.
    pub(super) fn kind_of(dir: &Path) -> io::Result<Option<String>> {
        // The type is signed on some machines and 64 bits wide on most; the magic numbers have 32.
        let magic = rustix::fs::statfs(dir)?.f_type as u64 & u64::from(u32::MAX);
        let known = KINDS.iter().find(|(known, _)| u64::from(*known) == magic);
        Ok(Some(
            known.map_or_else(|| format!("{magic:#x}"), |(_, kind)| (*kind).to_owned()),
        ))
    }
}

#[cfg(not(target_os = "linux"))]
mod filesystem {
    use std::io;
    use std::path::Path;

    /// Elsewhere a file system in memory is nothing that one has without having made it.
    pub(super) const IN_MEMORY: [&str; 0] = [];

    /// Not told by this system; the folder must be there all the same.
    pub(super) fn kind_of(dir: &Path) -> io::Result<Option<String>> {
        dir.metadata().map(|_| None)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_in_memory_is_refused_and_says_what_else_to_do() {
        let refused = Machine::look(Path::new("/dev/shm"))
            .err()
            .map(|failure| (failure.exit, failure.to_string()));
        let (exit, told) = refused.unwrap_or((Exit::Done, String::new()));
        assert_eq!(exit, Exit::Environment);
        assert!(told.contains("tmpfs") && told.contains("--dir"), "{told}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_fault_of_the_environment() {
        let refused = Machine::look(Path::new("/no/such/folder"))
            .err()
            .map(|failure| failure.exit);
        assert_eq!(refused, Some(Exit::Environment));
    }

    #[test]
    fn a_machine_tells_at_least_its_cores_and_its_file_system() -> Result<(), Failure> {
        let told = Machine::look(Path::new(env!("CARGO_MANIFEST_DIR")))?.to_json();
        assert!(told["cores"].as_u64() >= Some(1), "{told}");
        assert!(told["filesystem"].is_string(), "{told}");
        Ok(())
    }
}
