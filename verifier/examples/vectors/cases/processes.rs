//! One way to break each rule about several processes: introductions, succession, recovery (authority-v1 §5.2, §5.4).

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_identity::keys::Seed32;
use countersign_ledger::checkpoint::CheckpointKeys;
use countersign_ledger::merkle::{Frontier, Root};
use countersign_schemas::body::{
    ActionFinished, Body, FinishOutcome, Introduced, LedgerRecovered, Role, RunEndReason, RunEnded, RunStarted,
};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_verifier::projection::Observed;

use super::broken::{Broken, case};
use super::ledger::{CRASH, Honest, RECOVERY, SIDE_BY_SIDE, UNATTENDED};
use crate::support::aftermath::{end_run, expire, head, head_under, join, join_as, lose, recover, remark};
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, window};
use crate::support::story::{RUNTIME, approve_by, decide_by, introduce, lead, stop};
use crate::support::writer::{Twist, Writer};

pub(super) fn broken() -> Vec<Broken> {
    [joining(), claims(), succession(), aftermath(), recovery()]
        .into_iter()
        .flatten()
        .collect()
}

/// A case of another story than the usual one.
fn of(
    story: &'static Honest,
    code: &'static str,
    name: &'static str,
    why: &'static str,
    label: &'static str,
    twist: Twist<'static>,
) -> Broken {
    Broken {
        of: story,
        ..case(code, name, why, label, twist)
    }
}

fn introduced(label: &'static str, change: fn(&mut Introduced)) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            change(body);
        }
    })
}

fn finished(label: &'static str, change: fn(&mut ActionFinished)) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ActionFinished(body) = &mut statement.body {
            change(body);
        }
    })
}

fn recovered(change: impl Fn(&mut LedgerRecovered) + 'static) -> Twist<'static> {
    Twist::statement("recovered", move |statement| {
        if let Body::LedgerRecovered(body) = &mut statement.body {
            change(body);
        }
    })
}

fn before(label: &'static str, write: fn(&mut Writer<'static>)) -> Twist<'static> {
    Twist::before(label, write)
}

fn second(writer: &Writer<'_>) -> (Who, Seq) {
    (Who::Second, writer.at("second"))
}

/// Who may introduce itself, and how.
fn joining() -> Vec<Broken> {
    let advisor: fn(&mut Writer<'static>) = |writer| {
        let role = (InstanceRole::Advisor, Role::Advisor);
        join_as(writer, "self", Who::Stranger, role, None);
    };
    let brought: fn(&mut Writer<'static>) = |writer| {
        let role = InstanceRole::Runtime;
        introduce(writer, "brought", RUNTIME, Who::Stranger, role, (Who::Host, None, None));
    };
    let again: fn(&mut Writer<'static>) = |writer| {
        join(writer, "again", Who::Opener, None);
    };
    let counter = Twist::statement("second", |it| it.n = Count::clamped(1));
    let signer = Twist::draft("second", |it| it.signer = Who::Opener);
    let run = introduced("second", |it| it.run = Some(Seq::clamped(6)));
    let grant = introduced("second", |it| it.parent_grant = Some(Seq::clamped(5)));
    vec![
        of(
            &SIDE_BY_SIDE,
            "A1",
            "self",
            "an advisor introduces itself",
            "self",
            before("second", advisor),
        ),
        of(
            &SIDE_BY_SIDE,
            "A1",
            "opener",
            "the opener joins again",
            "again",
            before("second", again),
        ),
        of(
            &SIDE_BY_SIDE,
            "A5",
            "brought",
            "a runtime introduces another",
            "brought",
            before("second", brought),
        ),
        of(
            &SIDE_BY_SIDE,
            "I2",
            "newcomer",
            "an introduction under another key than its own",
            "second",
            signer,
        ),
        of(
            &SIDE_BY_SIDE,
            "I6",
            "newcomer",
            "a first statement with n 1",
            "second",
            counter,
        ),
        of(
            &SIDE_BY_SIDE,
            "G8",
            "runtime",
            "a runtime that belongs to a run",
            "second",
            run,
        ),
        of(&SIDE_BY_SIDE, "A5", "grant", "a runtime with a grant", "second", grant),
    ]
}

