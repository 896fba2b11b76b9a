//! What the auditor knows of a principal and its hosts (authority-v1 §6.4, Anchors): each sentence, and what it leaves the
//! thieves of their keys.

use countersign_identity::instant;
use countersign_identity::trust::{Anchor, SCHEMA};
use countersign_ledger::merkle::Frontier;
use countersign_schemas::body::PolicyLayer;
use countersign_schemas::number::{Millis, Size};
use countersign_verifier::audit::{Asked, AuditOptions, Report, Required, Verdict};
use serde_json::{Value, json};

use crate::support::aftermath::{handover, head, unattended};
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START};
use crate::support::orders::{adopt_on_order, erase, introduce_under, issue_to_host, revoke, revoke_on_order};
use crate::support::story::{LAYER1, RUNTIME, stop, tell, tell_by};
use crate::support::writer::{Twist, Writer};
use crate::support::{Told, anchored, audit, codes, honest, is_verified, unproven};

type Places = Vec<(String, Option<u64>)>;

/// So many seconds after the story begins; the entry at `seq` is received at `seq` + 1.
fn at(seconds: u64) -> String {
    instant::format(Millis::clamped(START + 1_000 * seconds)).expect("whole seconds")
}

/// When the story has ended.
fn later() -> String {
    at(3 * HOUR / 1_000)
}

fn places(code: &str, entries: &[u64]) -> Places {
    entries.iter().map(|entry| (code.to_owned(), Some(*entry))).collect()
}

fn whole(codes: &[&str]) -> Places {
    codes.iter().map(|code| ((*code).to_owned(), None)).collect()
}

/// The principal with what is said of it.
fn knowing(members: &Value) -> AuditOptions {
    let mut anchor = json!({ "did": Who::Principal.did().short() });
    if let (Value::Object(into), Value::Object(from)) = (&mut anchor, members) {
        into.extend(from.clone());
    }
    trusting(&json!([anchor]))
}

fn trusting(anchors: &Value) -> AuditOptions {
    let file = json!({ "schema": SCHEMA, "anchors": anchors }).to_string();
    AuditOptions {
        anchors: Anchor::read_file(file.as_bytes()).expect("a trust file"),
        ..AuditOptions::default()
    }
}

/// The host of the ledger, stolen `since`.
fn stolen_host(since: &str) -> Value {
    json!({ "hosts": [{ "did": Who::Host.did().short(), "compromisedSince": since }] })
}

fn stolen_principal(since: &str) -> Value {
    json!({ "compromisedSince": since })
}

/// With a head over the first `size` entries, as somebody kept it.
fn with_head(options: AuditOptions, told: &Told, size: usize) -> AuditOptions {
    let mut tree = Frontier::new();
    told.entries
        .iter()
        .take(size)
        .for_each(|entry| tree.push(&entry.record));
    let kept = head(Size::clamped(size as u64).get(), tree.root());
    AuditOptions {
        heads: vec![kept.as_bytes().to_vec()],
        ..options
    }
}

fn as_of(options: AuditOptions, time: &str) -> AuditOptions {
    let as_of = Some(instant::parse(time).expect("a time"));
    AuditOptions {
        asked: Asked {
            as_of,
            ..options.asked.clone()
        },
        ..options
    }
}

#[track_caller]
fn is_rejected(report: &Report, findings: &Places) {
    assert_eq!(&codes(report), findings, "{:#?}", report.findings);
    assert_eq!(unproven(report), Vec::new(), "{:#?}", report.unproven);
    assert_eq!(report.verdict(), Verdict::Rejected);
}

#[track_caller]
fn is_incomplete(report: &Report, open: &Places) {
    assert_eq!(codes(report), Vec::new(), "{:#?}", report.findings);
    assert_eq!(&unproven(report), open, "{:#?}", report.unproven);
    assert_eq!(report.verdict(), Verdict::Incomplete);
}

#[test]
fn an_anchor_of_a_trust_file_without_limits_is_a_bare_did() {
    let report = audit(&honest(), &knowing(&json!({})));
    is_verified(&report);
    let anchor = report.anchor.expect("the anchor");
    assert_eq!((anchor.did.as_str(), anchor.name), (Who::Principal.did().short(), None));
}

