//! Who comes and who goes: the opening, introductions, crashes, those who take over, and stops.

use std::collections::BTreeSet;

use countersign_identity::credential::{ApproverClaims, GrantClaims, InstanceClaims, InstanceRole};
use countersign_identity::grant::{Grant, Lineage, PolicyTerms};
use countersign_ledger::merkle::Root;
use countersign_schemas::body::{
    ActionFinished, Effects, EventCode, FinishOutcome, Granted, InstanceStopped, Introduced, LedgerRecovered, Newcomer,
    Order, PolicyAdopted, PolicyLayer, Predecessor, RecoveryReason, Role, RunEndReason, RunEnded, StopReason,
};
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::list::{Doc, List};
use countersign_schemas::number::{Count, Seq, Size};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::Did;
use countersign_verifier::law::Stop;
use countersign_verifier::policy::{BUILTIN_LAYER0, ENTITIES, SCHEMA};

use super::acting::State;
use super::command::{History, Pick};
use super::issued::issue;
use super::world::{Party, World, one_of};
use crate::support::aftermath::head;
use crate::support::cast::Who;
use crate::support::credentials::{self, HOUR, START, budget, name, path, root_grant, window};
use crate::support::story::{LAYER1, binding, founding_terms};

/// Texts of layer 1: a permit, nothing, what cannot be read, a forbid, what cannot be evaluated, an ask.
pub(super) const ORGANISATION: [&str; 6] = [
    LAYER1,
    "",
    "permit (",
    r#"@id("no-bash") forbid (principal, action == Action::"bash", resource);"#,
    r#"@id("breaks") permit (principal, action, resource) when { context.calls_left * 9007199254740991 * 9007199254740991 > 0 };"#,
    r#"@id("asks") @decision("ask") permit (principal, action == Action::"list", resource);"#,
];

/// Texts of the layers below: a forbid, an ask, a neutral permit, what cannot be read, nothing.
const LOWER: [&str; 5] = [
    r#"@id("no-todo") forbid (principal, action == Action::"todo", resource);"#,
    r#"@id("asks-list") @decision("ask") permit (principal, action == Action::"list", resource);"#,
    "permit (principal, action, resource);",
    "nonsense",
    "",
];

/// Somebody about to be introduced.
struct Candidate {
    who: Who,
    role: Role,
    window: (u64, u64),
    credential: Doc,
    run: Option<Seq>,
    succeeds: Option<Seq>,
    parent_grant: Option<Seq>,
    grant: Option<Grant>,
}

impl World {
    /// Entry 0, a checkpoint, and most of the time the first two layers.
    pub(super) fn found(&mut self, history: &History) {
        let mut body = founding_terms();
        body.predecessor = history.continues.then(|| Predecessor {
            ledger: LedgerId::from_bytes([1; 32]),
            size: Count::clamped(7),
            link: Link::from_bytes([2; 32]),
            root: Digest::from_bytes([3; 32]),
        });
        let founding = countersign_identity::binding::LedgerBinding::Founding(body.founding());
        let claims = credentials::instance(Who::Opener, "runtime", InstanceRole::Runtime, founding);
        let documents = vec![issue(&credentials::host(), Who::Principal), issue(&claims, Who::Host)];
        body.credentials = List::new(documents).expect("two documents");
        let within = (claims.window.from().get(), claims.window.until().get());
        let opener = self.enter("entry", (Who::Opener, Seq::ZERO), &[], |_| body.into());
        let mut party = party(Who::Opener, Role::Runtime, (opener, opener), within);
        party.heard(opener, START);
        party.line.push(opener);
        self.parties.insert(opener, party);
        let checkpoint = self.writer.checkpoint();
        self.writer.checkpoints.push(checkpoint);
        if history.start.builtin {
            self.adopt(opener, PolicyLayer::Builtin, BUILTIN_LAYER0, None);
        }
        if history.start.organisation {
            self.adopt(opener, PolicyLayer::Organisation, LAYER1, None);
        }
        if history.start.approver {
            let _ = self.introduce_approver(0, 0);
        }
        if let Some(terms) = history.start.lead {
            let _ = self.introduce_advisor(0);
            let _ = self.introduce_lead(0, terms, 0);
            let _ = self.start_run(0);
        }
    }

