//! A lying gatekeeper (K3): requests that no model proposed, and decisions that the law does not give.

use std::sync::Arc;

use countersign_schemas::body::{Body, DecisionMade, Effects, Outcome, Part, PartOutcome, PolicyLayer};
use countersign_schemas::kind::Kind;
use countersign_schemas::list::List;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::payload::{PayloadClass, PayloadRef};

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::contents::PERMIT_ALL;
use super::host::{adopt_permit_all, decide_anything};
use super::lie::{beside, changed};
use super::retelling::insert_at;
use super::support::credentials::{HOUR, START};
use super::support::writer::{Draft, Twist, salt};

static NO_CAUSE: Attack = Attack {
    name: "no-cause",
    what: "an action is requested that no model proposed, with a null cause",
    rule: "nothing is broken: it is the word of a person that such a cause is one (D10, unproven)",
};
static OTHER_CAUSE: Attack = Attack {
    name: "other-cause",
    what: "a request names something else than the requester's last model answer as its cause",
    rule: "that request (D10)",
};
static INJECTED: Attack = Attack {
    name: "injected-arguments",
    what: "a request has other arguments than the call that the model proposed",
    rule: "that request (D10)",
};
static HIDDEN_EFFECT: Attack = Attack {
    name: "hidden-effect",
    what: "a request claims fewer effects than its tool has",
    rule: "that request (D4a)",
};
static CEDAR: Attack = Attack {
    name: "cedar-request-unlike-action",
    what: "policy is asked about something else than what was requested",
    rule: "that decision (D4a)",
};
static NO_CEDAR: Attack = Attack {
    name: "no-cedar-request",
    what: "a decision leaves out what policy was asked",
    rule: "that decision (D4a)",
};
static DENY_TO_ALLOW: Attack = Attack {
    name: "deny-to-allow",
    what: "the gatekeeper allows what the law denies, and says that every check allowed it",
    rule: "that decision: D1 or G6 to G8 where the grant denies, else D4b",
};
static ASK_TO_ALLOW: Attack = Attack {
    name: "ask-to-allow",
    what: "the gatekeeper allows what a person has to be asked for",
    rule: "that decision (D4b)",
};
static PARTS: Attack = Attack {
    name: "invented-part",
    what: "a decision says that a check gave another rule than it did",
    rule: "that decision (D4b)",
};
static OTHER_POLICIES: Attack = Attack {
    name: "other-policies-named",
    what: "a decision names other policies than those in force",
    rule: "that decision (D4b)",
};
static SWAP: Attack = Attack {
    name: "swap-policy",
    what: "another policy is adopted than the one the decisions were made under: one that permits everything, and one whose forbid cannot be evaluated",
    rule: "the first decision: the policy does not give it (D4b)",
};
static FORKED: Attack = Attack {
    name: "forked-decision",
    what: "in front of an entry, the last request that was decided is decided again",
    rule: "the second decision (D2)",
};
static LATE: Attack = Attack {
    name: "late-decider",
    what: "a process that joined beside decides a request before its own gatekeeper does",
    rule: "that decision (D2)",
};
static SELF_ADOPTED: Attack = Attack {
    name: "adopt-permit-all",
    what: "in front of an entry, a policy that permits everything is adopted as layer 0 or 1, without the principal's order",
    rule: "that adoption: layer 0 is the published one, and layer 1 does not change once a run has started (A5)",
};

