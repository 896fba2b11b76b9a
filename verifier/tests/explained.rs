//! What an explanation shows of what was withdrawn, erased and taken up again.

use countersign_schemas::body::PolicyLayer;
use countersign_schemas::number::Seq;
use countersign_verifier::audit::AuditOptions;
use countersign_verifier::explain::{Selection, authority_tree};

use crate::support::amends::amends;
use crate::support::orders::{adopt_on_order, revoke_on_order};
use crate::support::story::{LAYER1, tell};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit};

fn shown(writer: Writer<'_>, selection: &Selection) -> Option<String> {
    let options = AuditOptions {
        story: true,
        ..anchored()
    };
    let report = audit(&writer.into(), &options);
    authority_tree(report.story.as_ref()?, selection)
}

#[track_caller]
fn shows(text: &Option<String>, line: &str) {
    let is_there = text.iter().flat_map(|text| text.lines()).any(|it| it.trim() == line);
    assert!(is_there, "{line}\n{}", text.as_deref().unwrap_or("nothing"));
}

#[test]
fn a_tree_says_what_was_withdrawn_erased_and_taken_up_again() {
    let writer = amends(Twist::honest());
    let at = |label: &str| writer.at(label).get();
    let (revoke, erase, edit) = (at("revoke"), at("erase"), at("edit"));
    let (second, answer, finish) = (at("second"), at("answer-b"), at("again-finish"));
    let text = shown(writer, &Selection::Everything);
    shows(
        &text,
        &format!("revoked at {revoke} by second ({second}) (halted), ordered by the principal"),
    );
    shows(&text, &format!("takes up again what was requested at {edit}"));
    shows(
        &text,
        &format!("proposed at {answer}, finished at {finish}: ok, behind the revocation at {revoke}"),
    );
    shows(
        &text,
        &format!("a payload of entry {finish}, erased at {erase} (request)"),
    );
    shows(
        &text,
        &format!("erased  a payload of entry {finish}, erased at {erase} (request)"),
    );
}

#[test]
fn an_action_that_was_finished_before_the_revocation_says_nothing_of_it() {
    let writer = tell(Twist::before("lead-stop", |writer| {
        let target = writer.at("lead");
        revoke_on_order(writer, "revoke", target);
    }));
    let (edit, revoke) = (writer.at("edit"), writer.at("revoke"));
    let text = shown(writer, &Selection::Action(edit));
    assert!(
        text.as_ref()
            .is_some_and(|text| !text.contains("behind the revocation"))
    );
    // On whose authority it was, and that this is over, stands below.
    shows(
        &text,
        &format!("revoked at {revoke} by runtime (0) (halted), ordered by the principal"),
    );
}

#[test]
fn what_stands_under_a_revoked_agent_names_the_revocation_above() {
    let writer = tell(Twist::before("scout-stop", |writer| {
        let target = writer.at("lead");
        revoke_on_order(writer, "revoke", target);
    }));
    let (lead, revoke) = (writer.at("lead"), writer.at("revoke"));
    let text = shown(writer, &Selection::Agent("scout".to_owned()));
    shows(
        &text,
        &format!("revoked with the grant at {lead}, at {revoke} by runtime (0) (halted), ordered by the principal"),
    );
}

#[test]
fn an_erasure_leads_to_the_action_that_it_is_about() {
    let writer = amends(Twist::honest());
    let (erase, again) = (writer.at("erase"), writer.at("edit-again"));
    let text = shown(writer, &Selection::Entry(erase));
    let begins = |line: &str| line.trim().starts_with(&format!("{again}  edit"));
    assert!(text.iter().flat_map(|text| text.lines()).any(begins), "{text:?}");
}

#[test]
fn a_policy_says_that_the_principal_ordered_it() {
    let writer = tell(Twist::before("lead-stop", |writer| {
        adopt_on_order(writer, "layer1-ordered", PolicyLayer::Organisation, LAYER1, |_| {});
    }));
    let at: Seq = writer.at("layer1-ordered");
    let text = shown(writer, &Selection::Everything);
    let is_it = |line: &str| {
        line.contains(&format!("layer 1 organisation, entry {at},")) && line.ends_with(", ordered by the principal")
    };
    assert!(text.iter().flat_map(|text| text.lines()).any(is_it), "{text:?}");
}

/// Erases the screen, forges a line, turns the direction of writing round and hides: as a JSON text and as it is.
const HOSTILE_JSON: &str = "\\u001b[2J\\n3  read  all is well\u{202e}\u{9b}31m\\r\u{200b}";
const HOSTILE: &str = "\u{1b}[2J\n3  read  all is well\u{202e}\u{9b}31m\r\u{200b}";

/// The story with these words wherever an agent, an advisor, a tool or who gives the task speaks.
fn hostile<'t>() -> Writer<'t> {
    let spoil = |_: &str, payloads: &mut Vec<Vec<u8>>| {
        for payload in payloads {
            let text = String::from_utf8_lossy(payload).into_owned();
            let spoilt = match &*text {
                "fix add.sh" | "patch or rewrite?" | "Patch." | "done" | "fixed" => text + HOSTILE,
                _ if text.starts_with('{') => ["find it", "assert", "rewrite?", "mend add.sh"]
                    .iter()
                    .fold(text, |text, word| text.replace(word, &format!("{word}{HOSTILE_JSON}"))),
                _ => continue,
            };
            *payload = spoilt.into_bytes();
        }
    };
    tell(Twist {
        payloads: Some(Box::new(spoil)),
        ..Twist::default()
    })
}

#[track_caller]
fn is_harmless(text: &str) {
    let acts =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    assert!(!text.contains(acts), "{text:?}");
}

#[test]
fn words_that_fool_a_terminal_change_no_verdict_and_are_shown_as_what_they_are() {
    let plain = tell(Twist::honest());
    let entries: Vec<Seq> = plain.digests.keys().copied().collect();
    let parts = entries
        .iter()
        .flat_map(|seq| [Selection::Entry(*seq), Selection::Action(*seq)]);
    let agents = ["lead", "scout", "advisor"].map(|name| Selection::Agent(name.to_owned()));
    let mut selections = vec![Selection::Everything];
    selections.extend(parts.chain(agents));
    let options = AuditOptions {
        story: true,
        ..anchored()
    };
    let [plain, spoilt] = [plain, hostile()].map(|writer| audit(&writer.into(), &options));
    for report in [&plain, &spoilt] {
        assert_eq!(report.verdict().exit_code(), 0, "{:#?}", report.findings);
    }
    let (Some(plain), Some(spoilt)) = (&plain.story, &spoilt.story) else {
        panic!("no story");
    };
    for selection in &selections {
        let (before, after) = (authority_tree(plain, selection), authority_tree(spoilt, selection));
        assert_eq!(
            before.as_ref().map(|text| text.lines().count()),
            after.as_ref().map(|text| text.lines().count()),
            "{selection:?}"
        );
        after.iter().for_each(|text| is_harmless(text));
    }
    let everything = authority_tree(spoilt, &Selection::Everything).unwrap_or_default();
    assert!(everything.contains(r"find it\u{1b}[2J\n3  read"), "{everything}");
}

#[test]
fn words_that_fool_a_terminal_are_harmless_in_what_is_found() {
    let writer = tell(Twist::payloads("approval", |payloads| payloads[0] = HOSTILE.into()));
    let report = audit(&writer.into(), &anchored());
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.found.contains(r"\u{202e}"))
    );
    for finding in &report.findings {
        is_harmless(&finding.text());
        assert!(!finding.text().contains('\n'));
    }
}
