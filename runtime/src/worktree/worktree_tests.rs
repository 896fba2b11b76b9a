use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;

use super::test_support::{Bench, TestResult, call_in, finished, put};
use super::{Worktree, WorktreeError};

/// Everything of a repository that a work tree must leave alone.
fn state_of(bench: &Bench) -> Result<(String, String, Vec<u8>), Box<dyn std::error::Error>> {
    Ok((
        bench.git(&["status", "--porcelain=v2", "--branch"])?,
        bench.git(&["rev-parse", "HEAD"])?,
        std::fs::read(bench.root.join(".git/index"))?,
    ))
}

fn paths_of(bench: &Bench, commit: &str) -> Result<String, Box<dyn std::error::Error>> {
    bench.git(&["ls-tree", "-r", "--name-only", commit])
}

#[tokio::test]
async fn clean_workspace_is_copied_at_its_commit() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let before = state_of(&bench)?;
    let worktree = bench.worktree().await?;
    assert_eq!(worktree.branch(), "countersign/41-scout");
    assert_eq!(worktree.path(), bench.root.join(".countersign/worktrees/41-scout"));
    for (path, content) in [("a", "one\n"), ("b/c", "two\n"), (".gitignore", "*.log\n")] {
        assert_eq!(std::fs::read_to_string(worktree.path().join(path))?, content);
    }
    assert_eq!(
        bench.git(&["rev-parse", "HEAD"])?,
        bench.git(&["rev-parse", worktree.branch()])?
    );
    // The agent's own git sees its own folder, and nothing to say about it.
    assert_eq!(bench.git_in(worktree.path(), &["status", "--porcelain"])?, "");
    assert_eq!(
        bench.git_in(worktree.path(), &["branch", "--show-current"])?,
        "countersign/41-scout"
    );
    assert_eq!(state_of(&bench)?, before);
    Ok(())
}

#[tokio::test]
async fn changes_that_are_not_committed_come_along_and_the_workspace_stays_as_it_is() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("gone", "x\n")?;
    bench.put("unstaged-gone", "x\n")?;
    bench.put("mode", "x\n")?;
    bench.git(&["add", "-A"])?;
    bench.git(&["commit", "-qm", "second"])?;
    bench.put("a", "changed\n")?;
    bench.put("staged", "staged\n")?;
    bench.git(&["add", "staged"])?;
    bench.put("staged", "staged, then changed\n")?;
    bench.git(&["rm", "-q", "gone"])?;
    std::fs::remove_file(bench.root.join("unstaged-gone"))?;
    std::fs::set_permissions(bench.root.join("mode"), PermissionsExt::from_mode(0o755))?;
    bench.put("untracked", "u\n")?;
    bench.put("x.log", "ignored\n")?;
    let before = state_of(&bench)?;
    let worktree = bench.worktree().await?;
    let read = |path: &str| std::fs::read_to_string(worktree.path().join(path));
    assert_eq!(
        (read("a")?.as_str(), read("staged")?.as_str()),
        ("changed\n", "staged, then changed\n")
    );
    assert_eq!(
        std::fs::metadata(worktree.path().join("mode"))?.permissions().mode() & 0o777,
        0o755
    );
    for absent in ["gone", "unstaged-gone", "untracked", "x.log"] {
        assert!(read(absent).is_err(), "{absent}");
    }
    assert_eq!(state_of(&bench)?, before);
    assert_eq!(bench.git(&["rev-parse", "countersign/41-scout^"])?, before.1);
    Ok(())
}

