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
