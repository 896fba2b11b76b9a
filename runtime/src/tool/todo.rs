//! `todo`: the agent's own list of steps, shown to the person.

use std::fmt;

use countersign_schemas::body::FinishOutcome;
use thiserror::Error;

use super::builtin::TODO;
use super::error::ToolError;
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;

/// Most steps of a list: what fits a screen.
const STEPS_MAX: usize = 50;
/// Longest step in characters: what fits a line or two.
const STEP_CHARS_MAX: usize = 200;
/// How much of a line that is no step its error repeats, in characters.
const REPEATED_CHARS_MAX: usize = 40;

/// Takes lists. It keeps none: what an agent's list says is in its conversation and in the ledger.
pub(super) struct Todo;

impl Tool for Todo {
    fn spec(&self) -> &'static ToolSpec {
        &TODO
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = permit.redeem(TODO.name, context.started)?;
            let members = TODO.parse(call.arguments())?;
            let items = members.text("items")?;
            let list = List::parse(items)?;
            context.person.show_list(context.agent.as_str(), items);
            Ok(ToolOutput {
                content: list.to_string(),
                outcome: FinishOutcome::Ok,
            })
        })
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    InHand,
    Done,
}

/// A list as far as its summary needs it.
#[derive(Debug, PartialEq, Eq)]
struct List<'a>(Vec<(State, &'a str)>);

impl<'a> List<'a> {
    fn parse(items: &'a str) -> Result<Self, TodoError> {
        let lines = items.lines().count();
        if lines > STEPS_MAX {
            return Err(TodoError::TooMany { lines });
        }
        let mut steps = Vec::with_capacity(lines);
        let mut in_hand = None;
        for (line, text) in (1..).zip(items.lines()) {
            let step = parse_step(line, text)?;
            if step.0 == State::InHand
                && let Some(first) = in_hand.replace(line)
            {
                return Err(TodoError::TwoInHand { first, second: line });
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }

    fn count(&self, state: State) -> usize {
        self.0.iter().filter(|(found, _)| *found == state).count()
    }
}

fn parse_step(line: usize, text: &str) -> Result<(State, &str), TodoError> {
    let marks = [
        ("- [ ] ", State::Open),
        ("- [~] ", State::InHand),
        ("- [x] ", State::Done),
    ];
    let found = marks
        .into_iter()
        .find_map(|(mark, state)| Some((state, text.strip_prefix(mark)?)));
    let Some((state, step)) = found.filter(|(_, step)| !step.trim().is_empty()) else {
        return Err(TodoError::NoStep {
            line,
            found: text.chars().take(REPEATED_CHARS_MAX).collect(),
        });
    };
    let chars = step.chars().count();
    if chars > STEP_CHARS_MAX {
        return Err(TodoError::TooLong { line, chars });
    }
    Ok((state, step))
}

/// One line that says how far the work is.
impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the list is empty");
        }
        write!(f, "{} of {} done", self.count(State::Done), self.0.len())?;
        match self.0.iter().find(|(state, _)| *state == State::InHand) {
            Some((_, step)) => write!(f, "; in hand: {step}"),
            None if self.count(State::Open) > 0 => f.write_str("; none in hand"),
            None => Ok(()),
        }
    }
}

