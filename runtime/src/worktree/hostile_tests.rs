//! Repositories whose every setting is meant to run a program: none does. The same settings run it under plain git, so
//! that these tests test something.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::test_support::{Bench, TestResult, finished, put, quiet};
use super::{Worktree, WorktreeError, merge};

/// Hooks that git knows, whatever calls them.
const HOOKS: [&str; 17] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "push-to-checkout",
    "reference-transaction",
    "sendemail-validate",
];

/// Settings with a program in them, as `key` and what stands around the program.
const PROGRAMS: [(&str, &str); 40] = [
    ("alias.apply", "!{}"),
    ("alias.checkout-index", "!{}"),
    ("alias.diff-tree", "!{}"),
    ("alias.rev-parse", "!{}"),
    ("alias.worktree", "!{}"),
    ("core.alternateRefsCommand", "{}"),
    ("core.askPass", "{}"),
    ("core.editor", "{}"),
    ("core.fsmonitor", "{}"),
    ("core.gitProxy", "{}"),
    ("core.pager", "{}"),
    ("core.sshCommand", "{}"),
    ("credential.helper", "!{}"),
    ("diff.evil.command", "{}"),
    ("diff.evil.textconv", "{}"),
    ("diff.external", "{}"),
    ("diff.tool", "evil"),
    ("difftool.evil.cmd", "{}"),
    ("filter.evil.clean", "{}"),
    ("filter.evil.process", "{}"),
    ("filter.evil.smudge", "{}"),
    ("gpg.program", "{}"),
    ("gpg.ssh.defaultKeyCommand", "{}"),
    ("gpg.ssh.program", "{}"),
    ("interactive.diffFilter", "{}"),
    ("man.evil.cmd", "{}"),
    ("merge.evil.driver", "{} %O %A %B"),
    ("merge.tool", "evil"),
    ("mergetool.evil.cmd", "{}"),
    ("pager.diff-tree", "{}"),
    ("pager.rev-parse", "{}"),
    ("pager.worktree", "{}"),
    ("receive.procReceiveRefs", "refs"),
    ("remote.origin.receivepack", "{}"),
    ("remote.origin.uploadpack", "{}"),
    ("remote.origin.url", "ext::{}"),
    ("sequence.editor", "{}"),
    ("submodule.sub.update", "!{}"),
    ("trailer.evil.command", "{}"),
    ("uploadpack.packObjectsHook", "{}"),
];

/// Settings that make git look for one of the programs.
const SWITCHES: [(&str, &str); 9] = [
    ("commit.gpgSign", "true"),
    ("diff.renames", "copies"),
    ("log.showSignature", "true"),
    ("merge.verifySignatures", "true"),
    ("protocol.allow", "always"),
    ("protocol.ext.allow", "always"),
    ("submodule.recurse", "true"),
    ("tag.gpgSign", "true"),
    ("user.signingKey", "x"),
];

/// A repository, a program that leaves a mark, and where the mark would be.
struct Trap {
    bench: Bench,
    program: PathBuf,
    mark: PathBuf,
}

impl Trap {
    fn new() -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let Some(bench) = Bench::new()? else {
            return Ok(None);
        };
        bench.put(".gitattributes", "* filter=evil diff=evil merge=evil\n")?;
        bench.git(&["add", "-A"])?;
        bench.git(&["commit", "-qm", "attributes"])?;
        let (program, mark) = (bench.beside("evil")?, bench.beside("mark")?);
        let trap = Self { bench, program, mark };
        trap.write_program(&trap.program)?;
        Ok(Some(trap))
    }

    fn write_program(&self, path: &Path) -> TestResult {
        // A filter is run without arguments, and has to pass on what it gets.
        let mark = self.mark.display();
        let script = format!("#!/bin/sh\necho \"$0 $@\" >> '{mark}'\n[ $# -gt 0 ] || cat\nexit 0\n");
        std::fs::write(path, script)?;
        Ok(std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?)
    }

    fn set(&self, key: &str, value: &str) -> TestResult {
        let value = value.replace("{}", &self.program.to_string_lossy());
        // Through the file itself: git would run some of them on the way.
        let (section, name) = key.rsplit_once('.').ok_or("a key has a dot")?;
        let section = match section.split_once('.') {
            Some((section, sub)) => format!("{section} \"{sub}\""),
            None => section.to_owned(),
        };
        let config = self.bench.root.join(".git/config");
        let text = std::fs::read_to_string(&config)? + &format!("[{section}]\n\t{name} = {value}\n");
        Ok(std::fs::write(config, text)?)
    }

    fn set_hooks(&self, folder: &str) -> TestResult {
        std::fs::create_dir_all(self.bench.root.join(folder))?;
        HOOKS
            .into_iter()
            .try_for_each(|hook| self.write_program(&self.bench.root.join(folder).join(hook)))
    }

    fn was_sprung(&self) -> Option<String> {
        std::fs::read_to_string(&self.mark).ok()
    }

    /// Goes all the way, from a changed workspace to a merge. True if it did not stop on the way.
    async fn walk(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.bench.put("a", "changed\n")?;
        let worktree = self.bench.worktree().await?;
        put(worktree.path(), "b/c", "changed too\n")?;
        put(worktree.path(), "new", "new\n")?;
        let outcome = finished(worktree).await?;
        let branch = outcome.branch().ok_or("nothing was changed")?;
        merge(&self.bench.call()?, branch, &quiet()).await?;
        assert_eq!(self.bench.content("b/c")?, "changed too\n");
        let discarded = self.bench.worktree().await?;
        discarded.discard().await;
        Ok(())
    }
}

