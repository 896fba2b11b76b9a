//! One change, one name: what an entry that was changed, misplaced or unreadable does to the judgement of the others.

use std::error::Error;
use std::fs;

use countersign_ledger::reader::{ItemError, LedgerReader, StoredEntry, Table};
use countersign_schemas::body::{AdviceRequested, Body, EventCode, SessionEvent};
use countersign_schemas::digest::Link;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Millis, Seq, Size};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Seen;
use countersign_verifier::audit::{Report, Rows, audit as read_audit, audit_rows};
use countersign_verifier::finding::Finding;

use crate::support::aftermath::{crash, handover};
use crate::support::cast::Who;
use crate::support::credentials::HOUR;
use crate::support::story::{RUNTIME, lead, request, tell};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{Told, anchored, audit, breaks, codes, file};

type Outcome = Result<(), Box<dyn Error>>;

fn remark(_: &[PayloadRef]) -> Body {
    SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: None,
    }
    .into()
}

/// Judges rows of which some cannot be handed out.
fn audit_items(items: Vec<Result<StoredEntry, ItemError>>, told: &Told) -> Report {
    let rows = Rows {
        genesis: told.entries.first().cloned(),
        entries: items.into_iter(),
        checkpoints: told.checkpoints.iter().cloned().map(Ok),
        again: &|seq| told.again(seq),
    };
    audit_rows(rows, &anchored())
}

fn open(report: &Report) -> Vec<(&str, Option<u64>)> {
    let pair = |it: &Finding| (it.code.as_str(), it.entry.map(Seq::get));
    report.unproven.iter().map(pair).collect()
}

fn at_entry(code: &str, entry: usize) -> Vec<(String, Option<u64>)> {
    vec![(code.to_owned(), Some(entry as u64))]
}

fn change(told: &mut Told, entry: usize, change: impl FnOnce(&mut Record)) -> Outcome {
    let stored = &mut told.entries[entry].record;
    let mut record = Record::decode(stored)?;
    change(&mut record);
    *stored = record.encode();
    Ok(())
}

/// The time of receipt is the word of nobody once the record around it was changed.
#[test]
fn a_time_of_receipt_that_was_changed_is_named_as_the_record_and_by_no_other_rule() -> Outcome {
    let honest = Told::from(tell(Twist::honest()));
    let last = honest.entries.len() - 1;
    for (entry, hours) in (0..last).flat_map(|entry| [(entry, 1_000), (entry, 0)]) {
        let mut told = honest.clone();
        change(&mut told, entry, |record| {
            record.received = Millis::clamped(hours * HOUR)
        })?;
        assert_eq!(codes(&audit(&told, &anchored())), at_entry("I3", entry));
    }
    Ok(())
}

/// Nothing of it was folded, so nobody waits for what it would have begun.
#[test]
fn an_entry_that_was_changed_leaves_nothing_open() -> Outcome {
    let writer = tell(Twist::honest());
    let edit = writer.at("edit").get();
    let mut told = Told::from(writer);
    change(&mut told, usize::try_from(edit)?, |record| {
        record.received = Millis::clamped(record.received.get() + 1);
    })?;
    assert_eq!(open(&audit(&told, &anchored())), []);
    Ok(())
}

#[test]
fn an_entry_whose_own_prev_and_link_do_not_fit_is_named_once() -> Outcome {
    let honest = Told::from(tell(Twist::honest()));
    for entry in 0..honest.entries.len() {
        let mut told = honest.clone();
        change(&mut told, entry, |record| record.prev = Link::from_bytes([7; 32]))?;
        assert_eq!(codes(&audit(&told, &anchored())), at_entry("I3", entry));
    }
    Ok(())
}

/// Who did not see the entry before does not vouch for it: the one that follows is named, and the fold goes on.
#[test]
fn i3_names_an_entry_once_where_the_next_has_not_seen_it() -> Outcome {
    let lazy = |draft: &mut Draft| {
        draft.statement.seen = Seen {
            size: Size::clamped(draft.seq - 1),
            link: Link::from_bytes([0; 32]),
        };
    };
    let writer = tell(Twist::draft("todo-decision", lazy));
    let before = usize::try_from(writer.at("todo-decision").get())? - 1;
    let mut told = Told::from(writer);
    change(&mut told, before, |record| record.prev = Link::from_bytes([7; 32]))?;
    let named = codes(&audit(&told, &anchored()));
    assert_eq!(named.iter().filter(|(code, _)| code == "I3").count(), 1, "{named:?}");
    Ok(())
}

