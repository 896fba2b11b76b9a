//! Authority that is handed on: rules G1 to G8, broken one at a time.

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{GrantClaims, InstanceClaims, InstanceRole};
use countersign_identity::grant::{Grant, HostScope, Lineage, PolicyTerms};
use countersign_schemas::body::{Body, Check, Effects, Granted, Outcome, PartOutcome, PolicyLayer, Spend};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, INTEGER_MAX, Millis, Seq};
use countersign_verifier::audit::Verdict;
use countersign_verifier::projection::{Observed, Place};

use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, budget, issue, name, path, root_grant, window};
use crate::support::orders::{introduce_under, issue_to_host};
use crate::support::story::{
    LAYER1, RUNTIME, adopt, binding, decide, inside, introduce, lead, request, spend, tell, turn,
};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, codes};

fn grant(called: &'static str, mut change: impl FnMut(&mut Grant) + 'static) -> Twist<'static> {
    Twist::claims(called, move |claims: &mut InstanceClaims| {
        if let InstanceRole::Agent(grant) = &mut claims.role {
            change(grant);
        }
    })
}

#[test]
fn g1_a_grantor_without_the_parent_grant() {
    for parent in [None, Some(Seq::clamped(4))] {
        let twist = Twist::statement("scout", move |statement| {
            if let Body::IdentityIntroduced(body) = &mut statement.body {
                body.parent_grant = parent;
            }
        });
        breaks(twist, "G1", "scout");
    }
    let lead = Twist::statement("lead", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.parent_grant = Some(Seq::clamped(4));
        }
    });
    breaks(lead, "G1", "lead");
}

#[test]
fn g2_a_spliced_parent_root_or_principal() {
    let lineage = |parent, root| grant("scout", move |grant| grant.lineage = Lineage::Child { parent, root });
    let x = Digest::sha256(b"x");
    breaks(lineage(x, x), "G2", "scout");
    let other_parent = grant("scout", move |grant| {
        if let Lineage::Child { parent, .. } = &mut grant.lineage {
            *parent = x;
        }
    });
    breaks(other_parent, "G2", "scout");
    let other_root = grant("scout", move |grant| {
        if let Lineage::Child { root, .. } = &mut grant.lineage {
            *root = x;
        }
    });
    breaks(other_root, "G2", "scout");
    breaks(grant("scout", |grant| grant.lineage = Lineage::Root), "G2", "scout");
    let other = Who::Stranger.did().short_did().clone();
    breaks(
        grant("scout", move |grant| grant.principal = other.clone()),
        "G2",
        "scout",
    );
    let child = Lineage::Child {
        parent: Digest::sha256(b"x"),
        root: Digest::sha256(b"x"),
    };
    let report = audit(
        &tell(grant("lead", move |grant| grant.lineage = child)).into(),
        &anchored(),
    );
    assert_eq!(codes(&report).first(), Some(&("G2".to_owned(), Some(5))));
}

#[test]
fn g3_more_than_the_parent_has() {
    let wider: [fn(&mut Grant); 6] = [
        |grant| grant.tools = BTreeSet::from([name("mcp/x")]),
        |grant| grant.paths = BTreeSet::from([path("/")]),
        |grant| grant.paths = BTreeSet::from([path("/work")]),
        |grant| grant.hosts = BTreeSet::from([HostScope::new("example.org").expect("a host")]),
        |grant| grant.hosts = BTreeSet::from([HostScope::new("*").expect("a host")]),
        |grant| grant.workspace = path("/"),
    ];
    for change in wider {
        breaks(grant("scout", change), "G3", "scout");
    }
}

#[test]
fn g3_an_effect_the_parent_does_not_have() {
    let twist = Twist {
        claims: Some(Box::new(|called: &str, claims: &mut InstanceClaims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                let without_network = Effects::from_bits(63 - 8).unwrap_or_default();
                grant.effects = if called == "lead" {
                    without_network
                } else {
                    Effects::NETWORK
                };
            }
        })),
        ..Twist::default()
    };
    let writer = tell(twist);
    let scout = writer.at("scout").get();
    assert!(codes(&audit(&writer.into(), &anchored())).contains(&("G3".to_owned(), Some(scout))));
}

