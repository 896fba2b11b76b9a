//! `countersign chat`: a conversation with a lead agent, one run and one ledger long.

use std::io::{self, Write};
use std::sync::Arc;

use countersign_schemas::body::RunEndReason;
use countersign_verifier::visible::visible;

use super::arguments::ChatArguments;
use super::console::{Console, Line};
use super::exit::{Exit, Failure};
use super::interrupt::Interrupts;
use super::prompt::person;
use super::scene::Scene;
use super::session::{Front, Outfit, block_on};
use super::watch::Conversation;
use crate::session::{Instructor, TurnEnd};
use crate::tool::{BoxFuture, Canceller};

const HELP: &str = "\
/cost     what each agent has used, and what that costs
/agents   who was introduced, by whom, and who is at work
/ledger   where the ledger is, and its last entries
/help     this
/quit     end the run and close the ledger (as does the end of input)
Ctrl-C once stops the turn, twice the run. A line that ends in \\ goes on in the next.";

/// How many entries `/ledger` shows.
const LEDGER_TAIL: usize = 10;

/// Holds one conversation.
pub(super) fn run(arguments: ChatArguments) -> Result<Exit, Failure> {
    let outfit = Outfit::of(arguments.session)?;
    let scene = Arc::new(Scene::default());
    let console = Arc::new(Console::open(outfit.input)?);
    let Some(task) = first_task(arguments.task, &console, &scene) else {
        return Ok(Exit::Done);
    };
    let (observer, person) = (Arc::new(Conversation::new(Arc::clone(&scene))), person(outfit.input));
    let played = block_on(|cancel, interrupts| {
        let chat = Chat {
            console: Arc::clone(&console),
            interrupts,
            scene: Arc::clone(&scene),
        };
        outfit.play(Front {
            task,
            cancel,
            observer,
            person,
            instructor: Some(Arc::new(chat)),
        })
    });
    console.restore();
    let report = played??;
    if let Some(halt) = &report.halt {
        let result = super::run::shown(&report.result);
        let _ = writeln!(io::stderr(), "error: the run was halted: {}: {result}", halt.word());
    }
    if let Some(cost) = scene.cost_line() {
        let _ = writeln!(io::stderr(), "cost      {cost}");
    }
    let _ = writeln!(io::stderr(), "ledger    {}", report.ledger.display());
    Ok(Exit::of_run(report.reason))
}

/// The task that was given, or what the person says first; nothing, and no run, if that is nothing.
fn first_task(given: Option<String>, console: &Console, scene: &Scene) -> Option<String> {
    if given.is_some() {
        return given;
    }
    let _ = writeln!(
        io::stderr(),
        "What is to be done? /help tells what else can be said here."
    );
    next_instruction(console, scene)
}

/// Reads until something is said to the lead; commands are answered on the way.
fn next_instruction(console: &Console, scene: &Scene) -> Option<String> {
    let mut interrupted = false;
    loop {
        match console.read() {
            Line::Ended => return None,
            Line::Interrupted if interrupted => return None,
            Line::Interrupted => {
                interrupted = true;
                let _ = writeln!(io::stderr(), "(once more to end the run)");
            }
            Line::Said(text) => match text.trim() {
                "" => {}
                "/quit" | "/exit" => return None,
                command if command.starts_with('/') => {
                    interrupted = false;
                    obey(command, scene);
                }
                _ => return Some(text),
            },
        }
    }
}

fn obey(command: &str, scene: &Scene) {
    let lines = match command {
        "/help" => vec![HELP.to_owned()],
        "/cost" => scene.cost_lines(),
        "/agents" => scene.agent_lines(),
        "/ledger" => ledger_lines(scene),
        other => vec![format!("there is no {}; /help lists what there is", visible(other, 40))],
    };
    let mut out = io::stderr().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

fn ledger_lines(scene: &Scene) -> Vec<String> {
    let (path, id) = scene.ledger();
    if path.is_empty() {
        return vec!["no ledger yet: it begins with the first task".to_owned()];
    }
    let mut lines = vec![format!("ledger    {path}"), format!("id        {id}")];
    match super::ledger::tail(path.as_ref(), LEDGER_TAIL) {
        Ok(tail) => lines.extend(tail),
        Err(failure) => lines.push(failure.to_string()),
    }
    lines
}

/// The person at the console, as the one who instructs the lead.
struct Chat {
    console: Arc<Console>,
    interrupts: Arc<Interrupts>,
    scene: Arc<Scene>,
}

impl Instructor for Chat {
    fn turn_begins(&self, turn: Canceller) {
        self.interrupts.turn_begins(turn);
    }

    fn next<'a>(&'a self, ended: &'a TurnEnd) -> BoxFuture<'a, Option<String>> {
        self.interrupts.turn_ended();
        if ended.reason != RunEndReason::Done {
            let reason = super::run::shown(&ended.result);
            let _ = writeln!(io::stderr(), "the turn ended: {}: {reason}", ended.reason);
        }
        let (console, scene) = (Arc::clone(&self.console), Arc::clone(&self.scene));
        Box::pin(async move {
            // Reading a line blocks for as long as the person thinks.
            let read = tokio::task::spawn_blocking(move || next_instruction(&console, &scene));
            read.await.ok().flatten()
        })
    }
}
