//! Runs over the real wire formats: a provider on loopback plays the script, and the ledger tells what the script tells.

use std::path::Path;
use std::process::{Command, Stdio};

use countersign_examples::{DEMO_POLICY, DEMO_SCRIPT, DEMO_TASK, unpack_demo};
use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::child::Running;
use crate::support::programs::{Ran, run};
use crate::support::provider::{Fault, LineEnd, Provider, Recorded, Setup, Usage, check_prefixes};
use crate::support::service::{KEY, Service, ask, assert_key_is_nowhere, with_each};
use crate::support::stored::log;
use crate::support::tale::Tale;
use crate::support::workshop::{Workshop, turn};

/// More requests than this for one question are not bounded retries.
const ATTEMPTS_MAX: usize = 20;

/// The demo's project, policy and approver in a workshop.
struct Demo {
    workshop: Workshop,
}

impl Demo {
    fn new() -> Checked<Self> {
        let workshop = Workshop::new()?;
        unpack_demo(&workshop.work())?;
        workshop.file("policy.cedar", DEMO_POLICY)?;
        Ok(Self { workshop })
    }

    fn run(&self, choose: impl Fn(&mut Command)) -> Checked<Ran> {
        let mut command = self.workshop.countersign();
        command.args(["run", DEMO_TASK, "--dir", "work", "--ledger", "ledger.db"]);
        command
            .args(["--policy", "policy.cedar", "--approve"])
            .arg(self.workshop.home().join("approver.key"));
        choose(&mut command);
        run(&mut command)
    }

    /// What the ledger of the scripted run tells.
    fn scripted() -> Checked<Tale> {
        let demo = Self::new()?;
        demo.workshop.file("script.json", DEMO_SCRIPT)?;
        demo.run(|command| {
            command.args(["--model", "scripted:script.json"]);
        })?
        .expect(0);
        Tale::of(&demo.workshop.ledger())
    }
}

const HELLO: &str = r#"{"schema":"countersign.script/v1","agents":{"lead":[{"say":"Hello, 世界."}]}}"#;

fn hello(service: Service, fault: Fault) -> Checked<Provider> {
    Provider::start(service.setup(HELLO, "say hello")?.always(fault))
}

fn answered(ledger: &Path) -> Checked<Vec<Value>> {
    let entries = log(ledger)?.into_iter();
    Ok(entries.filter(|entry| entry["kind"] == "model.answered").collect())
}

/// How the calls of models ended.
fn outcomes(workshop: &Workshop) -> Checked<Vec<String>> {
    let outcome = |entry: &Value| entry["body"]["outcome"].as_str().map(str::to_owned);
    Ok(answered(&workshop.ledger())?.iter().filter_map(outcome).collect())
}

fn usage_of(entry: &Value) -> Usage {
    let count = |name: &str| entry["body"]["tokens"][name].as_u64().unwrap_or(u64::MAX);
    Usage {
        input: count("input"),
        cache_write: count("cache_write"),
        cache_read: count("cache_read"),
        output: count("output"),
    }
}

/// Runs the demo through `service` and compares the ledger with that of the script.
fn solve_demo(service: Service, seed: u64, line_end: LineEnd, faults: &[Option<Fault>]) -> Checked<Vec<Recorded>> {
    let setup = service.setup(DEMO_SCRIPT, DEMO_TASK)?.faults(faults);
    let provider = Provider::start(setup.seed(seed).chunks_up_to(9).line_end(line_end))?;
    let demo = Demo::new()?;
    let ran = demo.run(|command| {
        service.choose(command, &provider.url());
        command.env("RUST_LOG", "trace");
    })?;
    let requests = provider.requests();
    let problems: Vec<&String> = requests.iter().filter_map(|request| request.problem.as_ref()).collect();
    assert_eq!(problems, Vec::<&String>::new(), "{ran}");
    let ran = ran.expect(0);
    demo.workshop.verdict()?.expect(0);
    Demo::scripted()?.assert_same(&Tale::of(&demo.workshop.ledger())?);
    assert_key_is_nowhere(&demo.workshop, &ran)?;
    let met: Vec<Option<Fault>> = requests
        .iter()
        .map(|request| request.fault)
        .take(faults.len())
        .collect();
    assert_eq!(met, faults);
    let pairs = check_prefixes(&requests)?;
    assert!(pairs >= 13, "{pairs} pairs: lead 10, scout 3");
    for request in &requests {
        match service.key() {
            Some((_, header, value)) => assert_eq!(request.header(header), Some(value.as_str())),
            None => assert_eq!(request.header("authorization"), None),
        }
    }
    let told: Vec<Usage> = requests.iter().filter_map(|request| request.usage).collect();
    let entered: Vec<Usage> = answered(&demo.workshop.ledger())?.iter().map(usage_of).collect();
    assert_eq!(entered, told, "the tokens of each answer");
    Ok(requests)
}

