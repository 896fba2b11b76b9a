//! Payloads that are gone, on whose order, and what is said of those that only should be: `payload.erased`, A5 and I9.

use countersign_identity::credential::{DirectiveAct, DirectiveClaims};
use countersign_schemas::body::{ErasureGround, OrderForm, PayloadErased, RevokeReason};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::PayloadClass;
use countersign_verifier::audit::{Report, audit as read_audit, replay};
use countersign_verifier::finding::Finding;

use crate::support::amends::amends;
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, window};
use crate::support::orders::{
    commitment_of, drop_payload, enter_erasure, erase, erasure_claims, ordered, record_erasure, revocation_order,
};
use crate::support::story::{RUNTIME, lead, tell};
use crate::support::writer::{Twist, Writer};
use crate::support::{Told, anchored, audit, breaks, codes, file, leaves_open};

/// Writes something in front of the end of the lead.
fn at_the_end<'t>(write: impl FnMut(&mut Writer<'t>) + 't) -> Twist<'t> {
    Twist::before("lead-stop", write)
}

/// The result of the edit is erased on an order that `change` changed.
fn with_claims(change: impl Fn(&mut DirectiveClaims) + 'static) -> Twist<'static> {
    at_the_end(move |writer| {
        let target = writer.at("edit-finish");
        record_erasure(writer, "erase", RUNTIME, (target, 0), &change);
        drop_payload(writer, target, 0);
    })
}

/// Code, entry and `found` of what is unproven.
fn open(report: &Report) -> Vec<(&str, u64, &str)> {
    let told = |it: &Finding| (it.code.as_str(), it.entry.map_or(u64::MAX, Seq::get));
    let all = report.unproven.iter();
    all.map(|it| (told(it).0, told(it).1, it.found.as_str())).collect()
}

#[test]
fn an_erased_payload_is_unproven_and_the_report_says_by_whom() {
    let writer = tell(at_the_end(|writer| {
        let target = writer.at("edit-finish");
        erase(writer, "erase", RUNTIME, (target, 0));
    }));
    assert_eq!(writer.refusals, []);
    let (target, at) = (writer.at("edit-finish").get(), writer.at("erase").get());
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    let words = format!("no payload: erased at entry {at} (request)");
    assert_eq!(open(&report), [("I9", target, words.as_str())]);
    assert_eq!(report.verdict().exit_code(), 3);
}

#[test]
fn a_payload_that_is_absent_without_an_order_is_withheld() {
    let writer = tell(Twist::draft("edit-finish", |draft| draft.withheld.push(0)));
    let target = writer.at("edit-finish").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert_eq!(open(&report), [("I9", target, "no payload: withheld")]);
}

#[test]
fn an_erasure_excuses_no_other_payload() {
    let writer = tell(at_the_end(|writer| {
        let (erased, other) = (writer.at("edit-finish"), writer.at("bash-finish"));
        erase(writer, "erase", RUNTIME, (erased, 0));
        drop_payload(writer, other, 0);
    }));
    let (at, other) = (writer.at("erase").get(), writer.at("bash-finish").get());
    let report = audit(&writer.into(), &anchored());
    let words = format!("no payload: erased at entry {at} (request)");
    let erased = report.unproven.iter().filter(|it| it.found == words).count();
    assert_eq!(erased, 1);
    assert!(open(&report).contains(&("I9", other, "no payload: withheld")));
}

#[test]
fn what_was_erased_and_is_still_there_is_unproven() {
    let writer = tell(at_the_end(|writer| {
        let target = writer.at("edit-finish");
        record_erasure(writer, "erase", RUNTIME, (target, 0), |_| {});
    }));
    let target = writer.at("edit-finish").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert_eq!(open(&report), [("I9", target, "the payload, still there")]);
    assert_eq!(report.verdict().exit_code(), 3);
}

#[test]
fn what_was_erased_can_be_erased_again_and_the_first_time_counts() {
    let writer = tell(at_the_end(|writer| {
        let target = writer.at("edit-finish");
        erase(writer, "erase", RUNTIME, (target, 0));
        erase(writer, "erase-again", RUNTIME, (target, 0));
    }));
    assert_eq!(writer.refusals, []);
    let (target, at) = (writer.at("edit-finish").get(), writer.at("erase").get());
    let report = audit(&writer.into(), &anchored());
    let words = format!("no payload: erased at entry {at} (request)");
    assert_eq!(open(&report), [("I9", target, words.as_str())]);
}

#[test]
fn what_needs_an_erased_payload_is_unproven_too() {
    let arguments = at_the_end(|writer| {
        let target = writer.at("edit");
        erase(writer, "erase", RUNTIME, (target, 0));
    });
    leaves_open(arguments, &[("I9", "edit"), ("D10", "edit"), ("D4a", "edit-decision")]);
    let shown = at_the_end(|writer| {
        let target = writer.at("approval");
        erase(writer, "erase", RUNTIME, (target, 0));
    });
    leaves_open(shown, &[("I9", "approval"), ("D5", "approval")]);
}

#[test]
fn an_erasure_is_told_alike_of_a_file() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    let told: Told = amends(Twist::honest()).into();
    file::store(&told, &path)?;
    let reader = countersign_ledger::reader::LedgerReader::open(&path)?;
    let (of_file, of_rows) = (read_audit(&reader, &anchored()), audit(&told, &anchored()));
    assert_eq!(of_file.findings, of_rows.findings);
    assert_eq!(of_file.unproven, of_rows.unproven);
    assert!(of_file.unproven.iter().any(|it| it.found.contains("erased at entry")));
    // A writer that opens the ledger again reads the named entry again as well, also where it goes on from a snapshot.
    let folded = replay(&reader, None)?;
    assert_eq!(folded.law.open_items(), 2);
    Ok(())
}

