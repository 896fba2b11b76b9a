//! A lying operator (K3) who lets several spend one budget: siblings, two runs around a crash, one grant that is entered twice.
//!
//! What is spent in another ledger no ledger can know (authority-v1 §12).

use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{GrantClaims, InstanceRole};
use countersign_identity::grant::{Grant, Lineage};
use countersign_schemas::body::{AnswerOutcome, Granted, ModelAnswered, ModelCalled, RunEndReason, Tokens};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Seq};
use countersign_verifier::projection::Observed;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::lie::inserted;
use super::retelling::end_at;
use super::support::aftermath::{end_run_at, join, start_run};
use super::support::cast::Who;
use super::support::credentials::{HOUR, START, budget, child_grant, issue, name, root_grant, window};
use super::support::story::{Author, SPAWN, binding, decide_by, introduce, request, spend, stop, turn};
use super::support::writer::Writer;

static SIBLINGS: Attack = Attack {
    name: "siblings-overspend",
    what: "behind a cut, two children whose grants are as large as their parent's spend more than that together: the first is answered, or never",
    rule: "the second child's call: a reservation counts along the whole chain, answered or not (G6)",
};
static CRASH: Attack = Attack {
    name: "spend-hidden-by-crash",
    what: "behind a cut, a lead under a grant of the principal calls its model, its process dies, and a lead of the successor spends the same grant again",
    rule: "the second lead's call: what is reserved and never answered counts in full (G6)",
};
static TWICE: Attack = Attack {
    name: "grant-issued-twice",
    what: "in front of an entry, a grant of the principal is entered twice",
    rule: "the second entry: a grant is spent once (G6)",
};

/// Of each dimension: once it is in every budget here, twice in none.
const MUCH: u64 = 60_000;
const SIBLING: [Who; 2] = [Who::Extra(34), Who::Extra(35)];
const LEADS: [Who; 2] = [Who::Extra(36), Who::Extra(37)];
const SUCCESSOR: Who = Who::Extra(38);
const SPAWN_TOO: (&str, &str) = ("agent", r#"{"name":"other","task":"find more","type":"explore"}"#);

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for place in 1..base.size() {
        cases.extend(siblings(base, place));
        cases.extend(principals_grant(base, place));
    }
    cases
}

fn siblings(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some((runtime, lead)) = base.working(place) else {
        return Vec::new();
    };
    let pose = |word: &str, is_answered: bool| {
        // A call and its answer; for each child a request, a decision, its introduction and its call.
        let named = place + 2 + 2 * 4 - 1 + usize::from(is_answered);
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(named as u64, &["G6"])];
        Case::new(
            &SIBLINGS,
            Class::K3,
            base,
            format!("{place}-{word}"),
            expected,
            move || end_at(&from, place, |writer| spend_twice(writer, runtime, lead, is_answered)),
        )
    };
    vec![pose("answered", true), pose("open", false)]
}

fn spend_twice(writer: &mut Writer<'_>, runtime: Author, lead: Author, is_answered: bool) {
    const LABELS: [[&str; 5]; 2] = [
        ["ask-0", "allow-0", "child-0", "spend-0", "spent-0"],
        ["ask-1", "allow-1", "child-1", "spend-1", "spent-1"],
    ];
    let run = writer.law.active_run_of(lead.1);
    let cause = turn(writer, ["sibling-call", "sibling-answer"], lead, &[SPAWN, SPAWN_TOO]);
    for (nth, call) in [SPAWN, SPAWN_TOO].into_iter().enumerate() {
        let [ask, allow, child, spend, spent] = LABELS[nth];
        let asked = request(writer, ask, lead, call, cause, &[]);
        decide_by(writer, allow, runtime, asked, Observed::nothing());
        let parent = writer
            .law
            .grant_of(lead.1)
            .map(|state| (state.digest(), state.root_digest()));
        let (parent, root) = parent.unwrap_or_else(|| [Digest::sha256(b""); 2].into());
        let grant = Grant {
            budget: budget(50, 100_000),
            ..child_grant(binding(writer), parent, root)
        };
        let role = InstanceRole::Agent(Box::new(grant));
        let (author, _) = introduce(writer, child, lead, SIBLING[nth], role, (lead.0, run, Some(lead.1)));
        let call = call_for(writer, spend, author);
        if is_answered && nth == 0 {
            answer_with(writer, spent, author, call);
        }
    }
}