    pub(super) fn adopt_any(&mut self, by: Pick, layer: Pick, text: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        // From the first run on, the layers that permit are fixed.
        let first = if self.runs.is_empty() { 0 } else { 2 };
        let layer = *one_of(&PolicyLayer::ALL[first..], layer)?;
        let text = match layer {
            PolicyLayer::Builtin => BUILTIN_LAYER0,
            PolicyLayer::Organisation => *one_of(&ORGANISATION, text)?,
            _ => *one_of(&LOWER, text)?,
        };
        self.adopt(by, layer, text, None);
        Some(())
    }

    pub(super) fn adopt(&mut self, by: Seq, layer: PolicyLayer, text: &str, order: Option<Order>) {
        let who = self.parties[&by].who;
        let is_ordered = order.is_some();
        let payloads = [text.as_bytes(), SCHEMA.as_bytes(), ENTITIES.as_bytes()];
        // The label makes its payloads evidence.
        let seq = self.enter("layer", (who, by), &payloads, |refs| {
            let [policies, schema, entities] = [&refs[0], &refs[1], &refs[2]].map(PayloadRef::clone);
            PolicyAdopted {
                layer,
                policies,
                schema,
                entities,
                language: name("cedar-4"),
                order,
            }
            .into()
        });
        let place = usize::try_from(layer.code()).expect("six layers");
        if is_ordered {
            self.ordered.insert(seq);
        }
        self.policies[place] = Some((seq, Digest::sha256(text.as_bytes())));
    }

    fn introduce(&mut self, by: Option<Seq>, candidate: Candidate) -> Seq {
        let own = self.writer.next_seq();
        let author = by.map_or((candidate.who, own), |by| (self.parties[&by].who, by));
        let Candidate {
            who,
            role,
            window,
            credential,
            run,
            succeeds,
            parent_grant,
            grant,
        } = candidate;
        let at = self.clock;
        let seq = self.enter("entry", author, &[], |_| {
            let did = Newcomer::Did(Did::new(who.did().long()).expect("a long form"));
            Introduced {
                did,
                role,
                credential,
                run,
                succeeds,
                parent_grant,
            }
            .into()
        });
        let process = by.map_or(seq, |by| self.parties[&by].process);
        let mut newcomer = party(who, role, (by.unwrap_or(seq), process), window);
        newcomer.run = run;
        if by.is_none() {
            newcomer.line.push(seq);
            newcomer.heard(seq, at);
        }
        if let Some(grant) = &grant {
            self.accounts.open(seq, parent_grant, &grant.budget);
        }
        newcomer.grant = grant;
        self.parties.insert(seq, newcomer);
        seq
    }

    fn instance(&self, who: Who, called: &str, role: InstanceRole, until: u64) -> InstanceClaims {
        let mut claims = credentials::instance(who, called, role, binding(&self.writer));
        claims.window = window(claims.window.from().get(), until);
        claims
    }

    pub(super) fn join(&mut self, window: Pick, succeeds: Option<Seq>, loss: Pick) -> Option<()> {
        let until = until(window, START + 24 * HOUR);
        if self.closed.is_some() || self.received() >= until {
            return None;
        }
        let who = self.newcomer()?;
        let claims = self.instance(who, "runtime", InstanceRole::Runtime, until);
        let nobody_ran = !self
            .parties
            .values()
            .any(|party| party.role == Role::Runtime && party.stop == Stop::Running);
        let candidate = Candidate {
            who,
            role: Role::Runtime,
            window: (claims.window.from().get(), until),
            credential: issue(&claims, Who::Host),
            run: None,
            succeeds,
            parent_grant: None,
            grant: None,
        };
        let seq = self.introduce(None, candidate);
        if succeeds.is_none() && nobody_ran {
            self.unattended.insert(seq);
        }
        if let Some(before) = succeeds {
            let dead = self.parties.get_mut(&before).expect("who was succeeded");
            dead.stop = Stop::Succeeded(seq);
            let line = dead.line.clone();
            self.parties.get_mut(&seq).expect("the newcomer").line.extend(line);
        }
        match loss % 8 {
            1 => self.recovered(seq, None),
            2 => self.recovered(seq, Some(head(seq.get() + 5, Root::of_empty()))),
            3 => self.recovered(seq, Some(head(seq.get(), Root::of_empty()))),
            _ => {}
        }
        Some(())
    }

