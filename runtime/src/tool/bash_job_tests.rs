use serde_json::json;

use super::*;
use crate::gate::PermitError;
use crate::tool::test_support::{Bench, LEAD, SCOUT, TestResult};
use crate::tool::{BASH, BASH_START, JobError, Overflow, Shell, start_job};

type Ended = BoxFuture<'static, ToolOutput>;

fn start(bench: &Bench, command: &str) -> Result<(String, Ended), Box<dyn std::error::Error>> {
    let permit = bench.permit(LEAD, &BASH_START, &json!({ "command": command }))?;
    let (id, ended) = start_job(permit, &bench.context(), &Shell::find(std::env::vars_os())?)?;
    Ok((id.to_string(), ended))
}

#[tokio::test]
async fn permit_for_another_tool_starts_nothing() -> TestResult {
    let bench = Bench::new()?;
    let permit = bench.permit(LEAD, &BASH, &json!({"command": "touch begun"}))?;
    let refused = start_job(permit, &bench.context(), &Shell::find([])?)
        .err()
        .ok_or("started")?;
    assert!(
        matches!(refused, ToolError::Permit(PermitError::OtherTool { .. })),
        "{refused:?}"
    );
    assert!(!bench.root.join("begun").exists());
    Ok(())
}

#[tokio::test]
async fn job_of_another_agent_and_a_made_up_one_are_unknown_alike() -> TestResult {
    let bench = Bench::new()?;
    let (id, _ended) = start(&bench, "sleep 60")?;
    for (agent, job) in [(SCOUT, id.as_str()), (LEAD, "job-2"), (LEAD, "1")] {
        for spec in [&BASH_READ, &BASH_STOP] {
            let refused = bench.call_as(agent, spec, json!({ "job": job })).await?;
            let expected = JobError::Unknown { job: job.to_owned() };
            assert!(
                matches!(&refused, Err(ToolError::Job(error)) if *error == expected),
                "{refused:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn job_is_read_and_stopped() -> TestResult {
    let bench = Bench::new()?;
    let (id, ended) = start(
        &bench,
        "exec 2>/dev/null; trap 'echo tidied; exit 0' TERM; echo begun; while :; do sleep 0.05; done",
    )?;
    assert_eq!(id, "job-1");
    let mut content = String::new();
    while !content.starts_with("begun") {
        content = bench.call(&BASH_READ, json!({ "job": id })).await??.content;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(content, "begun\n[job-1 is running]");
    let content = bench.call(&BASH_READ, json!({ "job": id })).await??.content;
    assert_eq!(content, "[no new output]\n[job-1 is running]");
    let content = bench.call(&BASH_STOP, json!({ "job": id })).await??.content;
    assert_eq!(content, "tidied\n[job-1 has ended]\n[stopped]");
    assert_eq!(ended.await.content, "begun\ntidied\n[stopped]");
    Ok(())
}

#[tokio::test]
async fn long_output_is_read_in_parts_that_need_no_file() -> TestResult {
    let bench = Bench::new()?;
    let (id, ended) = start(&bench, "seq 20000")?;
    assert_eq!(ended.await.outcome, FinishOutcome::Ok);
    let whole: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    let mut read = String::new();
    while read.len() < whole.len() {
        let content = bench.settled(&BASH_READ, json!({ "job": id })).await?;
        assert_eq!(content.spilled, None);
        let end = content.content.find("\n[").ok_or("a notice")?;
        read.push_str(&content.content[..end]);
        // What a part ends with is trimmed where it is shown.
        if whole[read.len()..].starts_with('\n') {
            read.push('\n');
        }
    }
    assert!(read == whole);
    Ok(())
}

#[tokio::test]
async fn result_of_a_long_job_is_kept_like_any_other() -> TestResult {
    let bench = Bench::new()?;
    let permit = bench.permit(LEAD, &BASH_START, &json!({"command": "seq 100000"}))?;
    let overflow = Overflow::of(&permit);
    let (_, ended) = start_job(permit, &bench.context(), &Shell::find(std::env::vars_os())?)?;
    let content = ended.await.content;
    let settled = overflow
        .settle(content, BASH_START.result_limit_bytes, crate::tool::test_support::Plain)
        .await;
    let whole: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(bench.content(&settled.spilled.ok_or("it is kept")?.path)? == whole);
    Ok(())
}
