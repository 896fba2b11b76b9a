//! `read`: the content of a text file.

use super::error::ToolError;
use super::file_tool::FileCall;
use super::open::{self, Beginning};
use super::path::shown;
use super::preview::floor_boundary;

/// Room for the sentence on how to read on. The longest path takes 16 KiB in quotes.
const ADVICE_LEN_BYTES: usize = 20 << 10;

/// A file that is too long is shown from its beginning, with advice on how to read on. It is not kept in another file,
/// which would be too long in its turn.
pub(super) fn read(call: &FileCall) -> Result<String, ToolError> {
    let path = call.decided_path()?;
    let limit = call.result_limit_bytes();
    let beginning = open::beginning(call.permitted(), path, limit)?;
    if beginning.is_whole() {
        // Only now has the agent seen it all; an edit elsewhere would be made blind.
        call.reads.note(call.agent(), path, &beginning.text);
        return Ok(beginning.text);
    }
    Ok(with_advice(
        beginning,
        limit - ADVICE_LEN_BYTES,
        &shown(path, call.workspace()),
    ))
}

/// The first lines of at most `limit` bytes, or a part of the first, and where they end.
fn with_advice(beginning: Beginning, limit: usize, path: &str) -> String {
    let Beginning {
        mut text,
        file_len_bytes,
    } = beginning;
    text.truncate(floor_boundary(&text, limit));
    let quoted = quoted(path);
    let next = match text.rfind('\n') {
        Some(end) => {
            text.truncate(end + 1);
            let lines = text.matches('\n').count();
            format!("the next lines: sed -n '{},{}p' {quoted}", lines + 1, 2 * lines)
        }
        None => {
            let next = format!("the next bytes: tail -c +{} {quoted} | head -c {limit}", text.len() + 1);
            text.push('\n');
            next
        }
    };
    let shown = text.trim_end_matches('\n').len();
    text.push_str(&format!(
        "[the first {shown} of {file_len_bytes} bytes are shown; find lines with `grep`, or read on with `bash`, {next}]"
    ));
    text
}

