//! The law: which sequences of entries are lawful (authority-v1 §3 to §5, §7 to §10).
//!
//! [`Law`] is a pure fold over entries: no clock, no file, no key. A verifier calls [`Law::fold`], which says what is
//! wrong and goes on; a runtime calls [`Law::admit`] on each entry before it appends it, which refuses and stays as it
//! was. Every kind is checked first, against the state before the entry, and applied afterwards.
//!
//! Not here: the encoding and the signatures of an entry, payload commitments, checkpoints and anchors, which
//! [`crate::audit`] judges over a whole file.

mod account;
mod action;
mod advice;
mod approval;
mod chain;
mod completeness;
mod damage;
mod decision;
mod directive;
mod entry;
mod erasure;
mod findings;
mod foreseen;
mod genesis;
mod grant_chain;
mod instance;
mod introduction;
mod judge;
mod model;
mod once_read;
mod outcome;
mod policy_adoption;
mod recovery;
mod request;
mod resumption;
mod revocation;
mod run;
mod settled;
pub(crate) mod snapshot;
mod snapshot_values;
mod stop;
mod succession;

pub use chain::SEEN_LAG_MAX;
pub use entry::Entry;
pub use erasure::Named;
pub use foreseen::{Evaluated, PolicyQuestion};
pub use genesis::Opening;
pub use grant_chain::GrantState;
pub use instance::{Instance, Stop};
pub use introduction::newcomer_keys;
pub use judge::{JudgeError, Judgement, approval_text, outcome, projection_digest};
pub use policy_adoption::Adopted;
pub use run::Run;
pub use succession::Unfinished;

use std::collections::{BTreeMap, BTreeSet};

use countersign_schemas::body::{Body, DecisionMade, Role, Spend};
use countersign_schemas::digest::{Commitment, Digest, Link};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::statement::Seen;

use crate::code::Code;
use crate::finding::Finding;
use account::Amount;
use action::Actions;
use advice::{Advice, Question};
use chain::{Chain, Prev};
use findings::Findings;
use foreseen::Foreseen;
use grant_chain::Grants;
use introduction::Known;
use model::OpenCall;
use policy_adoption::Policies;
use recovery::Arrival;
use resumption::Lost;
use revocation::Revocations;
use run::Runs;
use settled::PlacesBy;
use snapshot_values::kept;

/// The state of a ledger up to its last entry.
#[derive(Debug, Default)]
pub struct Law {
    chain: Chain,
    opening: Option<Opening>,
    instances: BTreeMap<Seq, Instance>,
    /// The runtime instances that neither stopped nor were succeeded.
    running: BTreeSet<Seq>,
    known: Known,
    grants: Grants,
    revocations: Revocations,
    policies: Policies,
    runs: Runs,
    model_calls: BTreeMap<Seq, OpenCall>,
    /// Every `model.answered` of an advisor.
    answers: PlacesBy,
    questions: BTreeMap<Seq, Question>,
    advice: Advice,
    actions: Actions,
    lost: Lost,
    /// The newest later runtime instance.
    arrival: Option<Arrival>,
    /// Introductions of later runtime instances that came when nobody ran, and succeeded nobody.
    unattended: BTreeSet<Seq>,
    /// Digests of the orders that were entered, whatever they order.
    orders: BTreeSet<Digest>,
    /// Saves work, and changes nothing.
    foreseen: Foreseen,
}

kept!(Law {
    chain,
    opening,
    instances,
    running,
    known,
    grants,
    revocations,
    policies,
    runs,
    model_calls,
    answers,
    questions,
    advice,
    actions,
    lost,
    orders,
    arrival,
    unattended,
    foreseen
});

