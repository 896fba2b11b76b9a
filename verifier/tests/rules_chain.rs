//! Order, chain, time and signatures: rules I1 to I10, broken one at a time by somebody who holds every key.

use countersign_ledger::cose::{self, AadLedger};
use countersign_schemas::body::{Body, EventCode, SessionEvent};
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::number::{Count, Millis, Size};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::statement::Seen;

use crate::support::aftermath::crash;
use crate::support::cast::Who;
use crate::support::story::{RUNTIME, founding_terms, tell};
use crate::support::writer::{Twist, Writer, salt};
use crate::support::{anchored, audit, breaks, breaks_bytes, codes, is_verified, leaves_open};

fn remark(_: &[PayloadRef]) -> Body {
    SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: None,
    }
    .into()
}

#[test]
fn i2_a_signature_of_another_key() {
    breaks_bytes(Twist::draft("edit", |draft| draft.signer = Who::Stranger), "I2", "edit");
    breaks_bytes(
        Twist::draft("edit-decision", |draft| draft.signer = Who::Lead),
        "I2",
        "edit-decision",
    );
}

#[test]
fn i2_a_signature_for_another_ledger() {
    let other = LedgerId::from_bytes([1; 32]);
    breaks_bytes(
        Twist::draft("grep", move |draft| draft.ledger = AadLedger::Of(other)),
        "I2",
        "grep",
    );
    breaks_bytes(
        Twist::draft("grep", |draft| draft.ledger = AadLedger::Genesis),
        "I2",
        "grep",
    );
}

#[test]
fn i2_a_stripped_signature_is_a_downgrade() {
    breaks_bytes(
        Twist::draft("scout-stop", |draft| draft.set = SignatureSet::Ed25519),
        "I2",
        "scout-stop",
    );
    breaks_bytes(
        Twist::draft("layer1", |draft| draft.set = SignatureSet::Ed25519),
        "I2",
        "layer1",
    );
    breaks_bytes(
        Twist::draft("edit", |draft| draft.set = SignatureSet::Hybrid),
        "I2",
        "edit",
    );
}

/// An envelope for two signatures that holds one: whoever took the other away hopes that one is enough.
#[test]
fn i2_an_envelope_that_lost_a_signature() {
    let twist = Twist::draft("lead-stop", |draft| {
        draft.seal = Box::new(|statement, set, ledger, signer| {
            let mut envelope = cose::sign(statement, set, ledger, signer.secret());
            let payload = envelope.windows(statement.len()).position(|bytes| bytes == statement);
            let count = payload.expect("the payload") + statement.len();
            // The first of two is an array of its header, an empty map and 64 bytes.
            let header_bytes = usize::from(envelope[count + 2] & 0x1f);
            envelope[count] -= 1;
            envelope.truncate(count + 3 + header_bytes + 1 + 2 + 64);
            envelope
        });
    });
    breaks_bytes(twist, "I2", "lead-stop");
}

/// A statement with a member that this version does not know: newer, and neither sound nor broken.
#[test]
fn u2_a_statement_of_a_newer_form() {
    let newer = |draft: &mut crate::support::writer::Draft| {
        draft.encode = Box::new(|statement| {
            let mut bytes = statement.encode();
            // One member more, with the greatest key: 99, and 0.
            bytes[0] += 1;
            bytes.extend([0x18, 99, 0]);
            bytes
        });
    };
    let writer = tell(Twist {
        draft: Twist::draft("newer", newer).draft,
        ..Twist::before("lead-stop", |writer| {
            writer.enter("newer", RUNTIME, &[], remark);
        })
    });
    let entry = writer.at("newer").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("U2".to_owned(), Some(entry))]);
    assert_eq!(report.verdict().exit_code(), 4);
}

#[test]
fn i3_a_record_chained_to_something_else() {
    breaks(
        Twist::draft("edit", |draft| draft.prev = Link::from_bytes([1; 32])),
        "I3",
        "edit",
    );
    breaks(
        Twist::draft("opened", |draft| draft.prev = Link::from_bytes([1; 32])),
        "I3",
        "opened",
    );
}

#[test]
fn i4_a_second_opening() {
    let twist = Twist::draft("run-ended", |draft| {
        draft.statement.body = founding_terms().into();
        draft.set = SignatureSet::Hybrid;
        draft.payloads.clear();
    });
    breaks(twist, "I4", "run-ended");
}