/// Two refusals before the first answer, and a stream that breaks in the middle of the story.
const TWO_REFUSALS_AND_A_CUT: [Option<Fault>; 7] = [
    Some(Fault::retry_now(529)),
    Some(Fault::retry_now(529)),
    None,
    None,
    None,
    Some(Fault::Cut),
    None,
];

#[test]
fn demo_is_solved_over_the_messages_format() -> Checked {
    solve_demo(Service::Anthropic, 11, LineEnd::Lf, &TWO_REFUSALS_AND_A_CUT).map(drop)
}

#[test]
fn demo_is_solved_over_the_responses_format_and_nothing_is_kept_there() -> Checked {
    let requests = solve_demo(Service::OpenAi, 12, LineEnd::CrLf, &TWO_REFUSALS_AND_A_CUT)?;
    assert!(requests.iter().all(|request| request.json()["store"] == false));
    Ok(())
}

#[test]
fn demo_is_solved_over_chat_completions() -> Checked {
    solve_demo(Service::OpenAiChat, 13, LineEnd::Lf, &TWO_REFUSALS_AND_A_CUT).map(drop)
}

#[test]
fn demo_is_solved_by_a_server_without_a_key() -> Checked {
    solve_demo(Service::Local, 14, LineEnd::CrLf, &TWO_REFUSALS_AND_A_CUT).map(drop)
}

#[test]
fn advisor_of_another_provider_is_asked_there_and_sees_only_the_question() -> Checked {
    let (key, other_key) = (KEY, "TheOther0fTwoKeys9a0364b9e99bb480dd25e1f0284c");
    let agents = Provider::start(Setup::new(DEMO_SCRIPT, DEMO_TASK)?.key(key))?;
    let advisor = Provider::start(Setup::new(DEMO_SCRIPT, DEMO_TASK)?.key(other_key))?;
    let demo = Demo::new()?;
    demo.run(|command| {
        command.args(["--model", "anthropic/claude-test", "--advisor", "openai/gpt-test"]);
        command
            .env("ANTHROPIC_BASE_URL", agents.url())
            .env("ANTHROPIC_API_KEY", key);
        command.env("OPENAI_BASE_URL", format!("{}/v1", advisor.url()));
        command.env("OPENAI_API_KEY", other_key);
    })?
    .expect(0);
    demo.workshop.verdict()?.expect(0);
    Demo::scripted()?.assert_same(&Tale::of(&demo.workshop.ledger())?);
    let asking = |provider: &Provider| -> Vec<String> {
        let asked = provider.requests().into_iter().filter_map(|request| request.asked);
        asked.map(|asked| asked.agent).collect()
    };
    assert_eq!(asking(&advisor), ["advisor"]);
    assert!(!asking(&agents).contains(&"advisor".to_owned()));
    let question = String::from_utf8(advisor.requests().remove(0).body)?;
    assert!(
        !question.contains("sh test.sh"),
        "neither the task nor what was found out: {question}"
    );
    Ok(())
}

#[test]
fn agents_side_by_side_keep_their_conversations_apart() -> Checked {
    let send = |name: &str| {
        let task = format!("look around for {name}");
        json!({ "tool": "agent", "args": { "type": "explore", "name": name, "task": task } })
    };
    let names = ["ann", "ben", "cem"];
    let mut agents = json!({ "lead": [{ "say": "Three at once.", "calls": names.map(send) }, { "say": "Done." }] });
    for name in names {
        agents[name] = json!([turn("list", &json!({ "path": "." })), { "say": format!("{name} saw it.") }]);
    }
    let script = json!({ "schema": "countersign.script/v1", "agents": agents }).to_string();
    with_each(|service| {
        let provider = Provider::start(service.setup(&script, "say hello")?.chunks_up_to(5))?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        ran.expect(0);
        workshop.verdict()?.expect(0);
        assert_eq!(
            check_prefixes(&provider.requests())?,
            4,
            "lead and three agents asked twice each"
        );
        for action in workshop.actions()?.iter().filter(|action| action.tool == "agent") {
            let report = format!("{} saw it.", action.argument("name"));
            assert!(
                action.result.as_ref().is_some_and(|result| result.contains(&report)),
                "{action:?}"
            );
        }
        Ok(())
    })
}

#[test]
fn server_with_several_models_wants_to_know_which() -> Checked {
    let provider = Provider::start(Setup::new(HELLO, "say hello")?)?;
    let workshop = Workshop::new()?;
    let mut command = workshop.countersign();
    command.args(["run", "say hello", "--dir", "work", "--ledger", "ledger.db"]);
    let ran = run(command.args(["--approve", "never", "--model", &format!("{}/v1", provider.url())]))?;
    ran.expect_one_of(&[2, 4]).says("claude-test, gpt-test, local-model");
    Ok(())
}

