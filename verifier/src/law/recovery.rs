//! `ledger.recovered`: a ledger goes on although its end was lost (authority-v1 §5.4, I7, C1).

use countersign_ledger::head_file::{self, HeadError};
use countersign_ledger::merkle::Root;
use countersign_schemas::body::LedgerRecovered;
use countersign_schemas::number::{Count, Seq, Size};

use super::entry::Entry;
use super::findings::Findings;
use super::instance::Instance;
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// The newest later runtime instance, and what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its introduction.
    pub(super) seq: Seq,
    /// The root over the records before its introduction.
    pub(super) root: Root,
}

kept!(Arrival { seq, root });

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &LedgerRecovered,
    out: &mut Findings,
) -> Option<Change> {
    check_place(entry, author, out);
    let size = Size::clamped(author.seq.get());
    out.require(body.size == size, Code::I7, format!("size {size}"), body.size);
    let arrival = law.arrival.filter(|arrival| arrival.seq == author.seq);
    // Of records that were changed or are missing no root is right.
    let root = arrival.filter(|_| !law.tree_is_broken()).map(|arrival| arrival.root);
    let expected = match &body.lost_head {
        Some(note) => lost(law, note.as_bytes(), size, root, out),
        None => Some("every entry that was acknowledged; no head says how many".to_owned()),
    };
    if let Some(expected) = expected {
        let root = root.map_or_else(String::new, |root| format!(", root {root}"));
        out.unproven(Code::C1, expected, format!("{size} records{root}: {}", body.reason));
    }
    Some(Change::None)
}

/// It is the second thing that a later runtime instance says, at once: it speaks of what its author found.
fn check_place(entry: &Entry<'_>, author: &Instance, out: &mut Findings) {
    let next = author.seq.get() + 1;
    let holds = author.seq != Seq::ZERO && entry.seq.get() == next && entry.statement.n == Count::clamped(1);
    out.require(
        holds,
        Code::A5,
        "a recovery right behind the introduction of its author, a later runtime",
        format!("n {} of the instance at {}", entry.statement.n, author.seq),
    );
}

/// What the head says that was lost; a head that shows no loss, or none of this ledger, breaks I7.
fn lost(law: &Law, note: &[u8], size: Size, root: Option<Root>, out: &mut Findings) -> Option<String> {
    let opening = law.opening.as_ref()?;
    let root_at = |asked: Size| root.filter(|_| asked == size);
    let shown = head_file::check(note, &opening.checkpoint_keys, &opening.origin, size, root_at);
    let expected = format!("a head over more than {size} records, or over them with another root");
    match shown {
        Err(HeadError::TailLost { head, .. }) => return Some(format!("{head} records, as the head says")),
        Err(HeadError::OtherRoot { head, .. }) => {
            return Some(format!("{size} records with root {head}, as the head says"));
        }
        Err(HeadError::RootUnknown { size: asked }) if asked == size => {
            return Some(format!("{size} records, as the head says"));
        }
        Err(HeadError::RootUnknown { size: asked }) => out.breach(Code::I7, expected, format!("one over {asked}")),
        Ok(head) => out.breach(Code::I7, expected, format!("one over {} that fits", head.size)),
        Err(error) => out.breach(
            Code::I7,
            "a checkpoint signed by both keys of this ledger",
            with_causes(&error),
        ),
    }
    None
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
