//! `glob`: the files of the workspace whose path fits a pattern.

use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher};

use super::error::ToolError;
use super::file_tool::FileCall;
use super::path::shown;
use super::walk;

/// Most paths in one answer.
const PATHS_MAX: usize = 1_000;

pub(super) fn glob(call: &FileCall) -> Result<String, ToolError> {
    let matcher = matcher(call.text("pattern")?)?;
    let root = call.decided_path()?;
    let walked = walk::files(call.permitted(), root, &call.stop)?;
    let fits = |path: &&std::path::PathBuf| path.strip_prefix(root).is_ok_and(|path| matcher.is_match(path));
    let found: Vec<_> = walked.files.iter().filter(fits).collect();
    let mut lines: Vec<_> = found
        .iter()
        .take(PATHS_MAX)
        .map(|path| shown(path, call.workspace()))
        .collect();
    if found.is_empty() {
        lines.push("[no file fits]".to_owned());
    }
    if found.len() > PATHS_MAX {
        lines.push(format!(
            "[cut: the first {PATHS_MAX} of {} paths are shown]",
            found.len()
        ));
    }
    lines.extend(walked.notices());
    Ok(lines.join("\n"))
}

/// `*` and `?` stay within one segment, `**` crosses segments.
fn matcher(pattern: &str) -> Result<GlobMatcher, ToolError> {
    let leaves = |component| !matches!(component, Component::Normal(_) | Component::CurDir);
    if Path::new(pattern).components().any(leaves) {
        return Err(ToolError::GlobOutside {
            pattern: pattern.to_owned(),
        });
    }
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(ToolError::Glob)?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;
    use crate::tool::GLOB;
    use crate::tool::test_support::{Bench, LEAD, TestResult};

    async fn find(bench: &Bench, pattern: &str) -> Result<String, Box<dyn std::error::Error>> {
        Ok(bench.call(&GLOB, json!({ "pattern": pattern })).await??.content)
    }

    #[tokio::test]
    async fn paths_are_sorted_and_relative() -> TestResult {
        let bench = Bench::new()?;
        for path in ["src/z.rs", "src/a/m.rs", "b.rs", "b.txt"] {
            bench.put(path, "")?;
        }
        assert_eq!(find(&bench, "**/*.rs").await?, "b.rs\nsrc/a/m.rs\nsrc/z.rs");
        assert_eq!(find(&bench, "./src/*.rs").await?, "src/z.rs");
        assert_eq!(find(&bench, "*.rs").await?, "b.rs");
        assert_eq!(find(&bench, "*.c").await?, "[no file fits]");
        Ok(())
    }

    #[tokio::test]
    async fn pattern_that_leaves_the_workspace_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/secret", "")?;
        for pattern in ["../outside/*", "/etc/*", "src/../../outside/*", "..", "/"] {
            let refused = bench.call(&GLOB, json!({ "pattern": pattern })).await?;
            assert!(
                matches!(refused, Err(ToolError::GlobOutside { .. })),
                "{pattern}: {refused:?}"
            );
        }
        Ok(())
    }

    #[tokio::test]
    async fn alternatives_cannot_leave_the_workspace_either() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/secret", "")?;
        assert_eq!(find(&bench, "{..,x}/outside/*").await?, "[no file fits]");
        Ok(())
    }

    #[tokio::test]
    async fn links_are_named_but_not_followed() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/secret", "")?;
        symlink(bench.outside(), bench.root.join("out"))?;
        assert_eq!(find(&bench, "**/*").await?, "out");
        Ok(())
    }

    #[tokio::test]
    async fn hidden_ignored_and_secret_files_are_left_out() -> TestResult {
        let bench = Bench::new()?;
        for path in [".env", ".git/config", "target/out", "deploy.pem", "id_rsa", "keep"] {
            bench.put(path, "")?;
        }
        bench.put(".gitignore", "target/\n")?;
        bench.put("../.gitignore", "keep\n")?;
        assert_eq!(find(&bench, "**").await?, "keep");
        Ok(())
    }

    #[tokio::test]
    async fn broken_pattern_and_changed_workspace_are_refused() -> TestResult {
        let bench = Bench::new()?;
        let refused = bench.call(&GLOB, json!({"pattern": "a[b"})).await?;
        assert!(matches!(refused, Err(ToolError::Glob(_))), "{refused:?}");
        let permit = bench.permit(LEAD, &GLOB, &json!({"pattern": "*"}))?;
        std::fs::rename(&bench.root, bench.outside())?;
        symlink("/etc", &bench.root)?;
        assert!(matches!(
            bench.run("glob", permit).await,
            Err(ToolError::PathChanged { .. })
        ));
        Ok(())
    }
}
