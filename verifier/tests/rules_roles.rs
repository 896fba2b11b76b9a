//! Who may say what: the table of authority-v1 §5.3, and the introductions of those who hold no grant (A2, A5, G8).

use std::collections::BTreeMap;

use countersign_schemas::body::{Body, Introduced};
use countersign_schemas::kind::Kind;
use countersign_schemas::number::Seq;

use crate::support::aftermath::{meet, recover, remark};
use crate::support::cast::Who;
use crate::support::credentials::{approver, issue};
use crate::support::orders::{issue_to_host, record_erasure, revoke, statement_of};
use crate::support::story::{Author, RUNTIME, advisor, lead, tell};
use crate::support::writer::Twist;
use crate::support::{breaks, breaks_first};

/// What agents may say, and advisors; a runtime instance says everything else, and an approver nothing.
const AGENT: [Kind; 8] = [
    Kind::IdentityIntroduced,
    Kind::GrantRevoked,
    Kind::ModelCalled,
    Kind::ModelAnswered,
    Kind::AdviceRequested,
    Kind::ActionRequested,
    Kind::SessionEvent,
    Kind::InstanceStopped,
];
const ADVISOR: [Kind; 5] = [
    Kind::ModelCalled,
    Kind::ModelAnswered,
    Kind::AdviceGiven,
    Kind::SessionEvent,
    Kind::InstanceStopped,
];
const NOT_RUNTIME: [Kind; 5] = [
    Kind::ModelCalled,
    Kind::ModelAnswered,
    Kind::AdviceRequested,
    Kind::AdviceGiven,
    Kind::ActionRequested,
];

/// A body of every kind but the first, as somebody said it in front of the end of the lead.
fn bodies() -> BTreeMap<&'static str, Body> {
    let writer = tell(Twist::before("lead-stop", |writer| {
        issue_to_host(writer, Who::Principal, |_| {});
        let (scout, task) = (writer.at("scout"), writer.at("run"));
        revoke(writer, "revoke", RUNTIME, scout);
        record_erasure(writer, "erase", RUNTIME, (task, 0), |_| {});
        recover(writer, "recover", RUNTIME, None);
        meet(writer, "meet");
        remark(writer, "remark", RUNTIME);
    }));
    // The decision on a request of the scout comes last: whoever decides on its own request breaks D3.
    let scouts = usize::try_from(writer.at("grep-decision").get()).expect("a short story");
    let rows = writer.entries.iter().skip(1).chain(writer.entries.get(scouts));
    let bodies = rows.map(|row| statement_of(row).body);
    bodies.map(|body| (body.kind().name(), body)).collect()
}

#[test]
fn a5_every_kind_that_a_role_may_not_say() {
    let bodies = bodies();
    assert_eq!(bodies.len(), 20, "{:?}", bodies.keys());
    let mut said = Vec::new();
    let refusals = tell(Twist::before("lead-stop", |writer| {
        let (lead, advisor, approver) = (lead(writer), advisor(writer), (Who::Approver, writer.at("approver")));
        for body in bodies.values() {
            let kind = body.kind();
            let authors: [(Author, bool); 4] = [
                (RUNTIME, !NOT_RUNTIME.contains(&kind)),
                (lead, AGENT.contains(&kind)),
                (advisor, ADVISOR.contains(&kind)),
                (approver, false),
            ];
            for (author, _) in authors.into_iter().filter(|(_, may)| !may) {
                said.push(writer.enter("says", author, &[], |_| body.clone()));
            }
        }
    }))
    .refusals;
    assert_eq!(said.len(), 5 + 12 + 15 + 20);
    for entry in said {
        let refused = refusals.iter().find(|refusal| refusal.entry == Some(entry));
        let told = refused.map(|refusal| (refusal.code.as_str(), refusal.expected.starts_with("what a")));
        assert_eq!(told, Some(("A5", true)), "{refused:?}");
    }
}

fn introduced(label: &'static str, mut change: impl FnMut(&mut Introduced) + 'static) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            change(body);
        }
    })
}

#[test]
fn a2_an_approver_under_the_credential_of_another() {
    let twist = introduced("approver", |body| {
        let mut claims = approver();
        claims.approver = Who::Stranger.did().short_did().clone();
        body.credential = issue(&claims, Who::Principal);
    });
    breaks(twist, "A2", "approver");
}

#[test]
fn a5_g8_an_approver_with_a_grant_or_a_run() {
    breaks(
        introduced("approver", |body| body.parent_grant = Some(Seq::ZERO)),
        "A5",
        "approver",
    );
    breaks_first(
        introduced("approver", |body| body.run = Some(Seq::clamped(1))),
        "G8",
        "approver",
    );
}