#[test]
fn g4_too_many_generations() {
    breaks(grant("scout", |grant| grant.depth = 2), "G4", "scout");
    breaks(grant("lead", |grant| grant.may_delegate = false), "G4", "scout");
    breaks(grant("lead", |grant| grant.depth = 0), "G4", "scout");
}

#[test]
fn g5_a_grant_that_outlives_its_parent() {
    let long = |claims: &mut InstanceClaims| claims.window = window(START - HOUR, START + 13 * HOUR);
    breaks(Twist::claims("scout", long), "G5", "scout");
    let early = |claims: &mut InstanceClaims| claims.window = window(START - 2 * HOUR, START + HOUR);
    breaks(Twist::claims("scout", early), "G5", "scout");
}

#[test]
fn g6_a_greater_budget_than_the_parents() {
    breaks(grant("scout", |grant| grant.budget = budget(51, 5_000)), "G6", "scout");
    let more = Count::clamped(100_001);
    breaks(
        grant("scout", move |grant| grant.budget.tokens_in = more),
        "G6",
        "scout",
    );
    breaks(
        grant("scout", move |grant| grant.budget.tokens_out = more),
        "G6",
        "scout",
    );
    breaks(
        grant("scout", move |grant| grant.budget.cost_micro_usd = more),
        "G6",
        "scout",
    );
}

fn reserving(label: &'static str, reserve: Spend) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ModelCalled(body) = &mut statement.body {
            body.reserve = reserve.clone();
        }
    })
}

#[test]
fn g6_a_reservation_beyond_the_budget() {
    breaks(reserving("call-3", spend(1, 100_000)), "G6", "call-3");
    breaks(reserving("call-3", spend(51, 0)), "G6", "call-3");
    breaks(reserving("scout-call", spend(1, 10_001)), "G6", "scout-call");
    // What an advisor uses is charged to whoever asked.
    breaks(reserving("advisor-call", spend(1, 100_000)), "G6", "advisor-call");
}

#[test]
fn g6_a_reservation_of_no_call() {
    breaks(reserving("call-3", spend(0, 1)), "G6", "call-3");
}

#[test]
fn g6_a_run_that_states_another_sum() {
    let twist = Twist::statement("run-ended", |statement| {
        if let Body::RunEnded(body) = &mut statement.body {
            body.spend.calls = Count::clamped(1);
        }
    });
    breaks(twist, "G6", "run-ended");
}

#[test]
fn g6_sums_beyond_2_to_the_53() {
    breaks_first(reserving("call-3", spend(1, INTEGER_MAX)), "G6", "call-3");
    let twist = Twist::statement("answer-3", |statement| {
        if let Body::ModelAnswered(body) = &mut statement.body {
            body.tokens.input = Count::clamped(INTEGER_MAX);
        }
    });
    breaks(twist, "G6", "answer-3");
}

/// Calls that do not last until the edit.
fn scarce() -> Twist<'static> {
    Twist {
        claims: Some(Box::new(|called: &str, claims: &mut InstanceClaims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                grant.budget = budget(if called == "lead" { 7 } else { 5 }, 50_000);
            }
        })),
        ..Twist::default()
    }
}

/// A decision that allows whatever was found, and may name another projection.
fn allowed(label: &'static str, projection: Option<Digest>) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        let Body::DecisionMade(body) = &mut statement.body else {
            return;
        };
        body.outcome = Outcome::Allow;
        body.expires = Millis::clamped(START + HOUR);
        body.projection = projection.unwrap_or(body.projection);
        let mut parts = body.parts.to_vec();
        for part in &mut parts {
            part.outcome = PartOutcome::Allow;
            part.rules = List::new(Vec::new()).expect("no rules");
        }
        body.parts = List::new(parts).expect("as many parts");
    })
}

