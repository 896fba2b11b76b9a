//! Who did what, on whose authority: a ledger as a tree for people.
//!
//! Every action stands under the agent that asked for it, with its decision, the rules behind it, the approval and the
//! outcome; every agent stands under the one that delegated to it, up to the principal. Text of strangers is cut and
//! made visible. Whether any of it may be believed is the verdict's to say, not this module's.

mod story;
mod summary;

pub use story::Story;

use std::fmt::Write;

use countersign_schemas::body::{Outcome, Verdict};
use countersign_schemas::number::Seq;

use story::{Action, Answer, Decision, Party};

/// Which part of a story is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Everything,
    /// One action, named by its request or any entry that belongs to it.
    Action(Seq),
    /// One agent, by short or long DID or by name, with its actions.
    Agent(String),
    /// One entry.
    Entry(Seq),
}

/// Renders `selection` of `story`, in lines of about 100 columns; `None` if there is no such thing.
#[must_use]
pub fn authority_tree(story: &Story, selection: &Selection) -> Option<String> {
    let mut text = String::new();
    match selection {
        Selection::Everything => tree(story, &mut text),
        Selection::Action(seq) => one_action(story, *seq, &mut text)?,
        Selection::Agent(wanted) => one_agent(story, wanted, &mut text)?,
        Selection::Entry(seq) => one_entry(story, *seq, &mut text)?,
    }
    Some(text)
}

/// Deepest delegation that is shown: a lawful one has at most 33 generations.
const DEPTH_MAX: usize = 64;

fn tree(story: &Story, text: &mut String) {
    line(text, 0, &format!("principal  {}", story.principal));
    line(text, 1, &format!("host  {}", story.host));
    for (seq, grant) in &story.issued {
        wrapped(text, 2, &format!("granted by the principal at {seq}: {grant}"));
        revocation_line(story, *seq, None, 3, text);
    }
    for (seq, party) in introduced_by(story, None) {
        party_lines(story, seq, party, 2, text);
    }
}

/// Parties that `by` introduced; the opener where `by` is none.
fn introduced_by(story: &Story, by: Option<Seq>) -> impl Iterator<Item = (Seq, &Party)> {
    story
        .parties
        .iter()
        .map(|(seq, party)| (*seq, party))
        .filter(move |(seq, party)| match by {
            None => *seq == party.introduced_by,
            Some(by) => party.introduced_by == by && *seq != by,
        })
}

fn party_lines(story: &Story, seq: Seq, party: &Party, depth: usize, text: &mut String) {
    header(story, seq, party, depth, text);
    for words in story.erased.get(&seq).into_iter().flatten() {
        line(text, depth + 1, &format!("erased  {words}"));
    }
    for policy in story.policies.get(&seq).into_iter().flatten() {
        line(text, depth + 1, &format!("policy  {policy}"));
    }
    for request in story.asked_by.get(&seq).into_iter().flatten() {
        if let Some(action) = story.actions.get(request) {
            action_lines(story, *request, action, depth + 1, text);
        }
    }
    for child in story.brought_in.get(&seq).into_iter().flatten() {
        match story.parties.get(child) {
            Some(party) if depth < DEPTH_MAX => party_lines(story, *child, party, depth + 1, text),
            _ => line(text, depth + 1, "(deeper delegation is not shown)"),
        }
    }
}

fn header(story: &Story, seq: Seq, party: &Party, depth: usize, text: &mut String) {
    let stopped = party
        .stopped
        .map(|seq| format!(", stopped at {seq}"))
        .or_else(|| party.succeeded_by.map(|by| format!(", succeeded by {by}")))
        .unwrap_or_default();
    line(
        text,
        depth,
        &format!("{}  {}  (entry {seq}{stopped})  {}", party.role, party.name, party.did),
    );
    if let Some(before) = party.succeeds {
        line(text, depth + 1, &format!("took over from {}", name_of(story, before)));
    }
    revocation_line(story, seq, party.parent_grant, depth + 1, text);
    if let Some(loss) = story.losses.get(&seq) {
        line(text, depth + 1, loss);
    }
    if let Some(grant) = &party.grant {
        wrapped(
            text,
            depth + 1,
            &format!("granted by {}: {grant}", grantor(story, party)),
        );
    }
    for (run, told) in story.runs.iter().filter(|(_, told)| told.lead == seq) {
        let ended = told
            .ended
            .map_or_else(|| "not ended".to_owned(), |(seq, reason)| format!("{reason} at {seq}"));
        line(
            text,
            depth + 1,
            &format!("run at {run}, {}, {ended}: {}", told.mode, told.task),
        );
    }
}

