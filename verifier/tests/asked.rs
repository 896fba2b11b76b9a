//! What the auditor asks beyond the law: `--as-of`, `--policy`, `--require` and `--strict` (authority-v1 §6.4), each sentence.

use countersign_schemas::body::PolicyLayer;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Millis;
use countersign_verifier::audit::{Asked, AuditOptions, Required, Verdict};
use countersign_verifier::policy::BUILTIN_LAYER0;

use crate::support::aftermath::meet;
use crate::support::credentials::START;
use crate::support::story::{LAYER1, adopt, cast, opening, tell};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{Told, anchored, audit, codes, honest, is_verified, unproven};

type Places = Vec<(String, Option<u64>)>;

/// Policies of a lower layer that forbid nothing that anybody does.
const NARROW: &str = r#"@id("no-other")
forbid (principal, action == Action::"other", resource);
"#;
/// The same again, in other words.
const NARROWER: &str = r#"@id("no-other-tool")
forbid (principal, action == Action::"other", resource);
"#;

fn places(code: &str, labels: &[&str], writer: &Writer<'_>) -> Places {
    let place = |label: &&str| (code.to_owned(), Some(writer.at(label).get()));
    labels.iter().map(place).collect()
}

fn asking(asked: Asked) -> AuditOptions {
    AuditOptions { asked, ..anchored() }
}

fn as_of(ms: u64) -> AuditOptions {
    asking(Asked {
        as_of: Some(Millis::clamped(START + ms)),
        ..Asked::default()
    })
}

fn policies(texts: &[&str]) -> AuditOptions {
    asking(Asked {
        policies: texts.iter().map(|text| Digest::sha256(text.as_bytes())).collect(),
        ..Asked::default()
    })
}

fn requiring(required: &[Required]) -> AuditOptions {
    asking(Asked {
        required: required.iter().copied().collect(),
        ..Asked::default()
    })
}

fn strict(options: AuditOptions) -> AuditOptions {
    AuditOptions {
        asked: Asked {
            strict: true,
            ..options.asked.clone()
        },
        ..options
    }
}

/// The ledger's own last checkpoint, kept elsewhere.
fn with_own_head(told: &Told, options: AuditOptions) -> AuditOptions {
    AuditOptions {
        heads: vec![told.checkpoints[1].note.clone()],
        ..options
    }
}

#[test]
fn nothing_may_be_received_after_the_auditor_had_it() {
    let told = honest();
    let last = 1_000 * told.entries.len() as u64;
    is_verified(&audit(&told, &as_of(last)));
    is_verified(&audit(&told, &as_of(last + 1)));
    for (ms, first) in [
        (last - 1, told.entries.len() as u64 - 1),
        (10_000, 10),
        (10_999, 10),
        (999, 0),
        (0, 0),
    ] {
        let report = audit(&told, &as_of(ms));
        assert_eq!(
            codes(&report),
            [("I10".to_owned(), Some(first))],
            "only the first is named"
        );
        assert_eq!(report.verdict(), Verdict::Rejected);
    }
}

#[test]
fn an_entry_that_is_not_sound_is_not_named_for_its_time() {
    let mut told = honest();
    let record = &mut told.entries[10].record;
    let last = record.len() - 1;
    record[last] ^= 1;
    let report = audit(&told, &as_of(10_500));
    let late: Places = codes(&report).into_iter().filter(|(code, _)| code == "I10").collect();
    assert_eq!(late, [("I10".to_owned(), Some(11))]);
}