#[test]
fn the_name_of_an_anchor_is_reported_and_binds_nothing() {
    let report = audit(&honest(), &knowing(&json!({ "name": "Example Ltd" })));
    is_verified(&report);
    assert_eq!(
        report.anchor.and_then(|anchor| anchor.name).as_deref(),
        Some("Example Ltd")
    );
}

#[test]
fn a_ledger_of_none_of_the_principals_is_rejected_and_no_limit_of_theirs_is_looked_at() {
    let others = json!([
        { "did": Who::Stranger.did().short(), "compromisedSince": at(0), "validUntil": at(0) },
        { "did": Who::Host.did().short(), "hosts": [{ "did": Who::Stranger.did().short() }] },
    ]);
    let report = audit(&honest(), &trusting(&others));
    is_rejected(&report, &places("A2", &[0]));
    assert_eq!(report.anchor, None);
}

#[test]
fn limits_of_other_principals_are_not_those_of_this_one() {
    let anchors = json!([
        { "did": Who::Stranger.did().short(), "compromisedSince": at(0), "validUntil": at(0),
          "hosts": [{ "did": Who::Host.did().short(), "compromisedSince": at(0) }] },
        { "did": Who::Principal.did().short() },
    ]);
    is_verified(&audit(&honest(), &trusting(&anchors)));
}

#[test]
fn limits_hold_in_whatever_order_anchors_are_given() {
    let [own, other] =
        [Who::Principal, Who::Stranger].map(|who| json!({ "did": who.did().short(), "validUntil": at(0) }));
    for anchors in [json!([own, other]), json!([other, own])] {
        is_rejected(&audit(&honest(), &trusting(&anchors)), &places("A4", &[0, 3]));
    }
}

#[test]
fn of_a_principal_that_a_caller_names_twice_all_limits_hold() {
    let mut options = knowing(&json!({ "validUntil": at(0) }));
    options.anchors.extend(anchored().anchors);
    options
        .anchors
        .extend(knowing(&json!({ "hosts": [{ "did": Who::Stranger.did().short() }] })).anchors);
    let report = audit(&honest(), &options);
    is_rejected(&report, &[places("A2", &[0]), places("A4", &[0, 3])].concat());
}

#[test]
fn a_host_that_is_listed_is_trusted_in_either_form() {
    let (host, stranger) = (Who::Host.did(), Who::Stranger.did().short());
    for did in [host.short(), host.long()] {
        is_verified(&audit(
            &honest(),
            &knowing(&json!({ "hosts": [{ "did": stranger }, { "did": did }] })),
        ));
    }
}

#[test]
fn a_host_that_is_not_listed_is_rejected_though_the_principal_certified_it() {
    for hosts in [
        json!([{ "did": Who::Stranger.did().short() }]),
        json!([{ "did": Who::Opener.did().short() }, { "did": Who::Principal.did().short() }]),
    ] {
        is_rejected(
            &audit(&honest(), &knowing(&json!({ "hosts": hosts }))),
            &places("A2", &[0]),
        );
    }
}

#[test]
fn an_anchor_holds_from_its_first_second_on() {
    let from = |seconds| audit(&honest(), &knowing(&json!({ "validFrom": at(seconds) })));
    is_verified(&from(0));
    is_verified(&from(1));
    is_rejected(&from(2), &places("A4", &[0]));
    is_rejected(&from(4), &places("A4", &[0]));
    // What the approver's credential says is the word of the principal too; what the host says is not.
    is_rejected(&from(5), &places("A4", &[0, 3]));
    is_rejected(&from(40), &places("A4", &[0, 3]));
}

#[test]
fn an_anchor_holds_no_more_at_its_end() {
    let until = |seconds| audit(&honest(), &knowing(&json!({ "validUntil": at(seconds) })));
    is_rejected(&until(0), &places("A4", &[0, 3]));
    is_rejected(&until(1), &places("A4", &[0, 3]));
    is_rejected(&until(2), &places("A4", &[3]));
    is_rejected(&until(4), &places("A4", &[3]));
    // What the principal signed before holds: the ledger may go on without it.
    is_verified(&until(5));
}

