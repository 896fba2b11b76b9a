//! Who may speak, and on whose word: rules A1 to A5, broken one at a time.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_identity::trust::Anchor;
use countersign_schemas::body::{
    AdviceForm, AdviceGiven, AnswerOutcome, Body, EventCode, InstanceStopped, Introduced, KeyForm, ModelAnswered,
    Newcomer, PolicyLayer, Role, RunEndReason, RunEnded, SessionEvent, StopReason, Tokens,
};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Doc, List};
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::payload::{PayloadClass, PayloadRef};
use countersign_schemas::text::Did;
use countersign_verifier::audit::{AuditOptions, Verdict};
use countersign_verifier::policy::BUILTIN_LAYER0;

use crate::support::aftermath::{handover, meet, side_by_side, start_run};
use crate::support::cast::{Who, mixed};
use crate::support::credentials::{HOUR, START, host, issue, name, root_grant, window};
use crate::support::story::{
    LAYER1, RUNTIME, adopt, advisor, binding, call_model, introduce, lead, scout, spend, spent, stop, tell, turn,
};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first, codes, opening_breaks};

fn remark(_: &[PayloadRef]) -> Body {
    SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: None,
    }
    .into()
}

#[test]
fn a1_an_author_that_was_never_introduced() {
    let far = |writer: &mut Writer<'_>| {
        writer.enter("ghost", (Who::Stranger, Seq::clamped(6)), &[], remark);
    };
    breaks(Twist::before("call-2", far), "A1", "ghost");
}

#[test]
fn a1_a_did_that_joins_again_in_another_role() {
    let again = |writer: &mut Writer<'_>| {
        introduce(
            writer,
            "again",
            RUNTIME,
            Who::Scout,
            InstanceRole::Advisor,
            (Who::Host, None, None),
        );
    };
    breaks(Twist::before("run-ended", again), "A1", "again");
}

#[test]
fn a1_a_key_that_joins_under_another_did() {
    let twin = |writer: &mut Writer<'_>| {
        introduce(
            writer,
            "twin",
            RUNTIME,
            Who::Twin,
            InstanceRole::Advisor,
            (Who::Host, None, None),
        );
    };
    breaks(Twist::before("run-ended", twin), "A1", "twin");
    // Either key alone: here the ML-DSA key is that of the host.
    let other = mixed(Who::Stranger, Who::Host);
    let twist = Twist::statement("advisor", move |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.did = Newcomer::Did(Did::new(other.long()).expect("a long form"));
        }
    });
    breaks(twist, "A1", "advisor");
}

#[test]
fn a1_keys_that_two_parties_of_the_opening_share() {
    let twist = Twist::statement("opened", |statement| {
        if let Body::LedgerOpened(body) = &mut statement.body {
            body.principal = Did::new(Who::Host.did().long()).expect("a long form");
        }
    });
    opening_breaks(twist, "A1");
}

#[test]
fn a1_short_forms_hold_no_keys() {
    let twist = Twist::statement("advisor", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.did = Newcomer::Did(Did::new(Who::Advisor.did().short()).expect("a short form"));
        }
    });
    breaks(twist, "A1", "advisor");
}

#[test]
fn a2_a_credential_by_somebody_else() {
    breaks(Twist::issuer("lead", Who::Stranger), "A2", "lead");
    breaks(Twist::issuer("lead", Who::Principal), "A2", "lead");
    breaks(Twist::issuer("advisor", Who::Lead), "A2", "advisor");
    breaks(Twist::issuer("scout", Who::Host), "A2", "scout");
    opening_breaks(Twist::issuer("runtime", Who::Principal), "A2");
}

#[test]
fn a2_a_credential_about_somebody_else() {
    let stranger = |claims: &mut InstanceClaims| claims.instance = Who::Stranger.did().short_did().clone();
    breaks(Twist::claims("lead", stranger), "A2", "lead");
    breaks(Twist::claims("scout", stranger), "A2", "scout");
    opening_breaks(Twist::claims("runtime", stranger), "A2");
}

