use std::future::Future;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use countersign_schemas::payload::Salt;

use super::*;
use crate::layout::Slot;
use crate::store::Sqlite;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a small number is a seq")
}

fn row(number: u64) -> Row {
    let slot = Slot::new(0).expect("0 is a slot");
    let payload = (slot, Salt([number as u8; 32]), vec![number as u8; 2000]);
    Row::new(seq(number), number.to_be_bytes().to_vec(), vec![payload]).expect("a row within the limits")
}

fn size(number: u64) -> Size {
    Size::new(number).expect("a small number is a size")
}

/// Stores in memory, in steps that the test allows one by one, and tells the size of each batch.
struct Stepped {
    size: Size,
    step: mpsc::Receiver<Result<(), StoreError>>,
    batches: mpsc::Sender<usize>,
}

impl Store for Stepped {
    fn size(&self) -> Size {
        self.size
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        assert_eq!(expected, self.size);
        self.step.recv().expect("the test allows every step")?;
        self.size = size(expected.get() + batch.len() as u64);
        let _ = self.batches.send(batch.len());
        Ok(self.size)
    }

    fn put_checkpoint(&mut self, _: Size, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

type Steps = (mpsc::Sender<Result<(), StoreError>>, mpsc::Receiver<usize>);

fn stepped() -> Result<(Appender<Stepped>, Steps), Box<dyn std::error::Error>> {
    let (allow, step) = mpsc::channel();
    let (batches, done) = mpsc::channel();
    let appender = Appender::start(Stepped {
        size: size(0),
        step,
        batches,
    })?;
    Ok((appender, (allow, done)))
}

fn full() -> StoreError {
    StoreError::DiskFull {
        path: "ledger.db".into(),
        doing: "appending",
    }
}

/// Has the writer's thread write the row, though nobody waits for it yet.
fn submit_to_writer(appender: &Appender<Stepped>, row: Row) -> Durable {
    let durable = appender.submit(row);
    appender.desk.call_writer();
    durable
}

#[test]
fn what_is_queued_during_a_commit_goes_into_the_next_one_together() -> TestResult {
    let (appender, (allow, done)) = stepped()?;
    let first = submit_to_writer(&appender, row(0));
    // The first commit is held up, so everything after it queues: 600 rows make two batches.
    while !appender.desk.queue.is_idle() {
        std::thread::yield_now();
    }
    let rest: Vec<Durable> = (1..=600).map(|number| appender.submit(row(number))).collect();
    assert!(first.poll_now().is_none() && rest.iter().all(|durable| durable.poll_now().is_none()));
    for _ in 0..3 {
        allow.send(Ok(()))?;
    }
    first.wait()?;
    for durable in rest {
        durable.wait()?;
    }
    assert_eq!(done.try_iter().collect::<Vec<_>>(), [1, BATCH_ROWS_MAX, 88]);
    Ok(())
}

#[test]
fn caller_beyond_the_bound_is_held_back_until_there_is_room() -> TestResult {
    let (appender, (allow, _done)) = stepped()?;
    let first = submit_to_writer(&appender, row(0));
    while !appender.desk.queue.is_idle() {
        std::thread::yield_now();
    }
    let bound = QUEUED_MAX as u64;
    let rest: Vec<Durable> = (1..=bound).map(|number| appender.submit(row(number))).collect();
    let (took, taken) = mpsc::channel();
    std::thread::scope(|scope| {
        let one_more = scope.spawn(|| {
            let last = appender.submit(row(bound + 1));
            let _ = took.send(());
            last.wait()
        });
        assert!(taken.recv_timeout(Duration::from_millis(50)).is_err());
        // One row, 4,096 rows in eight batches, and the one that was held back.
        (0..10).try_for_each(|_| allow.send(Ok(())))?;
        assert!(one_more.join().is_ok_and(|answer| answer.is_ok()));
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    assert_eq!(taken.try_recv(), Ok(()));
    std::iter::once(first).chain(rest).try_for_each(Durable::wait)?;
    Ok(())
}

#[test]
fn caller_that_is_held_back_learns_of_the_failure() -> TestResult {
    let (appender, (allow, _done)) = stepped()?;
    let first = submit_to_writer(&appender, row(0));
    while !appender.desk.queue.is_idle() {
        std::thread::yield_now();
    }
    let bound = QUEUED_MAX as u64;
    let rest: Vec<Durable> = (1..=bound).map(|number| appender.submit(row(number))).collect();
    std::thread::scope(|scope| {
        let one_more = scope.spawn(|| appender.submit(row(bound + 1)).wait());
        // Whether it waits for room by now or comes later, it must get the same answer.
        allow.send(Err(full()))?;
        assert!(one_more.join().is_ok_and(is_disk_full));
        assert!(
            rest.into_iter()
                .chain([first])
                .all(|durable| is_disk_full(durable.wait()))
        );
        Ok(())
    })
}

#[test]
fn failure_poisons_the_batch_the_queue_and_everything_after() -> TestResult {
    let (appender, (allow, _)) = stepped()?;
    let durables: Vec<Durable> = (0..1000).map(|number| appender.submit(row(number))).collect();
    allow.send(Err(full()))?;
    for durable in durables {
        assert!(is_disk_full(durable.wait()));
    }
    assert!(is_disk_full(appender.submit(row(0)).wait()));
    assert!(is_disk_full(appender.submit(row(1000)).wait()));
    assert!(is_disk_full(appender.put_checkpoint(size(1), Vec::new()).wait()));
    assert!(matches!(appender.close(), Err(AppendError::Poisoned { .. })));
    Ok(())
}

fn is_disk_full(result: Result<(), AppendError>) -> bool {
    matches!(result, Err(AppendError::Poisoned { cause }) if matches!(*cause, StoreError::DiskFull { .. }))
}

#[test]
fn row_out_of_its_place_is_refused_and_harms_nobody() -> TestResult {
    let (appender, (allow, _)) = stepped()?;
    allow.send(Ok(()))?;
    let refused = appender.submit(row(1)).wait();
    assert!(matches!(refused, Err(AppendError::OutOfSequence { expected, found })
        if (expected, found) == (seq(0), seq(1))));
    appender.submit(row(0)).wait()?;
    assert_eq!(appender.next(), size(1));
    Ok(())
}

#[test]
fn whoever_learns_of_the_failure_finds_the_ledger_poisoned() -> TestResult {
    // The answer comes from the writer's thread, so a race would show in some of many rounds.
    for _ in 0..200 {
        let (appender, (allow, _)) = stepped()?;
        let first = appender.submit(row(0));
        allow.send(Err(full()))?;
        assert!(is_disk_full(first.wait()));
        assert!(
            is_disk_full(appender.submit(row(7)).wait()),
            "refused for its place, not for the failure"
        );
    }
    Ok(())
}

#[test]
fn checkpoint_that_does_not_fit_harms_nobody() -> TestResult {
    let folder = tempfile::tempdir()?;
    let appender = Appender::start(Sqlite::create(&folder.path().join("ledger.db"), &[row(0)])?)?;
    appender.put_checkpoint(size(1), b"note".to_vec()).wait()?;
    let early = appender.put_checkpoint(size(2), b"note".to_vec());
    let row = appender.submit(row(1));
    let late = appender.put_checkpoint(size(2), b"note".to_vec());
    let again = appender.put_checkpoint(size(1), b"other".to_vec());
    assert!(matches!(early.wait(), Err(AppendError::CheckpointRefused { .. })));
    row.wait()?;
    late.wait()?;
    assert!(matches!(again.wait(), Err(AppendError::CheckpointRefused { .. })));
    appender.close()?.close()?;
    Ok(())
}

#[test]
fn close_drains_the_queue() -> TestResult {
    let (appender, (allow, _)) = stepped()?;
    let durables: Vec<Durable> = (0..300).map(|number| appender.submit(row(number))).collect();
    for _ in 0..300 {
        allow.send(Ok(()))?;
    }
    let store = appender.close()?;
    assert_eq!(store.size(), size(300));
    for durable in durables {
        durable.wait()?;
    }
    Ok(())
}

#[test]
fn writer_that_panics_leaves_nobody_waiting() -> TestResult {
    let (appender, (allow, _)) = stepped()?;
    let durables: Vec<Durable> = (0..700).map(|number| appender.submit(row(number))).collect();
    drop(allow);
    for durable in durables {
        assert!(matches!(durable.wait(), Err(AppendError::WriterGone)));
    }
    assert!(matches!(appender.submit(row(700)).wait(), Err(AppendError::Closing)));
    assert!(matches!(appender.close(), Err(AppendError::WriterGone)));
    Ok(())
}

#[test]
fn callers_on_many_threads_are_all_answered() -> TestResult {
    let folder = tempfile::tempdir()?;
    let store = Sqlite::create(&folder.path().join("ledger.db"), &[row(0)])?;
    let appender = Appender::start(store)?;
    let next = std::sync::Mutex::new(1);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let durable = {
                        let mut next = next.lock().expect("no caller panics");
                        let durable = appender.submit(row(*next));
                        *next += 1;
                        durable
                    };
                    durable.wait().expect("nothing fails here");
                }
            });
        }
    });
    assert_eq!(appender.close()?.size(), size(401));
    Ok(())
}

