//! Whole ledgers: the honest stories, and for each rule a ledger that breaks only it (authority-v1 §4, §6).
//!
//! A broken ledger shares its beginning with a story: `keep` entries of it, then the entries of the file. It ends there,
//! so that what else is open is the same for all of them.

use std::collections::BTreeMap;

use countersign_ledger::reader::StoredEntry;
use countersign_schemas::number::Seq;
use countersign_verifier::audit::Report;
use countersign_verifier::finding::Finding;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::Vector;
use super::broken::{Broken, broken};
use crate::support::aftermath::{crash, handover, recovery, side_by_side, unattended};
use crate::support::amends::amends;
use crate::support::story::tell;
use crate::support::writer::{Twist, Writer};
use crate::support::{Told, anchored, audit};

/// A sound ledger.
pub(super) struct Honest {
    pub(super) name: &'static str,
    pub(super) why: &'static str,
    pub(super) tell: for<'t> fn(Twist<'t>) -> Writer<'t>,
}

pub(super) const STORY: Honest = Honest {
    name: "story",
    why: "a lead, a scout that is refused a write, an advisor, an edit that policy allows, a command that a person approves, a page of a granted host and one of another that is refused, a list of steps, a clean end",
    tell,
};

pub(super) const CRASH: Honest = Honest {
    name: "crash",
    why: "a process dies with two permits, an ask, a request and a model call open; another takes over, ends what it may, works and closes",
    tell: crash,
};

pub(super) const HANDOVER: Honest = Honest {
    name: "handover",
    why: "a second process joins, the first one stops, and the second goes on and closes",
    tell: handover,
};

pub(super) const UNATTENDED: Honest = Honest {
    name: "unattended",
    why: "the first process stops, and the second joins when nobody runs: the host alone could have cut the ledger there",
    tell: unattended,
};

pub(super) const SIDE_BY_SIDE: Honest = Honest {
    name: "side_by_side",
    why: "a second process joins, works beside the first and leaves; the first closes",
    tell: side_by_side,
};

pub(super) const RECOVERY: Honest = Honest {
    name: "recovery",
    why: "the end was lost with the process; the next one says so with the head that shows it, cleans up and closes",
    tell: recovery,
};

pub(super) const AMENDS: Honest = Honest {
    name: "amends",
    why: "after a crash a lost action is taken up again; then the principal withdraws the lead, whose last action is finished and whose next one is denied, and has a result erased",
    tell: amends,
};

pub(super) fn all() -> Vec<Vector> {
    let honest = [STORY, CRASH, HANDOVER, UNATTENDED, SIDE_BY_SIDE, RECOVERY, AMENDS];
    let told: BTreeMap<&str, Told> = honest
        .iter()
        .map(|story| (story.name, (story.tell)(Twist::honest()).into()))
        .collect();
    let mut vectors: Vec<Vector> = honest.iter().map(|story| sound(story, &told[story.name])).collect();
    vectors.extend(broken().into_iter().map(|case| vector(&told[case.of.name], case)));
    vectors
}

fn sound(honest: &Honest, story: &Told) -> Vector {
    let note = |row: &countersign_ledger::reader::StoredCheckpoint| json!({ "size": row.size, "note": String::from_utf8_lossy(&row.note) });
    let more = json!({
        "anchor": crate::support::cast::Who::Principal.did().short(),
        "entries": story.entries.iter().map(entry).collect::<Vec<_>>(),
        "checkpoints": story.checkpoints.iter().map(note).collect::<Vec<_>>(),
        "expect": expectation(&audit(story, &anchored())),
    });
    Vector::new("ledger", honest.name, "§6", honest.why, more)
}

fn vector(story: &Told, case: Broken) -> Vector {
    let writer = (case.of.tell)(case.twist);
    let behind = usize::try_from(writer.at(case.label).get()).expect("a short story") + 1;
    let mut told = Told::from(writer);
    told.entries.truncate(behind);
    told.checkpoints.truncate(1);
    let keep = told
        .entries
        .iter()
        .zip(&story.entries)
        .take_while(|(own, honest)| own == honest)
        .count();
    let keeps_checkpoint = told.checkpoints.first() == story.checkpoints.first();
    let report = audit(&told, &anchored());
    let named = report.findings.first().map(|finding| finding.code.as_str());
    assert_eq!(named, Some(case.code), "{}: {:#?}", case.name, report.findings);
    let more = json!({
        "base": format!("ledger_{}", case.of.name),
        "keep": keep,
        "checkpoints": if keeps_checkpoint { 1 } else { 0 },
        "entries": told.entries[keep..].iter().map(entry).collect::<Vec<_>>(),
        "expect": expectation(&if keeps_checkpoint { report } else {
            told.checkpoints.clear();
            audit(&told, &anchored())
        }),
    });
    let subject = format!("{}_{}", case.code.to_ascii_lowercase(), case.name);
    Vector::new("ledger", &subject, "§4", case.why, more)
}

fn entry(row: &StoredEntry) -> Value {
    let payload = |payload: &countersign_ledger::reader::StoredPayload| {
        json!({
            "slot": payload.slot,
            "salt": HEXLOWER.encode(&payload.salt),
            "content": String::from_utf8_lossy(&payload.content),
        })
    };
    json!({
        "seq": row.seq,
        "record": HEXLOWER.encode(&row.record),
        "payloads": row.payloads.iter().map(payload).collect::<Vec<_>>(),
    })
}

/// Verdict, and code and entry of every finding once: texts are for people.
pub(crate) fn expectation(report: &Report) -> Value {
    let listed = |findings: &[Finding]| -> Value {
        let mut pairs: Vec<_> = findings
            .iter()
            .map(|it| (it.entry.map(Seq::get), it.code.as_str()))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
            .into_iter()
            .map(|(entry, code)| json!({ "code": code, "entry": entry }))
            .collect()
    };
    json!({
        "verdict": report.verdict().as_str(),
        "findings": listed(&report.findings),
        "unproven": listed(&report.unproven),
    })
}