/// Says by whom the authority at `seq` was withdrawn: itself, or else the nearest above it.
fn revocation_line(story: &Story, seq: Seq, parent: Option<Seq>, depth: usize, text: &mut String) {
    let above = |seq: &Seq| story.parties.get(seq).and_then(|party| party.parent_grant);
    let chain = std::iter::once(seq).chain(std::iter::successors(parent, above));
    let found = chain
        .take(DEPTH_MAX)
        .find_map(|target| Some((target, story.revoked.get(&target)?)));
    let Some((target, revoked)) = found else { return };
    let what = if target == seq {
        "revoked".to_owned()
    } else {
        format!("revoked with the grant at {target},")
    };
    let ordered = if revoked.is_ordered {
        ", ordered by the principal"
    } else {
        ""
    };
    let (at, by, reason) = (revoked.seq, name_of(story, revoked.by), revoked.reason);
    line(text, depth, &format!("{what} at {at} by {by} ({reason}){ordered}"));
}

/// The chain of a grant: from the one who gave it up to the principal.
fn grantor(story: &Story, party: &Party) -> String {
    let mut chain = Vec::new();
    let mut parent = party.parent_grant;
    while let Some(seq) = parent {
        match story.parties.get(&seq) {
            Some(above) => {
                chain.push(name_of(story, seq));
                parent = above.parent_grant;
            }
            None => {
                chain.push(format!("host with the grant at {seq}"));
                chain.push("principal".to_owned());
                return chain.join(" ← ");
            }
        }
    }
    chain.extend(["host".to_owned(), "principal".to_owned()]);
    chain.join(" ← ")
}

fn name_of(story: &Story, seq: Seq) -> String {
    let name = story.parties.get(&seq).map_or("?", |party| party.name.as_str());
    format!("{name} ({seq})")
}

fn action_lines(story: &Story, request: Seq, action: &Action, depth: usize, text: &mut String) {
    line(text, depth, &format!("{request}  {}  {}", action.tool, action.what));
    match &action.decision {
        Some(decision) => decision_lines(story, decision, depth + 2, text),
        None => line(text, depth + 2, "no decision"),
    }
    if let Some(answer) = &action.answer {
        line(text, depth + 2, &answer_words(story, answer));
    }
    let advice = action
        .advice
        .iter()
        .map(|(seq, relation)| format!("advice at {seq} {relation}"));
    advice.for_each(|words| line(text, depth + 2, &words));
    if let Some((question, advisor)) = action.consulted {
        let given = action
            .advised
            .map_or_else(|| "no answer".to_owned(), |seq| format!("answered at {seq}"));
        line(
            text,
            depth + 2,
            &format!("asked {} at {question}, {given}", name_of(story, advisor)),
        );
    }
    if let Some(seq) = action.introduced {
        line(text, depth + 2, &format!("introduced {}", name_of(story, seq)));
    }
    if let Some(lost) = action.resumes {
        line(text, depth + 2, &format!("takes up again what was requested at {lost}"));
    }
    line(text, depth + 2, &ending_words(action));
    for words in &action.erased {
        line(text, depth + 2, words);
    }
}

fn decision_lines(story: &Story, decision: &Decision, depth: usize, text: &mut String) {
    let word = match decision.outcome {
        Outcome::Allow => "allowed",
        Outcome::Deny => "denied",
        Outcome::Ask => "asked",
        Outcome::CouldNotEvaluate => "could not be evaluated",
    };
    let mut words = format!("{word} at {} by {}", decision.seq, name_of(story, decision.by));
    if !decision.parts.is_empty() {
        words.push_str(": ");
        words.push_str(&decision.parts.join(" · "));
    }
    wrapped(text, depth, &words);
}

