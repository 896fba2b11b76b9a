//! A state that was written and read back goes on as the one that was never put away.

use countersign_ledger::cose::Unverified;
use countersign_ledger::reader::StoredEntry;
use countersign_schemas::body::Body;
use countersign_schemas::chain;
use countersign_schemas::number::Seq;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_verifier::audit::Folded;
use countersign_verifier::finding::Finding;
use countersign_verifier::law::{Entry, Named};

use crate::support::Told;
use crate::support::amends::amends;
use crate::support::cast::Who;
use crate::support::story::tell;
use crate::support::writer::Twist;

/// Folds rows as an audit does, signatures and commitments aside, and puts the state away wherever `at` says so.
pub(crate) fn fold(rows: &[StoredEntry], at: impl Fn(usize) -> bool) -> (Vec<Finding>, Folded) {
    let (mut findings, mut folded) = (Vec::new(), Folded::default());
    for (place, row) in rows.iter().enumerate() {
        if at(place) {
            let snapshot = folded.to_snapshot();
            folded = Folded::from_snapshot(&snapshot).expect("what was just written");
        }
        let seq = Seq::clamped(u64::try_from(row.seq).expect("a place"));
        findings.extend(fold_row(&mut folded, seq, rows, row));
        folded.tree.push(&row.record);
    }
    findings.extend(folded.law.completeness(None));
    (findings, folded)
}

fn fold_row(folded: &mut Folded, seq: Seq, rows: &[StoredEntry], row: &StoredEntry) -> Vec<Finding> {
    let link = chain::link(&row.record);
    let record = Record::decode(&row.record);
    let statement = record.as_ref().ok().and_then(|record| {
        let envelope = Unverified::parse(&record.statement).ok()?;
        let statement = Statement::decode(envelope.payload()).ok()?;
        Some((statement, Statement::digest(envelope.payload())))
    });
    let (Ok(record), Some((statement, statement_digest))) = (&record, &statement) else {
        let prev = record.ok().map(|record| record.prev);
        return folded.law.skip(seq, Some(link), prev).into_iter().collect();
    };
    let stored = |slot: usize| row.payloads.iter().find(|payload| usize::from(payload.slot) == slot);
    let payloads: Vec<Option<&[u8]>> = (0..8)
        .map(|slot| stored(slot).map(|payload| payload.content.as_slice()))
        .collect();
    let named = match &statement.body {
        Body::PayloadErased(body) => usize::try_from(body.entry.get()).ok().and_then(|place| rows.get(place)),
        _ => None,
    };
    let named = named.and_then(|row| Named::read(&row.record));
    let tree = folded.tree.clone();
    folded.law.fold(&Entry {
        seq,
        received: record.received,
        prev: record.prev,
        link,
        tree: &tree,
        statement,
        statement_digest: *statement_digest,
        payloads: &payloads,
        named: named.as_ref(),
    })
}

/// The same findings, and the same state to the last byte, wherever the state was put away in between.
#[track_caller]
fn assert_goes_on(rows: &[StoredEntry], what: &str) -> usize {
    let (findings, whole) = fold(rows, |_| false);
    let (restored, resumed) = fold(rows, |_| true);
    assert_eq!(findings, restored, "{what}");
    assert!(whole.to_snapshot() == resumed.to_snapshot(), "{what}: another state");
    assert_eq!(whole.tree.root(), resumed.tree.root(), "{what}");
    findings.len()
}

fn honest() -> Vec<StoredEntry> {
    Told::from(tell(Twist::honest())).entries
}

#[test]
fn an_honest_ledger_goes_on_from_every_entry() {
    let rows = honest();
    assert_eq!(assert_goes_on(&rows, "the whole story"), 0);
    let (_, whole) = fold(&rows, |_| false);
    for cut in 1..rows.len() {
        let (findings, folded) = fold(&rows, |place| place == cut);
        assert_eq!(findings, [], "put away behind {cut} entries");
        assert!(
            folded.to_snapshot() == whole.to_snapshot(),
            "put away behind {cut} entries"
        );
    }
}