#[test]
fn a5_a_payload_that_the_entry_has_not() {
    // An entry without payloads, one with another payload, and one that is a payload's only by its place.
    for label in ["lead", "edit", "bash-finish"] {
        let twist = at_the_end(move |writer| {
            let (target, other) = (writer.at(label), writer.at("edit-finish"));
            let payload = commitment_of(writer, other, 0);
            let order = ordered(&erasure_claims(writer, target, payload), Who::Principal);
            enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
        });
        breaks(twist, "A5", "erase");
    }
    let nobodys = at_the_end(|writer| {
        let (target, payload) = (writer.at("edit-finish"), Commitment::from_bytes([7; 32]));
        let order = ordered(&erasure_claims(writer, target, payload), Who::Principal);
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    });
    breaks(nobodys, "A5", "erase");
}

#[test]
fn a5_evidence_is_not_erased() {
    for slot in 0..3 {
        let twist = at_the_end(move |writer| {
            let target = writer.at("layer1");
            record_erasure(writer, "erase", RUNTIME, (target, slot), |_| {});
        });
        let writer = tell(twist);
        let statement = crate::support::orders::statement_of(&writer.entries[2]);
        assert_eq!(statement.body.payloads()[slot].class, PayloadClass::Evidence);
        let at = writer.at("erase").get();
        assert_eq!(
            writer
                .refusals
                .first()
                .map(|it| (it.code.as_str(), it.entry.map(Seq::get))),
            Some(("A5", Some(at)))
        );
        let report = audit(&writer.into(), &anchored());
        assert_eq!(codes(&report), [("A5".to_owned(), Some(at))]);
        // An unlawful erasure says nothing of the payload.
        assert_eq!(open(&report), []);
    }
}

#[test]
fn a5_an_agent_that_erases() {
    let twist = at_the_end(|writer| {
        let (lead, target) = (lead(writer), writer.at("edit-finish"));
        record_erasure(writer, "erase", lead, (target, 0), |_| {});
    });
    breaks(twist, "A5", "erase");
}

#[test]
fn an_order_that_fails_leaves_the_payload_withheld() {
    let writer = tell(with_claims(|claims| claims.ledger = LedgerId::from_bytes([1; 32])));
    let target = writer.at("edit-finish").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(open(&report), [("I9", target, "no payload: withheld")]);
}

