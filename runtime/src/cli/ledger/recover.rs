//! `countersign ledger recover`: going on with a ledger that lost entries, or whose process died.

use std::fmt::Write as _;
use std::io::{self, Write};

use countersign_ledger::head_file::HeadError;
use countersign_schemas::number::Millis;
use countersign_verifier::audit::ReplayError;
use countersign_verifier::visible::visible;
use serde_json::{Value, json};

use super::{latest, time};
use crate::cli::arguments::RecoverArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::init::home;
use crate::cli::keys;
use crate::cli::session::{block_on, cannot_go_on, place};
use crate::recorder::{HeadLoss, OpenError, RecordError, RecoverError, Recovery, WalLoss};

/// The most of a path or an error that a line for a person shows.
const SHOWN_CHARS_MAX: usize = 4_096;

/// Recovers a ledger, or says that there is nothing to recover.
pub(super) fn recover(arguments: RecoverArguments) -> Result<Exit, Failure> {
    let home = home()?;
    let ledger = arguments.ledger.map_or_else(latest, Ok)?;
    let authority = keys::authority(&home)?;
    let place = place(&home, ledger.clone(), arguments.head_file)?;
    let recovery = match Recovery::look(&place, &authority) {
        Ok(Some(recovery)) => recovery,
        Ok(None) => return nothing_to_recover(&ledger.display().to_string(), arguments.json),
        // Its last entry says that nothing is missing behind it.
        Err(RecoverError::Open(OpenError::Closed { .. })) => {
            return nothing_to_recover(&ledger.display().to_string(), arguments.json);
        }
        Err(error) => return Err(failure(&error, &ledger)),
    };
    let found = Found::of(&recovery);
    let close = arguments.close;
    let entered = block_on(|_, _| async move {
        let recorder = recovery.enter(&authority)?;
        if close {
            recorder.close().await
        } else {
            recorder.leave().await
        }
    })?;
    entered.map_err(|error: RecordError| {
        Failure::caused(Exit::Environment, "the recovery could not be finished", &error)
            .hint("what was entered stays; `countersign ledger recover` can be run again")
    })?;
    let shown = visible(&ledger.display().to_string(), SHOWN_CHARS_MAX);
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", found.to_json(&ledger.display().to_string(), close))?;
    } else {
        write!(out, "{}", found.to_text(&shown, close))?;
    }
    Ok(Exit::Done)
}

fn nothing_to_recover(ledger: &str, json: bool) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(
            out,
            "{}",
            json!({ "schema": "countersign.recovery/v1", "ledger": ledger, "recovered": false })
        )?;
    } else {
        writeln!(
            out,
            "nothing to recover in {}: nothing was changed",
            visible(ledger, SHOWN_CHARS_MAX)
        )?;
    }
    Ok(Exit::Done)
}

/// What there was to recover, told when it is done.
struct Found {
    entries: u64,
    last_received: Millis,
    crashed: Vec<u64>,
    wal: Option<WalLoss>,
    head: Option<HeadLoss>,
}

impl Found {
    fn of(recovery: &Recovery) -> Self {
        Self {
            entries: recovery.found.get(),
            last_received: recovery.last_received,
            crashed: recovery.crashed.iter().map(|seq| seq.get()).collect(),
            wal: recovery.wal.clone(),
            head: recovery.head.clone(),
        }
    }

    fn to_json(&self, ledger: &str, closed: bool) -> Value {
        let wal = self.wal.as_ref().map(|wal| {
            json!({ "frame": wal.damage.frame, "commits_lost": wal.damage.commits, "aside": wal.aside.display().to_string() })
        });
        let head = self.head.as_ref().map(|head| {
            let size = covered(&head.fault);
            json!({ "fault": with_causes(&head.fault), "size": size, "aside": head.aside.display().to_string() })
        });
        json!({
            "schema": "countersign.recovery/v1", "ledger": ledger, "recovered": true, "closed": closed,
            "entries": self.entries, "last_received": time(self.last_received), "crashed": self.crashed,
            "wal": wal, "head": head,
        })
    }

    fn to_text(&self, ledger: &str, closed: bool) -> String {
        let mut text = format!("recovered {ledger}\n");
        let last = time(self.last_received);
        let last = last.as_str().unwrap_or("a time after the year 9999");
        let mut line = |name: &str, what: String| {
            let _ = writeln!(text, "{name:<9} {}", visible(&what, SHOWN_CHARS_MAX));
        };
        line(
            "found",
            format!("{} entries, the last received at {last}", self.entries),
        );
        for seq in &self.crashed {
            line("crashed", format!("the process introduced at entry {seq}"));
        }
        if let Some(wal) = &self.wal {
            let WalLoss { damage, aside } = wal;
            line(
                "lost",
                format!(
                    "about {} commits of the -wal, from frame {} on",
                    damage.commits, damage.frame
                ),
            );
            line("kept", format!("the damaged -wal as {}", aside.display()));
        }
        if let Some(head) = &self.head {
            line("lost", loss(&head.fault, self.entries));
            line("kept", format!("the head file as {}", head.aside.display()));
        }
        if self.wal.is_none() && self.head.is_none() {
            line("lost", "nothing that was durable, as far as its head shows".to_owned());
        }
        line(
            "now",
            if closed {
                "closed"
            } else {
                "open: a run can go on with it"
            }
            .to_owned(),
        );
        text
    }
}

/// What a head says is missing.
fn loss(fault: &HeadError, found: u64) -> String {
    match fault {
        HeadError::TailLost { head, .. } => {
            let lost = head.get().saturating_sub(found);
            format!("at least {lost} entries: its head is over {head}")
        }
        HeadError::OtherRoot { size, .. } => format!("its head is over {size} other entries"),
        other => format!("unknown: {}", with_causes(other)),
    }
}

/// Entries that the head is over, where it is one of this ledger.
fn covered(fault: &HeadError) -> Option<u64> {
    match fault {
        HeadError::TailLost { head, .. } => Some(head.get()),
        HeadError::OtherRoot { size, .. } => Some(size.get()),
        _ => None,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A broken rule is a refusal; what cannot be read or written is the environment's.
fn failure(error: &RecoverError, ledger: &std::path::Path) -> Failure {
    match error {
        RecoverError::Open(
            error @ OpenError::Unsound {
                source: ReplayError::Broken(_),
                ..
            },
        ) => Failure::caused(Exit::Failed, "the ledger is not recovered", error).hint(format!(
            "a rule is broken, so it was not only cut: `verify {}` shows what is wrong",
            ledger.display()
        )),
        RecoverError::Open(error) => cannot_go_on(error, ledger),
        RecoverError::Aside { .. } => Failure::caused(Exit::Environment, "the ledger is not recovered", error)
            .hint("what is damaged is set aside before anything is changed; make room for it"),
    }
}
