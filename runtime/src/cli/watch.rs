//! Shows a run while it goes on: lines for a person on stderr, or JSON lines on stdout.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_schemas::body::FinishOutcome;
use countersign_verifier::visible::{visible, visible_json};

use super::scene::Scene;
use super::voice::say;
use crate::session::{Event, LEAD_NAME, Observer, Ruled};

/// The most of a model's words that a line shows; the ledger has them all.
const TEXT_CHARS_MAX: usize = 400;
const TEXT_LINES_MAX: usize = 12;

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Lines for a person, on stderr.
    Text,
    /// JSON lines, on stdout.
    Json,
}

/// Writes every event as it comes.
pub(crate) struct Watcher {
    show: Show,
    scene: Arc<Scene>,
}

impl Watcher {
    pub(crate) const fn new(show: Show, scene: Arc<Scene>) -> Self {
        Self { show, scene }
    }
}

impl Observer for Watcher {
    fn observe(&self, event: &Event) {
        self.scene.observe(event);
        match self.show {
            Show::Text => text(event).into_iter().for_each(say),
            Show::Json => {
                let line = visible_json(&event.to_json().to_string());
                let mut out = io::stdout().lock();
                // A front end that went away must not stop the run: the ledger has it all.
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
        }
    }
}

/// Shows a run as a conversation: the lead's words as they come in, on stdout; all else in lines, on stderr.
pub(crate) struct Conversation {
    scene: Arc<Scene>,
    /// Whether the lead is in the middle of a line.
    is_mid_line: Mutex<bool>,
}

impl Conversation {
    pub(crate) fn new(scene: Arc<Scene>) -> Self {
        Self {
            scene,
            is_mid_line: Mutex::new(false),
        }
    }

    /// Shows `text` behind what the lead has said of its line.
    fn go_on(&self, text: &str) {
        let mut is_mid_line = self.is_mid_line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout().lock();
        let lines: Vec<String> = text.split('\n').map(|line| visible(line, usize::MAX)).collect();
        let _ = write!(out, "{}", lines.join("\n")).and_then(|()| out.flush());
        *is_mid_line = !text.ends_with('\n');
    }

    fn end_line(&self) {
        let mut is_mid_line = self.is_mid_line.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *is_mid_line) {
            let _ = writeln!(io::stdout());
        }
    }
}

impl Observer for Conversation {
    fn observe(&self, event: &Event) {
        self.scene.observe(event);
        match event {
            Event::Piece { agent, text } if agent == LEAD_NAME => self.go_on(text),
            Event::Said { agent, .. } if agent == LEAD_NAME => self.end_line(),
            _ => {
                if let Some(line) = text(event) {
                    self.end_line();
                    say(line);
                }
            }
        }
    }
}

fn text(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunStarted { path, .. } => format!("ledger    {path}"),
        Event::AgentStarted {
            agent,
            did,
            parent: Some(parent),
        } => {
            format!("{agent:<9} introduced by {parent} as {}", shortened(did))
        }
        Event::AgentStarted {
            agent,
            did,
            parent: None,
        } => format!("{agent:<9} introduced as {}", shortened(did)),
        // A person reads whole answers here; pieces are for a conversation.
        Event::Piece { .. } | Event::Spent { .. } | Event::TurnEnded { .. } => return None,
        Event::Retried { agent, reason } => format!("{agent:<9}   asked again: {}", visible(reason, TEXT_CHARS_MAX)),
        Event::Said { agent, text } => format!("{agent:<9} {}", indented(text)),
        Event::Decided {
            agent,
            tool,
            summary,
            ruling,
            reasons,
        } => {
            let mark = match ruling {
                Ruled::Allowed => "allowed ",
                Ruled::Approved => "approved",
                Ruled::Refused(_) => "refused ",
            };
            let why = if reasons.is_empty() {
                String::new()
            } else {
                format!("  — {}", reasons.join("; "))
            };
            format!("{agent:<9}   {mark}  {tool} {summary}{why}")
        }
        Event::Finished {
            outcome: FinishOutcome::Ok,
            ..
        } => return None,
        Event::Finished { agent, tool, outcome } => format!("{agent:<9}   {tool} ended: {outcome}"),
        Event::AdviceUsed {
            agent,
            relation,
            reason,
        } => {
            format!("{agent:<9}   advice {relation}: {}", printable(reason))
        }
        Event::AgentStopped { agent } => format!("{agent:<9} stopped"),
        Event::RunEnded {
            halt: Some(halt),
            reason,
            ..
        } => format!("run       {reason}: {}", halt.word()),
        Event::RunEnded { reason, .. } => format!("run       {reason}"),
    })
}

/// The beginning of a DID: enough to tell two apart on a screen.
fn shortened(did: &str) -> String {
    did.chars().take(24).chain(['…']).collect()
}

/// The words of a model below each other, each line made visible, cut where they go on for long.
fn indented(text: &str) -> String {
    let mut lines: Vec<String> = text.trim_end().lines().map(printable).collect();
    if lines.len() > TEXT_LINES_MAX {
        lines.truncate(TEXT_LINES_MAX);
        lines.push("…".to_owned());
    }
    lines.join("\n          ")
}

/// One line, with everything a terminal would obey made visible.
fn printable(text: &str) -> String {
    visible(text.trim_end(), TEXT_CHARS_MAX)
}
