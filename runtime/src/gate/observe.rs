//! What the gatekeeper sees of a resource that the ledger cannot show: where symbolic links lead and whether the place
//! is protected (authority-v1 §7, step 7).

use std::path::{Path, PathBuf};

use countersign_verifier::projection::{Observed, Place, ToolKind, is_secret_path, lexical_path, tool_profile};

use crate::tool::{PathError, resolve};

/// The folder a run works in, and the places it must not touch because it stands on them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    workspace: PathBuf,
    own: Vec<PathBuf>,
}

impl Surroundings {
    /// Makes `workspace` and `own` (ledger, keystore, policy files) canonical. A path of `own` need not exist yet.
    ///
    /// # Errors
    /// The workspace is missing or no folder, or a path cannot be resolved.
    pub fn new(workspace: &Path, own: &[PathBuf]) -> Result<Self, SurroundingsError> {
        let unusable = |source| SurroundingsError::Workspace {
            path: workspace.to_owned(),
            source,
        };
        let workspace = workspace.canonicalize().map_err(unusable)?;
        if !workspace.is_dir() {
            return Err(SurroundingsError::NoFolder { path: workspace });
        }
        if workspace.to_str().is_none() {
            return Err(SurroundingsError::NotUtf8 { path: workspace });
        }
        let current = std::env::current_dir().map_err(|source| SurroundingsError::Workspace {
            path: ".".into(),
            source,
        })?;
        let canonical = |path: &PathBuf| Ok(resolve(&current, &path.to_string_lossy())?.canonical().to_owned());
        let own = own.iter().map(canonical).collect::<Result<_, PathError>>()?;
        Ok(Self { workspace, own })
    }

    /// The canonical folder the run works in.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Sees what a call of `tool` with these argument bytes is about, for a requester whose grant names `workspace`.
    ///
    /// # Errors
    /// The path cannot be followed to its end: nothing is known of it, and it must not be used.
    pub fn observe(&self, workspace: &Path, tool: &str, arguments: &[u8]) -> Result<Observed, PathError> {
        match tool_profile(tool).map(|profile| profile.kind) {
            Some(ToolKind::File | ToolKind::Workspace) => {
                match lexical_path(tool, arguments, &workspace.to_string_lossy()) {
                    Some(lexical) => self.observe_path(workspace, &lexical),
                    None => Ok(Observed::unknown()),
                }
            }
            Some(ToolKind::Command) => Ok(Observed::unknown()),
            Some(ToolKind::Delegate | ToolKind::Consult | ToolKind::Url | ToolKind::Session) | None => {
                Ok(Observed::nothing())
            }
        }
    }

    fn observe_path(&self, workspace: &Path, lexical: &str) -> Result<Observed, PathError> {
        let resolved = resolve(workspace, lexical)?;
        let real_path = resolved.canonical().to_string_lossy().into_owned();
        Ok(Observed {
            place: self.place(workspace, resolved.canonical(), &real_path),
            real_path,
        })
    }

    fn place(&self, workspace: &Path, real: &Path, text: &str) -> Place {
        if self.own.iter().any(|own| is_part_of(own, real, text)) {
            Place::Own
        } else if is_secret_path(text) {
            Place::Secret
        } else if real.starts_with(workspace) {
            Place::Inside
        } else {
            Place::Outside
        }
    }
}

/// Whether `real` is `own`, lies below it, or is a file that SQLite keeps beside it (`-wal`, `-shm`, `-journal`).
fn is_part_of(own: &Path, real: &Path, text: &str) -> bool {
    let beside = || {
        text.strip_prefix(&*own.to_string_lossy())
            .is_some_and(|rest| rest.starts_with('-'))
    };
    real.starts_with(own) || beside()
}

