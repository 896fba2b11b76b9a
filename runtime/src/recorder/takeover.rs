//! A later runtime instance takes a ledger up: it introduces itself, and says what became of what a crash left open
//! (authority-v1 §5.2.1).

use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::instant::Window;
use countersign_schemas::body::{
    ActionFinished, Body, EventCode, FinishOutcome, InstanceStopped, Introduced, LedgerRecovered, Newcomer, Role,
    RunEndReason, RunEnded, SessionEvent, Spend, StopReason,
};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Count, Seq};
use countersign_schemas::text::{Did, Name};
use countersign_verifier::law::{Instance as Known, Law};

use super::existing::{Existing, Found};
use super::heads::Heads;
use super::writer::{Own, Writer};
use super::{Authority, Entered, Instance, Newborn, RecordError, Recorder, Shared, State};

impl Existing {
    /// Goes on with the ledger as a new runtime instance, certified by the host for `window`.
    ///
    /// If processes that had the ledger before died, it takes over from them and enters what is to be said of what they
    /// left: nobody knows what became of permitted actions, asks are no longer answered, runs have ended, agents are gone.
    /// Everything is durable, and under a head, when this returns.
    ///
    /// # Errors
    /// [`RecordError`]; what was entered by then stays.
    pub fn take_up(self, authority: &Authority, window: Window) -> Result<Recorder, RecordError> {
        self.take_up_as(authority, window, None)
    }

    /// As [`Existing::take_up`], with `recovered` right behind the introduction.
    pub(super) fn take_up_as(
        self,
        authority: &Authority,
        window: Window,
        recovered: Option<LedgerRecovered>,
    ) -> Result<Recorder, RecordError> {
        let Self { store, found } = self;
        let Found {
            folded,
            keys,
            head_file,
            folds,
            clock,
            ..
        } = found;
        let opening = folded
            .law
            .opening()
            .ok_or(RecordError::Bug("a ledger without its first entry"))?;
        let (ledger, origin) = (opening.ledger(), opening.origin().clone());
        let heads = Heads::signed_up_to(folded.law.head().size, origin, keys, head_file, folds);
        let mut crashed = crashed(&folded.law);
        let path = store.path().to_owned();
        let mut state = State {
            head: folded.law.head().link,
            law: folded.law,
            clock,
            tree: folded.tree,
            writer: Writer::Own(Own::start(store).map_err(RecordError::Thread)?),
            pending: None,
        };
        let host = Certifier {
            authority,
            ledger,
            window,
        };
        let (runtime, introduced) = host.introduce(&mut state, crashed.pop())?;
        let recorder = Recorder::over(Arc::new(Shared::new(ledger, path, state, heads)), runtime, None)?;
        let mut last = introduced;
        if let Some(recovered) = recovered {
            last = recorder.enter_recovered(recovered)?;
        }
        last = recorder.end_what_was_left(recorder.runtime())?.unwrap_or(last);
        for crashed in crashed {
            last = recorder.end_beside(&host, crashed)?;
        }
        last.durable_blocking()?;
        recorder.keep_head()?;
        recorder.shared.open_door();
        Ok(recorder)
    }
}

/// Runtime instances whose processes are gone without a word, in the order of their introductions.
///
/// Whoever holds the writer's place is alone: with it, the processes that had joined lost the ledger too.
fn crashed(law: &Law) -> Vec<Seq> {
    law.running().map(Known::seq).collect()
}

/// The host, which certifies runtime instances of one ledger.
pub(super) struct Certifier<'a> {
    pub(super) authority: &'a Authority,
    pub(super) ledger: LedgerId,
    pub(super) window: Window,
}

