//! The story every test starts from: a lead, a scout that is refused a write, an advisor, an edit that policy allows,
//! a command that a person approves, a page of a host that is granted and one of a host that is not, and a clean end.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceRole, Meaning, OrderClaims, OrderContext, OrderNonce, Presentation};
use countersign_schemas::body::{
    ActionFinished, ActionRequested, AdviceCited, AdviceForm, AdviceGiven, AdviceRelation, AdviceRequested,
    AnswerOutcome, ApprovalEntered, ApproverClass, Ask, Check, CheckpointKeys, ClockState, DecisionMade, FinishOutcome,
    InstanceStopped, Introduced, LedgerClosed, ModelAnswered, ModelCalled, Need, Newcomer, Opened, Order, OrderForm,
    Outcome, Part, PartOutcome, PolicyAdopted, PolicyLayer, Role, RunEndReason, RunEnded, RunMode, RunStarted, Spend,
    StopReason, Suites, Tokens, Verdict,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::{Bytes, Doc, List};
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::{Did, Origin};
use countersign_verifier::law::{self, Judgement, approval_text};
use countersign_verifier::policy::{BUILTIN_LAYER0, ENTITIES, SCHEMA};
use countersign_verifier::projection::{Observed, Place, tool_profile};

use super::cast::{Who, checkpoint_keys};
use super::credentials::{self, HOUR, child_grant, instance, issue, name, root_grant, window};
use super::writer::{Twist, Writer};

pub(crate) const LAYER1: &str = r#"@id("edit-source")
permit (principal, action == Action::"edit", resource)
when { context.observed.place == "inside" && resource.relative like "src/*" };

@id("fetch-docs")
permit (principal, action in Action::"fetch", resource)
when { resource.host like "*.example.com" && resource.port == 443 && resource.path like "/docs/*" };
"#;

/// Author: who signs, and the introduction that the statement names.
pub(crate) type Author = (Who, Seq);

pub(crate) const RUNTIME: Author = (Who::Opener, Seq::ZERO);

/// Tells the whole story; `twist` may change anything.
pub(crate) fn tell<'t>(twist: Twist<'t>) -> Writer<'t> {
    tell_by(Writer::new(twist))
}