#[test]
fn full_disk_poisons_and_every_acknowledged_entry_stays() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    let store = Sqlite::create(&path, &[row(0)])?;
    store.limit_pages(100)?;
    let appender = Appender::start(store)?;
    let mut acknowledged = 0;
    let refused = loop {
        match appender.submit(row(acknowledged + 1)).wait() {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1000, "the disk never got full");
    };
    assert!(is_disk_full(Err(refused)));
    assert!(is_disk_full(appender.submit(row(acknowledged + 1)).wait()));
    assert!(acknowledged > 10, "only {acknowledged} entries fitted");
    assert!(matches!(appender.close(), Err(AppendError::Poisoned { .. })));
    let store = Sqlite::open(&path)?;
    assert_eq!(
        store.size(),
        size(acknowledged + 1),
        "the refused batch left nothing behind"
    );
    store.close()?;
    Ok(())
}

/// Stores in memory and notes on which thread.
struct Noting {
    size: Size,
    threads: mpsc::Sender<std::thread::ThreadId>,
    panics_at: Option<u64>,
}

impl Store for Noting {
    fn size(&self) -> Size {
        self.size
    }

    fn append(&mut self, expected: Size, batch: &[Row]) -> Result<Size, StoreError> {
        assert_ne!(Some(expected.get()), self.panics_at, "the test wants it");
        let _ = self.threads.send(std::thread::current().id());
        self.size = size(expected.get() + batch.len() as u64);
        Ok(self.size)
    }

