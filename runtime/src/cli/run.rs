//! `countersign run`: an agent works on a task in a folder.

use std::io::{self, Write};
use std::sync::Arc;

use countersign_schemas::body::RunEndReason;
use countersign_verifier::visible::visible;

use super::arguments::RunArguments;
use super::exit::{Exit, Failure};
use super::prompt::person;
use super::scene::Scene;
use super::session::{Front, Outfit, block_on};
use super::watch::{Show, Watcher};
use crate::session::RunReport;

/// Plays one run to its end.
pub(super) fn run(arguments: RunArguments) -> Result<Exit, Failure> {
    if arguments.task.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "the task is empty").hint("say in a sentence what is to be done"));
    }
    let show = if arguments.json { Show::Json } else { Show::Text };
    let outfit = Outfit::of(arguments.session)?;
    let scene = Arc::new(Scene::default());
    let observer = Arc::new(Watcher::new(show, Arc::clone(&scene)));
    let person = person(outfit.input);
    let report = block_on(|cancel, _| {
        outfit.play(Front {
            task: arguments.task,
            cancel,
            observer,
            person,
            instructor: None,
        })
    })??;
    finish(&report, show, &scene)
}

/// The lead's last words, line by line, without anything a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.lines()
        .map(|line| visible(line, usize::MAX))
        .collect::<Vec<_>>()
        .join("\n")
}

fn finish(report: &RunReport, show: Show, scene: &Scene) -> Result<Exit, Failure> {
    if show == Show::Text {
        let result = shown(&report.result);
        let mut out = io::stdout().lock();
        match report.reason {
            RunEndReason::Done => writeln!(out, "{result}")?,
            reason => {
                let _ = match &report.halt {
                    Some(halt) => writeln!(io::stderr(), "error: the run was halted: {}: {result}", halt.word()),
                    None => writeln!(io::stderr(), "error: the run ended: {reason}: {result}"),
                };
            }
        }
        if let Some(cost) = scene.cost_line() {
            let _ = writeln!(io::stderr(), "cost      {cost}");
        }
        let _ = writeln!(io::stderr(), "ledger    {}", report.ledger.display());
    }
    Ok(Exit::of_run(report.reason))
}
