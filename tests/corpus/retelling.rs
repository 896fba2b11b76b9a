//! Tells the story of a base anew, with something changed in it: what a lying operator does during the run, and, for who
//! has only the host's key after it, what stands before the lie is the same to the byte.

use std::cell::RefCell;

use countersign_schemas::body::{Body, Role};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Count, Seq};

use super::base::Base;
use super::case::Expected;
use super::support::Told;
use super::support::story::{Author, close_by};
use super::support::writer::{Draft, Twist, Writer};

/// The base up to `place`, then what `write` adds, and nothing else.
pub(crate) fn end_at(base: &Base, place: usize, write: impl Fn(&mut Writer<'_>)) -> Told {
    let taken = RefCell::new(None);
    let hook = |_: &str, writer: &mut Writer<'_>| {
        let is_there = writer.next_seq().get() == place as u64;
        if is_there && taken.borrow().is_none() {
            write(writer);
            *taken.borrow_mut() = Some(Told::from_written(writer));
        }
    };
    let twist = Twist {
        before: Some(Box::new(hook)),
        ..Twist::default()
    };
    drop(base.retell(twist));
    taken.into_inner().unwrap_or_else(|| base.told.clone())
}

/// The base with something written in front of the entry at `place`.
pub(crate) fn insert_at(base: &Base, place: usize, write: impl Fn(&mut Writer<'_>)) -> Told {
    let done = RefCell::new(false);
    let hook = |_: &str, writer: &mut Writer<'_>| {
        if writer.next_seq().get() == place as u64 && !done.replace(true) {
            write(writer);
        }
    };
    let twist = Twist {
        before: Some(Box::new(hook)),
        ..Twist::default()
    };
    base.retell(twist)
}

/// The base with the entry at `place` changed before it is signed.
pub(crate) fn change_at(base: &Base, place: usize, change: impl Fn(&mut Draft)) -> Told {
    base.retell(Twist::draft(base.label(place), |draft| change(draft)))
}

/// Writes the end of a ledger, and the checkpoint over it.
pub(crate) fn close(writer: &mut Writer<'_>, author: Author) {
    close_by(writer, author);
}

/// Lets `author` make an entry instead of its author, with its own counter.
pub(crate) fn give_to(draft: &mut Draft, (who, seq): Author) {
    draft.signer = who;
    draft.statement.by = seq;
    draft.statement.n = Count::clamped(draft.counters.get(&seq).copied().unwrap_or(0));
}

/// An instance of a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) author: Author,
    pub(crate) role: Role,
}

impl Base {
    /// The instances introduced before `place`, in order.
    pub(crate) fn instances(&self, place: usize) -> Vec<Instance> {
        let of = |(seq, known): (usize, &super::base::Known)| {
            let role = match &known.statement.body {
                Body::LedgerOpened(_) => Role::Runtime,
                Body::IdentityIntroduced(body) if body.role != Role::Approver => body.role,
                _ => return None,
            };
            let seq = Seq::clamped(seq as u64);
            let author = (self.holder(seq)?, seq);
            Some(Instance { author, role })
        };
        self.entries[..place].iter().enumerate().filter_map(of).collect()
    }

    /// Whether the instance stopped, or was succeeded, before `place`.
    pub(crate) fn has_stopped(&self, instance: Seq, place: usize) -> bool {
        self.entries[..place].iter().any(|known| match &known.statement.body {
            Body::InstanceStopped(body) => body.instance == instance,
            Body::IdentityIntroduced(body) => body.succeeds == Some(instance),
            Body::LedgerClosed(_) => known.statement.by == instance,
            _ => false,
        })
    }

    /// The instances that run at `place`.
    pub(crate) fn living(&self, place: usize) -> Vec<Instance> {
        let mut living = self.instances(place);
        living.retain(|instance| !self.has_stopped(instance.author.1, place));
        living
    }

