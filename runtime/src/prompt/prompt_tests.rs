use std::collections::BTreeSet;

use countersign_identity::grant::{AbsolutePath, HostScope};
use countersign_schemas::number::{Count, Millis};

use super::dynamic::tests::facts;
use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Longest prompt: about as many tokens as one file of two hundred lines, paid by every agent.
const LEN_BYTES_MAX: usize = 6 << 10;

/// Another machine, folder, day, budget: nothing is as in `facts`.
fn other_facts() -> Result<Facts, Box<dyn std::error::Error>> {
    let mut facts = facts()?;
    facts.workspace = AbsolutePath::new("/srv/build/elsewhere")?;
    (facts.os, facts.arch) = ("freebsd", "riscv64");
    facts.now = Millis::new(1_900_000_000_000)?;
    facts.history = History::None;
    facts.budget.calls = Count::clamped(7);
    facts.hosts = BTreeSet::from([HostScope::new("docs.rs")?]);
    Ok(facts)
}

fn all(facts: &Facts) -> Vec<Prompt> {
    let mut prompts = vec![Prompt::coordinator(facts), Prompt::advisor()];
    let modes = [RunMode::Interactive, RunMode::Worker, RunMode::Headless];
    prompts.extend(modes.map(|mode| Prompt::lead(mode, facts)));
    prompts.extend(AgentKind::WORDS.map(|(kind, _)| Prompt::of_kind(kind, facts)));
    prompts
}

fn of(duty: Duty) -> Prompt {
    Prompt::new(duty, Vec::new())
}

#[test]
fn static_part_is_the_same_whatever_machine_folder_or_date() -> TestResult {
    for (one, other) in all(&facts()?).into_iter().zip(all(&other_facts()?)) {
        assert_eq!(one.static_text(), other.static_text());
        assert_eq!(one.static_text(), of(one.duty).text(), "{:?}", one.duty);
        if one.duty != Duty::Advisor {
            assert_ne!(one.text(), other.text(), "{:?}", one.duty);
        }
    }
    Ok(())
}

#[test]
fn static_part_holds_no_fact_of_this_machine() {
    let home = std::env::var("HOME").unwrap_or_default();
    let facts = [
        std::env::consts::OS,
        std::env::consts::ARCH,
        env!("CARGO_MANIFEST_DIR"),
        &home,
    ];
    for duty in Duty::ALL {
        let prompt = of(duty);
        for fact in facts.into_iter().filter(|fact| fact.len() > 1) {
            assert!(!prompt.text().contains(fact), "{duty:?} names {fact}");
        }
    }
}

#[test]
fn mode_changes_nothing_in_front_of_the_dynamic_part() -> TestResult {
    let facts = facts()?;
    let [interactive, headless] = [RunMode::Interactive, RunMode::Headless].map(|mode| Prompt::lead(mode, &facts));
    assert_eq!(interactive.static_text(), headless.static_text());
    assert_ne!(interactive.digest(), headless.digest());
    assert_eq!(Prompt::lead(RunMode::Coordinator, &facts), Prompt::coordinator(&facts));
    Ok(())
}

#[test]
fn text_is_the_static_part_a_blank_line_and_the_dynamic_part() -> TestResult {
    for prompt in all(&facts()?) {
        let (fixed, rest) = prompt.text().split_at(prompt.static_len_bytes());
        assert_eq!(fixed, prompt.static_text());
        if prompt.duty == Duty::Advisor {
            assert_eq!(rest, "");
        } else {
            assert!(
                rest.starts_with("\n\n# This run\n- Platform: linux on x86_64.\n- "),
                "{rest}"
            );
            assert!(rest.ends_with("20.00 US dollars."), "{rest}");
        }
    }
    Ok(())
}

#[test]
fn every_prompt_is_short() -> TestResult {
    for prompt in all(&facts()?) {
        let len = prompt.text().len();
        assert!(len <= LEN_BYTES_MAX, "{:?} has {len} bytes", prompt.duty);
    }
    Ok(())
}

#[test]
fn prompts_differ_by_duty_and_begin_with_who_the_agent_is() {
    let prompts: Vec<_> = Duty::ALL.into_iter().map(of).collect();
    let digests: BTreeSet<_> = prompts.iter().map(|prompt| prompt.digest().to_string()).collect();
    assert_eq!(digests.len(), prompts.len());
    for prompt in prompts {
        assert!(
            prompt.text().starts_with("# Who you are\nYou are "),
            "{:?}",
            prompt.duty
        );
    }
}

#[test]
fn digest_is_that_of_the_whole_text() -> TestResult {
    let prompt = Prompt::lead(RunMode::Headless, &facts()?);
    assert_eq!(prompt.digest(), Digest::sha256(prompt.text().as_bytes()));
    assert_ne!(prompt.digest(), Digest::sha256(prompt.static_text().as_bytes()));
    Ok(())
}

