//! What the two sides say to each other: canonical arrays with a number in front (handover-v1 §3).

use countersign_schemas::cbor::{DecodeError, Decoder, Encoder, Problem};
use countersign_schemas::digest::{LedgerId, Link};
use countersign_schemas::number::{OutOfRange, Seq, Size};
use countersign_schemas::payload::{SLOTS_MAX, Salt};
use countersign_schemas::record::{RECORD_BYTES_MAX, STATEMENT_BYTES_MAX};
use countersign_schemas::statement::Seen;

use crate::layout::{PAYLOAD_BYTES_MAX, Slot};
use crate::store::{Row, RowError};

/// The protocol's version.
const VERSION: u64 = 1;
/// Longest rule code or reason.
const WORD_BYTES_MAX: usize = 64;
/// Longest half of a refusal.
const TEXT_BYTES_MAX: usize = 4096;

/// Why a message is not one of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The bytes are not the canonical encoding of any message.
    #[error("a message of the handover is malformed")]
    Malformed(#[from] DecodeError),
    /// The message has a number that this side is never sent.
    #[error("message {number} does not belong here")]
    Unexpected {
        /// Its number.
        number: u64,
    },
    /// The other side speaks another version.
    #[error("version {found} of the handover, this program speaks 1")]
    Version {
        /// Its version.
        found: u64,
    },
    /// A row breaks the limits of the ledger.
    #[error("an entry of the handover breaks the ledger's limits")]
    Row(#[from] RowError),
    /// A number is greater than the formats allow.
    #[error("a number of the handover is out of range")]
    Number(#[from] OutOfRange),
}

/// A number of the joiner's choice that ties an answer to what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubmissionId(u64);

impl SubmissionId {
    /// The first id of a connection.
    pub const FIRST: Self = Self(0);

    /// The id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A signed statement with its payloads in the order of their slots, not yet judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// The COSE message.
    pub envelope: Vec<u8>,
    /// Salt and content of each payload.
    pub payloads: Vec<(Salt, Vec<u8>)>,
}

/// Why a submission was not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule of authority-v1 §4.
    pub code: String,
    /// What the rule wants.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// Why the appender hangs up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum GoneReason {
            $($(#[$doc])* $name,)*
        }

        impl GoneReason {
            /// The word on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// A reason that is not known means the worst.
            fn of_word(word: &str) -> Self {
                match word { $($word => Self::$name,)* _ => Self::Failed }
            }
        }
    };
}

reasons! {
    /// It speaks another version of the protocol.
    Version "version";
    /// It has another ledger.
    OtherLedger "other-ledger";
    /// It has as many joiners as it takes.
    Full "full";
    /// It is about to end.
    Leaving "leaving";
    /// The joiner broke the protocol.
    Rubbish "rubbish";
    /// Too much waited for the joiner.
    Slow "slow";
    /// The ledger could not be written.
    Failed "failed";
}

/// What a joiner says.
#[derive(PartialEq, Eq)]
pub(super) enum FromJoiner {
    /// It wants to take part in this ledger.
    Hello(LedgerId),
    /// It wants this entered.
    Submit(SubmissionId, Submission),
    /// It wants to be alone with the ledger for one submission.
    AskTurn(SubmissionId),
    /// It does not use its turn.
    Pass(SubmissionId),
    /// It has nothing more to say.
    Leave,
}

/// What the appender says.
pub enum FromAppender {
    /// From this position on the joiner gets everything.
    Welcome(LedgerId, Seen),
    /// An entry was admitted.
    Entry(Row),
    /// So many entries survive a power cut.
    Durable(Size),
    /// The submission is the entry at this place.
    Admitted(SubmissionId, Seq),
    /// Nothing was entered.
    Refused(SubmissionId, Refusal),
    /// The joiner is alone with the ledger, which stands here.
    Turn(SubmissionId, Seen),
    /// Everything up to here is durable, and the lock is free.
    Leaving(Seen),
    /// The appender hangs up.
    Gone(GoneReason),
}

impl FromJoiner {
    /// The canonical encoding.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new();
        match self {
            Self::Hello(ledger) => {
                begin(&mut to, 0, 2);
                to.uint(VERSION);
                to.bytes(ledger.as_bytes());
            }
            Self::Submit(id, submission) => {
                begin(&mut to, 1, 3);
                to.uint(id.0);
                to.bytes(&submission.envelope);
                to.array(submission.payloads.len());
                for (salt, content) in &submission.payloads {
                    to.array(2);
                    to.bytes(&salt.0);
                    to.bytes(content);
                }
            }
            Self::AskTurn(id) => {
                begin(&mut to, 2, 1);
                to.uint(id.0);
            }
            Self::Pass(id) => {
                begin(&mut to, 3, 1);
                to.uint(id.0);
            }
            Self::Leave => begin(&mut to, 4, 0),
        }
        to.finish()
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`MessageError`] says what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut from = Decoder::new(bytes);
        let items = from.array(1, 4)?;
        let number = from.uint53()?;
        let message = match (number, items) {
            (0, 3) => {
                check_version(&mut from)?;
                Self::Hello(LedgerId::from_bytes(from.array_bytes()?))
            }
            (1, 4) => Self::Submit(
                id(&mut from)?,
                Submission {
                    envelope: from.bytes(1, STATEMENT_BYTES_MAX)?.to_vec(),
                    payloads: list(&mut from, |from| {
                        from.array(2, 2)?;
                        Ok((Salt(from.array_bytes()?), content(from)?))
                    })?,
                },
            ),
            (2, 2) => Self::AskTurn(id(&mut from)?),
            (3, 2) => Self::Pass(id(&mut from)?),
            (4, 1) => Self::Leave,
            _ => return Err(MessageError::Unexpected { number }),
        };
        from.finish()?;
        Ok(message)
    }
}