/// Why a run cannot work where it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurroundingsError {
    /// The folder cannot be entered.
    #[error("cannot work in {}", path.display())]
    Workspace {
        /// The folder as given.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is a file.
    #[error("cannot work in {}: it is not a folder", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// Grants and policies are text and could not name it.
    #[error("cannot work in {}: the path is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// One of our own places cannot be found out.
    #[error("cannot tell where the run's own files lie")]
    Own(#[from] PathError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::fs;

    type Checked<T = ()> = Result<T, Box<dyn Error>>;

    fn place(root: &Path, own: &[PathBuf], path: &str) -> Checked<Place> {
        let arguments = serde_json_canonicalizer::to_vec(&serde_json::json!({ "path": path }))?;
        let surroundings = Surroundings::new(&root.join("work"), own)?;
        Ok(surroundings
            .observe(surroundings.workspace(), "read", &arguments)?
            .place)
    }

    fn folders() -> Checked<tempfile::TempDir> {
        let root = tempfile::tempdir()?;
        fs::create_dir_all(root.path().join("work/src"))?;
        fs::create_dir_all(root.path().join("elsewhere"))?;
        Ok(root)
    }

    #[test]
    fn an_ordinary_file_of_the_workspace_is_inside_even_before_it_exists() -> Checked {
        assert_eq!(place(folders()?.path(), &[], "src/new/a.rs")?, Place::Inside);
        Ok(())
    }

    #[test]
    fn links_out_of_the_workspace_lead_outside_whether_the_target_exists_or_not() -> Checked {
        let root = folders()?;
        std::os::unix::fs::symlink(root.path().join("elsewhere"), root.path().join("work/link"))?;
        std::os::unix::fs::symlink(root.path().join("elsewhere/later"), root.path().join("work/dangling"))?;
        assert_eq!(place(root.path(), &[], "link/a")?, Place::Outside);
        assert_eq!(place(root.path(), &[], "dangling")?, Place::Outside);
        Ok(())
    }

    #[test]
    fn climbing_out_is_outside() -> Checked {
        assert_eq!(place(folders()?.path(), &[], "src/../../elsewhere/a")?, Place::Outside);
        Ok(())
    }

    #[test]
    fn key_files_and_git_internals_are_secret_in_any_case() -> Checked {
        let root = folders()?;
        for name in [
            ".ENV",
            ".env.local",
            ".git/hooks/pre-push",
            "tls.PEM",
            "../elsewhere/.ssh/x",
        ] {
            assert_eq!(place(root.path(), &[], name)?, Place::Secret, "{name}");
        }
        Ok(())
    }

    #[test]
    fn the_ledger_and_its_wal_are_the_runs_own() -> Checked {
        let root = folders()?;
        let own = [root.path().join("work/ledger.db")];
        for name in ["ledger.db", "ledger.db-wal"] {
            assert_eq!(place(root.path(), &own, name)?, Place::Own, "{name}");
        }
        assert_eq!(place(root.path(), &own, "ledger.dbx")?, Place::Inside);
        Ok(())
    }

    #[test]
    fn inside_is_the_workspace_of_the_requester_and_no_other() -> Checked {
        let root = folders()?;
        let own = [root.path().join("work/ledger.db")];
        let surroundings = Surroundings::new(&root.path().join("work"), &own)?;
        let tree = root.path().canonicalize()?.join("elsewhere");
        let place = |path: &str| -> Checked<Place> {
            let arguments = serde_json_canonicalizer::to_vec(&serde_json::json!({ "path": path }))?;
            Ok(surroundings.observe(&tree, "read", &arguments)?.place)
        };
        assert_eq!(place("a")?, Place::Inside);
        assert_eq!(place("../work/src/a")?, Place::Outside);
        assert_eq!(place("../work/ledger.db")?, Place::Own);
        Ok(())
    }

    #[test]
    fn only_files_and_commands_have_a_place_to_be_told() -> Checked {
        let root = folders()?;
        let surroundings = Surroundings::new(&root.path().join("work"), &[])?;
        let seen =
            |tool: &str, arguments: &str| surroundings.observe(surroundings.workspace(), tool, arguments.as_bytes());
        for (tool, arguments) in [
            ("web_fetch", r#"{"url":"file:///etc/passwd"}"#),
            ("bash_read", r#"{"job":"1"}"#),
            ("todo", r#"{"items":".env"}"#),
            ("mcp/x", r#"{"path":".env"}"#),
        ] {
            assert_eq!(seen(tool, arguments)?, Observed::nothing(), "{tool}");
        }
        assert_eq!(seen("bash_start", r#"{"command":"ls"}"#)?, Observed::unknown());
        assert_eq!(seen("read", "{}")?, Observed::unknown());
        let merged = seen("merge", r#"{"branch":"b"}"#)?;
        assert_eq!(
            (merged.place, Path::new(&merged.real_path)),
            (Place::Inside, surroundings.workspace())
        );
        Ok(())
    }

    #[test]
    fn a_loop_of_links_is_an_error_not_a_guess() -> Checked {
        let root = folders()?;
        std::os::unix::fs::symlink("b", root.path().join("work/a"))?;
        std::os::unix::fs::symlink("a", root.path().join("work/b"))?;
        assert!(place(root.path(), &[], "a").is_err());
        Ok(())
    }
}
