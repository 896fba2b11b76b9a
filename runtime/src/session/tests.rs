//! Whole sessions with a model that says what a test wants, judged by the ledger they leave.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_identity::credential::{HostClaims, HostCredential, MayIssue};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_identity::keys::HybridSecret;
use countersign_ledger::cose;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{AdviceForm, AdviceRelation, AnswerOutcome, Body, EventCode, RunEndReason, RunMode};
use countersign_schemas::number::Millis;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_schemas::text::Name;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{AtEnd, Breaker, Event, Halt, Instructor, Models, Observer, Plan, RunReport, StopSwitch, TurnEnd, run};
use crate::model::prices::PriceTable;
use crate::model::{
    AdviceContent, AdviceStatement, CallId, End, EventSink, MalformedCall, Message, Model, ModelAnswer, ModelError,
    ModelRequest, Part, ProviderAdvice, ToolCall, no_tokens,
};
use crate::recorder::{Authority, Place};
use crate::redact::Redactor;
use crate::tool::{BoxFuture, Canceller, Nobody, cancellation};

type Checked<T = ()> = Result<T, Box<dyn Error>>;

/// Gives one answer after the other, and remembers what it was asked.
struct Staged {
    name: Name,
    answers: Mutex<Vec<Result<ModelAnswer, ModelError>>>,
    asked: Mutex<Vec<Vec<Message>>>,
}

impl Model for Staged {
    fn provider(&self) -> &Name {
        &self.name
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn answer<'a>(
        &'a self,
        request: &'a ModelRequest<'a>,
        _events: EventSink<'a>,
    ) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(request.messages.to_vec());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if answers.is_empty() {
            Ok(said("Done."))
        } else {
            answers.remove(0)
        };
        Box::pin(std::future::ready(next))
    }
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Observer for Events {
    fn observe(&self, event: &Event) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event.clone());
    }
}

/// A session that was played.
struct Played {
    folder: TempDir,
    report: RunReport,
    bodies: Vec<Body>,
    asked: Vec<Vec<Message>>,
    verdict: u8,
}

fn answer(parts: Vec<Part>, end: End) -> ModelAnswer {
    ModelAnswer {
        parts,
        advice: Vec::new(),
        usage: no_tokens(),
        end,
        attempts: Vec::new(),
    }
}

fn said(text: &str) -> ModelAnswer {
    answer(vec![Part::Text(text.to_owned())], End::Done)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn call(tool: &str, arguments: Value, advice: Option<AdviceStatement>) -> Checked<ToolCall> {
    Ok(ToolCall::new(CallId::numbered(1, 1), tool, object(arguments), advice)?)
}

fn advised(content: AdviceContent, calls: Vec<ToolCall>) -> Checked<ModelAnswer> {
    let question = json!({"question": "What the provider made of the conversation."});
    let mut advised = answer(calls.into_iter().map(Part::Call).collect(), End::Calls);
    advised.advice.push(ProviderAdvice {
        call: call("advisor", question, None)?,
        model: Some(Name::new("stronger")?),
        content,
        usage: no_tokens(),
    });
    Ok(advised)
}

async fn play(answers: Vec<Result<ModelAnswer, ModelError>>, policy: Option<&str>) -> Checked<Played> {
    play_within(30 * 86_400_000, None, answers, policy).await
}

/// Plays under a host that may act for `window_ms` from now.
async fn play_within(
    window_ms: u64,
    instructor: Option<Arc<dyn Instructor>>,
    answers: Vec<Result<ModelAnswer, ModelError>>,
    policy: Option<&str>,
) -> Checked<Played> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("work");
    fs::create_dir(&dir)?;
    fs::write(dir.join("notes.txt"), "42\n")?;
    let now = crate::clock::Clock::default().read();
    let (principal, host) = (HybridSecret::generate()?, HybridSecret::generate()?);
    let principal_did = PeerDid::from_keys(principal.public());
    let from = now.get() / 1000 * 1000;
    let claims = HostClaims {
        window: Window::new(Millis::clamped(from), Millis::clamped(from + window_ms))?,
        host: PeerDid::from_keys(host.public()).short_did().clone(),
        site: Name::new("here")?,
        may_issue: BTreeSet::from([MayIssue::Instance, MayIssue::RootGrant]),
    };
    let credential = HostCredential::issue(&claims, &principal, &principal_did)?;
    fs::write(folder.path().join("principal.did"), principal_did.long())?;
    let model = Arc::new(Staged {
        name: Name::new("staged")?,
        answers: Mutex::new(answers),
        asked: Mutex::default(),
    });
    let ledger = folder.path().join("ledger.db");
    let report = run(Plan {
        after: None,
        task: "work".to_owned(),
        dir,
        ledger: Place::new(ledger.clone()),
        at_end: AtEnd::Close,
        own: Vec::new(),
        models: Models::same(model.clone()),
        prices: PriceTable::builtin().clone(),
        hosts: BTreeSet::new(),
        coordinates: false,
        policy: policy.map(str::to_owned),
        grant: None,
        authority: Authority::new(principal_did, host, credential)?,
        approver: None,
        mode: RunMode::Headless,
        cancel: cancellation().1,
        switch: StopSwitch::default(),
        observer: Arc::new(Events::default()),
        person: Arc::new(Nobody),
        instructor,
        redactor: Redactor::standard(),
    })
    .await?;
    let asked = std::mem::take(&mut *model.asked.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Played {
        bodies: bodies(&ledger)?,
        verdict: verdict(&ledger, &folder.path().join("principal.did")),
        folder,
        report,
        asked,
    })
}