    fn recovered(&mut self, by: Seq, lost_head: Option<Doc>) {
        let reason = if lost_head.is_some() {
            RecoveryReason::OldCopy
        } else {
            RecoveryReason::LostTail
        };
        let size = Size::clamped(by.get());
        let seq = self.say(by, &[], |_| {
            LedgerRecovered {
                size,
                lost_head,
                reason,
            }
            .into()
        });
        self.lasting.insert(("C1", seq));
    }

    pub(super) fn succeed(&mut self, whom: Pick, loss: Pick) -> Option<()> {
        let dead = self.pick(whom, |_, party| {
            party.role == Role::Runtime && party.is_gone && party.stop == Stop::Running
        })?;
        self.join(0, Some(dead), loss)
    }

    pub(super) fn crash(&mut self, who: Pick) -> Option<()> {
        self.may_be_left(who)?;
        let who = self.pick(who, |_, party| {
            party.role == Role::Runtime && party.stop == Stop::Running && !party.is_gone
        })?;
        self.parties.get_mut(&who)?.is_gone = true;
        Some(())
    }

    pub(super) fn introduce_approver(&mut self, by: Pick, within: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        let who = self.newcomer()?;
        let until = until(within, START + 24 * HOUR);
        let claims = ApproverClaims {
            window: window(START - HOUR, until),
            approver: who.did().short_did().clone(),
            name: name("alice"),
        };
        let candidate = Candidate {
            who,
            role: Role::Approver,
            window: (START - HOUR, until),
            credential: issue(&claims, Who::Principal),
            run: None,
            succeeds: None,
            parent_grant: None,
            grant: None,
        };
        self.introduce(Some(by), candidate);
        Some(())
    }

    pub(super) fn introduce_advisor(&mut self, by: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        self.advisor(by, Who::Host, None)
    }

    fn advisor(&mut self, by: Seq, issuer: Who, run: Option<Seq>) -> Option<()> {
        let who = self.newcomer()?;
        let until = (START + 12 * HOUR).min(if issuer == Who::Host {
            u64::MAX
        } else {
            self.parties[&by].window.1
        });
        let claims = self.instance(who, "advisor", InstanceRole::Advisor, until);
        let candidate = Candidate {
            who,
            role: Role::Advisor,
            window: (claims.window.from().get(), until),
            credential: issue(&claims, issuer),
            run,
            succeeds: None,
            parent_grant: None,
            grant: None,
        };
        self.introduce(Some(by), candidate);
        Some(())
    }

    pub(super) fn bring(&mut self, who: Pick) -> Option<()> {
        let by = self.pick(who, |seq, _| self.free_action(seq, "advisor").is_some())?;
        let action = self.free_action(by, "advisor")?;
        let run = self.active_run_of(by);
        self.advisor(by, self.parties[&by].who, run)?;
        self.actions.get_mut(&action)?.introduced = true;
        Some(())
    }

    /// The permitted action of `by` with `tool` that was requested first and introduced nobody.
    fn free_action(&self, by: Seq, tool: &str) -> Option<Seq> {
        let now = self.received();
        let free = self.actions.iter().find(|(_, action)| {
            action.by == by
                && action.call.0 == tool
                && action.state == State::Permitted
                && !action.introduced
                && action.expires >= now
        });
        free.map(|(seq, _)| *seq).filter(|_| self.can_speak(by))
    }