#[test]
fn a2_a_credential_for_another_operator_or_ledger() {
    let operator = |claims: &mut InstanceClaims| claims.operator = Who::Stranger.did().short_did().clone();
    let ledger = |claims: &mut InstanceClaims| claims.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]));
    let founding = |claims: &mut InstanceClaims| claims.ledger = LedgerBinding::Founding(Digest::sha256(b""));
    for called in ["lead", "scout", "advisor"] {
        breaks(Twist::claims(called, operator), "A2", called);
        breaks(Twist::claims(called, ledger), "A2", called);
    }
    opening_breaks(Twist::claims("runtime", operator), "A2");
    opening_breaks(Twist::claims("runtime", ledger), "A2");
    opening_breaks(Twist::claims("runtime", founding), "A2");
}

#[test]
fn a2_a_credential_for_another_role() {
    let twist = Twist::statement("advisor", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.role = Role::Agent;
        }
    });
    let report = audit(&tell(twist).into(), &anchored());
    assert_eq!(codes(&report).first().map(|(code, _)| code.as_str()), Some("A2"));
    let advisor = |claims: &mut InstanceClaims| {
        claims.role = InstanceRole::Advisor;
        claims.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]));
    };
    opening_breaks(Twist::claims("runtime", advisor), "A2");
}

#[test]
fn a2_a_host_without_the_right_to_issue() {
    let twist = |forbidden| {
        Twist::statement("opened", move |statement| {
            if let Body::LedgerOpened(body) = &mut statement.body {
                let mut claims = host();
                claims.may_issue.retain(|word| *word != forbidden);
                let host = issue(&claims, Who::Principal);
                body.credentials = List::new(vec![host, body.credentials[1].clone()]).expect("two");
            }
        })
    };
    use countersign_identity::credential::MayIssue;
    opening_breaks(twist(MayIssue::Instance), "A2");
    breaks(twist(MayIssue::RootGrant), "A2", "lead");
}

#[test]
fn a2_an_approver_that_the_principal_did_not_name() {
    let twist = Twist::statement("approver", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.credential = issue(&crate::support::credentials::approver(), Who::Host);
        }
    });
    breaks(twist, "A2", "approver");
}

#[test]
fn a2_a_stripped_proof() {
    let twist = Twist::statement("lead", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            let mut document: serde_json::Value =
                serde_json::from_slice(body.credential.as_bytes()).expect("a credential");
            document["proof"].as_array_mut().expect("a proof set").pop();
            let bytes = countersign_identity::jcs::canonicalize(&document).expect("canonical");
            body.credential = Doc::new(bytes).expect("a document");
        }
    });
    breaks(twist, "A2", "lead");
}

#[test]
fn i1_a_credential_that_is_not_canonical() {
    let twist = Twist::statement("lead", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            let bytes = [body.credential.as_bytes(), b"\n"].concat();
            body.credential = Doc::new(bytes).expect("a document");
        }
    });
    breaks(twist, "I1", "lead");
}

#[test]
fn a2_an_anchor_that_is_not_the_principal() {
    let told = tell(Twist::honest()).into();
    let stranger = Anchor::Short(Who::Stranger.did().short_did().clone());
    let options = AuditOptions {
        anchors: vec![stranger.clone()],
        ..AuditOptions::default()
    };
    let report = audit(&told, &options);
    assert_eq!(codes(&report), [("A2".to_owned(), Some(0))]);
    let both = vec![stranger, Anchor::Short(Who::Principal.did().short_did().clone())];
    let report = audit(
        &told,
        &AuditOptions {
            anchors: both,
            ..AuditOptions::default()
        },
    );
    assert_eq!(report.verdict(), Verdict::Verified);
}