/// Tells it by a writer whose clock may already have gone on.
pub(crate) fn tell_by(mut writer: Writer<'_>) -> Writer<'_> {
    opening(&mut writer);
    cast(&mut writer);
    scouting(&mut writer);
    working(&mut writer);
    ending(&mut writer);
    writer
}

pub(crate) fn opening(writer: &mut Writer<'_>) {
    let mut body = founding_terms();
    body.predecessor.clone_from(&writer.predecessor);
    let mut claims = instance(
        Who::Opener,
        "runtime",
        InstanceRole::Runtime,
        LedgerBinding::Founding(body.founding()),
    );
    let issuer = twisted(writer, "runtime", &mut claims, Who::Host);
    let documents = vec![issue(&credentials::host(), Who::Principal), issue(&claims, issuer)];
    body.credentials = List::new(documents).expect("two documents");
    writer.enter("opened", RUNTIME, &[], |_| body.into());
    let checkpoint = writer.checkpoint();
    writer.checkpoints.push(checkpoint);
    adopt(writer, "layer0", PolicyLayer::Builtin, BUILTIN_LAYER0);
    adopt(writer, "layer1", PolicyLayer::Organisation, LAYER1);
}

pub(crate) fn founding_terms() -> Opened {
    let keys = checkpoint_keys().public();
    let did = |who: Who| Did::new(who.did().long()).expect("a long form");
    let filler = Doc::new(vec![b'{']).expect("a document");
    Opened {
        nonce: Bytes::new([7; 16]),
        origin: Origin::new(format!("countersign/{}", "07".repeat(16))).expect("an origin"),
        principal: did(Who::Principal),
        dids: List::new(vec![did(Who::Host), did(Who::Opener)]).expect("two"),
        credentials: List::new(vec![filler.clone(), filler]).expect("two"),
        checkpoint_keys: CheckpointKeys {
            ed25519: Bytes::new(*keys.ed25519_bytes()),
            ml_dsa_44: Bytes::new(*keys.ml_dsa_bytes()),
        },
        suites: Suites::Table,
        build: Digest::sha256(b"build"),
        predecessor: None,
    }
}

pub(crate) fn adopt(writer: &mut Writer<'_>, label: &'static str, layer: PolicyLayer, text: &str) -> Seq {
    adopt_with(writer, label, layer, text, None)
}

/// As [`adopt`], with an order.
pub(crate) fn adopt_with(
    writer: &mut Writer<'_>,
    label: &'static str,
    layer: PolicyLayer,
    text: &str,
    order: Option<Order>,
) -> Seq {
    let payloads = [text.as_bytes(), SCHEMA.as_bytes(), ENTITIES.as_bytes()];
    writer.enter(label, RUNTIME, &payloads, |refs| {
        let [policies, schema, entities] = [&refs[0], &refs[1], &refs[2]].map(PayloadRef::clone);
        PolicyAdopted {
            layer,
            policies,
            schema,
            entities,
            language: name("cedar-4"),
            order,
        }
        .into()
    })
}

pub(crate) fn binding(writer: &Writer<'_>) -> LedgerBinding {
    LedgerBinding::Id(writer.ledger.expect("an opened ledger"))
}

/// Lets the twist change claims and issuer of an instance.
pub(super) fn twisted(
    writer: &mut Writer<'_>,
    called: &str,
    claims: &mut countersign_identity::credential::InstanceClaims,
    issuer: Who,
) -> Who {
    if let Some(change) = &mut writer.twist.claims {
        change(called, claims);
    }
    let mut issuer = issuer;
    if let Some(change) = &mut writer.twist.issuer {
        change(called, &mut issuer);
    }
    issuer
}

/// Introduces an instance; gives its author and the digest of its credential.
pub(crate) fn introduce(
    writer: &mut Writer<'_>,
    label: &'static str,
    by: Author,
    who: Who,
    role: InstanceRole,
    (issuer, run, parent_grant): (Who, Option<Seq>, Option<Seq>),
) -> (Author, Digest) {
    let body_role = match role {
        InstanceRole::Runtime => Role::Runtime,
        InstanceRole::Agent(_) => Role::Agent,
        InstanceRole::Advisor => Role::Advisor,
    };
    let mut claims = instance(who, label, role, binding(writer));
    let issuer = twisted(writer, label, &mut claims, issuer);
    let credential = issue(&claims, issuer);
    let digest = Digest::sha256(credential.as_bytes());
    let seq = writer.enter(label, by, &[], |_| {
        let did = Newcomer::Did(Did::new(who.did().long()).expect("a long form"));
        Introduced {
            did,
            role: body_role,
            credential,
            run,
            succeeds: None,
            parent_grant,
        }
        .into()
    });
    ((who, seq), digest)
}

pub(crate) fn cast(writer: &mut Writer<'_>) {
    let credential = issue(&credentials::approver(), Who::Principal);
    writer.enter("approver", RUNTIME, &[], |_| {
        let did = Newcomer::Did(Did::new(Who::Approver.did().long()).expect("a long form"));
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
    introduce(
        writer,
        "advisor",
        RUNTIME,
        Who::Advisor,
        InstanceRole::Advisor,
        (Who::Host, None, None),
    );
    let grant = Box::new(root_grant(binding(writer)));
    introduce(
        writer,
        "lead",
        RUNTIME,
        Who::Lead,
        InstanceRole::Agent(grant),
        (Who::Host, None, None),
    );
    let root_grant = writer.at("lead");
    writer.enter("run", RUNTIME, &[b"fix add.sh"], |refs| {
        RunStarted {
            run_id: Bytes::new([9; 16]),
            task: refs[0].clone(),
            asked_by: None,
            root_grant,
            mode: RunMode::Headless,
            config: Digest::sha256(b"config"),
            clock: ClockState::Ntp,
        }
        .into()
    });
}

pub(crate) fn lead(writer: &Writer<'_>) -> Author {
    (Who::Lead, writer.at("lead"))
}

pub(crate) fn scout(writer: &Writer<'_>) -> Author {
    (Who::Scout, writer.at("scout"))
}

pub(crate) fn advisor(writer: &Writer<'_>) -> Author {
    (Who::Advisor, writer.at("advisor"))
}

pub(crate) fn spend(calls: u64, others: u64) -> Spend {
    let others = Count::clamped(others);
    Spend {
        calls: Count::clamped(calls),
        tokens_in: others,
        tokens_out: others,
        cost_micro_usd: others,
    }
}

/// A model call and its answer, which proposes `calls` (tool, arguments).
pub(crate) fn turn(writer: &mut Writer<'_>, labels: [&'static str; 2], author: Author, calls: &[(&str, &str)]) -> Seq {
    let call = call_model(writer, labels[0], author);
    let calls: Vec<String> = calls
        .iter()
        .map(|(tool, arguments)| format!(r#"{{"arguments":{arguments},"tool":"{tool}"}}"#))
        .collect();
    let response = format!(r#"{{"calls":[{}],"text":""}}"#, calls.join(","));
    writer.enter(labels[1], author, &[response.as_bytes()], |refs| {
        let count = Count::clamped;
        ModelAnswered {
            call,
            outcome: AnswerOutcome::Ok,
            response: Some(refs[0].clone()),
            tokens: Tokens {
                input: count(100),
                output: count(50),
                cache_write: count(0),
                cache_read: count(10),
            },
            cost: count(30),
        }
        .into()
    })
}

pub(crate) fn call_model(writer: &mut Writer<'_>, label: &'static str, author: Author) -> Seq {
    writer.enter(label, author, &[b"{}"], |refs| {
        ModelCalled {
            provider: name("scripted"),
            model: name("scripted"),
            request: refs[0].clone(),
            reserve: spend(1, 1_000),
            system_prompt: Digest::sha256(b"prompt"),
            toolset: Digest::sha256(b"tools"),
            price_table: Digest::sha256(b"prices"),
        }
        .into()
    })
}

/// A request for a call that the answer at `cause` proposed.
pub(crate) fn request(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (tool, arguments): (&str, &str),
    cause: Seq,
    advice: &[(Seq, AdviceRelation)],
) -> Seq {
    enter_request(writer, label, author, (tool, arguments), (cause, advice), None)
}

/// A request that takes up again the one at `lost`.
pub(crate) fn resume(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    call: (&str, &str),
    cause: Seq,
    lost: Seq,
) -> Seq {
    enter_request(writer, label, author, call, (cause, &[]), Some(lost))
}

fn enter_request(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (tool, arguments): (&str, &str),
    (cause, advice): (Seq, &[(Seq, AdviceRelation)]),
    resumes: Option<Seq>,
) -> Seq {
    let cited = advice.iter().map(|(entry, relation)| AdviceCited {
        entry: *entry,
        relation: *relation,
    });
    let cited: Vec<AdviceCited> = cited.collect();
    writer.enter(label, author, &[arguments.as_bytes()], |refs| {
        ActionRequested {
            tool: name(tool),
            descriptor: Digest::sha256(tool.as_bytes()),
            arguments: refs[0].clone(),
            effects: tool_profile(tool).map(|profile| profile.effects).unwrap_or_default(),
            grant: author.1,
            cause: Some(cause),
            advice: List::new(cited).ok(),
            resumes,
        }
        .into()
    })
}

/// The decision that the law gives.
pub(crate) fn decide(writer: &mut Writer<'_>, label: &'static str, request: Seq, observed: Observed) -> Seq {
    decide_by(writer, label, RUNTIME, request, observed)
}

pub(crate) fn decide_by(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    request: Seq,
    observed: Observed,
) -> Seq {
    writer.in_front_of(label);
    let judgement = writer.law.judge(request, observed).unwrap_or_else(|_| denial());
    let outcome = law::outcome(&judgement.parts);
    writer.outcomes.insert(writer.next_seq(), outcome);
    let payloads: Vec<&[u8]> = judgement.cedar_request.iter().map(Vec::as_slice).collect();
    let expires = match outcome {
        Outcome::Allow | Outcome::Ask => Millis::clamped(writer.clock + HOUR),
        Outcome::Deny | Outcome::CouldNotEvaluate => Millis::ZERO,
    };
    let approver = writer.at("approver");
    let ask = Ask {
        need: Need::ONE,
        class: ApproverClass::Person,
        eligible: List::new(vec![approver]).expect("one"),
    };
    writer.enter(label, author, &payloads, |refs| {
        DecisionMade {
            request,
            outcome,
            parts: List::new(judgement.parts.clone()).expect("parts"),
            policies: List::new(judgement.policies.clone()).expect("policies"),
            cedar_request: refs.first().cloned(),
            projection: judgement.projection,
            expires,
            ask: (outcome == Outcome::Ask).then_some(ask),
            advice: None,
            status_lists: None,
        }
        .into()
    })
}

/// What is written where nothing can be judged: the story goes on, and nothing of it counts.
fn denial() -> Judgement {
    let nothing = List::new(Vec::new()).expect("no rules");
    let part = Part {
        check: Check::Grant,
        outcome: PartOutcome::Deny,
        rules: nothing,
    };
    Judgement {
        parts: vec![part],
        cedar_request: None,
        policies: vec![Seq::clamped(1), Seq::clamped(2)],
        projection: law::projection_digest(),
    }
}

/// What a runtime does with a decision: it runs what is permitted, and nothing else.
fn conclude(writer: &mut Writer<'_>, label: &'static str, decision: Seq) {
    if matches!(writer.outcomes.get(&decision), Some(Outcome::Allow | Outcome::Ask)) {
        finish(writer, label, decision);
    }
}

pub(crate) fn finish(writer: &mut Writer<'_>, label: &'static str, decision: Seq) -> Seq {
    finish_by(writer, label, RUNTIME, decision)
}

pub(crate) fn finish_by(writer: &mut Writer<'_>, label: &'static str, author: Author, decision: Seq) -> Seq {
    let started = Millis::clamped(writer.clock);
    writer.enter(label, author, &[b"done"], |refs| {
        ActionFinished {
            decision,
            outcome: FinishOutcome::Ok,
            result: Some(refs[0].clone()),
            started: Some(started),
            duration: Some(Count::clamped(5)),
            sandbox: Count::ZERO,
        }
        .into()
    })
}

pub(crate) fn stop(writer: &mut Writer<'_>, label: &'static str, author: Author, instance: Seq) -> Seq {
    writer.in_front_of(label);
    let (last_n, last_seq) = writer
        .law
        .instance(instance)
        .map(law::Instance::last_words)
        .unwrap_or((Count::ZERO, instance));
    writer.enter(label, author, &[], |_| {
        InstanceStopped {
            instance,
            reason: StopReason::Done,
            last_n,
            last_seq,
        }
        .into()
    })
}

pub(crate) fn inside(path: &str) -> Observed {
    Observed {
        place: Place::Inside,
        real_path: path.to_owned(),
    }
}

pub(crate) const SPAWN: (&str, &str) = ("agent", r#"{"name":"scout","task":"find it","type":"explore"}"#);
pub(crate) const GREP: (&str, &str) = ("grep", r#"{"path":"src","pattern":"assert"}"#);
pub(crate) const SCOUT_WRITE: (&str, &str) = ("write", r#"{"content":"x","path":"src/add.sh"}"#);
pub(crate) const CONSULT: (&str, &str) = ("advisor", r#"{"question":"patch or rewrite?"}"#);
pub(crate) const EDIT: (&str, &str) = ("edit", r#"{"new":"b","old":"a","path":"src/add.sh"}"#);
pub(crate) const BASH: (&str, &str) = ("bash", r#"{"command":"sh test.sh"}"#);
pub(crate) const FETCH: (&str, &str) = ("web_fetch", r#"{"url":"https://api.example.com/docs/add?v=1"}"#);
pub(crate) const STRAY: (&str, &str) = ("web_fetch", r#"{"url":"https://example.org/docs/add"}"#);
pub(crate) const TODO: (&str, &str) = ("todo", r#"{"items":"[x] mend add.sh"}"#);

fn scouting(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    let cause = turn(writer, ["call-1", "answer-1"], lead, &[SPAWN]);
    let spawn = request(writer, "spawn", lead, SPAWN, cause, &[]);
    let decision = decide(writer, "spawn-decision", spawn, Observed::nothing());
    spawn_scout(writer);
    let scout = scout(writer);
    let cause = turn(writer, ["scout-call", "scout-answer"], scout, &[GREP, SCOUT_WRITE]);
    let grep = request(writer, "grep", scout, GREP, cause, &[]);
    let allowed = decide(writer, "grep-decision", grep, inside("/w/src"));
    conclude(writer, "grep-finish", allowed);
    let write = request(writer, "scout-write", scout, SCOUT_WRITE, cause, &[]);
    decide(writer, "scout-write-decision", write, inside("/w/src/add.sh"));
    stop(writer, "scout-stop", scout, scout.1);
    conclude(writer, "spawn-finish", decision);
}

pub(crate) fn spawn_scout(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    let (parent, root) = match writer.law.grant_of(lead.1) {
        Some(state) => (state.digest(), state.root_digest()),
        None => (Digest::sha256(b""), Digest::sha256(b"")),
    };
    let grant = Box::new(child_grant(binding(writer), parent, root));
    let run = Some(writer.at("run"));
    introduce(
        writer,
        "scout",
        lead,
        Who::Scout,
        InstanceRole::Agent(grant),
        (Who::Lead, run, Some(lead.1)),
    );
}

fn working(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    let calls = [CONSULT, EDIT, BASH, FETCH, STRAY, TODO];
    let cause = turn(writer, ["call-2", "answer-2"], lead, &calls);
    let consult = request(writer, "consult", lead, CONSULT, cause, &[]);
    let decision = decide(writer, "consult-decision", consult, Observed::nothing());
    let advice = advise(writer);
    conclude(writer, "consult-finish", decision);
    let edit = request(writer, "edit", lead, EDIT, cause, &[(advice, AdviceRelation::Followed)]);
    let allowed = decide(writer, "edit-decision", edit, inside("/w/src/add.sh"));
    conclude(writer, "edit-finish", allowed);
    let bash = request(writer, "bash", lead, BASH, cause, &[]);
    let asked = decide(writer, "bash-decision", bash, Observed::unknown());
    if writer.outcomes.get(&asked) == Some(&Outcome::Ask) {
        approve(writer, "approval", bash, asked, |_| {});
    }
    conclude(writer, "bash-finish", asked);
    looking_up(writer, lead, cause);
    turn(writer, ["call-3", "answer-3"], lead, &[]);
}

fn looking_up(writer: &mut Writer<'_>, lead: Author, cause: Seq) {
    let fetch = request(writer, "fetch", lead, FETCH, cause, &[]);
    let allowed = decide(writer, "fetch-decision", fetch, Observed::nothing());
    conclude(writer, "fetch-finish", allowed);
    let stray = request(writer, "stray", lead, STRAY, cause, &[]);
    decide(writer, "stray-decision", stray, Observed::nothing());
    let todo = request(writer, "todo", lead, TODO, cause, &[]);
    let allowed = decide(writer, "todo-decision", todo, Observed::nothing());
    conclude(writer, "todo-finish", allowed);
}

/// The lead asks the advisor, and is answered.
pub(crate) fn advise(writer: &mut Writer<'_>) -> Seq {
    let (lead, advisor) = (lead(writer), advisor(writer));
    let question = writer.enter("question", lead, &[b"patch or rewrite?"], |refs| {
        AdviceRequested {
            advisor: advisor.1,
            question: refs[0].clone(),
        }
        .into()
    });
    let answer = turn(writer, ["advisor-call", "advisor-answer"], advisor, &[]);
    writer.enter("advice", advisor, &[b"Patch."], |refs| {
        AdviceGiven {
            question,
            answer,
            form: AdviceForm::Readable,
            content: refs[0].clone(),
        }
        .into()
    })
}

/// The approver's yes; `change` may alter what is signed.
pub(crate) fn approve(
    writer: &mut Writer<'_>,
    label: &'static str,
    request: Seq,
    decision: Seq,
    change: impl FnOnce(&mut OrderClaims),
) -> Seq {
    approve_by(writer, label, RUNTIME, (request, decision), change)
}

pub(crate) fn approve_by(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (request, decision): (Seq, Seq),
    change: impl FnOnce(&mut OrderClaims),
) -> Seq {
    let text = approval_text(BASH.0, "/w", BASH.1.as_bytes());
    let digest = |seq: &Seq| writer.digests.get(seq).copied().unwrap_or_else(|| Digest::sha256(b""));
    let arguments = writer.law.arguments_of(decision);
    let mut claims = OrderClaims {
        window: window(super::credentials::START, super::credentials::START + HOUR),
        context: OrderContext {
            ledger: writer.ledger.expect("an opened ledger"),
            request: digest(&request),
            decision: digest(&decision),
            tool: name(BASH.0),
            arguments: arguments.unwrap_or(countersign_schemas::digest::Commitment::from_bytes([0; 32])),
            text: Digest::sha256(&text),
            verdict: Verdict::Given,
            meaning: Meaning::Approve,
            presentation: Presentation::Terminal,
            expires: Millis::clamped(super::credentials::START + HOUR),
            nonce: OrderNonce::from_bytes([3; 16]),
        },
    };
    change(&mut claims);
    let mut signer = Who::Approver;
    if let Some(hook) = &mut writer.twist.issuer {
        hook("order", &mut signer);
    }
    let order = Order {
        form: OrderForm::DataIntegrity,
        doc: issue(&claims, signer),
    };
    let (approver, verdict) = (writer.at("approver"), claims.context.verdict);
    writer.enter(label, author, &[&text], |refs| {
        ApprovalEntered {
            decision,
            approver,
            verdict,
            order,
            text: refs[0].clone(),
        }
        .into()
    })
}

fn ending(writer: &mut Writer<'_>) {
    let (lead, advisor) = (lead(writer), advisor(writer));
    stop(writer, "lead-stop", lead, lead.1);
    stop(writer, "advisor-stop", advisor, advisor.1);
    writer.in_front_of("run-ended");
    let (run, spend) = (writer.at("run"), spent(writer, lead.1));
    writer.enter("run-ended", RUNTIME, &[b"fixed"], |refs| {
        RunEnded {
            run,
            reason: RunEndReason::Done,
            result: Some(refs[0].clone()),
            spend,
        }
        .into()
    });
    close(writer);
}

/// What the grant at `seq` has spent.
pub(crate) fn spent(writer: &Writer<'_>, seq: Seq) -> Spend {
    writer.law.grant_of(seq).map_or(spend(0, 0), |state| state.spent())
}

pub(crate) fn close(writer: &mut Writer<'_>) {
    close_by(writer, RUNTIME);
}

pub(crate) fn close_by(writer: &mut Writer<'_>, author: Author) {
    writer.in_front_of("closed");
    let open_items = Count::clamped(writer.law.open_items());
    let (size, root) = (Size::clamped(writer.next_seq().get()), writer.root());
    writer.enter("closed", author, &[], |_| {
        LedgerClosed { size, root, open_items }.into()
    });
    let checkpoint = writer.checkpoint();
    writer.checkpoints.push(checkpoint);
}
