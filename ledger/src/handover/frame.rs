//! Length-prefixed frames over a local socket, read with limits on bytes and time (handover-v1 §2).

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::layout::PAYLOAD_BYTES_MAX;
use countersign_schemas::payload::SLOTS_MAX;

/// Longest message: eight payloads and a record at their limits, and what stands around them.
pub(super) const FRAME_BYTES_MAX: usize = 134_300_000;
const _: () = assert!(FRAME_BYTES_MAX > SLOTS_MAX * PAYLOAD_BYTES_MAX + 65_535 + 1024);

/// Longest first message of a joiner.
pub(super) const HELLO_BYTES_MAX: usize = 64;

/// Longest time within a frame in which no byte comes.
const BYTE_WAIT: Duration = Duration::from_secs(10);

/// Longest time from the first byte of a frame to its last.
const FRAME_WAIT: Duration = Duration::from_secs(60);

/// What is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why no frame was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The other side hung up between two frames.
    #[error("the other side hung up")]
    HungUp,
    /// The other side hung up within a frame.
    #[error("the other side hung up in the middle of a message")]
    Torn,
    /// A frame is longer than is allowed here.
    #[error("a message of {bytes} bytes, at most {max} are allowed here")]
    TooLong {
        /// Its stated length.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// The rest of a frame, or an answer that is due, did not come in time.
    #[error("the other side went silent in the middle of something")]
    Silent,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] io::Error),
}

/// How long the first byte of a frame may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as it takes.
    Endless,
    /// This long for the whole frame.
    Within(Duration),
}

/// Reads frames. Memory grows with the bytes that come, not with the length that is stated.
pub(super) struct FrameReader {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Where the next frame begins in the buffer.
    start: usize,
    /// The time limit that the socket has now, so that it is not set again for each read.
    limit: Option<Duration>,
}

impl FrameReader {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(None)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            start: 0,
            limit: None,
        })
    }

    /// The next frame of at most `max` bytes.
    pub(super) fn next(&mut self, max: usize, patience: Patience) -> Result<&[u8], FrameError> {
        let deadline = match patience {
            Patience::Endless => None,
            Patience::Within(time) => Some(Instant::now() + time),
        };
        self.forget_read();
        let deadline = self.fill_first(deadline)?;
        self.fill_to(4, deadline)?;
        let bytes = self.stated_length();
        if bytes > max {
            return Err(FrameError::TooLong { bytes, max });
        }
        self.fill_to(4 + bytes, deadline)?;
        let start = self.start + 4;
        self.start = start + bytes;
        Ok(&self.buffer[start..self.start])
    }

    fn forget_read(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        // One long message must not keep its memory for ever.
        self.buffer.shrink_to(4 * CHUNK_BYTES);
    }

    /// Waits for the first byte of a frame, and says until when the last one has to be there.
    fn fill_first(&mut self, deadline: Option<Instant>) -> Result<Instant, FrameError> {
        if self.buffer.is_empty() {
            match self.read_some(deadline, None) {
                Err(FrameError::Torn) => return Err(FrameError::HungUp),
                other => other?,
            }
        }
        Ok(deadline.unwrap_or_else(|| Instant::now() + FRAME_WAIT))
    }

    fn fill_to(&mut self, bytes: usize, deadline: Instant) -> Result<(), FrameError> {
        while self.buffer.len() < bytes {
            self.read_some(Some(deadline), Some(BYTE_WAIT))?;
        }
        Ok(())
    }

    fn stated_length(&self) -> usize {
        let prefix = self.buffer.iter().take(4);
        prefix.fold(0, |length, byte| (length << 8) | usize::from(*byte))
    }

    /// Appends what there is to the buffer, at least a byte.
    fn read_some(&mut self, deadline: Option<Instant>, most: Option<Duration>) -> Result<(), FrameError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(FrameError::Silent);
        }
        self.set_limit(left.into_iter().chain(most).min())?;
        let end = self.buffer.len();
        self.buffer.resize(end + CHUNK_BYTES, 0);
        let read = read_through(&mut self.stream, &mut self.buffer[end..]);
        self.buffer.truncate(end + read.as_ref().map_or(0, |bytes| *bytes));
        match read {
            Ok(0) => Err(FrameError::Torn),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(FrameError::Silent)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(FrameError::Torn),
            Err(error) => Err(FrameError::Io(error)),
        }
    }

    fn set_limit(&mut self, limit: Option<Duration>) -> Result<(), FrameError> {
        if self.limit != limit {
            self.stream.set_read_timeout(limit).map_err(FrameError::Io)?;
            self.limit = limit;
        }
        Ok(())
    }
}

fn read_through(stream: &mut UnixStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Writes `message` as one frame.
pub(super) fn write_frame(mut stream: &UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    if message.len() <= CHUNK_BYTES {
        // In one piece: two writes would wake the other side twice.
        return stream.write_all(&[&length.to_be_bytes(), message].concat());
    }
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    fn pair() -> io::Result<(UnixStream, FrameReader)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((ours, FrameReader::new(theirs)?))
    }

    #[test]
    fn frames_come_one_by_one_however_they_were_sent() -> Checked {
        let (mut ours, mut reader) = pair()?;
        let large = vec![7; 3 * CHUNK_BYTES];
        let sent = large.clone();
        let sender = std::thread::spawn(move || -> io::Result<()> {
            ours.write_all(&[0, 0, 0, 1, 5, 0, 0])?;
            std::thread::sleep(Duration::from_millis(20));
            ours.write_all(&[0, 2, 6, 7])?;
            write_frame(&ours, &sent)?;
            write_frame(&ours, &[])
        });
        assert_eq!(reader.next(10, Patience::Endless)?, [5]);
        assert_eq!(reader.next(10, Patience::Endless)?, [6, 7]);
        assert_eq!(reader.next(FRAME_BYTES_MAX, Patience::Endless)?, large);
        assert_eq!(reader.next(10, Patience::Endless)?, [0; 0]);
        assert!(matches!(reader.next(10, Patience::Endless), Err(FrameError::HungUp)));
        sender.join().map_err(|_| "the sender panicked")??;
        Ok(())
    }

    #[test]
    fn length_beyond_the_limit_is_refused_before_its_bytes_come() -> Checked {
        let (mut ours, mut reader) = pair()?;
        ours.write_all(&[0xff; 4])?;
        let refused = reader.next(64, Patience::Endless).err();
        assert!(matches!(refused, Some(FrameError::TooLong { max: 64, .. })));
        Ok(())
    }

    #[test]
    fn half_a_frame_is_torn_and_never_a_message() -> Checked {
        for half in [&[0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, 1, 2]] {
            let (mut ours, mut reader) = pair()?;
            ours.write_all(half)?;
            drop(ours);
            assert!(matches!(reader.next(64, Patience::Endless), Err(FrameError::Torn)));
        }
        Ok(())
    }

    #[test]
    fn half_a_frame_is_not_waited_for_beyond_the_limit() -> Checked {
        let (mut ours, mut reader) = pair()?;
        ours.write_all(&[0, 0, 0, 9, 1])?;
        let patience = Patience::Within(Duration::from_millis(50));
        assert!(matches!(reader.next(64, patience), Err(FrameError::Silent)));
        Ok(())
    }
}