/// A path as one word of a shell command.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use countersign_schemas::body::FinishOutcome;
    use serde_json::json;

    use crate::gate::PermitError;
    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{ArgumentError, BASH, EDIT, EditError, FileError, READ, ToolError, ToolOutput};

    #[tokio::test]
    async fn content_is_given_as_it_is() -> TestResult {
        let bench = Bench::new()?;
        bench.put("src/a.txt", "caf\u{e9}\n\n")?;
        let output = bench.call(&READ, json!({"path": "./src//a.txt"})).await??;
        assert_eq!(
            output,
            ToolOutput {
                content: "caf\u{e9}\n\n".to_owned(),
                outcome: FinishOutcome::Ok
            }
        );
        Ok(())
    }

    #[tokio::test]
    async fn link_swapped_in_after_the_decision_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("notes", "harmless")?;
        bench.put("../outside/secret", "secret")?;
        let permit = bench.permit(LEAD, &READ, &json!({"path": "notes"}))?;
        std::fs::remove_file(bench.root.join("notes"))?;
        symlink(bench.outside().join("secret"), bench.root.join("notes"))?;
        let refused = bench.run("read", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        Ok(())
    }

    #[tokio::test]
    async fn folder_swapped_for_a_link_after_the_decision_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("docs/secret", "harmless")?;
        bench.put("../outside/secret", "secret")?;
        let permit = bench.permit(LEAD, &READ, &json!({"path": "docs/secret"}))?;
        std::fs::rename(bench.root.join("docs"), bench.root.join("was"))?;
        symlink(bench.outside(), bench.root.join("docs"))?;
        let refused = bench.run("read", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        Ok(())
    }

    #[tokio::test]
    async fn link_is_read_where_the_decision_says_it_leads() -> TestResult {
        let bench = Bench::new()?;
        bench.put("../outside/file", "decided")?;
        symlink(bench.outside().join("file"), bench.root.join("link"))?;
        let output = bench.call(&READ, json!({"path": "link"})).await??;
        assert_eq!(output.content, "decided");
        Ok(())
    }

    #[tokio::test]
    async fn permit_with_another_path_than_the_arguments_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "a")?;
        bench.put("b", "b")?;
        let permit = bench.permit_for(LEAD, &READ, br#"{"path":"a"}"#, Some(bench.root.join("b")))?;
        let refused = bench.run("read", permit).await;
        assert!(matches!(refused, Err(ToolError::PathChanged { .. })), "{refused:?}");
        Ok(())
    }

    #[tokio::test]
    async fn permit_without_a_path_or_for_another_tool_is_refused() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "a")?;
        let permit = bench.permit_for(LEAD, &READ, br#"{"path":"a"}"#, None)?;
        let refused = bench.run("read", permit).await;
        assert!(
            matches!(refused, Err(ToolError::Permit(PermitError::NoPath))),
            "{refused:?}"
        );
        let permit = bench.permit(LEAD, &READ, &json!({"path": "a"}))?;
        let refused = bench.run("edit", permit).await;
        assert!(
            matches!(refused, Err(ToolError::Permit(PermitError::OtherTool { .. }))),
            "{refused:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn wrong_arguments_are_an_error_and_no_panic() -> TestResult {
        let bench = Bench::new()?;
        for arguments in [
            json!({}),
            json!({"path": 1}),
            json!({"path": "a", "limit": "1"}),
            json!({"path": ""}),
        ] {
            let refused = bench.call(&READ, arguments).await?;
            assert!(matches!(refused, Err(ToolError::Arguments(_))), "{refused:?}");
        }
        let permit = bench.permit_for(LEAD, &READ, b"{\"path\": \"a\"}", None)?;
        let refused = bench.run("read", permit).await;
        assert!(
            matches!(refused, Err(ToolError::Arguments(ArgumentError::NotCanonical(_)))),
            "{refused:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn what_is_no_text_file_is_refused_by_name() -> TestResult {
        let bench = Bench::new()?;
        bench.put("latin1", b"caf\xe9")?;
        for (path, reason) in [
            ("latin1", "is not UTF-8 text"),
            (".", "is not a regular file"),
            ("gone", "cannot open"),
        ] {
            let refused = bench.call(&READ, json!({ "path": path })).await?;
            let output = refused.unwrap_or_else(ToolOutput::from);
            assert_eq!(output.outcome, FinishOutcome::Error);
            assert!(output.content.contains(reason), "{}", output.content);
        }
        Ok(())
    }

    #[tokio::test]
    async fn long_file_is_shown_from_its_beginning_and_never_kept_again() -> TestResult {
        let bench = Bench::new()?;
        bench.put("it's long", "0123456789\n".repeat(100_000))?;
        let settled = bench.settled(&READ, json!({"path": "it's long"})).await?;
        assert!(settled.content.len() <= READ.result_limit_bytes && settled.spilled.is_none());
        let (shown, advice) = settled.content.rsplit_once("\n[").ok_or("advice")?;
        let lines = shown.lines().count();
        assert!(shown.lines().all(|line| line == "0123456789"));
        assert_eq!(
            advice,
            format!(
                "the first {} of 1100000 bytes are shown; find lines with `grep`, or read on with `bash`, the next \
                 lines: sed -n '{},{}p' 'it'\\''s long']",
                shown.len(),
                lines + 1,
                2 * lines
            )
        );
        assert!(!bench.root.join(".countersign").exists());
        Ok(())
    }

    #[tokio::test]
    async fn long_line_is_cut_between_characters_with_the_next_byte() -> TestResult {
        let bench = Bench::new()?;
        bench.put("long", "\u{20ac}".repeat(4 << 20))?;
        let content = bench.call(&READ, json!({"path": "long"})).await??.content;
        let (shown, advice) = content.rsplit_once("\n[").ok_or("advice")?;
        assert!(shown.chars().all(|character| character == '\u{20ac}'));
        assert!(
            advice.contains(&format!("tail -c +{} 'long' | head -c", shown.len() + 1)),
            "{advice}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn part_of_a_file_is_not_enough_to_edit_it() -> TestResult {
        let bench = Bench::new()?;
        bench.put("long", "0123456789\n".repeat(100_000))?;
        bench.call(&READ, json!({"path": "long"})).await??;
        let refused = bench
            .call(&EDIT, json!({"path": "long", "old": "0", "new": "1"}))
            .await?;
        assert!(
            matches!(refused, Err(ToolError::Edit(EditError::NotRead { .. }))),
            "{refused:?}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn kept_result_can_be_read() -> TestResult {
        let bench = Bench::new()?;
        let command = json!({"command": "yes 0123456789 | head -n 8000"});
        let spilled = bench.settled(&BASH, command).await?.spilled.ok_or("it is kept")?;
        let output = bench.call(&READ, json!({ "path": spilled.path })).await??;
        assert!(output.content.starts_with(&"0123456789\n".repeat(7_999)));
        Ok(())
    }

    #[tokio::test]
    async fn unreadable_file_names_the_systems_reason() -> TestResult {
        let bench = Bench::new()?;
        let refused = bench.call(&READ, json!({"path": "gone"})).await?;
        assert!(
            matches!(refused, Err(ToolError::File(FileError::Io { .. }))),
            "{refused:?}"
        );
        let output = refused.unwrap_or_else(ToolOutput::from);
        assert!(output.content.contains("No such file"), "{}", output.content);
        Ok(())
    }

    #[tokio::test]
    async fn interrupted_call_reads_nothing() -> TestResult {
        let bench = Bench::new()?;
        bench.put("a", "a")?;
        bench.canceller.cancel();
        let refused = bench.call(&READ, json!({"path": "a"})).await?;
        assert_eq!(refused.unwrap_or_else(ToolOutput::from).outcome, FinishOutcome::Aborted);
        Ok(())
    }
}
