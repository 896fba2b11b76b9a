//! `decision.made`: rules D1 to D4 (authority-v1 §8.4).

use countersign_schemas::body::{ApproverClass, Check, DecisionMade, Outcome, Part, PartOutcome, Role};
use countersign_schemas::number::{Millis, Seq};

use super::account::Amount;
use super::action::{Decision, Standing, standing_of};
use super::entry::Entry;
use super::findings::Findings;
use super::instance::Instance;
use super::judge::{JudgeError, Judgement, code_of_denial, outcome, projection_digest};
use super::{Change, Law};
use crate::code::Code;
use crate::projection::{CedarRequest, Observed, Place, ToolKind, is_secret_path, is_within, tool_profile};

/// A decision that is entered.
pub(super) struct Decided {
    seq: Seq,
    decision: Decision,
    /// Whose grant chain pays for the action.
    charged: Option<Seq>,
}

impl Decided {
    pub(super) fn apply(self, law: &mut Law) {
        law.actions.decide(self.seq, self.decision);
        if let Some(requester) = self.charged {
            law.grants
                .each_account(requester, |account| account.spend(Amount::ONE_CALL));
        }
    }
}

pub(super) fn check(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &DecisionMade,
    out: &mut Findings,
) -> Option<Change> {
    let Some(request) = law.actions.requests.get(&body.request) else {
        // One that is settled was decided; whether it was, or is no request at all, makes no difference to the rule.
        out.breach(
            Code::D2,
            "a request that waits for its one decision",
            format_args!("entry {}", body.request),
        );
        return None;
    };
    if let Some(earlier) = request.decision {
        out.breach(
            Code::D2,
            format_args!("one decision, made at {earlier}"),
            "another decision",
        );
        return None;
    }
    let requester = law.instances.get(&request.author)?;
    out.require(
        author.seq == requester.runtime,
        Code::D2,
        format_args!("a decision by the runtime at {}", requester.runtime),
        format_args!("by {}", author.seq),
    );
    check_form(law, body, request.author, out);
    check_advice(law, body, out);
    check_answer(law, entry, body, out);
    let standing = standing_of(body.outcome);
    Some(Change::Decided(Box::new(Decided {
        seq: entry.seq,
        charged: (standing == Standing::Permitted).then_some(request.author),
        decision: Decision {
            request: body.request,
            author: author.seq,
            expires: body.expires,
            permitted_at: entry.received,
            eligible: body.ask.as_ref().map(|ask| ask.eligible.to_vec()).unwrap_or_default(),
            policies: body.policies.to_vec(),
            digest: entry.statement_digest,
            standing,
            introduced: None,
            question: None,
        },
    })))
}

/// What holds whatever the policies say: order of the parts, outcome, expiry, who is asked.
fn check_form(law: &Law, body: &DecisionMade, requester: Seq, out: &mut Findings) {
    let ascending = body.parts.windows(2).all(|pair| pair[0].check < pair[1].check);
    out.require(
        ascending,
        Code::D4b,
        "each check once, ascending",
        "another order of parts",
    );
    for part in body.parts.iter().filter(|part| !is_recomputed(part)) {
        let lawful = part.outcome != PartOutcome::Allow;
        out.require(
            lawful,
            Code::D4b,
            format_args!("{} not to allow", part.check),
            part.outcome,
        );
    }
    let strictest = outcome(&body.parts);
    out.require(
        body.outcome == strictest,
        Code::D4b,
        format_args!("outcome {strictest}"),
        body.outcome,
    );
    let in_force = law.policies_in_force();
    let states = body.policies.to_vec();
    out.require(
        in_force == states,
        Code::D4b,
        format_args!("policies {in_force:?}"),
        format_args!("{states:?}"),
    );
    let may_expire = matches!(body.outcome, Outcome::Allow | Outcome::Ask);
    let expires = body.expires > Millis::ZERO;
    out.require(
        expires == may_expire,
        Code::D4b,
        format_args!("an end for {} only if it permits", body.outcome),
        body.expires,
    );
    check_ask(law, body, requester, out);
}