#[tokio::test]
async fn work_becomes_one_commit_and_the_folder_goes() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let before = state_of(&bench)?;
    let outcome = bench
        .worked(|folder| {
            put(folder, "a", "one\nand a half\n")?;
            put(folder, "new/script", "#!/bin/sh\n")?;
            std::fs::set_permissions(folder.join("new/script"), PermissionsExt::from_mode(0o755))?;
            put(folder, "picture", b"\0\x01\x02")?;
            put(folder, "x.log", "ignored")?;
            put(folder, ".countersign/results/1.txt", "the runtime's own")?;
            Ok(std::fs::remove_file(folder.join("b/c"))?)
        })
        .await?;
    let told = outcome.to_string();
    let commit = bench.git(&["rev-parse", "countersign/41-scout"])?;
    assert_eq!(
        told,
        format!(
            "[work tree: changes are on branch countersign/41-scout, commit {commit}; `merge` brings them into the \
             workspace]\n4 files, +2 −1 lines\n  changed a +1 −0\n  deleted b/c +0 −1\n  new new/script +1 −0, executable\n  \
             new picture (binary)"
        )
    );
    let shown = bench.git(&["show", "-s", "--format=%an|%ae|%cn|%ce|%P|%G?|%s", &commit])?;
    assert_eq!(
        shown,
        format!(
            "countersign agent scout|did:peer:4zQmScout|countersign|noreply@countersign.invalid|{}|N|Work of countersign \
             agent scout, made by decision 41",
            before.1
        )
    );
    assert_eq!(paths_of(&bench, &commit)?, ".gitignore\na\nnew/script\npicture");
    assert!(!bench.root.join(".countersign/worktrees/41-scout").exists());
    assert_eq!(bench.git(&["worktree", "list"])?.lines().count(), 1);
    assert_eq!(state_of(&bench)?, before);
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_work_that_changed_nothing() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("a", "changed\n")?;
    let outcome = bench.worked(|folder| Ok(put(folder, "x.log", "ignored")?)).await?;
    assert_eq!(outcome.to_string(), "[work tree: nothing was changed]");
    assert!(outcome.branch().is_none() && outcome.changes().is_none());
    let worktree = bench.worktree().await?;
    put(worktree.path(), "a", "lost on purpose\n")?;
    worktree.discard().await;
    assert_eq!(bench.git(&["for-each-ref", "refs/heads/countersign/"])?, "");
    assert_eq!(bench.root.join(".countersign/worktrees").read_dir()?.count(), 0);
    assert_eq!(bench.git(&["worktree", "list"])?.lines().count(), 1);
    Ok(())
}

#[tokio::test]
async fn what_the_agent_told_git_does_not_hide_what_it_did() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let outcome = bench
        .worked(|folder| {
            put(folder, "committed", "c\n")?;
            bench.git_in(folder, &["add", "-A"])?;
            bench.git_in(folder, &["commit", "-qm", "mine"])?;
            bench.git_in(folder, &["update-index", "--assume-unchanged", "a"])?;
            put(folder, "a", "hidden\n")?;
            bench.git_in(folder, &["rm", "-q", "--cached", "b/c"])?;
            Ok(())
        })
        .await?;
    let told = outcome.to_string();
    assert!(
        told.ends_with("2 files, +2 −1 lines\n  changed a +1 −1\n  new committed +1 −0"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn files_that_change_their_kind_are_recorded() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    for name in ["to-folder", "to-link", "to-pipe", "folder/file"] {
        bench.put(name, "x\n")?;
    }
    bench.git(&["add", "-A"])?;
    bench.git(&["commit", "-qm", "second"])?;
    let outcome = bench
        .worked(|folder| {
            for name in ["to-folder", "to-link", "to-pipe", "folder/file"] {
                std::fs::remove_file(folder.join(name))?;
            }
            put(folder, "to-folder/inner", "x\n")?;
            symlink("/etc/passwd", folder.join("to-link"))?;
            rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("to-pipe"), rustix::fs::Mode::RWXU)?;
            std::fs::remove_dir(folder.join("folder"))?;
            symlink("b", folder.join("folder"))?;
            rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("new-pipe"), rustix::fs::Mode::RWXU)?;
            Ok(())
        })
        .await?;
    let branch = outcome.branch().ok_or("nothing changed")?.to_string();
    assert_eq!(
        paths_of(&bench, &branch)?,
        ".gitignore\na\nb/c\nfolder\nto-folder/inner\nto-link"
    );
    // The target of a link is recorded, not what it leads to.
    assert_eq!(bench.git(&["show", &format!("{branch}:to-link")])?, "/etc/passwd");
    Ok(())
}

