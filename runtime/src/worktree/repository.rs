//! The repository of a workspace, and the few commands that read its own settings.
//!
//! A repository can come from a stranger, settings and hooks included, and there are more ways in which settings run
//! programs than one can list. So almost everything is done in a git directory of ours, under settings of ours
//! ([`super::sealed`]). What is left here names objects, branches and work trees: it touches the content of no file, so
//! no filter, attribute, diff or merge driver can come in; hooks, fsmonitor, pagers, editors and transports are
//! overridden; and hooks that are set by name (`hook.<name>.command`, git 2.54), which nothing overrides, are a reason
//! to refuse.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::WorktreeError;
use super::git::{Git, GitError, Run};
use super::object::{BranchName, ObjectId};
use crate::gate::PermittedCall;

/// What must not be a link in a git directory: git would write elsewhere.
const NO_LINKS: [&str; 6] = ["HEAD", "logs", "objects", "packed-refs", "refs", "worktrees"];

/// Settings that say how files are written and compared. They run nothing, and only these words are taken over.
const HARMLESS: [(&str, &[&str]); 8] = [
    ("core.autocrlf", &["true", "false", "input"]),
    ("core.eol", &["lf", "crlf", "native"]),
    ("core.filemode", &["true", "false"]),
    ("core.ignorecase", &["true", "false"]),
    ("core.precomposeunicode", &["true", "false"]),
    ("core.symlinks", &["true", "false"]),
    ("core.trustctime", &["true", "false"]),
    ("extensions.objectformat", &["sha1", "sha256"]),
];

/// A repository whose work tree is the workspace.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    git: Git,
    workspace: PathBuf,
    /// The git directory of this work tree.
    own: PathBuf,
    /// The one that all work trees share.
    common: PathBuf,
    settings: BTreeMap<&'static str, String>,
}

