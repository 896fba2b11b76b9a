//! What a decision costs: each of its steps, in microseconds of one core.
//!
//! `cargo run --release -p countersign-verifier --example verifier-deciding`. Each figure is the least mean over many
//! short batches, which says what the step itself takes, whatever else the machine does meanwhile.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::expect_used, reason = "what cannot be set up cannot be measured")]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_ledger::merkle::Frontier;
use countersign_schemas::body::{
    ActionFinished, ActionRequested, Body, DecisionMade, Effects, FinishOutcome, PolicyLayer,
};
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
use countersign_schemas::statement::Statement;
use countersign_verifier::law::{Entry, Judgement, Law, outcome};
use countersign_verifier::policy::{ENTITIES, LoadedLayer, SCHEMA, evaluate};
use countersign_verifier::projection::{CedarRequest, Circumstances, Observed, Principal, Subject, tool_profile};

use support::credentials::{budget, name};
use support::story::{self, BASH, EDIT, FETCH, GREP, LAYER1, TODO, inside};
use support::writer::{Twist, Writer};

const BATCHES: usize = 60;
const A_BATCH: usize = 200;

fn main() {
    pure_steps();
    steps_of_the_law();
}

/// The least mean of many batches, in microseconds.
fn least(mut step: impl FnMut()) -> f64 {
    let means = (0..BATCHES).map(|_| {
        let begun = Instant::now();
        (0..A_BATCH).for_each(|_| step());
        micros(begun.elapsed(), A_BATCH)
    });
    means.fold(f64::INFINITY, f64::min)
}

fn micros(time: Duration, times: usize) -> f64 {
    time.as_secs_f64() * 1e6 / times as f64
}

fn read((tool, arguments): (&str, &str)) -> Subject {
    Subject::of(tool, arguments.as_bytes(), "/w").expect("the arguments of the tool")
}

fn circumstances(tool: &str) -> Circumstances<'static> {
    Circumstances {
        effects: tool_profile(tool).map(|profile| profile.effects).unwrap_or_default(),
        principal: Principal {
            depth_left: 2,
            id: "did:peer:4zQmd8CpeFPci817KDsbSAKWcXAE2mjvCQSasRewvbSF54Bd".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        mode: "headless",
        calls_left: 180,
        time_ms: 1_763_712_000_000,
        advised: false,
        observed: match tool {
            "grep" | "edit" => inside("/w/src/add.sh"),
            "bash" => Observed::unknown(),
            _ => Observed::nothing(),
        },
    }
}

fn pure_steps() {
    let owner = "did:peer:4zQmNxQ6zyBcUuWVyKFUxS4zXBB9nYX3mYXkvGQYaWkJkU4n";
    let layer1 = LoadedLayer::load(PolicyLayer::Organisation, LAYER1, SCHEMA, ENTITIES).expect("a sound policy");
    let builtin = LoadedLayer::builtin();
    println!(
        "{:<12}{:>9}{:>11}{:>12}{:>9}{:>9}",
        "tool", "project", "layer 0", "and 1", "to_jcs", "parse"
    );
    for call in [GREP, EDIT, BASH, FETCH, TODO] {
        let request = read(call).project(circumstances(call.0));
        let document = request.to_jcs();
        let figures = [
            least(|| drop(black_box(read(call).project(circumstances(call.0))))),
            least(|| drop(black_box(evaluate(&[&builtin], &request, owner)))),
            least(|| drop(black_box(evaluate(&[&builtin, &layer1], &request, owner)))),
            least(|| drop(black_box(request.to_jcs()))),
            least(|| drop(black_box(CedarRequest::parse(&document)))),
        ];
        let [project, one, two, write, parse] = figures;
        println!(
            "{:<12}{project:>9.2}{one:>11.2}{two:>12.2}{write:>9.2}{parse:>9.2}",
            call.0
        );
    }
}

/// Entries that nobody signed: the law does not ask.
struct Unsigned {
    law: Law,
    clock: Millis,
    counters: [(Seq, Count); 2],
}

#[derive(Default)]
struct Spent {
    question: Duration,
    evaluate: Duration,
    judge: Duration,
    admit: Duration,
    unforeseen: Duration,
}