#[tokio::test]
async fn repository_within_the_work_tree_is_left_out_and_named() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let outcome = bench
        .worked(|folder| {
            put(folder, "sub/file", "x\n")?;
            bench.git_in(&folder.join("sub"), &["init", "-q"])?;
            bench.git_in(&folder.join("sub"), &["add", "-A"])?;
            bench.git_in(&folder.join("sub"), &["commit", "-qm", "inner"])?;
            Ok(put(folder, "a", "changed\n")?)
        })
        .await?;
    let told = outcome.to_string();
    assert!(
        told.contains("1 file, ") && told.ends_with("[not taken: sub/, a repository of its own]"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn submodule_stays_what_it_is() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let head = bench.git(&["rev-parse", "HEAD"])?;
    bench.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")])?;
    bench.git(&["commit", "-qm", "submodule"])?;
    let outcome = bench
        .worked(|folder| {
            assert_eq!(folder.join("sub").read_dir()?.count(), 0);
            std::fs::remove_dir(folder.join("sub"))?;
            put(folder, "sub", "a file now\n")?;
            Ok(put(folder, "a", "changed\n")?)
        })
        .await?;
    let told = outcome.to_string();
    assert!(told.ends_with("1 file, +1 −1 lines\n  changed a +1 −1"), "{told}");
    Ok(())
}

#[tokio::test]
async fn strange_names_survive() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let names: [&[u8]; 6] = [b"-n", b"a b", b"line\nend", b"\xff\xfe", b":(glob)x", b"\"q\"\t"];
    let outcome = bench
        .worked(|folder| {
            for name in names {
                std::fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), "x\n")?;
            }
            Ok(())
        })
        .await?;
    let told = outcome.to_string();
    assert!(
        told.contains("6 files, +6 −0 lines") && told.contains("new line\\nend +1"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn taken_name_is_not_taken_again() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.git(&["branch", "countersign/41-scout"])?;
    bench.put(".countersign/worktrees/41-scout.2/mine", "x")?;
    let third = bench.worktree().await?;
    let fourth = bench.worktree().await?;
    assert_eq!(
        (third.branch(), fourth.branch()),
        ("countersign/41-scout.3", "countersign/41-scout.4")
    );
    assert!(bench.root.join(".countersign/worktrees/41-scout.2/mine").exists());
    Ok(())
}

#[tokio::test]
async fn work_tree_within_a_work_tree_begins_with_its_state() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let outer = bench.worktree().await?;
    put(outer.path(), "a", "changed by the outer agent\n")?;
    let inner = Worktree::create(
        &call_in(outer.path())?,
        outer.path(),
        &Name::new("inner")?,
        Seq::clamped(50),
    )
    .await?;
    let inner = inner.ok_or("no work tree")?;
    assert!(inner.path().starts_with(outer.path()));
    assert_eq!(
        std::fs::read_to_string(inner.path().join("a"))?,
        "changed by the outer agent\n"
    );
    put(inner.path(), "d", "new\n")?;
    finished(inner).await?;
    let told = finished(outer).await?.to_string();
    assert!(told.ends_with("1 file, +1 −1 lines\n  changed a +1 −1"), "{told}");
    assert_eq!(paths_of(&bench, "countersign/50-inner")?, ".gitignore\na\nb/c\nd");
    Ok(())
}

#[tokio::test]
async fn no_work_tree_where_there_is_no_commit_or_no_repository() -> TestResult {
    let Some(empty) = Bench::empty(&["init", "-q"])? else {
        return Ok(());
    };
    assert!(empty.try_worktree().await??.is_none());
    std::fs::remove_dir_all(empty.root.join(".git"))?;
    assert!(empty.try_worktree().await??.is_none());
    empty.put(".git", "no repository")?;
    assert!(empty.try_worktree().await?.is_err());
    let Some(bench) = Bench::new()? else { return Ok(()) };
    // A folder of a repository is not its top: its work tree would hold what the grant does not name.
    let below = bench.root.join("b");
    let made = Worktree::create(&call_in(&below)?, &below, &Name::new("x")?, Seq::clamped(1)).await?;
    assert!(made.is_none());
    bench.git(&["config", "core.bare", "true"])?;
    assert!(bench.try_worktree().await??.is_none());
    assert!(!bench.root.join(".countersign").exists());
    Ok(())
}

#[tokio::test]
async fn permit_for_another_workspace_makes_no_work_tree() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let other = bench.beside("other")?;
    std::fs::create_dir(&other)?;
    let refused = Worktree::create(&call_in(&other)?, &bench.root, &Name::new("x")?, Seq::clamped(1)).await;
    assert!(
        matches!(refused, Err(WorktreeError::OtherWorkspace { .. })),
        "{refused:?}"
    );
    let link = bench.beside("link")?;
    symlink(&bench.root, &link)?;
    let refused = Worktree::create(&call_in(&link)?, &link, &Name::new("x")?, Seq::clamped(1)).await;
    assert!(
        matches!(refused, Err(WorktreeError::WorkspaceMoved { .. })),
        "{refused:?}"
    );
    assert!(!bench.root.join(".countersign").exists());
    Ok(())
}

