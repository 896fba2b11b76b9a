//! The thread of a joined process that hears what is entered, and keeps the replica of the state by it.

use std::sync::{Arc, Weak};
use std::thread;

use countersign_ledger::handover::{Ear, FromAppender, HandoverError, Submission};
use countersign_ledger::store::Row;
use countersign_schemas::number::Size;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Seen;

use super::host::Foreign;
use super::writer::Writer;
use super::{RecordError, Shared, Signed, State};

/// What to do after something was heard.
enum Heard {
    /// Listen on.
    More,
    /// The appender has left; the ledger stands here.
    Left(Seen),
    /// There is nothing more to be heard.
    Over,
}

impl Shared {
    /// Starts the thread. It ends with the connection, or with the recorder.
    pub(super) fn start_hearing(self: &Arc<Self>, ear: Ear) -> Result<(), RecordError> {
        let shared = Arc::downgrade(self);
        thread::Builder::new()
            .name("ledger-ear".to_owned())
            .spawn(move || hear(&shared, ear))
            .map_err(RecordError::Thread)?;
        Ok(())
    }

    fn heard(&self, heard: Result<FromAppender, HandoverError>) -> Heard {
        let mut state = self.lock();
        let next = match heard {
            Ok(message) => state.heard(message),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "nothing more is heard");
                Heard::Over
            }
        };
        if let Heard::Over = next {
            state.writer = Writer::Gone;
        }
        drop(state);
        self.changed.notify_all();
        next
    }
}

fn hear(shared: &Weak<Shared>, mut ear: Ear) {
    loop {
        let heard = ear.listen();
        let Some(shared) = shared.upgrade() else { return };
        match shared.heard(heard) {
            Heard::More => {}
            Heard::Over => return,
            Heard::Left(position) => match shared.come_after(position) {
                Some(next) => ear = next,
                None => return,
            },
        }
    }
}

impl State {
    fn heard(&mut self, message: FromAppender) -> Heard {
        match (message, &mut self.writer) {
            (_, Writer::Gone) => return Heard::Over,
            (FromAppender::Leaving(position), _) => return Heard::Left(position),
            (FromAppender::Durable(size), Writer::Joined(link)) => link.hear_durable(size),
            (FromAppender::Entry(row), _) => return self.heard_entry(row),
            (FromAppender::Refused(id, refusal), _) => self.hear_refusal(id, refusal),
            (FromAppender::Turn(id, position), _) => self.hear_turn(id, position),
            // The entry itself came before.
            (FromAppender::Admitted(..), _) => {}
            _ => return Heard::Over,
        }
        Heard::More
    }

    /// Entries that this process has read from the file come again.
    fn heard_entry(&mut self, row: Row) -> Heard {
        if row.seq() < self.law.next_seq() {
            return Heard::More;
        }
        match self.fold(row) {
            Ok(()) => Heard::More,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what was heard of the ledger does not fit"
                );
                Heard::Over
            }
        }
    }

    /// Follows an entry that another process admitted: it fits the chain and breaks no rule.
    fn fold(&mut self, row: Row) -> Result<(), RecordError> {
        let seq = row.seq();
        let record = Record::decode(row.record()).map_err(|error| RecordError::Field(error.to_string()))?;
        let submission = Submission {
            envelope: record.statement,
            payloads: row.into_payloads(),
        };
        let foreign = Foreign::decode(submission).map_err(|refusal| RecordError::Field(refusal.expected))?;
        let Foreign {
            statement,
            digest,
            envelope,
            payloads,
        } = foreign;
        let signed = Signed::placed(statement, digest, envelope, record.seq, record.received, record.prev);
        if record.seq != seq {
            return Err(RecordError::Field(
                "an entry that was told for another place".to_owned(),
            ));
        }
        let row = signed.admit(&mut self.law, &self.tree, payloads)?;
        self.head = signed.link;
        self.tree.push(row.record());
        self.hear_entry(seq, digest);
        Ok(())
    }

    /// Everything up to here is on disk, whoever wrote it.
    pub(super) fn all_durable(&mut self) {
        let size: Size = self.law.head().size;
        if let Writer::Joined(link) = &mut self.writer {
            link.hear_durable(size);
        }
    }
}
