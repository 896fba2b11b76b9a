//! The person at the terminal: is asked whether an action may happen, and what an agent wants to know.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use countersign_verifier::visible::visible;
use rustix::termios::{QueueSelector, tcflush};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::keys::Input;
use super::voice::{Silence, say};
use crate::gate::Prompt;
use crate::tool::{BoxFuture, Nobody, Person};

/// Whoever puts a question holds this until it is answered: agents work side by side, and there is one terminal.
static QUESTION: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The terminal on stdin and stderr.
pub(crate) struct Terminal;

/// The person at this terminal, or nobody.
pub(crate) fn person(input: Input) -> Arc<dyn Person> {
    if input.is_possible() {
        Arc::new(Terminal)
    } else {
        Arc::new(Nobody)
    }
}

impl Terminal {
    /// Whether somebody can be asked here at all.
    pub(crate) fn is_attended() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

impl Prompt for Terminal {
    fn ask<'a>(&'a self, agent: &'a str, text: &'a [u8]) -> BoxFuture<'a, Option<bool>> {
        let shown = format!(
            "\n--- {} needs your approval ---\n{}\n--- approve? [y/N] ",
            shown_exactly(agent.as_bytes()),
            shown_exactly(text)
        );
        Box::pin(async move {
            let _alone = QUESTION.lock().await;
            loop {
                match put(&shown).await?.trim() {
                    "y" | "Y" | "yes" => return Some(true),
                    "" | "n" | "N" | "no" => return Some(false),
                    _ => {}
                }
            }
        })
    }
}

impl Person for Terminal {
    fn ask<'a>(&'a self, agent: &'a str, question: &'a str) -> BoxFuture<'a, Option<String>> {
        let shown = format!("\n--- {agent} asks ---\n{}\n> ", shown_exactly(question.as_bytes()));
        Box::pin(async move {
            let _alone = QUESTION.lock().await;
            put(&shown).await
        })
    }

    fn show_list<'a>(&'a self, agent: &'a str, items: &'a str) {
        say(format!("{agent:<9} is at:\n{}", shown_exactly(items.as_bytes())));
    }
}

/// Shows `question` and waits for one line; nothing at the end of input.
///
/// Nothing reads while nothing has been typed: a question that is taken back, because this future is dropped, leaves
/// the terminal to whoever reads next.
async fn put(question: &str) -> Option<String> {
    let _silence = Silence::begin();
    // What was typed before the question was shown is no answer to it.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    let mut out = io::stderr();
    write!(out, "{question}").ok()?;
    out.flush().ok()?;
    let typed = typed().ok()?;
    // A terminal that hands over whole lines is readable once there is one, or the end of input.
    let _ready = typed.readable().await.ok()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Standard input, to be waited for.
#[expect(
    deprecated,
    reason = "the other way is unsafe code; standard input stays open as long as the process, which is all it asks"
)]
fn typed() -> io::Result<AsyncFd<io::Stdin>> {
    AsyncFd::with_interest(io::stdin(), Interest::READABLE)
}

/// The exact bytes, line by line, with everything a terminal would obey or reorder made visible.
fn shown_exactly(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .lines()
        .map(|line| visible(line, usize::MAX))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::shown_exactly;

    #[test]
    fn nothing_a_terminal_obeys_survives() {
        assert_eq!(shown_exactly(b"rm \x1b[2K\xe2\x80\xaels"), "rm \\u{1b}[2K\\u{202e}ls");
        assert_eq!(shown_exactly("tool: bash\nä".as_bytes()), "tool: bash\nä");
    }
}