/// A story in which the principal issues a grant, and orders that it is revoked.
fn with_orders() -> Writer<'static> {
    tell(Twist::before("lead-stop", |writer| {
        let issued = issue_to_host(writer, Who::Principal, |_| {});
        let lead = introduce_under(writer, "lead-3", Who::Extra(1), issued);
        let revoked = revoke_on_order(writer, "revoked", issued.0);
        stop(writer, "lead-3-stop", lead, lead.1);
        assert!(revoked > issued.0);
    }))
}

#[test]
fn grants_and_directives_are_documents_of_the_principal() {
    let writer = with_orders();
    assert_eq!(writer.refusals, []);
    let (issued, revoked) = (writer.at("issued").get(), writer.at("revoked").get());
    let told = Told::from(writer);
    let until = |seconds| audit(&told, &knowing(&json!({ "validUntil": at(seconds) })));
    is_rejected(&until(issued + 1), &places("A4", &[issued, revoked]));
    is_rejected(&until(issued + 2), &places("A4", &[revoked]));
    is_verified(&until(revoked + 2));
    let stolen = |seconds| audit(&told, &knowing(&stolen_principal(&at(seconds))));
    is_rejected(&stolen(issued + 1), &places("A2", &[issued, revoked]));
    is_rejected(&stolen(revoked + 1), &places("A2", &[revoked]));
    is_incomplete(&stolen(revoked + 2), &whole(&["C4"]));
}

#[test]
fn orders_to_adopt_and_to_erase_are_documents_of_the_principal() {
    let writer = tell(Twist::before("lead-stop", |writer| {
        adopt_on_order(writer, "layer1-b", PolicyLayer::Organisation, LAYER1, |_| {});
        let finish = writer.at("grep-finish");
        erase(writer, "erased", RUNTIME, (finish, 0));
    }));
    assert_eq!(writer.refusals, []);
    let [adopted, erased] = ["layer1-b", "erased"].map(|label| writer.at(label).get());
    let told = Told::from(writer);
    let until = |seconds| codes(&audit(&told, &knowing(&json!({ "validUntil": at(seconds) }))));
    assert_eq!(until(adopted + 1), places("A4", &[adopted, erased]));
    assert_eq!(until(erased + 1), places("A4", &[erased]));
    assert_eq!(until(erased + 2), []);
    let stolen = |seconds| codes(&audit(&told, &knowing(&stolen_principal(&at(seconds)))));
    assert_eq!(stolen(adopted + 1), places("A2", &[adopted, erased]));
    assert_eq!(stolen(erased + 1), places("A2", &[erased]));
}

#[test]
fn a_revocation_without_order_and_an_approval_are_no_documents_of_the_principal() {
    let writer = tell(Twist::before("lead-stop", |writer| {
        let scout = writer.at("scout");
        revoke(writer, "revoked", RUNTIME, scout);
    }));
    assert_eq!(writer.refusals, []);
    let until = knowing(&json!({ "validUntil": at(5) }));
    is_verified(&audit(&writer.into(), &until));
}

#[test]
fn what_a_stolen_host_key_signed_since_is_rejected() {
    let stolen = |seconds| audit(&honest(), &knowing(&stolen_host(&at(seconds))));
    // Opener, advisor and lead; of the scout the lead is the issuer, of the approver the principal.
    is_rejected(&stolen(0), &places("A2", &[0, 4, 5]));
    is_rejected(&stolen(1), &places("A2", &[0, 4, 5]));
    is_rejected(&stolen(2), &places("A2", &[4, 5]));
    is_rejected(&stolen(5), &places("A2", &[4, 5]));
    is_rejected(&stolen(6), &places("A2", &[5]));
}

#[test]
fn what_a_stolen_principal_key_signed_since_is_rejected() {
    let stolen = |seconds| audit(&honest(), &knowing(&stolen_principal(&at(seconds))));
    is_rejected(&stolen(1), &places("A2", &[0, 3]));
    is_rejected(&stolen(2), &places("A2", &[3]));
    is_rejected(&stolen(4), &places("A2", &[3]));
}

