//! Joiners and an appender in one process, over real sockets, with an admission that only counts.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use countersign_schemas::digest::{LedgerId, Link};
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;
use countersign_schemas::statement::Seen;

use super::message::FromJoiner;
use super::*;
use crate::layout::Slot;
use crate::store::Row;

type Checked<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LEDGER: LedgerId = LedgerId::from_bytes([7; 32]);

/// Takes every envelope but `no`, and remembers them in order.
#[derive(Default)]
struct Counting {
    state: Mutex<Counted>,
    /// How long an entry takes to be durable.
    disk: Duration,
}

#[derive(Default)]
struct Counted {
    entries: Vec<Vec<u8>>,
    feeds: Feeds,
    is_leaving: bool,
}

impl Counted {
    fn position(&self) -> Seen {
        Seen {
            size: Size::clamped(self.entries.len() as u64),
            link: Link::from_bytes([1; 32]),
        }
    }

    fn enter(&mut self, submission: Submission) -> Result<Seq, NotAdmitted> {
        if self.is_leaving {
            return Err(NotAdmitted::Gone(GoneReason::Leaving));
        }
        if submission.envelope == b"no" {
            return Err(NotAdmitted::Refused(Refusal {
                code: "D4a".to_owned(),
                expected: "yes".to_owned(),
                found: "no".to_owned(),
            }));
        }
        let seq = self.position().size.next_seq();
        let payloads = submission.payloads.into_iter().enumerate();
        let payloads = payloads.filter_map(|(slot, (salt, content))| Some((Slot::new(slot as u8)?, salt, content)));
        let row = Row::new(seq, submission.envelope.clone(), payloads.collect());
        self.feeds
            .publish(&row.map_err(|_| NotAdmitted::Gone(GoneReason::Rubbish))?);
        self.entries.push(submission.envelope);
        Ok(seq)
    }
}

impl Counting {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admitted(&self, seq: Seq) -> Admitted {
        let disk = self.disk;
        let durable = Box::new(move || {
            thread::sleep(disk);
            true
        });
        Admitted { seq, durable }
    }
}

impl Admission for Counting {
    fn ledger(&self) -> LedgerId {
        LEDGER
    }

    fn subscribe(&self, feed: Feed) -> Result<(), GoneReason> {
        let mut state = self.lock();
        let position = state.position();
        state.feeds.add(feed, LEDGER, position);
        Ok(())
    }

    fn admit(&self, submission: Submission) -> Result<Admitted, NotAdmitted> {
        let seq = self.lock().enter(submission)?;
        Ok(self.admitted(seq))
    }

    fn admit_in_turn(&self, turn: &mut dyn FnMut(Seen) -> Option<Submission>) -> Result<Option<Admitted>, NotAdmitted> {
        let mut state = self.lock();
        let Some(submission) = turn(state.position()) else {
            return Ok(None);
        };
        let seq = state.enter(submission)?;
        Ok(Some(self.admitted(seq)))
    }
}

struct Scene {
    folder: tempfile::TempDir,
    admission: Arc<Counting>,
    server: Option<Server>,
}

fn scene() -> Checked<Scene> {
    scene_with(Counting::default())
}

fn scene_with(admission: Counting) -> Checked<Scene> {
    let folder = tempfile::tempdir()?;
    let admission = Arc::new(admission);
    let server = Server::start(
        &folder.path().join("l.db"),
        Arc::clone(&admission) as Arc<dyn Admission>,
    )?;
    Ok(Scene {
        folder,
        admission,
        server: Some(server),
    })
}

impl Scene {
    fn join(&self) -> Result<Joined, HandoverError> {
        join(&self.folder.path().join("l.db"), LEDGER)
    }

    fn raw(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.folder.path().join("l.db-sock"))
    }

    /// The server still takes joiners, and what they say.
    fn check_works(&self) -> Checked {
        let mut joined = self.join()?;
        submit(&mut joined, b"still here")?.map_err(|_| "refused")?;
        Ok(())
    }
}