fn check_ask(law: &Law, body: &DecisionMade, requester: Seq, out: &mut Findings) {
    let asks = body.outcome == Outcome::Ask;
    let Some(ask) = &body.ask else {
        out.require(!asks, Code::D4b, "who is asked", "nobody");
        return;
    };
    out.require(
        asks,
        Code::D4b,
        format_args!("nobody asked with {}", body.outcome),
        "an ask",
    );
    if ask.need.get() != 1 || ask.class != ApproverClass::Person {
        out.newer("an ask that one approval of a person does not answer");
    }
    for seq in ask.eligible.iter() {
        let approver = law.instances.get(seq);
        let known = approver.is_some_and(|instance| instance.role == Role::Approver && *seq != requester);
        let lawful = known && *seq < body.request;
        out.require(
            lawful,
            Code::D4b,
            "approvers introduced before the request",
            format_args!("entry {seq}"),
        );
        if let Some(revocation) = law.revocation_of(*seq).filter(|_| known) {
            out.breach(
                Code::D4b,
                "approvers that are not revoked",
                format_args!("{seq}, revoked at {revocation}"),
            );
        }
    }
}

fn check_advice(law: &Law, body: &DecisionMade, out: &mut Findings) {
    for seq in body.advice.iter().flat_map(|advice| advice.iter()) {
        out.require(
            law.advice.contains(*seq),
            Code::D8,
            "advice that was given",
            format_args!("entry {seq}"),
        );
    }
}

fn is_recomputed(part: &Part) -> bool {
    matches!(
        part.check,
        Check::Grant | Check::Budget | Check::PermitLayers | Check::LowerLayers
    )
}

/// Recomputes the decision and compares: rules D1, D4a and D4b.
fn check_answer(law: &Law, entry: &Entry<'_>, body: &DecisionMade, out: &mut Findings) {
    let recorded = entry.payload(0).filter(|_| body.cedar_request.is_some());
    match recompute(law, body, recorded, out) {
        Some(judgement) => compare(body, recorded, &judgement, out),
        None => {
            refuse_denials(body, &law.denials(body.request), out);
        }
    }
}

/// Judges the request again, or says what is missing for it.
fn recompute(law: &Law, body: &DecisionMade, recorded: Option<&[u8]>, out: &mut Findings) -> Option<Judgement> {
    if body.projection != projection_digest() {
        out.unproven(
            Code::D4a,
            format_args!("projection {}", projection_digest()),
            body.projection,
        );
        return None;
    }
    if body.cedar_request.is_some() && recorded.is_none() {
        out.unproven(Code::D4a, "the Cedar request", "its bytes are absent");
        return None;
    }
    let observed = observation(law, recorded, out)?;
    if recorded.is_some() {
        check_kind(law, body.request, observed.place, out);
    }
    check_place(law, body.request, &observed, out);
    match law.judge(body.request, observed) {
        Ok(judgement) => return Some(judgement),
        Err(JudgeError::ArgumentsAbsent(_)) => {
            out.unproven(Code::D4a, "the arguments of the request", "they are absent");
        }
        Err(JudgeError::PolicyAbsent(seq)) => {
            out.unproven(
                Code::D4b,
                format_args!("the policies adopted at {seq}"),
                "their texts are absent",
            );
        }
        Err(error) => out.breach(Code::D4b, "a request that can be judged", error),
    }
    None
}

/// The gatekeeper's word, out of the recorded Cedar request.
fn observation(law: &Law, recorded: Option<&[u8]>, out: &mut Findings) -> Option<Observed> {
    let Some(bytes) = recorded else {
        return Some(Observed::nothing());
    };
    if let Some(observed) = law.foreseen.observed_in(bytes) {
        return Some(observed.clone());
    }
    match CedarRequest::parse(bytes) {
        Ok(request) => Some(request.context.observed),
        Err(error) => {
            out.breach(Code::D4a, "a Cedar request", error);
            None
        }
    }
}