    fn put_checkpoint(&mut self, _: Size, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

type Noted = (Appender<Noting>, mpsc::Receiver<std::thread::ThreadId>);

fn noting(panics_at: Option<u64>) -> std::io::Result<Noted> {
    let (threads, noted) = mpsc::channel();
    let size = size(0);
    let appender = Appender::start(Noting {
        size,
        threads,
        panics_at,
    })?;
    // Until the writer sleeps nobody is alone.
    while !appender.desk.queue.is_quiet() {
        std::thread::yield_now();
    }
    Ok((appender, noted))
}

#[test]
fn who_is_alone_writes_on_its_own_thread() -> TestResult {
    let (appender, noted) = noting(None)?;
    for number in 0..20 {
        appender.submit(row(number)).wait()?;
        assert_eq!(noted.try_recv(), Ok(std::thread::current().id()), "entry {number}");
    }
    assert_eq!(appender.close()?.size(), size(20));
    Ok(())
}

#[test]
fn future_lets_the_others_of_its_task_speak_before_it_writes() -> TestResult {
    let (appender, noted) = noting(None)?;
    let mut context = Context::from_waker(Waker::noop());
    let mut alone = Box::pin(appender.submit(row(0)));
    assert!(alone.as_mut().poll(&mut context).is_pending());
    assert!(noted.try_recv().is_err(), "written before the others had their turn");
    assert!(matches!(alone.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    assert_eq!(noted.try_recv(), Ok(std::thread::current().id()));

    let mut first = Box::pin(appender.submit(row(1)));
    assert!(first.as_mut().poll(&mut context).is_pending());
    let second = appender.submit(row(2));
    assert_ne!(noted.recv()?, std::thread::current().id(), "two are no lone caller");
    second.wait()?;
    assert!(matches!(first.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    Ok(())
}

#[test]
fn what_nobody_waits_for_is_written_all_the_same() -> TestResult {
    let (appender, noted) = noting(None)?;
    drop(appender.submit(row(0)));
    assert_ne!(noted.recv()?, std::thread::current().id());
    Ok(())
}

#[test]
fn what_is_held_without_waiting_is_written_with_what_comes_next_and_at_the_end() -> TestResult {
    let (appender, _noted) = noting(None)?;
    let held = appender.submit(row(0));
    assert!(held.poll_now().is_none());
    appender.submit(row(1)).wait()?;
    assert!(
        matches!(held.poll_now(), Some(Ok(()))),
        "entries become durable in order"
    );
    let last = appender.submit(row(2));
    assert_eq!(appender.close()?.size(), size(3));
    last.wait()?;
    Ok(())
}

#[test]
fn lone_caller_that_panics_over_the_store_leaves_nobody_waiting() -> TestResult {
    let (appender, _noted) = noting(Some(1))?;
    appender.submit(row(0)).wait()?;
    std::thread::scope(|scope| {
        let lone = scope.spawn(|| appender.submit(row(1)).wait());
        assert!(lone.join().is_err(), "the panic is its own");
    });
    assert!(matches!(appender.submit(row(2)).wait(), Err(AppendError::Closing)));
    assert!(matches!(appender.close(), Err(AppendError::WriterGone)));
    Ok(())
}