fn submission(envelope: &[u8]) -> Submission {
    Submission {
        envelope: envelope.to_vec(),
        payloads: Vec::new(),
    }
}

/// Submits and waits for the answer, past whatever else is told.
fn submit(joined: &mut Joined, envelope: &[u8]) -> Checked<Result<Seq, Refusal>> {
    joined.voice.submit(SubmissionId::FIRST, submission(envelope))?;
    loop {
        match joined.ear.listen()? {
            FromAppender::Admitted(_, seq) => return Ok(Ok(seq)),
            FromAppender::Refused(_, refusal) => return Ok(Err(refusal)),
            FromAppender::Entry(_) | FromAppender::Durable(_) => {}
            _ => return Err("not an answer".into()),
        }
    }
}

fn gone(joined: &mut Joined) -> Checked<GoneReason> {
    loop {
        match joined.ear.listen()? {
            FromAppender::Gone(reason) => return Ok(reason),
            FromAppender::Entry(_) | FromAppender::Durable(_) => {}
            _ => return Err("not a farewell".into()),
        }
    }
}

#[test]
fn joiner_hears_every_entry_in_order_and_its_own_before_the_answer() -> Checked {
    let scene = scene()?;
    let (mut first, mut second) = (scene.join()?, scene.join()?);
    let with_payload = Submission {
        envelope: b"one".to_vec(),
        payloads: vec![(Salt([3; 32]), vec![4; 100_000])],
    };
    first.voice.submit(SubmissionId::FIRST, with_payload)?;
    for joined in [&mut first, &mut second] {
        let FromAppender::Entry(row) = joined.ear.listen()? else {
            return Err("not an entry".into());
        };
        assert_eq!((row.seq(), row.record()), (Seq::ZERO, &b"one"[..]));
        assert_eq!(row.payloads()[0].2, vec![4; 100_000]);
    }
    let FromAppender::Admitted(id, seq) = first.ear.listen()? else {
        return Err("not an answer".into());
    };
    assert_eq!((id, seq), (SubmissionId::FIRST, Seq::ZERO));
    assert!(matches!(first.ear.listen()?, FromAppender::Durable(size) if size == Size::clamped(1)));
    assert_eq!(submit(&mut second, b"two")?, Ok(Seq::clamped(1)));
    assert_eq!(scene.join()?.position.size, Size::clamped(2));
    Ok(())
}

#[test]
fn refusal_names_the_rule_and_enters_nothing() -> Checked {
    let scene = scene()?;
    let mut joined = scene.join()?;
    let refusal = submit(&mut joined, b"no")?.err().ok_or("it was admitted")?;
    assert_eq!((&*refusal.code, &*refusal.found), ("D4a", "no"));
    assert!(scene.admission.lock().entries.is_empty());
    assert_eq!(submit(&mut joined, b"yes")?, Ok(Seq::ZERO));
    Ok(())
}

#[test]
fn nobody_enters_anything_while_a_joiner_has_its_turn() -> Checked {
    let scene = scene()?;
    let (mut first, mut second) = (scene.join()?, scene.join()?);
    first.voice.ask_turn(SubmissionId::FIRST)?;
    let FromAppender::Turn(id, position) = first.ear.listen()? else {
        return Err("no turn".into());
    };
    assert_eq!(position.size, Size::ZERO);
    let other = thread::spawn(move || submit(&mut second, b"second"));
    thread::sleep(Duration::from_millis(50));
    first.voice.submit(id, submission(b"first"))?;
    assert_eq!(other.join().map_err(|_| "panicked")??, Ok(Seq::clamped(1)));
    assert_eq!(scene.admission.lock().entries, [b"first".to_vec(), b"second".to_vec()]);
    Ok(())
}