#[test]
fn an_entry_that_is_not_folded_is_named_for_its_time() {
    let writer = tell(Twist::before("lead-stop", |writer| meet(writer, "met")));
    let (met, told) = (writer.at("met").get(), Told::from_written(&writer));
    let report = audit(&told, &as_of(1_000 * met));
    let expected = [("I10".to_owned(), Some(met)), ("U2".to_owned(), Some(met))];
    let mut found = codes(&report);
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn policies_that_are_in_force_at_every_decision_are_all_that_is_asked() {
    for texts in [&[LAYER1][..], &[BUILTIN_LAYER0], &[LAYER1, BUILTIN_LAYER0], &[]] {
        is_verified(&audit(&honest(), &policies(texts)));
    }
}

#[test]
fn a_policy_that_never_was_in_force_is_named_at_the_first_decision() {
    let writer = tell(Twist::honest());
    let first = places("G8", &["spawn-decision"], &writer);
    let told = Told::from(writer);
    let with_line_end = format!("{LAYER1}\n");
    for text in [NARROW, "", &with_line_end] {
        let report = audit(&told, &policies(&[text, LAYER1]));
        assert_eq!(codes(&report), first);
        assert_eq!(report.verdict(), Verdict::Rejected);
    }
    let report = audit(&told, &policies(&[NARROW, NARROWER, BUILTIN_LAYER0]));
    assert_eq!(codes(&report), [first.clone(), first].concat(), "each of them");
}

/// A story in which policies of the session are adopted in front of some entries.
fn with_session_policies(adopted: &[(&'static str, &'static str, &'static str)]) -> Writer<'static> {
    let adopted = adopted.to_vec();
    let before = move |at: &str, writer: &mut Writer<'static>| {
        for (place, label, text) in &adopted {
            if at == *place {
                adopt(writer, label, PolicyLayer::Session, text);
            }
        }
    };
    tell(Twist {
        before: Some(Box::new(before)),
        ..Twist::default()
    })
}

#[test]
fn a_policy_counts_in_whatever_layer_it_is() {
    let writer = with_session_policies(&[("spawn-decision", "layer4", NARROW)]);
    assert_eq!(writer.refusals, []);
    is_verified(&audit(&writer.into(), &policies(&[NARROW, LAYER1])));
}

#[test]
fn each_gap_of_a_policy_is_named_at_its_first_decision() {
    let writer = with_session_policies(&[
        ("grep-decision", "layer4-a", NARROW),
        ("edit-decision", "layer4-b", NARROWER),
        ("fetch-decision", "layer4-c", NARROW),
        ("todo-decision", "layer4-d", NARROWER),
    ]);
    assert_eq!(writer.refusals, []);
    let expected = places("G8", &["spawn-decision", "edit-decision", "todo-decision"], &writer);
    let report = audit(&writer.into(), &policies(&[NARROW, LAYER1]));
    assert_eq!(
        codes(&report),
        expected,
        "three gaps; the denials in them are decisions like others"
    );
}

#[test]
fn a_policy_between_two_decisions_changes_nothing() {
    let writer = with_session_policies(&[
        ("spawn-decision", "layer4-a", NARROW),
        ("edit-finish", "layer4-b", NARROWER),
        ("bash-decision", "layer4-c", NARROW),
    ]);
    assert_eq!(writer.refusals, []);
    is_verified(&audit(&writer.into(), &policies(&[NARROW])));
}

/// Policies of the session whose text nobody stored, and later others.
fn with_absent_policies(later: &'static [(&'static str, &'static str, &'static str)]) -> Writer<'static> {
    let mut adopted = vec![("spawn-decision", "layer4", NARROW)];
    adopted.extend(later);
    let before = move |at: &str, writer: &mut Writer<'static>| {
        for (place, label, text) in &adopted {
            if at == *place {
                adopt(writer, label, PolicyLayer::Session, text);
            }
        }
    };
    let withhold = |at: &str, draft: &mut Draft| {
        if at == "layer4" {
            draft.withheld.push(0);
        }
    };
    tell(Twist {
        before: Some(Box::new(before)),
        draft: Some(Box::new(withhold)),
        ..Twist::default()
    })
}

fn g8(places: Places) -> Places {
    places.into_iter().filter(|(code, _)| code == "G8").collect()
}

#[test]
fn a_policy_that_may_be_the_absent_one_is_unproven_once() {
    let writer = with_absent_policies(&[]);
    let first = places("G8", &["spawn-decision"], &writer);
    let told = Told::from(writer);
    for text in [NARROW, NARROWER] {
        let report = audit(&told, &policies(&[text, LAYER1]));
        assert_eq!((codes(&report), g8(unproven(&report))), (Vec::new(), first.clone()));
        assert_eq!(report.verdict(), Verdict::Incomplete);
    }
}

#[test]
fn a_policy_that_is_not_in_force_after_the_absent_one_is_named() {
    let writer = with_absent_policies(&[("bash-decision", "layer4-b", NARROWER)]);
    let [may_be, is_not] = ["spawn-decision", "bash-decision"].map(|label| places("G8", &[label], &writer));
    let report = audit(&writer.into(), &policies(&[NARROW]));
    assert_eq!((codes(&report), g8(unproven(&report))), (is_not, may_be));
}

#[test]
fn behind_a_damaged_entry_policies_are_not_named() {
    let writer = tell(Twist::honest());
    let layer = usize::try_from(writer.at("layer1").get()).expect("a short story");
    let mut told = Told::from(writer);
    let record = &mut told.entries[layer].record;
    let last = record.len() - 1;
    record[last] ^= 1;
    let report = audit(&told, &policies(&[NARROW]));
    assert_eq!(report.verdict(), Verdict::Rejected);
    assert_eq!(g8(codes(&report)), []);
}

#[test]
fn without_a_decision_no_policy_is_asked_for() {
    let mut writer = Writer::new(Twist::honest());
    opening(&mut writer);
    cast(&mut writer);
    let report = audit(&writer.into(), &policies(&[NARROW]));
    assert_eq!((codes(&report), g8(unproven(&report))), (Vec::new(), Vec::new()));
}

