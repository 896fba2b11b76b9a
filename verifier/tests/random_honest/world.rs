//! The model that is kept beside the ledger: who is there, what was begun, and how somebody gets a word in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use countersign_identity::grant::Grant;
use countersign_schemas::body::{AdviceForm, Body, EventCode, Role, SessionEvent};
use countersign_schemas::chain;
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::number::{Millis, Seq, Size};
use countersign_schemas::payload::PayloadRef;
use countersign_verifier::audit::Folded;
use countersign_verifier::law::Stop;

use super::account::{Accounts, Amount};
use super::acting::Action;
use super::command::{Command, History, Pick};
use super::expected::Terms;
use super::tally::Tally;
use crate::support::cast::Who;
use crate::support::credentials::START;
use crate::support::writer::{Draft, Twist, Writer};

/// Keys of the cast that nobody has by another name.
const KEYS_MAX: u8 = 51;
/// Between two commands, in milliseconds.
const STEP_MS: u64 = 250;

/// Somebody who was introduced.
pub(super) struct Party {
    pub(super) who: Who,
    pub(super) role: Role,
    /// The runtime instance whose process it lives in; its own `seq` for one of them.
    pub(super) process: Seq,
    pub(super) introduced_by: Seq,
    /// First millisecond inside, and first behind.
    pub(super) window: (u64, u64),
    pub(super) stop: Stop,
    /// Of a runtime instance: its process is no more.
    pub(super) is_gone: bool,
    /// Of a runtime instance: those that it stands for, itself included.
    pub(super) line: Vec<Seq>,
    /// How many statements it made, the last one and its `at`.
    pub(super) spoken: u64,
    pub(super) last_seq: Option<Seq>,
    pub(super) last_at: u64,
    pub(super) run: Option<Seq>,
    pub(super) grant: Option<Grant>,
    pub(super) open_call: Option<OpenCall>,
    /// The last model answer, and which of its calls nobody asked for yet.
    pub(super) answer: Option<Seq>,
    pub(super) proposed: Vec<(&'static str, &'static str)>,
    /// What it was advised.
    pub(super) advised: Vec<(Seq, AdviceForm)>,
}

pub(super) struct OpenCall {
    pub(super) seq: Seq,
    /// Who pays, and what is reserved.
    pub(super) payer: Seq,
    pub(super) reserve: Amount,
}

pub(super) struct Run {
    pub(super) lead: Seq,
    pub(super) ended: Option<u64>,
}

pub(super) struct Question {
    pub(super) asked_by: Seq,
    pub(super) advisor: Seq,
}

/// How the next statement is written: the hook of the writer reads it.
struct Pen {
    at: u64,
    received: u64,
    /// The last entry that the author is bound to have seen.
    own: Option<Seq>,
    lag: u64,
    links: Vec<Link>,
}

impl Pen {
    fn write(&self, draft: &mut Draft) {
        draft.received = self.received;
        draft.statement.at = Millis::clamped(self.at);
        let ends = match &draft.statement.body {
            Body::InstanceStopped(_) | Body::LedgerClosed(_) => true,
            Body::IdentityIntroduced(body) => body.succeeds.is_some(),
            _ => false,
        };
        if draft.seq == 0 || ends {
            return;
        }
        let named = draft.statement.body.named_entries().into_iter().max();
        let bound = named.max(self.own).map_or(1, |seq| seq.get() + 1);
        let size = bound.max(draft.seq.saturating_sub(self.lag));
        let last = usize::try_from(size - 1).expect("a short story");
        draft.statement.seen.size = Size::clamped(size);
        draft.statement.seen.link = self.links[last];
    }
}

