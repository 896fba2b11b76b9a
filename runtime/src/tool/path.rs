//! From the path in an argument to the file it really names.
//!
//! Two answers are needed: the *lexical* path, which a verifier can compute from the argument bytes alone
//! (authority-v1 §7, step 4), and the *canonical* path behind every symbolic link, which only this machine knows and
//! which the decision records as `observed.real_path`. A tool opens the canonical one and no other.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use countersign_verifier::projection::lexical_absolute;
use thiserror::Error;

/// Longest path in bytes, `PATH_MAX` of Linux.
pub(super) const PATH_LEN_BYTES_MAX: usize = 4096;

/// Most symbolic links followed for one path, as in Linux (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// A path as written and as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    lexical: PathBuf,
    canonical: PathBuf,
}

impl Resolved {
    /// Absolute, without `.`, `..` and double slashes; no symbolic link followed.
    #[must_use]
    pub fn lexical(&self) -> &Path {
        &self.lexical
    }

    /// Absolute, every symbolic link of the part that exists followed. The end of it need not exist.
    #[must_use]
    pub fn canonical(&self) -> &Path {
        &self.canonical
    }
}

/// Resolves `given`, relative to `workspace` unless it is absolute. Reads folders and links, changes nothing.
///
/// # Errors
/// One variant of [`PathError`]: whatever cannot be resolved completely is not resolved.
pub fn resolve(workspace: &Path, given: &str) -> Result<Resolved, PathError> {
    if !workspace.is_absolute() {
        return Err(PathError::WorkspaceNotAbsolute {
            workspace: workspace.to_owned(),
        });
    }
    let base = workspace.to_str().ok_or_else(|| PathError::NotUtf8 {
        path: workspace.to_owned(),
    })?;
    let lexical = PathBuf::from(lexical_absolute(given, base));
    let canonical = follow_links(&lexical)?;
    if canonical.to_str().is_none() {
        return Err(PathError::NotUtf8 { path: canonical });
    }
    Ok(Resolved { lexical, canonical })
}

/// Follows links one component at a time. `std::fs::canonicalize` would not do: it fails where the end is missing,
/// and falling back to the parent would take a dangling link, through which a write creates a file elsewhere, for a
/// missing file.
fn follow_links(lexical: &Path) -> Result<PathBuf, PathError> {
    let mut rest: VecDeque<OsString> = names(lexical);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == OsStr::new("..") {
            done.pop();
            continue;
        }
        let next = done.join(&name);
        let metadata = match next.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return missing(next, rest),
            Err(source) => return Err(PathError::Io { path: next, source }),
        };
        if !metadata.is_symlink() {
            done = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(PathError::TooManyLinks {
                path: lexical.to_owned(),
            });
        }
        let target = next
            .read_link()
            .map_err(|source| PathError::Io { path: next, source })?;
        if target.is_absolute() {
            done = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(done)
}