/// A call that reserves much.
fn call_for(writer: &mut Writer<'_>, label: &'static str, author: Author) -> Seq {
    writer.enter(label, author, &[b"{}"], |refs| {
        ModelCalled {
            provider: name("scripted"),
            model: name("scripted"),
            request: refs[0].clone(),
            reserve: spend(1, MUCH),
            system_prompt: Digest::sha256(b"prompt"),
            toolset: Digest::sha256(b"tools"),
            price_table: Digest::sha256(b"prices"),
        }
        .into()
    })
}

/// The answer that used all of it.
fn answer_with(writer: &mut Writer<'_>, label: &'static str, author: Author, call: Seq) {
    let much = Count::clamped(MUCH);
    writer.enter(label, author, &[br#"{"calls":[],"text":""}"#], |refs| {
        ModelAnswered {
            call,
            outcome: AnswerOutcome::Ok,
            response: Some(refs[0].clone()),
            tokens: Tokens {
                input: much,
                output: much,
                cache_write: Count::ZERO,
                cache_read: Count::ZERO,
            },
            cost: much,
        }
        .into()
    });
}

/// What can be done with a grant that the principal made beforehand, for whichever ledger.
fn principals_grant(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let twice = inserted(&TWICE, (Class::K3, base), (place, place + 1, &["G6"]), move |writer| {
        issued(writer, "issued", runtime);
        issued(writer, "forged", runtime);
    });
    // The grant, a lead, its run and call; the successor, the end of the run and of the lead; a lead, its run and call.
    let expected = vec![Expected::rejected(place as u64 + 9, &["G6"])];
    let from = Arc::clone(base);
    let hidden = Case::new(&CRASH, Class::K3, base, place.to_string(), expected, move || {
        end_at(&from, place, |writer| spend_around_a_crash(writer, runtime))
    });
    vec![twice, hidden]
}

fn issued(writer: &mut Writer<'_>, label: &'static str, author: Author) -> (Seq, Digest) {
    let claims = GrantClaims {
        window: window(START - HOUR, START + 20 * HOUR),
        host: Who::Host.did().short_did().clone(),
        grant: Grant {
            depth: 3,
            ..root_grant(LedgerBinding::Any)
        },
    };
    let credential = issue(&claims, Who::Principal);
    let digest = Digest::sha256(credential.as_bytes());
    let seq = writer.enter(label, author, &[], |_| {
        Granted {
            holder: Seq::ZERO,
            credential,
            parent_grant: Seq::ZERO,
            spent_in: None,
        }
        .into()
    });
    (seq, digest)
}

fn spend_around_a_crash(writer: &mut Writer<'_>, runtime: Author) {
    let grant = issued(writer, "issued", runtime);
    let (lead, run) = started(writer, ["lead-x", "run-x"], runtime, LEADS[0], grant);
    call_for(writer, "spend-x", lead);
    let successor = join(writer, "successor", SUCCESSOR, Some(runtime.1));
    end_run_at(writer, "end-x", successor, (run, lead.1), RunEndReason::Environment);
    stop(writer, "stop-x", successor, lead.1);
    let (lead, _) = started(writer, ["lead-y", "run-y"], successor, LEADS[1], grant);
    call_for(writer, "spend-y", lead);
}

/// A lead under the grant that was issued, and its run.
fn started(
    writer: &mut Writer<'_>,
    [lead, run]: [&'static str; 2],
    runtime: Author,
    who: Who,
    (issued, digest): (Seq, Digest),
) -> (Author, Seq) {
    let grant = Grant {
        lineage: Lineage::Child {
            parent: digest,
            root: digest,
        },
        ..root_grant(binding(writer))
    };
    let role = InstanceRole::Agent(Box::new(grant));
    let (lead, _) = introduce(writer, lead, runtime, who, role, (Who::Host, None, Some(issued)));
    let run = start_run(writer, run, runtime, lead);
    (lead, run)
}
