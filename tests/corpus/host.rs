//! Somebody who has the host's long-lived key and the checkpoint keys after the run (K2): it can name new runtime
//! instances, and its statements are in order; those of the run stay as they are.

use std::sync::Arc;

use countersign_identity::credential::{DirectiveAct, InstanceRole};
use countersign_ledger::reader::StoredEntry;
use countersign_schemas::body::{
    Body, Check, DecisionMade, EventCode, Introduced, Newcomer, Order, Outcome, Part, PartOutcome, PolicyAdopted,
    PolicyLayer, Role, SessionEvent,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::kind::Kind;
use countersign_schemas::list::List;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::Did;
use countersign_verifier::law::projection_digest;
use countersign_verifier::policy::{ENTITIES, SCHEMA};

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Knows, Named};
use super::contents::PERMIT_ALL;
use super::file::{chain, sign};
use super::retelling::{close, end_at};
use super::rows::first_breach;
use super::support::Told;
use super::support::aftermath::join;
use super::support::cast::Who;
use super::support::credentials::{HOUR, approver, issue, name};
use super::support::orders::{directive, ordered};
use super::support::story::{Author, finish_by, introduce, stop};
use super::support::writer::Writer;

static CUT_AND_CLOSE: Attack = Attack {
    name: "cut-and-close-by-successor",
    what: "the tail is cut off; a new runtime instance, which the host's key names, succeeds the one that ran, declares everybody's stop and closes",
    rule: "nothing is broken; C1, because a successor closed, and C2, because nobody said its own last words; a head of the whole is broken (I8); told of the theft of the key, nothing that it signed is proven (C4)",
};
static CUT_AND_CLOSE_BESIDE: Attack = Attack {
    name: "cut-and-close-beside",
    what: "the same, by a new instance that succeeds nobody",
    rule: "nothing is broken; C2, because nobody said its own last words; a head of the whole is broken (I8)",
};
static APPEND: Attack = Attack {
    name: "append-behind-the-end",
    what: "a new runtime instance joins behind `ledger.closed`",
    rule: "the newcomer: nothing follows the end (I4)",
};
static INSERT: Attack = Attack {
    name: "insert-newcomer",
    what: "a new runtime instance joins in the middle; everything behind it is numbered and chained anew",
    rule: "the first statement behind it whose signed history, counter or author does not fit any more",
};
static AS_INSTANCE: Attack = Attack {
    name: "speak-as-dead-instance",
    what: "behind a cut, the host's key signs a statement in the name of an instance of the run",
    rule: "that statement (I2)",
};
static REINTRODUCE: Attack = Attack {
    name: "re-introduce",
    what: "behind a cut, a successor introduces the DID of an agent again, as an advisor",
    rule: "that introduction (A1)",
};
static APPROVER: Attack = Attack {
    name: "approver-by-host",
    what: "behind a cut, a successor introduces an approver whose credential the host's key signed",
    rule: "that introduction: approvers come from the principal (A2)",
};
static PERMIT: Attack = Attack {
    name: "adopt-permit-all",
    what: "behind a cut, a successor adopts a policy that permits everything",
    rule: "that adoption: it needs an order of the principal once a run has started (A5)",
};
static EXECUTE: Attack = Attack {
    name: "execute-after-takeover",
    what: "behind a cut, a successor executes what its predecessor was allowed to",
    rule: "that outcome: only who decided executes (D6)",
};
static DECIDE: Attack = Attack {
    name: "decide-late",
    what: "behind a cut, a successor decides a request that its predecessor decided, or had to decide",
    rule: "that decision (D2)",
};
static BACKDATE: Attack = Attack {
    name: "backdate",
    what: "behind a cut, a successor joins with a time before that of the last entry",
    rule: "that introduction (I10)",
};

const INTRUDER: Who = Who::Extra(30);
const GUEST: Who = Who::Extra(31);

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for place in 1..base.size() {
        let Some(runtime) = base.runtime(place) else {
            continue;
        };
        cases.extend([true, false].map(|succeeds| closed_again(base, place, runtime.1, succeeds)));
        cases.push(inserted(base, place));
        cases.extend(behind(base, place, runtime.1));
    }
    cases.push(appended(base));
    cases
}

fn intruder(writer: &mut Writer<'_>, succeeds: Option<Seq>) -> Author {
    join(writer, "intruder", INTRUDER, succeeds)
}