#[test]
fn a_required_head_is_one_that_fits() {
    let told = honest();
    let required = || requiring(&[Required::Head]);
    let report = audit(&told, &required());
    assert_eq!(
        (codes(&report), unproven(&report)),
        (Vec::new(), vec![("C1".to_owned(), None)])
    );
    assert_eq!(report.verdict(), Verdict::Incomplete);
    is_verified(&audit(&told, &with_own_head(&told, required())));

    let other = Told::from(tell(Twist::payloads("edit-finish", |payloads| {
        payloads[0] = b"else".to_vec()
    })));
    let report = audit(&told, &with_own_head(&other, required()));
    assert_eq!(report.verdict(), Verdict::Rejected);
    assert_eq!(unproven(&report), [("C1".to_owned(), None)]);

    let mut heads = with_own_head(&told, required());
    heads.heads.insert(0, told.checkpoints[0].note.clone());
    is_verified(&audit(&told, &heads));
}

#[test]
fn a_required_witness_is_never_there() {
    let told = honest();
    for options in [
        requiring(&[Required::Witness]),
        with_own_head(&told, requiring(&[Required::Witness])),
    ] {
        let report = audit(&told, &options);
        assert_eq!(
            (codes(&report), unproven(&report)),
            (Vec::new(), vec![("C1".to_owned(), None)])
        );
        assert!(report.unproven[0].found.contains("this version reads none"));
        assert_eq!(report.verdict(), Verdict::Incomplete);
    }
    let both = audit(&told, &requiring(&[Required::Head, Required::Witness]));
    assert_eq!(unproven(&both), [("C1".to_owned(), None), ("C1".to_owned(), None)]);
}

#[test]
fn required_post_quantum_signatures_are_asked_for_by_every_verdict() {
    is_verified(&audit(&honest(), &requiring(&[Required::PostQuantum])));
    for label in ["closed", "advisor-stop", "scout-stop"] {
        let told = Told::from(tell(Twist::omit(label)));
        let (asked, unasked) = (
            audit(&told, &requiring(&[Required::PostQuantum])),
            audit(&told, &anchored()),
        );
        assert_eq!(unproven(&asked), unproven(&unasked));
        assert!(unproven(&asked).iter().any(|(code, _)| code == "C2"), "{label}");
        assert_ne!(asked.assurance.pq, "full");
        assert_eq!(asked.verdict(), Verdict::Incomplete);
    }
}

#[test]
fn what_is_unproven_rejects_where_strict_is_asked_and_both_lists_stay() {
    let open = Told::from(tell(Twist::omit("closed")));
    let (plain, stern) = (audit(&open, &anchored()), audit(&open, &strict(anchored())));
    assert_eq!(
        (plain.verdict(), stern.verdict()),
        (Verdict::Incomplete, Verdict::Rejected)
    );
    assert_eq!((codes(&plain), unproven(&plain)), (codes(&stern), unproven(&stern)));
    assert_eq!(codes(&stern), []);
}

#[test]
fn every_kind_of_unproven_rejects_where_strict_is_asked() {
    let told = honest();
    is_verified(&audit(&told, &strict(anchored())));
    for options in [
        AuditOptions::default(),
        requiring(&[Required::Head]),
        requiring(&[Required::Witness]),
    ] {
        assert_eq!(audit(&told, &options).verdict(), Verdict::Incomplete);
        assert_eq!(audit(&told, &strict(options)).verdict(), Verdict::Rejected);
    }
    let mut withheld = told;
    withheld.entries[9].payloads.clear();
    assert_eq!(audit(&withheld, &strict(anchored())).verdict(), Verdict::Rejected);
}

#[test]
fn what_cannot_be_judged_is_unreadable_and_with_something_unproven_rejected_where_strict_is_asked() {
    let writer = tell(Twist::before("lead-stop", |writer| meet(writer, "met")));
    let told = Told::from(writer);
    let report = audit(&told, &strict(anchored()));
    assert_eq!((unproven(&report), report.verdict()), (Vec::new(), Verdict::Unreadable));
    assert_eq!(audit(&told, &AuditOptions::default()).verdict(), Verdict::Unreadable);
    assert_eq!(
        audit(&told, &strict(AuditOptions::default())).verdict(),
        Verdict::Rejected
    );
}

#[test]
fn a_verdict_says_what_was_asked() {
    let asked = Asked {
        as_of: Some(Millis::clamped(START + 3_600_000)),
        policies: [Digest::sha256(LAYER1.as_bytes())].into(),
        required: [Required::Witness, Required::Head].into(),
        strict: true,
    };
    let document = audit(&honest(), &asking(asked)).to_json();
    let expected = serde_json::json!({
        "as_of": "2025-11-21T09:00:00Z",
        "policy": [Digest::sha256(LAYER1.as_bytes()).to_string()],
        "require": ["head", "witness"],
        "strict": true,
    });
    assert_eq!(document["asked"], expected);
    let plain = audit(&honest(), &AuditOptions::default()).to_json();
    let nothing = serde_json::json!({ "as_of": null, "policy": [], "require": [], "strict": false });
    assert_eq!((&plain["asked"], plain["anchor"].is_null()), (&nothing, true));
}
