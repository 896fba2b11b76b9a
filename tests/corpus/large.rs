//! The larger base: three levels of agents, a command that a person approves, an advisor, a process that dies in the
//! middle of its work, and a successor that cleans up, works with a team of its own, is approved, takes up what was lost and
//! closes; two grants that are withdrawn, one by an agent, one by the principal, and a payload that is erased.

use countersign_identity::credential::InstanceRole;
use countersign_identity::grant::{Grant, Lineage};
use countersign_schemas::body::{AdviceRelation, Effects, Outcome, RunEndReason};
use countersign_schemas::number::Seq;
use countersign_verifier::projection::Observed;

use super::support::aftermath::{LIST, end_run, expire, join, lose, remark, start_with};
use super::support::cast::Who;
use super::support::credentials::{budget, child_grant, name};
use super::support::orders::{erase, revoke, revoke_on_order_by};
use super::support::story::{
    Author, BASH, CONSULT, EDIT, FETCH, GREP, RUNTIME, SCOUT_WRITE, SPAWN, STRAY, TODO, advise, approve_by, binding,
    call_model, cast, close_by, decide, decide_by, finish_by, inside, introduce, lead, opening, request, resume, stop,
    turn,
};
use super::support::writer::{Twist, Writer};

const SPAWN_DIGGER: (&str, &str) = ("agent", r#"{"name":"digger","task":"dig","type":"explore"}"#);
const READ: (&str, &str) = ("read", r#"{"path":"src/add.sh"}"#);
const OUTSIDE: (&str, &str) = ("read", r#"{"path":"/etc/passwd"}"#);
const DIGGER: Who = Who::Extra(0);
const HELPER: Who = Who::Extra(1);

pub(crate) fn tell_large<'t>(twist: Twist<'t>) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    opening(&mut writer);
    cast(&mut writer);
    team(&mut writer);
    sign_head(&mut writer);
    craft(&mut writer);
    dying(&mut writer);
    let second = join(&mut writer, "second", Who::Second, Some(Seq::ZERO));
    clean_up(&mut writer, second);
    sign_head(&mut writer);
    second_run(&mut writer, second);
    close_by(&mut writer, second);
    writer
}

/// Signs the tree as it stands, as a runtime does from time to time.
fn sign_head(writer: &mut Writer<'_>) {
    let checkpoint = writer.checkpoint();
    writer.checkpoints.push(checkpoint);
}

/// A child of `parent`, inside an action that was allowed.
fn spawn(
    writer: &mut Writer<'_>,
    label: &'static str,
    (parent, run): (Author, &str),
    who: Who,
    narrow: fn(Grant) -> Grant,
) -> Author {
    let state = writer.law.grant_of(parent.1);
    let digests = state.map(|state| (state.digest(), state.root_digest()));
    let (parent_digest, root) = digests.unwrap_or_else(|| {
        let nothing = countersign_schemas::digest::Digest::sha256(b"");
        (nothing, nothing)
    });
    let grant = Grant {
        lineage: Lineage::Child {
            parent: parent_digest,
            root,
        },
        ..narrow(child_grant(binding(writer), parent_digest, root))
    };
    let run = Some(writer.at(run));
    let role = InstanceRole::Agent(Box::new(grant));
    introduce(writer, label, parent, who, role, (parent.0, run, Some(parent.1))).0
}

/// What a child may do that has a child of its own.
fn middle(grant: Grant) -> Grant {
    Grant {
        tools: ["agent", "grep", "list", "read"].map(name).into(),
        effects: Effects::READ.union(Effects::DELEGATE),
        budget: budget(20, 40_000),
        depth: 1,
        may_delegate: true,
        ..grant
    }
}

/// Runs what is permitted.
fn conclude(writer: &mut Writer<'_>, label: &'static str, runtime: Author, decision: Seq) {
    if matches!(writer.outcomes.get(&decision), Some(Outcome::Allow | Outcome::Ask)) {
        finish_by(writer, label, runtime, decision);
    }
}

/// The lead has a scout, and the scout a digger, which tries what none of them may do.
fn team(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    let cause = turn(writer, ["call-1", "answer-1"], lead, &[SPAWN]);
    let asked = request(writer, "spawn", lead, SPAWN, cause, &[]);
    let decision = decide(writer, "spawn-decision", asked, Observed::nothing());
    let scout = spawn(writer, "scout", (lead, "run"), Who::Scout, middle);
    let cause = turn(writer, ["scout-call", "scout-answer"], scout, &[SPAWN_DIGGER, GREP]);
    let dig = request(writer, "dig", scout, SPAWN_DIGGER, cause, &[]);
    let dig = decide(writer, "dig-decision", dig, Observed::nothing());
    let digger = spawn(writer, "digger", (scout, "run"), DIGGER, |grant| grant);
    let cause = turn(
        writer,
        ["digger-call", "digger-answer"],
        digger,
        &[READ, SCOUT_WRITE, OUTSIDE, READ],
    );
    let read = request(writer, "read", digger, READ, cause, &[]);
    let read = decide(writer, "read-decision", read, inside("/w/src/add.sh"));
    conclude(writer, "read-finish", RUNTIME, read);
    let write = request(writer, "digger-write", digger, SCOUT_WRITE, cause, &[]);
    decide(writer, "digger-write-decision", write, inside("/w/src/add.sh"));
    let outside = request(writer, "outside", digger, OUTSIDE, cause, &[]);
    decide(writer, "outside-decision", outside, Observed::unknown());
    // The lead withdraws what its scout gave; what the digger asks for then is denied, whatever it is.
    revoke(writer, "digger-revoked", lead, digger.1);
    let late = request(writer, "late", digger, READ, cause, &[]);
    decide(writer, "late-decision", late, inside("/w/src/add.sh"));
    stop(writer, "digger-stop", digger, digger.1);
    conclude(writer, "dig-finish", RUNTIME, dig);
    let cause = writer.at("scout-answer");
    let grep = request(writer, "grep", scout, GREP, cause, &[]);
    let grep = decide(writer, "grep-decision", grep, inside("/w/src"));
    conclude(writer, "grep-finish", RUNTIME, grep);
    stop(writer, "scout-stop", scout, scout.1);
    conclude(writer, "spawn-finish", RUNTIME, decision);
}

/// The lead asks an advisor, edits, and has a command approved.
fn craft(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    let cause = turn(
        writer,
        ["call-2", "answer-2"],
        lead,
        &[CONSULT, EDIT, BASH, FETCH, STRAY],
    );
    let consult = request(writer, "consult", lead, CONSULT, cause, &[]);
    let consult = decide(writer, "consult-decision", consult, Observed::nothing());
    let advice = advise(writer);
    conclude(writer, "consult-finish", RUNTIME, consult);
    let edit = request(writer, "edit", lead, EDIT, cause, &[(advice, AdviceRelation::Followed)]);
    let edit = decide(writer, "edit-decision", edit, inside("/w/src/add.sh"));
    conclude(writer, "edit-finish", RUNTIME, edit);
    let bash = request(writer, "bash", lead, BASH, cause, &[]);
    let asked = decide(writer, "bash-decision", bash, Observed::unknown());
    if writer.outcomes.get(&asked) == Some(&Outcome::Ask) {
        approve_by(writer, "approval", RUNTIME, (bash, asked), |_| {});
    }
    conclude(writer, "bash-finish", RUNTIME, asked);
    let fetch = request(writer, "fetch", lead, FETCH, cause, &[]);
    let fetch = decide(writer, "fetch-decision", fetch, Observed::nothing());
    conclude(writer, "fetch-finish", RUNTIME, fetch);
    let stray = request(writer, "stray", lead, STRAY, cause, &[]);
    decide(writer, "stray-decision", stray, Observed::nothing());
}

/// What is open when the process dies: a permit, an ask, a request without decision and a call of a model.
fn dying(writer: &mut Writer<'_>) {
    let lead = lead(writer);
    remark(writer, "remark", RUNTIME);
    let cause = turn(writer, ["call-3", "answer-3"], lead, &[READ, BASH, TODO]);
    let again = request(writer, "read-again", lead, READ, cause, &[]);
    decide(writer, "read-again-decision", again, inside("/w/src/add.sh"));
    let bash = request(writer, "bash-again", lead, BASH, cause, &[]);
    decide(writer, "bash-again-decision", bash, Observed::unknown());
    request(writer, "todo", lead, TODO, cause, &[]);
    call_model(writer, "call-4", lead);
}

/// The successor ends what it may end.
fn clean_up(writer: &mut Writer<'_>, second: Author) {
    lose(writer, "read-again-lost", second, "read-again-decision");
    // In a telling whose policy allows it, nobody was asked.
    let bash = writer.at("bash-again-decision");
    if writer.outcomes.get(&bash) == Some(&Outcome::Allow) {
        lose(writer, "bash-again-lost", second, "bash-again-decision");
    } else {
        expire(writer, "bash-again-expired", second, "bash-again-decision");
    }
    end_run(writer, "run-lost", second, ("run", "lead"), RunEndReason::Environment);
    for (label, instance) in [("lead-lost", "lead"), ("advisor-lost", "advisor")] {
        let instance = writer.at(instance);
        stop(writer, label, second, instance);
    }
}

/// The successor's own lead, with a helper, and what it does.
fn second_run(writer: &mut Writer<'_>, second: Author) {
    let (lead, _) = start_with(writer, ["lead-2", "run-2"], second, Who::SecondLead);
    let cause = turn(writer, ["call-b", "answer-b"], lead, &[SPAWN, LIST, BASH, READ, TODO]);
    let asked = request(writer, "help", lead, SPAWN, cause, &[]);
    let help = decide_by(writer, "help-decision", second, asked, Observed::nothing());
    let helper = spawn(writer, "helper", (lead, "run-2"), HELPER, |grant| grant);
    let found = turn(writer, ["helper-call", "helper-answer"], helper, &[READ]);
    let read = request(writer, "helper-read", helper, READ, found, &[]);
    let read = decide_by(writer, "helper-read-decision", second, read, inside("/w/src/add.sh"));
    conclude(writer, "helper-read-finish", second, read);
    stop(writer, "helper-stop", helper, helper.1);
    conclude(writer, "help-finish", second, help);
    let list = request(writer, "list", lead, LIST, cause, &[]);
    let list = decide_by(writer, "list-decision", second, list, inside("/w/src"));
    conclude(writer, "list-finish", second, list);
    let bash = request(writer, "bash-2", lead, BASH, cause, &[]);
    let asked = decide_by(writer, "bash-2-decision", second, bash, Observed::unknown());
    if writer.outcomes.get(&asked) == Some(&Outcome::Ask) {
        let nonce = countersign_identity::credential::OrderNonce::from_bytes([4; 16]);
        approve_by(writer, "approval-2", second, (bash, asked), |claims| {
            claims.context.nonce = nonce
        });
    }
    conclude(writer, "bash-2-finish", second, asked);
    // What was lost in the crash is taken up again, and then the principal withdraws the lead.
    let lost = writer.at("read-again");
    let resumed = resume(writer, "read-resumed", lead, READ, cause, lost);
    let resumed = decide_by(writer, "resumed-decision", second, resumed, inside("/w/src/add.sh"));
    revoke_on_order_by(writer, "lead-2-revoked", second, lead.1);
    conclude(writer, "resumed-finish", second, resumed);
    let after = request(writer, "after", lead, TODO, cause, &[]);
    decide_by(writer, "after-decision", second, after, Observed::nothing());
    // Nothing came of the edit in a telling that denies it.
    if let Some(&result) = writer.labels.get("edit-finish") {
        erase(writer, "erased", second, (result, 0));
    }
    stop(writer, "lead-2-stop", lead, lead.1);
    end_run(writer, "run-2-ended", second, ("run-2", "lead-2"), RunEndReason::Done);
}
