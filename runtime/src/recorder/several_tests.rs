//! Several recorders on one ledger, each as a process of its own would have it.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Moment};

use countersign_identity::instant::Window;
use countersign_ledger::handover::{FromAppender, Submission, SubmissionId, join};
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{EventCode, SessionEvent};
use countersign_schemas::payload::Salt;
use countersign_verifier::audit::{AuditOptions, Report, Verdict, audit};

use super::tests::{anchored_by, authority};
use super::*;

type Checked<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A ledger with the process that appends to it, and what others need to join.
struct Scene {
    _folder: tempfile::TempDir,
    path: PathBuf,
    authority: Authority,
    window: Window,
    anchored: AuditOptions,
}

impl Scene {
    fn new() -> Checked<(Self, Recorder)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ledger.db");
        let (authority, window) = authority().map_err(|error| error.to_string())?;
        let recorder = Recorder::create(&*path, &authority, window, Digest::sha256(b"build"))?;
        let anchored = anchored_by(&authority);
        let scene = Self {
            _folder: folder,
            path,
            authority,
            window,
            anchored,
        };
        Ok((scene, recorder))
    }

    fn join(&self) -> Result<Recorder, RecordError> {
        let place = Place::new(self.path.clone());
        Joining::open(&place, &self.authority)?.join(&self.authority, self.window)
    }

    fn report(&self) -> Checked<Report> {
        Ok(audit(&LedgerReader::open(&self.path)?, &self.anchored))
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, RecordError>>) -> Checked<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future)?)
}

fn remark(text: &str) -> Checked<(Body, Vec<Payload>)> {
    let detail = Payload::content(text)?;
    let body = SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: Some(detail.reference()),
    };
    Ok((body.into(), vec![detail]))
}

fn say(recorder: &Recorder, text: &str) -> Checked<Seq> {
    let (body, payloads) = remark(text)?;
    Ok(recorder.enter_own(body, payloads)?.durable_blocking()?)
}