#[test]
fn whatever_goes_wrong_on_the_way_the_story_is_the_same() -> Checked {
    let faults = [
        Fault::status(500),
        Fault::EndsEarly,
        Fault::ErrorEvent,
        Fault::DuplicateStart,
        Fault::Splice,
        Fault::retry_now(429),
        Fault::Cut,
    ];
    let mut turns = vec![turn("list", &json!({ "path": "." })); 2 * faults.len()];
    turns.push(json!({ "say": "Hello, 世界." }));
    let script = json!({ "schema": "countersign.script/v1", "agents": { "lead": turns } }).to_string();
    let scripted = Workshop::new()?;
    scripted.file("script.json", &script)?;
    scripted.run(&[])?.expect(0);
    let scripted = Tale::of(&scripted.ledger())?;
    with_each(|service| {
        let planned: Vec<Option<Fault>> = faults.iter().flat_map(|fault| [Some(*fault), None]).collect();
        let setup = service.setup(&script, "say hello")?.faults(&planned);
        let provider = Provider::start(setup.seed(service as u64).chunks_up_to(5))?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        let ran = ran.expect(0);
        assert_eq!(ran.stdout.matches("Hello, 世界.").count(), 1, "{service:?}\n{ran}");
        scripted.assert_same(&Tale::of(&workshop.ledger())?);
        let met: Vec<Fault> = provider.requests().iter().filter_map(|request| request.fault).collect();
        assert_eq!(met, faults, "{service:?}");
        check_prefixes(&provider.requests())?;
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn wrong_key_is_an_environment_error_that_names_the_variable() -> Checked {
    with_each(|service| {
        let Some((variable, _, _)) = service.key() else {
            return Ok(());
        };
        let setup = Setup::new(HELLO, "say hello")?.key("the key of somebody else");
        let provider = Provider::start(setup)?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        let ran = ran.expect(4).says(variable);
        // This server repeats in its answer what it was given.
        assert_key_is_nowhere(&workshop, &ran)?;
        assert_eq!(provider.requests().len(), 1, "nobody tries a wrong key twice");
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn missing_key_is_an_environment_error_that_names_the_variable() -> Checked {
    with_each(|service| {
        let Some((variable, header, _)) = service.key() else {
            return Ok(());
        };
        let provider = Provider::start(service.setup(HELLO, "say hello")?)?;
        let (_, ran) = ask(service, &provider.url(), |command| {
            command.env_remove(variable);
        })?;
        ran.expect(4).says(variable);
        // A server with another address may need no key, so it is asked; the key of another provider is none for it.
        let requests = provider.requests();
        assert!(requests.len() <= 1 && requests.iter().all(|request| request.header(header).is_none()));
        Ok(())
    })
}

#[test]
fn interrupted_while_the_model_is_silent_ends_in_order() -> Checked {
    with_each(|service| {
        let provider = hello(service, Fault::Stall)?;
        let workshop = Workshop::new()?;
        let mut command = workshop.countersign();
        command.args(["run", "say hello", "--dir", "work", "--ledger", "ledger.db"]);
        service.choose(&mut command, &provider.url());
        let mut run = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        run.wait_for("the question", || !provider.requests().is_empty())?;
        run.signal("INT")?;
        assert_eq!(run.end()?.code(), Some(130), "{service:?}");
        assert_eq!(outcomes(&workshop)?, ["cancelled"], "{service:?}");
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn unreachable_server_is_an_environment_error() -> Checked {
    with_each(|service| {
        // A port that only root could listen at, for a service that nobody runs (RFC 1078).
        let (workshop, ran) = ask(service, "http://127.0.0.1:1", |_| ())?;
        ran.expect(4);
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn endless_overload_ends_after_bounded_attempts() -> Checked {
    with_each(|service| {
        let provider = hello(service, Fault::retry_now(529))?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        ran.expect(4);
        let attempts = provider.requests().len();
        assert!((3..=ATTEMPTS_MAX).contains(&attempts), "{attempts} attempts");
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn request_that_is_refused_as_wrong_fails_the_task_at_once() -> Checked {
    let failing = r#"{"schema":"countersign.script/v1","agents":{"lead":[{"error":"the model is tired"}]}}"#;
    with_each(|service| {
        let provider = Provider::start(service.setup(failing, "say hello")?)?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        ran.expect(1).says("the model is tired");
        assert_eq!(provider.requests().len(), 1, "the same request would be refused again");
        workshop.verdict()?.expect(0);
        assert_eq!(outcomes(&workshop)?, ["error"], "{service:?}");
        Ok(())
    })
}

#[test]
fn refusal_fails_the_task_and_is_entered_as_one() -> Checked {
    with_each(|service| {
        let provider = hello(service, Fault::Refusal)?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        ran.expect(1);
        assert_eq!(outcomes(&workshop)?, ["refused"], "{service:?}");
        workshop.verdict()?.expect(0);
        Ok(())
    })
}

#[test]
fn half_an_answer_is_no_result() -> Checked {
    with_each(|service| {
        let provider = hello(service, Fault::Length)?;
        let (workshop, ran) = ask(service, &provider.url(), |_| ())?;
        ran.expect(1);
        workshop.verdict()?.expect(0);
        Ok(())
    })
}