fn closed_again(base: &Arc<Base>, place: usize, runtime: Seq, succeeds: bool) -> Case {
    let attack = if succeeds {
        &CUT_AND_CLOSE
    } else {
        &CUT_AND_CLOSE_BESIDE
    };
    let mut left: Vec<Seq> = base
        .living(place)
        .into_iter()
        .map(|instance| instance.author.1)
        .collect();
    left.retain(|instance| !(succeeds && *instance == runtime));
    // The newcomer, a stop for everybody left, and the end.
    let size = place + 1 + left.len() + 1;
    let unproven: &[&str] = if succeeds { &["C1", "C2"] } else { &["C2"] };
    // Dated before a theft that is known, what the key signed is not proven; a head in front of the newcomer covers it not.
    let theft = Knows::HostStolen(base.afterwards() + 60_000);
    let dated_back = Expected::incomplete(&["C2", "C4"]);
    let expected = vec![
        Expected::incomplete(unproven),
        base.told_by_head(size),
        dated_back.clone().to(theft, None),
        dated_back.to(theft, base.older_head(place)),
    ];
    let from = Arc::clone(base);
    Case::new(attack, Class::K2, base, place.to_string(), expected, move || {
        end_at(&from, place, |writer| {
            let author = intruder(writer, succeeds.then_some(runtime));
            for instance in &left {
                // Labels tell entries apart within a story only where something refers to them.
                stop(writer, stop_label(*instance), author, *instance);
            }
            close(writer, author);
        })
    })
}

/// A label of its own for each instance's stop.
fn stop_label(instance: Seq) -> &'static str {
    const LABELS: [&str; 8] = [
        "forged-stop-0",
        "forged-stop-1",
        "forged-stop-2",
        "forged-stop-3",
        "forged-stop-4",
        "forged-stop-5",
        "forged-stop-6",
        "forged-stop-7",
    ];
    LABELS[usize::try_from(instance.get()).unwrap_or(0) % LABELS.len()]
}

fn appended(base: &Arc<Base>) -> Case {
    let size = base.size();
    let expected = vec![Expected::rejected(size as u64, &["I4"])];
    let from = Arc::clone(base);
    Case::new(&APPEND, Class::K2, base, size.to_string(), expected, move || {
        let mut told = from.told.clone();
        told.entries.extend(newcomer(&from, size - 1));
        chain(&mut told.entries, size);
        told.checkpoints.extend(sign(&from, &told.entries));
        told
    })
}

/// The record with which a new instance joins at `place`; its neighbours are to be chained anew.
fn newcomer(base: &Base, place: usize) -> Option<StoredEntry> {
    let told = end_at(base, place, |writer| {
        intruder(writer, None);
    });
    told.entries.into_iter().nth(place)
}

fn inserted(base: &Arc<Base>, place: usize) -> Case {
    let order: Vec<Option<usize>> = (0..place)
        .map(Some)
        .chain([None])
        .chain((place..base.size()).map(Some))
        .collect();
    let named = first_breach(base, &order).unwrap_or(Named {
        entry: 0,
        codes: Vec::new(),
    });
    let expected = Expected {
        named: Some(named),
        ..Expected::rejected(0, &[])
    };
    let from = Arc::clone(base);
    Case::new(&INSERT, Class::K2, base, place.to_string(), vec![expected], move || {
        let mut told = from.told.clone();
        if let Some(entry) = newcomer(&from, place) {
            told.entries.insert(place, entry);
        }
        chain(&mut told.entries, place);
        super::file::keep_checkpoints(&mut told, place);
        told.checkpoints.extend(sign(&from, &told.entries));
        told
    })
}