#[test]
fn i4_a_record_that_states_another_place() {
    breaks_bytes(Twist::draft("edit", |draft| draft.seq += 1), "I4", "edit");
    breaks_bytes(
        Twist::draft("advisor-stop", |draft| draft.seq = 0),
        "I4",
        "advisor-stop",
    );
}

#[test]
fn i4_an_entry_behind_the_end() {
    let mut writer = tell(Twist::honest());
    writer.enter("late", RUNTIME, &[], remark);
    let entry = writer.at("late").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("I4".to_owned(), Some(entry))]);
}

#[test]
fn i4_a_ledger_without_entries() {
    let report = audit(&Writer::new(Twist::honest()).into(), &anchored());
    assert_eq!(codes(&report), [("I4".to_owned(), None)]);
    assert_eq!(report.verdict().exit_code(), 1);
}

#[test]
fn i5_a_lazy_look_at_the_past() {
    let genesis = tell(Twist::honest()).entries[0].record.clone();
    let seen = Seen {
        size: Size::clamped(1),
        link: countersign_schemas::chain::link(&genesis),
    };
    breaks(
        Twist::statement("edit", move |statement| statement.seen = seen),
        "I5",
        "edit",
    );
}

#[test]
fn i5_an_author_that_has_not_seen_its_own_introduction() {
    let third = tell(Twist::honest()).entries[3].record.clone();
    let seen = Seen {
        size: Size::clamped(4),
        link: countersign_schemas::chain::link(&third),
    };
    breaks(
        Twist::statement("advisor-call", move |statement| statement.seen = seen),
        "I5",
        "advisor-call",
    );
}