fn bodies(ledger: &std::path::Path) -> Checked<Vec<Body>> {
    let mut bodies = Vec::new();
    for stored in LedgerReader::open(ledger)?.entries() {
        let record = Record::decode(&stored?.record)?;
        let envelope = cose::Unverified::parse(&record.statement)?;
        bodies.push(Statement::decode(envelope.payload())?.body);
    }
    Ok(bodies)
}

fn verdict(ledger: &std::path::Path, anchor: &std::path::Path) -> u8 {
    let arguments = [
        "verify".as_ref(),
        ledger.as_os_str(),
        "--trust".as_ref(),
        anchor.as_os_str(),
    ];
    countersign_verifier::cli::run(arguments.map(Into::into), &mut std::io::sink(), &mut std::io::sink())
}

impl Played {
    fn cited(&self) -> Vec<AdviceRelation> {
        let requests = self.bodies.iter().filter_map(|body| match body {
            Body::ActionRequested(request) => Some(request),
            _ => None,
        });
        requests
            .flat_map(|request| request.advice.iter().flat_map(|list| list.iter()))
            .map(|cited| cited.relation)
            .collect()
    }

    fn forms(&self) -> Vec<AdviceForm> {
        let given = self.bodies.iter().filter_map(|body| match body {
            Body::AdviceGiven(given) => Some(given.form),
            _ => None,
        });
        given.collect()
    }

