//! The appender's side: listens beside the ledger and takes what joiners hand over (handover-v1 §4).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use countersign_schemas::digest::LedgerId;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::statement::Seen;

use super::frame::{FRAME_BYTES_MAX, FrameReader, HELLO_BYTES_MAX, Patience, write_frame};
use super::message::{FromAppender, FromJoiner, GoneReason, MessageError, Refusal, Submission, SubmissionId};
use super::outbox::{Feed, Outbox};
use super::place::{Place, PlaceError};

/// Joiners that are taken at once. Each costs three threads and what waits for it.
pub const JOINERS_MAX: usize = 64;

/// Longest time for a connection to say what it wants.
const HELLO_WAIT: Duration = Duration::from_secs(5);

/// Longest time for which a joiner may keep everybody else out.
pub const TURN_WAIT: Duration = Duration::from_secs(2);

/// Longest time for which a joiner may not read at all.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for joiners to take in the last of the stream.
const FAREWELL_WAIT: Duration = Duration::from_secs(10);

/// Rest after the system could not accept a connection, for want of descriptors most likely.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What became of a submission that was taken.
pub struct Admitted {
    /// Its place.
    pub seq: Seq,
    /// Waits until the entry is on disk; false when that will never be known.
    pub durable: Box<dyn FnOnce() -> bool + Send>,
}

/// Why a submission was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdmitted {
    /// A rule forbids it; nothing has changed.
    Refused(Refusal),
    /// The ledger takes nothing more from here.
    Gone(GoneReason),
}

/// Who decides what becomes an entry, and where.
pub trait Admission: Send + Sync {
    /// The ledger.
    fn ledger(&self) -> LedgerId;

    /// Adds `feed` to those who are told of entries, see [`super::Feeds::add`].
    ///
    /// # Errors
    /// Why nobody is taken any more.
    fn subscribe(&self, feed: Feed) -> Result<(), GoneReason>;

    /// Judges the submission, appends it and publishes the entry to every feed.
    ///
    /// # Errors
    /// [`NotAdmitted`]; then nothing has changed.
    fn admit(&self, submission: Submission) -> Result<Admitted, NotAdmitted>;

    /// Lets nobody enter anything while `turn` is given the position and comes back with a submission, which is then
    /// judged as by [`Admission::admit`], or with none.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    fn admit_in_turn(&self, turn: &mut dyn FnMut(Seen) -> Option<Submission>) -> Result<Option<Admitted>, NotAdmitted>;
}