impl Certifier<'_> {
    /// A new runtime instance introduces itself, in the place of `succeeds` if that one is gone.
    fn introduce(&self, state: &mut State, succeeds: Option<Seq>) -> Result<(Instance, Entered), RecordError> {
        let (newborn, body) = self.newcomer(succeeds)?;
        let instance = newborn.introduced_at(state.law.next_seq());
        let at = state.clock.read();
        let signed = state.sign(self.ledger, &instance, body, at);
        let entered = state.take(signed, Vec::new())?;
        Ok((instance, entered))
    }

    /// A runtime instance with fresh keys, and what it will say of itself.
    pub(super) fn newcomer(&self, succeeds: Option<Seq>) -> Result<(Newborn, Body), RecordError> {
        let newborn = Newborn::generate()?;
        let body = Introduced {
            did: Newcomer::Did(Did::new(newborn.did().long())?),
            role: Role::Runtime,
            credential: Doc::new(self.certify(&newborn)?)?,
            run: None,
            succeeds,
            parent_grant: None,
        };
        Ok((newborn, body.into()))
    }

    fn certify(&self, newborn: &Newborn) -> Result<Vec<u8>, RecordError> {
        let claims = InstanceClaims {
            window: self.window,
            instance: newborn.did().short_did().clone(),
            role: InstanceRole::Runtime,
            name: Name::new("runtime")?,
            operator: self.authority.principal().short_did().clone(),
            runtime: crate::session::runtime_build()?,
            model: None,
            ledger: LedgerBinding::Id(self.ledger),
        };
        Ok(InstanceCredential::issue(
            &claims,
            self.authority.host(),
            self.authority.host_did(),
        )?)
    }
}

impl Recorder {
    /// An instance of its own takes over from `crashed` and stops again: one instance can take over from one only.
    fn end_beside(&self, host: &Certifier<'_>, crashed: Seq) -> Result<Entered, RecordError> {
        let (successor, _) = host.introduce(&mut self.lock(), Some(crashed))?;
        self.end_what_was_left(&successor)?;
        let words = self.with_law(|law| law.instance(successor.seq()).map(Known::last_words));
        let (last_n, last_seq) = words.ok_or(RecordError::Bug("an instance the law does not know"))?;
        let stopped = InstanceStopped {
            instance: successor.seq(),
            reason: StopReason::Done,
            last_n,
            last_seq,
        };
        self.enter(&successor, stopped.into(), Vec::new())
    }

    /// Enters what was lost, right behind the introduction: that the clock lies behind is told after it.
    fn enter_recovered(&self, recovered: LedgerRecovered) -> Result<Entered, RecordError> {
        let mut state = self.lock();
        let at = state.clock.read();
        let signed = state.sign(self.ledger, &self.runtime, recovered.into(), at);
        state.take(signed, Vec::new())
    }

    /// Says what became of what those left whom `successor` took over from; gives the last entry.
    fn end_what_was_left(&self, successor: &Instance) -> Result<Option<Entered>, RecordError> {
        let left = self.with_law(|law| law.unfinished(successor.seq()));
        let mut last = None;
        let mut enter = |body: Body| {
            last = Some(self.enter(successor, body, Vec::new())?);
            Ok::<(), RecordError>(())
        };
        for decision in left.permitted {
            enter(nobody_knows(decision))?;
        }
        for decision in left.asking {
            enter(nobody_answers(decision))?;
        }
        for instance in left.instances {
            enter(self.with_law(|law| gone(law, instance))?)?;
        }
        for run in left.runs {
            enter(self.with_law(|law| ended(law, run))?)?;
        }
        Ok(last)
    }
}

/// A permitted action may have been executed, or not.
fn nobody_knows(decision: Seq) -> Body {
    ActionFinished {
        decision,
        outcome: FinishOutcome::Unknown,
        result: None,
        started: None,
        duration: None,
        sandbox: Count::ZERO,
    }
    .into()
}

/// Whoever waited for the answer is gone.
fn nobody_answers(decision: Seq) -> Body {
    SessionEvent {
        code: EventCode::ApprovalExpired,
        about: Some(decision),
        detail: None,
    }
    .into()
}

/// The keys of an agent or advisor died with its process.
fn gone(law: &Law, instance: Seq) -> Result<Body, RecordError> {
    let words = law.instance(instance).map(Known::last_words);
    let (last_n, last_seq) = words.ok_or(RecordError::Bug("an instance the law does not know"))?;
    let stopped = InstanceStopped {
        instance,
        reason: StopReason::Crashed,
        last_n,
        last_seq,
    };
    Ok(stopped.into())
}

/// Nobody works on a run any more whose process died; that it was done nobody can say.
fn ended(law: &Law, run: Seq) -> Result<Body, RecordError> {
    let lead = law.run(run).map(|run| run.lead());
    let grant = lead.and_then(|lead| law.grant_of(lead));
    let spend: Spend = grant
        .map(|grant| grant.spent())
        .ok_or(RecordError::Bug("a run without a grant"))?;
    let ended = RunEnded {
        run,
        reason: RunEndReason::Other,
        result: None,
        spend,
    };
    Ok(ended.into())
}