    /// The runtime instance that runs at `place`: never more than one in a base.
    pub(crate) fn runtime(&self, place: usize) -> Option<Author> {
        let mut living = self.living(place).into_iter();
        living
            .find(|instance| instance.role == Role::Runtime)
            .map(|instance| instance.author)
    }

    /// A lead that can work at `place`, and the runtime instance that it works under: its run is active, its grant is not
    /// withdrawn, and no call of its model is open.
    pub(crate) fn working(&self, place: usize) -> Option<(Author, Author)> {
        let runtime = self.runtime(place)?;
        let before = || self.entries[..place].iter().enumerate();
        let is_under = |lead: &Instance| {
            usize::try_from(lead.author.1.get()).is_ok_and(|seq| self.entries[seq].statement.by == runtime.1)
        };
        let has_run = |lead: &Instance| {
            let started = before().find(|(_, known)| {
                matches!(&known.statement.body, Body::RunStarted(body) if body.root_grant == lead.author.1)
            });
            let has_ended = |run: u64| {
                before()
                    .any(|(_, known)| matches!(&known.statement.body, Body::RunEnded(body) if body.run.get() == run))
            };
            started.is_some_and(|(run, _)| !has_ended(run as u64))
        };
        let is_free = |lead: &Instance| {
            let by_it = before().filter(|(_, known)| known.statement.by == lead.author.1);
            let mut kinds = by_it.map(|(_, known)| known.kind()).rev();
            let last = kinds.find(|kind| matches!(kind, Kind::ModelCalled | Kind::ModelAnswered));
            let is_it = |known: &super::base::Known| matches!(&known.statement.body, Body::GrantRevoked(body) if body.target == lead.author.1);
            last != Some(Kind::ModelCalled) && !before().any(|(_, known)| is_it(known))
        };
        let living = self.living(place).into_iter().filter(|it| it.role == Role::Agent);
        let mut leads = living.filter(|lead| is_under(lead) && has_run(lead) && is_free(lead));
        Some((runtime, leads.next()?.author))
    }

    /// Whether `agent` may do at `place` what only an action with this tool lets it do: one is permitted and not finished,
    /// and nothing of `kind` stands behind its decision yet.
    pub(crate) fn is_inside(&self, agent: Seq, tool: &str, kind: Kind, place: usize) -> bool {
        let mut is_open = false;
        let mut decisions = std::collections::BTreeSet::new();
        for (seq, known) in self.entries[..place].iter().enumerate() {
            match &known.statement.body {
                Body::DecisionMade(body) => {
                    let request = usize::try_from(body.request.get())
                        .ok()
                        .map(|seq| &self.entries[seq].statement);
                    let is_it = request.is_some_and(|request| {
                        request.by == agent
                            && matches!(&request.body, Body::ActionRequested(asked) if asked.tool.as_str() == tool)
                    });
                    if is_it {
                        decisions.insert(Seq::clamped(seq as u64));
                        is_open = true;
                    }
                }
                Body::ActionFinished(body) if decisions.contains(&body.decision) => is_open = false,
                _ if known.kind() == kind && known.statement.by == agent => is_open = false,
                _ => {}
            }
        }
        is_open
    }

    /// The entry in front of `place` where a run first started, if one did.
    pub(crate) fn first_run(&self) -> usize {
        self.of_kind(Kind::RunStarted)
            .map(|(place, _)| place)
            .next()
            .unwrap_or(usize::MAX)
    }

    /// What an auditor with the head of the base says of a ledger of so many entries that is not the base: I8, at the last
    /// entry that the head covers, or the last one there is (V8).
    pub(crate) fn told_by_head(&self, entries: usize) -> Expected {
        let last = self.size().min(entries) as u64 - 1;
        Expected::rejected(last, &["I8"]).with_head()
    }

    /// What an auditor says to whom the attack shows nothing: what is said of the base itself.
    pub(crate) fn unseen(&self) -> Expected {
        Expected {
            exit: self.exit,
            ..Expected::unseen()
        }
    }
}
