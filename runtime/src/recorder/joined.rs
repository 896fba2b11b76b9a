//! A process that joined: it signs against a replica of the state, hands over, and hears what became of it
//! (handover-v1 §4).

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use countersign_ledger::appender::{Durable, Promise, promise};
use countersign_ledger::handover::{Alive, Refusal, Submission, SubmissionId, Voice};
use countersign_schemas::body::Body;
use countersign_schemas::digest::Digest;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::statement::Seen;
use countersign_verifier::code::Code;
use countersign_verifier::finding::Finding;

use super::entering::Alone;
use super::writer::Writer;
use super::{Entered, Instance, Payload, RecordError, Shared, Signed, State};

/// The connection to the process that appends, and what is under way on it.
pub(super) struct Link {
    voice: Arc<Voice>,
    next_id: SubmissionId,
    /// Entries of ours that are not on disk yet.
    undurable: BTreeMap<Seq, Promise>,
    alive: Alive,
}

/// What somebody waits for. It is only ever one thing, of whoever holds `Shared::speaking`; it outlives the connection, so
/// that an answer is not lost when the appender leaves behind it.
pub(super) struct Pending {
    id: SubmissionId,
    /// Digest of the statement that was handed over, and whom to tell when it is on disk.
    statement: Option<(Digest, Promise)>,
    answer: Option<Answer>,
}

enum Answer {
    Entered(Seq),
    Refused(Refusal),
    Turn(Seen),
}

impl Link {
    pub(super) fn new(voice: Voice, alive: Alive) -> Self {
        Self {
            voice: Arc::new(voice),
            next_id: SubmissionId::FIRST,
            undurable: BTreeMap::new(),
            alive,
        }
    }

    /// The connection is over; this process still has its part in the ledger.
    pub(super) fn into_alive(self) -> Alive {
        self.alive
    }

    /// Says that nothing more will come.
    pub(super) fn leave(&self) {
        // If the other side is gone already, it knows.
        let _ = self.voice.leave();
    }

    fn fresh_id(&mut self) -> SubmissionId {
        let id = self.next_id;
        self.next_id = id.next();
        id
    }

    /// The first `size` entries are on disk.
    pub(super) fn hear_durable(&mut self, size: Size) {
        let later = self.undurable.split_off(&size.next_seq());
        let durable = std::mem::replace(&mut self.undurable, later);
        for promise in durable.into_values() {
            promise.keep();
        }
    }
}

impl Pending {
    const fn new(id: SubmissionId, statement: Option<(Digest, Promise)>) -> Self {
        Self {
            id,
            statement,
            answer: None,
        }
    }
}

impl State {
    /// An entry was admitted: that of the statement which was handed over is its answer.
    pub(super) fn hear_entry(&mut self, seq: Seq, digest: Digest) {
        let (Some(pending), Writer::Joined(link)) = (&mut self.pending, &mut self.writer) else {
            return;
        };
        if let Some((_, promise)) = pending.statement.take_if(|(handed_over, _)| *handed_over == digest) {
            pending.answer = Some(Answer::Entered(seq));
            link.undurable.insert(seq, promise);
        }
    }

    pub(super) fn hear_refusal(&mut self, id: SubmissionId, refusal: Refusal) {
        self.hear_answer(id, Answer::Refused(refusal));
    }

    pub(super) fn hear_turn(&mut self, id: SubmissionId, position: Seen) {
        self.hear_answer(id, Answer::Turn(position));
    }

    fn hear_answer(&mut self, id: SubmissionId, answer: Answer) {
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.id == id) {
            pending.answer = Some(answer);
        }
    }
}

/// A turn that was given and not used yet. Dropped, it is passed on.
pub(super) struct Turn<'s> {
    _speaking: MutexGuard<'s, ()>,
    voice: Arc<Voice>,
    id: SubmissionId,
    is_used: bool,
}

impl<'s> Turn<'s> {
    /// Hands the signed statement over, and waits for its place.
    pub(super) fn use_up(
        mut self,
        shared: &'s Shared,
        mut state: MutexGuard<'s, State>,
        signed: Signed,
        payloads: &[Payload],
    ) -> Result<Entered, RecordError> {
        let (promise, durable) = promise();
        state.pending = Some(Pending::new(self.id, Some((signed.digest, promise))));
        drop(state);
        self.is_used = true;
        let handed_over = HandedOver::of(&signed, durable);
        let submitted = self.voice.submit(self.id, submission(signed, payloads));
        submitted.map_err(|_| RecordError::Handover)?;
        // Whoever gave the turn cannot leave before it has answered.
        handed_over
            .wait(shared, &self.voice, self.id)?
            .ok_or(RecordError::Handover)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            // If the other side is gone, so is the turn.
            let _ = self.voice.pass(self.id);
        }
    }
}

