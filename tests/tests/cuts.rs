//! A ledger that lost its end is never verified, and a head kept elsewhere proves the loss (attacker K0).

use std::fs;

use tempfile::TempDir;

use crate::support::Checked;
use crate::support::judge::Judge;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::programs::{countersign, run};
use crate::support::stored::Stored;
use crate::support::story::story;
use crate::support::verdict::Verdict;

/// Removes the last entry, its payloads and every checkpoint beyond what is left.
fn cut_last(copy: &LedgerCopy, size: u64) -> Checked {
    let left = size.cast_signed() - 1;
    copy.change("DELETE FROM record WHERE seq >= ?1", [left])?;
    copy.change_if_any("DELETE FROM payload WHERE id >= ?1 * 8", [left])?;
    copy.change_if_any("DELETE FROM checkpoint WHERE size > ?1", [left])?;
    Ok(())
}

/// The demo's last checkpoint, as a careful person keeps it elsewhere.
fn own_head() -> Checked<Vec<u8>> {
    let ran = run(countersign().args(["ledger", "head", "--ledger"]).arg(story().ledger()))?.expect(0);
    Ok(ran.stdout.into_bytes())
}

#[test]
fn any_number_of_last_entries_cut_is_never_verified() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    let judge = Judge::new(&story().anchor())?;
    for size in (1..=Stored::read(&story().ledger())?.size()).rev() {
        cut_last(&copy, size)?;
        let judged = judge.judge(&copy.path())?;
        let expected = if size == 1 { &[1, 4][..] } else { &[1, 3] };
        assert!(expected.contains(&judged.code), "{} entries left: {judged}", size - 1);
    }
    Ok(())
}

#[test]
fn any_number_of_last_entries_cut_is_rejected_under_a_kept_head() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    let judge = Judge::new(&story().anchor())?.with_head(own_head()?);
    for size in (2..=Stored::read(&story().ledger())?.size()).rev() {
        cut_last(&copy, size)?;
        let judged = judge.judge(&copy.path())?;
        assert!(
            judged.code == 1 && judged.finds("I8", size - 2),
            "{} entries left: {judged}",
            size - 1
        );
    }
    Ok(())
}

#[test]
fn cut_is_rejected_under_a_kept_head_by_the_program_too() -> Checked {
    let folder = TempDir::new()?;
    let head = folder.path().join("head");
    fs::write(&head, own_head()?)?;
    let copy = LedgerCopy::of(&story().ledger())?;
    let size = Stored::read(&story().ledger())?.size();
    cut_last(&copy, size)?;
    let arguments = [&story().trust()[..], &["--head".into(), head.display().to_string()]].concat();
    let verdict = copy.verdict(arguments)?.expect(1);
    assert!(verdict.finds("I8", size - 2), "{}", verdict.ran);
    Ok(())
}

#[test]
fn cut_that_keeps_the_last_checkpoint_is_rejected() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    let size = Stored::read(&story().ledger())?.size().cast_signed();
    copy.change("DELETE FROM record WHERE seq = ?1", [size - 1])?;
    let verdict = copy.verdict(story().trust())?.expect(1);
    assert!(verdict.finding_codes().contains(&"I7"), "{}", verdict.ran);
    Ok(())
}

#[test]
fn loss_of_the_last_checkpoint_alone_leaves_the_end_unproven() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    let size = Stored::read(&story().ledger())?.size().cast_signed();
    copy.change("DELETE FROM checkpoint WHERE size = ?1", [size])?;
    let verdict = copy.verdict(story().trust())?.expect(3);
    assert_eq!(verdict.unproven_codes(), ["C1"], "{}", verdict.ran);
    Ok(())
}

#[test]
fn loss_of_every_checkpoint_is_never_verified() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    copy.change("DELETE FROM checkpoint", [])?;
    let verdict = copy.verdict(story().trust())?;
    assert!([1, 3].contains(&verdict.code()), "{}", verdict.ran);
    Ok(())
}

#[test]
fn empty_tables_are_never_verified() -> Checked {
    let copy = LedgerCopy::of(&story().ledger())?;
    for table in ["record", "payload", "checkpoint"] {
        copy.change(&format!("DELETE FROM {table}"), [])?;
    }
    let verdict = Verdict::of(&copy.path(), story().trust())?;
    assert!([1, 4].contains(&verdict.code()), "{}", verdict.ran);
    Ok(())
}
