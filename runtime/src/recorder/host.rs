//! The appender's side of a ledger that others have joined: what they hand over is verified, judged and entered like our
//! own (handover-v1 §4).

use std::sync::{Arc, PoisonError, Weak};

use countersign_identity::keys::HybridPublic;
use countersign_ledger::cose::{CoseError, Unverified};
use countersign_ledger::handover::{Admission, Admitted, Feed, GoneReason, NotAdmitted, Refusal, Server, Submission};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::statement::{Seen, Statement};
use countersign_verifier::code::Code;
use countersign_verifier::law::{Law, newcomer_keys};

use super::writer::Writer;
use super::{Entered, Payload, RecordError, Shared, Signed, State};

/// Where others come in. It keeps nothing alive: a recorder that is dropped lets nobody in any more.
struct Door {
    ledger: LedgerId,
    shared: Weak<Shared>,
}

impl Door {
    /// The recorder, unless it is gone: then whoever comes is to try the next one.
    fn shared(&self) -> Result<Arc<Shared>, GoneReason> {
        self.shared.upgrade().ok_or(GoneReason::Leaving)
    }
}

/// A statement of another process whose signatures and payloads are what they should be.
pub(super) struct Foreign {
    pub(super) statement: Statement,
    pub(super) digest: Digest,
    pub(super) envelope: Vec<u8>,
    pub(super) payloads: Vec<Payload>,
}

impl Shared {
    /// Lets others join. A ledger that nobody can join is written all the same.
    pub(super) fn open_door(self: &Arc<Self>) {
        let door = Arc::new(Door {
            ledger: self.ledger,
            shared: Arc::downgrade(self),
        });
        match Server::start(&self.path, door) {
            Ok(server) => *self.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(server),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "nobody else can join the ledger"
            ),
        }
    }

    pub(super) fn take_door(&self) -> Option<Server> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn enter_foreign(&self, state: &mut State, foreign: Foreign) -> Result<Admitted, NotAdmitted> {
        match &state.writer {
            Writer::Own(own) if !own.is_leaving => {}
            _ => return Err(NotAdmitted::Gone(GoneReason::Leaving)),
        }
        let received = state.clock.read();
        let (seq, prev) = (state.law.next_seq(), state.head);
        let Foreign {
            statement,
            digest,
            envelope,
            payloads,
        } = foreign;
        let signed = Signed::placed(statement, digest, envelope, seq, received, prev);
        let entered = state.take(signed, payloads).map_err(|error| match error {
            RecordError::Unlawful { finding, .. } => NotAdmitted::Refused(Refusal {
                code: finding.code.as_str().to_owned(),
                expected: finding.expected,
                found: finding.found,
            }),
            RecordError::Row(error) => NotAdmitted::Refused(refusal(Code::I1, "an entry within the limits", error)),
            _ => NotAdmitted::Gone(GoneReason::Failed),
        })?;
        Ok(admitted(entered))
    }
}

fn admitted(entered: Entered) -> Admitted {
    Admitted {
        seq: entered.seq,
        durable: Box::new(|| entered.durable_blocking().is_ok()),
    }
}

impl Foreign {
    /// Steps S6 to S8 and S14 of statement-v1, as far as they need nothing but the bytes.
    pub(super) fn decode(submission: Submission) -> Result<Self, Refusal> {
        let Submission { envelope, payloads } = submission;
        let (statement, digest) = decode(&envelope)?;
        let references = statement.body.payloads();
        if references.len() != payloads.len() {
            let expected = format!("{} payloads", references.len());
            return Err(refusal(Code::I9, expected, format!("{} payloads", payloads.len())));
        }
        let stored = references.iter().zip(payloads);
        let payloads = stored
            .map(|(reference, (salt, bytes))| {
                let expected = || format!("content committed to as {}", reference.commitment);
                Payload::of_stored(reference, salt, bytes).ok_or_else(|| refusal(Code::I9, expected(), "other content"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            statement,
            digest,
            envelope,
            payloads,
        })
    }

    /// Steps S10 and S11: the signatures of its kind, all by `author`.
    fn check_signatures(&self, author: Option<&HybridPublic>, ledger: LedgerId) -> Result<(), Refusal> {
        let author = author.ok_or_else(|| refusal(Code::A1, "an author that was introduced", "a stranger"))?;
        Unverified::parse(&self.envelope)
            .and_then(|envelope| envelope.verify(author, ledger, self.statement.kind().signatures()))
            .map_err(|error| refusal(Code::I2, "signatures of the author", error))
    }
}

/// The keys of the author: those of its introduction, or those that it introduces itself with.
fn author_of(law: &Law, statement: &Statement) -> Option<HybridPublic> {
    match law.instance(statement.by) {
        Some(author) => Some(author.did().public().clone()),
        None => newcomer_keys(&statement.body),
    }
}

fn decode(envelope: &[u8]) -> Result<(Statement, Digest), Refusal> {
    let malformed = |error: &dyn std::fmt::Display| refusal(Code::I1, "a statement of statement-v1", error);
    let envelope = Unverified::parse(envelope).map_err(|error| match error {
        CoseError::Downgraded | CoseError::SignatureCount { .. } => {
            refusal(Code::I2, "the signatures of its kind", error)
        }
        _ => malformed(&error),
    })?;
    let statement = Statement::decode(envelope.payload()).map_err(|error| malformed(&error))?;
    Ok((statement, Statement::digest(envelope.payload())))
}

fn refusal(code: Code, expected: impl ToString, found: impl ToString) -> Refusal {
    Refusal {
        code: code.as_str().to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

impl Admission for Door {
    fn ledger(&self) -> LedgerId {
        self.ledger
    }

    fn subscribe(&self, feed: Feed) -> Result<(), GoneReason> {
        let shared = self.shared()?;
        let mut state = shared.lock();
        let (position, is_closed) = (state.law.head(), state.law.closed().is_some());
        match &mut state.writer {
            Writer::Own(own) if !own.is_leaving && !is_closed => {
                own.feeds.add(feed, shared.ledger, position);
                Ok(())
            }
            _ => Err(GoneReason::Leaving),
        }
    }

    fn admit(&self, submission: Submission) -> Result<Admitted, NotAdmitted> {
        let shared = self.shared().map_err(NotAdmitted::Gone)?;
        // Outside the lock, where others enter what they have to say.
        let foreign = Foreign::decode(submission).map_err(NotAdmitted::Refused)?;
        let author = author_of(&shared.lock().law, &foreign.statement);
        let checked = foreign.check_signatures(author.as_ref(), shared.ledger);
        checked.map_err(NotAdmitted::Refused)?;
        shared.enter_foreign(&mut shared.lock(), foreign)
    }

    fn admit_in_turn(&self, turn: &mut dyn FnMut(Seen) -> Option<Submission>) -> Result<Option<Admitted>, NotAdmitted> {
        let shared = self.shared().map_err(NotAdmitted::Gone)?;
        let mut state = shared.lock();
        if !matches!(&state.writer, Writer::Own(own) if !own.is_leaving) {
            return Err(NotAdmitted::Gone(GoneReason::Leaving));
        }
        let Some(submission) = turn(state.law.head()) else {
            return Ok(None);
        };
        let foreign = Foreign::decode(submission).map_err(NotAdmitted::Refused)?;
        let author = author_of(&state.law, &foreign.statement);
        let checked = foreign.check_signatures(author.as_ref(), shared.ledger);
        checked.map_err(NotAdmitted::Refused)?;
        shared.enter_foreign(&mut state, foreign).map(Some)
    }
}
