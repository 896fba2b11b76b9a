//! What many callers do at once stands in one lawful order.

use std::error::Error;
use std::thread;
use std::time::Duration;

use countersign_identity::trust::Anchor;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{Body, EventCode, SessionEvent};
use countersign_verifier::audit::{AuditOptions, Verdict, audit};
use countersign_verifier::code::Code;

use super::super::super::arguments::BenchWork;
use super::super::worker::{Task, Worker, work_together};
use super::*;
use crate::tool::cancellation;

type Checked<T = ()> = Result<T, Box<dyn Error>>;

/// A ledger in a folder of its own.
struct Stage {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Stage {
    fn set() -> Checked<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            authority: authority()?,
        })
    }

    async fn crew(&self, agents: u16) -> Checked<(Crew, Vec<Agent>)> {
        let ledger = self.folder.path().join("ledger.db");
        Ok(Crew::assemble(&self.authority, &ledger, self.folder.path(), agents).await?)
    }

    fn verdict(&self) -> Checked<(Verdict, u64)> {
        let anchored = AuditOptions {
            anchors: vec![Anchor::Long(self.authority.principal().clone())],
            ..AuditOptions::default()
        };
        let report = audit(&LedgerReader::open(&self.folder.path().join("ledger.db"))?, &anchored);
        Ok((report.verdict(), report.entries))
    }
}

fn block_on<T>(test: impl Future<Output = Checked<T>>) -> Checked<T> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build()?.block_on(test)
}

fn remark() -> Checked<(Body, Vec<Payload>)> {
    let detail = Payload::content("a remark")?;
    let remark = SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: Some(detail.reference()),
    };
    Ok((remark.into(), vec![detail]))
}

#[test]
fn what_a_bench_leaves_is_verified_and_has_every_entry_that_was_counted() -> Checked {
    check_what_is_left(BenchWork::Actions)?;
    check_what_is_left(BenchWork::Statements)
}

fn check_what_is_left(work: BenchWork) -> Checked {
    block_on(async {
        let stage = Stage::set()?;
        let (crew, agents) = stage.crew(4).await?;
        let before = crew.recorder.with_law(|law| law.next_seq().get());
        let crew = Arc::new(crew);
        let mut workers: Vec<Worker> = agents
            .into_iter()
            .map(|agent| Worker::new(Arc::clone(&crew), agent, work))
            .collect();
        let (_canceller, cancel) = cancellation();
        let task = Arc::new(Task::of(60, cancel));
        while !task.is_done() {
            work_together(&mut workers, &task, Duration::from_secs(1)).await?;
        }
        let counted: u64 = workers.iter().map(|worker| worker.laps().len()).sum();
        // Whole actions: the last caller may have begun one that goes beyond.
        assert!((60..72).contains(&counted), "{counted}");
        assert_eq!(crew.recorder.with_law(|law| law.next_seq().get()), before + counted);
        let agents = workers.into_iter().map(Worker::into_agent).collect();
        Arc::into_inner(crew).ok_or("a worker is left")?.dismiss(agents).await?;
        // Each of the four agents stops and its run is ended; then the ledger is closed.
        assert_eq!(stage.verdict()?, (Verdict::Verified, before + counted + 9));
        Ok(())
    })
}

#[test]
fn voices_of_one_agent_on_several_threads_stand_in_the_order_of_its_counter() -> Checked {
    block_on(async {
        let stage = Stage::set()?;
        let (crew, agents) = stage.crew(2).await?;
        let before = crew.recorder.with_law(|law| law.next_seq().get());
        let (recorder, voices) = (&crew.recorder, &agents);
        let said = thread::scope(|scope| {
            let speak = |number: usize| {
                (0..10).try_for_each(|_| {
                    let (body, payloads) = remark().map_err(|error| error.to_string())?;
                    let voice = &voices[number % 2].instance;
                    let entered = recorder.enter(voice, body, payloads);
                    entered.map_err(|error| error.to_string())?.in_order();
                    Ok(())
                })
            };
            let speaking: Vec<_> = (0..6).map(|number| scope.spawn(move || speak(number))).collect();
            speaking
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err("a panic".to_owned())))
                .collect::<Vec<_>>()
        });
        assert!(said.iter().all(Result::is_ok), "{said:?}");
        assert_eq!(crew.recorder.with_law(|law| law.next_seq().get()), before + 60);
        crew.dismiss(agents).await?;
        assert_eq!(stage.verdict()?.0, Verdict::Verified);
        Ok(())
    })
}

#[test]
fn a_refused_entry_among_others_leaves_no_gap() -> Checked {
    block_on(async {
        let stage = Stage::set()?;
        let (crew, agents) = stage.crew(1).await?;
        let (body, payloads) = remark()?;
        crew.recorder.enter(&agents[0].instance, body, payloads)?.in_order();
        // Nobody but a runtime instance ends a run (A5).
        let forbidden = RunEnded {
            run: agents[0].run,
            reason: RunEndReason::Done,
            result: None,
            spend: crew
                .recorder
                .with_law(|law| law.budget_left(agents[0].instance.seq()))
                .ok_or("no budget")?,
        };
        let refused = crew.recorder.enter(&agents[0].instance, forbidden.into(), Vec::new());
        let code = match refused.err() {
            Some(RecordError::Unlawful { finding, .. }) => Some(finding.code),
            _ => None,
        };
        assert_eq!(code, Some(Code::A5));
        let (body, payloads) = remark()?;
        crew.recorder
            .enter(&agents[0].instance, body, payloads)?
            .durable()
            .await?;
        crew.dismiss(agents).await?;
        assert_eq!(stage.verdict()?.0, Verdict::Verified);
        Ok(())
    })
}