#[test]
fn turn_that_is_passed_or_slept_through_is_over() -> Checked {
    let scene = scene()?;
    let mut passing = scene.join()?;
    passing.voice.ask_turn(SubmissionId::FIRST)?;
    passing.ear.listen()?;
    passing.voice.pass(SubmissionId::FIRST)?;
    assert_eq!(submit(&mut passing, b"one")?, Ok(Seq::ZERO));

    let mut sleeping = scene.join()?;
    sleeping.voice.ask_turn(SubmissionId::FIRST)?;
    sleeping.ear.listen()?;
    let began = Instant::now();
    assert_eq!(submit(&mut passing, b"two")?, Ok(Seq::clamped(1)));
    assert!(began.elapsed() < TURN_WAIT + Duration::from_secs(1));
    assert_eq!(gone(&mut sleeping)?, GoneReason::Slow);
    Ok(())
}

#[test]
fn joiner_of_another_ledger_or_version_is_told_so() -> Checked {
    let scene = scene()?;
    let other = join(&scene.folder.path().join("l.db"), LedgerId::from_bytes([8; 32])).err();
    assert!(matches!(other, Some(HandoverError::Gone(GoneReason::OtherLedger))));
    let mut newer = FromJoiner::Hello(LEDGER).encode();
    newer[2] = 2;
    let mut stream = scene.raw()?;
    frame::write_frame(&stream, &newer)?;
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut answer)?;
    assert_eq!(answer[4..], FromAppender::Gone(GoneReason::Version).encode());
    scene.check_works()
}