#[test]
fn i4_what_stands_behind_the_end_is_not_judged_further() {
    let mut writer = tell(Twist::honest());
    let lead = lead(&writer);
    writer.enter("late", RUNTIME, &[], remark);
    request(&mut writer, "later", lead, ("list", "{}"), Seq::ZERO, &[]);
    let first = writer.at("late").get();
    let report = audit(&writer.into(), &anchored());
    let expected = [first, first + 1].map(|entry| ("I4".to_owned(), Some(entry)));
    assert_eq!(codes(&report), expected);
    assert_eq!(
        open(&report),
        [("C1", Some(first - 1))],
        "no checkpoint is over all of it"
    );
}

/// A record under a wrong key, or of no form, spoils every root over it; the last checkpoint is not named as well.
#[test]
fn a_last_record_that_is_named_does_not_name_the_checkpoint_over_it() {
    let honest = Told::from(tell(Twist::honest()));
    let last = honest.entries.len() - 1;
    for (code, offset) in [("I2", honest.entries[last].record.len() - 1), ("I1", 0)] {
        let mut told = honest.clone();
        told.entries[last].record[offset] ^= 1;
        assert_eq!(codes(&audit(&told, &anchored())), at_entry(code, last));
    }
}

/// What stands before the damage is compared all the same.
#[test]
fn i7_a_checkpoint_before_a_damaged_record_is_still_compared() {
    let mut told = Told::from(tell(Twist::honest()));
    told.checkpoints[0].note = Told::from(tell(Twist::statement("opened", |statement| {
        statement.at = Millis::clamped(statement.at.get() - 1);
    })))
    .checkpoints[0]
        .note
        .clone();
    told.entries[30].record[0] ^= 1;
    assert_eq!(codes(&audit(&told, &anchored())).first(), at_entry("I7", 0).first());
}

#[test]
fn a_record_of_no_bytes_does_not_name_the_checkpoint_over_it() {
    let told = Told::from(tell(Twist::honest()));
    let last = told.entries.len() - 1;
    for entry in [20, last] {
        let mut items: Vec<_> = told.entries.iter().cloned().map(Ok).collect();
        items[entry] = Err(ItemError::WrongType {
            table: Table::Record,
            row: entry as i64,
            column: "bytes",
            found: "text".to_owned(),
        });
        assert_eq!(codes(&audit_items(items, &told)), at_entry("I1", entry));
    }
}

/// Judges a ledger of whose checkpoints one cannot be handed out.
fn with_checkpoint(error: ItemError) -> Vec<(String, Option<u64>)> {
    let told = Told::from(tell(Twist::honest()));
    let good = told.checkpoints.iter().cloned().map(Ok);
    let rows = Rows {
        genesis: told.entries.first().cloned(),
        entries: told.entries.iter().cloned().map(Ok),
        checkpoints: good.chain([Err(error)]),
        again: &|seq| told.again(seq),
    };
    codes(&audit_rows(rows, &anchored()))
}

#[test]
fn i7_a_checkpoint_that_cannot_be_handed_out() {
    let column = "note";
    let of_another_type = ItemError::WrongType {
        table: Table::Checkpoint,
        row: 8,
        column,
        found: "text".to_owned(),
    };
    assert_eq!(with_checkpoint(of_another_type), at_entry("I7", 7));
    let too_long = ItemError::TooLong {
        table: Table::Checkpoint,
        row: 8,
        column,
        bytes: 1 << 20,
        limit: 1 << 16,
    };
    assert_eq!(with_checkpoint(too_long), at_entry("I7", 7));
    let out_of_order = ItemError::OutOfOrder {
        table: Table::Checkpoint,
        row: 3,
        after: 8,
    };
    assert_eq!(with_checkpoint(out_of_order), [("I7".to_owned(), None)]);
}

/// A disk that fails says nothing about the ledger: nobody is accused.
#[test]
fn u1_a_table_that_cannot_be_read_on() {
    let failed = |table| ItemError::Unreadable {
        table,
        after: None,
        source: rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None),
    };
    assert_eq!(with_checkpoint(failed(Table::Checkpoint)), [("U1".to_owned(), None)]);
    let told = Told::from(tell(Twist::honest()));
    let mut items: Vec<_> = told.entries.iter().cloned().map(Ok).collect();
    items.push(Err(failed(Table::Record)));
    let report = audit_items(items, &told);
    assert_eq!(codes(&report), [("U1".to_owned(), None)]);
    assert_eq!(report.verdict().exit_code(), 4);
}