/// What the host must say about a later runtime.
fn claims() -> Vec<Broken> {
    let other = |it: &mut InstanceClaims| it.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]));
    let long = |it: &mut InstanceClaims| it.window = window(START - HOUR, START + 48 * HOUR);
    let early = |it: &mut InstanceClaims| it.window = window(START + HOUR, START + 2 * HOUR);
    let role = |it: &mut InstanceClaims| it.role = InstanceRole::Advisor;
    let subject = |it: &mut InstanceClaims| it.instance = Who::Opener.did().short_did().clone();
    let operator = |it: &mut InstanceClaims| it.operator = Who::Stranger.did().short_did().clone();
    let case = |code, name, why, twist| of(&SIDE_BY_SIDE, code, name, why, "second", twist);
    vec![
        case(
            "A2",
            "joins_issuer",
            "certified by another than the host",
            Twist::issuer("second", Who::Stranger),
        ),
        case(
            "A2",
            "joins_ledger",
            "a credential for another ledger",
            Twist::claims("second", other),
        ),
        case(
            "A2",
            "joins_role",
            "a credential of an advisor",
            Twist::claims("second", role),
        ),
        case(
            "A2",
            "joins_subject",
            "a credential of another instance",
            Twist::claims("second", subject),
        ),
        case(
            "A2",
            "joins_operator",
            "a credential for another principal",
            Twist::claims("second", operator),
        ),
        case(
            "A4",
            "joins_window",
            "a credential that outlives the host's",
            Twist::claims("second", long),
        ),
        case(
            "A4",
            "joins_early",
            "introduces itself before its window",
            Twist::claims("second", early),
        ),
    ]
}

