//! Brings a handed-in branch into the workspace: all of it or nothing, in the files only, and nowhere it must not go.

use std::fmt;

use countersign_verifier::projection::is_secret_path;
use countersign_verifier::visible::visible;
use thiserror::Error;

use super::changes::{Changes, FileChange};
use super::error::WorktreeError;
use super::finished::{self, Finished};
use super::folder;
use super::git::GitError;
use super::object::{BranchName, BranchNameError};
use super::repository::Repository;
use super::sealed::{Apply, Sealed};
use crate::gate::PermittedCall;
use crate::tool::{Cancel, resolve};

/// Longest path in a refusal.
const PATH_CHARS_MAX: usize = 300;

/// Conflicts that are named.
const CONFLICTS_MAX: usize = 100;

/// What was brought in. Its text is what the requester is told.
#[derive(Debug)]
pub struct Merged {
    branch: BranchName,
    changes: Changes,
    /// Whether the branch is gone.
    is_deleted: bool,
}

impl fmt::Display for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "merged {} into the workspace, nothing is committed: {}",
            self.branch, self.changes
        )?;
        if !self.is_deleted {
            f.write_str("\n[the branch could not be deleted]")?;
        }
        Ok(())
    }
}

/// Applies the changes of `branch`, which a work tree of this process handed in, to the workspace of a permitted
/// `call`.
///
/// Only the files are changed, neither the index nor any branch but this one, which is deleted. `cancel` is heard until
/// the first file is written.
///
/// # Errors
/// [`MergeError`]; the workspace is as it was, unless the variant says otherwise.
pub async fn merge(call: &PermittedCall, branch: &BranchName, cancel: &Cancel) -> Result<Merged, MergeError> {
    let prepared = tokio::select! {
        biased;
        () = cancel.raised() => return Err(MergeError::Cancelled),
        prepared = prepare(call, branch) => prepared?,
    };
    let Prepared {
        repository,
        sealed,
        finished,
        changes,
        patch,
    } = prepared;
    sealed.apply(patch, Apply::Whole).await.map_err(MergeError::Half)?;
    finished::forget(&finished);
    let deleted = repository.delete_branch(branch).await;
    if let Err(error) = &deleted {
        super::warn("a merged branch could not be deleted", error);
    }
    Ok(Merged {
        branch: finished.branch,
        changes,
        is_deleted: deleted.is_ok(),
    })
}

/// A patch that applies.
struct Prepared {
    repository: Repository,
    sealed: Sealed,
    finished: Finished,
    changes: Changes,
    patch: Vec<u8>,
}

async fn prepare(call: &PermittedCall, branch: &BranchName) -> Result<Prepared, MergeError> {
    let repository = Repository::of(call).await?.ok_or(MergeError::NoRepository)?;
    let Some(tip) = repository.tip(branch).await? else {
        return Err(MergeError::NoSuchBranch { branch: branch.clone() });
    };
    let finished = finished::find(repository.common(), branch);
    let finished = finished.ok_or_else(|| MergeError::NotHandedIn { branch: branch.clone() })?;
    if finished.commit != tip {
        return Err(MergeError::Moved {
            branch: branch.clone(),
            handed_in: finished.commit.to_string(),
            found: tip.to_string(),
        });
    }
    let sealed = Sealed::new(&repository, repository.workspace())?;
    let changes = sealed.changes(&finished.base, &finished.commit).await?;
    for file in changes.files() {
        check(&repository, file)?;
    }
    let patch = sealed.patch(&finished.base, &finished.commit).await?;
    match sealed.apply(patch.clone(), Apply::CheckOnly).await {
        Ok(()) => {}
        Err(GitError::Failed { complaint, .. }) => return Err(conflicts(&complaint)),
        Err(error) => return Err(WorktreeError::from(error).into()),
    }
    Ok(Prepared {
        repository,
        sealed,
        finished,
        changes,
        patch,
    })
}

/// Whether a file may be changed by a merge. The workspace as a whole was decided upon; some places never go with it.
fn check(repository: &Repository, file: &FileChange) -> Result<(), MergeError> {
    let refused = |reason| MergeError::Refused {
        path: visible(&file.path().to_string_lossy(), PATH_CHARS_MAX),
        reason,
    };
    let path = file.path().to_str().ok_or_else(|| refused("its name is not UTF-8"))?;
    let is_own = |segment: &str| segment.eq_ignore_ascii_case(folder::OWN);
    if path.split('/').any(is_own) {
        return Err(refused("the runtime's own folder is nobody's to change"));
    }
    if is_secret_path(path) {
        return Err(refused("it is a place for secrets, or steers programs"));
    }
    if !file.before.is_file_or_absent() || !file.after.is_file_or_absent() {
        return Err(refused("a symbolic link or submodule is changed by hand only"));
    }
    let expected = repository.workspace().join(path);
    let found = resolve(repository.workspace(), path).map(|resolved| resolved.canonical().to_owned());
    if found.is_ok_and(|found| found == expected) {
        Ok(())
    } else {
        Err(refused("a symbolic link stands in its way"))
    }
}

/// Git says `error: <file>: <why>` for each file, after a line that says where the patch failed.
fn conflicts(complaint: &[String]) -> MergeError {
    let lines = complaint
        .iter()
        .map(|line| line.strip_prefix("error: ").unwrap_or(line));
    let files: Vec<String> = lines
        .filter(|line| !line.starts_with("patch failed: "))
        .take(CONFLICTS_MAX)
        .map(str::to_owned)
        .collect();
    MergeError::Conflicts { files }
}

/// Why nothing was merged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The name is none of a work tree's branch.
    #[error(transparent)]
    Name(#[from] BranchNameError),
    /// The workspace is not the top of a repository's work tree.
    #[error("the workspace is not a git repository")]
    NoRepository,
    /// There is no such branch.
    #[error("there is no branch {branch}")]
    NoSuchBranch {
        /// The branch.
        branch: BranchName,
    },
    /// The branch is there, and no work tree of this run handed it in, or it was merged already.
    #[error("{branch} was not handed in by an agent of this run")]
    NotHandedIn {
        /// The branch.
        branch: BranchName,
    },
    /// Somebody has moved the branch since.
    #[error("{branch} was handed in at {handed_in} and is at {found} now")]
    Moved {
        /// The branch.
        branch: BranchName,
        /// The commit that was handed in.
        handed_in: String,
        /// Where the branch is.
        found: String,
    },
    /// A file that no merge may touch.
    #[error("{path} cannot be merged: {reason}")]
    Refused {
        /// The first such file, relative to the workspace.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// The workspace has changed where the branch changes it too.
    #[error("conflicts, nothing was changed:\n{}", files.join("\n"))]
    Conflicts {
        /// Each file, with what is in the way.
        files: Vec<String>,
    },
    /// Git failed while it wrote, although it had found nothing in the way: some files may be changed.
    #[error("the merge broke off; some files may be changed")]
    Half(#[source] GitError),
    /// The repository cannot be worked with.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// The run was interrupted before anything was changed.
    #[error("interrupted")]
    Cancelled,
}