/// Why nobody can join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The socket could not be made.
    #[error("other processes cannot join this ledger")]
    Place(#[from] PlaceError),
    /// No thread for those who come.
    #[error("a thread for those who join the ledger could not be started")]
    Thread(#[source] io::Error),
}

/// Takes joiners until it is dropped, which hangs up on all of them.
pub struct Server {
    shared: Arc<Shared>,
    listener: UnixListener,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    admission: Arc<dyn Admission>,
    place: Place,
    is_shut: AtomicBool,
    /// Everybody who is connected; `None` before they were let in.
    connections: Mutex<BTreeMap<u64, Option<Arc<Outbox>>>>,
    left: Condvar,
}

impl Server {
    /// Listens beside `ledger`, an absolute path. The caller holds the writer's lock.
    ///
    /// # Errors
    /// [`ServerError`]; the ledger can then be written by this process alone.
    pub fn start(ledger: &Path, admission: Arc<dyn Admission>) -> Result<Self, ServerError> {
        let place = Place::beside(ledger);
        let listener = place.listen()?;
        let shared = Arc::new(Shared {
            admission,
            place,
            is_shut: AtomicBool::new(false),
            connections: Mutex::default(),
            left: Condvar::new(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            let listener = listener.try_clone().map_err(ServerError::Thread)?;
            thread::Builder::new()
                .name("ledger-door".to_owned())
                .spawn(move || shared.accept_all(&listener))
                .map_err(ServerError::Thread)?
        };
        Ok(Self {
            shared,
            listener,
            accepting: Some(accepting),
        })
    }

    /// Takes nobody more and removes the socket: to be done before the writer's lock is given up.
    pub fn shut(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        self.shared.is_shut.store(true, Ordering::SeqCst);
        self.shared.place.remove();
        // Wakes whoever waits in `accept`.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        // A thread that panicked accepts nobody either.
        let _ = accepting.join();
    }

    /// Tells everybody that everything up to `position` is durable and the lock is free, and waits until they know.
    pub fn leave(self, position: Seen) {
        self.say_last(&FromAppender::Leaving(position));
    }

    /// Tells everybody that the ledger could not be written.
    pub fn fail(self) {
        self.say_last(&FromAppender::Gone(GoneReason::Failed));
    }

    fn say_last(mut self, message: &FromAppender) {
        self.shut();
        let mut connections = self.shared.lock();
        for outbox in connections.values().flatten() {
            outbox.say_last(message);
        }
        let deadline = Instant::now() + FAREWELL_WAIT;
        while connections.values().flatten().next().is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.left.wait_timeout(connections, left);
            connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut();
        for outbox in self.shared.lock().values().flatten() {
            outbox.cut();
        }
    }
}

impl Shared {
    fn accept_all(self: &Arc<Self>, listener: &UnixListener) {
        for number in 0.. {
            let accepted = listener.accept();
            if self.is_shut.load(Ordering::SeqCst) {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.receive(number, stream),
                Err(_) => thread::sleep(ACCEPT_REST),
            }
        }
    }

    /// Gives a connection of our own user a thread. Nothing is read of anybody else.
    fn receive(self: &Arc<Self>, number: u64, stream: UnixStream) {
        if self.place.check_peer(&stream).is_err() || stream.set_write_timeout(Some(WRITE_WAIT)).is_err() {
            return;
        }
        {
            let mut connections = self.lock();
            if connections.len() >= JOINERS_MAX {
                drop(connections);
                let _ = write_frame(&stream, &FromAppender::Gone(GoneReason::Full).encode());
                return;
            }
            connections.insert(number, None);
        }
        let shared = Arc::clone(self);
        let started = thread::Builder::new().name("ledger-joiner".to_owned()).spawn(move || {
            let _gone = Leaver(&shared, number);
            // Whatever ends a connection ends that connection only.
            let _ = shared.serve(number, stream);
        });
        if started.is_err() {
            self.forget(number);
        }
    }

    fn serve(&self, number: u64, stream: UnixStream) -> io::Result<()> {
        let mut reader = FrameReader::new(stream.try_clone()?)?;
        let outbox = Arc::new(Outbox::new(stream));
        if let Err(reason) = self.greet(&mut reader) {
            outbox.say_last(&FromAppender::Gone(reason));
            outbox.send_all();
            return Ok(());
        }
        let (acknowledge, acknowledged) = channel();
        thread::scope(|scope| {
            let writer = Arc::clone(&outbox);
            thread::Builder::new().spawn_scoped(scope, move || writer.send_all())?;
            let _ended = Ender(&outbox);
            let announcer = Arc::clone(&outbox);
            thread::Builder::new().spawn_scoped(scope, move || announce(&announcer, &acknowledged))?;
            self.welcome(number, &outbox);
            let joiner = Joiner {
                admission: &*self.admission,
                outbox: &outbox,
                acknowledge,
            };
            if let Some(reason) = joiner.listen(&mut reader) {
                outbox.say_last(&FromAppender::Gone(reason));
            }
            Ok(())
        })
    }

    fn greet(&self, reader: &mut FrameReader) -> Result<(), GoneReason> {
        let hello = reader.next(HELLO_BYTES_MAX, Patience::Within(HELLO_WAIT));
        match FromJoiner::decode(hello.map_err(|_| GoneReason::Rubbish)?) {
            Ok(FromJoiner::Hello(ledger)) if ledger == self.admission.ledger() => Ok(()),
            Ok(FromJoiner::Hello(_)) => Err(GoneReason::OtherLedger),
            Err(MessageError::Version { .. }) => Err(GoneReason::Version),
            _ => Err(GoneReason::Rubbish),
        }
    }

    /// Puts the joiner on the list, so that it hears a farewell, then has it subscribed.
    fn welcome(&self, number: u64, outbox: &Arc<Outbox>) {
        self.lock().insert(number, Some(Arc::clone(outbox)));
        let refused = if self.is_shut.load(Ordering::SeqCst) {
            Some(GoneReason::Leaving)
        } else {
            self.admission.subscribe(Feed(Arc::clone(outbox))).err()
        };
        if let Some(reason) = refused {
            outbox.say_last(&FromAppender::Gone(reason));
        }
    }

    fn forget(&self, number: u64) {
        self.lock().remove(&number);
        self.left.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Option<Arc<Outbox>>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a connection off the list however its thread ends.
struct Leaver<'s>(&'s Shared, u64);

impl Drop for Leaver<'_> {
    fn drop(&mut self) {
        self.0.forget(self.1);
    }
}

/// Has the writer hang up once everything is sent, however listening ends.
struct Ender<'o>(&'o Outbox);

impl Drop for Ender<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What waits for the disk, in order.
type Unacknowledged = (Size, Box<dyn FnOnce() -> bool + Send>);

/// Tells a joiner which of its entries are durable; ends when there will be no more.
fn announce(outbox: &Outbox, acknowledged: &Receiver<Unacknowledged>) {
    for (size, durable) in acknowledged {
        if !durable() {
            outbox.say_last(&FromAppender::Gone(GoneReason::Failed));
            return;
        }
        outbox.say(&FromAppender::Durable(size));
    }
}

/// One joiner that was let in, as the thread that listens to it sees it.
struct Joiner<'a> {
    admission: &'a dyn Admission,
    outbox: &'a Outbox,
    acknowledge: Sender<Unacknowledged>,
}

impl Joiner<'_> {
    /// Does what the joiner asks for, one thing after the other, and says why it ends if the joiner does not know.
    fn listen(self, reader: &mut FrameReader) -> Option<GoneReason> {
        loop {
            let message = reader.next(FRAME_BYTES_MAX, Patience::Endless);
            let done = match FromJoiner::decode(message.ok()?) {
                Ok(FromJoiner::Submit(id, submission)) => self.answer(id, self.admission.admit(submission)),
                Ok(FromJoiner::AskTurn(id)) => self.give_turn(id, reader),
                Ok(FromJoiner::Leave) => return None,
                Ok(FromJoiner::Hello(_) | FromJoiner::Pass(_)) | Err(_) => Err(GoneReason::Rubbish),
            };
            if let Err(reason) = done {
                return Some(reason);
            }
        }
    }

    fn give_turn(&self, id: SubmissionId, reader: &mut FrameReader) -> Result<(), GoneReason> {
        let mut rubbish = None;
        let taken = self.admission.admit_in_turn(&mut |position| {
            self.outbox.say(&FromAppender::Turn(id, position));
            match in_turn(id, reader) {
                Ok(submission) => submission,
                Err(reason) => {
                    rubbish = Some(reason);
                    None
                }
            }
        });
        if let Some(reason) = rubbish {
            return Err(reason);
        }
        match taken {
            Ok(None) => Ok(()),
            Ok(Some(admitted)) => self.answer(id, Ok(admitted)),
            Err(error) => self.answer(id, Err(error)),
        }
    }

    fn answer(&self, id: SubmissionId, taken: Result<Admitted, NotAdmitted>) -> Result<(), GoneReason> {
        match taken {
            Ok(Admitted { seq, durable }) => {
                self.outbox.say(&FromAppender::Admitted(id, seq));
                // Whoever announces has ended only if nothing will ever be durable.
                let announced = self.acknowledge.send((seq.size(), durable));
                announced.map_err(|_| GoneReason::Failed)
            }
            Err(NotAdmitted::Refused(refusal)) => {
                self.outbox.say(&FromAppender::Refused(id, refusal));
                Ok(())
            }
            // The farewell says where the ledger stands; a reason before it would be the last thing said.
            Err(NotAdmitted::Gone(GoneReason::Leaving)) => Ok(()),
            Err(NotAdmitted::Gone(reason)) => Err(reason),
        }
    }
}

/// What the joiner does with its turn. Everybody waits for it, so the whole answer has to come in time.
fn in_turn(id: SubmissionId, reader: &mut FrameReader) -> Result<Option<Submission>, GoneReason> {
    let message = reader.next(FRAME_BYTES_MAX, Patience::Within(TURN_WAIT));
    match FromJoiner::decode(message.map_err(|_| GoneReason::Slow)?) {
        Ok(FromJoiner::Submit(found, submission)) if found == id => Ok(Some(submission)),
        Ok(FromJoiner::Pass(found)) if found == id => Ok(None),
        _ => Err(GoneReason::Rubbish),
    }
}
