//! `tool_schema`: the whole declaration of a tool that is offered by name only.

use countersign_schemas::body::FinishOutcome;
use serde_json::json;

use super::builtin::{BUILTIN, TOOL_SCHEMA};
use super::error::ToolError;
use super::spec::{Loading, ToolSpec};
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;

/// Shows declarations. That of a tool which the agent's grant does not name is no secret, and shows nothing that could
/// be done with it: the gate denies the call.
pub(super) struct ToolSchema;

impl Tool for ToolSchema {
    fn spec(&self) -> &'static ToolSpec {
        &TOOL_SCHEMA
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = permit.redeem(TOOL_SCHEMA.name, context.started)?;
            let members = TOOL_SCHEMA.parse(call.arguments())?;
            Ok(ToolOutput {
                content: declaration(members.text("tool")?)?,
                outcome: FinishOutcome::Ok,
            })
        })
    }
}

fn declaration(tool: &str) -> Result<String, ToolError> {
    let Some(spec) = BUILTIN.into_iter().find(|spec| spec.name == tool) else {
        return Err(ToolError::UnknownTool {
            tool: tool.to_owned(),
            deferred: deferred().join(", "),
        });
    };
    let declaration = json!({
        "name": spec.name, "description": spec.description, "input_schema": spec.input_schema(),
    });
    Ok(declaration.to_string())
}

fn deferred() -> Vec<&'static str> {
    BUILTIN
        .into_iter()
        .filter(|spec| spec.loading == Loading::Deferred)
        .map(|spec| spec.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::tool::test_support::{Bench, LEAD, TestResult};

    #[tokio::test]
    async fn deferred_tool_is_declared_in_full() -> TestResult {
        let bench = Bench::new()?;
        let output = bench.call(&TOOL_SCHEMA, json!({ "tool": "web_fetch" })).await??;
        assert_eq!(output.outcome, FinishOutcome::Ok);
        let declared: Value = serde_json::from_str(&output.content)?;
        assert_eq!(declared["input_schema"]["required"], json!(["url"]));
        assert_eq!(declared["input_schema"]["additionalProperties"], false);
        assert!(declared["description"].as_str().is_some_and(|text| !text.is_empty()));
        Ok(())
    }

    #[tokio::test]
    async fn permit_of_another_tool_is_refused() -> TestResult {
        let bench = Bench::new()?;
        let permit = bench.permit(LEAD, &super::super::TODO, &json!({ "items": "" }))?;
        let refused = ToolSchema.run(permit, bench.context()).await;
        assert!(matches!(refused, Err(ToolError::Permit(_))), "{refused:?}");
        Ok(())
    }

    #[test]
    fn every_tool_is_declared_within_the_limit_of_the_result() -> TestResult {
        for spec in BUILTIN {
            let declared = declaration(spec.name)?;
            assert!(declared.len() <= TOOL_SCHEMA.result_limit_bytes, "{}", spec.name);
            let declared: Value = serde_json::from_str(&declared)?;
            assert_eq!(declared["name"], spec.name);
            assert_eq!(declared["input_schema"], spec.input_schema());
        }
        Ok(())
    }

    #[test]
    fn unknown_tool_is_answered_with_those_there_are() {
        for tool in ["", "Read", "web fetch", "web_fetch ", "mcp__x"] {
            let refused = declaration(tool).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
            let expected = "; offered by name only are: web_fetch, bash_start, bash_read, bash_stop, merge";
            assert_eq!(refused, format!("there is no tool {tool:?}{expected}"));
        }
    }
}
