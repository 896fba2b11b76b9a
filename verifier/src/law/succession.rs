//! Runtime instances side by side and one after the other: who runs, and what a crash left behind (authority-v1 §5.2.1).

use countersign_schemas::body::Role;
use countersign_schemas::number::Seq;

use super::Law;
use super::instance::{Instance, Stop};

/// What a runtime instance has begun and not ended, together with what those left behind that it succeeded.
///
/// Everything here may be ended by the instance itself, and by whoever succeeds it; each list ascends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unfinished {
    /// Permitted decisions without outcome: `action.finished`, from a successor with outcome `unknown` and no start.
    pub permitted: Vec<Seq>,
    /// Asks that nobody answered: `approval-expired`.
    pub asking: Vec<Seq>,
    /// Runs that are active: `run.ended`, from a successor for any reason but `done`.
    pub runs: Vec<Seq>,
    /// Agents and advisors that have not stopped: `instance.stopped`.
    pub instances: Vec<Seq>,
}

impl Unfinished {
    /// Whether nothing is left to be ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

impl Law {
    /// The runtime instances that have not stopped and were not succeeded, in the order of introduction.
    ///
    /// In a ledger that nobody has open, each of them died. A later instance succeeds one of them and can end what that
    /// one left; of the others it can declare the stop, or leave each to an instance of its own.
    pub fn running(&self) -> impl Iterator<Item = &Instance> {
        self.running.iter().filter_map(|seq| self.instances.get(seq))
    }

    /// Enters somebody new.
    pub(super) fn begin(&mut self, instance: Instance) {
        if instance.role == Role::Runtime {
            self.running.insert(instance.seq);
        }
        self.instances.insert(instance.seq, instance);
    }

    /// Ends somebody.
    pub(super) fn stop(&mut self, seq: Seq, stop: Stop) {
        self.running.remove(&seq);
        if let Some(instance) = self.instances.get_mut(&seq) {
            instance.stop = stop;
        }
    }

    /// What `runtime` and those it succeeded have left open; nothing where no runtime instance was introduced at `runtime`.
    ///
    /// Asked of an instance that is about to be succeeded, this is what its successor will have to end. Takes time in
    /// proportion to what the ledger leaves open and to the number of its instances and runs.
    #[must_use]
    pub fn unfinished(&self, runtime: Seq) -> Unfinished {
        let Some(runtime) = self.instance(runtime).filter(|it| it.role == Role::Runtime) else {
            return Unfinished::default();
        };
        let is_decided = |seq: &Seq| {
            let decision = self.actions.decisions.get(seq);
            decision.is_some_and(|decision| self.stands_for(runtime, decision.author))
        };
        let is_under = |instance: &Instance| self.stands_for(runtime, instance.runtime);
        let runs = self.runs.iter().filter(|(_, run)| run.ended().is_none());
        let instances = self
            .instances()
            .filter(|it| matches!(it.role, Role::Agent | Role::Advisor) && it.stop == Stop::Running);
        Unfinished {
            permitted: self.actions.permitted.iter().copied().filter(is_decided).collect(),
            asking: self.actions.asking.iter().copied().filter(is_decided).collect(),
            runs: runs
                .filter(|(_, run)| self.instance(run.lead()).is_some_and(is_under))
                .map(|(seq, _)| *seq)
                .collect(),
            instances: instances.filter(|it| is_under(it)).map(Instance::seq).collect(),
        }
    }

    /// Whether `author` may speak for `other`: it is `other`, or succeeded it, at once or over others in between.
    pub(super) fn stands_for(&self, author: &Instance, other: Seq) -> bool {
        self.instance(other).is_some_and(|other| author.stands_for(other))
    }
}