#[test]
fn a3_words_after_the_stop() {
    let scout_speaks = |writer: &mut Writer<'_>| {
        let scout = scout(writer);
        writer.enter("after", scout, &[], remark);
    };
    breaks(Twist::before("spawn-finish", scout_speaks), "A3", "after");
    let stops_twice = |writer: &mut Writer<'_>| {
        let scout = scout(writer);
        stop(writer, "again", scout, scout.1);
    };
    let report = audit(&tell(Twist::before("spawn-finish", stops_twice)).into(), &anchored());
    assert_eq!(codes(&report).first().map(|(code, _)| code.as_str()), Some("A3"));
}

#[test]
fn a3_words_after_a_declared_stop() {
    let declare = |writer: &mut Writer<'_>| {
        let instance = writer.at("advisor");
        stop(writer, "declared", RUNTIME, instance);
    };
    let report = audit(&tell(Twist::before("lead-stop", declare)).into(), &anchored());
    assert_eq!(codes(&report).first().map(|(code, _)| code.as_str()), Some("A3"));
}

#[test]
fn a4_words_outside_the_window() {
    let twist = Twist::claims("advisor", |claims| {
        claims.window = window(START + HOUR, START + 2 * HOUR)
    });
    let report = audit(&tell(twist).into(), &anchored());
    let found = codes(&report);
    assert!(
        !found.is_empty() && found.iter().all(|(code, _)| code == "A4"),
        "{:#?}",
        report.findings
    );
    assert_eq!(report.verdict(), Verdict::Rejected);
}

/// Both times count, each for itself: `from` lies between them.
#[test]
fn a4_one_time_outside_the_window() {
    let said = START + 1_000 * (tell(Twist::honest()).at("scout-call").get() + 1);
    for (from, at) in [(said, said - 1_000), (said + 1_000, said + 1_000)] {
        let twist = Twist {
            claims: Twist::claims("scout", move |claims| {
                claims.window = window(from, START + HOUR);
            })
            .claims,
            ..Twist::statement("scout-call", move |statement| statement.at = Millis::clamped(at))
        };
        breaks(twist, "A4", "scout-call");
    }
    // So it is for the first word of a later runtime.
    let said = START + 1_000 * (handover(Twist::honest()).at("second").get() + 1);
    for (from, at) in [(said, said - 1_000), (said + 1_000, said + 1_000)] {
        let writer = handover(Twist {
            claims: Twist::claims("second", move |claims| {
                claims.window = window(from, START + HOUR);
            })
            .claims,
            ..Twist::statement("second", move |statement| statement.at = Millis::clamped(at))
        });
        let entry = writer.at("second").get();
        assert_eq!(
            codes(&audit(&writer.into(), &anchored())),
            [("A4".to_owned(), Some(entry))]
        );
    }
}

#[test]
fn a4_a_credential_that_outlives_its_issuers() {
    let long = |claims: &mut InstanceClaims| claims.window = window(START - HOUR, START + 48 * HOUR);
    breaks(Twist::claims("advisor", long), "A4", "advisor");
    breaks(Twist::claims("runtime", long), "A4", "opened");
}

#[test]
fn a5_a_role_that_may_not_say_this() {
    let requests = |writer: &mut Writer<'_>| {
        call_model(writer, "runtime-calls", RUNTIME);
    };
    breaks(Twist::before("call-2", requests), "A5", "runtime-calls");
    let adopts = Twist::draft("layer1", |_| {});
    assert_eq!(audit(&tell(adopts).into(), &anchored()).verdict(), Verdict::Verified);
    let advisor_introduces = |writer: &mut Writer<'_>| {
        let advisor = advisor(writer);
        introduce(
            writer,
            "friend",
            advisor,
            Who::Stranger,
            InstanceRole::Advisor,
            (Who::Advisor, None, None),
        );
    };
    breaks(Twist::before("call-2", advisor_introduces), "A5", "friend");
    let lead_ends = |writer: &mut Writer<'_>| {
        let (lead, run) = (lead(writer), writer.at("run"));
        writer.enter("lead-ends", lead, &[], |_| {
            RunEnded {
                run,
                reason: RunEndReason::Done,
                result: None,
                spend: spend(0, 0),
            }
            .into()
        });
    };
    breaks(Twist::before("lead-stop", lead_ends), "A5", "lead-ends");
}

