use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::tool::BASH_START;
use crate::tool::test_support::{Bench, LEAD, SCOUT, TestResult, appears};

const MINUTE: Duration = Duration::from_secs(60);

fn shell() -> std::io::Result<Shell> {
    Shell::find(std::env::vars_os())
}

/// Starts a job of `agent` with `time_limit`.
fn start_for(
    bench: &Bench,
    agent: u64,
    command: &str,
    time_limit: Duration,
) -> Result<StartedJob, Box<dyn std::error::Error>> {
    let permit = bench.permit(agent, &BASH_START, &json!({ "command": command }))?;
    let context = bench.context();
    let call = CommandCall::new(&BASH_START, permit, &context)?;
    Ok(bench.jobs.start_for(call, shell()?, &context.cancel, time_limit)?)
}

fn start(bench: &Bench, agent: u64, command: &str) -> Result<StartedJob, Box<dyn std::error::Error>> {
    start_for(bench, agent, command, MINUTE)
}

fn seq(agent: u64) -> Seq {
    Seq::clamped(agent)
}

/// Waits until the job has written something.
async fn first_news(bench: &Bench, id: JobId) -> Result<News, JobError> {
    loop {
        let news = bench.jobs.read(seq(LEAD), id, 1_000)?;
        if !news.text.is_empty() || news.ending.is_some() {
            return Ok(news);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn only_the_form_that_is_given_out_is_an_id() {
    assert_eq!("job-1".parse(), Ok(JobId(1)));
    for text in [
        "",
        "1",
        "job-",
        "job-01",
        "job-+1",
        "JOB-1",
        "job-1 ",
        "job-99999999999999999999",
    ] {
        let refused = text.parse::<JobId>();
        assert_eq!(refused, Err(JobError::Unknown { job: text.to_owned() }));
    }
}

#[tokio::test]
async fn agent_reaches_no_job_of_another() -> TestResult {
    let bench = Bench::new()?;
    let StartedJob { id, .. } = start(&bench, LEAD, "echo mine; sleep 60")?;
    let unknown = Err(JobError::Unknown {
        job: "job-1".to_owned(),
    });
    assert_eq!(bench.jobs.read(seq(SCOUT), id, 100).map(|news| news.text), unknown);
    assert_eq!(bench.jobs.stop(seq(SCOUT), id).await.map(|()| String::new()), unknown);
    bench.jobs.stop_all(seq(SCOUT)).await;
    assert!(first_news(&bench, id).await?.ending.is_none(), "it still runs");
    bench.jobs.stop_all(seq(LEAD)).await;
    Ok(())
}

#[tokio::test]
async fn ninth_job_is_refused_until_one_ends() -> TestResult {
    let bench = Bench::new()?;
    let jobs: Vec<_> = (0..RUNNING_MAX)
        .map(|_| start(&bench, LEAD, "sleep 60"))
        .collect::<Result<_, _>>()?;
    let refused = start(&bench, LEAD, "touch begun").err().ok_or("it was started")?;
    assert!(
        refused.to_string().starts_with("8 of your jobs are running"),
        "{refused}"
    );
    start(&bench, SCOUT, "true")?;
    bench.jobs.stop(seq(LEAD), jobs[0].id).await?;
    start(&bench, LEAD, "true")?;
    bench.jobs.stop_all(seq(LEAD)).await;
    assert!(!bench.root.join("begun").exists());
    Ok(())
}

#[tokio::test]
async fn output_is_read_once_and_the_whole_is_the_result() -> TestResult {
    let bench = Bench::new()?;
    let StartedJob { id, ended } = start(
        &bench,
        LEAD,
        "echo one; until [ -e go ]; do sleep 0.02; done; echo two; exit 3",
    )?;
    assert_eq!(first_news(&bench, id).await?.text, "one\n");
    let nothing = bench.jobs.read(seq(LEAD), id, 100)?;
    assert!(nothing.text.is_empty() && nothing.ending.is_none());
    bench.put("go", "")?;
    let whole = ended.await;
    assert_eq!(
        (whole.content.as_str(), whole.outcome),
        ("one\ntwo\n[exit code 3]", FinishOutcome::Error)
    );
    let last = bench.jobs.read(seq(LEAD), id, 100)?;
    assert_eq!((last.text.as_str(), last.skipped, last.unread), ("two\n", 0, 0));
    assert_eq!(
        last.ending.map(|ending| ending.shown()),
        Some("[exit code 3]".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn stopped_job_leaves_no_process_and_says_so() -> TestResult {
    let bench = Bench::new()?;
    let command = "(trap '' TERM; sleep 4; touch survived) & echo begun; sleep 60";
    let StartedJob { id, ended } = start(&bench, LEAD, command)?;
    first_news(&bench, id).await?;
    bench.jobs.stop(seq(LEAD), id).await?;
    let whole = ended.await;
    assert_eq!(
        (whole.content.as_str(), whole.outcome),
        ("begun\n[stopped]", FinishOutcome::Aborted)
    );
    bench.jobs.stop(seq(LEAD), id).await?;
    assert!(!appears(&bench.root.join("survived")));
    Ok(())
}

#[tokio::test]
async fn end_of_the_agent_ends_its_jobs_and_forgets_them() -> TestResult {
    let bench = Bench::new()?;
    let command = "echo begun; (sleep 1.5; touch survived) & sleep 60";
    let (first, second) = (start(&bench, LEAD, command)?, start(&bench, LEAD, command)?);
    first_news(&bench, first.id).await?;
    bench.jobs.stop_all(seq(LEAD)).await;
    for StartedJob { id, ended } in [first, second] {
        assert_eq!(ended.await.outcome, FinishOutcome::Aborted);
        assert!(bench.jobs.read(seq(LEAD), id, 100).is_err());
    }
    assert!(!appears(&bench.root.join("survived")));
    Ok(())
}

#[tokio::test]
async fn interrupted_run_and_dropped_registry_end_every_job() -> TestResult {
    let bench = Bench::new()?;
    let interrupted = start(&bench, LEAD, "sleep 60")?;
    bench.canceller.cancel();
    let output = interrupted.ended.await;
    assert_eq!(
        (output.content.as_str(), output.outcome),
        ("[no output]\n[interrupted]", FinishOutcome::Aborted)
    );

    let mut bench = Bench::new()?;
    let orphan = start(&bench, LEAD, "sleep 60")?;
    bench.jobs = Arc::default();
    assert_eq!(orphan.ended.await.outcome, FinishOutcome::Aborted);
    Ok(())
}

#[tokio::test]
async fn time_limit_ends_a_job() -> TestResult {
    let bench = Bench::new()?;
    let begin = Instant::now();
    let job = start_for(&bench, LEAD, "echo begun; sleep 60", Duration::from_millis(1_200))?;
    let output = job.ended.await;
    assert_eq!(
        (output.content.as_str(), output.outcome),
        ("begun\n[stopped after 1 s]", FinishOutcome::Timeout)
    );
    assert!(begin.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[tokio::test]
async fn oldest_ended_jobs_are_forgotten() -> TestResult {
    let bench = Bench::new()?;
    let mut ids = Vec::new();
    for _ in 0..ENDED_MAX + 2 {
        let job = start(&bench, LEAD, "true")?;
        ids.push(job.id);
        job.ended.await;
    }
    assert!(bench.jobs.read(seq(LEAD), ids[0], 100).is_err());
    assert!(bench.jobs.read(seq(LEAD), ids[1], 100).is_ok());
    assert_eq!(ids.last(), Some(&JobId(ENDED_MAX as u64 + 2)));
    Ok(())
}

#[tokio::test]
async fn shell_that_cannot_run_is_told() -> TestResult {
    let bench = Bench::new()?;
    let permit = bench.permit(LEAD, &BASH_START, &json!({"command": "a\0b"}))?;
    let call = CommandCall::new(&BASH_START, permit, &bench.context())?;
    let job = bench.jobs.start(call, shell()?, &bench.context().cancel)?;
    let output = job.ended.await;
    assert!(output.content.contains("[cannot run /"), "{}", output.content);
    assert_eq!(output.outcome, FinishOutcome::Error);
    Ok(())
}
