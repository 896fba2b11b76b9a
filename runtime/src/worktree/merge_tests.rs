use std::collections::BTreeMap;
use std::error::Error;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::test_support::{Bench, TestResult, call_in, finished, put, quiet};
use super::{BranchName, MergeError, Merged, merge};
use crate::tool::cancellation;

async fn merged(bench: &Bench, branch: &BranchName) -> Result<Result<Merged, MergeError>, Box<dyn Error>> {
    Ok(merge(&bench.call()?, branch, &quiet()).await)
}

/// Lets an agent work, and gives the branch it leaves.
async fn branch_of(bench: &Bench, work: impl FnOnce(&Path) -> TestResult) -> Result<BranchName, Box<dyn Error>> {
    let outcome = bench.worked(work).await?;
    Ok(outcome.branch().ok_or("nothing was changed")?.clone())
}

/// All files of the workspace but git's and ours, with what is in them.
fn files_of(bench: &Bench) -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error>> {
    let listed = bench.git(&["ls-files", "-z", "--cached", "--others", "--deduplicate"])?;
    let names = listed
        .split('\0')
        .filter(|name| !name.is_empty() && !name.starts_with(".countersign/"));
    let content = |name: &str| {
        Ok((
            name.to_owned(),
            std::fs::read(bench.root.join(name)).unwrap_or_default(),
        ))
    };
    names.map(content).collect()
}

