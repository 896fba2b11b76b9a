//! Where a conversation's lines come from: an editor at a terminal, or plain lines from anything else.

use std::io::{self, BufRead, Read, Write};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::exit::{Exit, Failure};
use super::keys::Input;

/// The longest line, in bytes; what goes on behind it is the next.
const LINE_LEN_BYTES_MAX: u64 = 1 << 20;

/// An instruction of this many bytes goes on in no further line.
const WHOLE_LEN_BYTES_MAX: usize = 1 << 20;

/// Takes back what the line editor asks of a terminal beside its settings: that pasted text is marked.
const MARK_NO_PASTES: &str = "\x1b[?2004l";

const PROMPT: &str = "> ";
const GOES_ON: &str = ". ";

/// What a person did at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Said this.
    Said(String),
    /// Pressed Ctrl-C.
    Interrupted,
    /// Closed the input.
    Ended,
}

/// The source of lines.
pub(super) struct Console {
    source: Mutex<Source>,
    /// How the terminal was set before.
    found: Option<Termios>,
}

enum Source {
    // Boxed: an editor carries its state machine with it.
    Terminal(Box<DefaultEditor>),
    Plain,
}

impl Console {
    /// An editor where a person can be asked, plain standard input otherwise.
    pub(super) fn open(input: Input) -> Result<Self, Failure> {
        let source = if input.is_possible() {
            let editor =
                DefaultEditor::new().map_err(|error| Failure::caused(Exit::Environment, "the terminal", &error))?;
            Source::Terminal(Box::new(editor))
        } else {
            Source::Plain
        };
        let found = match source {
            Source::Terminal(_) => tcgetattr(io::stdin()).ok(),
            Source::Plain => None,
        };
        Ok(Self {
            source: Mutex::new(source),
            found,
        })
    }

    /// Sets the terminal as it was found. A line that nobody will end, because the run was ended from outside, still
    /// has it in the hands of the editor, and the shell that comes next would get it like that.
    pub(super) fn restore(&self) {
        if let Some(found) = &self.found {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
            let mut out = io::stderr();
            let _ = write!(out, "{MARK_NO_PASTES}").and_then(|()| out.flush());
        }
    }

    /// Reads one instruction. A line that ends in a backslash goes on in the next. Blocks.
    pub(super) fn read(&self) -> Line {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = String::new();
        loop {
            let prompt = if whole.is_empty() { PROMPT } else { GOES_ON };
            let line = match source.line(prompt) {
                Line::Said(line) => line,
                Line::Ended if !whole.is_empty() => return Line::Said(whole),
                other => return other,
            };
            match line.strip_suffix('\\') {
                Some(beginning) if whole.len() < WHOLE_LEN_BYTES_MAX => {
                    whole.push_str(beginning);
                    whole.push('\n');
                }
                Some(_) | None => {
                    whole.push_str(&line);
                    source.remember(&whole);
                    return Line::Said(whole);
                }
            }
        }
    }
}

impl Source {
    fn line(&mut self, prompt: &str) -> Line {
        match self {
            Self::Terminal(editor) => match editor.readline(prompt) {
                Ok(line) => Line::Said(line),
                Err(ReadlineError::Interrupted) => Line::Interrupted,
                Err(_) => Line::Ended,
            },
            Self::Plain => plain(&mut io::stdin().lock()),
        }
    }

    /// For this session only: instructions are in the ledger, not in a history file.
    fn remember(&mut self, line: &str) {
        if let Self::Terminal(editor) = self {
            let _ = editor.add_history_entry(line);
        }
    }
}

fn plain(input: &mut impl BufRead) -> Line {
    let mut bytes = Vec::new();
    match input.take(LINE_LEN_BYTES_MAX).read_until(b'\n', &mut bytes) {
        Ok(1..) => {
            let line = String::from_utf8_lossy(&bytes);
            Line::Said(line.trim_end_matches(['\r', '\n']).to_owned())
        }
        Ok(0) | Err(_) => Line::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_read_until_the_input_ends() {
        let mut input = io::Cursor::new(b"first\r\n\nlast".to_vec());
        let read: Vec<Line> = std::iter::repeat_with(|| plain(&mut input)).take(4).collect();
        let said = |text: &str| Line::Said(text.to_owned());
        assert_eq!(read, [said("first"), said(""), said("last"), Line::Ended]);
    }

    #[test]
    fn endless_line_is_cut_and_not_lost() {
        let mut input = io::Cursor::new(vec![b'x'; 3 << 20]);
        let read: Vec<Line> = std::iter::repeat_with(|| plain(&mut input)).take(4).collect();
        assert!(
            read[..3]
                .iter()
                .all(|line| matches!(line, Line::Said(text) if text.len() == 1 << 20))
        );
        assert_eq!(read[3], Line::Ended);
    }
}