/// Each replaced by something else where it stands in the Cedar request.
const UNLIKE: [(&str, &str); 7] = [
    (r#"{"action":""#, r#"{"action":"x"#),
    (r#""depth_left":"#, r#""depth_left":1"#),
    (r#""root":"#, r#""root": "#),
    (r#""mode":"headless""#, r#""mode":"interactive""#),
    (r#""workspace":"/w""#, r#""workspace":"/""#),
    (r#""calls_left":"#, r#""calls_left":1"#),
    (r#""time_ms":"#, r#""time_ms":1"#),
];

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (place, known) in base.entries.iter().enumerate() {
        match known.kind() {
            Kind::ActionRequested => cases.extend(requested(base, place)),
            Kind::DecisionMade => cases.extend(decided(base, place)),
            _ => {}
        }
        cases.extend(inserted(base, place));
    }
    cases.extend(swapped(base));
    cases
}

fn requested(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Body::ActionRequested(request) = &base.entries[place].statement.body else {
        return Vec::new();
    };
    let unproven = Expected {
        unproven: vec!["D10"],
        ..Expected::incomplete(&[])
    };
    let no_cause = changed(&NO_CAUSE, base, place, "D10", |draft| {
        if let Body::ActionRequested(body) = &mut draft.statement.body {
            body.cause = None;
        }
    });
    let mut cases = vec![Case {
        expected: vec![unproven, base.told_by_head(base.size())],
        ..no_cause
    }];
    cases.push(changed(&OTHER_CAUSE, base, place, "D10", |draft| {
        if let Body::ActionRequested(body) = &mut draft.statement.body {
            body.cause = body.cause.map(|cause| Seq::clamped(cause.get() - 1));
        }
    }));
    cases.push(changed(&INJECTED, base, place, "D10", |draft| {
        let bytes = br#"{"path":"/etc/shadow"}"#.to_vec();
        let reference = PayloadRef::new(&salt(draft.seq, 0), &bytes, PayloadClass::Content);
        draft.payloads[0] = bytes;
        if let Body::ActionRequested(body) = &mut draft.statement.body {
            body.arguments = reference;
        }
    }));
    if request.effects != Effects::NONE {
        cases.push(changed(&HIDDEN_EFFECT, base, place, "D4a", |draft| {
            if let Body::ActionRequested(body) = &mut draft.statement.body {
                body.effects = Effects::NONE;
            }
        }));
    }
    cases
}

pub(crate) fn decision(draft: &mut Draft, change: impl Fn(&mut DecisionMade)) {
    if let Body::DecisionMade(body) = &mut draft.statement.body {
        change(body);
    }
}

/// Every check that is recorded, saying yes.
pub(crate) fn all_allow(body: &mut DecisionMade) {
    let yes = |part: &Part| Part {
        check: part.check,
        outcome: PartOutcome::Allow,
        rules: List::new(Vec::new()).expect("no rules"),
    };
    body.parts = List::new(body.parts.iter().map(yes).collect()).expect("as many parts");
    body.outcome = Outcome::Allow;
    body.ask = None;
    body.expires = Millis::clamped(START + HOUR);
}

fn decided(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Body::DecisionMade(body) = &base.entries[place].statement.body else {
        return Vec::new();
    };
    let mut cases = cedar(base, place);
    let denied = Expected::rejected(place as u64, &["D1", "D4b", "G6", "G7", "G8"]);
    match body.outcome {
        Outcome::Deny | Outcome::CouldNotEvaluate => {
            let case = changed(&DENY_TO_ALLOW, base, place, "D1", |draft| decision(draft, all_allow));
            cases.push(Case {
                expected: vec![denied],
                ..case
            });
        }
        Outcome::Ask => cases.push(changed(&ASK_TO_ALLOW, base, place, "D4b", |draft| {
            decision(draft, all_allow)
        })),
        Outcome::Allow => {}
    }
    cases.push(changed(&PARTS, base, place, "D4b", |draft| {
        decision(draft, |body| {
            let mut parts = body.parts.to_vec();
            let rule = countersign_schemas::text::Name::new("1/invented").expect("a name");
            parts[2].rules = List::new(vec![rule]).expect("one rule");
            body.parts = List::new(parts).expect("as many parts");
        });
    }));
    cases.push(changed(&OTHER_POLICIES, base, place, "D4b", |draft| {
        decision(draft, |body| {
            body.policies = List::new(vec![body.policies[0]]).expect("one")
        });
    }));
    let request = body.request;
    cases.push(beside(&LATE, base, place, "D2", move |writer, guest| {
        decide_anything(writer, guest, request);
    }));
    cases
}

fn cedar(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(asked) = base.told.entries[place]
        .payloads
        .first()
        .map(|payload| payload.content.clone())
    else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&asked).into_owned();
    let mut cases = Vec::new();
    for (nth, (from, to)) in UNLIKE.into_iter().enumerate() {
        let other = text.replacen(from, to, 1).into_bytes();
        if other == asked {
            continue;
        }
        let case = changed(&CEDAR, base, place, "D4a", move |draft| {
            let reference = PayloadRef::new(&salt(draft.seq, 0), &other, PayloadClass::Content);
            draft.payloads[0].clone_from(&other);
            decision(draft, |body| body.cedar_request = Some(reference.clone()));
        });
        cases.push(Case {
            position: format!("{place}-{nth}"),
            ..case
        });
    }
    cases.push(changed(&NO_CEDAR, base, place, "D4a", |draft| {
        draft.payloads.clear();
        decision(draft, |body| body.cedar_request = None);
    }));
    cases
}

fn inserted(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = (place > 2).then(|| base.runtime(place)).flatten() else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    let before = base.entries[..place].iter().rev();
    let decided = before.clone().find_map(|known| match &known.statement.body {
        Body::DecisionMade(body) => Some(body.request),
        _ => None,
    });
    let mut pose =
        |attack, position: String, write: Arc<dyn Fn(&mut super::support::writer::Writer<'_>) + Send + Sync>, code| {
            let from = Arc::clone(base);
            let expected = vec![Expected::rejected(place as u64, &[code])];
            cases.push(Case::new(attack, Class::K3, base, position, expected, move || {
                insert_at(&from, place, |writer| write(writer))
            }));
        };
    if let Some(request) = decided {
        let again = move |writer: &mut super::support::writer::Writer<'_>| {
            decide_anything(writer, runtime, request);
        };
        pose(&FORKED, place.to_string(), Arc::new(again), "D2");
    }
    let layers = [
        (PolicyLayer::Builtin, true),
        (PolicyLayer::Organisation, place > base.first_run()),
    ];
    for (layer, _) in layers.into_iter().filter(|(_, is_wrong)| *is_wrong) {
        let adopt = move |writer: &mut super::support::writer::Writer<'_>| {
            adopt_permit_all(writer, runtime, layer);
        };
        pose(
            &SELF_ADOPTED,
            format!("{place}-{}", layer.as_str()),
            Arc::new(adopt),
            "A5",
        );
    }
    cases
}

/// The base with other policies in layer 1, and the decisions as they were made under the old ones.
fn swapped(base: &Arc<Base>) -> Vec<Case> {
    const ERRS: &str =
        "@id(\"errs\")\nforbid (principal, action, resource) when { context.time_ms * 9223372036854775807 > 0 };\n";
    let Some((first, _)) = base.of_kind(Kind::DecisionMade).next() else {
        return Vec::new();
    };
    let pose = |(word, text): (&str, &'static str)| {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(first as u64, &["D4b"])];
        Case::new(&SWAP, Class::K3, base, word, expected, move || {
            let keep = Arc::clone(&from);
            let as_before = move |_: &str, draft: &mut Draft| {
                let place = usize::try_from(draft.seq).unwrap_or(usize::MAX);
                let before = keep.entries.get(place).map(|known| &known.statement.body);
                if let (Body::DecisionMade(body), Some(Body::DecisionMade(before))) =
                    (&mut draft.statement.body, before)
                {
                    body.clone_from(before);
                    let payloads = keep.told.entries[place].payloads.iter();
                    draft.payloads = payloads.map(|payload| payload.content.clone()).collect();
                }
            };
            let twist = Twist::payloads("layer1", |payloads| payloads[0] = text.into());
            from.retell(Twist {
                draft: Some(Box::new(as_before)),
                ..twist
            })
        })
    };
    [("permits-all", PERMIT_ALL), ("errs", ERRS)].map(pose).into()
}
