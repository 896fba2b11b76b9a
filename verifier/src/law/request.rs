//! `action.requested`: rules A5, D8 and D10, and the effects a tool has at least (authority-v1 §5.6, §7.5).

use countersign_schemas::body::{ActionRequested, AdviceRelation};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;

use super::action::Request;
use super::entry::Entry;
use super::findings::Findings;
use super::instance::Instance;
use super::model::digest_of_call;
use super::once_read::OnceRead;
use super::{Change, Law, resumption};
use crate::code::Code;
use crate::projection::{ARGUMENTS_BYTES_MAX, tool_profile};

/// A request that is entered.
pub(super) struct Requested {
    seq: Seq,
    request: Request,
    /// The lost request that it takes up again.
    resumes: Option<Seq>,
    /// The proposal that it uses up.
    call: Option<Digest>,
}

impl Requested {
    pub(super) fn apply(self, law: &mut Law) {
        let proposed = law
            .instances
            .get_mut(&self.request.author)
            .and_then(|author| author.proposals.calls.as_mut());
        if let (Some(call), Some(proposed)) = (self.call, proposed) {
            let used = proposed.iter().position(|open| *open == call);
            used.map(|place| proposed.remove(place));
        }
        if let Some(lost) = self.resumes {
            law.lost.take(&self.request.tool, lost);
        }
        law.actions.open(self.seq, self.request);
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &ActionRequested,
    out: &mut Findings,
) -> Option<Change> {
    resumption::check(law, body, out);
    if let Some(profile) = tool_profile(body.tool.as_str()) {
        let least = profile.effects;
        let words: Vec<&str> = least.words().collect();
        let claimed: Vec<&str> = body.effects.words().collect();
        let holds = body.effects.contains(least);
        out.require(
            holds,
            Code::D4a,
            format!("effects {}", words.join(", ")),
            claimed.join(", "),
        );
    }
    check_advice(law, author, body, out);
    let call = check_cause(author, body, entry.payload(0), out);
    let followed = |relation| relation == AdviceRelation::Followed;
    Some(Change::Requested(Box::new(Requested {
        seq: entry.seq,
        call,
        resumes: body.resumes,
        request: Request {
            author: author.seq,
            tool: body.tool.clone(),
            effects: body.effects,
            arguments_ref: body.arguments.clone(),
            arguments: entry.payload(0).map(kept),
            grant: body.grant,
            received: entry.received,
            advised: body
                .advice
                .iter()
                .flat_map(|list| list.iter())
                .any(|cited| followed(cited.relation)),
            digest: entry.statement_digest,
            decision: None,
            subject: OnceRead::default(),
        },
    })))
}

/// What later rules need of the arguments. Longer ones have no projection, and neither has the empty text.
fn kept(arguments: &[u8]) -> Vec<u8> {
    if arguments.len() > ARGUMENTS_BYTES_MAX {
        Vec::new()
    } else {
        arguments.to_vec()
    }
}

/// D8: every advice cited was given to this requester.
fn check_advice(law: &Law, author: &Instance, body: &ActionRequested, out: &mut Findings) {
    for cited in body.advice.iter().flat_map(|list| list.iter()) {
        if !law.advice.contains(cited.entry) {
            out.breach(Code::D8, "advice that was given", format!("entry {}", cited.entry));
            continue;
        }
        out.require(
            law.advice.is_asked_by(author.seq, cited.entry),
            Code::D8,
            format!("advice given to {}", author.seq),
            "advice given to another",
        );
        let readable = law.advice.is_readable(cited.entry) || cited.relation == AdviceRelation::NotAssessable;
        out.require(
            readable,
            Code::D8,
            "opaque advice cited as not assessable",
            cited.relation,
        );
    }
}

/// D10: gives the proposal that the request uses up.
fn check_cause(
    author: &Instance,
    body: &ActionRequested,
    arguments: Option<&[u8]>,
    out: &mut Findings,
) -> Option<Digest> {
    let Some(cause) = body.cause else {
        out.unproven(
            Code::D10,
            "the model answer that proposed the call",
            "the word of a person",
        );
        return None;
    };
    let proposals = &author.proposals;
    if proposals.answer != Some(cause) {
        let last = proposals
            .answer
            .map_or_else(|| "none".to_owned(), |answer| format!("entry {answer}"));
        out.breach(
            Code::D10,
            format!("the requester's last model answer: {last}"),
            format!("entry {cause}"),
        );
        return None;
    }
    let (Some(calls), Some(arguments)) = (&proposals.calls, arguments) else {
        out.unproven(
            Code::D10,
            format!("the call in the answer at {cause}"),
            "its bytes, or the arguments, are absent",
        );
        return None;
    };
    let call = digest_of_call(body.tool.as_str(), arguments);
    let proposed = calls.contains(&call);
    let found = format!("no such call of {}, or it was used already", body.tool);
    out.require(
        proposed,
        Code::D10,
        format!("a call that the answer at {cause} proposed"),
        found,
    )
    .then_some(call)
}