#[tokio::test]
async fn work_is_brought_into_the_files_and_nowhere_else() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("binary", [0, 1, 2, 255])?;
    bench.put("script", "#!/bin/sh\n")?;
    bench.git(&["add", "-A"])?;
    bench.git(&["commit", "-qm", "second"])?;
    let branch = branch_of(&bench, |folder| {
        put(folder, "a", "one\nmore\n")?;
        put(folder, "binary", [3, 0, 255])?;
        put(folder, "deep/new", "no end of line")?;
        put(folder, "deep/tool", "#!/bin/sh\n")?;
        for script in ["deep/tool", "script"] {
            std::fs::set_permissions(folder.join(script), PermissionsExt::from_mode(0o755))?;
        }
        Ok(std::fs::remove_file(folder.join("b/c"))?)
    })
    .await?;
    let (head, index) = (
        bench.git(&["rev-parse", "HEAD"])?,
        std::fs::read(bench.root.join(".git/index"))?,
    );
    let told = merged(&bench, &branch).await??.to_string();
    assert_eq!(
        told,
        "merged countersign/41-scout into the workspace, nothing is committed: 6 files, +3 −1 lines\n  changed a +1 −0\n  \
         deleted b/c +0 −1\n  changed binary (binary)\n  new deep/new +1 −0\n  new deep/tool +1 −0, executable\n  changed \
         script +0 −0, becomes executable"
    );
    assert_eq!(
        (bench.content("a")?.as_str(), bench.content("deep/new")?.as_str()),
        ("one\nmore\n", "no end of line")
    );
    assert_eq!(std::fs::read(bench.root.join("binary"))?, [3, 0, 255]);
    assert!(!bench.root.join("b").exists());
    assert_eq!(
        std::fs::metadata(bench.root.join("script"))?.permissions().mode() & 0o111,
        0o111
    );
    assert_eq!(bench.git(&["rev-parse", "HEAD"])?, head);
    assert_eq!(std::fs::read(bench.root.join(".git/index"))?, index);
    assert_eq!(bench.git(&["for-each-ref", "refs/heads/countersign/"])?, "");
    let again = merged(&bench, &branch).await?;
    assert!(matches!(again, Err(MergeError::NoSuchBranch { .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn changes_beside_those_of_the_branch_stay() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("a", (1..=30).map(|line| format!("{line}\n")).collect::<String>())?;
    bench.put("untracked", "mine\n")?;
    let branch = branch_of(&bench, |folder| {
        let text = std::fs::read_to_string(folder.join("a"))?;
        Ok(put(folder, "a", text.replace("25\n", "twenty-five\n"))?)
    })
    .await?;
    let text = bench
        .content("a")?
        .replacen("3\n", "3\nand a line of the parent's\n", 1);
    bench.put("a", &text)?;
    bench.put("b/c", "changed by the parent\n")?;
    merged(&bench, &branch).await??;
    assert_eq!(bench.content("a")?, text.replace("25\n", "twenty-five\n"));
    assert_eq!(
        (bench.content("b/c")?.as_str(), bench.content("untracked")?.as_str()),
        ("changed by the parent\n", "mine\n")
    );
    Ok(())
}

#[tokio::test]
async fn conflicts_are_named_file_by_file_and_nothing_is_changed() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("harmless", "x\n")?;
    bench.put("gone", "x\n")?;
    bench.git(&["add", "-A"])?;
    bench.git(&["commit", "-qm", "second"])?;
    let branch = branch_of(&bench, |folder| {
        put(folder, "a", "theirs\n")?;
        put(folder, "b/c", "theirs\n")?;
        put(folder, "gone", "theirs\n")?;
        put(folder, "harmless", "theirs\n")?;
        Ok(put(folder, "in-the-way", "theirs\n")?)
    })
    .await?;
    bench.put("a", "ours\n")?;
    bench.put("in-the-way", "ours\n")?;
    std::fs::remove_file(bench.root.join("gone"))?;
    let before = files_of(&bench)?;
    let refused = merged(&bench, &branch).await?;
    let Err(MergeError::Conflicts { files }) = refused else {
        return Err(format!("{refused:?}").into());
    };
    assert_eq!(
        files,
        [
            "a: patch does not apply",
            "gone: No such file or directory",
            "in-the-way: already exists in working directory"
        ]
    );
    assert_eq!(files_of(&bench)?, before);
    // When what was in the way is gone, the branch is still there.
    bench.git(&["checkout", "-q", "--", "a", "gone"])?;
    std::fs::remove_file(bench.root.join("in-the-way"))?;
    merged(&bench, &branch).await??;
    assert_eq!(bench.content("harmless")?, "theirs\n");
    Ok(())
}

#[tokio::test]
async fn places_that_no_merge_may_touch_are_refused() -> TestResult {
    type Work = fn(&Path) -> TestResult;
    let works: [(&str, Work); 7] = [
        (".env", |folder| Ok(put(folder, ".env", "KEY=1\n")?)),
        ("b/.SSH/config", |folder| Ok(put(folder, "b/.SSH/config", "x\n")?)),
        ("deploy.pem", |folder| Ok(put(folder, "deploy.pem", "x\n")?)),
        ("link", |folder| Ok(symlink("/etc", folder.join("link"))?)),
        ("a", |folder| {
            std::fs::remove_file(folder.join("a"))?;
            Ok(symlink("b/c", folder.join("a"))?)
        }),
        ("b/.Countersign/x", |folder| Ok(put(folder, "b/.Countersign/x", "x\n")?)),
        ("old-link", |folder| Ok(std::fs::remove_file(folder.join("old-link"))?)),
    ];
    for (path, work) in works {
        let Some(bench) = Bench::new()? else { return Ok(()) };
        symlink("a", bench.root.join("old-link"))?;
        bench.git(&["add", "-A"])?;
        bench.git(&["commit", "-qm", "link"])?;
        let branch = branch_of(&bench, |folder| {
            put(folder, "harmless", "x\n")?;
            work(folder)
        })
        .await?;
        let before = files_of(&bench)?;
        let refused = merged(&bench, &branch).await?;
        assert!(
            matches!(&refused, Err(MergeError::Refused { path: found, .. }) if found == path),
            "{path}: {refused:?}"
        );
        assert_eq!(files_of(&bench)?, before, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn link_in_the_workspace_is_not_written_through() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let branch = branch_of(&bench, |folder| {
        put(folder, "b/c", "changed\n")?;
        Ok(put(folder, "new/file", "x\n")?)
    })
    .await?;
    let elsewhere = bench.beside("elsewhere")?;
    put(&elsewhere, "c", "two\n")?;
    std::fs::remove_dir_all(bench.root.join("b"))?;
    symlink(&elsewhere, bench.root.join("b"))?;
    let refused = merged(&bench, &branch).await?;
    assert!(
        matches!(&refused, Err(MergeError::Refused { path, .. }) if path == "b/c"),
        "{refused:?}"
    );
    std::fs::remove_file(bench.root.join("b"))?;
    put(&bench.root, "b/c", "two\n")?;
    symlink(&elsewhere, bench.root.join("new"))?;
    let refused = merged(&bench, &branch).await?;
    assert!(
        matches!(&refused, Err(MergeError::Refused { path, .. }) if path == "new/file"),
        "{refused:?}"
    );
    assert_eq!(elsewhere.read_dir()?.count(), 1);
    assert_eq!(std::fs::read_to_string(elsewhere.join("c"))?, "two\n");
    Ok(())
}

#[tokio::test]
async fn only_what_was_handed_in_is_merged() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let name = BranchName::parse("countersign/41-scout")?;
    assert!(matches!(
        merged(&bench, &name).await?,
        Err(MergeError::NoSuchBranch { .. })
    ));
    bench.git(&["branch", name.as_str()])?;
    assert!(matches!(
        merged(&bench, &name).await?,
        Err(MergeError::NotHandedIn { .. })
    ));
    bench.git(&["branch", "-D", name.as_str()])?;
    let working = bench.worktree().await?;
    put(working.path(), "a", "not finished\n")?;
    assert!(matches!(
        merged(&bench, &name).await?,
        Err(MergeError::NotHandedIn { .. })
    ));
    finished(working).await?;
    bench.git(&["branch", "-f", name.as_str(), "HEAD"])?;
    assert!(matches!(merged(&bench, &name).await?, Err(MergeError::Moved { .. })));
    // Another repository may have a branch of that name.
    let Some(other) = Bench::new()? else { return Ok(()) };
    other.git(&["branch", name.as_str()])?;
    assert!(matches!(
        merged(&other, &name).await?,
        Err(MergeError::NotHandedIn { .. })
    ));
    assert_eq!(bench.content("a")?, "one\n");
    Ok(())
}

#[tokio::test]
async fn workspace_without_a_repository_has_nothing_to_merge() -> TestResult {
    let guard = tempfile::TempDir::new()?;
    let root = guard.path().canonicalize()?;
    let refused = merge(&call_in(&root)?, &BranchName::parse("countersign/1-x")?, &quiet()).await;
    assert!(matches!(refused, Err(MergeError::NoRepository)), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn interruption_before_the_merge_changes_nothing() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    let branch = branch_of(&bench, |folder| Ok(put(folder, "a", "changed\n")?)).await?;
    let (canceller, cancel) = cancellation();
    canceller.cancel();
    let refused = merge(&bench.call()?, &branch, &cancel).await;
    assert!(matches!(refused, Err(MergeError::Cancelled)), "{refused:?}");
    assert_eq!(bench.content("a")?, "one\n");
    merged(&bench, &branch).await??;
    assert_eq!(bench.content("a")?, "changed\n");
    Ok(())
}

#[tokio::test]
async fn line_ends_survive_a_merge() -> TestResult {
    let Some(bench) = Bench::new()? else { return Ok(()) };
    bench.put("dos", "one\r\ntwo\r\n")?;
    bench.git(&["add", "-A"])?;
    bench.git(&["commit", "-qm", "dos"])?;
    let branch = branch_of(&bench, |folder| Ok(put(folder, "dos", "one\r\nthree\r\n")?)).await?;
    merged(&bench, &branch).await??;
    assert_eq!(bench.content("dos")?, "one\r\nthree\r\n");
    Ok(())
}
