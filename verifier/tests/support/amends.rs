//! A ledger of second thoughts: after a crash a lost action is taken up again; the principal withdraws the lead, and has a
//! result erased.

use countersign_schemas::number::Seq;

use super::aftermath::{LIST, clean_up, end, join, start, until_the_crash};
use super::cast::Who;
use super::orders::{erase, revoke_on_order_by};
use super::story::{Author, EDIT, close_by, decide_by, finish_by, inside, request, resume, turn};
use super::writer::{Twist, Writer};

/// Told from the crash to the close.
pub(crate) fn amends<'t>(twist: Twist<'t>) -> Writer<'t> {
    let mut writer = Writer::new(twist);
    let (second, lead, cause) = after_the_crash(&mut writer);
    let lost = writer.at("edit");
    let again = resume(&mut writer, "edit-again", lead, EDIT, cause, lost);
    let allowed = decide_by(&mut writer, "again-decision", second, again, inside("/w/src/add.sh"));
    revoke_on_order_by(&mut writer, "revoke", second, lead.1);
    finish_by(&mut writer, "again-finish", second, allowed);
    let list = request(&mut writer, "list", lead, LIST, cause, &[]);
    decide_by(&mut writer, "list-decision", second, list, inside("/w/src"));
    let result = writer.at("again-finish");
    erase(&mut writer, "erase", second, (result, 0));
    end(&mut writer, second, lead);
    close_by(&mut writer, second);
    writer
}

/// The process that took over has cleaned up, and its lead was proposed what the lost one wanted: the process, the lead, and
/// the answer that proposes.
pub(crate) fn after_the_crash(writer: &mut Writer<'_>) -> (Author, Author, Seq) {
    until_the_crash(writer);
    let second = join(writer, "second", Who::Second, Some(Seq::ZERO));
    clean_up(writer, second);
    let lead = start(writer, second);
    let cause = turn(writer, ["call-b", "answer-b"], lead, &[EDIT, LIST, EDIT]);
    (second, lead, cause)
}
