//! Ledgers of several processes: one that died and one that took over, a clean hand-over, two side by side, and one
//! that lost its end.

use countersign_identity::credential::InstanceRole;
use countersign_ledger::checkpoint::{self, Checkpoint, CheckpointKeys, UnixSeconds};
use countersign_ledger::merkle::Root;
use countersign_schemas::body::{
    ActionFinished, ClockState, Direction, EventCode, FinishOutcome, Introduced, LedgerRecovered, Newcomer, PeerNoted,
    RecoveryReason, Role, RunEndReason, RunEnded, RunMode, RunStarted, SessionEvent,
};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Bytes, Doc};
use countersign_schemas::number::{Count, Seq, Size};
use countersign_schemas::text::{Did, Origin};
use countersign_verifier::projection::Observed;

use super::cast::{Who, checkpoint_keys};
use super::credentials::{START, instance, issue, root_grant};
use super::story::{
    Author, BASH, EDIT, RUNTIME, SPAWN, TODO, advisor, binding, call_model, cast, close, close_by, decide, decide_by,
    finish_by, inside, introduce, lead, opening, request, spawn_scout, spent, stop, turn, twisted,
};
use super::writer::{Twist, Writer};

pub(crate) const LIST: (&str, &str) = ("list", r#"{"path":"src"}"#);

/// A process dies in the middle of its work, and another takes over, cleans up, works and closes.
pub(crate) fn crash<'t>(twist: Twist<'t>) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    until_the_crash(&mut writer);
    let second = join(&mut writer, "second", Who::Second, Some(Seq::ZERO));
    clean_up(&mut writer, second);
    let lead = start(&mut writer, second);
    work(&mut writer, second, lead);
    end(&mut writer, second, lead);
    close_by(&mut writer, second);
    writer
}

/// What is open when the process dies: two permits, an ask, a request, a model call, a run, three instances.
pub(crate) fn until_the_crash(writer: &mut Writer<'_>) {
    opening(writer);
    cast(writer);
    let lead = lead(writer);
    let cause = turn(writer, ["call-1", "answer-1"], lead, &[SPAWN, EDIT, BASH, TODO]);
    let spawn = request(writer, "spawn", lead, SPAWN, cause, &[]);
    decide(writer, "spawn-decision", spawn, Observed::nothing());
    spawn_scout(writer);
    let edit = request(writer, "edit", lead, EDIT, cause, &[]);
    decide(writer, "edit-decision", edit, inside("/w/src/add.sh"));
    let bash = request(writer, "bash", lead, BASH, cause, &[]);
    decide(writer, "bash-decision", bash, Observed::unknown());
    request(writer, "todo", lead, TODO, cause, &[]);
    call_model(writer, "call-2", lead);
}

/// A successor ends what it may end.
pub(crate) fn clean_up(writer: &mut Writer<'_>, successor: Author) {
    lose(writer, "spawn-lost", successor, "spawn-decision");
    lose(writer, "edit-lost", successor, "edit-decision");
    expire(writer, "bash-expired", successor, "bash-decision");
    end_run(
        writer,
        "run-lost",
        successor,
        ("run", "lead"),
        RunEndReason::Environment,
    );
    for (label, instance) in [
        ("scout-lost", "scout"),
        ("lead-lost", "lead"),
        ("advisor-lost", "advisor"),
    ] {
        let instance = writer.at(instance);
        stop(writer, label, successor, instance);
    }
}

/// A second process joins before the first one stops, and goes on.
pub(crate) fn handover<'t>(twist: Twist<'t>) -> Writer<'t> {
    handed_over(twist, Joins::BeforeTheStop)
}

/// The first process stops, and the second joins when nobody runs.
pub(crate) fn unattended<'t>(twist: Twist<'t>) -> Writer<'t> {
    handed_over(twist, Joins::AfterTheStop)
}

/// When the second process joins.
#[derive(PartialEq, Eq)]
enum Joins {
    BeforeTheStop,
    AfterTheStop,
}