#[test]
fn a5_an_agent_that_introduces_an_approver() {
    let approver = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        let mut claims = crate::support::credentials::approver();
        claims.approver = Who::Stranger.did().short_did().clone();
        let credential = issue(&claims, Who::Principal);
        writer.enter("friend", lead, &[], |_| {
            let did = Newcomer::Did(Did::new(Who::Stranger.did().long()).expect("a long form"));
            Introduced {
                did,
                role: Role::Approver,
                credential,
                run: None,
                succeeds: None,
                parent_grant: None,
            }
            .into()
        });
    };
    breaks(Twist::before("bash", approver), "A5", "friend");
}

#[test]
fn a5_another_layer_0() {
    let twist = Twist::payloads("layer0", |payloads| {
        payloads[0] = format!("{BUILTIN_LAYER0}\n").into_bytes()
    });
    breaks(twist, "A5", "layer0");
    // With another schema the text is read by nobody, and everything behind it is denied.
    let twist = Twist::payloads("layer0", |payloads| payloads[1].push(b'\n'));
    breaks_first(twist, "A5", "layer0");
    let permit_all = b"permit(principal, action, resource);";
    let writer = tell(Twist::before("layer1", |writer| {
        adopt(
            writer,
            "layer-lax",
            PolicyLayer::Builtin,
            std::str::from_utf8(permit_all).unwrap_or_default(),
        );
    }));
    assert_eq!(writer.refusals.first().map(|refusal| refusal.code.as_str()), Some("A5"));
}

#[test]
fn a5_policies_that_change_once_a_run_has_started() {
    let adopt_again = |writer: &mut Writer<'_>| {
        adopt(writer, "layer1-again", PolicyLayer::Organisation, LAYER1);
    };
    breaks(Twist::before("call-1", adopt_again), "A5", "layer1-again");
    let restrict = |writer: &mut Writer<'_>| {
        adopt(
            writer,
            "layer5",
            PolicyLayer::File,
            "permit(principal, action, resource);",
        );
    };
    let writer = tell(Twist::before("call-1", restrict));
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict(), Verdict::Verified);
}

#[test]
fn a5_policies_that_could_be_erased() {
    let twist = Twist::statement("layer1", |statement| {
        if let Body::PolicyAdopted(body) = &mut statement.body {
            body.schema.class = PayloadClass::Content;
        }
    });
    breaks(twist, "A5", "layer1");
}

#[test]
fn a5_runs_that_do_not_fit() {
    let names_advisor = Twist::statement("run", |statement| {
        if let Body::RunStarted(body) = &mut statement.body {
            body.root_grant = Seq::clamped(4);
        }
    });
    let report = audit(&tell(names_advisor).into(), &anchored());
    assert_eq!(codes(&report).first(), Some(&("A5".to_owned(), Some(6))));
    let ends_twice = |writer: &mut Writer<'_>| {
        let run = writer.at("run");
        let total = spent(writer, writer.at("lead"));
        writer.enter("ended-again", RUNTIME, &[], |_| {
            RunEnded {
                run,
                reason: RunEndReason::Done,
                result: None,
                spend: total,
            }
            .into()
        });
    };
    breaks(Twist::before("closed", ends_twice), "A5", "ended-again");
    let starts_twice = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        start_run(writer, "started-again", RUNTIME, lead);
    };
    breaks(Twist::before("call-1", starts_twice), "A5", "started-again");
}