/// What an entry does to the state once it is entered.
enum Change {
    None,
    Opened(Box<genesis::Genesis>),
    Joined(Box<introduction::Joined>),
    Issued(Box<introduction::Issued>),
    Revoked(revocation::Revoked),
    Erased(erasure::Erased),
    PolicyAdopted(policy_adoption::Entered),
    RunStarted(run::Started),
    RunEnded(run::Ended),
    ModelCalled(model::Called),
    ModelAnswered(model::Answered),
    AdviceRequested(advice::Asked),
    AdviceGiven(advice::Given),
    Requested(Box<request::Requested>),
    Decided(Box<decision::Decided>),
    Approved(approval::Answered),
    Finished(outcome::Finished),
    Lapsed(stop::Lapsed),
    Stopped(stop::Stopped),
    Closed(stop::Closed),
}

impl Change {
    fn apply(self, law: &mut Law) {
        match self {
            Self::None => {}
            Self::Opened(change) => change.apply(law),
            Self::Joined(change) => change.apply(law),
            Self::Issued(change) => change.apply(law),
            Self::Revoked(change) => change.apply(law),
            Self::Erased(change) => change.apply(law),
            Self::PolicyAdopted(change) => change.apply(law),
            Self::RunStarted(change) => change.apply(law),
            Self::RunEnded(change) => change.apply(law),
            Self::ModelCalled(change) => change.apply(law),
            Self::ModelAnswered(change) => change.apply(law),
            Self::AdviceRequested(change) => change.apply(law),
            Self::AdviceGiven(change) => change.apply(law),
            Self::Requested(change) => change.apply(law),
            Self::Decided(change) => change.apply(law),
            Self::Approved(change) => change.apply(law),
            Self::Finished(change) => change.apply(law),
            Self::Lapsed(change) => change.apply(law),
            Self::Stopped(change) => change.apply(law),
            Self::Closed(change) => change.apply(law),
        }
    }
}

/// What the checks of one entry found out.
struct Examined {
    prev: Prev,
    /// `None` for an entry that cannot be folded: it counts as damaged.
    change: Option<Change>,
}

/// Rules that compare an entry with sums over all entries before it: budgets, permitted actions, active runs, policies
/// in force, roots. Behind a damaged entry those are not known, and a breach would name the wrong entry.
const RESTS_ON_WHOLE_STATE: [Code; 8] = [
    Code::A5,
    Code::D1,
    Code::D4a,
    Code::D4b,
    Code::D7,
    Code::G6,
    Code::G8,
    Code::I7,
];

impl Law {
    /// The state before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds one entry whose encoding, place and signatures are sound, and says everything that is wrong with it.
    ///
    /// Goes on whatever is found, so that one change does not raise a wave of findings (authority-v1 §6, F).
    pub fn fold(&mut self, entry: &Entry<'_>) -> Vec<Finding> {
        let mut out = Findings::of(entry.seq);
        let examined = self.examine(entry, &mut out);
        self.apply(entry, examined);
        out.into_vec()
    }

    /// Takes one entry only if it breaks nothing: the check that a writer makes before it appends.
    ///
    /// # Errors
    /// The first rule that the entry would break; the state is then as it was.
    pub fn admit(&mut self, entry: &Entry<'_>) -> Result<(), Finding> {
        let mut out = Findings::of(entry.seq);
        let examined = self.examine(entry, &mut out);
        if let Some(refusal) = out.first_refusal() {
            return Err(refusal.clone());
        }
        if examined.change.is_none() {
            // Nothing that cannot be folded is written, even if no rule says why.
            return Err(Finding::new(
                Code::U2,
                entry.seq,
                "an entry that can be folded",
                entry.statement.kind().name(),
            ));
        }
        self.apply(entry, examined);
        Ok(())
    }

    /// Goes past an entry that cannot be folded because of its encoding, place or signature.
    ///
    /// `link` is that of its record, where there is one, `prev` what the record states, where it could be decoded.
    /// Rules that need the entry are not judged again where later entries name it.
    pub fn skip(&mut self, seq: Seq, link: Option<Link>, prev: Option<Link>) -> Option<Finding> {
        let verdict = prev.map_or(Prev::Fits, |prev| self.chain.check_prev(prev));
        self.chain.apply_prev(verdict);
        self.chain.advance(seq, link, None);
        self.chain.damage.mark(seq, Seq::clamped(seq.get() + 1));
        verdict.finding(seq)
    }