#[test]
fn a_later_runtime_is_the_word_of_the_host() {
    let writer = handover(Twist::honest());
    let (second, lead) = (writer.at("second").get(), writer.at("lead-2").get());
    let told = Told::from(writer);
    let report = audit(&told, &knowing(&stolen_host(&at(second + 1))));
    is_rejected(&report, &places("A2", &[second, lead]));
    is_incomplete(&audit(&told, &knowing(&stolen_host(&later()))), &whole(&["C4"]));
}

#[test]
fn one_entry_is_named_once_for_each_stolen_key() {
    let mut both = stolen_host(&at(1));
    both["compromisedSince"] = json!(at(1));
    let report = audit(&honest(), &knowing(&both));
    let expected = [("A2", 0), ("A2", 0), ("A2", 3), ("A2", 4), ("A2", 5)];
    let expected = expected.map(|(code, entry)| (code.to_owned(), Some(entry)));
    is_rejected(&report, &expected.to_vec());
}

#[test]
fn a_ledger_from_before_the_theft_is_unproven_without_a_head() {
    for stolen in [stolen_host(&later()), stolen_principal(&later())] {
        is_incomplete(&audit(&honest(), &knowing(&stolen)), &whole(&["C4"]));
    }
    let mut both = stolen_host(&later());
    both["compromisedSince"] = json!(later());
    is_incomplete(&audit(&honest(), &knowing(&both)), &whole(&["C4", "C4"]));
}

#[test]
fn a_head_over_the_last_document_of_a_stolen_key_shows_that_it_is_older() {
    let told = honest();
    let under = |stolen: &Value, size| audit(&told, &with_head(knowing(stolen), &told, size));
    let (host, principal) = (stolen_host(&later()), stolen_principal(&later()));
    for size in [6, 7, 30, told.entries.len()] {
        is_verified(&under(&host, size));
    }
    for size in [1, 5] {
        is_incomplete(&under(&host, size), &whole(&["C4"]));
    }
    is_verified(&under(&principal, 4));
    is_incomplete(&under(&principal, 3), &whole(&["C4"]));
}

#[test]
fn what_is_asked_of_a_head_is_said() {
    let told = honest();
    let report = audit(&told, &with_head(knowing(&stolen_host(&later())), &told, 5));
    let finding = report.unproven.first().expect("C4");
    assert_eq!(
        finding.expected,
        format!("a head over 6 entries, kept since before {}", later())
    );
    assert!(finding.found.starts_with("head@5"), "{}", finding.found);
}

#[test]
fn a_head_that_does_not_fit_shows_nothing() {
    let other = tell(Twist::payloads("edit-finish", |payloads| {
        payloads[0] = b"else".to_vec()
    }));
    let other = Told::from(other);
    let options = with_head(knowing(&stolen_host(&later())), &other, other.entries.len());
    let report = audit(&honest(), &options);
    assert_eq!(codes(&report), places("I8", &[other.entries.len() as u64 - 1]));
    assert_eq!(unproven(&report), whole(&["C4"]));
}

#[test]
fn a_head_excuses_nothing_that_came_after_the_theft() {
    let told = honest();
    let options = with_head(knowing(&stolen_host(&at(6))), &told, told.entries.len());
    is_rejected(&audit(&told, &options), &places("A2", &[5]));
}

#[test]
fn marks_that_became_known_later_are_disregarded_as_of_a_time() {
    let told = honest();
    let mut marks = stolen_host(&later());
    marks["compromisedSince"] = json!(later());
    marks["validUntil"] = json!(later());
    is_verified(&audit(&told, &as_of(knowing(&marks), &at(60))));
    is_incomplete(&audit(&told, &as_of(knowing(&marks), &later())), &whole(&["C4", "C4"]));
}

#[test]
fn marks_from_before_a_time_hold_as_of_it() {
    let told = honest();
    let last = at(60);
    is_rejected(
        &audit(&told, &as_of(knowing(&stolen_host(&at(6))), &last)),
        &places("A2", &[5]),
    );
    is_rejected(
        &audit(&told, &as_of(knowing(&stolen_principal(&at(4))), &last)),
        &places("A2", &[3]),
    );
    is_rejected(
        &audit(&told, &as_of(knowing(&json!({ "validUntil": at(4) })), &last)),
        &places("A4", &[3]),
    );
    // That an anchor holds later only is no mark that became known.
    is_rejected(
        &audit(&told, &as_of(knowing(&json!({ "validFrom": later() })), &last)),
        &places("A4", &[0, 3]),
    );
}