impl Repository {
    /// Looks at the workspace of a permitted call; none if it is not the top of a work tree, or there is no git.
    pub(super) async fn of(call: &PermittedCall) -> Result<Option<Self>, WorktreeError> {
        let workspace = call.workspace();
        let found = workspace.canonicalize().map_err(WorktreeError::io(workspace))?;
        if found != workspace {
            return Err(WorktreeError::WorkspaceMoved {
                decided: workspace.to_owned(),
                found,
            });
        }
        let marker = workspace.join(".git");
        let marker_type = match marker.symlink_metadata() {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WorktreeError::io(&marker)(error)),
        };
        let Some(git) = Git::of(call) else {
            return Ok(None);
        };
        if marker_type.is_symlink() {
            return Err(WorktreeError::unusual(&marker, "is a symbolic link"));
        }
        let mut repository = Self {
            git,
            workspace: workspace.to_owned(),
            own: marker.clone(),
            common: marker,
            settings: BTreeMap::new(),
        };
        if !repository.find_folders().await? {
            return Ok(None);
        }
        repository.check_folders(marker_type.is_dir())?;
        repository.read_settings().await?;
        Ok(Some(repository))
    }

    /// Asks git where its folders are; no if this is no repository to it, or one without a work tree.
    async fn find_folders(&mut self) -> Result<bool, WorktreeError> {
        let questions = [
            "rev-parse",
            "--is-inside-work-tree",
            "--show-toplevel",
            "--absolute-git-dir",
            "--git-common-dir",
        ];
        let answers = match self.run(&self.workspace).with(questions).output().await {
            Ok(answers) => answers,
            Err(GitError::Failed { complaint, .. }) if complaint.iter().any(|line| is_no_work_tree(line)) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let lines: Vec<&[u8]> = answers.split(|byte| *byte == b'\n').collect();
        let [b"true", top, own, common, ..] = lines.as_slice() else {
            return Ok(false);
        };
        let path = |bytes: &[u8]| {
            let path = self.workspace.join(OsStr::from_bytes(bytes));
            path.canonicalize().map_err(WorktreeError::io(&path))
        };
        if path(top)? != self.workspace {
            return Err(WorktreeError::unusual(
                &path(top)?,
                "is the work tree of a repository in another folder",
            ));
        }
        (self.own, self.common) = (path(own)?, path(common)?);
        Ok(true)
    }

    /// Makes sure that this is the workspace's own repository: a `.git` that points to somebody else's would give an
    /// agent what is in there.
    fn check_folders(&self, has_git_folder: bool) -> Result<(), WorktreeError> {
        if has_git_folder {
            let expected = self.workspace.join(".git");
            if self.common != expected || self.own != expected {
                return Err(WorktreeError::unusual(&expected, "refers to another repository"));
            }
        } else if self.known_as()?.as_deref() != Some(&self.workspace) {
            return Err(WorktreeError::unusual(
                &self.workspace.join(".git"),
                "points to a repository that does not know this work tree",
            ));
        }
        let links = NO_LINKS.map(|name| self.common.join(name));
        match links.into_iter().find(|path| path.is_symlink()) {
            Some(link) => Err(WorktreeError::unusual(&link, "is a symbolic link")),
            None => Ok(()),
        }
    }

    /// The work tree that a repository's folder for a linked work tree belongs to.
    fn known_as(&self) -> Result<Option<PathBuf>, WorktreeError> {
        if self.own.parent() != Some(&self.common.join("worktrees")) {
            return Ok(None);
        }
        let record = self.own.join("gitdir");
        let text = std::fs::read(&record).map_err(WorktreeError::io(&record))?;
        let marker = self.own.join(OsStr::from_bytes(text.trim_ascii_end()));
        Ok(marker.parent().and_then(|folder| folder.canonicalize().ok()))
    }

    async fn read_settings(&mut self) -> Result<(), WorktreeError> {
        let listed = self
            .run(&self.workspace)
            .with(["config", "--list", "-z"])
            .output()
            .await?;
        for entry in listed.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, "true"));
            if key.starts_with("hook.") {
                return Err(WorktreeError::Hook { key: key.to_owned() });
            }
            let known = HARMLESS.into_iter().find(|(name, _)| *name == key);
            if let Some((name, words)) = known {
                let value = value.to_ascii_lowercase();
                if words.contains(&value.as_str()) {
                    self.settings.insert(name, value);
                }
            }
        }
        Ok(())
    }

    /// Git in `folder`, with the repository's own settings where they are not overridden.
    fn run(&self, folder: &Path) -> Run {
        // No repository further up is looked for.
        self.git
            .run(folder)
            .variable("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder))
    }

    pub(super) const fn git(&self) -> &Git {
        &self.git
    }

    pub(super) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The git directory of the work tree itself, which holds its index.
    pub(super) fn own(&self) -> &Path {
        &self.own
    }

    pub(super) fn common(&self) -> &Path {
        &self.common
    }

    /// Settings that can be taken over, by their lower-case names.
    pub(super) const fn settings(&self) -> &BTreeMap<&'static str, String> {
        &self.settings
    }

    /// The commit that is checked out; none if there is no commit yet.
    pub(super) async fn head(&self) -> Result<Option<ObjectId>, WorktreeError> {
        self.commit("HEAD").await
    }

    /// The commit of `branch`; none if there is no such branch.
    pub(super) async fn tip(&self, branch: &BranchName) -> Result<Option<ObjectId>, WorktreeError> {
        self.commit(&branch.reference()).await
    }

    async fn commit(&self, name: &str) -> Result<Option<ObjectId>, WorktreeError> {
        let name = format!("{name}^{{commit}}");
        let question = self
            .run(&self.workspace)
            .with(["rev-parse", "--verify", "--quiet", &name]);
        match question.answer().await? {
            Some(answer) => Ok(Some(ObjectId::of_output("rev-parse", &answer)?)),
            None => Ok(None),
        }
    }

    /// Makes an empty work tree at `path` with a new branch that begins at `base`.
    pub(super) async fn add_worktree(&self, branch: &BranchName, path: &Path, base: &ObjectId) -> Result<(), GitError> {
        let options = ["worktree", "add", "--quiet", "--no-checkout", "-b", branch.as_str()];
        let mut arguments: Vec<OsString> = options.into_iter().map(OsString::from).collect();
        arguments.push(path.as_os_str().to_owned());
        arguments.push(base.as_str().into());
        self.run(&self.workspace).with(arguments).output().await.map(drop)
    }

    /// The repository's own folder for the work tree at `path`.
    pub(super) async fn folder_of(&self, path: &Path) -> Result<PathBuf, WorktreeError> {
        let answer = self
            .run(path)
            .with(["rev-parse", "--absolute-git-dir"])
            .output()
            .await?;
        let folder = PathBuf::from(OsString::from_vec(answer.trim_ascii_end().to_vec()));
        if folder.parent() == Some(&self.common.join("worktrees")) {
            Ok(folder)
        } else {
            Err(WorktreeError::unusual(&folder, "is not the folder of a work tree"))
        }
    }

    /// Forgets the work tree at `path`, whose folder is gone.
    pub(super) async fn forget_worktree(&self, path: &Path) -> Result<(), GitError> {
        let arguments = [
            OsStr::new("worktree"),
            OsStr::new("remove"),
            OsStr::new("--force"),
            path.as_os_str(),
        ];
        self.run(&self.workspace).with(arguments).output().await.map(drop)
    }

    /// Lets `branch` point to `commit`.
    pub(super) async fn set_branch(&self, branch: &BranchName, commit: &ObjectId) -> Result<(), GitError> {
        let reference = branch.reference();
        let run = self
            .run(&self.workspace)
            .with(["update-ref", &reference, commit.as_str()]);
        run.output().await.map(drop)
    }

    /// Deletes `branch`. What it pointed to stays until git collects it.
    pub(super) async fn delete_branch(&self, branch: &BranchName) -> Result<(), GitError> {
        let reference = branch.reference();
        let run = self.run(&self.workspace).with(["update-ref", "-d", &reference]);
        run.output().await.map(drop)
    }
}

/// How git says that there is nothing to work with, as opposed to something that is broken.
fn is_no_work_tree(complaint: &str) -> bool {
    complaint.contains("not a git repository") || complaint.contains("must be run in a work tree")
}
