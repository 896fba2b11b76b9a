//! Runnable scenarios with their scripted models and policies, embedded as data.
//!
//! Nothing is run here: a scenario is a project to work on, a task, the script that plays the models and the policy the
//! actions are judged by. `countersign demo` puts them together; README.md tells the story of each.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// One file of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectFile {
    /// Where it lies in the project, with `/` between segments.
    pub path: &'static str,
    /// What is in it.
    pub content: &'static str,
}

/// The demo's project: a calculator of two shell scripts, one of them wrong, and its test.
pub const DEMO_PROJECT: [ProjectFile; 5] = [
    ProjectFile {
        path: "README.md",
        content: include_str!("../demo/project/README.md"),
    },
    ProjectFile {
        path: "CHANGELOG.md",
        content: include_str!("../demo/project/CHANGELOG.md"),
    },
    ProjectFile {
        path: "test.sh",
        content: include_str!("../demo/project/test.sh"),
    },
    ProjectFile {
        path: "src/add.sh",
        content: include_str!("../demo/project/src/add.sh"),
    },
    ProjectFile {
        path: "src/multiply.sh",
        content: include_str!("../demo/project/src/multiply.sh"),
    },
];

/// The demo's task, as a person gives it to the lead agent.
pub const DEMO_TASK: &str = "`sh test.sh` fails. Find out why, fix it, and note the fix in the changelog.";

/// The demo's script (`countersign.script/v1`): `lead`, its subagent `scout`, and the `advisor`.
pub const DEMO_SCRIPT: &str = include_str!("../demo/script.json");

/// The demo's policy (Cedar), to be adopted as the organisation's.
pub const DEMO_POLICY: &str = include_str!("../demo/policy.cedar");

/// Writes a copy of the demo's project into `folder`, which is created if it is missing. A file that exists is left
/// alone.
///
/// # Errors
/// [`UnpackError`] names the first file that cannot be created, also because it exists; those before it are there.
pub fn unpack_demo(folder: &Path) -> Result<(), UnpackError> {
    DEMO_PROJECT.iter().try_for_each(|file| {
        let path = folder.join(file.path);
        create(&path, file.content).map_err(|source| UnpackError { path, source })
    })
}

fn create(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?
        .write_all(content.as_bytes())
}

/// A file of a project could not be created.
#[derive(Debug, Error)]
#[error("cannot create {}", path.display())]
pub struct UnpackError {
    /// The file.
    pub path: PathBuf,
    /// The system's reason.
    #[source]
    pub source: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Output};
    use tempfile::TempDir;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn run_test(folder: &Path) -> io::Result<Output> {
        Command::new("sh").arg("test.sh").current_dir(folder).output()
    }

    #[test]
    fn demo_project_fails_its_test_until_one_operator_is_changed() -> TestResult {
        let folder = TempDir::new()?;
        unpack_demo(folder.path())?;
        let failing = run_test(folder.path())?;
        assert_eq!(failing.status.code(), Some(1));
        assert!(String::from_utf8(failing.stdout)?.ends_with("3 of 4 checks failed\n"));

        let add = folder.path().join("src/add.sh");
        fs::write(&add, fs::read_to_string(&add)?.replace("$1 - $2", "$1 + $2"))?;
        let passing = run_test(folder.path())?;
        assert_eq!(passing.status.code(), Some(0));
        assert!(String::from_utf8(passing.stdout)?.ends_with("all 4 checks hold\n"));
        Ok(())
    }

    #[test]
    fn existing_file_is_never_overwritten() -> TestResult {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("test.sh"), "mine")?;
        let refused = unpack_demo(folder.path()).err().ok_or("refused")?;
        assert_eq!(refused.path, folder.path().join("test.sh"));
        assert_eq!(refused.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(folder.path().join("test.sh"))?, "mine");
        Ok(())
    }

    #[test]
    fn unusable_folder_is_named() -> TestResult {
        let folder = TempDir::new()?;
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        let refused = unpack_demo(&file).err().ok_or("refused")?;
        assert!(refused.to_string().starts_with("cannot create "), "{refused}");
        Ok(())
    }

    #[test]
    fn every_file_of_the_project_is_embedded() -> TestResult {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/project");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root)?.to_string_lossy().into_owned());
                }
            }
        }
        let mut embedded: Vec<_> = DEMO_PROJECT.iter().map(|file| file.path.to_owned()).collect();
        found.sort_unstable();
        embedded.sort_unstable();
        assert_eq!(found, embedded);
        Ok(())
    }
}
