//! A work tree of its own for an agent that changes files, in a repository that anybody may have written.
//!
//! The agent works in `<workspace>/.countersign/worktrees/<decision>-<name>`, on a branch
//! `countersign/<decision>-<name>`. It begins with the tracked files of the workspace as they are, changes that are not
//! committed included; untracked and ignored files are not there, and submodules are empty folders that stay what they
//! are. What it leaves behind becomes one commit, whatever it may have committed itself, and gets into the workspace
//! only by the tool `merge`: an action like any other, decided and recorded.
//!
//! The workspace, its index and its branches are never touched. No setting, hook or attribute of the repository runs a
//! program: content is handled in a git directory that has settings of ours, and none of the repository's
//! (`sealed.rs`); what has to read the repository's own settings touches no content (`repository.rs`).

mod changes;
mod error;
mod finished;
mod folder;
mod git;
mod merge;
mod object;
mod repository;
mod sealed;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;
use countersign_verifier::visible::visible;

use crate::gate::PermittedCall;

pub use changes::Changes;
pub use error::WorktreeError;
pub use git::GitError;
pub use merge::{MergeError, Merged, merge};
pub use object::{BRANCH_LEN_BYTES_MAX, BranchName, BranchNameError};

use finished::Finished;
use object::ObjectId;
use repository::Repository;
use sealed::{Sealed, Untracked};

/// How many names are tried for a branch.
const ATTEMPTS_MAX: u32 = 99;

/// Longest name and address of an author.
const AUTHOR_CHARS_MAX: usize = 256;

/// The work tree of one agent. Dropped without an end, its folder and branch stay where they are: nothing is lost.
#[derive(Debug)]
#[must_use = "a work tree is finished or discarded"]
pub struct Worktree {
    repository: Repository,
    sealed: Sealed,
    base: ObjectId,
    branch: BranchName,
    path: PathBuf,
    decision: Seq,
}

impl Worktree {
    /// Makes the work tree of the agent `name`, which the permitted `call` lets be made by `decision`, in `workspace`,
    /// the workspace of the requester's grant. None if there can be none: no git on this machine, not the top of a
    /// repository's work tree, or no commit yet.
    ///
    /// # Errors
    /// [`WorktreeError`]. What had been made by then is taken away again.
    pub async fn create(
        call: &PermittedCall,
        workspace: &Path,
        name: &Name,
        decision: Seq,
    ) -> Result<Option<Self>, WorktreeError> {
        if call.workspace() != workspace {
            return Err(WorktreeError::OtherWorkspace {
                permitted: call.workspace().to_owned(),
                given: workspace.to_owned(),
            });
        }
        let Some(repository) = Repository::of(call).await? else {
            return Ok(None);
        };
        let Some(head) = repository.head().await? else {
            return Ok(None);
        };
        let base = present_state(&repository, head, decision).await?;
        let (branch, path) = free_place(&repository, name, decision).await?;
        let sealed = Sealed::new(&repository, &path)?;
        let worktree = Self {
            repository,
            sealed,
            base,
            branch,
            path,
            decision,
        };
        match worktree.fill().await {
            Ok(()) => Ok(Some(worktree)),
            Err(error) => {
                worktree.discard().await;
                Err(error)
            }
        }
    }

    async fn fill(&self) -> Result<(), WorktreeError> {
        self.repository
            .add_worktree(&self.branch, &self.path, &self.base)
            .await?;
        self.sealed.read_tree(&self.base).await?;
        self.sealed.check_out().await?;
        // For the agent's own git, which knows nothing of the sealed one.
        let folder = self.repository.folder_of(&self.path).await?;
        self.sealed.hand_on_index(&folder.join("index"))
    }

    /// Its folder: absolute, canonical.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its branch.
    #[must_use]
    pub fn branch(&self) -> &str {
        self.branch.as_str()
    }

    /// Commits what is there, except for ignored files, and removes the folder. `author` is the agent's name, a space,
    /// and its DID.
    ///
    /// # Errors
    /// [`WorktreeError`]; the folder and the branch are still there then.
    pub async fn finish(self, author: &str) -> Result<Outcome, WorktreeError> {
        if self.path.canonicalize().ok().as_deref() != Some(&self.path) {
            return Err(WorktreeError::unusual(&self.path, "is not where it was made"));
        }
        let (tree, left_out) = self.sealed.record(Untracked::Recorded).await?;
        let result = if tree == self.sealed.tree_of(&self.base).await? {
            None
        } else {
            Some(self.commit(&tree, author).await?)
        };
        self.remove(result.is_none()).await;
        Ok(Outcome {
            branch: self.branch.clone(),
            folder: Some(self.path.clone()).filter(|path| path.exists()),
            left_out,
            result,
        })
    }

