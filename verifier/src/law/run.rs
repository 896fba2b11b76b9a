//! `run.started` and `run.ended` (authority-v1 §5.4), and what a root grant pins (G8).

use std::collections::BTreeMap;

use countersign_schemas::body::{PolicyLayer, Role, RunEndReason, RunEnded, RunMode, RunStarted, Spend};
use countersign_schemas::number::{Millis, Seq};

use super::account::Amount;
use super::entry::Entry;
use super::findings::Findings;
use super::instance::{Instance, Stop};
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    lead: Seq,
    mode: RunMode,
    ended: Option<(Seq, Millis)>,
}

kept!(Run { lead, mode, ended });

impl Run {
    /// The lead agent, whose grant the run spends.
    #[must_use]
    pub fn lead(&self) -> Seq {
        self.lead
    }

    /// How it is attended.
    #[must_use]
    pub fn mode(&self) -> RunMode {
        self.mode
    }

    /// The `run.ended`, if it has ended.
    #[must_use]
    pub fn ended(&self) -> Option<Seq> {
        self.ended.map(|(seq, _)| seq)
    }

    /// When its end was received.
    pub(super) fn ended_at(&self) -> Option<Millis> {
        self.ended.map(|(_, received)| received)
    }
}

/// Every run by its `run.started`.
pub(super) type Runs = BTreeMap<Seq, Run>;

impl Law {
    /// The active run that `agent` belongs to.
    #[must_use]
    pub fn active_run_of(&self, agent: Seq) -> Option<Seq> {
        let run = self.instances.get(&agent)?.run?;
        self.runs.get(&run).filter(|state| state.ended.is_none()).map(|_| run)
    }

    /// Whether `agent` is the lead of a run.
    pub(super) fn is_lead(&self, agent: &Instance) -> bool {
        agent
            .run
            .and_then(|run| self.runs.get(&run))
            .map_or(agent.is_introduced_by_runtime(), |run| run.lead == agent.seq)
    }

    /// The word for the mode of the agent's run; `headless` outside a run, where nothing is allowed anyway.
    pub(super) fn mode_of(&self, agent: &Instance) -> &'static str {
        agent
            .run
            .and_then(|run| self.runs.get(&run))
            .map_or(RunMode::Headless, |run| run.mode)
            .as_str()
    }

    /// G8: the agent's run is active and the policies its root grant pins are in force.
    pub(super) fn run_terms(&self, agent: Seq) -> RunTerms {
        let run = self.active_run_of(agent).and_then(|run| self.runs.get(&run));
        let root = run.and_then(|run| self.grants.at(run.lead));
        let Some(root) = root else { return RunTerms::Broken };
        let terms = &root.grant.policy;
        let organisation = self.policies.at(PolicyLayer::Organisation).is_some();
        let adopted = terms.adopt || !organisation || terms.floor.contains_key(&PolicyLayer::Organisation);
        let mut absent = None;
        for (layer, pinned) in &terms.floor {
            match self
                .policies
                .at(*layer)
                .map(|adopted| (adopted.seq(), adopted.digest()))
            {
                Some((_, Some(digest))) if digest == *pinned => {}
                Some((seq, None)) => absent = Some(seq),
                Some(_) | None => return RunTerms::Broken,
            }
        }
        match absent {
            _ if !adopted => RunTerms::Broken,
            Some(seq) => RunTerms::Unknown(seq),
            None => RunTerms::Hold,
        }
    }
}

/// Whether a requester's run is active under the policies that its root grant demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunTerms {
    /// It is.
    Hold,
    /// It is not.
    Broken,
    /// A pinned policy was adopted at this entry, but its text is absent: nobody can say.
    Unknown(Seq),
}

/// A run that is started.
pub(super) struct Started {
    seq: Seq,
    run: Run,
}

impl Started {
    pub(super) fn apply(self, law: &mut Law) {
        if let Some(lead) = law.instances.get_mut(&self.run.lead) {
            lead.run = Some(self.seq);
        }
        law.runs.insert(self.seq, self.run);
    }
}

pub(super) fn check_start(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &RunStarted,
    out: &mut Findings,
) -> Option<Change> {
    let lead = law
        .instances
        .get(&body.root_grant)
        .filter(|lead| lead.role == Role::Agent);
    let Some(lead) = lead.filter(|lead| lead.is_introduced_by_runtime()) else {
        out.breach(
            Code::A5,
            "the introduction of a lead agent",
            format_args!("entry {}", body.root_grant),
        );
        return None;
    };
    out.require(
        lead.runtime == author.seq,
        Code::A5,
        format_args!("a run of a lead agent that its author, {}, introduced", author.seq),
        format_args!("one that {} introduced", lead.runtime),
    );
    out.require(
        lead.stop == Stop::Running,
        Code::A5,
        "a lead agent that has not stopped",
        "one that has",
    );
    law.require_unrevoked(body.root_grant, out);
    if let Some(run) = lead.run {
        out.breach(
            Code::A5,
            "a lead agent without a run",
            format_args!("the lead of run {run}"),
        );
        return None;
    }
    let run = Run {
        lead: body.root_grant,
        mode: body.mode,
        ended: None,
    };
    Some(Change::RunStarted(Started { seq: entry.seq, run }))
}

/// A run that is ended.
pub(super) struct Ended {
    seq: Seq,
    received: Millis,
    run: Seq,
}

impl Ended {
    pub(super) fn apply(self, law: &mut Law) {
        if let Some(run) = law.runs.get_mut(&self.run) {
            run.ended = Some((self.seq, self.received));
        }
    }
}

pub(super) fn check_end(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &RunEnded,
    out: &mut Findings,
) -> Option<Change> {
    let Some(run) = law.runs.get(&body.run).filter(|run| run.ended.is_none()) else {
        out.breach(Code::A5, "an active run", format_args!("entry {}", body.run));
        return None;
    };
    check_end_author(law, author, body, run, out);
    if let Some(grant) = law.grants.at(run.lead) {
        let spent = grant.spent();
        let shown = |spend: &Spend| format!("spend {:?}", Amount::from(spend).0);
        out.require(spent == body.spend, Code::G6, shown(&spent), shown(&body.spend));
    }
    Some(Change::RunEnded(Ended {
        seq: entry.seq,
        received: entry.received,
        run: body.run,
    }))
}

/// A run is ended by the runtime instance that started it. Whoever took over from that one cannot say that it is done.
fn check_end_author(law: &Law, author: &Instance, body: &RunEnded, run: &Run, out: &mut Findings) {
    let runtime = law.instances.get(&run.lead).map_or(Seq::ZERO, Instance::runtime);
    if author.seq == runtime {
        return;
    }
    let stands_for = law.stands_for(author, runtime);
    out.require(
        stands_for,
        Code::A5,
        format_args!("the end of a run by {runtime}, or by who took over from it"),
        format_args!("by {}", author.seq),
    );
    out.require(
        !stands_for || body.reason != RunEndReason::Done,
        Code::A5,
        "another reason for the end of a run that was taken over",
        body.reason,
    );
}
