//! `ask_user`: a question to the person, and their answer as they gave it.

use countersign_schemas::body::FinishOutcome;

use super::builtin::ASK_USER;
use super::error::ToolError;
use super::preview::floor_boundary;
use super::spec::ToolSpec;
use super::{BoxFuture, RunContext, Tool, ToolOutput};
use crate::gate::Permit;

/// Longest answer in bytes: a pasted page. What is longer belongs into a file.
const ANSWER_LEN_BYTES_MAX: usize = 16 << 10;

/// Asks. It has no time limit of its own: a person takes as long as a person takes, and can interrupt instead.
pub(super) struct AskUser;

impl Tool for AskUser {
    fn spec(&self) -> &'static ToolSpec {
        &ASK_USER
    }

    fn run(&self, permit: Permit, context: RunContext) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let call = permit.redeem(ASK_USER.name, context.started)?;
            let members = ASK_USER.parse(call.arguments())?;
            let question = members.text("question")?;
            let answer = tokio::select! {
                biased;
                () = context.cancel.raised() => return Err(ToolError::Cancelled),
                answer = context.person.ask(context.agent.as_str(), question) => answer,
            };
            Ok(ToolOutput {
                content: told(answer.ok_or(ToolError::NobodyToAsk)?),
                outcome: FinishOutcome::Ok,
            })
        })
    }
}

/// The answer as it was given, unless there is too much or nothing of it.
fn told(mut answer: String) -> String {
    if answer.is_empty() {
        return "[the person gave an empty answer]".to_owned();
    }
    let len = answer.len();
    if len > ANSWER_LEN_BYTES_MAX {
        answer.truncate(floor_boundary(&answer, ANSWER_LEN_BYTES_MAX));
        let rest = len - answer.len();
        answer.push_str(&format!("\n[the answer goes on; its last {rest} bytes are left out]"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::tool::test_support::{Bench, LEAD, TestResult};
    use crate::tool::{Person, TODO};

    /// Gives always the same answer, which may name what it was asked and by whom.
    struct Answers(fn(&str, &str) -> Option<String>);

    impl Person for Answers {
        fn ask<'a>(&'a self, agent: &'a str, question: &'a str) -> BoxFuture<'a, Option<String>> {
            Box::pin(std::future::ready((self.0)(agent, question)))
        }

        fn show_list<'a>(&'a self, _agent: &'a str, _items: &'a str) {}
    }

    /// Never answers.
    struct Thinks;

    impl Person for Thinks {
        fn ask<'a>(&'a self, _agent: &'a str, _question: &'a str) -> BoxFuture<'a, Option<String>> {
            Box::pin(std::future::pending())
        }

        fn show_list<'a>(&'a self, _agent: &'a str, _items: &'a str) {}
    }

    async fn ask(
        bench: &Bench,
        person: impl Person + 'static,
    ) -> Result<Result<ToolOutput, ToolError>, Box<dyn std::error::Error>> {
        let permit = bench.permit(LEAD, &ASK_USER, &json!({ "question": "Tabs or spaces?" }))?;
        let context = RunContext {
            person: Arc::new(person),
            ..bench.context()
        };
        Ok(AskUser.run(permit, context).await)
    }

    #[tokio::test]
    async fn answer_comes_back_as_it_was_given() -> TestResult {
        let bench = Bench::new()?;
        let output = ask(
            &bench,
            Answers(|agent, question| Some(format!(" {agent}, {question}\nSpaces. "))),
        )
        .await??;
        let expected = format!(" {}, Tabs or spaces?\nSpaces. ", bench.context().agent);
        assert_eq!((output.content, output.outcome), (expected, FinishOutcome::Ok));
        Ok(())
    }

    #[tokio::test]
    async fn where_nobody_is_the_agent_is_told_what_to_do_instead() -> TestResult {
        let bench = Bench::new()?;
        let output = match ask(&bench, Answers(|_, _| None)).await? {
            Ok(output) => output,
            Err(error) => ToolOutput::from(error),
        };
        let expected = "nobody can be asked here; decide yourself or stop and say what is missing";
        assert_eq!(
            (output.content.as_str(), output.outcome),
            (expected, FinishOutcome::Error)
        );
        Ok(())
    }

    #[tokio::test]
    async fn interruption_ends_the_wait() -> TestResult {
        let bench = Bench::new()?;
        let canceller = bench.canceller.clone();
        let interrupt = async {
            tokio::task::yield_now().await;
            canceller.cancel();
        };
        let (refused, ()) = tokio::join!(ask(&bench, Thinks), interrupt);
        assert!(matches!(refused?, Err(ToolError::Cancelled)));
        Ok(())
    }

    #[tokio::test]
    async fn nothing_is_asked_after_an_interruption() -> TestResult {
        let bench = Bench::new()?;
        bench.canceller.cancel();
        let refused = ask(&bench, Answers(|_, _| Some("asked all the same".to_owned()))).await?;
        assert!(matches!(refused, Err(ToolError::Cancelled)), "{refused:?}");
        Ok(())
    }

    #[tokio::test]
    async fn permit_of_another_tool_is_refused() -> TestResult {
        let bench = Bench::new()?;
        let permit = bench.permit(LEAD, &TODO, &json!({ "items": "" }))?;
        let refused = AskUser.run(permit, bench.context()).await;
        assert!(matches!(refused, Err(ToolError::Permit(_))), "{refused:?}");
        Ok(())
    }

    #[test]
    fn too_long_an_answer_is_cut_between_characters_and_says_so() {
        let whole = "x".repeat(ANSWER_LEN_BYTES_MAX);
        assert_eq!(told(whole.clone()), whole);
        let cut = told(format!("x{}", "\u{e4}".repeat(ANSWER_LEN_BYTES_MAX / 2)));
        let kept = format!("x{}", "\u{e4}".repeat(ANSWER_LEN_BYTES_MAX / 2 - 1));
        assert_eq!(
            cut,
            format!("{kept}\n[the answer goes on; its last 2 bytes are left out]")
        );
        assert_eq!(told(String::new()), "[the person gave an empty answer]");
    }
}