fn missing(first: PathBuf, rest: VecDeque<OsString>) -> Result<PathBuf, PathError> {
    // Only a link target can bring `..` here; behind a missing folder it has no meaning.
    if rest.iter().any(|name| name == "..") {
        return Err(PathError::BehindMissing { path: first });
    }
    Ok(rest.iter().fold(first, |path, name| path.join(name)))
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// A path as results show it: relative to `workspace` where it lies inside, quoted and escaped where a name holds
/// control characters, so that a file name cannot pose as another line of the result.
pub(super) fn shown(path: &Path, workspace: &Path) -> String {
    let path = path.strip_prefix(workspace).unwrap_or(path);
    if path.as_os_str().is_empty() {
        return ".".to_owned();
    }
    let text = path.to_string_lossy();
    if text.chars().any(char::is_control) {
        format!("{text:?}")
    } else {
        text.into_owned()
    }
}

/// Why a path could not be resolved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PathError {
    /// The workspace itself is relative: a fault of the runtime.
    #[error("the workspace {} is not absolute", workspace.display())]
    WorkspaceNotAbsolute {
        /// The workspace.
        workspace: PathBuf,
    },
    /// A link leads to a path that cannot be written down in a statement.
    #[error("{} is not UTF-8", path.display())]
    NotUtf8 {
        /// Where it leads.
        path: PathBuf,
    },
    /// More than 40 symbolic links, most likely a loop.
    #[error("{} leads through more than {LINKS_MAX} symbolic links", path.display())]
    TooManyLinks {
        /// The path as written.
        path: PathBuf,
    },
    /// A link goes through a missing folder and up again.
    #[error("a symbolic link leads through {}, which does not exist", path.display())]
    BehindMissing {
        /// The missing folder.
        path: PathBuf,
    },
    /// A folder or link on the way cannot be read, or is no folder.
    #[error("cannot resolve {}", path.display())]
    Io {
        /// How far it went.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn folder() -> Result<(TempDir, PathBuf), io::Error> {
        let folder = TempDir::new()?;
        let path = folder.path().canonicalize()?;
        Ok((folder, path))
    }

    #[test]
    fn relative_workspace_and_zero_byte_are_refused() {
        assert!(matches!(
            resolve(Path::new("w"), "a"),
            Err(PathError::WorkspaceNotAbsolute { .. })
        ));
        assert!(matches!(resolve(Path::new("/"), "a\0b"), Err(PathError::Io { .. })));
    }

    #[test]
    fn steps_up_are_taken_before_links_are_followed() -> TestResult {
        let (_guard, root) = folder()?;
        symlink("/etc", root.join("etc"))?;
        let resolved = resolve(&root, "./etc/../x")?;
        assert_eq!(
            (resolved.lexical(), resolved.canonical()),
            (root.join("x").as_path(), root.join("x").as_path())
        );
        assert_eq!(resolve(&root, "/../..")?.canonical(), Path::new("/"));
        Ok(())
    }

    #[test]
    fn missing_end_keeps_the_resolved_beginning() -> TestResult {
        let (_guard, root) = folder()?;
        symlink(&root, root.join("here"))?;
        assert_eq!(resolve(&root, "here/new/file")?.canonical(), root.join("new/file"));
        Ok(())
    }

    #[test]
    fn link_out_of_the_workspace_shows_where_it_leads() -> TestResult {
        let (_guard, root) = folder()?;
        let (_other_guard, other) = folder()?;
        symlink(&other, root.join("out"))?;
        assert_eq!(resolve(&root, "out/secret")?.canonical(), other.join("secret"));
        Ok(())
    }

    #[test]
    fn dangling_link_leads_to_the_file_a_write_would_create() -> TestResult {
        let (_guard, root) = folder()?;
        let (_other_guard, other) = folder()?;
        symlink(other.join("created"), root.join("notes"))?;
        assert_eq!(resolve(&root, "notes")?.canonical(), other.join("created"));
        Ok(())
    }

    #[test]
    fn relative_link_with_parent_steps_is_followed_from_its_folder() -> TestResult {
        let (_guard, root) = folder()?;
        std::fs::create_dir_all(root.join("a/b"))?;
        symlink("../../../../../../../../etc", root.join("a/b/up"))?;
        symlink("../c", root.join("a/b/side"))?;
        assert!(resolve(&root, "a/b/up/x")?.canonical().ends_with("etc/x"));
        assert_eq!(resolve(&root, "a/b/side")?.canonical(), root.join("a/c"));
        Ok(())
    }

    #[test]
    fn loop_of_links_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        symlink("b", root.join("a"))?;
        symlink("a", root.join("b"))?;
        assert!(matches!(resolve(&root, "a"), Err(PathError::TooManyLinks { .. })));
        Ok(())
    }

    #[test]
    fn link_through_a_missing_folder_and_up_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        symlink("missing/../../etc", root.join("a"))?;
        assert!(matches!(resolve(&root, "a"), Err(PathError::BehindMissing { .. })));
        Ok(())
    }

    #[test]
    fn path_below_a_file_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        std::fs::write(root.join("file"), "")?;
        assert!(matches!(resolve(&root, "file/below"), Err(PathError::Io { .. })));
        Ok(())
    }

    #[test]
    fn link_to_a_name_that_is_not_utf8_is_refused() -> TestResult {
        let (_guard, root) = folder()?;
        symlink(OsStr::from_bytes(b"\xff"), root.join("a"))?;
        assert!(matches!(resolve(&root, "a"), Err(PathError::NotUtf8 { .. })));
        Ok(())
    }

    #[test]
    fn control_characters_in_a_shown_name_are_escaped() {
        assert_eq!(shown(Path::new("/w/a\nb"), Path::new("/w")), "\"a\\nb\"");
        assert_eq!(shown(Path::new("/x/a"), Path::new("/w")), "/x/a");
        assert_eq!(shown(Path::new("/w"), Path::new("/w")), ".");
    }
}
