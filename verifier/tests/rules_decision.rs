//! Requests and decisions: rules D1 to D4 and D8 to D10, broken one at a time.

use countersign_schemas::body::{
    ActionRequested, AdviceCited, AdviceForm, AdviceRelation, AnswerOutcome, ApproverClass, Ask, Body, Check,
    DecisionMade, Effects, ModelAnswered, Need, Outcome, Part, PartOutcome,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::text::Name;
use countersign_verifier::law::{outcome, projection_digest};

use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, issue, window};
use crate::support::orders::statement_of;
use crate::support::story::{EDIT, RUNTIME, SCOUT_WRITE, decide, finish, inside, lead, request, scout, tell};
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, codes, is_verified, leaves_open, rules_of};

fn decision(label: &'static str, mut change: impl FnMut(&mut DecisionMade) + 'static) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::DecisionMade(body) = &mut statement.body {
            change(body);
        }
    })
}

fn requested(label: &'static str, mut change: impl FnMut(&mut ActionRequested) + 'static) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ActionRequested(body) = &mut statement.body {
            change(body);
        }
    })
}

fn part(check: Check, outcome: PartOutcome, rules: &[&str]) -> Part {
    let rules = rules.iter().map(|rule| Name::new(*rule).expect("a name")).collect();
    Part {
        check,
        outcome,
        rules: List::new(rules).expect("few rules"),
    }
}

fn set_parts(body: &mut DecisionMade, parts: Vec<Part>) {
    body.parts = List::new(parts).expect("few parts");
}

#[test]
fn d1_a_write_outside_the_grant_that_is_allowed() {
    let twist = decision("scout-write-decision", |body| {
        body.outcome = Outcome::Allow;
        body.expires = Millis::clamped(START + HOUR);
        let parts = body
            .parts
            .iter()
            .map(|it| part(it.check, PartOutcome::Allow, &[]))
            .collect();
        set_parts(body, parts);
    });
    breaks(twist, "D1", "scout-write-decision");
}

#[test]
fn d1_a_denial_that_is_named_and_ignored() {
    let twist = decision("scout-write-decision", |body| {
        body.outcome = Outcome::Allow;
        body.expires = Millis::clamped(START + HOUR);
    });
    let writer = tell(twist);
    let entry = Some(writer.at("scout-write-decision").get());
    let found = codes(&audit(&writer.into(), &anchored()));
    assert_eq!(found, [("D4b".to_owned(), entry), ("D1".to_owned(), entry)]);
}

fn second_decision(writer: &mut Writer<'_>, request: Seq) {
    let policies = List::new(writer.law.policies_in_force()).expect("two");
    writer.enter("second", RUNTIME, &[], |_| {
        DecisionMade {
            request,
            outcome: Outcome::Allow,
            parts: List::new(vec![part(Check::Grant, PartOutcome::Allow, &[])]).expect("one"),
            policies,
            cedar_request: None,
            projection: projection_digest(),
            expires: Millis::clamped(START + HOUR),
            ask: None,
            advice: None,
            status_lists: None,
        }
        .into()
    });
}

#[test]
fn d2_a_request_that_is_decided_twice() {
    for (label, request) in [
        ("grep-finish", "grep"),
        ("scout-stop", "scout-write"),
        ("closed", "edit"),
    ] {
        let again = move |writer: &mut Writer<'_>| {
            let request = writer.at(request);
            second_decision(writer, request);
        };
        breaks(Twist::before(label, again), "D2", "second");
    }
}

#[test]
fn d2_a_decision_on_something_else() {
    let of_run = |writer: &mut Writer<'_>| {
        let run = writer.at("run");
        second_decision(writer, run);
    };
    breaks(Twist::before("call-1", of_run), "D2", "second");
}

/// Lets `who`, introduced at `place`, make an entry instead of its author.
fn made_by(label: &'static str, who: Who, place: u64) -> Twist<'static> {
    Twist::draft(label, move |draft: &mut Draft| {
        let place = Seq::clamped(place);
        draft.signer = who;
        draft.statement.by = place;
        draft.statement.n = Count::clamped(draft.counters.get(&place).copied().unwrap_or(0));
    })
}

#[test]
fn d3_an_agent_that_decides_for_itself() {
    breaks(made_by("edit-decision", Who::Lead, 5), "D3", "edit-decision");
    breaks(made_by("grep-decision", Who::Lead, 5), "A5", "grep-decision");
    breaks(made_by("grep-decision", Who::Advisor, 4), "A5", "grep-decision");
}

/// Of a request that is over it is still known whose it was.
#[test]
fn d3_an_agent_that_decides_again_what_was_done() {
    let again = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        let place = usize::try_from(writer.at("edit-decision").get()).expect("a short story");
        let decided = statement_of(&writer.entries[place]).body;
        writer.enter("own-decision", lead, &[], |_| decided);
    };
    breaks(Twist::before("lead-stop", again), "D3", "own-decision");
}

