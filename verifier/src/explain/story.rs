//! Collects, entry by entry, what the authority tree shows.

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::body::{
    ActionRequested, AdviceRelation, ApprovalEntered, Body, DecisionMade, EventCode, FinishOutcome, Outcome, Part,
    PartOutcome, PayloadErased, RevokeReason, Revoked as RevokedBody, Role, Verdict,
};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;
use serde_json::Value;

use super::summary;
use crate::law::{Entry, Instance, Law};
use crate::visible::visible;

/// Everything that an explanation needs of a ledger: parties, and what became of each request.
#[derive(Debug, Default)]
pub struct Story {
    pub(super) principal: String,
    pub(super) host: String,
    pub(super) ledger: String,
    pub(super) parties: BTreeMap<Seq, Party>,
    pub(super) issued: BTreeMap<Seq, String>,
    /// What was adopted, by author.
    pub(super) policies: BTreeMap<Seq, Vec<String>>,
    /// What was erased, by who entered it.
    pub(super) erased: BTreeMap<Seq, Vec<String>>,
    /// What was revoked: the first `grant.revoked` of each target, and its words.
    pub(super) revoked: BTreeMap<Seq, Revoked>,
    /// What was said of a loss, by author.
    pub(super) losses: BTreeMap<Seq, String>,
    pub(super) runs: BTreeMap<Seq, RunTold>,
    pub(super) actions: BTreeMap<Seq, Action>,
    /// Requests by their author.
    pub(super) asked_by: BTreeMap<Seq, Vec<Seq>>,
    /// Parties by whoever introduced them.
    pub(super) brought_in: BTreeMap<Seq, Vec<Seq>>,
    /// Requests that are decided and not finished.
    open: BTreeSet<Seq>,
    /// The request behind a decision.
    requests: BTreeMap<Seq, Seq>,
    /// Kind and author of every entry that was folded.
    pub(super) entries: BTreeMap<Seq, (Kind, Seq)>,
    /// The action that an entry belongs to.
    pub(super) belongs: BTreeMap<Seq, Seq>,
}

/// One party.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) did: String,
    pub(super) introduced_by: Seq,
    pub(super) grant: Option<String>,
    /// The entry that carries the grant it narrows.
    pub(super) parent_grant: Option<Seq>,
    pub(super) stopped: Option<Seq>,
    /// The runtime instance that it took over from.
    pub(super) succeeds: Option<Seq>,
    /// The runtime instance that took over from it.
    pub(super) succeeded_by: Option<Seq>,
}

/// The end of an authority.
#[derive(Debug)]
pub(super) struct Revoked {
    pub(super) seq: Seq,
    pub(super) by: Seq,
    pub(super) reason: RevokeReason,
    /// Whether the principal ordered it.
    pub(super) is_ordered: bool,
}

/// One run.
#[derive(Debug)]
pub(super) struct RunTold {
    pub(super) lead: Seq,
    pub(super) mode: &'static str,
    pub(super) task: String,
    pub(super) ended: Option<(Seq, &'static str)>,
}

/// One request and everything that followed from it.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) author: Seq,
    pub(super) tool: String,
    pub(super) what: String,
    pub(super) cause: Option<Seq>,
    pub(super) advice: Vec<(Seq, AdviceRelation)>,
    pub(super) decision: Option<Decision>,
    pub(super) answer: Option<Answer>,
    pub(super) introduced: Option<Seq>,
    pub(super) consulted: Option<(Seq, Seq)>,
    pub(super) advised: Option<Seq>,
    /// The lost request that it takes up again.
    pub(super) resumes: Option<Seq>,
    pub(super) finished: Option<(Seq, FinishOutcome)>,
    /// The revocation behind which it was finished.
    pub(super) revoked: Option<Seq>,
    /// Payloads of its entries that were erased.
    pub(super) erased: Vec<String>,
}

/// The decision on a request.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) seq: Seq,
    pub(super) by: Seq,
    pub(super) outcome: Outcome,
    /// The parts that name a rule or do not allow: an allowing grant or budget says nothing.
    pub(super) parts: Vec<String>,
}

/// The answer to an ask, or the end of waiting for one.
#[derive(Debug)]
pub(super) enum Answer {
    Order {
        seq: Seq,
        approver: Seq,
        verdict: Verdict,
        presentation: String,
    },
    Expired {
        seq: Seq,
    },
}