/// What was revoked, what was lost and which orders were entered is known again.
#[test]
fn a_ledger_of_second_thoughts_goes_on_from_every_entry() {
    let rows = Told::from(amends(Twist::honest())).entries;
    assert_goes_on(&rows, "the whole story");
    let (findings, whole) = fold(&rows, |_| false);
    for cut in 1..rows.len() {
        let (found, folded) = fold(&rows, |place| place == cut);
        assert_eq!(found, findings, "put away behind {cut} entries");
        assert!(
            folded.to_snapshot() == whole.to_snapshot(),
            "put away behind {cut} entries"
        );
    }
}

#[test]
fn what_was_asked_of_a_state_is_asked_of_the_restored_one() {
    let writer = tell(Twist::honest());
    let rows = writer.entries.clone();
    let (request, lead) = (writer.at("bash"), writer.at("lead"));
    let behind = usize::try_from(request.get()).expect("a short story") + 1;
    let (_, whole) = fold(&rows[..behind], |_| false);
    let restored = Folded::from_snapshot(&whole.to_snapshot()).expect("what was just written");
    let observed = countersign_verifier::projection::Observed::nothing;
    let judged = whole.law.judge(request, observed());
    assert!(judged.is_ok(), "{judged:?}");
    assert_eq!(judged, restored.law.judge(request, observed()));
    assert_eq!(whole.law.budget_left(lead), restored.law.budget_left(lead));
    assert_eq!(whole.law.open_items(), restored.law.open_items());
    assert_eq!(whole.law.policies_in_force(), restored.law.policies_in_force());
}

#[test]
fn an_open_ledger_goes_on_with_what_it_left_open() {
    let rows = honest();
    for end in 1..rows.len() {
        assert!(assert_goes_on(&rows[..end], &format!("{end} entries")) > 0);
    }
}

#[test]
fn a_damaged_ledger_is_damaged_in_the_same_way() {
    let rows = honest();
    let mut found = 0;
    for place in (0..rows.len()).step_by(3) {
        let mut missing = rows.clone();
        missing.remove(place);
        let mut doubled = rows.clone();
        doubled.insert(place, rows[place].clone());
        let mut withheld = rows.clone();
        withheld[place].payloads.clear();
        let mut malformed = rows.clone();
        malformed[place].record.push(0);
        let mut changed = rows.clone();
        let middle = changed[place].record.len() / 2;
        changed[place].record[middle] ^= 1;
        for (what, rows) in [
            ("missing", missing),
            ("doubled", doubled),
            ("withheld", withheld),
            ("malformed", malformed),
            ("changed", changed),
        ] {
            found += assert_goes_on(&rows, &format!("{what} entry {place}"));
        }
    }
    assert!(found > rows.len(), "{found}");
}

#[test]
fn broken_rules_are_named_alike() {
    let labels = ["spawn-decision", "spawn-finish", "advice", "edit", "approval", "closed"];
    for label in labels {
        for (what, twist) in [
            (
                "counter",
                Twist::statement(label, |statement| statement.n = statement.n.next()),
            ),
            ("author", Twist::draft(label, |draft| draft.signer = Who::Stranger)),
            ("time", Twist::draft(label, |draft| draft.received = 0)),
        ] {
            let rows = Told::from(tell(twist)).entries;
            assert_goes_on(&rows, &format!("{what} of {label}"));
        }
    }
}

#[test]
fn bytes_that_are_no_snapshot_are_refused() {
    let (_, folded) = fold(&honest()[..30], |_| false);
    let good = folded.to_snapshot();
    assert!(Folded::from_snapshot(&good).is_ok());
    for end in (0..good.len()).step_by(7) {
        assert!(Folded::from_snapshot(&good[..end]).is_err(), "cut to {end} bytes");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert!(Folded::from_snapshot(&longer).is_err());
}

#[test]
fn hostile_snapshots_never_panic() {
    let rows = honest();
    let (_, folded) = fold(&rows[..30], |_| false);
    let good = folded.to_snapshot();
    for place in (0..good.len()).step_by(29) {
        for bit in [0x01, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[place] ^= bit;
            if let Ok(mut restored) = Folded::from_snapshot(&bad) {
                let _ = restored.law.completeness(None);
                fold_row(&mut restored, Seq::clamped(30), &rows, &rows[30]);
            }
        }
    }
}

#[test]
fn another_version_of_the_program_reads_no_snapshot() {
    let (_, folded) = fold(&honest()[..3], |_| false);
    let mut other = folded.to_snapshot();
    // The second byte is the length of the version, the third its format number.
    other[2] += 1;
    assert!(Folded::from_snapshot(&other).is_err());
}