#[test]
fn d4a_a_cedar_request_unlike_the_action() {
    for (from, to) in [
        (r#""action":"edit""#, r#""action":"read""#),
        (r#""depth_left":2"#, r#""depth_left":9"#),
        (r#""root":true"#, r#""root":false"#),
        (r#""advised":true"#, r#""advised":false"#),
        (r#""mode":"headless""#, r#""mode":"interactive""#),
        (r#""effects":["read","write"]"#, r#""effects":["read"]"#),
        (r#""workspace":"/w""#, r#""workspace":"/""#),
        (r#""name":"add.sh""#, r#""name":"add.txt""#),
        (r#"{"action""#, r#"{ "action""#),
        (r#""schema":"countersign.cedar-request/v1""#, r#""schema":"x""#),
    ] {
        let twist = Twist::payloads("edit-decision", |payloads| {
            let text = String::from_utf8_lossy(&payloads[0]).into_owned();
            assert!(text.contains(from), "{text}");
            payloads[0] = text.replace(from, to).into_bytes();
        });
        breaks(twist, "D4a", "edit-decision");
    }
}

#[test]
fn d4a_a_cedar_request_that_is_left_out() {
    let twist = Twist::draft("edit-decision", |draft| {
        draft.payloads.clear();
        if let Body::DecisionMade(body) = &mut draft.statement.body {
            body.cedar_request = None;
        }
    });
    breaks_first(twist, "D4a", "edit-decision");
}

#[test]
fn d4a_a_request_that_hides_an_effect() {
    breaks(requested("bash", |body| body.effects = Effects::READ), "D4a", "bash");
}

#[test]
fn d4a_another_projection_proves_nothing() {
    leaves_open(
        decision("edit-decision", |body| body.projection = Digest::sha256(b"x")),
        &[("D4a", "edit-decision")],
    );
}

/// Exchanges one part of the decision on the edit, with the outcome that follows.
fn exchanged(check: Check, with: Option<Part>) -> Twist<'static> {
    decision("edit-decision", move |body| {
        let others = body.parts.iter().filter(|it| it.check != check).cloned();
        let mut parts: Vec<Part> = others.chain(with.clone()).collect();
        parts.sort_by_key(|it| it.check);
        body.outcome = outcome(&parts);
        body.expires = if body.outcome == Outcome::Allow {
            body.expires
        } else {
            Millis::ZERO
        };
        set_parts(body, parts);
    })
}

#[test]
fn d4b_parts_that_the_policies_do_not_give() {
    for (check, with) in [
        (Check::PermitLayers, None),
        (Check::Budget, None),
        (Check::Grant, Some(part(Check::Grant, PartOutcome::Deny, &["G3.tool"]))),
        (
            Check::PermitLayers,
            Some(part(Check::PermitLayers, PartOutcome::Allow, &["1/other"])),
        ),
        (
            Check::PermitLayers,
            Some(part(Check::PermitLayers, PartOutcome::Allow, &[])),
        ),
        (
            Check::PermitLayers,
            Some(part(Check::PermitLayers, PartOutcome::Deny, &["0/forbid-own"])),
        ),
        (
            Check::LowerLayers,
            Some(part(Check::LowerLayers, PartOutcome::Neutral, &[])),
        ),
        (
            Check::SecondOpinion,
            Some(part(Check::SecondOpinion, PartOutcome::Allow, &[])),
        ),
    ] {
        breaks_first(exchanged(check, with), "D4b", "edit-decision");
    }
}

#[test]
fn the_gatekeepers_own_checks_may_restrict() {
    for given in [PartOutcome::Deny, PartOutcome::Ask, PartOutcome::Neutral] {
        let twist = decision("scout-write-decision", move |body| {
            let mut parts = body.parts.to_vec();
            parts.push(part(Check::ProtectedPlaces, given, &["place"]));
            set_parts(body, parts);
        });
        let writer = tell(twist);
        assert_eq!(writer.refusals, [], "{given}");
        assert_eq!(audit(&writer.into(), &anchored()).verdict().exit_code(), 0);
    }
}

#[test]
fn d4b_an_outcome_that_is_not_the_strictest_part() {
    let denied = "scout-write-decision";
    breaks(
        decision(denied, |body| body.outcome = Outcome::CouldNotEvaluate),
        "D4b",
        denied,
    );
    breaks(
        decision(denied, |body| body.expires = Millis::clamped(START)),
        "D4b",
        denied,
    );
    breaks_first(
        decision("grep-decision", |body| body.expires = Millis::ZERO),
        "D4b",
        "grep-decision",
    );
    breaks_first(
        decision("bash-decision", |body| body.outcome = Outcome::Allow),
        "D4b",
        "bash-decision",
    );
}

#[test]
fn d4b_parts_out_of_order_or_twice() {
    let reversed = |body: &mut DecisionMade| set_parts(body, body.parts.iter().rev().cloned().collect());
    breaks(decision("grep-decision", reversed), "D4b", "grep-decision");
    let twice = |body: &mut DecisionMade| {
        let parts = body
            .parts
            .first()
            .into_iter()
            .chain(body.parts.iter())
            .cloned()
            .collect();
        set_parts(body, parts);
    };
    breaks(decision("grep-decision", twice), "D4b", "grep-decision");
}

/// Of what the gatekeeper says itself nothing is recomputed, so that only the order tells.
#[test]
fn d4b_words_of_the_gatekeeper_out_of_order_or_twice() {
    for checks in [
        [Check::ShellAnalysis, Check::ProtectedPlaces],
        [Check::ProtectedPlaces, Check::ProtectedPlaces],
    ] {
        let twist = decision("grep-decision", move |body| {
            let more = checks.map(|check| part(check, PartOutcome::Neutral, &["looked"]));
            set_parts(body, body.parts.iter().cloned().chain(more).collect());
        });
        breaks(twist, "D4b", "grep-decision");
    }
}

#[test]
fn d4b_policies_that_are_not_in_force() {
    for policies in [&[1][..], &[2], &[2, 1], &[1, 2, 3]] {
        let policies: Vec<Seq> = policies.iter().copied().map(Seq::clamped).collect();
        let twist = decision("grep-decision", move |body| {
            body.policies = List::new(policies.clone()).expect("few");
        });
        breaks(twist, "D4b", "grep-decision");
    }
}

#[test]
fn d4b_an_ask_of_nobody_or_of_the_wrong() {
    breaks_first(
        decision("bash-decision", |body| body.ask = None),
        "D4b",
        "bash-decision",
    );
    breaks_first(
        decision("bash-decision", |body| body.expires = Millis::ZERO),
        "D4b",
        "bash-decision",
    );
    let allowed_and_asked = decision("edit-decision", |body| {
        body.ask = Some(Ask {
            need: Need::ONE,
            class: ApproverClass::Person,
            eligible: List::new(vec![Seq::clamped(3)]).expect("one"),
        });
    });
    breaks(allowed_and_asked, "D4b", "edit-decision");
    for seq in [0, 4, 5] {
        let twist = decision("bash-decision", move |body| {
            let eligible = List::new(vec![Seq::clamped(seq)]).expect("one");
            body.ask = body.ask.clone().map(|ask| Ask { eligible, ..ask });
        });
        breaks_first(twist, "D4b", "bash-decision");
    }
}

#[test]
fn d4b_an_approver_made_to_order() {
    let made_to_order = |writer: &mut Writer<'_>| {
        let mut claims = crate::support::credentials::approver();
        claims.approver = Who::Stranger.did().short_did().clone();
        let credential = issue(&claims, Who::Principal);
        writer.enter("late-approver", RUNTIME, &[], |_| {
            let did = countersign_schemas::text::Did::new(Who::Stranger.did().long()).expect("a long form");
            countersign_schemas::body::Introduced {
                did: countersign_schemas::body::Newcomer::Did(did),
                role: countersign_schemas::body::Role::Approver,
                credential,
                run: None,
                succeeds: None,
                parent_grant: None,
            }
            .into()
        });
    };
    let mut late = Seq::ZERO;
    let twist = Twist {
        before: Some(Box::new(move |at: &str, writer: &mut Writer<'_>| {
            if at == "bash-decision" {
                made_to_order(writer);
            }
        })),
        draft: Some(Box::new(move |at: &str, draft: &mut Draft| {
            if at == "late-approver" {
                late = Seq::clamped(draft.seq);
            }
            if let ("bash-decision", Body::DecisionMade(body)) = (at, &mut draft.statement.body) {
                let eligible = List::new(vec![late]).expect("one");
                body.ask = body.ask.clone().map(|ask| Ask { eligible, ..ask });
            }
        })),
        ..Twist::default()
    };
    breaks_first(twist, "D4b", "bash-decision");
}

#[test]
fn u2_an_ask_that_two_persons_or_an_agent_have_to_answer() {
    let changes: [fn(&mut Ask); 2] = [
        |ask| ask.need = Need::new(2).expect("two"),
        |ask| ask.class = ApproverClass::Agent,
    ];
    for change in changes {
        let writer = tell(decision("bash-decision", move |body| {
            body.ask.iter_mut().for_each(change)
        }));
        assert_eq!(writer.refusals.first().map(|refusal| refusal.code.as_str()), Some("U2"));
        assert_eq!(audit(&writer.into(), &anchored()).verdict().exit_code(), 4);
    }
}

#[test]
fn d8_advice_that_does_not_exist() {
    let cites = |seq: u64, relation| {
        requested("edit", move |body| {
            let cited = countersign_schemas::body::AdviceCited {
                entry: Seq::clamped(seq),
                relation,
            };
            body.advice = List::new(vec![cited]).ok();
        })
    };
    // A run, a question, and an answer of a model are no advice.
    for seq in [6, 25, 27] {
        breaks_first(cites(seq, AdviceRelation::Followed), "D8", "edit");
    }
    let used = decision("edit-decision", |body| {
        body.advice = List::new(vec![Seq::clamped(6)]).ok()
    });
    breaks(used, "D8", "edit-decision");
}

#[test]
fn d8_advice_that_was_given_to_somebody_else() {
    // The scout goes on working after the lead was advised, and cites what it never asked for.
    let scout_cites = |writer: &mut Writer<'_>| {
        let (scout, advice) = (scout(writer), writer.at("advice"));
        let cause = writer.at("scout-answer");
        request(
            writer,
            "cites",
            scout,
            SCOUT_WRITE,
            cause,
            &[(advice, AdviceRelation::Followed)],
        );
    };
    let twist = Twist::before("consult-finish", scout_cites);
    let skip_write = |at: &str, draft: &mut Draft| draft.omitted |= at.starts_with("scout-write") || at == "scout-stop";
    breaks(
        Twist {
            draft: Some(Box::new(skip_write)),
            ..twist
        },
        "D8",
        "cites",
    );
}

#[test]
fn d8_opaque_advice_cannot_be_followed() {
    let opaque = Twist::statement("advice", |statement| {
        if let Body::AdviceGiven(body) = &mut statement.body {
            body.form = AdviceForm::Opaque;
        }
    });
    breaks(opaque, "D8", "edit");
}

#[test]
fn d10_an_action_that_no_model_proposed() {
    breaks(
        requested("edit", |body| body.cause = Some(Seq::clamped(8))),
        "D10",
        "edit",
    );
    breaks(
        requested("edit", |body| body.cause = Some(Seq::clamped(7))),
        "D10",
        "edit",
    );
    breaks(
        requested("grep", |body| body.cause = Some(Seq::clamped(8))),
        "D10",
        "grep",
    );
    let other_arguments = Twist::payloads("grep", |payloads| {
        payloads[0] = br#"{"path":"src","pattern":"secret"}"#.to_vec()
    });
    breaks(other_arguments, "D10", "grep");
    breaks(
        requested("grep", |body| body.tool = Name::new("list").expect("a name")),
        "D10",
        "grep",
    );
}

/// What a model said before it failed proposes nothing (authority-v1 §5.6).
#[test]
fn d10_an_action_out_of_an_answer_that_failed() {
    let failed = Twist::statement("answer-2", |statement| {
        if let Body::ModelAnswered(body) = &mut statement.body {
            body.outcome = AnswerOutcome::Timeout;
        }
    });
    breaks_first(failed, "D10", "consult");
}

#[test]
fn d10_a_proposal_that_is_used_twice() {
    let again = |writer: &mut Writer<'_>| {
        let (lead, cause) = (lead(writer), writer.at("answer-2"));
        let asked = request(writer, "edit-again", lead, EDIT, cause, &[]);
        let allowed = decide(writer, "edit-again-decision", asked, inside("/w/src/add.sh"));
        finish(writer, "edit-again-finish", allowed);
    };
    breaks(Twist::before("bash", again), "D10", "edit-again");
}

#[test]
fn d10_the_word_of_a_person_is_unproven() {
    leaves_open(requested("edit", |body| body.cause = None), &[("D10", "edit")]);
}

#[test]
fn d1_a_denial_is_not_hidden_behind_another_projection() {
    let twist = decision("scout-write-decision", |body| {
        body.outcome = Outcome::Allow;
        body.expires = Millis::clamped(START + HOUR);
        body.projection = Digest::sha256(b"x");
        let allowed = body
            .parts
            .iter()
            .map(|it| part(it.check, PartOutcome::Allow, &[]))
            .collect();
        set_parts(body, allowed);
    });
    breaks_first(twist, "D1", "scout-write-decision");
}

/// What was seen of the edited file, with another place and path.
fn seen(place: &'static str, real_path: &'static str) -> Twist<'static> {
    Twist::payloads("edit-decision", move |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).into_owned();
        let from = r#"{"place":"inside","real_path":"/w/src/add.sh"}"#;
        assert!(text.contains(from), "{text}");
        let to = format!(r#"{{"place":"{place}","real_path":"{real_path}"}}"#);
        payloads[0] = text.replace(from, &to).into_bytes();
    })
}

#[test]
fn d4a_a_place_that_does_not_fit_the_path() {
    for (place, real_path) in [
        ("inside", "/w/src/.ssh/add.sh"),
        ("inside", "/elsewhere/add.sh"),
        ("none", "/w/src/add.sh"),
        ("unknown", "/w/src/add.sh"),
        ("outside", "/w/src/add.sh"),
        ("outside", "/elsewhere/.ssh/add.sh"),
        ("outside", ""),
        ("secret", "/w/src/add.sh"),
        ("own", ""),
    ] {
        breaks_first(seen(place, real_path), "D4a", "edit-decision");
    }
}

#[test]
fn a_request_under_the_grant_of_another_is_denied() {
    let writer = tell(requested("grep", |body| body.grant = Seq::clamped(5)));
    assert_eq!(writer.refusals, []);
    assert_eq!(rules_of(&writer, "grep-decision", Check::Grant), ["G1"]);
    is_verified(&audit(&writer.into(), &anchored()));
}

/// Such a request is a breach itself; it is denied all the same.
#[test]
fn a_request_behind_the_end_of_its_grant_is_denied() {
    let asked = tell(Twist::honest()).at("grep").get();
    let until = START + 1_000 * (asked + 1);
    let writer = tell(Twist::claims("scout", move |claims| {
        claims.window = window(START - HOUR, until)
    }));
    assert_eq!(rules_of(&writer, "grep-decision", Check::Grant), ["G5"]);
    assert_eq!(
        codes(&audit(&writer.into(), &anchored())).first(),
        Some(&("A4".to_owned(), Some(asked)))
    );
}

/// An answer may cost more than was reserved for it; no action is allowed from then on.
#[test]
fn an_action_is_denied_once_more_is_spent_than_granted() {
    let denied = |change: fn(&mut ModelAnswered)| {
        let writer = tell(Twist::statement("answer-2", move |statement| {
            if let Body::ModelAnswered(body) = &mut statement.body {
                change(body);
            }
        }));
        rules_of(&writer, "consult-decision", Check::Budget)
    };
    // Each of the two answers before sent 110 tokens, received 50 and cost 30.
    let nothing: [&str; 0] = [];
    assert_eq!(denied(|body| body.cost = Count::clamped(100_000 - 60)), nothing);
    assert_eq!(denied(|body| body.cost = Count::clamped(100_001 - 60)), ["G6.cost"]);
    assert_eq!(
        denied(|body| body.tokens.output = Count::clamped(100_000 - 100)),
        nothing
    );
    assert_eq!(
        denied(|body| body.tokens.output = Count::clamped(100_001 - 100)),
        ["G6.tokens"]
    );
    // What was read from a cache, or written to one, was sent: 110 and 10 of this answer are.
    assert_eq!(
        denied(|body| body.tokens.cache_write = Count::clamped(100_000 - 330)),
        nothing
    );
    assert_eq!(
        denied(|body| body.tokens.cache_write = Count::clamped(100_001 - 330)),
        ["G6.tokens"]
    );
}

#[test]
fn only_advice_that_is_followed_counts_for_the_policies() {
    let advised = |twist| {
        let writer = tell(twist);
        assert_eq!(writer.refusals, []);
        let place = usize::try_from(writer.at("edit-decision").get()).expect("a short story");
        let text = String::from_utf8_lossy(&writer.entries[place].payloads[0].content).into_owned();
        text.contains(r#""advised":true"#)
    };
    let relation = |relation| {
        requested("edit", move |body| {
            let cited = body.advice.iter().flat_map(|list| list.iter()).cloned();
            let cited = cited.map(|cited| AdviceCited { relation, ..cited }).collect();
            body.advice = List::new(cited).ok();
        })
    };
    assert!(advised(Twist::honest()));
    assert!(!advised(relation(AdviceRelation::Overridden)));
    assert!(!advised(relation(AdviceRelation::NotAssessable)));
}