    pub(super) fn issue_grant(&mut self, by: Pick, terms: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        // Every grant of the principal is another one.
        let until = START + 20 * HOUR + 1_000 * self.issued.len() as u64;
        let mut grant = root_grant(countersign_identity::binding::LedgerBinding::Any);
        grant.depth = 3;
        if terms % 2 == 1 {
            grant.budget = budget(12, 20_000);
        }
        let claims = GrantClaims {
            window: window(START - HOUR, until),
            host: Who::Host.did().short_did().clone(),
            grant: grant.clone(),
        };
        let credential = issue(&claims, Who::Principal);
        let digest = Digest::sha256(credential.as_bytes());
        let seq = self.say(by, &[], |_| {
            Granted {
                holder: Seq::ZERO,
                credential,
                parent_grant: Seq::ZERO,
                spent_in: None,
            }
            .into()
        });
        self.accounts.open(seq, None, &grant.budget);
        self.issued.insert(seq, (grant, digest));
        Some(())
    }

    pub(super) fn introduce_lead(&mut self, by: Pick, terms: Pick, within: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        let who = self.newcomer()?;
        let issued = self
            .issued
            .iter()
            .rfind(|(seq, _)| !self.revoked.contains(seq))
            .map(|(seq, (grant, digest))| (*seq, grant.clone(), *digest));
        let mut grant = root_grant(binding(&self.writer));
        let mut parent_grant = None;
        match terms % 8 {
            3 => grant.budget = budget(6, 8_000),
            4 => {
                grant.tools = ["agent", "grep", "list", "read", "todo"].map(name).into();
                grant.effects = Effects::READ.union(Effects::DELEGATE);
                grant.hosts = BTreeSet::new();
            }
            5 => grant.policy = self.pinned(PolicyLayer::Organisation, LAYER1),
            6 => grant.policy = self.pinned(PolicyLayer::Session, LOWER[usize::from(terms / 8) % LOWER.len()]),
            7 => {
                if let Some((seq, parent, digest)) = issued {
                    parent_grant = Some(seq);
                    grant.budget = budget(parent.budget.calls.get(), 15_000);
                    grant.lineage = Lineage::Child {
                        parent: digest,
                        root: digest,
                    };
                }
            }
            _ => {}
        }
        let until = until(within, START + 24 * HOUR);
        let claims = self.instance(who, "lead", InstanceRole::Agent(Box::new(grant.clone())), until);
        let candidate = Candidate {
            who,
            role: Role::Agent,
            window: (claims.window.from().get(), until),
            credential: issue(&claims, Who::Host),
            run: None,
            succeeds: None,
            parent_grant,
            grant: Some(grant),
        };
        self.introduce(Some(by), candidate);
        Some(())
    }

    /// Terms that pin a layer to what is in force in it, or to a text that may come.
    fn pinned(&self, layer: PolicyLayer, text: &str) -> PolicyTerms {
        let place = usize::try_from(layer.code()).expect("six layers");
        let in_force = self.policies[place].map(|(_, digest)| digest);
        let digest = in_force.unwrap_or_else(|| Digest::sha256(text.as_bytes()));
        PolicyTerms {
            adopt: false,
            floor: [(layer, digest)].into(),
        }
    }

    pub(super) fn spawn(&mut self, who: Pick, terms: Pick, within: Pick) -> Option<()> {
        let may = |party: &Party| party.grant.as_ref().is_some_and(|grant| grant.depth > 0);
        let by = self.pick(who, |seq, party| {
            may(party) && !self.is_revoked(seq) && self.free_action(seq, "agent").is_some()
        })?;
        let action = self.free_action(by, "agent")?;
        let who = self.newcomer()?;
        let grant = self.narrower(by, terms)?;
        self.tally.count(format!("agent of depth {}", grant.depth));
        let parent = &self.parties[&by];
        let (until, issuer) = (until(within, parent.window.1), parent.who);
        let run = self.active_run_of(by);
        let claims = self.instance(who, "child", InstanceRole::Agent(Box::new(grant.clone())), until);
        let candidate = Candidate {
            who,
            role: Role::Agent,
            window: (claims.window.from().get(), until),
            credential: issue(&claims, issuer),
            run,
            succeeds: None,
            parent_grant: Some(by),
            grant: Some(grant),
        };
        self.introduce(Some(by), candidate);
        self.actions.get_mut(&action)?.introduced = true;
        Some(())
    }