impl Story {
    /// Takes one entry that the law has just folded.
    pub fn take(&mut self, law: &Law, entry: &Entry<'_>) {
        let author = entry.statement.by;
        self.entries.insert(entry.seq, (entry.statement.kind(), author));
        match &entry.statement.body {
            Body::LedgerOpened(_) => self.opened(law),
            Body::IdentityIntroduced(body) => {
                self.introduced(law, entry.seq);
                self.succeeded(law, entry.seq, body.succeeds);
            }
            Body::LedgerRecovered(body) => {
                let shown = if body.lost_head.is_some() {
                    "a head shows"
                } else {
                    "nothing shows"
                };
                let words = format!(
                    "{} at {}: {} entries were found, {shown} what was lost",
                    body.reason, entry.seq, body.size
                );
                self.losses.insert(author, words);
            }
            Body::GrantIssued(_) => {
                let grant = law.grant_of(entry.seq).map(|state| summary::grant(state.grant()));
                self.issued.extend(grant.map(|grant| (entry.seq, grant)));
            }
            Body::GrantRevoked(body) => self.revoked(law, entry.seq, author, body),
            Body::PayloadErased(body) => self.erased(entry.seq, author, body),
            Body::PolicyAdopted(body) => {
                let adopted = law.layers_in_force().find(|adopted| adopted.seq() == entry.seq);
                let digest = adopted.and_then(crate::law::Adopted::digest);
                let digest = digest.map_or_else(|| "text absent".to_owned(), |digest| format!("sha256 {digest}"));
                let (layer, code, seq) = (body.layer, body.layer.code(), entry.seq);
                let ordered = if body.order.is_some() {
                    ", ordered by the principal"
                } else {
                    ""
                };
                let words = format!("layer {code} {layer}, entry {seq}, {digest}{ordered}");
                self.policies.entry(author).or_default().push(words);
            }
            Body::RunStarted(body) => {
                let task = summary::text(entry.payload(0));
                let run = RunTold {
                    lead: body.root_grant,
                    mode: body.mode.as_str(),
                    task,
                    ended: None,
                };
                self.runs.insert(entry.seq, run);
            }
            Body::RunEnded(body) => {
                if let Some(run) = self.runs.get_mut(&body.run) {
                    run.ended = Some((entry.seq, body.reason.as_str()));
                }
            }
            Body::InstanceStopped(body) => {
                if let Some(party) = self.parties.get_mut(&body.instance) {
                    party.stopped = Some(entry.seq);
                }
            }
            _ => self.take_action(law, entry),
        }
    }

    /// The entries of an action.
    fn take_action(&mut self, law: &Law, entry: &Entry<'_>) {
        let seq = entry.seq;
        match &entry.statement.body {
            Body::ActionRequested(body) => self.requested(seq, entry.statement.by, body, entry.payload(0)),
            Body::DecisionMade(body) => self.decided(seq, entry.statement.by, body),
            Body::ApprovalEntered(body) => self.approved(seq, body),
            Body::AdviceRequested(body) => {
                let asks = |action: &Action| action.tool == "advisor" && action.consulted.is_none();
                let advisor = body.advisor;
                self.inside(entry.statement.by, seq, asks, |action| {
                    action.consulted = Some((seq, advisor))
                });
            }
            Body::AdviceGiven(body) => {
                let request = self.belongs.get(&body.question).copied();
                self.with(request, seq, |action| action.advised = Some(seq));
            }
            Body::ActionFinished(body) => {
                let (request, outcome) = (self.requests.get(&body.decision).copied(), body.outcome);
                request.map(|request| self.open.remove(&request));
                self.with(request, seq, |action| {
                    action.finished = Some((seq, outcome));
                    action.revoked = law.revocation_of(action.author);
                });
            }
            Body::SessionEvent(body) if body.code == EventCode::ApprovalExpired => {
                let request = body.about.and_then(|decision| self.requests.get(&decision).copied());
                self.with(request, seq, |action| action.answer = Some(Answer::Expired { seq }));
            }
            _ => {}
        }
    }

    fn opened(&mut self, law: &Law) {
        let Some(opening) = law.opening() else { return };
        let host = opening.host_claims();
        let may: Vec<&str> = host.may_issue.iter().map(|word| word.as_str()).collect();
        self.principal = opening.principal().short().to_owned();
        self.ledger = opening.ledger().to_string();
        self.host = format!(
            "{}  site {}; may issue {}",
            opening.host().short(),
            host.site,
            may.join(", ")
        );
        self.introduced(law, Seq::ZERO);
    }

