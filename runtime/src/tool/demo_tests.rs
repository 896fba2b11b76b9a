//! The demo's calls, played with the real tools and without a gate: what the story says has to be what happens.

use countersign_examples::{DEMO_PROJECT, DEMO_SCRIPT, unpack_demo};
use countersign_schemas::body::{AdviceRelation, FinishOutcome};
use serde_json::Value;

use super::builtin::BUILTIN;
use super::test_support::{Bench, LEAD, SCOUT, TestResult};
use super::{ToolError, ToolOutput};
use crate::model::{Model, ModelRequest, Script, ScriptedModel, System, ToolCall};

fn model() -> Result<ScriptedModel, Box<dyn std::error::Error>> {
    Ok(ScriptedModel::new(Script::parse(DEMO_SCRIPT.as_bytes())?))
}

/// All calls an agent proposes until it ends.
async fn calls(model: &ScriptedModel, agent: &str) -> Result<Vec<ToolCall>, Box<dyn std::error::Error>> {
    let request = ModelRequest {
        agent,
        system: System::fixed("Play."),
        tools: &[],
        messages: &[],
        output_tokens_max: 100,
        provider_advisor: None,
    };
    let mut proposed = Vec::new();
    loop {
        let answer = model.answer(&request, &|_| {}).await?;
        assert!(!answer.text().is_empty());
        if answer.calls().next().is_none() {
            return Ok(proposed);
        }
        proposed.extend(answer.calls().cloned());
    }
}

/// Runs what runs by itself; a call for the session is passed over.
async fn play(bench: &Bench, agent: u64, calls: &[ToolCall]) -> Result<Vec<ToolOutput>, Box<dyn std::error::Error>> {
    let mut outputs = Vec::new();
    for call in calls {
        let spec = BUILTIN
            .iter()
            .find(|spec| spec.name == call.tool().as_str())
            .ok_or("a built-in tool")?;
        spec.parse(call.arguments().as_bytes())?;
        if bench.tools.find(spec.name).is_some() {
            let arguments: Value = serde_json::from_slice(call.arguments().as_bytes())?;
            let result: Result<ToolOutput, ToolError> = bench.call_as(agent, spec, arguments).await?;
            outputs.push(result.unwrap_or_else(ToolOutput::from));
        }
    }
    Ok(outputs)
}

fn outcomes(outputs: &[ToolOutput]) -> Vec<&'static str> {
    outputs.iter().map(|output| output.outcome.as_str()).collect()
}

#[tokio::test]
async fn lead_finds_the_failure_and_mends_it() -> TestResult {
    let bench = Bench::new()?;
    unpack_demo(&bench.root)?;
    let calls = calls(&model()?, "lead").await?;
    let (push, calls): (Vec<_>, Vec<_>) = calls
        .into_iter()
        .partition(|call| String::from_utf8_lossy(call.arguments().as_bytes()).contains("git push"));
    assert_eq!(push.len(), 1, "the policy forbids it: it is never run");
    let outputs = play(&bench, LEAD, &calls).await?;
    assert_eq!(outcomes(&outputs), ["ok", "ok", "error", "ok", "ok", "ok", "ok", "ok"]);
    assert!(
        outputs[2].content.ends_with("3 of 4 checks failed\n[exit code 1]"),
        "{}",
        outputs[2].content
    );
    assert_eq!(outputs[4].content, "edited src/add.sh at line 4");
    assert!(
        outputs[5].content.ends_with("all 4 checks hold"),
        "{}",
        outputs[5].content
    );
    let before = DEMO_PROJECT
        .iter()
        .find(|file| file.path == "CHANGELOG.md")
        .ok_or("a changelog")?
        .content;
    let after = bench.content("CHANGELOG.md")?;
    assert!(before.lines().all(|line| after.contains(line)), "{after}");
    Ok(())
}

#[tokio::test]
async fn scout_finds_the_line_and_would_write_if_it_could() -> TestResult {
    let bench = Bench::new()?;
    unpack_demo(&bench.root)?;
    let calls = calls(&model()?, "scout").await?;
    let tools: Vec<_> = calls.iter().map(|call| call.tool().as_str()).collect();
    assert_eq!(tools, ["grep", "read", "read", "write"]);
    let outputs = play(&bench, SCOUT, &calls[..3]).await?;
    assert!(outputs.iter().all(|output| output.outcome == FinishOutcome::Ok));
    assert!(
        outputs[0].content.starts_with("src/add.sh:4:"),
        "{}",
        outputs[0].content
    );
    Ok(())
}

#[tokio::test]
async fn story_asks_the_advisor_once_and_follows() -> TestResult {
    let model = model()?;
    assert!(calls(&model, "advisor").await?.is_empty());
    let calls = calls(&model, "lead").await?;
    let place = |tool: &str| calls.iter().position(|call| call.tool().as_str() == tool);
    assert!(place("agent") < place("advisor") && place("advisor") < place("edit"));
    let advised: Vec<_> = calls
        .iter()
        .filter_map(|call| call.advice().map(|advice| (call, advice)))
        .collect();
    assert_eq!(advised.len(), 1);
    assert_eq!(
        (advised[0].0.tool().as_str(), advised[0].1.relation),
        ("edit", AdviceRelation::Followed)
    );
    Ok(())
}