/// Who may be succeeded, and what ends with it.
fn succession() -> Vec<Broken> {
    let seen = Twist::statement("second", |it| it.seen.size = Size::clamped(it.seen.size.get() - 1));
    let twice: fn(&mut Writer<'static>) = |writer| {
        join(writer, "third", Who::Third, Some(Seq::ZERO));
    };
    let declared: fn(&mut Writer<'static>) = |writer| {
        let instance = writer.at("second");
        stop(writer, "declared", RUNTIME, instance);
        join(writer, "third", Who::Third, Some(instance));
    };
    let speaks: fn(&mut Writer<'static>) = |writer| remark(writer, "late", RUNTIME);
    let lead = introduced("second", |it| it.succeeds = Some(Seq::clamped(5)));
    let stopped = introduced("second", |it| it.succeeds = Some(Seq::ZERO));
    let advisor = introduced("advisor", |it| it.succeeds = Some(Seq::ZERO));
    vec![
        of(
            &CRASH,
            "I5",
            "succeeds",
            "takes over without having seen everything",
            "second",
            seen,
        ),
        of(
            &CRASH,
            "A5",
            "succeeds_agent",
            "takes over from an agent",
            "second",
            lead,
        ),
        of(
            &UNATTENDED,
            "A5",
            "succeeds_stopped",
            "takes over from one that stopped itself",
            "second",
            stopped,
        ),
        of(
            &CRASH,
            "A5",
            "succeeds_twice",
            "takes over from one that was succeeded",
            "third",
            before("spawn-lost", twice),
        ),
        of(
            &SIDE_BY_SIDE,
            "A5",
            "succeeds_declared",
            "takes over from one whose stop was declared",
            "third",
            before("second-stop", declared),
        ),
        of(
            &CRASH,
            "A3",
            "succeeded",
            "one that was succeeded speaks",
            "late",
            before("spawn-lost", speaks),
        ),
        of(&CRASH, "U2", "succeeds", "an advisor takes over", "advisor", advisor),
    ]
}

/// What a successor may do, and who is none.
fn aftermath() -> Vec<Broken> {
    let ran = finished("spawn-lost", |it| {
        it.outcome = FinishOutcome::Ok;
        it.started = Some(Millis::clamped(START + 15_000));
    });
    let began = finished("spawn-lost", |it| it.started = Some(Millis::clamped(START + 15_000)));
    let aborted = finished("spawn-lost", |it| it.outcome = FinishOutcome::Aborted);
    let stranger_ends: fn(&mut Writer<'static>) = |writer| {
        let third = join(writer, "third", Who::Third, None);
        lose(writer, "foreign", third, "spawn-decision");
    };
    let stranger_expires: fn(&mut Writer<'static>) = |writer| {
        let third = join(writer, "third", Who::Third, None);
        expire(writer, "foreign", third, "bash-decision");
    };
    let stranger_ends_run: fn(&mut Writer<'static>) = |writer| {
        let third = join(writer, "third", Who::Third, None);
        end_run(writer, "foreign", third, ("run", "lead"), RunEndReason::Environment);
    };
    let approves: fn(&mut Writer<'static>) = |writer| {
        let pair = (writer.at("bash"), writer.at("bash-decision"));
        approve_by(writer, "approved", second(writer), pair, |_| {});
    };
    let decides: fn(&mut Writer<'static>) = |writer| {
        let request = writer.at("todo");
        decide_by(writer, "decided", second(writer), request, Observed::nothing());
    };
    let done = Twist::statement("run-lost", |statement| {
        if let Body::RunEnded(body) = &mut statement.body {
            **body = RunEnded {
                reason: RunEndReason::Done,
                ..RunEnded::clone(body)
            };
        }
    });
    let foreign_lead = Twist::statement("run-2", |statement| {
        if let Body::RunStarted(body) = &mut statement.body {
            **body = RunStarted {
                root_grant: Seq::clamped(5),
                ..RunStarted::clone(body)
            };
        }
    });
    vec![
        of(
            &CRASH,
            "D6",
            "lost_ran",
            "a successor says that the action ran",
            "spawn-lost",
            ran,
        ),
        of(
            &CRASH,
            "D6",
            "lost_began",
            "a successor says when the action began",
            "spawn-lost",
            began,
        ),
        of(
            &CRASH,
            "D6",
            "lost_aborted",
            "a successor says that the action did not run",
            "spawn-lost",
            aborted,
        ),
        of(
            &CRASH,
            "D6",
            "lost_foreign",
            "one that did not take over ends an action",
            "foreign",
            before("spawn-lost", stranger_ends),
        ),
        of(
            &CRASH,
            "A5",
            "expired_foreign",
            "one that did not take over gives up an ask",
            "foreign",
            before("bash-expired", stranger_expires),
        ),
        of(
            &CRASH,
            "A5",
            "run_foreign",
            "one that did not take over ends a run",
            "foreign",
            before("run-lost", stranger_ends_run),
        ),
        of(
            &CRASH,
            "A5",
            "run_done",
            "a successor says that the run is done",
            "run-lost",
            done,
        ),
        of(
            &CRASH,
            "D5",
            "succeeded",
            "a successor enters an approval",
            "approved",
            before("bash-expired", approves),
        ),
        of(
            &CRASH,
            "D2",
            "succeeded",
            "a successor decides a request",
            "decided",
            before("bash-expired", decides),
        ),
        of(
            &SIDE_BY_SIDE,
            "A5",
            "run_lead",
            "a run of another's lead",
            "run-2",
            foreign_lead,
        ),
    ]
}

/// Where a loss may be told, and by which head.
fn recovery() -> Vec<Broken> {
    let late: fn(&mut Writer<'static>) = |writer| recover(writer, "late", second(writer), None);
    let opener: fn(&mut Writer<'static>) = |writer| recover(writer, "early", RUNTIME, None);
    let agent: fn(&mut Writer<'static>) = |writer| {
        let lead = lead(writer);
        recover(writer, "told", lead, None);
    };
    let size = recovered(|it| it.size = Size::clamped(it.size.get() + 1));
    let shorter = recovered(|it| it.lost_head = Some(head(it.size.get() - 1, Root::of_empty())));
    let other_keys = || CheckpointKeys::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]));
    let foreign =
        recovered(move |it| it.lost_head = Some(head_under(&other_keys(), it.size.get() + 5, Root::of_empty())));
    let case = |code, name, why, label, twist| of(&RECOVERY, code, name, why, label, twist);
    vec![
        of(
            &CRASH,
            "A5",
            "recovered_late",
            "a loss that is told later",
            "late",
            before("bash-expired", late),
        ),
        of(
            &CRASH,
            "A5",
            "recovered_opener",
            "a loss before the first entry",
            "early",
            before("layer0", opener),
        ),
        of(
            &CRASH,
            "A5",
            "recovered_agent",
            "a loss that an agent tells",
            "told",
            before("call-1", agent),
        ),
        case(
            "I7",
            "recovered_size",
            "another size than what was found",
            "recovered",
            size,
        ),
        case(
            "I7",
            "recovered_shorter",
            "a head over less than was found",
            "recovered",
            shorter,
        ),
        case(
            "I7",
            "recovered_fits",
            "a head that shows no loss",
            "recovered",
            fitting(),
        ),
        case("I7", "recovered_head", "a head under other keys", "recovered", foreign),
    ]
}

/// The head of exactly what was found.
fn fitting() -> Twist<'static> {
    let found = (RECOVERY.tell)(Twist::honest());
    let size = found.at("second").get();
    let mut tree = Frontier::new();
    found
        .entries
        .iter()
        .take(usize::try_from(size).expect("a short story"))
        .for_each(|entry| tree.push(&entry.record));
    recovered(move |it| it.lost_head = Some(head(size, tree.root())))
}