#[test]
fn g6_an_exhausted_budget_is_a_denial() {
    let writer = tell(scarce());
    assert_eq!(writer.outcomes.get(&writer.at("edit-decision")), Some(&Outcome::Deny));
    // A denial is lawful; the next call of a model is not.
    let refusal = writer
        .refusals
        .first()
        .map(|refusal| (refusal.code.as_str(), refusal.entry));
    assert_eq!(refusal, Some(("G6", Some(writer.at("call-3")))));
}

#[test]
fn g6_an_action_that_is_allowed_although_nothing_is_left() {
    let twist = Twist {
        draft: allowed("edit-decision", None).draft,
        ..scarce()
    };
    breaks_first(twist, "G6", "edit-decision");
}

#[test]
fn g8_a_grant_for_another_ledger() {
    let other = LedgerBinding::Id(LedgerId::from_bytes([1; 32]));
    breaks(grant("scout", move |grant| grant.ledger = other), "G8", "scout");
    breaks_first(grant("lead", move |grant| grant.ledger = other), "G8", "lead");
    let founding = LedgerBinding::Founding(Digest::sha256(b"x"));
    breaks_first(grant("lead", move |grant| grant.ledger = founding), "G8", "lead");
}

/// The lead's grant is for this ledger, so its child's is for no other.
#[test]
fn g8_a_child_whose_grant_is_for_more_ledgers() {
    breaks(grant("scout", |grant| grant.ledger = LedgerBinding::Any), "G8", "scout");
}

#[test]
fn g2_a_lead_for_another_principal() {
    let other = Who::Host.did().short_did();
    breaks_first(grant("lead", |grant| grant.principal = other.clone()), "G2", "lead");
}

#[test]
fn g8_a_child_of_another_run() {
    let twist = Twist::statement("scout", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.run = None;
        }
    });
    let writer = tell(twist);
    let scout = writer.at("scout").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report).first(), Some(&("G8".to_owned(), Some(scout))));
}

/// Requests of the lead in front of `label`, with a word of a person as their cause.
fn asks_by_hand(writer: &mut Writer<'_>, tool: (&str, &str), observed: Observed) -> (Outcome, Vec<String>) {
    let lead = lead(writer);
    let cause = turn(writer, ["hand-call", "hand-answer"], lead, &[tool]);
    let asked = request(writer, "by-hand", lead, tool, cause, &[]);
    let judgement = writer.law.judge(asked, observed.clone()).expect("an open request");
    let decision = decide(writer, "by-hand-decision", asked, observed);
    let part = judgement
        .parts
        .iter()
        .find(|part| part.check == Check::Grant)
        .expect("part 0");
    let rules = part.rules.iter().map(ToString::to_string).collect();
    let outcome = if part.outcome == PartOutcome::Deny {
        Outcome::Deny
    } else {
        Outcome::Allow
    };
    assert!(decision > asked);
    (outcome, rules)
}