/// Why a text is no list of steps. The list before it stays.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TodoError {
    /// More steps than a list takes.
    #[error("the list has {lines} lines, at most {STEPS_MAX} are taken: put small steps together")]
    TooMany {
        /// Lines given.
        lines: usize,
    },
    /// A line that is no step.
    #[error(
        "line {line} is {found:?}; each line has to be `- [ ] text`, `- [~] text` (in hand) or `- [x] text` (done)"
    )]
    NoStep {
        /// Number of the line, the first being 1.
        line: usize,
        /// Its first 40 characters.
        found: String,
    },
    /// A step that is longer than a list takes.
    #[error("the step in line {line} has {chars} characters, at most {STEP_CHARS_MAX} are taken")]
    TooLong {
        /// Number of the line, the first being 1.
        line: usize,
        /// Characters given.
        chars: usize,
    },
    /// Two steps in hand.
    #[error("lines {first} and {second} are both in hand (`[~]`), one at a time can be")]
    TwoInHand {
        /// Number of the first such line.
        first: usize,
        /// Number of the second.
        second: usize,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use serde_json::json;

    use super::*;
    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{Person, READ};

    /// Writes down what it is shown.
    #[derive(Default)]
    struct Reader(Mutex<Vec<String>>);

    impl Reader {
        fn shown(&self) -> Vec<String> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Person for Reader {
        fn ask<'a>(&'a self, _agent: &'a str, _question: &'a str) -> BoxFuture<'a, Option<String>> {
            Box::pin(std::future::ready(None))
        }

        fn show_list<'a>(&'a self, agent: &'a str, items: &'a str) {
            let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            shown.push(format!("{agent}: {items}"));
        }
    }

    fn refusal(items: &str) -> String {
        List::parse(items).map_or_else(|error| error.to_string(), |list| format!("accepted: {list}"))
    }

    #[tokio::test]
    async fn list_is_shown_and_summed_up_in_a_line() -> TestResult {
        let (bench, reader) = (Bench::new()?, Arc::new(Reader::default()));
        let items = "- [x] look\n- [~] mend add.sh\n- [ ] run the test";
        let permit = bench.permit(LEAD, &TODO, &json!({ "items": items }))?;
        let person: Arc<dyn Person> = reader.clone();
        let context = RunContext {
            person,
            ..bench.context()
        };
        let output = Todo.run(permit, context).await?;
        assert_eq!(output.content, "1 of 3 done; in hand: mend add.sh");
        assert_eq!(output.outcome, FinishOutcome::Ok);
        assert_eq!(reader.shown(), [format!("{}: {items}", bench.context().agent)]);
        Ok(())
    }

    #[tokio::test]
    async fn refused_list_is_not_shown() -> TestResult {
        let (bench, reader) = (Bench::new()?, Arc::new(Reader::default()));
        let permit = bench.permit(LEAD, &TODO, &json!({ "items": "look, then mend" }))?;
        let person: Arc<dyn Person> = reader.clone();
        let context = RunContext {
            person,
            ..bench.context()
        };
        let refused = Todo.run(permit, context).await;
        assert!(
            matches!(refused, Err(ToolError::Todo(TodoError::NoStep { line: 1, .. }))),
            "{refused:?}"
        );
        assert!(reader.shown().is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn permit_of_another_tool_is_refused() -> TestResult {
        let bench = Bench::new()?;
        let permit = bench.permit(LEAD, &READ, &json!({ "path": "a" }))?;
        let refused = Todo.run(permit, bench.context()).await;
        assert!(matches!(refused, Err(ToolError::Permit(_))), "{refused:?}");
        Ok(())
    }

    #[test]
    fn summary_says_how_far_the_work_is() {
        let cases = [
            ("", "the list is empty"),
            ("- [ ] a\n- [ ] b", "0 of 2 done; none in hand"),
            ("- [x] a\n- [x] b\n", "2 of 2 done"),
            ("- [~] a\r\n- [x] b", "1 of 2 done; in hand: a"),
        ];
        for (items, summary) in cases {
            assert_eq!(refusal(items), format!("accepted: {summary}"), "{items:?}");
        }
    }

    #[test]
    fn what_is_no_step_is_refused_with_the_forms_there_are() {
        let lines = [
            "- [ ]", "- [ ] ", "- [x]  ", "- [X] a", "- [>] a", "- [] a", "-[ ] a", "* [ ] a", "[ ] a", "1. a",
            " - [ ] a", "- [ ]a", "\t",
        ];
        for line in lines {
            let refused = refusal(&format!("- [ ] first\n{line}\n- [ ] last"));
            let expected = format!("line 2 is {line:?}; each line has to be `- [ ] text`");
            assert!(refused.starts_with(&expected), "{refused}");
        }
        assert!(refusal("- [ ] a\n\n- [ ] b").starts_with("line 2 is \"\"; "));
        let long = "x".repeat(10_000);
        assert!(refusal(&long).len() < 200, "an error repeats what it refuses");
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let steps = |count: usize| vec!["- [ ] a"; count].join("\n");
        assert!(refusal(&steps(STEPS_MAX)).starts_with("accepted"));
        assert_eq!(
            List::parse(&steps(STEPS_MAX + 1)),
            Err(TodoError::TooMany { lines: 51 })
        );
        let step = |chars: usize| format!("- [x] {}", "\u{e4}".repeat(chars));
        assert!(refusal(&step(STEP_CHARS_MAX)).starts_with("accepted"));
        let expected = TodoError::TooLong { line: 1, chars: 201 };
        assert_eq!(List::parse(&step(STEP_CHARS_MAX + 1)), Err(expected));
    }

    #[test]
    fn two_steps_in_hand_are_refused() {
        let refused = List::parse("- [~] a\n- [ ] b\n- [~] c");
        assert_eq!(refused, Err(TodoError::TwoInHand { first: 1, second: 3 }));
    }
}
