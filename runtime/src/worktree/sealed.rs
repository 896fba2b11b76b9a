//! A git directory of our own over the objects of a repository (docs/decisions/0020).
//!
//! Its settings are ours and it has no hooks, so whatever the repository's settings name (clean, smudge and process
//! filters, diff, textconv and merge drivers, fsmonitor, hooks, signing programs, editors, aliases, helpers) does not
//! exist here, today's and tomorrow's alike. The attributes in the tree can only ask for what git does by itself: line
//! ends, encodings, `ident`. Files under a filter (git-lfs) are therefore seen as they are stored. Only the objects are
//! the repository's: what is written here is found there.
//!
//! Commands that look into submodules are not used either: they would run git in there, under the submodule's settings.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::changes::Changes;
use super::error::WorktreeError;
use super::folder;
use super::git::{Git, GitError, Run, zero_terminated};
use super::object::ObjectId;
use super::repository::Repository;

/// Who commits, so that the work of agents can be told from that of persons.
const COMMITTER: (&str, &str) = ("countersign", "noreply@countersign.invalid");

/// What is recorded besides the files that git knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untracked {
    LeftOut,
    /// All but what is ignored.
    Recorded,
}

/// A sealed git directory for one work tree. It is deleted with this value.
#[derive(Debug)]
pub(super) struct Sealed {
    git: Git,
    work_tree: PathBuf,
    objects: PathBuf,
    folder: Scratch,
}

impl Sealed {
    /// For the files in `work_tree` and the objects of `repository`.
    pub(super) fn new(repository: &Repository, work_tree: &Path) -> Result<Self, WorktreeError> {
        let folder = Scratch::new()?;
        let path = &folder.0;
        let failed = || WorktreeError::io(path);
        DirBuilder::new().create(path.join("refs")).map_err(failed())?;
        std::fs::write(path.join("HEAD"), "ref: refs/heads/none\n").map_err(failed())?;
        std::fs::write(path.join("config"), settings(repository)).map_err(failed())?;
        Ok(Self {
            git: repository.git().clone(),
            work_tree: work_tree.to_owned(),
            objects: repository.common().join("objects"),
            folder,
        })
    }

