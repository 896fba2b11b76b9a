//! `read`: the content of a text file.

use super::error::ToolError;
use super::file_tool::FileCall;
use super::open;

pub(super) fn read(call: &FileCall) -> Result<String, ToolError> {
    let path = call.decided_path()?;
    let text = open::text(call.permitted(), path)?;
    // What the result will cut off the agent has not seen; an edit there would be made blind.
    if text.len() <= call.result_limit_bytes() {
        call.reads.note(call.agent(), path, &text);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use countersign_schemas::body::FinishOutcome;
    use serde_json::json;

    use crate::gate::PermitError;
    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{ArgumentError, FileError, READ, ToolError, ToolOutput};

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
    async fn long_file_is_cut_and_says_so() -> TestResult {
        let bench = Bench::new()?;
        bench.put("long", "0123456789".repeat(100_000))?;
        let output = bench.call(&READ, json!({"path": "long"})).await??;
        assert!(output.content.len() <= READ.result_limit_bytes);
        assert!(output.content.ends_with("of 1000000 bytes are shown]"));
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