#[test]
fn a5_a_run_of_a_lead_that_has_stopped() {
    let stopped = |writer: &mut Writer<'_>| {
        let role = InstanceRole::Agent(Box::new(root_grant(binding(writer))));
        let by_host = (Who::Host, None, None);
        let (other, _) = introduce(writer, "other-lead", RUNTIME, Who::Stranger, role, by_host);
        stop(writer, "other-stop", other, other.1);
        start_run(writer, "late-run", RUNTIME, other);
    };
    breaks(Twist::before("call-1", stopped), "A5", "late-run");
}

#[test]
fn a5_a_run_of_a_lead_that_another_runtime_introduced() {
    let foreign = |writer: &mut Writer<'_>| {
        let role = InstanceRole::Agent(Box::new(root_grant(binding(writer))));
        let by_host = (Who::Host, None, None);
        let (other, _) = introduce(writer, "other-lead", RUNTIME, Who::Stranger, role, by_host);
        let second = (Who::Second, writer.at("second"));
        start_run(writer, "foreign-run", second, other);
    };
    let writer = side_by_side(Twist::before("lead-2", foreign));
    let run = writer.at("foreign-run").get();
    assert_eq!(
        codes(&audit(&writer.into(), &anchored())),
        [("A5".to_owned(), Some(run))]
    );
}

#[test]
fn a5_an_agent_that_speaks_after_its_run() {
    let ends_early = |writer: &mut Writer<'_>| {
        let (run, lead) = (writer.at("run"), lead(writer));
        let total = spent(writer, lead.1);
        writer.enter("ended-early", RUNTIME, &[], |_| {
            RunEnded {
                run,
                reason: RunEndReason::Done,
                result: None,
                spend: total,
            }
            .into()
        });
        writer.enter("speaks", lead, &[], remark);
    };
    let report = audit(&tell(Twist::before("lead-stop", ends_early)).into(), &anchored());
    assert_eq!(
        codes(&report).first().map(|(code, _)| code.as_str()),
        Some("A5"),
        "{:#?}",
        report.findings
    );
}

#[test]
fn a5_model_calls_that_do_not_fit() {
    let twice = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        call_model(writer, "second-call", lead);
    };
    breaks(Twist::before("answer-3", twice), "A5", "second-call");
    let unasked = |writer: &mut Writer<'_>| {
        let advisor = advisor(writer);
        turn(writer, ["unasked", "unasked-answer"], advisor, &[]);
    };
    breaks(Twist::before("call-2", unasked), "A5", "unasked");
    let early = |writer: &mut Writer<'_>| {
        let lead = lead(writer);
        call_model(writer, "early-call", lead);
    };
    breaks_first(Twist::before("run", early), "A5", "early-call");
    let of_another = |writer: &mut Writer<'_>| {
        let (lead, call) = (lead(writer), writer.at("advisor-call"));
        writer.enter("stolen-answer", lead, &[], |_| {
            ModelAnswered {
                call,
                outcome: AnswerOutcome::Error,
                response: None,
                tokens: Tokens {
                    input: Count::ZERO,
                    output: Count::ZERO,
                    cache_write: Count::ZERO,
                    cache_read: Count::ZERO,
                },
                cost: Count::ZERO,
            }
            .into()
        });
    };
    breaks(Twist::before("advisor-answer", of_another), "A5", "stolen-answer");
    let foreign = Twist::statement("answer-3", |statement| {
        if let Body::ModelAnswered(body) = &mut statement.body {
            **body = ModelAnswered {
                call: Seq::clamped(7),
                ..ModelAnswered::clone(body)
            };
        }
    });
    breaks(foreign, "A5", "answer-3");
}