/// D4a: what is no file has no place, and a command has one that nobody can tell.
fn check_kind(law: &Law, request: Seq, place: Place, out: &mut Findings) {
    let Some(request) = law.actions.requests.get(&request) else {
        return;
    };
    let fits = match tool_profile(request.tool.as_str()).map(|profile| profile.kind) {
        Some(ToolKind::File | ToolKind::Workspace) => place != Place::None,
        Some(ToolKind::Command) => place == Place::Unknown,
        Some(ToolKind::Delegate | ToolKind::Consult | ToolKind::Url | ToolKind::Session) | None => place == Place::None,
    };
    out.require(
        fits,
        Code::D4a,
        format_args!("a place that {} can have", request.tool),
        place.as_str(),
    );
}

/// D4a: the place fits the path that was observed, as far as the ledger can tell; `own` is the gatekeeper's word.
fn check_place(law: &Law, request: Seq, observed: &Observed, out: &mut Findings) {
    let author = law.actions.requests.get(&request).map(|request| request.author);
    let Some(grant) = author.and_then(|author| law.grants.at(author)) else {
        return;
    };
    let path = observed.real_path.as_str();
    let (within, secret) = (is_within(path, grant.grant.workspace.as_str()), is_secret_path(path));
    let fits = match observed.place {
        Place::Inside => within && !secret,
        Place::Outside => !within && !secret && !path.is_empty(),
        Place::Secret => secret,
        Place::Own => !path.is_empty(),
        Place::Unknown | Place::None => path.is_empty(),
    };
    out.require(
        fits,
        Code::D4a,
        "a place that fits the observed path",
        format_args!("{} for {path:?}", observed.place.as_str()),
    );
}

fn compare(body: &DecisionMade, recorded: Option<&[u8]>, judgement: &Judgement, out: &mut Findings) {
    if judgement.cedar_request.as_deref() != recorded {
        out.breach(Code::D4a, shown(judgement.cedar_request.as_deref()), shown(recorded));
    }
    if refuse_denials(body, &judgement.parts, out) {
        return;
    }
    let recorded: Vec<&Part> = body.parts.iter().filter(|part| is_recomputed(part)).collect();
    let recomputed: Vec<&Part> = judgement.parts.iter().collect();
    if recorded != recomputed {
        let describe_all = |parts: &[&Part]| parts.iter().map(|part| describe(part)).collect::<Vec<_>>().join("; ");
        out.breach(Code::D4b, describe_all(&recomputed), describe_all(&recorded));
    }
}

/// D1 and G6: what part 0 or 1 denies does not pass. Gives whether something did.
fn refuse_denials(body: &DecisionMade, parts: &[Part], out: &mut Findings) -> bool {
    if !matches!(body.outcome, Outcome::Allow | Outcome::Ask) {
        return false;
    }
    let denies = |part: &&Part| part.outcome == PartOutcome::Deny && matches!(part.check, Check::Grant | Check::Budget);
    let denials: Vec<&Part> = parts.iter().filter(denies).collect();
    for part in &denials {
        out.breach(
            code_of_denial(part),
            describe(part),
            format_args!("outcome {}", body.outcome),
        );
    }
    !denials.is_empty()
}

/// `check: outcome (rules)`.
fn describe(part: &Part) -> String {
    let rules: Vec<&str> = part.rules.iter().map(countersign_schemas::text::Name::as_str).collect();
    if rules.is_empty() {
        format!("{}: {}", part.check, part.outcome)
    } else {
        format!("{}: {} ({})", part.check, part.outcome, rules.join(", "))
    }
}

fn shown(document: Option<&[u8]>) -> String {
    document.map_or_else(
        || "no Cedar request".to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}