#[test]
fn a5_an_order_over_something_else() {
    let (entry, payload) = (Digest::sha256(b"another entry"), Commitment::from_bytes([7; 32]));
    let other_acts: [fn(DirectiveAct) -> DirectiveAct; 4] = [
        |act| match act {
            DirectiveAct::Erase { entry, payload, .. } => DirectiveAct::Erase {
                entry,
                payload,
                reason: ErasureGround::Mistake,
            },
            other => other,
        },
        |act| match act {
            DirectiveAct::Erase { entry, reason, .. } => DirectiveAct::Erase {
                entry,
                payload: Commitment::from_bytes([7; 32]),
                reason,
            },
            other => other,
        },
        |act| match act {
            DirectiveAct::Erase { payload, reason, .. } => DirectiveAct::Erase {
                entry: Digest::sha256(b"another entry"),
                payload,
                reason,
            },
            other => other,
        },
        |act| match act {
            DirectiveAct::Erase { entry, .. } => DirectiveAct::Revoke {
                entry,
                reason: RevokeReason::Unspecified,
            },
            other => other,
        },
    ];
    for other in other_acts {
        breaks(with_claims(move |claims| claims.act = other(claims.act)), "A5", "erase");
    }
    let elsewhere = DirectiveAct::Erase {
        entry,
        payload,
        reason: ErasureGround::Request,
    };
    breaks(with_claims(move |claims| claims.act = elsewhere), "A5", "erase");
}

#[test]
fn a5_an_order_outside_its_time() {
    breaks(
        with_claims(|claims| claims.expires = Millis::clamped(START + 1_000)),
        "A5",
        "erase",
    );
    breaks(
        with_claims(|claims| claims.window = window(START + HOUR, START + 13 * HOUR)),
        "A5",
        "erase",
    );
}

#[test]
fn a5_an_order_of_the_host() {
    let twist = at_the_end(|writer| {
        let target = writer.at("edit-finish");
        let payload = commitment_of(writer, target, 0);
        let order = ordered(&erasure_claims(writer, target, payload), Who::Host);
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    });
    breaks(twist, "A5", "erase");
}

#[test]
fn a5_an_order_that_was_entered_for_another_act() {
    let twist = at_the_end(|writer| {
        let (target, scout) = (writer.at("edit-finish"), writer.at("scout"));
        let payload = commitment_of(writer, target, 0);
        let order = revocation_order(writer, scout, |_| {});
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    });
    breaks(twist, "A5", "erase");
    let twice = at_the_end(|writer| {
        let target = writer.at("edit-finish");
        let payload = commitment_of(writer, target, 0);
        let order = ordered(&erasure_claims(writer, target, payload), Who::Principal);
        enter_erasure(writer, "erase-first", RUNTIME, (target, payload), order.clone());
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    });
    breaks(twice, "A5", "erase");
}

#[test]
fn u2_orders_in_a_form_that_is_not_judged() {
    let writer = tell(at_the_end(|writer| {
        let target = writer.at("edit-finish");
        let payload = commitment_of(writer, target, 0);
        let order = countersign_schemas::body::Order {
            form: OrderForm::SshSig,
            ..ordered(&erasure_claims(writer, target, payload), Who::Principal)
        };
        enter_erasure(writer, "erase", RUNTIME, (target, payload), order);
    }));
    let at = writer.at("erase").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("U2".to_owned(), Some(at))]);
}

#[test]
fn i5_an_entry_that_is_not_there_yet() {
    let writer = tell(at_the_end(|writer| {
        let target = Seq::clamped(writer.next_seq().get() + 1);
        let payload = Commitment::from_bytes([7; 32]);
        let order = ordered(&erasure_claims(writer, target, payload), Who::Principal);
        writer.enter("erase", RUNTIME, &[], |_| {
            PayloadErased {
                entry: target,
                commitment: payload,
                ground: ErasureGround::Request,
                order,
            }
            .into()
        });
    }));
    let at = writer.at("erase").get();
    let report = audit(&writer.into(), &anchored());
    let found: Vec<&str> = report.findings.iter().map(|it| it.code.as_str()).collect();
    assert!(report.findings.iter().all(|it| it.entry.map(Seq::get) == Some(at)));
    assert!(found.contains(&"I5") && found.contains(&"A5"), "{found:?}");
}

/// However many payloads are gone, what is remembered of them is bounded by the list that names them.
#[test]
fn more_absent_payloads_than_are_listed_are_still_told_apart() {
    let mut told: Told = tell(at_the_end(|writer| {
        let target = writer.at("edit-finish");
        erase(writer, "erase", RUNTIME, (target, 0));
    }))
    .into();
    for row in &mut told.entries {
        row.payloads.clear();
    }
    let report = audit(&told, &anchored());
    let erased = report.unproven.iter().filter(|it| it.found.contains("erased at entry"));
    assert_eq!(erased.count(), 1);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}
