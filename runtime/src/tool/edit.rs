//! `edit`: one occurrence of a text in a file that the agent knows.

use std::path::Path;

use super::error::{EditError, ToolError};
use super::file_tool::FileCall;
use super::open::{self, Missing};
use super::path::shown;
use super::read_log::Knowledge;
use super::replace::replace;

pub(super) fn edit(call: &FileCall) -> Result<String, ToolError> {
    let (old, new) = (call.text("old")?, call.text("new")?);
    let path = call.decided_path()?;
    let text = open::text(call.permitted(), path)?;
    match call.reads.knowledge(call.agent(), path, &text) {
        Knowledge::Current => {}
        Knowledge::Unread => return Err(EditError::NotRead { path: path.to_owned() }.into()),
        Knowledge::Outdated => return Err(EditError::ChangedSinceRead { path: path.to_owned() }.into()),
    }
    let edited = substitute(&text, old, new, path)?;
    replace(call.permitted(), path, edited.as_bytes(), Missing::Refuse)?;
    call.reads.note(call.agent(), path, &edited);
    let line = text[..text.find(old).unwrap_or(0)].matches('\n').count() + 1;
    Ok(format!("edited {} at line {line}", shown(path, call.workspace())))
}

fn substitute(text: &str, old: &str, new: &str, path: &Path) -> Result<String, EditError> {
    if old == new {
        return Err(EditError::NoChange);
    }
    let first = text
        .find(old)
        .ok_or_else(|| EditError::NoOccurrence { path: path.to_owned() })?;
    // From both ends, because occurrences may overlap: "aa" is in "aaa" twice.
    if text.rfind(old) != Some(first) {
        return Err(EditError::Ambiguous { path: path.to_owned() });
    }
    Ok([&text[..first], new, &text[first + old.len()..]].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tool::test_support::{Bench, LEAD, SCOUT, TestResult};
    use crate::tool::{EDIT, FileError, READ, ToolOutput, WRITE};

    fn change(old: &str, new: &str) -> Value {
        json!({"path": "a", "old": old, "new": new})
    }

    async fn bench_after_read(content: &str) -> Result<Bench, Box<dyn std::error::Error>> {
        let bench = Bench::new()?;
        bench.put("a", content)?;
        bench.call(&READ, json!({"path": "a"})).await??;
        Ok(bench)
    }

    fn reason(called: Result<ToolOutput, ToolError>) -> Option<EditError> {
        match called {
            Err(ToolError::Edit(reason)) => Some(reason),
            _ => None,
        }
    }

    #[tokio::test]
    async fn only_occurrence_is_replaced() -> TestResult {
        let bench = bench_after_read("one\ntwo\nthree\n").await?;
        let output = bench.call(&EDIT, change("two", "2")).await??;
        assert_eq!(output.content, "edited a at line 2");
        assert_eq!(bench.content("a")?, "one\n2\nthree\n");
        Ok(())
    }

    #[tokio::test]
    async fn agent_knows_what_it_has_written_itself() -> TestResult {
        let bench = bench_after_read("one two").await?;
        bench.call(&EDIT, change("one", "1")).await??;
        bench.call(&EDIT, change("two", "")).await??;
        assert_eq!(bench.content("a")?, "1 ");
        bench.call(&WRITE, json!({"path": "a", "content": "fresh"})).await??;
        bench.call(&EDIT, change("fresh", "new")).await??;
        assert_eq!(bench.content("a")?, "new");
        Ok(())
    }

    #[tokio::test]
    async fn edit_without_read_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "one")?;
        let refused = reason(bench.call(&EDIT, change("one", "1")).await?);
        assert_eq!(
            refused,
            Some(EditError::NotRead {
                path: bench.root.join("a")
            })
        );
        assert_eq!(bench.content("a")?, "one");
        Ok(())
    }

    #[tokio::test]
    async fn read_by_another_agent_does_not_count() -> TestResult {
        let bench = bench_after_read("one").await?;
        let refused = reason(bench.call_as(SCOUT, &EDIT, change("one", "1")).await?);
        assert_eq!(
            refused,
            Some(EditError::NotRead {
                path: bench.root.join("a")
            })
        );
        Ok(())
    }

    #[tokio::test]
    async fn file_changed_since_the_read_is_refused() -> TestResult {
        let bench = bench_after_read("one").await?;
        bench.put("a", "one, changed by somebody else")?;
        let refused = reason(bench.call(&EDIT, change("one", "1")).await?);
        assert_eq!(
            refused,
            Some(EditError::ChangedSinceRead {
                path: bench.root.join("a")
            })
        );
        Ok(())
    }

    #[tokio::test]
    async fn file_seen_only_in_part_is_refused() -> TestResult {
        let bench = bench_after_read(&["x ".repeat(READ.result_limit_bytes), "end".to_owned()].concat()).await?;
        let refused = reason(bench.call(&EDIT, change("end", "END")).await?);
        assert_eq!(
            refused,
            Some(EditError::NotRead {
                path: bench.root.join("a")
            })
        );
        Ok(())
    }

    #[tokio::test]
    async fn ambiguous_missing_and_idle_edits_are_refused() -> TestResult {
        for (content, old, new) in [("aa bb aa", "aa", "c"), ("aaa", "aa", "c")] {
            let bench = bench_after_read(content).await?;
            let refused = reason(bench.call(&EDIT, change(old, new)).await?);
            assert_eq!(
                refused,
                Some(EditError::Ambiguous {
                    path: bench.root.join("a")
                })
            );
            assert_eq!(bench.content("a")?, content);
        }
        let bench = bench_after_read("one").await?;
        let refused = reason(bench.call(&EDIT, change("two", "2")).await?);
        assert_eq!(
            refused,
            Some(EditError::NoOccurrence {
                path: bench.root.join("a")
            })
        );
        assert_eq!(
            reason(bench.call(&EDIT, change("one", "one")).await?),
            Some(EditError::NoChange)
        );
        Ok(())
    }

    #[tokio::test]
    async fn empty_old_missing_file_and_binary_are_refused() -> TestResult {
        let bench = bench_after_read("one").await?;
        assert!(matches!(
            bench.call(&EDIT, change("", "x")).await?,
            Err(ToolError::Arguments(_))
        ));
        std::fs::remove_file(bench.root.join("a"))?;
        assert!(matches!(
            bench.call(&EDIT, change("one", "x")).await?,
            Err(ToolError::File(FileError::Io { .. }))
        ));
        bench.put("a", b"one\xff")?;
        let refused = bench.call(&EDIT, change("one", "x")).await?;
        assert!(
            matches!(refused, Err(ToolError::File(FileError::NotText { .. }))),
            "{refused:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn link_swapped_in_to_a_file_of_equal_content_is_refused() -> TestResult {
        let bench = bench_after_read("one").await?;
        bench.put("../outside/a", "one")?;
        let permit = bench.permit(LEAD, &EDIT, &change("one", "1"))?;
        std::fs::remove_file(bench.root.join("a"))?;
        std::os::unix::fs::symlink(bench.outside().join("a"), bench.root.join("a"))?;
        assert!(matches!(
            bench.run("edit", permit).await,
            Err(ToolError::PathChanged { .. })
        ));
        assert_eq!(bench.content("../outside/a")?, "one");
        Ok(())
    }
}