#[tokio::test]
async fn no_setting_runs_its_program() -> TestResult {
    let Some(trap) = Trap::new()? else { return Ok(()) };
    for (key, value) in PROGRAMS.into_iter().chain(SWITCHES) {
        trap.set(key, value)?;
    }
    trap.walk().await?;
    assert_eq!(trap.was_sprung(), None);
    Ok(())
}

/// Alone, because one setting can keep another from being looked at.
#[tokio::test]
async fn no_single_setting_runs_its_program() -> TestResult {
    for (key, value) in [
        ("core.fsmonitor", "{}"),
        ("filter.evil.clean", "{}"),
        ("filter.evil.process", "{}"),
        ("filter.evil.smudge", "{}"),
        ("diff.external", "{}"),
        ("diff.evil.command", "{}"),
        ("diff.evil.textconv", "{}"),
        ("merge.evil.driver", "{} %O %A %B"),
    ] {
        let Some(trap) = Trap::new()? else { return Ok(()) };
        trap.set(key, value)?;
        if key.starts_with("filter.") {
            trap.set("filter.evil.required", "true")?;
        }
        trap.walk().await.map_err(|error| format!("{key}: {error}"))?;
        assert_eq!(trap.was_sprung(), None, "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn no_hook_runs() -> TestResult {
    for (folder, setting) in [(".git/hooks", None), ("tracked-hooks", Some("tracked-hooks"))] {
        let Some(trap) = Trap::new()? else { return Ok(()) };
        trap.set_hooks(folder)?;
        if let Some(setting) = setting {
            trap.set("core.hooksPath", setting)?;
        }
        trap.walk().await?;
        assert_eq!(trap.was_sprung(), None, "{folder}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_from_included_and_private_files_run_nothing_either() -> TestResult {
    let Some(trap) = Trap::new()? else { return Ok(()) };
    let evil = trap.program.display();
    let settings = format!("[filter \"evil\"]\n\tclean = {evil}\n\tsmudge = {evil}\n[core]\n\tfsmonitor = {evil}\n");
    trap.bench.put(".git/more", &settings)?;
    trap.set("include.path", "more")?;
    trap.set("core.repositoryFormatVersion", "1")?;
    trap.set("extensions.worktreeConfig", "true")?;
    trap.bench.put(".git/config.worktree", &settings)?;
    trap.bench.put(".git/info/attributes", "* filter=evil diff=evil\n")?;
    trap.walk().await?;
    assert_eq!(trap.was_sprung(), None);
    Ok(())
}

#[tokio::test]
async fn hooks_that_nothing_turns_off_are_a_reason_to_refuse() -> TestResult {
    let Some(trap) = Trap::new()? else { return Ok(()) };
    trap.set("hook.evil.command", "{}")?;
    trap.set("hook.evil.event", "reference-transaction")?;
    let refused = trap.bench.try_worktree().await?;
    assert!(
        matches!(&refused, Err(WorktreeError::Hook { key }) if key == "hook.evil.command"),
        "{refused:?}"
    );
    assert_eq!(trap.was_sprung(), None);
    Ok(())
}

#[tokio::test]
async fn nothing_is_fetched_for_a_missing_object() -> TestResult {
    for missing in ["HEAD", "HEAD^{tree}", "HEAD:b/c"] {
        let Some(trap) = Trap::new()? else { return Ok(()) };
        for (key, value) in [
            ("core.repositoryFormatVersion", "1"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.url", "ext::{} %S"),
            ("remote.origin.promisor", "true"),
            ("protocol.ext.allow", "always"),
        ] {
            trap.set(key, value)?;
        }
        let id = trap.bench.git(&["rev-parse", missing])?;
        std::fs::remove_file(trap.bench.root.join(".git/objects").join(&id[..2]).join(&id[2..]))?;
        assert!(trap.walk().await.is_err(), "{missing}");
        assert_eq!(trap.was_sprung(), None, "{missing}");
        assert!(trap.bench.git(&["cat-file", "-p", &id]).is_err());
        assert!(trap.was_sprung().is_some(), "plain git fetches {missing}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_of_a_submodule_run_nothing() -> TestResult {
    let Some(trap) = Trap::new()? else { return Ok(()) };
    let (bench, sub) = (&trap.bench, trap.bench.root.join("sub"));
    bench.put("sub/file", "x\n")?;
    bench.git_in(&sub, &["init", "-q"])?;
    bench.git_in(&sub, &["add", "-A"])?;
    bench.git_in(&sub, &["commit", "-qm", "inner"])?;
    bench.git(&["add", "sub"])?;
    bench.put(
        ".gitmodules",
        "[submodule \"sub\"]\n\tpath = sub\n\turl = ./sub\n\tignore = none\n",
    )?;
    bench.git(&["add", ".gitmodules"])?;
    bench.git(&["commit", "-qm", "submodule"])?;
    bench.put("sub/file", "changed\n")?;
    bench.put("sub/.gitattributes", "* filter=evil\n")?;
    let evil = trap.program.display();
    let settings = format!("[core]\n\tfsmonitor = {evil}\n[filter \"evil\"]\n\tclean = {evil}\n");
    let config = sub.join(".git/config");
    std::fs::write(&config, std::fs::read_to_string(&config)? + &settings)?;
    trap.walk().await?;
    assert_eq!(trap.was_sprung(), None);
    bench.git(&["status"])?;
    assert!(trap.was_sprung().is_some(), "plain git looks into submodules");
    Ok(())
}

#[test]
fn the_same_settings_run_their_programs_under_plain_git() -> TestResult {
    type Sprung = (&'static str, &'static [&'static str]);
    let settings: [Sprung; 6] = [
        ("filter.evil.clean", &["add", "a"]),
        ("filter.evil.smudge", &["checkout", "HEAD~1", "--", "b/c"]),
        ("core.fsmonitor", &["status"]),
        ("diff.external", &["diff"]),
        ("diff.evil.textconv", &["diff"]),
        ("alias.x", &["x"]),
    ];
    for (key, command) in settings {
        let Some(trap) = Trap::new()? else { return Ok(()) };
        trap.bench.put("a", "changed\n")?;
        trap.bench.put("b/c", "changed\n")?;
        trap.set(key, if key.starts_with("alias.") { "!{}" } else { "{}" })?;
        // What the program says need not make sense to git.
        let _ = trap.bench.git(command);
        assert!(trap.was_sprung().is_some(), "{key}");
    }
    let Some(trap) = Trap::new()? else { return Ok(()) };
    trap.set_hooks(".git/hooks")?;
    trap.bench.git(&["worktree", "add", "-q", "elsewhere"])?;
    let ran = trap.was_sprung().unwrap_or_default();
    assert!(
        ran.contains("post-checkout") && ran.contains("reference-transaction"),
        "{ran}"
    );
    Ok(())
}

/// Makes the workspace's `.git` refer to the repository given, in one of the ways git follows.
type Redirect = fn(&Bench, &Path) -> TestResult;

#[tokio::test]
async fn repository_of_somebody_else_is_not_opened() -> TestResult {
    let redirects: [(&str, Redirect); 7] = [
        ("gitdir", |bench, other| {
            std::fs::remove_dir_all(bench.root.join(".git"))?;
            Ok(bench.put(".git", format!("gitdir: {}\n", other.join(".git").display()))?)
        }),
        ("symbolic link", |bench, other| {
            std::fs::remove_dir_all(bench.root.join(".git"))?;
            Ok(symlink(other.join(".git"), bench.root.join(".git"))?)
        }),
        ("commondir", |bench, other| {
            Ok(bench.put(".git/commondir", format!("{}\n", other.join(".git").display()))?)
        }),
        ("core.worktree", |bench, other| {
            bench
                .git(&["config", "core.worktree", &other.to_string_lossy()])
                .map(drop)
        }),
        ("objects", |bench, other| redirect_folder(bench, other, "objects")),
        ("refs", |bench, other| redirect_folder(bench, other, "refs")),
        ("worktrees", |bench, other| {
            std::fs::create_dir(other.join(".git/worktrees"))?;
            Ok(symlink(
                other.join(".git/worktrees"),
                bench.root.join(".git/worktrees"),
            )?)
        }),
    ];
    for (name, redirect) in redirects {
        let (Some(bench), Some(other)) = (Bench::new()?, Bench::new()?) else {
            return Ok(());
        };
        other.put("secret", "s\n")?;
        other.git(&["add", "-A"])?;
        other.git(&["commit", "-qm", "secret"])?;
        redirect(&bench, &other.root)?;
        let refused = bench.try_worktree().await?;
        // With its work tree elsewhere it is no repository of this folder at all.
        let is_kept_out = match &refused {
            Err(WorktreeError::Unusual { .. }) => true,
            Ok(none) => name == "core.worktree" && none.is_none(),
            Err(_) => false,
        };
        assert!(is_kept_out, "{name}: {refused:?}");
        assert!(!bench.root.join(".countersign").exists() && other.git(&["worktree", "list"])?.lines().count() == 1);
    }
    Ok(())
}

fn redirect_folder(bench: &Bench, other: &Path, name: &str) -> TestResult {
    std::fs::remove_dir_all(bench.root.join(".git").join(name))?;
    Ok(symlink(
        other.join(".git").join(name),
        bench.root.join(".git").join(name),
    )?)
}

#[tokio::test]
async fn work_tree_that_points_elsewhere_at_its_end_is_not_followed() -> TestResult {
    let (Some(bench), Some(other)) = (Bench::new()?, Bench::new()?) else {
        return Ok(());
    };
    let worktree = bench.worktree().await?;
    put(
        worktree.path(),
        ".git",
        format!("gitdir: {}\n", other.root.join(".git").display()),
    )?;
    put(worktree.path(), "a", "changed\n")?;
    let told = finished(worktree).await?.to_string();
    assert!(told.contains("1 file, +1 −1 lines"), "{told}");
    assert_eq!(other.git(&["status", "--porcelain"])?, "");
    let worktree = bench.worktree().await?;
    let (path, moved) = (worktree.path().to_owned(), bench.beside("moved")?);
    std::fs::rename(&path, &moved)?;
    symlink(&other.root, &path)?;
    let refused = worktree.finish("scout did:x").await;
    assert!(matches!(refused, Err(WorktreeError::Unusual { .. })), "{refused:?}");
    assert_eq!(other.content("a")?, "one\n");
    Ok(())
}

#[tokio::test]
async fn link_in_place_of_the_runtimes_folder_is_not_followed() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let elsewhere = bench.beside("elsewhere")?;
    std::fs::create_dir(&elsewhere)?;
    symlink(&elsewhere, bench.root.join(".countersign"))?;
    assert!(matches!(
        bench.try_worktree().await?,
        Err(WorktreeError::Unusual { .. })
    ));
    assert_eq!(elsewhere.read_dir()?.count(), 0);
    assert_eq!(bench.git(&["for-each-ref", "refs/heads/countersign/"])?, "");
    Ok(())
}

#[tokio::test]
async fn repository_of_another_user_runs_nothing_and_is_usable() -> TestResult {
    let Some(trap) = Trap::new()? else { return Ok(()) };
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    trap.set("core.fsmonitor", "{}")?;
    let chown = |path: &str| std::os::unix::fs::chown(trap.bench.root.join(path), Some(65_534), Some(65_534));
    for path in ["", ".git", ".git/config"] {
        chown(path)?;
    }
    trap.walk().await?;
    assert_eq!(trap.was_sprung(), None);
    Ok(())
}

#[tokio::test]
async fn work_tree_is_bound_to_the_call_that_allowed_it() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let call = super::test_support::call_in(Path::new("/"))?;
    let name = countersign_schemas::text::Name::new("x")?;
    let refused = Worktree::create(&call, &bench.root, &name, countersign_schemas::number::Seq::clamped(1)).await;
    assert!(
        matches!(refused, Err(WorktreeError::OtherWorkspace { .. })),
        "{refused:?}"
    );
    Ok(())
}
