//! `write`: a whole new content for a file.

use super::error::ToolError;
use super::file_tool::FileCall;
use super::open::Missing;
use super::path::shown;
use super::replace::{Before, replace};

pub(super) fn write(call: &FileCall) -> Result<String, ToolError> {
    let content = call.text("content")?;
    let path = call.decided_path()?;
    let before = replace(call.permitted(), path, content.as_bytes(), Missing::Create)?;
    call.reads.note(call.agent(), path, content);
    let done = if before == Before::Nothing {
        "created"
    } else {
        "replaced"
    };
    Ok(format!(
        "{done} {} ({} bytes)",
        shown(path, call.workspace()),
        content.len()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use serde_json::json;

    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{FileError, ToolError, WRITE};

    fn names(bench: &Bench) -> std::io::Result<Vec<String>> {
        let mut names: Vec<_> = fs::read_dir(&bench.root)?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_, _>>()?;
        names.sort_unstable();
        Ok(names)
    }

    #[tokio::test]
    async fn file_and_its_folders_are_created_and_nothing_else() -> TestResult {
        let bench = Bench::new()?;
        let output = bench
            .call(&WRITE, json!({"path": "a/b/c.txt", "content": "x\n"}))
            .await??;
        assert_eq!(output.content, "created a/b/c.txt (2 bytes)");
        assert_eq!(bench.content("a/b/c.txt")?, "x\n");
        let output = bench
            .call(&WRITE, json!({"path": "a/b/c.txt", "content": ""}))
            .await??;
        assert_eq!(output.content, "replaced a/b/c.txt (0 bytes)");
        assert_eq!(fs::read_dir(bench.root.join("a/b"))?.count(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn permissions_survive_but_not_set_user_id() -> TestResult {
        let bench = Bench::new()?;
        bench.put("run.sh", "old")?;
        fs::set_permissions(bench.root.join("run.sh"), fs::Permissions::from_mode(0o4750))?;
        bench
            .call(&WRITE, json!({"path": "run.sh", "content": "new"}))
            .await??;
        assert_eq!(
            fs::metadata(bench.root.join("run.sh"))?.permissions().mode() & 0o7777,
            0o750
        );
        Ok(())
    }

    #[tokio::test]
    async fn link_swapped_in_between_decision_and_run_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("notes", "old")?;
        bench.put("../outside/target", "untouched")?;
        let permit = bench.permit(LEAD, &WRITE, &json!({"path": "notes", "content": "evil"}))?;
        fs::remove_file(bench.root.join("notes"))?;
        symlink(bench.outside().join("target"), bench.root.join("notes"))?;
        let refused = bench.run("write", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        assert_eq!(bench.content("../outside/target")?, "untouched");
        Ok(())
    }

    #[tokio::test]
    async fn parent_swapped_for_a_link_creates_nothing_outside() -> TestResult {
        let bench = Bench::new()?;
        fs::create_dir(bench.outside())?;
        let permit = bench.permit(LEAD, &WRITE, &json!({"path": "new/file", "content": "evil"}))?;
        symlink(bench.outside(), bench.root.join("new"))?;
        let refused = bench.run("write", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        assert_eq!(fs::read_dir(bench.outside())?.count(), 0);
        Ok(())
    }

    #[tokio::test]
    async fn dangling_link_is_decided_as_the_file_it_would_create() -> TestResult {
        let bench = Bench::new()?;
        fs::create_dir(bench.outside())?;
        symlink(bench.outside().join("created"), bench.root.join("link"))?;
        let inside = Some(bench.root.join("link"));
        let permit = bench.permit_for(LEAD, &WRITE, br#"{"content":"evil","path":"link"}"#, inside)?;
        let refused = bench.run("write", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        assert!(!bench.outside().join("created").exists());
        Ok(())
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_not_replaced() -> TestResult {
        let bench = Bench::new()?;
        fs::create_dir(bench.root.join("folder"))?;
        for path in ["folder", ".", "/", "/dev/null"] {
            let refused = bench.call(&WRITE, json!({"path": path, "content": "x"})).await?;
            assert!(
                matches!(refused, Err(ToolError::File(FileError::NotRegular { .. }))),
                "{path}: {refused:?}"
            );
        }
        bench.put("file", "")?;
        let permit = bench.permit_for(LEAD, &WRITE, br#"{"content":"x","path":"file/below"}"#, None)?;
        assert!(matches!(bench.run("write", permit).await, Err(ToolError::Permit(_))));
        Ok(())
    }

    #[tokio::test]
    async fn failed_write_leaves_no_temporary_file() -> TestResult {
        let bench = Bench::new()?;
        fs::create_dir(bench.root.join("folder"))?;
        let refused = bench.call(&WRITE, json!({"path": "folder", "content": "x"})).await?;
        assert!(refused.is_err());
        assert_eq!(names(&bench)?, ["folder"]);
        Ok(())
    }

    #[tokio::test]
    async fn content_is_not_interpreted() -> TestResult {
        let bench = Bench::new()?;
        let content = "\u{202e}\t\"\\ \r\n\0end";
        bench.call(&WRITE, json!({"path": "odd", "content": content})).await??;
        assert_eq!(bench.content("odd")?, content);
        Ok(())
    }
}