    fn introduced(&mut self, law: &Law, seq: Seq) {
        let Some(instance) = law.instance(seq) else { return };
        let grant = law.grant_of(seq);
        let party = Party {
            role: instance.role(),
            name: instance.name().to_owned(),
            did: instance.did().short().to_owned(),
            introduced_by: instance.introduced_by(),
            grant: grant.map(|state| summary::grant(state.grant())),
            parent_grant: grant.and_then(crate::law::GrantState::parent),
            stopped: None,
            succeeds: None,
            succeeded_by: None,
        };
        let (by, tool) = (
            party.introduced_by,
            if party.role == Role::Advisor {
                "advisor"
            } else {
                "agent"
            },
        );
        self.parties.insert(seq, party);
        if by != seq {
            self.brought_in.entry(by).or_default().push(seq);
        }
        let opens = |action: &Action| action.tool == tool && action.introduced.is_none();
        self.inside(by, seq, opens, |action| action.introduced = Some(seq));
    }

    /// Notes a succession, if the law took it.
    fn succeeded(&mut self, law: &Law, by: Seq, before: Option<Seq>) {
        let Some(before) = before.filter(|_| law.instance(by).is_some_and(Instance::took_over)) else {
            return;
        };
        if let Some(party) = self.parties.get_mut(&by) {
            party.succeeds = Some(before);
        }
        if let Some(party) = self.parties.get_mut(&before) {
            party.succeeded_by = Some(by);
        }
    }

    /// Notes the first revocation of a target, if the law took it.
    fn revoked(&mut self, law: &Law, seq: Seq, by: Seq, body: &RevokedBody) {
        if law.revocation_of(body.target).is_some() {
            self.revoked.entry(body.target).or_insert(Revoked {
                seq,
                by,
                reason: body.reason,
                is_ordered: body.order.is_some(),
            });
        }
    }

    fn erased(&mut self, seq: Seq, by: Seq, body: &PayloadErased) {
        let words = format!("a payload of entry {}, erased at {seq} ({})", body.entry, body.ground);
        self.erased.entry(by).or_default().push(words.clone());
        let request = self.belongs.get(&body.entry).copied();
        self.with(request, seq, |action| action.erased.push(words));
    }

    fn requested(&mut self, seq: Seq, author: Seq, body: &ActionRequested, arguments: Option<&[u8]>) {
        let advice = body.advice.iter().flat_map(|list| list.iter());
        let action = Action {
            author,
            tool: body.tool.as_str().to_owned(),
            what: summary::arguments(body.tool.as_str(), arguments),
            cause: body.cause,
            advice: advice.map(|cited| (cited.entry, cited.relation)).collect(),
            decision: None,
            answer: None,
            introduced: None,
            consulted: None,
            advised: None,
            resumes: body.resumes,
            finished: None,
            revoked: None,
            erased: Vec::new(),
        };
        self.actions.insert(seq, action);
        self.asked_by.entry(author).or_default().push(seq);
        self.belongs.insert(seq, seq);
    }

    fn decided(&mut self, seq: Seq, by: Seq, body: &DecisionMade) {
        self.requests.insert(seq, body.request);
        self.open.insert(body.request);
        let decision = Decision {
            seq,
            by,
            outcome: body.outcome,
            parts: body
                .parts
                .iter()
                .filter(|part| says_something(part))
                .map(summary::part)
                .collect(),
        };
        self.with(Some(body.request), seq, |action| action.decision = Some(decision));
    }

    fn approved(&mut self, seq: Seq, body: &ApprovalEntered) {
        let order: Value = serde_json::from_slice(body.order.doc.as_bytes()).unwrap_or_default();
        let word = |member: &str| {
            order["credentialSubject"][member]
                .as_str()
                .map(|word| visible(word, 20))
        };
        let words: Vec<String> = [word("meaning"), word("presentation")].into_iter().flatten().collect();
        let answer = Answer::Order {
            seq,
            approver: body.approver,
            verdict: body.verdict,
            presentation: words.join(", "),
        };
        let request = self.requests.get(&body.decision).copied();
        self.with(request, seq, |action| action.answer = Some(answer));
    }

    /// Changes the action of `request`, to which entry `seq` belongs.
    fn with(&mut self, request: Option<Seq>, seq: Seq, change: impl FnOnce(&mut Action)) {
        let Some(request) = request else { return };
        if let Some(action) = self.actions.get_mut(&request) {
            change(action);
            self.belongs.insert(seq, request);
        }
    }

    /// Changes the first decided, unfinished action of `author` that `fits`.
    fn inside(&mut self, author: Seq, seq: Seq, fits: impl Fn(&Action) -> bool, change: impl FnOnce(&mut Action)) {
        let is_it = |request: &Seq| {
            self.actions
                .get(request)
                .is_some_and(|it| it.author == author && fits(it))
        };
        let found = self.open.iter().copied().find(is_it);
        self.with(found, seq, change);
    }
}

fn says_something(part: &Part) -> bool {
    !part.rules.is_empty() || !matches!(part.outcome, PartOutcome::Allow | PartOutcome::Neutral)
}