impl Unsigned {
    /// A run that may go on for ever.
    fn begin() -> Self {
        let endless = |claims: &mut InstanceClaims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                grant.budget = budget(1 << 50, 1 << 50);
            }
        };
        let mut writer = Writer::new(Twist::claims("lead", endless));
        story::opening(&mut writer);
        story::cast(&mut writer);
        assert_eq!(writer.findings, []);
        let counters = [Seq::ZERO, writer.at("lead")];
        Self {
            counters: counters.map(|author| (author, writer.law.next_n(author).expect("an author"))),
            clock: writer.law.last_received(),
            law: writer.law,
        }
    }

    /// Enters `body`; gives its place and how long its admission took.
    fn enter(&mut self, author: usize, body: Body, payload: &[u8]) -> (Seq, Duration) {
        let (by, n) = self.counters[author];
        self.counters[author].1 = n.next();
        let (seq, seen) = (self.law.next_seq(), self.law.head());
        let statement = Statement {
            by,
            n,
            at: self.clock,
            seen,
            body,
            ext: None,
        };
        let mut link = [1; 32];
        link[..8].copy_from_slice(&seq.get().to_be_bytes());
        let entry = Entry {
            seq,
            received: self.clock,
            prev: seen.link,
            link: Link::from_bytes(link),
            tree: &Frontier::new(),
            statement: &statement,
            statement_digest: Digest::from_bytes(link),
            payloads: &[Some(payload)],
            named: None,
        };
        let begun = Instant::now();
        let admitted = self.law.admit(&entry);
        let time = begun.elapsed();
        admitted.unwrap_or_else(|finding| panic!("{}", finding.text()));
        (seq, time)
    }

    fn request(&mut self) -> Seq {
        let agent = self.counters[1].0;
        let body = ActionRequested {
            tool: name(GREP.0),
            descriptor: Digest::sha256(b"grep"),
            arguments: reference(GREP.1.as_bytes()),
            effects: Effects::READ,
            grant: agent,
            cause: None,
            advice: None,
            resumes: None,
        };
        self.enter(1, body.into(), GREP.1.as_bytes()).0
    }

    fn decide(&mut self, request: Seq, judged: Judgement) -> Duration {
        let cedar = judged.cedar_request.expect("the arguments of the tool");
        let body = DecisionMade {
            request,
            outcome: outcome(&judged.parts),
            parts: List::new(judged.parts).expect("few parts"),
            policies: List::new(judged.policies).expect("few layers"),
            cedar_request: Some(reference(&cedar)),
            projection: judged.projection,
            expires: Millis::clamped(self.clock.get() + 1),
            ask: None,
            advice: None,
            status_lists: None,
        };
        let (decision, time) = self.enter(0, body.into(), &cedar);
        let done = ActionFinished {
            decision,
            outcome: FinishOutcome::Ok,
            result: None,
            started: Some(self.clock),
            duration: Some(Count::clamped(5)),
            sandbox: Count::ZERO,
        };
        self.enter(0, done.into(), b"");
        time
    }

    /// As a gatekeeper decides, and once more as a verifier does.
    fn act(&mut self, spent: &mut Spent) {
        let observed = inside("/w/src");
        let request = self.request();
        let begun = Instant::now();
        let question = self.law.policy_question(request, &observed).expect("a sound request");
        spent.question += begun.elapsed();
        let begun = Instant::now();
        let evaluated = question.expect("the arguments of the tool").evaluate();
        spent.evaluate += begun.elapsed();
        self.law.foresee(evaluated);
        let begun = Instant::now();
        let judged = self.law.judge(request, observed.clone()).expect("a sound request");
        spent.judge += begun.elapsed();
        spent.admit += self.decide(request, judged);
        // Nothing foreseen holds for what is left of the budget now.
        let request = self.request();
        let judged = self.law.judge(request, observed).expect("a sound request");
        spent.unforeseen += self.decide(request, judged);
    }
}

fn reference(payload: &[u8]) -> PayloadRef {
    PayloadRef::new(&Salt([0; 32]), payload, PayloadClass::Content)
}

fn steps_of_the_law() {
    let mut unsigned = Unsigned::begin();
    let mut least = [f64::INFINITY; 5];
    for _ in 0..BATCHES {
        let mut spent = Spent::default();
        (0..A_BATCH).for_each(|_| unsigned.act(&mut spent));
        let times = [
            spent.question,
            spent.evaluate,
            spent.judge,
            spent.admit,
            spent.unforeseen,
        ];
        for (least, time) in least.iter_mut().zip(times) {
            *least = least.min(micros(time, A_BATCH));
        }
    }
    let [question, evaluate, judge, admit, unforeseen] = least;
    println!("\nthe law, {}, layers 0 and 1:", GREP.0);
    println!("question {question:.2}, evaluate {evaluate:.2}, judge {judge:.2}, admit {admit:.2}");
    println!(
        "together {:.2}; admit with nothing foreseen {unforeseen:.2}",
        question + evaluate + judge + admit
    );
}
