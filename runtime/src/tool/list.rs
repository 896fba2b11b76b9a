//! `list`: the names in a folder.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType};

use super::error::ToolError;
use super::file_tool::FileCall;
use super::open::{self, FileError};
use super::path::shown;

/// Most names in one answer.
const NAMES_MAX: usize = 1_000;

pub(super) fn list(call: &FileCall) -> Result<String, ToolError> {
    let path = call.decided_path()?;
    let mut names = names(path, call)?;
    names.sort_unstable();
    let total = names.len();
    names.truncate(NAMES_MAX);
    if total > NAMES_MAX {
        names.push(format!("[cut: the first {NAMES_MAX} of {total} names are shown]"));
    }
    if names.is_empty() {
        names.push("[the folder is empty]".to_owned());
    }
    Ok(names.join("\n"))
}

fn names(path: &Path, call: &FileCall) -> Result<Vec<String>, ToolError> {
    let failed = |errno| FileError::from_errno(path, errno);
    let folder = open::listing(call.permitted(), path)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        call.stop.check()?;
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(format!("{}{}", shown_name(name), suffix(entry.file_type())));
        }
    }
    Ok(names)
}

fn shown_name(name: &[u8]) -> String {
    shown(
        &PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())),
        Path::new("/"),
    )
}

/// `/` behind a folder, `@` behind a symbolic link, as `ls -F` does.
fn suffix(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "/",
        FileType::Symlink => "@",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;
    use crate::tool::LIST;
    use crate::tool::test_support::{Bench, LEAD, TestResult};

    #[tokio::test]
    async fn names_are_sorted_and_show_their_kind() -> TestResult {
        let bench = Bench::new()?;
        for path in ["b.txt", "a/inner", ".hidden"] {
            bench.put(path, "")?;
        }
        symlink("b.txt", bench.root.join("c"))?;
        let output = bench.call(&LIST, json!({"path": "."})).await??;
        assert_eq!(output.content, ".hidden\na/\nb.txt\nc@");
        let output = bench.call(&LIST, json!({"path": "a"})).await??;
        assert_eq!(output.content, "inner");
        Ok(())
    }

    #[tokio::test]
    async fn empty_folder_says_so() -> TestResult {
        let bench = Bench::new()?;
        assert_eq!(
            bench.call(&LIST, json!({"path": "."})).await??.content,
            "[the folder is empty]"
        );
        Ok(())
    }

    #[tokio::test]
    async fn name_with_a_line_break_cannot_pose_as_two() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a\n[cut", "")?;
        assert_eq!(bench.call(&LIST, json!({"path": "."})).await??.content, "\"a\\n[cut\"");
        Ok(())
    }

    #[tokio::test]
    async fn many_names_are_cut() -> TestResult {
        let bench = Bench::new()?;
        for number in 0..=NAMES_MAX {
            bench.put(&format!("{number:05}"), "")?;
        }
        let output = bench.call(&LIST, json!({"path": "."})).await??;
        assert!(
            output
                .content
                .ends_with("00999\n[cut: the first 1000 of 1001 names are shown]")
        );
        Ok(())
    }

    #[tokio::test]
    async fn file_missing_folder_and_swapped_folder_are_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("file", "")?;
        for path in ["file", "gone"] {
            let refused = bench.call(&LIST, json!({ "path": path })).await?;
            assert!(matches!(refused, Err(ToolError::File(_))), "{refused:?}");
        }
        std::fs::create_dir(bench.root.join("folder"))?;
        let permit = bench.permit(LEAD, &LIST, &json!({"path": "folder"}))?;
        std::fs::remove_dir(bench.root.join("folder"))?;
        symlink("/etc", bench.root.join("folder"))?;
        assert!(matches!(
            bench.run("list", permit).await,
            Err(ToolError::PathChanged { .. })
        ));
        Ok(())
    }
}