/// What is heard comes in its own time.
fn wait_until(what: impl Fn() -> bool) -> Checked {
    let deadline = Moment::now() + Duration::from_secs(10);
    while !what() {
        if Moment::now() > deadline {
            return Err("it never came".into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

#[test]
fn what_two_processes_say_is_one_verified_ledger() -> Checked {
    let (scene, first) = Scene::new()?;
    let second = scene.join()?;
    assert_eq!(second.runtime().seq(), Seq::clamped(1));
    assert_eq!(say(&first, "one")?, Seq::clamped(2));
    assert_eq!(say(&second, "two")?, Seq::clamped(3));
    let (entered, size) = second.enter_concluded(None, |law, _| {
        let (body, payloads) = remark("concluded").map_err(|_| RecordError::Bug("no remark"))?;
        Ok::<_, RecordError>((body, payloads, law.head().size))
    })?;
    assert_eq!(entered.durable_blocking()?.size().get(), size.get() + 1);
    block_on(second.close())?;
    block_on(first.close())?;
    let report = scene.report()?;
    // Two introductions, three remarks, a stop, the close.
    assert_eq!((report.verdict(), report.entries), (Verdict::Verified, 7));
    Ok(())
}

#[test]
fn eight_processes_write_at_once_and_lose_nothing() -> Checked {
    const PROCESSES: u64 = 8;
    const REMARKS: u64 = 40;
    let (scene, first) = Scene::new()?;
    let mut recorders = vec![first];
    for _ in 1..PROCESSES {
        recorders.push(scene.join()?);
    }
    thread::scope(|scope| {
        let writers = recorders.into_iter().map(|recorder| {
            scope.spawn(move || -> Checked {
                for number in 0..REMARKS {
                    say(&recorder, &number.to_string())?;
                }
                // The first to end appends; each that is left takes its place in turn.
                block_on(recorder.close())
            })
        });
        let writers: Vec<_> = writers.collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| "panicked")?)
    })?;
    let report = scene.report()?;
    // Introductions and ends besides.
    let expected = PROCESSES * (REMARKS + 2);
    assert_eq!((report.verdict(), report.entries), (Verdict::Verified, expected));
    Ok(())
}

#[test]
fn process_that_appended_leaves_and_another_goes_on_where_it_stood() -> Checked {
    let (scene, first) = Scene::new()?;
    let (second, third) = (scene.join()?, scene.join()?);
    say(&first, "one")?;
    block_on(first.close())?;
    say(&second, "two")?;
    say(&third, "three")?;
    let late = scene.join()?;
    say(&late, "four")?;
    for recorder in [second, late, third] {
        block_on(recorder.close())?;
    }
    let report = scene.report()?;
    assert_eq!((report.verdict(), report.entries), (Verdict::Verified, 12));
    let beside = std::fs::read_dir(scene.path.parent().ok_or("no folder")?)?.count();
    assert!(beside <= 3, "{beside} files are left beside the ledger");
    Ok(())
}

#[test]
fn process_that_appended_dies_and_the_others_enter_nothing_more() -> Checked {
    let (scene, first) = Scene::new()?;
    let second = scene.join()?;
    say(&second, "one")?;
    drop(first);
    wait_until(|| matches!(second.lock().writer, Writer::Gone))?;
    let (body, payloads) = remark("two")?;
    let refused = second.enter_own(body, payloads).err();
    assert!(matches!(refused, Some(RecordError::Handover)));
    drop(second);
    assert_eq!(scene.report()?.verdict(), Verdict::Incomplete);
    let existing = Existing::open(&Place::new(scene.path.clone()), &scene.authority)?;
    let next = existing.take_up(&scene.authority, scene.window)?;
    block_on(next.close())?;
    assert_eq!(scene.report()?.verdict(), Verdict::Incomplete);
    Ok(())
}

#[test]
fn ledger_that_is_being_handed_on_is_opened_by_nobody_else() -> Checked {
    let (scene, first) = Scene::new()?;
    let second = scene.join()?;
    let opened = Existing::open(&Place::new(scene.path.clone()), &scene.authority).err();
    assert!(opened.is_some_and(|error| RecordError::from(error).is_passing()));
    block_on(second.close())?;
    block_on(first.close())?;
    let closed = scene.join().err();
    assert!(matches!(closed, Some(RecordError::Open(OpenError::Closed { .. }))));
    Ok(())
}

/// What somebody with a connection, but without the keys, can hand over.
#[test]
fn statement_that_its_author_did_not_sign_is_refused() -> Checked {
    let (scene, first) = Scene::new()?;
    let stranger = Newborn::generate()?.introduced_at(Seq::ZERO);
    let now = first.now();
    let (body, payloads) = remark("I am the runtime")?;
    let forged = first.lock().sign(first.ledger(), &stranger, body, now);
    let (body, _) = remark("I am")?;
    let genuine = first.lock().sign(first.ledger(), first.runtime(), body, now);
    let mut joined = join(&scene.path, first.ledger())?;
    let stored: Vec<_> = payloads.iter().map(Payload::to_stored).collect();
    let cases = [
        ("I2", forged.envelope, stored),
        ("I1", vec![0xa0; 40], Vec::new()),
        ("I9", genuine.envelope.clone(), Vec::new()),
        ("I9", genuine.envelope, vec![(Salt([0; 32]), b"I am not".to_vec())]),
    ];
    for (code, envelope, payloads) in cases {
        let submission = Submission { envelope, payloads };
        joined.voice.submit(SubmissionId::FIRST, submission)?;
        let FromAppender::Refused(_, refusal) = joined.ear.listen()? else {
            return Err(format!("{code}: not refused").into());
        };
        assert_eq!(refusal.code, code);
    }
    drop(joined);
    block_on(first.close())?;
    let report = scene.report()?;
    assert_eq!((report.verdict(), report.entries), (Verdict::Verified, 2));
    Ok(())
}

#[test]
fn entry_that_the_law_forbids_is_refused_to_a_joiner_by_the_same_rule() -> Checked {
    let (scene, first) = Scene::new()?;
    let second = scene.join()?;
    let stranger = Newborn::generate()?.introduced_at(Seq::clamped(9));
    let (body, payloads) = remark("who am I")?;
    let here = first.enter(&stranger, body.clone(), payloads).err();
    let (body, payloads) = remark("who am I")?;
    let there = second.enter(&stranger, body, payloads).err();
    let code = |error: Option<RecordError>| match error {
        Some(RecordError::Unlawful { finding, .. }) => Some(finding.code),
        _ => None,
    };
    assert!(code(here).is_some() && code(there).is_some());
    say(&second, "still here")?;
    Ok(())
}

#[test]
fn many_threads_of_a_joiner_enter_in_one_order() -> Checked {
    let (scene, first) = Scene::new()?;
    let second = Arc::new(scene.join()?);
    let threads: Vec<_> = (0..8)
        .map(|number: u32| {
            let recorder = Arc::clone(&second);
            thread::spawn(move || (0..20).try_for_each(|_| say(&recorder, &number.to_string()).map(drop)))
        })
        .collect();
    threads
        .into_iter()
        .try_for_each(|thread| thread.join().map_err(|_| "panicked")?)?;
    let second = Arc::into_inner(second).ok_or("still shared")?;
    block_on(second.close())?;
    block_on(first.close())?;
    let report = scene.report()?;
    assert_eq!((report.verdict(), report.entries), (Verdict::Verified, 164));
    Ok(())
}
