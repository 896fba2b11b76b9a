//! A joiner's side: one half speaks, the other hears (handover-v1 §4).

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use countersign_schemas::digest::LedgerId;
use countersign_schemas::statement::Seen;

use super::frame::{FRAME_BYTES_MAX, FrameError, FrameReader, Patience, write_frame};
use super::message::{FromAppender, FromJoiner, GoneReason, MessageError, Submission, SubmissionId};
use super::place::{Place, PlaceError};

/// Longest wait for a place among the joiners. The appender may be judging something large just then.
const WELCOME_WAIT: Duration = Duration::from_secs(10);

/// Why a process did not join, or hears nothing more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// Nobody was reached.
    #[error("the process that writes the ledger was not reached")]
    Place(#[from] PlaceError),
    /// The connection ended, or broke the rules of its frames.
    #[error("the process that writes the ledger is gone")]
    Frame(#[from] FrameError),
    /// It said something that is no message.
    #[error("the process that writes the ledger said something that makes no sense")]
    Message(#[from] MessageError),
    /// It said something else than was due.
    #[error("the process that writes the ledger answered out of turn")]
    OutOfTurn,
    /// It hung up, and said why.
    #[error("the process that writes the ledger hung up: {}", .0.word())]
    Gone(GoneReason),
    /// Nothing could be sent.
    #[error("nothing could be sent to the process that writes the ledger")]
    Io(#[from] io::Error),
}

/// A connection to the appender, from a position on.
pub struct Joined {
    /// Where the ledger stood; every later entry will be heard.
    pub position: Seen,
    /// Speaks.
    pub voice: Voice,
    /// Hears.
    pub ear: Ear,
}

/// Joins the appender of `ledger` at its path, an absolute one.
///
/// # Errors
/// [`PlaceError::is_nobody`] in a [`HandoverError::Place`] when nobody listens; [`HandoverError::Gone`] with the reason why
/// the appender takes nobody.
pub fn join(path: &Path, ledger: LedgerId) -> Result<Joined, HandoverError> {
    let stream = Place::beside(path).connect()?;
    let voice = Voice(stream.try_clone()?);
    let mut ear = Ear(FrameReader::new(stream)?);
    // Whoever takes nobody may have hung up already; what it said is still to be heard.
    let _ = voice.say(&FromJoiner::Hello(ledger));
    match ear.hear(Patience::Within(WELCOME_WAIT))? {
        FromAppender::Welcome(found, position) if found == ledger => Ok(Joined { position, voice, ear }),
        FromAppender::Gone(reason) => Err(HandoverError::Gone(reason)),
        FromAppender::Leaving(_) => Err(HandoverError::Gone(GoneReason::Leaving)),
        _ => Err(HandoverError::OutOfTurn),
    }
}

/// The half of a connection that speaks.
pub struct Voice(UnixStream);

impl Voice {
    /// Hands a statement over; the answer has the same id.
    ///
    /// # Errors
    /// The operating system's.
    pub fn submit(&self, id: SubmissionId, submission: Submission) -> io::Result<()> {
        self.say(&FromJoiner::Submit(id, submission))
    }

    /// Asks to be alone with the ledger for one submission.
    ///
    /// # Errors
    /// The operating system's.
    pub fn ask_turn(&self, id: SubmissionId) -> io::Result<()> {
        self.say(&FromJoiner::AskTurn(id))
    }

    /// Gives the turn back unused.
    ///
    /// # Errors
    /// The operating system's.
    pub fn pass(&self, id: SubmissionId) -> io::Result<()> {
        self.say(&FromJoiner::Pass(id))
    }

    /// Says that nothing more will come. The appender then hangs up.
    ///
    /// # Errors
    /// The operating system's.
    pub fn leave(&self) -> io::Result<()> {
        self.say(&FromJoiner::Leave)
    }

    fn say(&self, message: &FromJoiner) -> io::Result<()> {
        write_frame(&self.0, &message.encode())
    }
}

/// Whoever speaks no more hangs up: the other half hears nothing more either.
impl Drop for Voice {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// The half of a connection that hears.
pub struct Ear(FrameReader);

impl Ear {
    /// Waits for what the appender says next.
    ///
    /// # Errors
    /// [`HandoverError`]: nothing more will be heard.
    pub fn listen(&mut self) -> Result<FromAppender, HandoverError> {
        self.hear(Patience::Endless)
    }

    fn hear(&mut self, patience: Patience) -> Result<FromAppender, HandoverError> {
        Ok(FromAppender::decode(self.0.next(FRAME_BYTES_MAX, patience)?)?)
    }
}