    /// Takes over which files the work tree of `repository` tracks, and what git remembers of them; from `head` if it
    /// remembers nothing.
    pub(super) async fn adopt_index(&self, repository: &Repository, head: &ObjectId) -> Result<(), WorktreeError> {
        let index = repository.own().join("index");
        if !is_file(&index) {
            return self.read_tree(head).await;
        }
        copy(&index, &self.index())?;
        // The larger part of a split index stands in files beside it.
        let own = repository.own();
        for entry in own.read_dir().map_err(WorktreeError::io(own))? {
            let entry = entry.map_err(WorktreeError::io(own))?;
            let is_part = entry.file_name().as_bytes().starts_with(b"sharedindex.");
            if is_part && is_file(&entry.path()) {
                copy(&entry.path(), &self.folder.0.join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// Tracks the files of `commit`.
    pub(super) async fn read_tree(&self, commit: &ObjectId) -> Result<(), WorktreeError> {
        self.run(["read-tree", commit.as_str()]).output().await?;
        Ok(())
    }

    /// Writes all tracked files into the work tree.
    pub(super) async fn check_out(&self) -> Result<(), WorktreeError> {
        self.run(["checkout-index", "--all", "--index", "--quiet"])
            .output()
            .await?;
        Ok(())
    }

    /// Gives what git remembers of the work tree to the `index` of a repository's own folder for it.
    pub(super) fn hand_on_index(&self, index: &Path) -> Result<(), WorktreeError> {
        copy(&self.index(), index)
    }

    /// Records the work tree as it is, and gives its tree and what could not be recorded: repositories within it.
    pub(super) async fn record(&self, untracked: Untracked) -> Result<(ObjectId, Vec<OsString>), WorktreeError> {
        let changed = [
            "diff-files",
            "--name-only",
            "-z",
            "--ignore-submodules=all",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let changed: BTreeSet<OsString> = paths(&self.run(changed).output().await?).collect();
        let (mut there, gone): (Vec<_>, Vec<_>) = changed.into_iter().partition(|path| self.holds(path));
        let mut left_out = Vec::new();
        if untracked == Untracked::Recorded {
            let exclude = format!("--exclude=/{}/", folder::OWN);
            let new = ["ls-files", "--others", "-z", "--exclude-standard", &exclude];
            let (new, other): (Vec<_>, Vec<_>) =
                paths(&self.run(new).output().await?).partition(|path| self.holds(path));
            there.extend(new);
            left_out = other;
        }
        let remove = ["update-index", "--force-remove", "-z", "--stdin"];
        self.run(remove).input(zero_terminated(&gone)).output().await?;
        let add = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        self.run(add).input(zero_terminated(&there)).output().await?;
        let tree = self.run(["write-tree"]).output().await?;
        Ok((ObjectId::of_output("write-tree", &tree)?, left_out))
    }

    /// Whether there is a file or symbolic link at `path`, and no symbolic link on the way to it.
    fn holds(&self, path: &OsStr) -> bool {
        let path = Path::new(path);
        let is_folder = |path: &Path| {
            self.work_tree
                .join(path)
                .symlink_metadata()
                .is_ok_and(|there| there.is_dir())
        };
        let kind = self
            .work_tree
            .join(path)
            .symlink_metadata()
            .map(|there| there.file_type());
        kind.is_ok_and(|kind| kind.is_file() || kind.is_symlink())
            && path
                .ancestors()
                .skip(1)
                .all(|folder| folder == Path::new("") || is_folder(folder))
    }

    /// The tree of `commit`.
    pub(super) async fn tree_of(&self, commit: &ObjectId) -> Result<ObjectId, WorktreeError> {
        let tree = format!("{commit}^{{tree}}");
        let tree = self.run(["rev-parse", "--verify", &tree]).output().await?;
        Ok(ObjectId::of_output("rev-parse", &tree)?)
    }

    /// Makes a commit of `tree` by `author`, a name and an address. Nothing is signed, and no branch is moved.
    pub(super) async fn commit(
        &self,
        tree: &ObjectId,
        parent: &ObjectId,
        (author, address): (&str, &str),
        message: &str,
    ) -> Result<ObjectId, WorktreeError> {
        let commit = self
            .run(["commit-tree", "--no-gpg-sign", "-p", parent.as_str(), tree.as_str()])
            .variable("GIT_AUTHOR_NAME", author)
            .variable("GIT_AUTHOR_EMAIL", address)
            .variable("GIT_COMMITTER_NAME", COMMITTER.0)
            .variable("GIT_COMMITTER_EMAIL", COMMITTER.1)
            .input(message.into())
            .output()
            .await?;
        Ok(ObjectId::of_output("commit-tree", &commit)?)
    }

    /// The committer of the commits that are made here.
    pub(super) const fn committer() -> (&'static str, &'static str) {
        COMMITTER
    }

    /// What lies between two commits.
    pub(super) async fn changes(&self, from: &ObjectId, to: &ObjectId) -> Result<Changes, WorktreeError> {
        let options = ["diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames"];
        let output = self
            .run(options)
            .with(DIFF)
            .with([from.as_str(), to.as_str()])
            .output()
            .await?;
        Ok(Changes::parse(&output)?)
    }

    /// The same as a patch that can be applied without either commit.
    pub(super) async fn patch(&self, from: &ObjectId, to: &ObjectId) -> Result<Vec<u8>, WorktreeError> {
        let options = ["diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames"];
        Ok(self
            .run(options)
            .with(DIFF)
            .with([from.as_str(), to.as_str()])
            .output()
            .await?)
    }

    /// Applies `patch` to the files of the work tree, or only checks whether it applies. Git looks at every file before
    /// it changes the first.
    pub(super) async fn apply(&self, patch: Vec<u8>, mode: Apply) -> Result<(), GitError> {
        let options = ["apply", "--whitespace=nowarn"];
        let check = (mode == Apply::CheckOnly).then_some("--check");
        self.run(options).with(check).input(patch).output().await.map(drop)
    }

    fn run<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Run {
        self.git
            .run(&self.work_tree)
            .variable("GIT_DIR", &self.folder.0)
            .variable("GIT_WORK_TREE", &self.work_tree)
            .variable("GIT_OBJECT_DIRECTORY", &self.objects)
            .variable("GIT_INDEX_FILE", self.index())
            .with(arguments)
    }

    fn index(&self) -> PathBuf {
        self.folder.0.join("index")
    }
}

/// Options of every comparison.
const DIFF: [&str; 4] = [
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--ignore-submodules=none",
];

/// Whether a patch is applied or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apply {
    CheckOnly,
    Whole,
}

/// The settings of a sealed git directory, in the syntax of git-config(1).
fn settings(repository: &Repository) -> Vec<u8> {
    let info = repository.common().join("info");
    let has_extensions = repository.settings().keys().any(|name| name.starts_with("extensions."));
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {}\n\tbare = false\n",
        u8::from(has_extensions)
    )
    .into_bytes();
    // A person's own rules for this repository. They name patterns and attributes, and no program.
    for (name, file) in [("attributesfile", "attributes"), ("excludesfile", "exclude")] {
        text.extend_from_slice(format!("\t{name} = ").as_bytes());
        text.extend_from_slice(&quoted(&info.join(file)));
        text.push(b'\n');
    }
    for (key, value) in repository.settings() {
        if let Some((section, name)) = key.split_once('.') {
            text.extend_from_slice(format!("[{section}]\n\t{name} = {value}\n").as_bytes());
        }
    }
    text
}

fn quoted(path: &Path) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            b'\n' => quoted.extend(b"\\n"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

fn paths(listed: &[u8]) -> impl Iterator<Item = OsString> {
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| OsString::from_vec(name.to_vec()))
}

/// A named pipe would hold the copy for ever.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|there| there.is_file())
}

fn copy(from: &Path, to: &Path) -> Result<(), WorktreeError> {
    std::fs::copy(from, to).map(drop).map_err(WorktreeError::io(from))
}

/// A folder of our own outside every workspace, where no agent's grant lets it write. It is deleted with this value.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, WorktreeError> {
        let folder = std::env::temp_dir();
        let random = getrandom::u64().map_err(|error| WorktreeError::io(&folder)(std::io::Error::other(error)))?;
        let path = folder.join(format!("countersign-git-{random:016x}"));
        // It fails if somebody was there first.
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(WorktreeError::io(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it holds no more than the repository does.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