    fn examine(&self, entry: &Entry<'_>, out: &mut Findings) -> Examined {
        let prev = self.chain.check_prev(entry.prev);
        prev.finding(entry.seq)
            .into_iter()
            .for_each(|finding| out.push(finding));
        let author = self.instances.get(&entry.statement.by);
        self.chain.check(entry, prev, author, out);
        let change = if prev.is_misfit() || self.rests_on_damage(entry) {
            None
        } else {
            self.examine_kind(entry, author, out)
        };
        Examined { prev, change }
    }

    /// Whether its author, or an entry that it names, could not be folded.
    fn rests_on_damage(&self, entry: &Entry<'_>) -> bool {
        let named = entry.statement.body.named_entries();
        self.author_is_damaged(entry.statement.by) || named.into_iter().any(|seq| self.is_damaged(seq))
    }

    /// Whether nothing is known of the author that was introduced at `by`: its introduction could not be folded, or entry 0,
    /// which says whose ledger this is.
    #[must_use]
    pub fn author_is_damaged(&self, by: Seq) -> bool {
        self.is_damaged(by) || self.is_damaged(Seq::ZERO)
    }

    /// V2: what is wrong with an entry of this kind at this place.
    #[must_use]
    pub fn misplaced(&self, seq: Seq, kind: Kind) -> Option<Finding> {
        self.chain.misplaced(seq, kind)
    }

    /// V3: whether I3 names an entry with this `prev` itself, and not the one before.
    #[must_use]
    pub fn is_misfit(&self, prev: Link) -> bool {
        self.chain.check_prev(prev).is_misfit()
    }

    /// Notes that the record at `seq` was named, so that no root over it can be right.
    pub fn break_roots(&mut self, seq: Seq) {
        self.chain.break_roots(seq);
    }

    /// Whether the entry at `seq` is missing, or could not be folded.
    #[must_use]
    pub fn is_damaged(&self, seq: Seq) -> bool {
        self.chain.damage.contains(seq)
    }

    /// Whether any entry is missing, or could not be folded: sums over all entries, and the policies in force, are then not
    /// known.
    #[must_use]
    pub fn is_damaged_anywhere(&self) -> bool {
        self.chain.damage.is_any()
    }

    fn examine_kind(&self, entry: &Entry<'_>, author: Option<&Instance>, out: &mut Findings) -> Option<Change> {
        if let (Body::LedgerOpened(body), Seq::ZERO) = (&entry.statement.body, entry.seq) {
            return genesis::check(entry, body, out);
        }
        if let Some(author) = author {
            self.check_author(entry, author, out).then_some(())?;
        }
        let before = out.len();
        let mut change = match (author, &entry.statement.body) {
            (Some(author), _) => {
                self.check_silence(entry, author, out);
                self.check_body(entry, author, out)
            }
            (None, Body::IdentityIntroduced(body)) if entry.statement.by == entry.seq => {
                introduction::check_own(self, entry, body, out)
            }
            (None, _) => {
                let found = format!("by {}", entry.statement.by);
                out.breach(Code::A1, "an author that was introduced", found);
                return None;
            }
        };
        if out.has_newer_behind(before) {
            // What this version does not judge it does not fold either: entries that rest on it are not judged.
            change = None;
        }
        if self.chain.damage.is_any() {
            out.drop_behind(before, |finding| {
                RESTS_ON_WHOLE_STATE.contains(&finding.code) && finding.is_breach()
            });
        }
        change
    }

    /// A3, A4, and the part of A5 that depends on who speaks.
    fn check_author(&self, entry: &Entry<'_>, author: &Instance, out: &mut Findings) -> bool {
        let kind = entry.statement.kind();
        if author.stop != Stop::Running {
            out.breach(Code::A3, "nothing after the stop", kind);
        }
        genesis::check_window(author.window, entry, out);
        if may_say(author.role, kind) {
            return true;
        }
        if let Body::DecisionMade(body) = &entry.statement.body
            && self.decides_for_itself(author, body)
        {
            out.breach(Code::D3, "a decision by the gatekeeper", "one by the requester");
        } else {
            out.breach(Code::A5, format_args!("what a {} may say", author.role), kind);
        }
        false
    }