#[test]
fn a5_advice_that_answers_nothing() {
    let again = |writer: &mut Writer<'_>| {
        let (advisor, question, answer) = (advisor(writer), writer.at("question"), writer.at("advisor-answer"));
        writer.enter("again", advisor, &[b"Rewrite."], |refs| {
            AdviceGiven {
                question,
                answer,
                form: AdviceForm::Readable,
                content: refs[0].clone(),
            }
            .into()
        });
    };
    breaks(Twist::before("consult-finish", again), "A5", "again");
    let foreign = Twist::statement("advice", |statement| {
        if let Body::AdviceGiven(body) = &mut statement.body {
            body.answer = Seq::clamped(8);
        }
    });
    breaks(foreign, "A5", "advice");
}

#[test]
fn a5_stops_of_others() {
    let by_agent = |writer: &mut Writer<'_>| {
        let (lead, instance) = (lead(writer), writer.at("advisor"));
        stop(writer, "foreign-stop", lead, instance);
    };
    breaks(Twist::before("lead-stop", by_agent), "A5", "foreign-stop");
    let approver = |writer: &mut Writer<'_>| {
        let instance = writer.at("approver");
        writer.enter("foreign-stop", RUNTIME, &[], |_| {
            InstanceStopped {
                instance,
                reason: StopReason::Done,
                last_n: Count::ZERO,
                last_seq: instance,
            }
            .into()
        });
    };
    breaks(Twist::before("lead-stop", approver), "A5", "foreign-stop");
    let again = |writer: &mut Writer<'_>| {
        let instance = writer.at("scout");
        stop(writer, "foreign-stop", RUNTIME, instance);
    };
    breaks(Twist::before("lead-stop", again), "A5", "foreign-stop");
}

#[test]
fn a5_an_expiry_of_nothing() {
    let expiry = |about| {
        move |writer: &mut Writer<'_>| {
            writer.enter("expiry", RUNTIME, &[], |_| {
                SessionEvent {
                    code: EventCode::ApprovalExpired,
                    about,
                    detail: None,
                }
                .into()
            });
        }
    };
    breaks(Twist::before("lead-stop", expiry(None)), "A5", "expiry");
    breaks(
        Twist::before("lead-stop", expiry(Some(Seq::clamped(10)))),
        "A5",
        "expiry",
    );
}

/// Kinds and forms that this version encodes and does not judge: never verified, never rejected for that.
#[test]
fn u2_what_this_version_does_not_judge_is_unreadable() {
    let unjudged = |twist: Twist<'_>, label: &str| {
        let writer = tell(twist);
        let entry = writer.at(label).get();
        let report = audit(&writer.into(), &anchored());
        assert_eq!(
            codes(&report),
            [("U2".to_owned(), Some(entry))],
            "{:#?}",
            report.findings
        );
        assert_eq!(report.verdict().exit_code(), 4);
    };
    unjudged(Twist::before("run-ended", |writer| meet(writer, "peer")), "peer");
    let succeeds = Twist::statement("advisor", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.succeeds = Some(Seq::ZERO);
        }
    });
    unjudged(succeeds, "advisor");
    let bare_key = Twist::statement("approver", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.did = Newcomer::Key(
                KeyForm::Ssh,
                Doc::new(b"ssh-ed25519 AAAA".to_vec()).expect("a document"),
            );
        }
    });
    unjudged(bare_key, "approver");
    let language = Twist::statement("layer1", |statement| {
        if let Body::PolicyAdopted(body) = &mut statement.body {
            body.language = name("cedar-5");
        }
    });
    unjudged(language, "layer1");
}

#[test]
fn a_second_lead_has_a_run_of_its_own() {
    let second = |writer: &mut Writer<'_>| {
        let grant = Box::new(root_grant(binding(writer)));
        let role = InstanceRole::Agent(grant);
        let (other, _) = introduce(
            writer,
            "other-lead",
            RUNTIME,
            Who::Stranger,
            role,
            (Who::Host, None, None),
        );
        stop(writer, "other-stop", other, other.1);
    };
    let writer = tell(Twist::before("call-1", second));
    assert_eq!(writer.refusals, []);
    assert_eq!(audit(&writer.into(), &anchored()).verdict(), Verdict::Verified);
}
