//! From a request to its outcome: decisions by every part, asks and their answers, and what became of it.

use countersign_identity::credential::{Meaning, OrderClaims, OrderContext, OrderNonce, Presentation};
use countersign_schemas::body::{
    ActionFinished, ActionRequested, AdviceCited, AdviceForm, AdviceRelation, ApprovalEntered, ApproverClass, Ask,
    Check, DecisionMade, FinishOutcome, Need, Order, OrderForm, Outcome, Part, PartOutcome, Role, RunEndReason,
    Verdict,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_verifier::law::{self, Judgement, approval_text};
use countersign_verifier::projection::{Observed, Place, ToolKind, tool_profile};

use super::account::ONE_CALL;
use super::command::Pick;
use super::expected::{Hold, Terms};
use super::world::{World, one_of};
use crate::support::credentials::{all_effects, issue, name, window};
use crate::support::story::{BASH, CONSULT, EDIT, FETCH, GREP, SPAWN, STRAY, TODO};

/// A tool and its arguments.
pub(super) type Call = (&'static str, &'static str);

/// What models propose and persons command: of every kind of resource, and some that nobody can read or knows.
pub(super) const CALLS: [Call; 19] = [
    SPAWN,
    ("list", r#"{"path":"src"}"#),
    SPAWN,
    CONSULT,
    EDIT,
    BASH,
    SPAWN,
    GREP,
    TODO,
    FETCH,
    CONSULT,
    STRAY,
    ("read", r#"{"path":"src/add.sh"}"#),
    ("write", r#"{"content":"x","path":"../etc/motd"}"#),
    ("read", r#"{"path":7}"#),
    ("bash", "no document"),
    ("frobnicate", "{}"),
    ("glob", r#"{"pattern":"*.sh"}"#),
    ("merge", r#"{"branch":"scout"}"#),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Undecided,
    Denied,
    Asking,
    Permitted,
    Lapsed,
    Finished,
}

/// One request, and what became of it.
pub(super) struct Action {
    pub(super) by: Seq,
    pub(super) call: Call,
    pub(super) cause: Option<Seq>,
    pub(super) state: State,
    /// The runtime instance that decides.
    pub(super) decider: Seq,
    pub(super) decision: Option<Seq>,
    pub(super) outcome: Option<Outcome>,
    /// Whether the decision carries a Cedar request.
    pub(super) is_projected: bool,
    pub(super) eligible: Vec<Seq>,
    pub(super) expires: u64,
    pub(super) permitted_at: u64,
    /// Somebody was introduced inside it.
    pub(super) introduced: bool,
    /// The question that was asked inside it.
    pub(super) question: Option<Seq>,
    /// What the root grant demanded when it was decided, and when an answer to the ask was entered.
    pub(super) terms: Option<Terms>,
    pub(super) answered: Option<Answered>,
}

/// An `approval.entered`.
pub(super) struct Answered {
    pub(super) seq: Seq,
    /// Where the answer is yes.
    pub(super) terms: Option<Terms>,
}

impl World {
    pub(super) fn request(&mut self, who: Pick, which: Pick, claims: Pick, advice: Pick) -> Option<()> {
        let by = self.pick(who, |seq, party| {
            party.role == Role::Agent && !party.proposed.is_empty() && self.can_speak(seq)
        })?;
        let advised = self.parties[&by].advised.clone();
        let party = self.parties.get_mut(&by)?;
        let call = party.proposed.remove(usize::from(which) % party.proposed.len());
        let cause = party.answer;
        let advice = cited(&advised, advice);
        self.ask_for(by, call, cause, claims, advice);
        Some(())
    }

    pub(super) fn direct(&mut self, who: Pick, which: Pick) -> Option<()> {
        let by = self.pick(who, |seq, party| party.role == Role::Agent && self.can_speak(seq))?;
        let seq = self.ask_for(by, *one_of(&CALLS, which)?, None, 0, Vec::new());
        self.lasting.insert(("D10", seq));
        Some(())
    }

    fn ask_for(&mut self, by: Seq, call: Call, cause: Option<Seq>, claims: Pick, advice: Vec<AdviceCited>) -> Seq {
        let (tool, arguments) = call;
        let least = tool_profile(tool).map(|profile| profile.effects).unwrap_or_default();
        let effects = if claims % 16 == 14 { all_effects() } else { least };
        let grant = if claims % 16 == 15 { Seq::ZERO } else { by };
        let resumes = if claims % 4 < 3 { self.taken_up(tool) } else { None };
        if resumes.is_some() {
            self.tally.count("resumed");
        }
        let seq = self.say(by, &[arguments.as_bytes()], |refs| {
            ActionRequested {
                tool: name(tool),
                descriptor: Digest::sha256(tool.as_bytes()),
                arguments: refs[0].clone(),
                effects,
                grant,
                cause,
                advice: List::new(advice).ok(),
                resumes,
            }
            .into()
        });
        let action = Action {
            by,
            call,
            cause,
            state: State::Undecided,
            decider: self.parties[&by].process,
            decision: None,
            outcome: None,
            is_projected: false,
            eligible: Vec::new(),
            expires: 0,
            permitted_at: 0,
            introduced: false,
            question: None,
            terms: None,
            answered: None,
        };
        self.actions.insert(seq, action);
        seq
    }

    /// An action in this state whose decider can speak.
    pub(super) fn action(&self, choice: Pick, state: State) -> Option<Seq> {
        let fitting: Vec<Seq> = self
            .actions
            .iter()
            .filter(|(_, action)| action.state == state && self.can_speak(action.decider))
            .map(|(seq, _)| *seq)
            .collect();
        one_of(&fitting, choice).copied()
    }

    pub(super) fn decide(&mut self, which: Pick, word: Pick, place: Pick) -> Option<()> {
        if self.policies.iter().all(Option::is_none) {
            return None;
        }
        let request = self.action(which, State::Undecided)?;
        let (by, decider, tool) = {
            let action = &self.actions[&request];
            (action.by, action.decider, action.call.0)
        };
        let (observed, could_look) = observed(tool, place);
        let mut judgement = self
            .writer
            .law
            .judge(request, observed)
            .expect("a request that was entered");
        judgement.parts.extend(gatekeepers_word(word, could_look));
        let eligible = self.approvers(request);
        if law::outcome(&judgement.parts) == Outcome::Ask && eligible.is_empty() {
            let nobody = part(Check::Availability, PartOutcome::Deny, "no-approver");
            judgement.parts.retain(|part| part.check != Check::Availability);
            judgement.parts.push(nobody);
        }
        let outcome = law::outcome(&judgement.parts);
        self.count(&judgement.parts, outcome);
        let lasts = [2_000, 60_000, 600_000, 3_600_000][usize::from(place) % 4];
        let expires = self.received() + lasts;
        let terms = self.terms_of(by);
        let is_projected = judgement.cedar_request.is_some();
        let seq = self.enter_decision(decider, request, (&judgement, outcome), expires, &eligible);
        let received = self.last_received;
        if outcome == Outcome::Allow {
            assert!(self.accounts.fits(by, ONE_CALL), "allowed beyond the budget at {seq}");
            assert!(!self.is_revoked(by), "allowed behind a revocation at {seq}");
            assert!(
                terms.hold(&|_, _| false) == Hold::Yes,
                "allowed outside the terms at {seq}"
            );
            self.accounts.spend(by, ONE_CALL);
        }
        let action = self.actions.get_mut(&request)?;
        action.decision = Some(seq);
        action.outcome = Some(outcome);
        action.terms = Some(terms);
        action.is_projected = is_projected;
        action.expires = expires;
        action.permitted_at = received;
        action.eligible = eligible;
        action.state = match outcome {
            Outcome::Allow => State::Permitted,
            Outcome::Ask => State::Asking,
            Outcome::Deny | Outcome::CouldNotEvaluate => State::Denied,
        };
        Some(())
    }

    fn count(&mut self, parts: &[Part], outcome: Outcome) {
        self.tally.count(format!("outcome {outcome}"));
        let grave = |part: &&Part| matches!(part.outcome, PartOutcome::Deny | PartOutcome::CouldNotEvaluate);
        for rule in parts.iter().filter(grave).flat_map(|part| part.rules.iter()) {
            self.tally.count(format!("rule {rule}"));
        }
    }

    fn enter_decision(
        &mut self,
        decider: Seq,
        request: Seq,
        (judgement, outcome): (&Judgement, Outcome),
        expires: u64,
        eligible: &[Seq],
    ) -> Seq {
        let payloads: Vec<&[u8]> = judgement.cedar_request.iter().map(Vec::as_slice).collect();
        let permits = matches!(outcome, Outcome::Allow | Outcome::Ask);
        let ask = (outcome == Outcome::Ask).then(|| Ask {
            need: Need::ONE,
            class: ApproverClass::Person,
            eligible: List::new(eligible.to_vec()).expect("an approver"),
        });
        self.say(decider, &payloads, |refs| {
            DecisionMade {
                request,
                outcome,
                parts: List::new(judgement.parts.clone()).expect("parts"),
                policies: List::new(judgement.policies.clone()).expect("policies"),
                cedar_request: refs.first().cloned(),
                projection: judgement.projection,
                expires: if permits {
                    Millis::clamped(expires)
                } else {
                    Millis::ZERO
                },
                ask,
                advice: None,
                status_lists: None,
            }
            .into()
        })
    }

    /// Who was introduced before the request and may approve.
    fn approvers(&self, request: Seq) -> Vec<Seq> {
        let approvers = self.parties.iter();
        approvers
            .filter(|(seq, party)| party.role == Role::Approver && **seq < request && !self.is_revoked(**seq))
            .map(|(seq, _)| *seq)
            .collect()
    }

    pub(super) fn approve(&mut self, which: Pick, verdict: Pick, approver: Pick) -> Option<()> {
        let request = self.action(which, State::Asking)?;
        let now = self.received();
        let action = &self.actions[&request];
        let in_force: Vec<Seq> = self.in_force();
        let at_decision = action.terms.as_ref().map(Terms::entries);
        if now > action.expires || at_decision != Some(in_force) {
            return None;
        }
        let within = |seq: &&Seq| {
            let (from, until) = self.parties[seq].window;
            (from..until).contains(&now) && !self.is_revoked(**seq)
        };
        let eligible: Vec<Seq> = action.eligible.iter().filter(within).copied().collect();
        let approver = *one_of(&eligible, approver)?;
        let (by, call, decider, decision) = (action.by, action.call, action.decider, action.decision?);
        let terms = self.terms_of(by);
        let covers = |seq: &Seq| self.issued.contains_key(seq) || self.parties[seq].window.1 > now;
        let lawful = terms.hold(&|_, _| false) == Hold::Yes
            && self.accounts.fits(by, ONE_CALL)
            && !self.is_revoked(by)
            && self.accounts.chain(by).iter().all(covers);
        let verdict = if lawful && !verdict.is_multiple_of(4) {
            Verdict::Given
        } else {
            Verdict::Refused
        };
        let workspace = self.parties[&by]
            .grant
            .as_ref()
            .map_or("", |grant| grant.workspace.as_str());
        let text = approval_text(call.0, workspace, call.1.as_bytes());
        let order = self.order((request, decision), call, &text, verdict, approver);
        let seq = self.say(decider, &[&text], |refs| {
            ApprovalEntered {
                decision,
                approver,
                verdict,
                order,
                text: refs[0].clone(),
            }
            .into()
        });
        let given = verdict == Verdict::Given;
        self.tally.count(format!("approval {verdict}"));
        if given {
            self.accounts.spend(by, ONE_CALL);
        }
        let action = self.actions.get_mut(&request)?;
        action.permitted_at = now;
        action.state = if given { State::Permitted } else { State::Lapsed };
        action.answered = Some(Answered {
            seq,
            terms: given.then_some(terms),
        });
        Some(())
    }

    fn order(
        &mut self,
        (request, decision): (Seq, Seq),
        call: Call,
        text: &[u8],
        verdict: Verdict,
        approver: Seq,
    ) -> Order {
        let now = self.received();
        let from = now - now % 1_000;
        let mut nonce = [0; 16];
        self.orders += 1;
        nonce[..8].copy_from_slice(&self.orders.to_be_bytes());
        let claims = OrderClaims {
            window: window(from, from + 60_000),
            context: OrderContext {
                ledger: self.writer.ledger.expect("an opened ledger"),
                request: self.writer.digests[&request],
                decision: self.writer.digests[&decision],
                tool: name(call.0),
                arguments: self.writer.law.arguments_of(decision).expect("an ask"),
                text: Digest::sha256(text),
                verdict,
                meaning: match verdict {
                    Verdict::Given => Meaning::Approve,
                    Verdict::Refused => Meaning::Refuse,
                },
                presentation: Presentation::Terminal,
                expires: Millis::clamped(from + 60_000),
                nonce: OrderNonce::from_bytes(nonce),
            },
        };
        Order {
            form: OrderForm::DataIntegrity,
            doc: issue(&claims, self.parties[&approver].who),
        }
    }

    pub(super) fn expire(&mut self, which: Pick) -> Option<()> {
        let request = self.action(which, State::Asking)?;
        self.lapse(self.actions[&request].decider, request);
        Some(())
    }

    pub(super) fn finish(&mut self, which: Pick, outcome: Pick, began: Pick) -> Option<()> {
        let request = self.action(which, State::Permitted)?;
        let outcome = *one_of(FinishOutcome::ALL, outcome)?;
        let action = &self.actions[&request];
        let run = self.parties[&action.by].run.and_then(|run| self.runs.get(&run));
        let latest = self.received().min(action.expires);
        let latest = run.and_then(|run| run.ended).map_or(latest, |end| latest.min(end));
        let may_be_null = matches!(outcome, FinishOutcome::Aborted | FinishOutcome::Unknown);
        let started = match began % 3 {
            0 if may_be_null => None,
            1 => Some(latest),
            _ => Some(action.permitted_at),
        };
        let result: &[&[u8]] = if may_be_null { &[] } else { &[b"done"] };
        let decision = action.decision?;
        let seq = self.say(action.decider, result, |refs| {
            ActionFinished {
                decision,
                outcome,
                result: refs.first().cloned(),
                started: started.map(Millis::clamped),
                duration: started.map(|_| Count::clamped(5)),
                sandbox: Count::ZERO,
            }
            .into()
        });
        if outcome == FinishOutcome::Unknown {
            self.lasting.insert(("C3", seq));
            self.is_lost(request);
        }
        self.is_finished(request);
        Some(())
    }

    /// Nobody knows what became of it: somebody may take it up again.
    pub(super) fn is_lost(&mut self, request: Seq) {
        self.lost.push((self.actions[&request].call.0, request));
    }

    /// The oldest lost request for `tool`, which is then taken up.
    fn taken_up(&mut self, tool: &str) -> Option<Seq> {
        let place = self.lost.iter().position(|(lost, _)| *lost == tool)?;
        Some(self.lost.remove(place).1)
    }

    /// The outcome of an action ends what was asked inside it.
    pub(super) fn is_finished(&mut self, request: Seq) {
        let Some(action) = self.actions.get_mut(&request) else {
            return;
        };
        action.state = State::Finished;
        if let Some(question) = action.question {
            self.questions.remove(&question);
        }
    }

    pub(super) fn end_run(&mut self, which: Pick, reason: Pick) -> Option<()> {
        let active = |seq: &Seq| {
            let run = &self.runs[seq];
            run.ended.is_none() && self.can_speak(self.parties[&run.lead].process)
        };
        let active: Vec<Seq> = self.runs.keys().copied().filter(active).collect();
        let run = *one_of(&active, which)?;
        let by = self.parties[&self.runs[&run].lead].process;
        let reason = *one_of(RunEndReason::ALL, reason)?;
        let result = (reason == RunEndReason::Done).then_some(&b"fixed"[..]);
        self.finish_run(by, run, reason, result);
        Some(())
    }

    /// The `policy.adopted` in force, ascending.
    fn in_force(&self) -> Vec<Seq> {
        let mut entries: Vec<Seq> = self.policies.iter().flatten().map(|(seq, _)| *seq).collect();
        entries.sort_unstable();
        entries
    }
}

/// Up to two pieces of advice, with what can be said of each.
fn cited(advised: &[(Seq, AdviceForm)], choice: Pick) -> Vec<AdviceCited> {
    let some = advised.iter().rev().take(usize::from(choice % 3));
    some.map(|(entry, form)| AdviceCited {
        entry: *entry,
        relation: match (form, choice % 4) {
            (AdviceForm::Opaque, _) | (_, 3) => AdviceRelation::NotAssessable,
            (_, 2) => AdviceRelation::Overridden,
            _ => AdviceRelation::Followed,
        },
    })
    .collect()
}

/// What the gatekeeper sees of a resource, and whether it could look.
fn observed(tool: &str, choice: Pick) -> (Observed, bool) {
    let file = |place, path: &str| Observed {
        place,
        real_path: path.to_owned(),
    };
    match tool_profile(tool).map(|profile| profile.kind) {
        Some(ToolKind::File | ToolKind::Workspace) => match choice % 16 {
            0 => (file(Place::Outside, "/etc/motd"), true),
            1 => (file(Place::Secret, "/w/src/.env"), true),
            2 => (file(Place::Own, "/w/src/ledger.db"), true),
            3 => (Observed::unknown(), false),
            _ => (file(Place::Inside, "/w/src/add.sh"), true),
        },
        Some(ToolKind::Command) => (Observed::unknown(), true),
        _ => (Observed::nothing(), true),
    }
}

/// The parts that nobody can recompute.
fn gatekeepers_word(choice: Pick, could_look: bool) -> Vec<Part> {
    let mut parts = match choice % 24 {
        0 => vec![part(Check::ProtectedPlaces, PartOutcome::Deny, "protected")],
        1 => vec![part(Check::ShellAnalysis, PartOutcome::Ask, "pipes")],
        2 => vec![part(Check::SecondOpinion, PartOutcome::CouldNotEvaluate, "silent")],
        3 => vec![
            part(Check::ProtectedPlaces, PartOutcome::Neutral, "looked"),
            part(Check::SecondOpinion, PartOutcome::Ask, "doubt"),
        ],
        _ => Vec::new(),
    };
    if !could_look {
        parts.push(part(Check::Availability, PartOutcome::CouldNotEvaluate, "no-look"));
    }
    parts
}

fn part(check: Check, outcome: PartOutcome, rule: &str) -> Part {
    Part {
        check,
        outcome,
        rules: List::new(vec![name(rule)]).expect("one rule"),
    }
}