#[tokio::test]
async fn unusual_repositories_are_copied_too() -> TestResult {
    type Prepare = fn(&Bench) -> TestResult;
    let cases: [(&[&str], Prepare); 7] = [
        (&["init", "-q", "--object-format=sha256"], |_| Ok(())),
        (&["init", "-q"], |bench| {
            bench.git(&["update-index", "--split-index"]).map(drop)
        }),
        (&["init", "-q"], |bench| {
            bench.git(&["sparse-checkout", "set", "b"]).map(drop)
        }),
        (&["init", "-q"], |bench| bench.git(&["pack-refs", "--all"]).map(drop)),
        (&["init", "-q"], |bench| {
            bench.git(&["checkout", "-q", "--detach"]).map(drop)
        }),
        (&["init", "-q"], |bench| {
            Ok(std::fs::remove_file(bench.root.join(".git/index"))?)
        }),
        (&["init", "-q"], |bench| {
            bench.put("d", "new\n")?;
            bench.git(&["add", "--intent-to-add", "d"]).map(drop)
        }),
    ];
    for (index, (init, prepare)) in cases.into_iter().enumerate() {
        let Some(bench) = Bench::with(init)? else { return Ok(()) };
        prepare(&bench)?;
        let before = bench.git(&["status", "--porcelain"])?;
        let worktree = bench
            .worktree()
            .await
            .map_err(|error| format!("case {index}: {error}"))?;
        assert_eq!(
            std::fs::read_to_string(worktree.path().join("a"))?,
            "one\n",
            "case {index}"
        );
        put(worktree.path(), "a", "changed\n")?;
        let told = finished(worktree).await?.to_string();
        assert!(told.contains("1 file, +1 −1 lines"), "case {index}: {told}");
        assert_eq!(bench.git(&["status", "--porcelain"])?, before, "case {index}");
    }
    Ok(())
}

#[tokio::test]
async fn workspace_in_the_middle_of_a_merge_is_copied_as_it_stands() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.git(&["checkout", "-qb", "other"])?;
    bench.put("a", "theirs\n")?;
    bench.git(&["commit", "-qam", "theirs"])?;
    bench.git(&["checkout", "-q", "main"])?;
    bench.put("a", "ours\n")?;
    bench.git(&["commit", "-qam", "ours"])?;
    assert!(bench.git(&["merge", "other"]).is_err());
    let worktree = bench.worktree().await?;
    assert_eq!(std::fs::read_to_string(worktree.path().join("a"))?, bench.content("a")?);
    assert!(bench.content("a")?.contains("<<<<<<<"));
    assert_eq!(
        finished(worktree).await?.to_string(),
        "[work tree: nothing was changed]"
    );
    Ok(())
}

#[tokio::test]
async fn line_ends_and_private_rules_of_the_repository_hold() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.git(&["config", "core.autocrlf", "true"])?;
    put(&bench.root, ".git/info/exclude", "*.private\n")?;
    put(&bench.root, ".git/info/attributes", "*.raw -text\n")?;
    let outcome = bench
        .worked(|folder| {
            assert_eq!(std::fs::read(folder.join("a"))?, b"one\r\n");
            put(folder, "x.private", "ignored")?;
            put(folder, "x.raw", "a\r\nb")?;
            Ok(put(folder, "a", "one\r\ntwo\r\n")?)
        })
        .await?;
    let branch = outcome.branch().ok_or("nothing changed")?.to_string();
    assert_eq!(bench.git(&["cat-file", "-p", &format!("{branch}:a")])?, "one\ntwo");
    assert_eq!(bench.git(&["cat-file", "-p", &format!("{branch}:x.raw")])?, "a\r\nb");
    assert_eq!(paths_of(&bench, &branch)?, ".gitignore\na\nb/c\nx.raw");
    Ok(())
}

#[tokio::test]
async fn author_cannot_forge_a_commit() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let worktree = bench.worktree().await?;
    put(worktree.path(), "a", "changed\n")?;
    worktree.finish("x> 1 +0\nparent <did:a>\n").await?;
    let shown = bench.git(&["show", "-s", "--format=%an|%ae|%P", "countersign/41-scout"])?;
    let head = bench.git(&["rev-parse", "HEAD"])?;
    assert_eq!(shown, format!("countersign agent x 1 +0parent|did:a|{head}"));
    Ok(())
}

#[tokio::test]
async fn dropped_work_tree_loses_nothing() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let path = {
        let worktree = bench.worktree().await?;
        put(worktree.path(), "a", "changed\n")?;
        worktree.path().to_owned()
    };
    assert_eq!(std::fs::read_to_string(Path::new(&path).join("a"))?, "changed\n");
    assert_eq!(bench.git(&["worktree", "list"])?.lines().count(), 2);
    Ok(())
}