fn handed_over<'t>(twist: Twist<'t>, joins: Joins) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    opening(&mut writer);
    cast(&mut writer);
    let (lead, advisor) = (lead(&writer), advisor(&writer));
    turn(&mut writer, ["call-1", "answer-1"], lead, &[]);
    stop(&mut writer, "lead-stop", lead, lead.1);
    stop(&mut writer, "advisor-stop", advisor, advisor.1);
    end_run(&mut writer, "run-ended", RUNTIME, ("run", "lead"), RunEndReason::Done);
    let joined = (joins == Joins::BeforeTheStop).then(|| join(&mut writer, "second", Who::Second, None));
    stop(&mut writer, "first-stop", RUNTIME, Seq::ZERO);
    let second = joined.unwrap_or_else(|| join(&mut writer, "second", Who::Second, None));
    let lead = start(&mut writer, second);
    work(&mut writer, second, lead);
    end(&mut writer, second, lead);
    close_by(&mut writer, second);
    writer
}

/// A second process joins, works beside the first and leaves; the first closes.
pub(crate) fn side_by_side<'t>(twist: Twist<'t>) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    opening(&mut writer);
    cast(&mut writer);
    let (first, advisor) = (lead(&writer), advisor(&writer));
    let cause = turn(&mut writer, ["call-1", "answer-1"], first, &[EDIT]);
    let edit = request(&mut writer, "edit", first, EDIT, cause, &[]);
    let second = join(&mut writer, "second", Who::Second, None);
    let lead = start(&mut writer, second);
    let decision = decide(&mut writer, "edit-decision", edit, inside("/w/src/add.sh"));
    work(&mut writer, second, lead);
    finish_by(&mut writer, "edit-finish", RUNTIME, decision);
    end(&mut writer, second, lead);
    stop(&mut writer, "second-stop", second, second.1);
    stop(&mut writer, "lead-stop", first, first.1);
    stop(&mut writer, "advisor-stop", advisor, advisor.1);
    end_run(&mut writer, "run-ended", RUNTIME, ("run", "lead"), RunEndReason::Done);
    close(&mut writer);
    writer
}

/// The end of the ledger was lost with the process; the next one says so, cleans up and closes.
pub(crate) fn recovery<'t>(twist: Twist<'t>) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    until_the_crash(&mut writer);
    let found = writer.next_seq().get();
    let second = join(&mut writer, "second", Who::Second, Some(Seq::ZERO));
    let head = head(found + 5, Root::of_empty());
    recover(&mut writer, "recovered", second, Some(head));
    clean_up(&mut writer, second);
    close_by(&mut writer, second);
    writer
}

/// Introduces a later runtime instance.
pub(crate) fn join(writer: &mut Writer<'_>, label: &'static str, who: Who, succeeds: Option<Seq>) -> Author {
    join_as(writer, label, who, (InstanceRole::Runtime, Role::Runtime), succeeds)
}

/// Introduces somebody by itself.
pub(crate) fn join_as(
    writer: &mut Writer<'_>,
    label: &'static str,
    who: Who,
    (claimed, role): (InstanceRole, Role),
    succeeds: Option<Seq>,
) -> Author {
    let own = writer.in_front_of_next(label);
    let mut claims = instance(who, label, claimed, binding(writer));
    let issuer = twisted(writer, label, &mut claims, Who::Host);
    let credential = issue(&claims, issuer);
    let seq = writer.enter(label, (who, own), &[], |_| {
        let did = Newcomer::Did(Did::new(who.did().long()).expect("a long form"));
        Introduced {
            did,
            role,
            credential,
            run: None,
            succeeds,
            parent_grant: None,
        }
        .into()
    });
    (who, seq)
}

/// A lead of its own, and a run.
pub(crate) fn start(writer: &mut Writer<'_>, runtime: Author) -> Author {
    start_with(writer, ["lead-2", "run-2"], runtime, Who::SecondLead).0
}