impl FromAppender {
    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::new();
        match self {
            Self::Welcome(ledger, position) => {
                begin(&mut to, 16, 4);
                to.uint(VERSION);
                to.bytes(ledger.as_bytes());
                encode_position(&mut to, position);
            }
            Self::Entry(row) => return encode_entry(row),
            Self::Durable(size) => {
                begin(&mut to, 18, 1);
                to.uint(size.get());
            }
            Self::Admitted(id, seq) => {
                begin(&mut to, 19, 2);
                to.uint(id.0);
                to.uint(seq.get());
            }
            Self::Refused(id, refusal) => {
                begin(&mut to, 20, 4);
                to.uint(id.0);
                to.text(cut(&refusal.code, WORD_BYTES_MAX));
                to.text(cut(&refusal.expected, TEXT_BYTES_MAX));
                to.text(cut(&refusal.found, TEXT_BYTES_MAX));
            }
            Self::Turn(id, position) => {
                begin(&mut to, 21, 3);
                to.uint(id.0);
                encode_position(&mut to, position);
            }
            Self::Leaving(position) => {
                begin(&mut to, 22, 2);
                encode_position(&mut to, position);
            }
            Self::Gone(reason) => {
                begin(&mut to, 23, 1);
                to.text(reason.word());
            }
        }
        to.finish()
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`MessageError`] says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut from = Decoder::new(bytes);
        let items = from.array(1, 5)?;
        let number = from.uint53()?;
        let message = match (number, items) {
            (16, 5) => {
                check_version(&mut from)?;
                let ledger = LedgerId::from_bytes(from.array_bytes()?);
                Self::Welcome(ledger, position(&mut from)?)
            }
            (17, 4) => Self::Entry(entry(&mut from)?),
            (18, 2) => Self::Durable(Size::new(from.uint53()?)?),
            (19, 3) => Self::Admitted(id(&mut from)?, Seq::new(from.uint53()?)?),
            (20, 5) => Self::Refused(
                id(&mut from)?,
                Refusal {
                    code: from.text(WORD_BYTES_MAX)?.to_owned(),
                    expected: from.text(TEXT_BYTES_MAX)?.to_owned(),
                    found: from.text(TEXT_BYTES_MAX)?.to_owned(),
                },
            ),
            (21, 4) => Self::Turn(id(&mut from)?, position(&mut from)?),
            (22, 3) => Self::Leaving(position(&mut from)?),
            (23, 2) => Self::Gone(GoneReason::of_word(from.text(WORD_BYTES_MAX)?)),
            _ => return Err(MessageError::Unexpected { number }),
        };
        from.finish()?;
        Ok(message)
    }
}

/// The message of an admitted entry, from a row that is still needed elsewhere.
pub(super) fn encode_entry(row: &Row) -> Vec<u8> {
    let mut to = Encoder::new();
    begin(&mut to, 17, 3);
    to.uint(row.seq().get());
    to.bytes(row.record());
    to.array(row.payloads().len());
    for (slot, salt, content) in row.payloads() {
        to.array(3);
        to.uint(slot.get().into());
        to.bytes(&salt.0);
        to.bytes(content);
    }
    to.finish()
}

fn begin(to: &mut Encoder, number: u64, items_behind: usize) {
    to.array(1 + items_behind);
    to.uint(number);
}

fn encode_position(to: &mut Encoder, position: &Seen) {
    to.uint(position.size.get());
    to.bytes(position.link.as_bytes());
}

fn position(from: &mut Decoder<'_>) -> Result<Seen, MessageError> {
    Ok(Seen {
        size: Size::new(from.uint53()?)?,
        link: Link::from_bytes(from.array_bytes()?),
    })
}

fn check_version(from: &mut Decoder<'_>) -> Result<(), MessageError> {
    match from.uint53()? {
        VERSION => Ok(()),
        found => Err(MessageError::Version { found }),
    }
}

fn id(from: &mut Decoder<'_>) -> Result<SubmissionId, DecodeError> {
    from.uint53().map(SubmissionId)
}

fn content(from: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(from.bytes(0, PAYLOAD_BYTES_MAX)?.to_vec())
}

fn list<T>(
    from: &mut Decoder<'_>,
    item: impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    (0..from.array(0, SLOTS_MAX)?).map(|_| item(from)).collect()
}

fn entry(from: &mut Decoder<'_>) -> Result<Row, MessageError> {
    let seq = Seq::new(from.uint53()?)?;
    let record = from.bytes(1, RECORD_BYTES_MAX)?.to_vec();
    let payloads = list(from, |from| {
        from.array(3, 3)?;
        let offset = from.offset();
        let slot = from.uint53()?;
        let slot = u8::try_from(slot).ok().and_then(Slot::new).ok_or(DecodeError {
            offset,
            problem: Problem::Range("a slot"),
        })?;
        Ok((slot, Salt(from.array_bytes()?), content(from)?))
    })?;
    Ok(Row::new(seq, record, payloads)?)
}

/// The longest beginning of `text` that has at most `max` bytes and ends between characters.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