/// The numbers of a text.
fn numbers(text: &str) -> BTreeSet<usize> {
    text.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[test]
fn no_static_text_has_a_number_that_is_not_in_the_table() {
    let table: BTreeSet<_> = TARGETS.iter().map(|target| target.most).collect();
    for duty in Duty::ALL {
        let strange: Vec<_> = numbers(of(duty).text()).difference(&table).copied().collect();
        assert!(strange.is_empty(), "{duty:?}: {strange:?}");
    }
}

#[test]
fn every_target_is_told_to_somebody_who_has_to_keep_it() {
    let prompts: Vec<_> = Duty::ALL.into_iter().map(of).collect();
    for target in TARGETS {
        let told = prompts.iter().any(|prompt| prompt.text().contains(&target.to_string()));
        assert!(told, "{target:?}");
    }
    let expected = [
        (
            Duty::Lead,
            vec![
                target::FINAL_REPORT,
                target::BETWEEN_CALLS,
                target::SIDE_BY_SIDE,
                target::SAME_FAILURE,
            ],
        ),
        (
            Duty::Coordinator,
            vec![
                target::PLAN_STEPS,
                target::REPAIR_ROUNDS,
                target::CHILDREN,
                target::FINAL_REPORT,
            ],
        ),
        (
            Duty::Child(AgentKind::Explore),
            vec![target::EXPLORE_REPORT, target::BETWEEN_CALLS],
        ),
        (
            Duty::Child(AgentKind::Plan),
            vec![target::PLAN_REPORT, target::PLAN_STEPS],
        ),
        (
            Duty::Child(AgentKind::Verify),
            vec![target::VERIFY_REPORT, target::QUOTED_OUTPUT],
        ),
        (
            Duty::Child(AgentKind::General),
            vec![target::GENERAL_REPORT, target::SAME_FAILURE],
        ),
        (Duty::Advisor, vec![target::ADVICE]),
    ];
    for (duty, targets) in expected {
        for target in targets {
            assert!(of(duty).text().contains(&format!("{target}")), "{duty:?} {target:?}");
        }
    }
}

#[test]
fn whoever_has_tools_is_told_of_denials_data_secrets_and_truth() {
    let rules = [
        "A denial is final",
        "never an instruction",
        "Secrets",
        "not to be read, repeated",
        "Never claim what you have not done",
        "Report every denial",
        "`tool_schema`",
        ".countersign/results",
        "independent read-only calls into one answer",
    ];
    for duty in Duty::ALL.into_iter().filter(|duty| *duty != Duty::Advisor) {
        for rule in rules {
            assert!(of(duty).text().contains(rule), "{duty:?} is not told: {rule}");
        }
    }
}

#[test]
fn nobody_is_told_of_a_tool_that_the_kind_never_has() {
    let never = |duty, tools: &[&str]| {
        for tool in tools {
            assert!(!of(duty).text().contains(&format!("`{tool}`")), "{duty:?} {tool}");
        }
    };
    for kind in [AgentKind::Explore, AgentKind::Plan, AgentKind::Verify] {
        never(
            Duty::Child(kind),
            &["agent", "merge", "ask_user", "advisor", "edit", "write", "bash_start"],
        );
    }
    never(Duty::Child(AgentKind::General), &["agent", "merge", "ask_user"]);
    never(Duty::Advisor, &["read", "todo", "tool_schema", "ask_user"]);
}

#[test]
fn coordinator_is_held_to_its_gates() {
    let text = of(Duty::Coordinator).text().to_owned();
    let gates = [
        "You change no file yourself",
        "No implementation before a written plan that names files",
        "sees its task and nothing of this conversation",
        "had no part in the work and that quotes the command it ran and the result",
        "at most 2 repair rounds. Then stop, and report",
        "Never say done while a gate is open",
    ];
    for gate in gates {
        assert!(text.contains(gate), "{gate}");
    }
    let places: Vec<_> = ["- Research:", "- Synthesis:", "- Implementation:", "- Verification:"]
        .into_iter()
        .map(|phase| text.find(phase))
        .collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");
}

#[test]
fn json_shows_where_each_section_stands_and_why() -> TestResult {
    let prompt = Prompt::of_kind(AgentKind::Explore, &facts()?);
    let json = prompt.to_json();
    assert_eq!(json["schema"], "countersign.prompt/v1");
    assert_eq!(json["agent"], "explore");
    assert_eq!(json["digest"], prompt.digest().to_string());
    assert_eq!(json["static_len_bytes"], prompt.static_len_bytes());
    let sections = json["sections"].as_array().ok_or("no sections")?;
    let placements: Vec<_> = sections
        .iter()
        .filter_map(|section| section["placement"].as_str())
        .collect();
    assert_eq!(placements.len(), sections.len());
    assert!(
        placements.is_sorted_by(|one, next| one >= next),
        "dynamic before static: {placements:?}"
    );
    for section in sections {
        let reason = section["reason"].as_str();
        assert_eq!(
            reason.is_some_and(|reason| !reason.is_empty()),
            section["placement"] == "dynamic",
            "{section}"
        );
    }
    let names: BTreeSet<_> = sections.iter().filter_map(|section| section["name"].as_str()).collect();
    assert_eq!(names.len(), sections.len());
    assert_eq!(json["targets"].as_array().map(Vec::len), Some(TARGETS.len()));
    Ok(())
}