/// The entry with this label has seen what the one before it has.
fn lagging(label: &'static str) -> Twist<'static> {
    let mut before = None;
    let hook = move |at: &str, draft: &mut crate::support::writer::Draft| {
        let own = draft.statement.seen;
        if let (true, Some(seen)) = (at == label, before) {
            draft.statement.seen = seen;
        }
        before = Some(own);
    };
    Twist {
        draft: Some(Box::new(hook)),
        ..Twist::default()
    }
}

#[test]
fn i5_last_words_that_do_not_cover_everything_before() {
    for label in ["scout-stop", "lead-stop", "closed"] {
        breaks(lagging(label), "I5", label);
    }
    // Whoever takes over ends another.
    let writer = crash(lagging("second"));
    let entry = writer.at("second").get();
    assert_eq!(
        codes(&audit(&writer.into(), &anchored())),
        [("I5".to_owned(), Some(entry))]
    );
}

#[test]
fn i5_another_history() {
    breaks(
        Twist::statement("edit", |statement| statement.seen.link = Link::from_bytes([1; 32])),
        "I5",
        "edit",
    );
}

#[test]
fn i5_a_look_into_the_future() {
    let twist = Twist::statement("edit", |statement| {
        statement.seen.size = Size::clamped(statement.seen.size.get() + 1)
    });
    breaks(twist, "I5", "edit");
    breaks(
        Twist::statement("opened", |statement| statement.seen.size = Size::clamped(1)),
        "I5",
        "opened",
    );
}

#[test]
fn i5_a_named_entry_that_was_not_seen() {
    // The decision names the request before it, and claims to have seen everything but that.
    let mut previous = None;
    let hook = move |label: &str, draft: &mut crate::support::writer::Draft| {
        if label == "edit-decision"
            && let Some(seen) = previous
        {
            draft.statement.seen = seen;
        }
        previous = Some(draft.statement.seen);
    };
    breaks(
        Twist {
            draft: Some(Box::new(hook)),
            ..Twist::default()
        },
        "I5",
        "edit-decision",
    );
}

#[test]
fn i6_a_gap_or_a_repetition_in_an_authors_count() {
    breaks(
        Twist::statement("edit", |statement| statement.n = Count::clamped(statement.n.get() + 1)),
        "I6",
        "edit",
    );
    breaks(
        Twist::statement("edit", |statement| statement.n = Count::clamped(statement.n.get() - 1)),
        "I6",
        "edit",
    );
    breaks(
        Twist::statement("opened", |statement| statement.n = Count::clamped(1)),
        "I6",
        "opened",
    );
}

#[test]
fn i6_a_stop_that_forgets_the_last_words() {
    let twist = Twist::statement("lead-stop", |statement| {
        if let Body::InstanceStopped(body) = &mut statement.body {
            body.last_n = Count::clamped(body.last_n.get() - 1);
        }
    });
    breaks(twist, "I6", "lead-stop");
}

#[test]
fn i7_an_end_that_does_not_fit() {
    let closed = |change: fn(&mut countersign_schemas::body::LedgerClosed)| {
        Twist::statement("closed", move |statement| {
            if let Body::LedgerClosed(body) = &mut statement.body {
                change(body);
            }
        })
    };
    breaks(
        closed(|body| body.size = Size::clamped(body.size.get() - 1)),
        "I7",
        "closed",
    );
    breaks(closed(|body| body.root = Digest::sha256(b"")), "I7", "closed");
    breaks(closed(|body| body.open_items = Count::clamped(1)), "I7", "closed");
}

#[test]
fn i10_time_runs_backwards() {
    breaks(
        Twist::draft("lead-stop", |draft| draft.received -= 5_000),
        "I10",
        "lead-stop",
    );
    let twist = Twist::statement("lead-stop", |statement| {
        statement.at = Millis::clamped(statement.at.get() - 60_000);
    });
    breaks(twist, "I10", "lead-stop");
}

/// Several entries of one author may have the same times.
#[test]
fn time_may_stand_still() {
    let writer = tell(Twist::draft("run", |draft| {
        draft.received -= 1_000;
        draft.statement.at = Millis::clamped(draft.received);
    }));
    assert_eq!(writer.refusals, []);
    is_verified(&audit(&writer.into(), &anchored()));
}

#[test]
fn i9_a_withheld_payload_proves_nothing() {
    leaves_open(
        Twist::draft("edit-finish", |draft| draft.withheld = vec![0]),
        &[("I9", "edit-finish")],
    );
    leaves_open(
        Twist::draft("edit", |draft| draft.withheld = vec![0]),
        &[("I9", "edit"), ("D10", "edit"), ("D4a", "edit-decision")],
    );
    leaves_open(
        Twist::draft("edit-decision", |draft| draft.withheld = vec![0]),
        &[("I9", "edit-decision"), ("D4a", "edit-decision")],
    );
    leaves_open(
        Twist::draft("answer-1", |draft| draft.withheld = vec![0]),
        &[("I9", "answer-1"), ("D10", "spawn")],
    );
    leaves_open(
        Twist::draft("approval", |draft| draft.withheld = vec![0]),
        &[("I9", "approval"), ("D5", "approval")],
    );
}

#[test]
fn i9_withheld_policies_leave_every_decision_unproven() {
    for slot in 0..3 {
        let writer = tell(Twist::draft("layer1", move |draft| draft.withheld = vec![slot]));
        let decisions = [
            "spawn",
            "grep",
            "scout-write",
            "consult",
            "edit",
            "bash",
            "fetch",
            "stray",
            "todo",
        ];
        let expected: Vec<(String, Option<u64>)> = std::iter::once(("I9".to_owned(), Some(writer.at("layer1").get())))
            .chain(decisions.map(|label| ("D4b".to_owned(), Some(writer.at(&format!("{label}-decision")).get()))))
            .collect();
        let report = audit(&writer.into(), &anchored());
        let unproven: Vec<_> = report
            .unproven
            .iter()
            .map(|finding| (finding.code.to_string(), finding.entry.map(|seq| seq.get())))
            .collect();
        assert_eq!(unproven, expected);
        assert_eq!(report.verdict().exit_code(), 3);
    }
}

#[test]
fn i9_payload_rows_that_do_not_fit() {
    let honest = tell(Twist::honest());
    let entry = honest.at("grep").get();
    let told: crate::support::Told = honest.into();
    let place = usize::try_from(entry).unwrap_or_default();
    let changed = |change: fn(&mut countersign_ledger::reader::StoredEntry)| {
        let mut told = told.clone();
        change(&mut told.entries[place]);
        codes(&audit(&told, &anchored()))
    };
    let expected = vec![("I9".to_owned(), Some(entry))];
    assert_eq!(changed(|entry| entry.payloads[0].content.push(b' ')), expected);
    assert_eq!(
        changed(|entry| entry.payloads[0].salt = salt(0, 7).0.to_vec()),
        expected
    );
    assert_eq!(changed(|entry| entry.payloads[0].salt.clear()), expected);
    assert_eq!(
        changed(|entry| entry.payloads.push(countersign_ledger::reader::StoredPayload {
            slot: 1,
            salt: vec![0; 32],
            content: Vec::new(),
        })),
        expected
    );
    assert_eq!(changed(|entry| entry.payloads[0].slot = 3), expected);
}