/// A lead and its run.
pub(crate) fn start_with(
    writer: &mut Writer<'_>,
    [lead, run]: [&'static str; 2],
    runtime: Author,
    who: Who,
) -> (Author, Seq) {
    let role = InstanceRole::Agent(Box::new(root_grant(binding(writer))));
    let (lead, _) = introduce(writer, lead, runtime, who, role, (Who::Host, None, None));
    let run = start_run(writer, run, runtime, lead);
    (lead, run)
}

/// The run of a lead that was introduced.
pub(crate) fn start_run(writer: &mut Writer<'_>, label: &'static str, runtime: Author, lead: Author) -> Seq {
    writer.enter(label, runtime, &[b"go on"], |refs| {
        RunStarted {
            run_id: Bytes::new([10; 16]),
            task: refs[0].clone(),
            asked_by: None,
            root_grant: lead.1,
            mode: RunMode::Headless,
            config: Digest::sha256(b"config"),
            clock: ClockState::Ntp,
        }
        .into()
    })
}

/// One action from its proposal to its outcome.
pub(crate) fn work(writer: &mut Writer<'_>, runtime: Author, lead: Author) {
    let cause = turn(writer, ["call-b", "answer-b"], lead, &[LIST]);
    let list = request(writer, "list", lead, LIST, cause, &[]);
    let decision = decide_by(writer, "list-decision", runtime, list, inside("/w/src"));
    finish_by(writer, "list-finish", runtime, decision);
}

pub(crate) fn end(writer: &mut Writer<'_>, runtime: Author, lead: Author) {
    stop(writer, "lead-2-stop", lead, lead.1);
    end_run(writer, "run-2-ended", runtime, ("run-2", "lead-2"), RunEndReason::Done);
}

pub(crate) fn end_run(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (run, lead): (&str, &str),
    reason: RunEndReason,
) {
    writer.in_front_of(label);
    let (run, lead) = (writer.at(run), writer.at(lead));
    end_run_at(writer, label, author, (run, lead), reason);
}

pub(crate) fn end_run_at(
    writer: &mut Writer<'_>,
    label: &'static str,
    author: Author,
    (run, lead): (Seq, Seq),
    reason: RunEndReason,
) {
    let spend = spent(writer, lead);
    writer.enter(label, author, &[], |_| {
        RunEnded {
            run,
            reason,
            result: None,
            spend,
        }
        .into()
    });
}

/// The outcome of an action of which nobody knows what became.
pub(crate) fn lose(writer: &mut Writer<'_>, label: &'static str, author: Author, decision: &str) {
    let decision = writer.at(decision);
    lose_at(writer, label, author, decision);
}

pub(crate) fn lose_at(writer: &mut Writer<'_>, label: &'static str, author: Author, decision: Seq) {
    writer.enter(label, author, &[], |_| {
        ActionFinished {
            decision,
            outcome: FinishOutcome::Unknown,
            result: None,
            started: None,
            duration: None,
            sandbox: Count::ZERO,
        }
        .into()
    });
}

pub(crate) fn expire(writer: &mut Writer<'_>, label: &'static str, author: Author, decision: &str) {
    let decision = writer.at(decision);
    expire_at(writer, label, author, decision);
}

pub(crate) fn expire_at(writer: &mut Writer<'_>, label: &'static str, author: Author, decision: Seq) {
    let about = Some(decision);
    writer.enter(label, author, &[], |_| {
        SessionEvent {
            code: EventCode::ApprovalExpired,
            about,
            detail: None,
        }
        .into()
    });
}

/// Something that changes nothing.
pub(crate) fn remark(writer: &mut Writer<'_>, label: &'static str, author: Author) {
    writer.enter(label, author, &[], |_| {
        SessionEvent {
            code: EventCode::Warning,
            about: None,
            detail: None,
        }
        .into()
    });
}

/// An exchange with another ledger: a kind that this version does not judge.
pub(crate) fn meet(writer: &mut Writer<'_>, label: &'static str) {
    writer.enter(label, RUNTIME, &[], |_| {
        PeerNoted {
            exchange: Bytes::new([0xee; 16]),
            direction: Direction::Out,
            ledger: LedgerId::from_bytes([0x1d; 32]),
            entry: Digest::sha256(b"an entry there"),
            checkpoint: head(1, Root::of_empty()),
            own_entry: None,
        }
        .into()
    });
}

/// A checkpoint of this ledger, signed by both of its keys.
pub(crate) fn head(size: u64, root: Root) -> Doc {
    head_under(&checkpoint_keys(), size, root)
}

pub(crate) fn head_under(keys: &CheckpointKeys, size: u64, root: Root) -> Doc {
    let head = Checkpoint {
        origin: Origin::new(format!("countersign/{}", "07".repeat(16))).expect("an origin"),
        size: Size::clamped(size),
        root,
    };
    let time = UnixSeconds::new(START / 1_000).expect("a time");
    Doc::new(checkpoint::sign(&head, keys, time).into_bytes()).expect("a document")
}

pub(crate) fn recover(writer: &mut Writer<'_>, label: &'static str, author: Author, lost_head: Option<Doc>) {
    let size = Size::clamped(author.1.get());
    writer.enter(label, author, &[], |_| {
        LedgerRecovered {
            size,
            lost_head,
            reason: RecoveryReason::LostTail,
        }
        .into()
    });
}