#[test]
fn what_lies_outside_the_grant_is_denied_and_the_ledger_stays_sound() {
    let cases: [((&str, &str), Observed, &[&str]); 5] = [
        (
            ("read", r#"{"path":"/etc/passwd"}"#),
            Observed {
                place: Place::Outside,
                real_path: "/etc/passwd".into(),
            },
            &["G3.path"],
        ),
        // A symbolic link out of the workspace: the name lies inside, the file does not.
        (
            ("read", r#"{"path":"link"}"#),
            Observed {
                place: Place::Outside,
                real_path: "/etc/passwd".into(),
            },
            &["G3.path"],
        ),
        (
            ("read", r#"{"path":"../w2/a"}"#),
            Observed {
                place: Place::Outside,
                real_path: "/w2/a".into(),
            },
            &["G3.path"],
        ),
        (("mcp/search", r#"{"q":"x"}"#), Observed::nothing(), &["G3.tool"]),
        (("read", r#"{"path":"a"}"#), inside("/w/a"), &[]),
    ];
    for (tool, observed, expected) in cases {
        let mut seen = None;
        let writer = tell(Twist::before("call-3", |writer| {
            seen = Some(asks_by_hand(writer, tool, observed.clone()))
        }));
        assert_eq!(writer.refusals, []);
        drop(writer);
        let expected: Vec<String> = expected.iter().map(|rule| (*rule).to_owned()).collect();
        let outcome = if expected.is_empty() {
            Outcome::Allow
        } else {
            Outcome::Deny
        };
        assert_eq!(seen, Some((outcome, expected)), "{tool:?}");
    }
}

#[test]
fn g8_a_run_that_has_not_begun_allows_nothing() {
    let mut rules = Vec::new();
    let early = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        let asked = request(writer, "early", lead, ("read", r#"{"path":"a"}"#), Seq::ZERO, &[]);
        let judgement = writer.law.judge(asked, inside("/w/a")).expect("an open request");
        rules = judgement.parts[0].rules.iter().map(ToString::to_string).collect();
    };
    tell(Twist::before("run", early));
    assert_eq!(rules, ["G8"]);
}

fn pinned(adopt: bool, floor: &[(PolicyLayer, &str)]) -> Twist<'static> {
    let floor: BTreeMap<PolicyLayer, Digest> = floor
        .iter()
        .map(|(layer, text)| (*layer, Digest::sha256(text.as_bytes())))
        .collect();
    Twist {
        claims: Some(Box::new(move |_: &str, claims: &mut InstanceClaims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                grant.policy = PolicyTerms {
                    adopt,
                    floor: floor.clone(),
                };
            }
        })),
        ..Twist::default()
    }
}

#[test]
fn g8_policies_that_the_root_grant_pins() {
    let outcome = |twist: Twist<'static>| {
        let writer = tell(twist);
        let judged = writer.law.run(writer.at("run")).is_some();
        assert!(judged);
        let denied = writer.refusals.iter().any(|refusal| refusal.code.as_str() == "D7");
        if denied {
            Verdict::Rejected
        } else {
            audit(&writer.into(), &anchored()).verdict()
        }
    };
    assert_eq!(
        outcome(pinned(true, &[(PolicyLayer::Organisation, LAYER1)])),
        Verdict::Verified
    );
    assert_eq!(
        outcome(pinned(false, &[(PolicyLayer::Organisation, LAYER1)])),
        Verdict::Verified
    );
    // Every action is denied then, so that what the story does without permission breaks D7.
    assert_eq!(
        outcome(pinned(true, &[(PolicyLayer::Organisation, "another text")])),
        Verdict::Rejected
    );
    assert_eq!(outcome(pinned(true, &[(PolicyLayer::User, LAYER1)])), Verdict::Rejected);
    assert_eq!(outcome(pinned(false, &[])), Verdict::Rejected);
}

/// Whatever part 0 says of the run, somebody allows the first action.
#[test]
fn g8_an_action_that_is_allowed_though_the_pinned_policies_are_not_in_force() {
    // Another projection hides it from whoever would recompute all of it, and from nobody else.
    for projection in [None, Some(Digest::sha256(b"x"))] {
        let twist = Twist {
            draft: allowed("spawn-decision", projection).draft,
            ..pinned(true, &[(PolicyLayer::Organisation, "another text")])
        };
        breaks_first(twist, "G8", "spawn-decision");
    }
}

#[test]
fn a_grant_of_the_principal_can_be_passed_on() {
    let passes_on = |writer: &mut Writer<'_>| {
        let (seq, digest) = issue_to_host(writer, Who::Principal, |_| {});
        let mut grant = root_grant(binding(writer));
        grant.lineage = Lineage::Child {
            parent: digest,
            root: digest,
        };
        let role = InstanceRole::Agent(Box::new(grant));
        let (other, _) = introduce(
            writer,
            "other-lead",
            RUNTIME,
            Who::Stranger,
            role,
            (Who::Host, None, Some(seq)),
        );
        crate::support::story::stop(writer, "other-stop", other, other.1);
    };
    let writer = tell(Twist::before("lead", passes_on));
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict(), Verdict::Verified);
}

#[test]
fn g2_a_passed_on_grant_that_names_no_parent() {
    let spliced = |writer: &mut Writer<'_>| {
        let (seq, _) = issue_to_host(writer, Who::Principal, |_| {});
        let role = InstanceRole::Agent(Box::new(root_grant(binding(writer))));
        introduce(
            writer,
            "other-lead",
            RUNTIME,
            Who::Stranger,
            role,
            (Who::Host, None, Some(seq)),
        );
    };
    breaks(Twist::before("lead", spliced), "G2", "other-lead");
}

#[test]
fn g1_a_lead_under_the_grant_of_another_lead() {
    let spliced = |writer: &mut Writer<'_>| {
        let lead = writer.at("lead");
        let parent = writer.law.grant_of(lead).expect("the lead's grant").digest();
        introduce_under(writer, "other-lead", Who::Stranger, (lead, parent));
    };
    breaks(Twist::before("call-1", spliced), "G1", "other-lead");
}