/// A later runtime introduces itself, and rests on entry 0 all the same.
#[test]
fn a_changed_opening_is_all_that_is_named_whoever_joins_later() -> Outcome {
    for mut told in [crash(Twist::honest()), handover(Twist::honest())].map(Told::from) {
        change(&mut told, 0, |record| record.received = Millis::clamped(HOUR))?;
        assert_eq!(codes(&audit(&told, &anchored())), at_entry("I3", 0));
    }
    Ok(())
}

/// What cannot be shown stays unproven behind damage; only breaches are void there.
#[test]
fn what_is_absent_is_unproven_behind_damage_too() -> Outcome {
    let withheld = |label: &'static str| {
        Twist::draft(label, |draft: &mut Draft| {
            draft.withheld = (0..draft.payloads.len()).collect();
        })
    };
    let writer = tell(withheld("edit-decision"));
    let (scouts, decision) = (writer.at("scout-write").get(), writer.at("edit-decision").get());
    let mut told = Told::from(writer);
    change(&mut told, usize::try_from(scouts)?, |record| {
        record.received = Millis::clamped(record.received.get() + 1);
    })?;
    let report = audit(&told, &anchored());
    assert_eq!(codes(&report), at_entry("I3", usize::try_from(scouts)?));
    assert!(open(&report).contains(&("D4a", Some(decision))), "{:?}", open(&report));
    Ok(())
}

/// Behind an entry that was not folded a runtime appends nothing that rests on it, though no rule is broken by that.
#[test]
fn u2_nothing_is_appended_that_rests_on_damage() {
    let writer = tell(Twist::issuer("scout", Who::Host));
    let refused = |label: &str| {
        let entry = Some(writer.at(label));
        let refusal = writer.refusals.iter().find(|refusal| refusal.entry == entry);
        refusal.map(|refusal| refusal.code.as_str())
    };
    assert_eq!(refused("scout"), Some("A2"));
    assert_eq!(refused("scout-call"), Some("U2"));
    assert_eq!(refused("grep-decision"), Some("U2"));
}

#[test]
fn i9_a_table_of_payloads_that_ends_early_names_the_first_row_behind() {
    let told = Told::from(tell(Twist::honest()));
    let mut items: Vec<_> = told.entries.iter().cloned().map(Ok).collect();
    items.insert(
        20,
        Err(ItemError::OutOfOrder {
            table: Table::Payload,
            row: 3,
            after: 18 * 8 + 7,
        }),
    );
    assert_eq!(codes(&audit_items(items, &told)), at_entry("I9", 19));
}

/// The checkpoint keys stand in a record, and are found however damaged the payloads are.
#[test]
fn i9_a_file_without_a_readable_payload_names_nothing_else() -> Outcome {
    let told = Told::from(tell(Twist::honest()));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    file::store(&told, &path)?;
    let mut bytes = fs::read(&path)?;
    let (page, root_of_payload) = (4096, 2);
    bytes[root_of_payload * page..][..page].fill(0);
    fs::write(&path, bytes)?;
    let reader = LedgerReader::open(&path)?;
    let report = read_audit(&reader, &anchored());
    assert_eq!(codes(&report), at_entry("I9", 0));
    Ok(())
}

#[test]
fn i9_a_payload_of_another_type_is_not_missing_as_well() {
    let writer = tell(Twist::honest());
    let entry = usize::try_from(writer.at("edit").get()).unwrap_or_default();
    let told = Told::from(writer);
    let mut items: Vec<_> = told.entries.iter().cloned().map(Ok).collect();
    if let Ok(stored) = &mut items[entry] {
        stored.payloads.clear();
    }
    items.insert(
        entry,
        Err(ItemError::WrongType {
            table: Table::Payload,
            row: entry as i64 * 8,
            column: "content",
            found: "text".to_owned(),
        }),
    );
    let report = audit_items(items, &told);
    assert_eq!(codes(&report), at_entry("I9", entry));
    assert!(
        !open(&report).contains(&("I9", Some(entry as u64))),
        "{:#?}",
        report.unproven
    );
}

#[test]
fn no_entry_and_no_keys_leave_no_checkpoint_to_judge() {
    let told = Told {
        entries: Vec::new(),
        ..Told::from(tell(Twist::honest()))
    };
    let report = audit(&told, &anchored());
    assert_eq!(codes(&report), [("I4".to_owned(), None)]);
    let cut = vec![Err(ItemError::OutOfOrder {
        table: Table::Record,
        row: 0,
        after: 0,
    })];
    assert_eq!(codes(&audit_items(cut, &told)), at_entry("I4", 0));
}