/// A statement on its way.
struct HandedOver {
    kind: Kind,
    digest: Digest,
    durable: Durable,
}

impl HandedOver {
    fn of(signed: &Signed, durable: Durable) -> Self {
        Self {
            kind: signed.statement.kind(),
            digest: signed.digest,
            durable,
        }
    }

    /// The place of the statement; `None` when the appender left without taking it.
    fn wait(self, shared: &Shared, voice: &Arc<Voice>, id: SubmissionId) -> Result<Option<Entered>, RecordError> {
        match shared.await_answer(voice, id)? {
            None => Ok(None),
            Some(Answer::Entered(seq)) => Ok(Some(Entered {
                seq,
                digest: self.digest,
                durable: self.durable,
            })),
            Some(Answer::Refused(refusal)) => Err(unlawful(self.kind, &refusal, shared.lock().law.next_seq())),
            Some(Answer::Turn(_)) => Err(RecordError::Handover),
        }
    }
}

impl Shared {
    /// Hands over what `author` says, having seen what this process has; `None` when the appender left without taking it.
    pub(super) fn hand_over(
        &self,
        _speaking: &MutexGuard<'_, ()>,
        author: &Instance,
        body: &Body,
        payloads: &[Payload],
    ) -> Result<Option<Entered>, RecordError> {
        let (promise, durable) = promise();
        let mut state = self.lock();
        let at = state.clock.read();
        let signed = state.sign(self.ledger, author, body.clone(), at);
        let Writer::Joined(link) = &mut state.writer else {
            return Ok(None);
        };
        let (voice, id) = (Arc::clone(&link.voice), link.fresh_id());
        state.pending = Some(Pending::new(id, Some((signed.digest, promise))));
        drop(state);
        let handed_over = HandedOver::of(&signed, durable);
        // What could not be sent has no answer: the other half hears why.
        let _ = voice.submit(id, submission(signed, payloads));
        handed_over.wait(self, &voice, id)
    }

    /// Waits for a turn; `None` when the appender leaves before it gives one.
    pub(super) fn ask_turn<'s>(&'s self, speaking: MutexGuard<'s, ()>) -> Result<Option<Alone<'s>>, RecordError> {
        let (voice, id) = {
            let mut state = self.lock();
            let Writer::Joined(link) = &mut state.writer else {
                return Ok(None);
            };
            let (voice, id) = (Arc::clone(&link.voice), link.fresh_id());
            state.pending = Some(Pending::new(id, None));
            (voice, id)
        };
        let _ = voice.ask_turn(id);
        let Some(answer) = self.await_answer(&voice, id)? else {
            return Ok(None);
        };
        let turn = Turn {
            _speaking: speaking,
            voice,
            id,
            is_used: false,
        };
        let mut state = self.lock();
        let at = state.clock.read();
        // The stream is in order: everything before this position was heard.
        let stands_here = matches!(answer, Answer::Turn(position) if position == state.law.head());
        stands_here.then_some(()).ok_or(RecordError::Handover)?;
        Ok(Some(Alone {
            shared: self,
            state,
            at,
            turn: Some(turn),
        }))
    }

    /// Waits for the answer to `id` over `voice`; `None` when the appender has left without one.
    fn await_answer(&self, voice: &Arc<Voice>, id: SubmissionId) -> Result<Option<Answer>, RecordError> {
        let mut state = self.lock();
        loop {
            let pending = state.pending.as_mut().filter(|pending| pending.id == id);
            let answer = pending.and_then(|pending| pending.answer.take());
            let is_over = match &state.writer {
                _ if answer.is_some() => true,
                Writer::Gone => {
                    state.pending = None;
                    return Err(RecordError::Handover);
                }
                Writer::Joined(link) => !Arc::ptr_eq(&link.voice, voice),
                Writer::Own(_) | Writer::Nobody(_) => true,
            };
            if is_over {
                state.pending = None;
                return Ok(answer);
            }
            state = self.wait(state);
        }
    }
}

fn submission(signed: Signed, payloads: &[Payload]) -> Submission {
    Submission {
        envelope: signed.envelope,
        payloads: payloads.iter().map(Payload::to_stored).collect(),
    }
}

/// The refusal as the law of this process would have given it. A rule that is not known here is a newer one.
fn unlawful(kind: Kind, refusal: &Refusal, at: Seq) -> RecordError {
    let code = Code::ALL.iter().find(|code| code.as_str() == refusal.code);
    let finding = Finding::new(*code.unwrap_or(&Code::U2), at, &refusal.expected, &refusal.found);
    RecordError::Unlawful {
        kind,
        finding: Box::new(finding),
    }
}