    /// Content of the last message that the model got.
    fn last_results(&self) -> Vec<String> {
        match self.asked.last().and_then(|messages| messages.last()) {
            Some(Message::Results(results)) => results.iter().map(|result| result.content.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }
}

fn followed() -> AdviceStatement {
    AdviceStatement {
        relation: AdviceRelation::Followed,
        reason: "it holds".to_owned(),
    }
}

#[tokio::test]
async fn advice_of_the_provider_is_entered_decided_and_can_be_cited() -> Checked {
    let read = call("read", json!({"path": "notes.txt"}), Some(followed()))?;
    let advised = advised(AdviceContent::Readable("Patch.".to_owned()), vec![read])?;
    let played = play(vec![Ok(advised)], None).await?;
    assert_eq!(played.forms(), [AdviceForm::Readable]);
    assert_eq!(played.cited(), [AdviceRelation::Followed]);
    assert_eq!((played.report.reason, played.verdict), (RunEndReason::Done, 0));
    Ok(())
}

#[tokio::test]
async fn sealed_advice_is_cited_as_not_assessable_whatever_the_agent_says() -> Checked {
    let read = call("read", json!({"path": "notes.txt"}), Some(followed()))?;
    let advised = advised(AdviceContent::Opaque(vec![0, 159, 1]), vec![read])?;
    let played = play(vec![Ok(advised)], None).await?;
    assert_eq!(played.forms(), [AdviceForm::Opaque]);
    assert_eq!(played.cited(), [AdviceRelation::NotAssessable]);
    assert_eq!(played.verdict, 0);
    Ok(())
}

#[tokio::test]
async fn what_was_proposed_under_refused_advice_is_not_done() -> Checked {
    let forbid = r#"@id("no-advice") forbid (principal, action in Action::"consult", resource);"#;
    let write = call("read", json!({"path": "notes.txt"}), None)?;
    let advised = advised(AdviceContent::Readable("Patch.".to_owned()), vec![write])?;
    let played = play(vec![Ok(advised)], Some(forbid)).await?;
    assert_eq!(played.report.reason, RunEndReason::HaltedPolicy);
    assert!(played.report.result.contains("no-advice"), "{}", played.report.result);
    let requested = played
        .bodies
        .iter()
        .filter(|body| matches!(body, Body::ActionRequested(_)));
    assert_eq!(requested.count(), 1, "only the advice itself was requested");
    assert!(played.forms().is_empty());
    assert_eq!(played.verdict, 0);
    Ok(())
}

#[tokio::test]
async fn failed_advice_of_the_provider_is_entered_and_the_agent_goes_on() -> Checked {
    let advised = advised(AdviceContent::Failed("overloaded".to_owned()), Vec::new())?;
    let played = play(vec![Ok(advised)], None).await?;
    assert!(played.forms().is_empty() && played.cited().is_empty());
    assert_eq!((played.report.reason, played.verdict), (RunEndReason::Done, 0));
    Ok(())
}

#[tokio::test]
async fn advice_of_the_provider_that_no_budget_is_left_for_halts_the_agent() -> Checked {
    // Of a thousand calls: two answers, these reads, and the advice itself; none is left for the advisor's answer.
    let reads = (0..997).map(|_| call("read", json!({"path": "notes.txt"}), None).map(Part::Call));
    let reads = answer(reads.collect::<Checked<_>>()?, End::Calls);
    let last = advised(AdviceContent::Readable("Patch.".to_owned()), Vec::new())?;
    let played = play(vec![Ok(reads), Ok(last)], None).await?;
    assert_eq!((played.report.reason, played.verdict), (RunEndReason::HaltedBudget, 0));
    assert!(played.forms().is_empty());
    Ok(())
}

/// The breaker that halted the run, which is on record.
fn tripped(played: &Played) -> Option<Breaker> {
    let halted = |body: &&Body| matches!(body, Body::SessionEvent(event) if event.code == EventCode::Halted);
    if played.bodies.iter().filter(halted).count() != 1 || played.report.reason != RunEndReason::HaltedPolicy {
        return None;
    }
    match &played.report.halt {
        Some(Halt::Breaker(trip)) => Some(trip.breaker),
        _ => None,
    }
}

#[tokio::test]
async fn answers_with_nothing_but_malformed_calls_halt_the_run() -> Checked {
    let malformed = |number| {
        Part::Malformed(MalformedCall {
            id: CallId::numbered(number, 1),
            tool: "read".to_owned(),
            raw: "{".to_owned(),
            problem: "the arguments are not JSON".to_owned(),
        })
    };
    let answers = (1..20).map(|number| Ok(answer(vec![malformed(number)], End::Calls)));
    let played = play(answers.collect(), None).await?;
    assert_eq!(tripped(&played), Some(Breaker::MalformedAnswers));
    assert_eq!((played.asked.len(), played.verdict), (5, 0));
    Ok(())
}

#[tokio::test]
async fn empty_answer_ends_the_run_and_is_not_asked_for_again() -> Checked {
    let played = play(vec![Ok(answer(Vec::new(), End::Done))], None).await?;
    assert_eq!(
        (played.report.reason, played.report.result.as_str()),
        (RunEndReason::Done, "")
    );
    let cut = (0..9).map(|_| Ok(answer(Vec::new(), End::Length)));
    let played_cut = play(cut.collect(), None).await?;
    assert_eq!(tripped(&played_cut), Some(Breaker::UnfinishedAnswers));
    assert_eq!((played.asked.len(), played_cut.asked.len()), (1, 4));
    Ok(())
}

#[tokio::test]
async fn malformed_call_is_answered_with_what_is_wrong_and_requests_nothing() -> Checked {
    let malformed = MalformedCall {
        id: CallId::numbered(1, 1),
        tool: "read".to_owned(),
        raw: "{\"path\":".to_owned(),
        problem: "the arguments are not JSON".to_owned(),
    };
    let played = play(vec![Ok(answer(vec![Part::Malformed(malformed)], End::Calls))], None).await?;
    assert_eq!(played.last_results(), ["not made: the arguments are not JSON"]);
    assert!(
        !played
            .bodies
            .iter()
            .any(|body| matches!(body, Body::ActionRequested(_)))
    );
    assert_eq!(played.verdict, 0);
    Ok(())
}

#[tokio::test]
async fn answer_cut_at_its_limit_is_continued_and_given_up_after_some_times() -> Checked {
    let half = || answer(vec![Part::Text("half ".to_owned())], End::Length);
    let played = play(vec![Ok(half()), Ok(half()), Ok(said("whole"))], None).await?;
    assert_eq!(played.report.result, "half half whole");
    let played = play((0..9).map(|_| Ok(half())).collect(), None).await?;
    assert_eq!(tripped(&played), Some(Breaker::UnfinishedAnswers));
    assert_eq!((played.asked.len(), played.verdict), (4, 0));
    Ok(())
}

#[tokio::test]
async fn refusal_is_the_models_outcome_and_the_runs_failure() -> Checked {
    let played = play(vec![Ok(answer(vec![Part::Text("No.".to_owned())], End::Refused))], None).await?;
    assert_eq!(played.report.reason, RunEndReason::Failed);
    let refused = played.bodies.iter().any(|body| match body {
        Body::ModelAnswered(answered) => answered.outcome == AnswerOutcome::Refused,
        _ => false,
    });
    assert!(refused && played.verdict == 0);
    Ok(())
}

#[tokio::test]
async fn secrets_reach_neither_ledger_nor_model_again_but_arguments_stay() -> Checked {
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let write = call("bash", json!({"command": format!("echo {secret}")}), None)?;
    let parts = vec![Part::Text(format!("I use {secret}.")), Part::Call(write)];
    let permit = r#"permit (principal, action in Action::"execute", resource);"#;
    let played = play(vec![Ok(answer(parts, End::Calls))], Some(permit)).await?;
    let results = played.last_results();
    assert!(results.iter().all(|result| !result.contains(&secret)), "{results:?}");
    let told = played
        .asked
        .last()
        .ok_or("a question")?
        .iter()
        .any(|message| match message {
            Message::Assistant(parts) => parts
                .iter()
                .any(|part| matches!(part, Part::Text(text) if text.contains(&secret))),
            _ => false,
        });
    assert!(!told, "the model is told its words without the secret");
    // Once in the answer's call, once in the request's arguments, once in the question put to policy.
    let file = fs::read(played.ledger())?;
    let found = file
        .windows(secret.len())
        .filter(|window| *window == secret.as_bytes())
        .count();
    assert_eq!((found, played.verdict), (3, 0));
    Ok(())
}

/// A person who has gone home without saying so.
struct Away;

impl Instructor for Away {
    fn turn_begins(&self, _turn: Canceller) {}

    fn next<'a>(&'a self, _ended: &'a TurnEnd) -> BoxFuture<'a, Option<String>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_run_is_closed_while_its_keys_may_still_sign() -> Checked {
    let played = play_within(3_000, Some(Arc::new(Away)), Vec::new(), None).await?;
    assert_eq!(played.report.reason, RunEndReason::Interrupted);
    assert!(
        played.report.result.starts_with("the time of this run is over"),
        "{}",
        played.report.result
    );
    assert!(matches!(played.bodies.last(), Some(Body::LedgerClosed(_))));
    assert_eq!(played.verdict, 0);
    Ok(())
}