    /// A grant below that of `by`.
    fn narrower(&self, by: Seq, terms: Pick) -> Option<Grant> {
        let parent = self.parties[&by].grant.clone()?;
        let state = self.writer.law.grant_of(by)?;
        let lineage = Lineage::Child {
            parent: state.digest(),
            root: state.root_digest(),
        };
        let depth = parent.depth - 1;
        let mut grant = Grant {
            depth,
            may_delegate: depth > 0,
            lineage,
            ..parent
        };
        let least = |ours: u64| grant.budget.calls.get().min(ours);
        match terms % 4 {
            1 => grant.budget = budget(least(4), grant.budget.tokens_in.get().min(3_000)),
            2 => {
                grant
                    .tools
                    .retain(|tool| ["agent", "grep", "list", "read"].contains(&tool.as_str()));
                grant.paths = [path("/w/src")].into();
            }
            3 => grant.workspace = path("/w/src"),
            _ => {}
        }
        Some(grant)
    }

    /// What an instance says of whom it stops.
    fn stop(&mut self, by: Seq, instance: Seq, reason: StopReason) {
        let party = &self.parties[&instance];
        let (last_n, last_seq) = match party.last_seq {
            Some(last) => (Count::clamped(party.spoken - 1), last),
            None => (Count::ZERO, instance),
        };
        self.say(by, &[], |_| {
            InstanceStopped {
                instance,
                reason,
                last_n,
                last_seq,
            }
            .into()
        });
        let stop = if by == instance { Stop::Own } else { Stop::Declared };
        self.parties.get_mut(&instance).expect("who stops").stop = stop;
    }

    /// Somebody whom nobody needs any more stops, or, seldom, anybody.
    pub(super) fn stop_some(&mut self, who: Pick) -> Option<()> {
        let is_idle = |party: &Party| party.proposed.is_empty() && party.open_call.is_none() && party.run.is_some();
        let any = who.is_multiple_of(4);
        let who = self.pick(who, |seq, party| {
            party.role != Role::Runtime && self.can_stop(seq) && (any || is_idle(party))
        })?;
        self.stop(who, who, StopReason::Done);
        Some(())
    }

    pub(super) fn stop_one(&mut self, who: Pick) -> Option<()> {
        let who = self.pick(who, |seq, party| party.role != Role::Runtime && self.can_stop(seq))?;
        self.stop(who, who, StopReason::Done);
        Some(())
    }

    pub(super) fn leave(&mut self, who: Pick) -> Option<()> {
        self.may_be_left(who)?;
        let who = self.runtime(who)?;
        self.leave_one(who);
        Some(())
    }

    /// The last process that is there goes seldom: little happens behind that.
    fn may_be_left(&self, choice: Pick) -> Option<()> {
        let there = self.parties.iter();
        let there = there.filter(|(seq, party)| party.role == Role::Runtime && self.can_speak(**seq));
        (there.count() > 1 || choice.is_multiple_of(4)).then_some(())
    }

    pub(super) fn leave_one(&mut self, who: Seq) {
        self.stop(who, who, StopReason::Done);
    }

    pub(super) fn declare_stop(&mut self, who: Pick, whom: Pick) -> Option<()> {
        let by = self.runtime(who)?;
        let whom = self.pick(whom, |_, party| {
            party.role != Role::Approver && party.stop == Stop::Running && !self.lives(party)
        })?;
        self.stop(by, whom, StopReason::Crashed);
        Some(())
    }

