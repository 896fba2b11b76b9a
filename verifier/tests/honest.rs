//! The honest story is verified, and says what it should.

use countersign_schemas::body::Spend;
use countersign_schemas::number::Count;
use countersign_verifier::audit::Verdict;
use countersign_verifier::law::Stop;

use crate::support::story::{spend, tell};
use crate::support::writer::Twist;
use crate::support::{anchored, audit, codes};

#[test]
fn the_story_is_verified() {
    let writer = tell(Twist::honest());
    assert_eq!(writer.findings, []);
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    assert_eq!(report.unproven, []);
    assert_eq!(report.verdict(), Verdict::Verified);
    assert_eq!(report.verdict().exit_code(), 0);
}

#[test]
fn the_state_answers_what_a_gate_asks() {
    let writer = tell(Twist::honest());
    let law = &writer.law;
    let (lead, scout) = (writer.at("lead"), writer.at("scout"));
    assert_eq!(law.next_seq(), writer.next_seq());
    assert_eq!(law.head().size.get(), 51);
    assert_eq!(law.closed(), Some(writer.at("closed")));
    assert_eq!(law.policies_in_force(), [writer.at("layer0"), writer.at("layer1")]);
    assert_eq!(law.open_items(), 0);
    // 3 calls of the lead, 1 of the scout, 1 of the advisor; spawn, grep, consult, edit, the approved command, a page and
    // the list of steps.
    assert_eq!(law.calls_left(lead).map(|left| left.get()), Some(38));
    assert_eq!(law.calls_left(scout).map(|left| left.get()), Some(8));
    let spent = law.grant_of(lead).map(|state| (state.spent(), state.reserved()));
    let count = Count::clamped;
    let used = Spend {
        calls: count(12),
        tokens_in: count(550),
        tokens_out: count(250),
        cost_micro_usd: count(150),
    };
    assert_eq!(spent, Some((used, spend(0, 0))));
    assert_eq!(
        law.run(writer.at("run")).map(|run| (run.lead(), run.ended())),
        Some((lead, Some(writer.at("run-ended"))))
    );
    assert!(law.instance(scout).is_some_and(|instance| instance.stop() == Stop::Own));
    assert_eq!(
        law.grant_chain(scout).map(|state| state.seq()).collect::<Vec<_>>(),
        [scout, lead]
    );
}