pub(super) struct World {
    pub(super) writer: Writer<'static>,
    pen: Rc<RefCell<Pen>>,
    /// What the clock of the host shows, and the last time of receipt.
    pub(super) clock: u64,
    pub(super) last_received: u64,
    pub(super) parties: BTreeMap<Seq, Party>,
    pub(super) accounts: Accounts,
    /// What `grant.issued` entries carry, with the digest of the credential.
    pub(super) issued: BTreeMap<Seq, (Grant, Digest)>,
    pub(super) runs: BTreeMap<Seq, Run>,
    /// By request.
    pub(super) actions: BTreeMap<Seq, Action>,
    pub(super) questions: BTreeMap<Seq, Question>,
    /// By layer: the entry, and the digest of its text.
    pub(super) policies: [Option<(Seq, Digest)>; 6],
    /// Grants and approvers that were withdrawn by name.
    pub(super) revoked: BTreeSet<Seq>,
    /// Policies that were adopted on an order: it names the text.
    pub(super) ordered: BTreeSet<Seq>,
    /// Requests by tool that ended unknown, and that nobody took up again.
    pub(super) lost: Vec<(&'static str, Seq)>,
    /// What every entry committed to.
    pub(super) payloads: BTreeMap<Seq, Vec<PayloadRef>>,
    /// Entry and slot of what is gone.
    pub(super) erased: BTreeSet<(Seq, u8)>,
    pub(super) closed: Option<Seq>,
    /// Notes that were kept elsewhere, and the size of the largest.
    pub(super) heads: Vec<Vec<u8>>,
    pub(super) covered: u64,
    pub(super) orders: u64,
    keys: u8,
    /// What stays unproven whatever comes.
    pub(super) lasting: BTreeSet<(&'static str, Seq)>,
    /// Later runtime instances that came when nobody ran.
    pub(super) unattended: BTreeSet<Seq>,
    pub(super) was_put_away: bool,
    pub(super) tally: Tally,
}

impl World {
    pub(super) fn begin(history: &History) -> Self {
        let pen = Rc::new(RefCell::new(Pen {
            at: START,
            received: START,
            own: None,
            lag: 0,
            links: Vec::new(),
        }));
        let held = Rc::clone(&pen);
        let twist = Twist {
            draft: Some(Box::new(move |_, draft: &mut Draft| held.borrow().write(draft))),
            ..Twist::default()
        };
        let mut world = Self {
            writer: Writer::new(twist),
            pen,
            clock: START,
            last_received: START,
            parties: BTreeMap::new(),
            accounts: Accounts::default(),
            issued: BTreeMap::new(),
            runs: BTreeMap::new(),
            actions: BTreeMap::new(),
            questions: BTreeMap::new(),
            policies: [None; 6],
            revoked: BTreeSet::new(),
            ordered: BTreeSet::new(),
            lost: Vec::new(),
            payloads: BTreeMap::new(),
            erased: BTreeSet::new(),
            closed: None,
            heads: Vec::new(),
            covered: 0,
            orders: 0,
            keys: 0,
            lasting: BTreeSet::new(),
            unattended: BTreeSet::new(),
            was_put_away: false,
            tally: Tally::default(),
        };
        world.found(history);
        world
    }

    /// Does what is asked for, where that is lawful now.
    pub(super) fn take(&mut self, command: &Command) -> Option<()> {
        self.clock += STEP_MS;
        match *command {
            Command::Wait(by) => self.wait(by),
            Command::Lag(lag) => self.pen.borrow_mut().lag = u64::from(lag % 16),
            Command::PutAway => self.put_away(),
            Command::Checkpoint { kept } => self.sign(kept),
            Command::Join { window } => self.join(window, None, 0)?,
            Command::Succeed { whom, loss } => self.succeed(whom, loss)?,
            Command::Crash(who) => self.crash(who)?,
            Command::CleanUp { who, what } => self.clean_up(who, what)?,
            Command::Leave(who) => self.leave(who)?,
            Command::DeclareStop { who, whom } => self.declare_stop(who, whom)?,
            Command::Approver { by, window } => self.introduce_approver(by, window)?,
            Command::Advisor(by) => self.introduce_advisor(by)?,
            Command::Issue { by, terms } => self.issue_grant(by, terms)?,
            Command::Lead { by, terms, window } => self.introduce_lead(by, terms, window)?,
            Command::Spawn { who, terms, window } => self.spawn(who, terms, window)?,
            Command::Bring(who) => self.bring(who)?,
            Command::StartRun(which) => self.start_run(which)?,
            Command::EndRun { which, reason } => self.end_run(which, reason)?,
            Command::Stop(who) => self.stop_some(who)?,
            Command::Adopt { by, layer, text } => self.adopt_any(by, layer, text)?,
            Command::Turn {
                who,
                proposes,
                word,
                place,
            } => self.turn(who, proposes, word, place)?,
            Command::Call(who) => self.call(who)?,
            Command::Answer {
                who,
                proposes,
                outcome,
                used,
            } => self.answer(who, proposes, outcome, used)?,
            Command::Question { who, advisor } => self.question(who, advisor)?,
            Command::Consult { who, advisor, form } => self.consult(who, advisor, form)?,
            Command::Advise { who, form } => self.advise(who, form)?,
            Command::Request {
                who,
                which,
                claims,
                advice,
            } => self.request(who, which, claims, advice)?,
            Command::Direct { who, which } => self.direct(who, which)?,
            Command::Decide { which, word, place } => self.decide(which, word, place)?,
            Command::Approve {
                which,
                verdict,
                approver,
            } => self.approve(which, verdict, approver)?,
            Command::Expire(which) => self.expire(which)?,
            Command::Finish { which, outcome, began } => self.finish(which, outcome, began)?,
            Command::Revoke { by, whom, reason } => self.revoke(by, whom, reason)?,
            Command::Erase { by, which, is_done } => self.erase(by, which, is_done)?,
            Command::AdoptOnOrder { by, layer, text } => self.adopt_on_order(by, layer, text)?,
            Command::Remark { who, code, about } => self.remark(who, code, about)?,
        }
        Some(())
    }

    /// A clock that steps back is clamped, and somebody says so.
    fn wait(&mut self, by: i32) {
        self.clock = self.clock.saturating_add_signed(i64::from(by)).max(START);
        if by < 0
            && let Some(runtime) = self.pick(0, |seq, party| party.role == Role::Runtime && self.can_speak(seq))
        {
            self.event(runtime, EventCode::ClockStepped, None, None);
        }
    }

    /// Writes the state down and goes on with what is read back.
    fn put_away(&mut self) {
        let folded = Folded {
            law: std::mem::take(&mut self.writer.law),
            ..Folded::default()
        };
        let bytes = folded.to_snapshot();
        let restored = Folded::from_snapshot(&bytes).expect("what was just written");
        assert!(restored.to_snapshot() == bytes, "another state was read back");
        self.writer.law = restored.law;
        self.was_put_away = true;
        self.tally.count("put away");
    }

    fn sign(&mut self, kept: bool) {
        let checkpoint = self.writer.checkpoint();
        if kept {
            self.tally.count("head");
            self.heads.push(checkpoint.note.clone());
            self.covered = self.writer.next_seq().get();
        }
        if self.writer.checkpoints.last().map(|last| last.size) != Some(checkpoint.size) {
            self.writer.checkpoints.push(checkpoint);
        }
    }

    /// One of those that fit.
    pub(super) fn pick(&self, choice: Pick, fits: impl Fn(Seq, &Party) -> bool) -> Option<Seq> {
        let fitting: Vec<Seq> = self
            .parties
            .iter()
            .filter(|(seq, party)| fits(**seq, party))
            .map(|(seq, _)| *seq)
            .collect();
        one_of(&fitting, choice).copied()
    }

    /// A runtime instance that can speak.
    pub(super) fn runtime(&self, choice: Pick) -> Option<Seq> {
        self.pick(choice, |seq, party| party.role == Role::Runtime && self.can_speak(seq))
    }

    /// Keys that nobody had before.
    pub(super) fn newcomer(&mut self) -> Option<Who> {
        self.keys += 1;
        (self.keys <= KEYS_MAX).then_some(Who::Extra(self.keys))
    }

    /// `received` of an entry that is made now.
    pub(super) fn received(&self) -> u64 {
        self.clock.max(self.last_received)
    }

    /// Whether somebody lives in a process that is there, has not stopped and is within the window of its credential.
    pub(super) fn can_stop(&self, seq: Seq) -> bool {
        let party = &self.parties[&seq];
        let at = self.clock.max(party.last_at);
        let within = |time: u64| party.window.0 <= time && time < party.window.1;
        self.closed.is_none()
            && party.role != Role::Approver
            && party.stop == Stop::Running
            && self.lives(party)
            && within(at)
            && within(self.received())
    }

    /// As [`World::can_stop`], and may say more than that: the agents of a run that has ended may not.
    pub(super) fn can_speak(&self, seq: Seq) -> bool {
        let party = &self.parties[&seq];
        let is_over = party
            .run
            .and_then(|run| self.runs.get(&run))
            .is_some_and(|run| run.ended.is_some());
        self.can_stop(seq) && (party.role != Role::Agent || !is_over)
    }

    /// Whether its process is there.
    pub(super) fn lives(&self, party: &Party) -> bool {
        self.parties
            .get(&party.process)
            .is_none_or(|process| !process.is_gone && process.stop == Stop::Running)
    }

    pub(super) fn active_run_of(&self, agent: Seq) -> Option<Seq> {
        let run = self.parties[&agent].run?;
        self.runs.get(&run)?.ended.is_none().then_some(run)
    }

    /// What its root grant demands of the run of `agent` now.
    pub(super) fn terms_of(&self, agent: Seq) -> Terms {
        let run = self.active_run_of(agent).map(|run| self.runs[&run].lead);
        let grant = run.and_then(|lead| self.parties[&lead].grant.as_ref());
        Terms {
            pins: grant.map(|grant| grant.policy.clone()),
            in_force: self.policies,
        }
    }

    /// One more statement of somebody who was introduced.
    pub(super) fn say(&mut self, by: Seq, payloads: &[&[u8]], body: impl FnOnce(&[PayloadRef]) -> Body) -> Seq {
        let who = self.parties[&by].who;
        self.enter("entry", (who, by), payloads, body)
    }

    /// Writes one entry; the label tells the writer which payloads are evidence.
    pub(super) fn enter(
        &mut self,
        label: &'static str,
        (who, by): (Who, Seq),
        payloads: &[&[u8]],
        body: impl FnOnce(&[PayloadRef]) -> Body,
    ) -> Seq {
        let party = self.parties.get(&by);
        let (at, received) = (self.clock.max(party.map_or(0, |party| party.last_at)), self.received());
        {
            let mut pen = self.pen.borrow_mut();
            (pen.at, pen.received) = (at, received);
            pen.own = party.map(|party| party.last_seq.map_or(by, |last| last.max(by)));
        }
        self.writer.clock = self.clock;
        let (mut kind, mut committed) = ("", Vec::new());
        let seq = self.writer.enter(label, (who, by), payloads, |refs| {
            let body = body(refs);
            kind = body.kind().name();
            committed = refs.to_vec();
            body
        });
        self.tally.count(kind);
        self.payloads.insert(seq, committed);
        let record = self.writer.entries.last().map(|entry| chain::link(&entry.record));
        self.pen.borrow_mut().links.extend(record);
        self.last_received = received;
        if let Some(party) = self.parties.get_mut(&by) {
            party.heard(seq, at);
        }
        seq
    }

    /// Makes the next statement's `at` its time of receipt, as the last one of a ledger has to.
    pub(super) fn catch_up(&mut self) {
        self.clock = self.received();
    }

    pub(super) fn event(&mut self, by: Seq, code: EventCode, about: Option<Seq>, detail: Option<&[u8]>) -> Seq {
        let payloads: Vec<&[u8]> = detail.into_iter().collect();
        self.say(by, &payloads, |refs| {
            SessionEvent {
                code,
                about,
                detail: refs.first().cloned(),
            }
            .into()
        })
    }

    /// Something that changes nothing.
    fn remark(&mut self, who: Pick, code: Pick, about: Pick) -> Option<()> {
        let who = self.pick(who, |seq, _| self.can_speak(seq))?;
        let codes: Vec<EventCode> = EventCode::ALL
            .iter()
            .copied()
            .filter(|code| *code != EventCode::ApprovalExpired)
            .collect();
        let code = *one_of(&codes, code)?;
        let entries = self.writer.next_seq().get();
        let about = about
            .is_multiple_of(2)
            .then(|| Seq::clamped(u64::from(about) % entries));
        self.event(who, code, about, about.map(|_| &b"a remark"[..]));
        Some(())
    }
}

impl Party {
    pub(super) fn heard(&mut self, seq: Seq, at: u64) {
        self.spoken += 1;
        self.last_seq = Some(seq);
        self.last_at = at;
    }
}

/// One of `list`, if it holds anything.
pub(super) fn one_of<T>(list: &[T], choice: Pick) -> Option<&T> {
    list.get(usize::from(choice) % list.len().max(1))
}