fn answer_words(story: &Story, answer: &Answer) -> String {
    match answer {
        Answer::Order {
            seq,
            approver,
            verdict,
            presentation,
        } => {
            let word = if *verdict == Verdict::Given {
                "approved"
            } else {
                "refused"
            };
            format!("{word} at {seq} by {} ({presentation})", name_of(story, *approver))
        }
        Answer::Expired { seq } => format!("nobody answered, given up at {seq}"),
    }
}

fn ending_words(action: &Action) -> String {
    let cause = action
        .cause
        .map_or_else(|| "on a person's word".to_owned(), |seq| format!("proposed at {seq}"));
    let refused = matches!(
        &action.answer,
        Some(
            Answer::Expired { .. }
                | Answer::Order {
                    verdict: Verdict::Refused,
                    ..
                }
        )
    );
    let permits = |decision: &Decision| matches!(decision.outcome, Outcome::Allow | Outcome::Ask) && !refused;
    match action.finished {
        Some((seq, outcome)) => {
            let behind = action
                .revoked
                .map(|seq| format!(", behind the revocation at {seq}"))
                .unwrap_or_default();
            format!("{cause}, finished at {seq}: {outcome}{behind}")
        }
        None if action.decision.as_ref().is_some_and(permits) => format!("{cause}, no outcome on record"),
        None => format!("{cause}, not executed"),
    }
}

fn one_action(story: &Story, seq: Seq, text: &mut String) -> Option<()> {
    let request = story.belongs.get(&seq)?;
    let action = story.actions.get(request)?;
    action_lines(story, *request, action, 0, text);
    authority_lines(story, action.author, text);
    Some(())
}

/// Who stands behind an action: its agent, the one above, and so on up to the principal.
fn authority_lines(story: &Story, author: Seq, text: &mut String) {
    line(text, 0, "on the authority of");
    let mut next = Some(author);
    let mut depth = 1;
    while let Some((seq, party)) = next.and_then(|seq| Some((seq, story.parties.get(&seq)?))) {
        header(story, seq, party, depth.min(DEPTH_MAX), text);
        depth += 1;
        next = (party.introduced_by != seq).then_some(party.introduced_by);
    }
    let depth = depth.min(DEPTH_MAX);
    line(text, depth, &format!("host  {}", story.host));
    line(text, depth + 1, &format!("principal  {}", story.principal));
}

fn one_agent(story: &Story, wanted: &str, text: &mut String) -> Option<()> {
    let is_wanted = |party: &Party| {
        party.name == wanted
            || party.did == wanted
            || wanted
                .strip_prefix(&party.did)
                .is_some_and(|rest| rest.starts_with(':'))
    };
    let mut found = story.parties.iter().filter(|(_, party)| is_wanted(party)).peekable();
    found.peek()?;
    for (seq, party) in found {
        party_lines(story, *seq, party, 0, text);
        authority_lines(story, party.introduced_by, text);
    }
    Some(())
}

fn one_entry(story: &Story, seq: Seq, text: &mut String) -> Option<()> {
    let (kind, author) = story.entries.get(&seq)?;
    line(text, 0, &format!("entry {seq}  {kind}  by {}", name_of(story, *author)));
    if let Some(party) = story.parties.get(&seq) {
        header(story, seq, party, 1, text);
    }
    if story.belongs.contains_key(&seq) {
        one_action(story, seq, text)?;
    }
    Some(())
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{}{words}", "  ".repeat(depth));
}

/// Breaks a long line at spaces; what follows is indented further.
fn wrapped(text: &mut String, depth: usize, words: &str) {
    const COLUMNS: usize = 104;
    let (first, rest) = ("  ".repeat(depth), "  ".repeat(depth + 2));
    let mut row = first;
    let mut is_empty = true;
    for word in words.split(' ') {
        if !is_empty && row.chars().count() + 1 + word.chars().count() > COLUMNS {
            let _ = writeln!(text, "{row}");
            row.clone_from(&rest);
            is_empty = true;
        }
        if !is_empty {
            row.push(' ');
        }
        row.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(text, "{row}");
}