    /// One of the things that a successor may end.
    pub(super) fn clean_up(&mut self, who: Pick, what: Pick) -> Option<()> {
        let by = self.pick(who, |seq, party| {
            party.role == Role::Runtime && party.line.len() > 1 && self.can_speak(seq)
        })?;
        let mut line = self.parties[&by].line.clone();
        line.retain(|seq| *seq != by);
        let left = self.left_by(&line);
        match *one_of(&left, what)? {
            Left::Permitted(request) => self.lose(by, request),
            Left::Asking(request) => self.lapse(by, request),
            Left::Run(run) => self.finish_run(by, run, RunEndReason::Environment, None),
            Left::Instance(instance) => self.stop(by, instance, StopReason::Crashed),
        }
        Some(())
    }

    /// What runtime instances left, as the law lists it.
    pub(super) fn left_by(&self, line: &[Seq]) -> Vec<Left> {
        let decided = |state: State| {
            self.actions
                .iter()
                .filter(move |(_, action)| action.state == state && line.contains(&action.decider))
                .map(|(seq, _)| *seq)
        };
        let process = |seq: &Seq| self.parties[seq].process;
        let runs = self.runs.iter().filter(|(_, run)| run.ended.is_none());
        let runs = runs.filter(|(_, run)| line.contains(&process(&run.lead)));
        let instances = self.parties.iter().filter(|(_, party)| {
            matches!(party.role, Role::Agent | Role::Advisor)
                && party.stop == Stop::Running
                && line.contains(&party.process)
        });
        let mut left: Vec<Left> = decided(State::Permitted).map(Left::Permitted).collect();
        left.extend(decided(State::Asking).map(Left::Asking));
        left.extend(runs.map(|(seq, _)| Left::Run(*seq)));
        left.extend(instances.map(|(seq, _)| Left::Instance(*seq)));
        left
    }

    /// The outcome of an action of which nobody knows what became.
    fn lose(&mut self, by: Seq, request: Seq) {
        let decision = self.actions[&request].decision.expect("a permitted action");
        let seq = self.say(by, &[], |_| {
            ActionFinished {
                decision,
                outcome: FinishOutcome::Unknown,
                result: None,
                started: None,
                duration: None,
                sandbox: Count::ZERO,
            }
            .into()
        });
        self.lasting.insert(("C3", seq));
        self.is_lost(request);
        self.is_finished(request);
    }

    pub(super) fn lapse(&mut self, by: Seq, request: Seq) {
        let decision = self.actions[&request].decision;
        self.event(by, EventCode::ApprovalExpired, decision, None);
        self.actions.get_mut(&request).expect("an ask").state = State::Lapsed;
    }

    pub(super) fn finish_run(&mut self, by: Seq, run: Seq, reason: RunEndReason, result: Option<&[u8]>) {
        let spend = self.accounts.spent(self.runs[&run].lead);
        let payloads: Vec<&[u8]> = result.into_iter().collect();
        self.say(by, &payloads, |refs| {
            RunEnded {
                run,
                reason,
                result: refs.first().cloned(),
                spend,
            }
            .into()
        });
        let received = self.last_received;
        self.runs.get_mut(&run).expect("an active run").ended = Some(received);
    }
}

/// Something without an end, named by request, run or introduction.
#[derive(Clone, Copy)]
pub(super) enum Left {
    Permitted(Seq),
    Asking(Seq),
    Run(Seq),
    Instance(Seq),
}

fn party(who: Who, role: Role, (introduced_by, process): (Seq, Seq), window: (u64, u64)) -> Party {
    Party {
        who,
        role,
        process,
        introduced_by,
        window,
        stop: Stop::Running,
        is_gone: false,
        line: Vec::new(),
        spoken: 0,
        last_seq: None,
        last_at: 0,
        run: None,
        grant: None,
        open_call: None,
        answer: None,
        proposed: Vec::new(),
        advised: Vec::new(),
    }
}

/// When a credential ends: half of them soon.
fn until(choice: Pick, latest: u64) -> u64 {
    let until = match choice % 6 {
        0..=2 => START + 12 * HOUR,
        3 => START + 60_000,
        4 => START + 600_000,
        _ => START + 2 * HOUR,
    };
    until.min(latest)
}