    /// A5: an agent whose run has ended says nothing but that it stops.
    fn check_silence(&self, entry: &Entry<'_>, author: &Instance, out: &mut Findings) {
        let has_ended = |run: &Seq| self.runs.get(run).is_some_and(|run| run.ended().is_some());
        let kind = entry.statement.kind();
        if let Some(run) = author.run.filter(has_ended) {
            let silent = author.role != Role::Agent || kind == Kind::InstanceStopped;
            out.require(
                silent,
                Code::A5,
                format_args!("only its stop after the end of run {run}"),
                kind,
            );
        }
    }

    fn decides_for_itself(&self, author: &Instance, body: &DecisionMade) -> bool {
        self.actions.is_requested_by(body.request, author.seq)
    }

    fn check_body(&self, entry: &Entry<'_>, author: &Instance, out: &mut Findings) -> Option<Change> {
        match &entry.statement.body {
            Body::LedgerOpened(_) => None,
            Body::IdentityIntroduced(body) => introduction::check(self, entry, author, body, out),
            Body::GrantIssued(body) => introduction::check_issued(self, entry, body, out),
            Body::GrantRevoked(body) => revocation::check(self, entry, author, body, out),
            Body::PolicyAdopted(body) => policy_adoption::check(self, entry, body, out),
            Body::RunStarted(body) => run::check_start(self, entry, author, body, out),
            Body::RunEnded(body) => run::check_end(self, entry, author, body, out),
            Body::ModelCalled(body) => model::check_call(self, entry, author, body, out),
            Body::ModelAnswered(body) => model::check_answer(self, entry, author, body, out),
            Body::AdviceRequested(body) => advice::check_question(self, entry, author, body, out),
            Body::AdviceGiven(body) => advice::check_advice(self, entry, author, body, out),
            Body::ActionRequested(body) => request::check(self, entry, author, body, out),
            Body::DecisionMade(body) => decision::check(self, entry, author, body, out),
            Body::ApprovalEntered(body) => approval::check(self, entry, author, body, out),
            Body::ActionFinished(body) => outcome::check(self, entry, author, body, out),
            Body::SessionEvent(body) => stop::check_event(self, author, body, out),
            Body::InstanceStopped(body) => stop::check_stop(self, author, body, out),
            Body::LedgerClosed(body) => stop::check_close(self, entry, author, body, out),
            Body::LedgerRecovered(body) => recovery::check(self, entry, author, body, out),
            Body::PayloadErased(body) => erasure::check(self, entry, body, out),
            Body::PeerNoted(_) => {
                out.newer(entry.statement.kind());
                None
            }
        }
    }

    fn apply(&mut self, entry: &Entry<'_>, examined: Examined) {
        self.chain.apply_prev(examined.prev);
        self.chain.advance(entry.seq, Some(entry.link), Some(entry.received));
        match examined.change {
            Some(change) => change.apply(self),
            None => self.chain.damage.mark(entry.seq, Seq::clamped(entry.seq.get() + 1)),
        }
        if let Some(author) = self.instances.get_mut(&entry.statement.by) {
            author.spoke(entry.seq, entry.statement.n, entry.statement.at);
        }
    }
}

/// Which role may author which kind (authority-v1 §5.3).
const fn may_say(role: Role, kind: Kind) -> bool {
    let is_model = matches!(kind, Kind::ModelCalled | Kind::ModelAnswered);
    let is_own = matches!(kind, Kind::SessionEvent | Kind::InstanceStopped);
    match role {
        Role::Runtime => {
            !is_model && !matches!(kind, Kind::AdviceRequested | Kind::AdviceGiven | Kind::ActionRequested)
        }
        Role::Agent => {
            is_model
                || is_own
                || matches!(
                    kind,
                    Kind::IdentityIntroduced | Kind::GrantRevoked | Kind::AdviceRequested | Kind::ActionRequested
                )
        }
        Role::Advisor => is_model || is_own || matches!(kind, Kind::AdviceGiven),
        Role::Approver => false,
    }
}