    async fn commit(&self, tree: &ObjectId, author: &str) -> Result<(ObjectId, Changes), WorktreeError> {
        let (name, address) = author_of(author);
        let message = format!("Work of {name}, made by decision {}\n", self.decision);
        let commit = self
            .sealed
            .commit(tree, &self.base, (&name, &address), &message)
            .await?;
        let changes = self.sealed.changes(&self.base, &commit).await?;
        self.repository.set_branch(&self.branch, &commit).await?;
        finished::remember(Finished {
            repository: self.repository.common().to_owned(),
            branch: self.branch.clone(),
            base: self.base.clone(),
            commit: commit.clone(),
        });
        Ok((commit, changes))
    }

    /// Removes the folder and the branch, whatever was done there.
    pub async fn discard(self) {
        self.remove(true).await;
    }

    /// What cannot be removed is left, and said by [`Outcome`]: it harms nobody.
    async fn remove(&self, with_branch: bool) {
        if let Err(error) = tokio::fs::remove_dir_all(&self.path).await {
            warn("the folder of a work tree could not be removed", &error);
        }
        if let Err(error) = self.repository.forget_worktree(&self.path).await {
            warn("a work tree could not be taken off git's list", &error);
        }
        if with_branch && let Err(error) = self.repository.delete_branch(&self.branch).await {
            warn("the branch of a work tree could not be deleted", &error);
        }
    }
}

fn warn(what: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "{what}");
}

/// A commit of the tracked files of the workspace as they are: that of `head` if nothing has changed.
async fn present_state(repository: &Repository, head: ObjectId, decision: Seq) -> Result<ObjectId, WorktreeError> {
    let sealed = Sealed::new(repository, repository.workspace())?;
    sealed.adopt_index(repository, &head).await?;
    let (tree, _) = sealed.record(Untracked::LeftOut).await?;
    if tree == sealed.tree_of(&head).await? {
        return Ok(head);
    }
    let message = format!("The workspace as it was at decision {decision}\n");
    sealed.commit(&tree, &head, Sealed::committer(), &message).await
}

/// The first name that neither a branch nor a folder has.
async fn free_place(
    repository: &Repository,
    name: &Name,
    decision: Seq,
) -> Result<(BranchName, PathBuf), WorktreeError> {
    let worktrees = folder::make(repository.workspace())?;
    for attempt in 1..=ATTEMPTS_MAX {
        let branch = BranchName::of_worktree(decision, name, attempt);
        let path = worktrees.join(branch.folder());
        let is_free = path.symlink_metadata().is_err() && repository.tip(&branch).await?.is_none();
        if is_free {
            return Ok((branch, path));
        }
    }
    Err(WorktreeError::NoFreeName {
        first: BranchName::of_worktree(decision, name, 1).to_string(),
    })
}

/// Name and address of the author of a commit, without what has a meaning there.
fn author_of(author: &str) -> (String, String) {
    let plain = |text: &str| -> String {
        let is_plain = |character: &char| !character.is_control() && !matches!(character, '<' | '>');
        text.chars().filter(is_plain).take(AUTHOR_CHARS_MAX).collect()
    };
    let (name, did) = author.rsplit_once(' ').unwrap_or((author, "unknown"));
    (format!("countersign agent {}", plain(name)), plain(did))
}

/// What an agent left behind in its work tree. Its text is what the requester is told.
#[derive(Debug)]
pub struct Outcome {
    branch: BranchName,
    result: Option<(ObjectId, Changes)>,
    /// Repositories that the agent made in its work tree; they are no part of the commit.
    left_out: Vec<OsString>,
    /// The folder, if it could not be removed.
    folder: Option<PathBuf>,
}

impl Outcome {
    /// The branch to merge; none if nothing was changed.
    #[must_use]
    pub fn branch(&self) -> Option<&BranchName> {
        self.result.as_ref().map(|_| &self.branch)
    }

    /// What was changed.
    #[must_use]
    pub fn changes(&self) -> Option<&Changes> {
        self.result.as_ref().map(|(_, changes)| changes)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            None => f.write_str("[work tree: nothing was changed]")?,
            Some((commit, changes)) => write!(
                f,
                "[work tree: changes are on branch {}, commit {commit}; `merge` brings them into the \
                 workspace]\n{changes}",
                self.branch
            )?,
        }
        for path in &self.left_out {
            write!(
                f,
                "\n[not taken: {}, a repository of its own]",
                visible(&path.to_string_lossy(), AUTHOR_CHARS_MAX)
            )?;
        }
        match &self.folder {
            None => Ok(()),
            Some(folder) => write!(f, "\n[{} could not be removed]", folder.display()),
        }
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod worktree_tests;