/// What a successor can try behind the first `place` entries: one statement, in front of which it joins.
fn behind(base: &Arc<Base>, place: usize, runtime: Seq) -> Vec<Case> {
    let join_at = place as u64;
    let named = join_at + 1;
    let succeed = move |writer: &mut Writer<'_>| intruder(writer, Some(runtime));
    let mut cases = vec![
        posed(&AS_INSTANCE, base, place, (join_at, &["I2"]), move |writer| {
            writer.enter("forged", (Who::Host, runtime), &[], |_| warning());
        }),
        posed(&APPROVER, base, place, (named, &["A2"]), move |writer| {
            let author = succeed(writer);
            introduce_approver(writer, author, Who::Host);
        }),
        posed(&BACKDATE, base, place, (join_at, &["I10"]), move |writer| {
            writer.clock -= 2_000;
            succeed(writer);
        }),
    ];
    if let Some(agent) = base
        .instances(place)
        .into_iter()
        .rev()
        .find(|instance| instance.role == Role::Agent)
    {
        cases.push(posed(&REINTRODUCE, base, place, (named, &["A1"]), move |writer| {
            let author = succeed(writer);
            introduce(
                writer,
                "forged",
                author,
                agent.author.0,
                InstanceRole::Advisor,
                (Who::Host, None, None),
            );
        }));
    }
    if place > base.first_run() {
        cases.push(posed(&PERMIT, base, place, (named, &["A5"]), move |writer| {
            let author = succeed(writer);
            adopt_permit_all(writer, author, PolicyLayer::Organisation);
        }));
    }
    if let Body::DecisionMade(decision) = &base.entries[place - 1].statement.body
        && decision.outcome == Outcome::Allow
    {
        let seq = Seq::clamped(join_at - 1);
        cases.push(posed(&EXECUTE, base, place, (named, &["D6"]), move |writer| {
            let author = succeed(writer);
            finish_by(writer, "forged", author, seq);
        }));
    }
    if matches!(
        base.entries[place - 1].kind(),
        Kind::DecisionMade | Kind::ActionRequested
    ) {
        let request = match &base.entries[place - 1].statement.body {
            Body::DecisionMade(body) => body.request,
            _ => Seq::clamped(join_at - 1),
        };
        cases.push(posed(&DECIDE, base, place, (named, &["D2"]), move |writer| {
            let author = succeed(writer);
            decide_anything(writer, author, request);
        }));
    }
    cases
}

fn posed(
    attack: &'static Attack,
    base: &Arc<Base>,
    place: usize,
    (entry, codes): (u64, &[&'static str]),
    write: impl Fn(&mut Writer<'_>) + Send + Sync + 'static,
) -> Case {
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(entry, codes)];
    Case::new(attack, Class::K2, base, place.to_string(), expected, move || {
        let mut told: Told = end_at(&from, place, &write);
        told.checkpoints.extend(sign(&from, &told.entries));
        told
    })
}

pub(crate) fn warning() -> Body {
    SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: None,
    }
    .into()
}

/// An approver with a credential by `issuer`.
pub(crate) fn introduce_approver(writer: &mut Writer<'_>, author: Author, issuer: Who) -> Seq {
    let mut claims = approver();
    claims.approver = GUEST.did().short_did().clone();
    let credential = issue(&claims, issuer);
    writer.enter("forged-approver", author, &[], |_| {
        let did = Newcomer::Did(Did::new(GUEST.did().long()).expect("a long form"));
        Introduced {
            did,
            role: Role::Approver,
            credential,
            run: None,
            succeeds: None,
            parent_grant: None,
        }
        .into()
    })
}

pub(crate) fn adopt_permit_all(writer: &mut Writer<'_>, author: Author, layer: PolicyLayer) -> Seq {
    enter_permit_all(writer, author, layer, None)
}

/// As [`adopt_permit_all`], on an order that the principal's key signed.
pub(crate) fn adopt_permit_all_on_order(writer: &mut Writer<'_>, author: Author, layer: PolicyLayer) -> Seq {
    let policies = Digest::sha256(PERMIT_ALL.as_bytes());
    let claims = directive(writer, DirectiveAct::Adopt { layer, policies });
    enter_permit_all(writer, author, layer, Some(ordered(&claims, Who::Principal)))
}

fn enter_permit_all(writer: &mut Writer<'_>, author: Author, layer: PolicyLayer, order: Option<Order>) -> Seq {
    let payloads = [PERMIT_ALL.as_bytes(), SCHEMA.as_bytes(), ENTITIES.as_bytes()];
    writer.enter("layer-forged", author, &payloads, |refs| {
        PolicyAdopted {
            layer,
            policies: refs[0].clone(),
            schema: refs[1].clone(),
            entities: refs[2].clone(),
            language: name("cedar-4"),
            order,
        }
        .into()
    })
}

/// A decision that allows, whatever was asked.
pub(crate) fn decide_anything(writer: &mut Writer<'_>, author: Author, request: Seq) -> Seq {
    let nothing = List::new(Vec::new()).expect("no rules");
    let part = Part {
        check: Check::Grant,
        outcome: PartOutcome::Allow,
        rules: nothing,
    };
    let policies = List::new(writer.law.policies_in_force()).expect("a few");
    let expires = Millis::clamped(writer.clock + HOUR);
    writer.enter("forged-decision", author, &[], |_| {
        DecisionMade {
            request,
            outcome: Outcome::Allow,
            parts: List::new(vec![part]).expect("one"),
            policies,
            cedar_request: None,
            projection: projection_digest(),
            expires,
            ask: None,
            advice: None,
            status_lists: None,
        }
        .into()
    })
}