/// An entry of an author who cannot be told is still held against the chain and its payloads.
#[test]
fn i9_a_payload_behind_a_damaged_introduction_is_compared() {
    let writer = tell(Twist::honest());
    let entry = |label: &str| usize::try_from(writer.at(label).get()).unwrap_or_default();
    for damaged in [entry("lead"), 0] {
        let edit = entry("edit");
        let mut told = Told::from_written(&writer);
        let end = told.entries[damaged].record.len() - 1;
        told.entries[damaged].record[end] ^= 1;
        told.entries[edit].payloads[0].content.push(b' ');
        let mut expected = at_entry("I2", damaged);
        expected.extend(at_entry("I3", damaged));
        expected.extend(at_entry("I9", edit));
        assert_eq!(codes(&audit(&told, &anchored())), expected);
    }
}

#[test]
fn i1_an_order_that_is_not_canonical() {
    let spaced = |draft: &mut Draft| {
        if let Body::ApprovalEntered(body) = &mut draft.statement.body {
            let mut doc = body.order.doc.as_bytes().to_vec();
            doc.insert(1, b' ');
            body.order.doc = Doc::new(doc).expect("a document");
        }
    };
    let writer = tell(Twist::draft("approval", spaced));
    let entry = usize::try_from(writer.at("approval").get()).unwrap_or_default();
    assert_eq!(codes(&audit(&writer.into(), &anchored())), at_entry("I1", entry));
}

#[test]
fn i5_a_stop_that_names_itself_or_what_is_to_come() {
    for ahead in [0, 1, 1_000] {
        let writer = tell(Twist::draft("lead-stop", move |draft| {
            if let Body::InstanceStopped(body) = &mut draft.statement.body {
                body.last_seq = Seq::clamped(draft.seq + ahead);
            }
        }));
        let entry = writer.at("lead-stop").get();
        let named = codes(&audit(&writer.into(), &anchored()));
        assert!(named.contains(&("I5".to_owned(), Some(entry))), "{ahead}: {named:?}");
        assert!(
            named.iter().all(|(_, named)| *named == Some(entry)),
            "{ahead}: {named:?}"
        );
    }
}

#[test]
fn a5_an_approver_that_speaks_says_what_it_has_no_right_to() {
    let speak = |writer: &mut Writer<'_>| {
        let approver = (Who::Approver, writer.at("approver"));
        writer.enter("ghost", approver, &[], remark);
    };
    breaks(Twist::before("call-2", speak), "A5", "ghost");
}

/// G8 names the introduction; who reads on takes the run that it should have named.
#[test]
fn g8_a_run_that_should_not_be_there_is_named_where_it_stands() {
    let bound = |draft: &mut Draft| {
        if let Body::IdentityIntroduced(body) = &mut draft.statement.body {
            body.run = Some(Seq::ZERO);
        }
    };
    breaks(Twist::draft("lead", bound), "G8", "lead");
    breaks(Twist::draft("scout", bound), "G8", "scout");
}

#[test]
fn a5_an_agent_without_a_run_asks_no_advisor() {
    let early = |writer: &mut Writer<'_>| {
        let (author, advisor) = (lead(writer), writer.at("advisor"));
        writer.enter("early", author, &[b"where to begin?"], |refs| {
            let question = refs[0].clone();
            AdviceRequested { advisor, question }.into()
        });
    };
    let writer = tell(Twist::before("run", early));
    let question = Some(writer.at("early").get());
    let expected = ["A5", "D7"].map(|code| (code.to_owned(), question));
    assert_eq!(codes(&audit(&writer.into(), &anchored())), expected);
}

/// Whether a run has ended is a sum of the state: behind a damaged entry it is not known.
#[test]
fn a5_what_follows_the_end_of_a_run_is_not_named_behind_damage() {
    let late = |writer: &mut Writer<'_>| {
        let author = lead(writer);
        writer.enter("late", author, &[], remark);
    };
    let writer = crash(Twist::before("scout-lost", late));
    let late = usize::try_from(writer.at("late").get()).unwrap_or_default();
    let mut told = Told::from(writer);
    assert_eq!(codes(&audit(&told, &anchored())), at_entry("A5", late));
    told.entries[20].record[0] ^= 1;
    let named = codes(&audit(&told, &anchored()));
    assert!(named.iter().all(|(_, entry)| *entry == Some(20)), "{named:?}");
}
