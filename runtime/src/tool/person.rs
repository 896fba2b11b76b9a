//! The person before whom the agents work: can be asked, and is shown an agent's list.
//!
//! Approvals are not here: they are signed orders and go through the gate. What a person says here is an answer to a
//! question and permits nothing.

use super::BoxFuture;

/// Someone whom the agents of a run can ask.
pub trait Person: Send + Sync {
    /// Puts `question` of the agent named `agent` to the person, and waits for the answer for as long as it takes.
    ///
    /// `None` when there is nobody, or nobody who answers. Both texts come from a model: an implementation that shows
    /// them on a terminal makes them visible first. Dropping the future takes the question back.
    fn ask<'a>(&'a self, agent: &'a str, question: &'a str) -> BoxFuture<'a, Option<String>>;

    /// Shows the list of the agent named `agent`, one item a line, in place of the one shown before.
    ///
    /// Returns at once. Both texts come from a model, as with [`Person::ask`].
    fn show_list<'a>(&'a self, agent: &'a str, items: &'a str);
}

/// The person of a run before which nobody sits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nobody;

impl Person for Nobody {
    fn ask<'a>(&'a self, _agent: &'a str, _question: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    fn show_list<'a>(&'a self, _agent: &'a str, _items: &'a str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_gives_no_answer() {
        assert_eq!(Nobody.ask("lead", "May I?").await, None);
    }
}