#[test]
fn rubbish_ends_the_connection_that_sent_it_and_no_other() -> Checked {
    let scene = scene()?;
    let mut good = scene.join()?;
    for rubbish in [
        &[0xff; 64][..],
        &[0, 0, 0, 1, 0xa0],
        &[0, 0, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut before = scene.raw()?;
        before.write_all(rubbish)?;
        let mut behind = scene.raw()?;
        frame::write_frame(&behind, &FromJoiner::Hello(LEDGER).encode())?;
        behind.write_all(rubbish)?;
        for stream in [&mut before, &mut behind] {
            std::io::copy(stream, &mut std::io::sink())?;
        }
    }
    for misplaced in [FromJoiner::Hello(LEDGER), FromJoiner::Pass(SubmissionId::FIRST)] {
        let mut stream = scene.raw()?;
        frame::write_frame(&stream, &FromJoiner::Hello(LEDGER).encode())?;
        frame::write_frame(&stream, &misplaced.encode())?;
        std::io::copy(&mut stream, &mut std::io::sink())?;
    }
    assert_eq!(submit(&mut good, b"fine")?, Ok(Seq::ZERO));
    scene.check_works()
}

#[test]
fn half_a_message_holds_nobody_up() -> Checked {
    let scene = scene()?;
    let mut half = scene.raw()?;
    half.write_all(&[0, 0])?;
    let mut torn = scene.raw()?;
    frame::write_frame(&torn, &FromJoiner::Hello(LEDGER).encode())?;
    torn.write_all(&[0, 0, 1, 0, 0x83])?;
    drop(torn);
    scene.check_works()
}

#[test]
fn joiner_that_does_not_read_is_cut_off_and_the_others_go_on() -> Checked {
    let scene = scene()?;
    let (mut slow, mut good) = (scene.join()?, scene.join()?);
    // Eight more than may wait: the first ones go into the socket, one is taken beyond the limit.
    for _ in 0..WAITING_BYTES_MAX / (8 << 20) + 4 {
        good.voice.submit(
            SubmissionId::FIRST,
            Submission {
                envelope: b"large".to_vec(),
                payloads: vec![(Salt([0; 32]), vec![0; 8 << 20])],
            },
        )?;
        while !matches!(good.ear.listen()?, FromAppender::Admitted(..)) {}
    }
    assert_eq!(scene.admission.lock().feeds.count(), 1);
    let heard = std::iter::from_fn(|| slow.ear.listen().ok()).count();
    assert!(heard < WAITING_BYTES_MAX / (8 << 20));
    Ok(())
}

#[test]
fn sixty_fifth_joiner_is_told_that_there_is_no_room() -> Checked {
    let scene = scene()?;
    let mut all = Vec::new();
    for _ in 0..JOINERS_MAX {
        all.push(scene.join()?);
    }
    assert!(matches!(
        scene.join().err(),
        Some(HandoverError::Gone(GoneReason::Full))
    ));
    let leaver = all.pop().ok_or("nobody")?;
    leaver.voice.leave()?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if scene.check_works().is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err("the free place was not given away".into())
}

#[test]
fn appender_that_leaves_tells_everybody_behind_the_last_entry() -> Checked {
    let mut scene = scene()?;
    let (mut first, mut second) = (scene.join()?, scene.join()?);
    submit(&mut first, b"one")?.map_err(|_| "refused")?;
    let position = {
        let mut state = scene.admission.lock();
        state.is_leaving = true;
        state.position()
    };
    second.voice.submit(SubmissionId::FIRST, submission(b"too late"))?;
    let mut server = scene.server.take().ok_or("no server")?;
    server.shut();
    assert!(!scene.folder.path().join("l.db-sock").exists());
    server.leave(position);
    for joined in [&mut first, &mut second] {
        let last = std::iter::from_fn(|| joined.ear.listen().ok()).last();
        assert!(matches!(last, Some(FromAppender::Leaving(found)) if found == position));
    }
    assert_eq!(scene.admission.lock().entries, [b"one".to_vec()]);
    Ok(())
}

#[test]
fn joiner_learns_when_the_appender_dies() -> Checked {
    let mut scene = scene()?;
    let mut joined = scene.join()?;
    drop(scene.server.take());
    assert!(joined.ear.listen().is_err());
    let nobody = scene.join().err();
    assert!(matches!(nobody, Some(HandoverError::Place(place)) if place.is_nobody()));
    Ok(())
}

/// Eight joiners and four threads of the appender, each waiting for the disk after every entry as a run does.
///
/// Undisturbed nobody gets less than half of what another gets; on a machine that does other things at the same time the
/// threads of the appender, which need one switch less for an entry, get more than twice as much.
#[test]
fn nobody_starves_beside_the_others() -> Checked {
    const LOCALS: u8 = 4;
    const JOINERS: u8 = 8;
    let scene = scene_with(Counting {
        disk: Duration::from_millis(1),
        ..Counting::default()
    })?;
    let start = Barrier::new((LOCALS + JOINERS).into());
    let time = Duration::from_millis(500);
    thread::scope(|scope| -> Checked {
        let mut threads = Vec::new();
        for name in 0..LOCALS {
            let (admission, start) = (&scene.admission, &start);
            threads.push(scope.spawn(move || -> Checked {
                start.wait();
                let end = Instant::now() + time;
                while Instant::now() < end {
                    let admitted = admission.admit(submission(&[name])).map_err(|_| "not admitted")?;
                    (admitted.durable)();
                }
                Ok(())
            }));
        }
        for name in LOCALS..LOCALS + JOINERS {
            let (joined, start) = (scene.join()?, &start);
            threads.push(scope.spawn(move || {
                start.wait();
                submit_until_durable(joined, name, Instant::now() + time)
            }));
        }
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "panicked")?)
    })?;
    let mut shares = BTreeMap::<u8, u64>::new();
    for entry in &scene.admission.lock().entries {
        *shares.entry(entry[0]).or_default() += 1;
    }
    assert_eq!(shares.len(), usize::from(LOCALS + JOINERS));
    let (least, most) = (shares.values().min(), shares.values().max());
    let (least, most) = (least.ok_or("nobody")?, most.ok_or("nobody")?);
    assert!(5 * least >= *most, "shares: {shares:?}");
    Ok(())
}

fn submit_until_durable(mut joined: Joined, name: u8, end: Instant) -> Checked {
    while Instant::now() < end {
        joined.voice.submit(SubmissionId::FIRST, submission(&[name]))?;
        while !matches!(joined.ear.listen()?, FromAppender::Durable(_)) {}
    }
    Ok(())
}