/// Grants that the principal did not make for the host and this ledger are not judged yet.
#[test]
fn u2_an_issued_grant_of_another_form() {
    let changes: [fn(&mut Granted); 3] = [
        |body| body.holder = Seq::clamped(3),
        |body| body.parent_grant = Seq::clamped(3),
        |body| body.spent_in = Some(Digest::sha256(b"another ledger")),
    ];
    for change in changes {
        let writer = tell(Twist {
            draft: Twist::statement("issued", move |statement| {
                if let Body::GrantIssued(body) = &mut statement.body {
                    change(body);
                }
            })
            .draft,
            ..Twist::before("lead", |writer| {
                issue_to_host(writer, Who::Principal, |_| {});
            })
        });
        let issued = writer.at("issued").get();
        let report = audit(&writer.into(), &anchored());
        assert_eq!(codes(&report), [("U2".to_owned(), Some(issued))]);
        assert_eq!(report.verdict().exit_code(), 4);
    }
}

#[test]
fn issued_grants_that_do_not_fit() {
    let issued = |issuer, change: fn(&mut GrantClaims)| {
        Twist::before("lead", move |writer| {
            issue_to_host(writer, issuer, change);
        })
    };
    breaks(issued(Who::Host, |_| {}), "A2", "issued");
    breaks(
        issued(Who::Principal, |claims| {
            claims.host = Who::Lead.did().short_did().clone()
        }),
        "A2",
        "issued",
    );
    breaks(
        issued(Who::Principal, |claims| {
            claims.grant.principal = Who::Host.did().short_did().clone()
        }),
        "G2",
        "issued",
    );
    breaks(
        issued(Who::Principal, |claims| {
            claims.grant.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]))
        }),
        "G8",
        "issued",
    );
    let lineage = Lineage::Child {
        parent: Digest::sha256(b"x"),
        root: Digest::sha256(b"x"),
    };
    let child = Twist::before("lead", move |writer| {
        issue_to_host(writer, Who::Principal, |claims| claims.grant.lineage = lineage);
    });
    breaks(child, "G2", "issued");
}

#[test]
fn a_layer_between_decisions_counts_from_its_place() {
    let writer = tell(Twist::before("edit-decision", |writer| {
        adopt(
            writer,
            "layer5",
            PolicyLayer::File,
            r#"@id("no") forbid(principal, action, resource);"#,
        );
    }));
    let outcome = |label| writer.outcomes.get(&writer.at(label)).copied();
    let outcomes = ["grep-decision", "edit-decision", "bash-decision"].map(outcome);
    assert_eq!(
        outcomes,
        [Some(Outcome::Allow), Some(Outcome::Deny), Some(Outcome::Deny)]
    );
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict(), Verdict::Verified);
}

#[test]
fn g6_a_grant_of_the_principal_that_is_entered_twice() {
    let twist = Twist::before("lead", |writer: &mut Writer<'_>| {
        let claims = GrantClaims {
            window: window(START - HOUR, START + 12 * HOUR),
            host: Who::Host.did().short_did().clone(),
            grant: root_grant(LedgerBinding::Any),
        };
        for label in ["issued", "issued-again"] {
            writer.enter(label, RUNTIME, &[], |_| {
                Granted {
                    holder: Seq::ZERO,
                    credential: issue(&claims, Who::Principal),
                    parent_grant: Seq::ZERO,
                    spent_in: None,
                }
                .into()
            });
        }
    });
    breaks(twist, "G6", "issued-again");
}