#[test]
fn entries_that_are_not_folded_carry_no_documents() {
    let mut told = honest();
    let record = &mut told.entries[5].record;
    let last = record.len() - 1;
    record[last] ^= 1;
    let report = audit(&told, &knowing(&stolen_host(&at(5))));
    let found = codes(&report);
    assert!(found.contains(&("A2".to_owned(), Some(4))), "{found:?}");
    assert!(!found.contains(&("A2".to_owned(), Some(5))), "{found:?}");
}

// What the attackers of §11 can still reach.

/// A ledger that somebody makes with the keys of host and principal, beginning so many seconds after the honest one.
fn forged(seconds: u64) -> Told {
    let mut writer = Writer::new(Twist::honest());
    writer.clock += seconds * 1_000;
    tell_by(writer).into()
}

const THEFT: u64 = 600;

#[test]
fn k2_a_new_ledger_is_verified_by_who_knows_of_no_theft() {
    for seconds in [0, THEFT] {
        let report = audit(&forged(seconds), &anchored());
        is_verified(&report);
        assert_eq!(report.assurance.end, "self");
    }
}

#[test]
fn k2_a_new_ledger_is_rejected_under_the_hosts_compromised_since() {
    let report = audit(&forged(THEFT), &knowing(&stolen_host(&at(THEFT))));
    is_rejected(&report, &places("A2", &[0, 4, 5]));
}

#[test]
fn k2_a_new_ledger_that_is_dated_back_is_incomplete_under_the_hosts_compromised_since() {
    is_incomplete(&audit(&forged(0), &knowing(&stolen_host(&at(THEFT)))), &whole(&["C4"]));
    let strict = AuditOptions {
        asked: Asked {
            strict: true,
            ..Asked::default()
        },
        ..knowing(&stolen_host(&at(THEFT)))
    };
    assert_eq!(audit(&forged(0), &strict).verdict(), Verdict::Rejected);
}

#[test]
fn k2_a_known_head_tells_a_new_ledger_apart() {
    let told = honest();
    let options = with_head(anchored(), &told, told.entries.len());
    let report = audit(&forged(1), &options);
    assert_eq!(codes(&report), places("I8", &[told.entries.len() as u64 - 1]));
}

#[test]
fn k2_joining_a_ledger_that_lay_unattended_is_unproven_where_no_head_is_over_the_joining() {
    let writer = unattended(Twist::honest());
    let joined = usize::try_from(writer.at("second").get()).expect("a short story");
    let told = Told::from(writer);
    // For who knows of no theft the head over what stood before is enough; it cannot show who joined.
    is_verified(&audit(&told, &with_head(anchored(), &told, joined)));
    let options = with_head(knowing(&stolen_host(&later())), &told, joined);
    is_incomplete(&audit(&told, &options), &whole(&["C4"]));
}

#[test]
fn k4_a_host_that_the_thief_certified_is_rejected_where_hosts_are_listed() {
    let listed = knowing(&json!({ "hosts": [{ "did": Who::Stranger.did().short() }] }));
    is_rejected(&audit(&forged(0), &listed), &places("A2", &[0]));
}

#[test]
fn k4_a_new_ledger_is_rejected_or_incomplete_under_the_principals_compromised_since() {
    let marked = knowing(&stolen_principal(&at(THEFT)));
    is_rejected(&audit(&forged(THEFT), &marked), &places("A2", &[0, 3]));
    is_incomplete(&audit(&forged(0), &marked), &whole(&["C4"]));
}

#[test]
fn k3_and_k4_are_verified_with_end_self_only_and_incomplete_where_a_head_or_a_witness_is_required() {
    is_verified(&audit(&forged(0), &anchored()));
    for required in [Required::Head, Required::Witness] {
        let options = AuditOptions {
            asked: Asked {
                required: [required].into(),
                ..Asked::default()
            },
            ..anchored()
        };
        is_incomplete(&audit(&forged(0), &options), &whole(&["C1"]));
    }
}