/// What a runtime asks the state before it writes.
impl Law {
    /// The place of the next entry.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.chain.next_seq()
    }

    /// What the next author has seen if it has seen everything.
    #[must_use]
    pub fn head(&self) -> Seen {
        self.chain.head()
    }

    /// `received` of the last entry: the least that the next one may have.
    #[must_use]
    pub fn last_received(&self) -> Millis {
        self.chain.last_received()
    }

    /// The `ledger.closed`, if the ledger is closed.
    #[must_use]
    pub fn closed(&self) -> Option<Seq> {
        self.chain.closed
    }

    /// What entry 0 fixed.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    /// The party that was introduced at `seq`.
    #[must_use]
    pub fn instance(&self, seq: Seq) -> Option<&Instance> {
        self.instances.get(&seq)
    }

    /// Every party, in the order of introduction.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// `at` of the last statement of `author`: the least that its next one may have.
    #[must_use]
    pub fn last_seen_at(&self, author: Seq) -> Option<Millis> {
        self.instances.get(&author).map(Instance::last_at)
    }

    /// The counter that the next statement of `author` has.
    #[must_use]
    pub fn next_n(&self, author: Seq) -> Option<Count> {
        self.instances.get(&author).map(Instance::next_n)
    }

    /// The commitment to the arguments of the request that was decided at `decision`: what an order names. Known as long as
    /// the decision waits for an approver or for an outcome.
    #[must_use]
    pub fn arguments_of(&self, decision: Seq) -> Option<Commitment> {
        let request = self.actions.decisions.get(&decision)?.request;
        Some(self.actions.requests.get(&request)?.arguments_ref.commitment)
    }

    /// The grant that the introduction, or the `grant.issued`, at `seq` carries.
    #[must_use]
    pub fn grant_of(&self, seq: Seq) -> Option<&GrantState> {
        self.grants.at(seq)
    }

    /// The `grant.issued` with the credential of this digest. A grant is issued once to a ledger.
    #[must_use]
    pub fn issued_grant(&self, credential: Digest) -> Option<Seq> {
        let seq = self.grants.of_credential(credential)?;
        (!self.instances.contains_key(&seq)).then_some(seq)
    }

    /// The grant of `seq`, the one it narrows, and so on up to the root.
    pub fn grant_chain(&self, seq: Seq) -> impl Iterator<Item = &GrantState> {
        self.grants.chain(seq)
    }

    /// The smallest remainder of calls along the grant chain of `agent`.
    #[must_use]
    pub fn calls_left(&self, agent: Seq) -> Option<Count> {
        self.grants.left(agent).map(|left| Count::clamped(left.0[0]))
    }

    /// The smallest remainders along the grant chain of `agent`.
    #[must_use]
    pub fn budget_left(&self, agent: Seq) -> Option<Spend> {
        self.grants.left(agent).map(Amount::into)
    }

    /// The `policy.adopted` in force, ascending by `seq`.
    #[must_use]
    pub fn policies_in_force(&self) -> Vec<Seq> {
        let mut in_force: Vec<Seq> = self.policies.in_force().map(Adopted::seq).collect();
        in_force.sort_unstable();
        in_force
    }

    /// The layers in force, by layer.
    pub fn layers_in_force(&self) -> impl Iterator<Item = &Adopted> {
        self.policies.in_force()
    }

    /// The run that began at `seq`.
    #[must_use]
    pub fn run(&self, seq: Seq) -> Option<&Run> {
        self.runs.get(&seq)
    }

    /// Whether a record was changed or is missing, so that no root over it can be right.
    #[must_use]
    pub fn tree_is_broken(&self) -> bool {
        self.chain.broken_from.is_some()
    }

    /// Whether the root over the first `size` records can be compared: none of them was named or is missing.
    #[must_use]
    pub fn root_is_known(&self, size: Size) -> bool {
        self.chain.broken_from.is_none_or(|first| size.get() <= first.get())
    }
}
