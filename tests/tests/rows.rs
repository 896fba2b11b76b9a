//! Rows deleted, doubled, swapped, moved and added are found (attacker K0).

use crate::support::Checked;
use crate::support::ledger_copy::LedgerCopy;
use crate::support::stored::Stored;
use crate::support::story::{other_story, story};
use crate::support::verdict::Verdict;

fn copy() -> Checked<LedgerCopy> {
    LedgerCopy::of(&story().ledger())
}

fn size() -> Checked<i64> {
    Ok(Stored::read(&story().ledger())?.size().cast_signed())
}

#[track_caller]
fn rejected(copy: &LedgerCopy) -> Checked<Verdict> {
    Ok(copy.verdict(story().trust())?.expect(1))
}

#[test]
fn any_deleted_entry_is_named_by_the_gap() -> Checked {
    for seq in (0..size()? - 1).step_by(9) {
        let copy = copy()?;
        copy.change("DELETE FROM record WHERE seq = ?1", [seq])?;
        copy.change_if_any("DELETE FROM payload WHERE id / 8 = ?1", [seq])?;
        let verdict = rejected(&copy)?;
        let (gap, behind) = (seq.cast_unsigned(), seq.cast_unsigned() + 1);
        assert!(
            verdict.finds("I4", gap) || verdict.finds("I4", behind),
            "entry {seq}: {}",
            verdict.ran
        );
    }
    Ok(())
}

#[test]
fn deleted_entry_with_all_later_ones_moved_up_is_rejected() -> Checked {
    for seq in (1..size()? - 1).step_by(23) {
        let copy = copy()?;
        copy.change("DELETE FROM record WHERE seq = ?1", [seq])?;
        copy.change_if_any("DELETE FROM payload WHERE id / 8 = ?1", [seq])?;
        // By way of negative keys, because keys are unique at every moment.
        copy.change("UPDATE record SET seq = -seq WHERE seq > ?1", [seq])?;
        copy.change("UPDATE record SET seq = -seq - 1 WHERE seq < 0", [])?;
        copy.change_if_any("UPDATE payload SET id = -id WHERE id / 8 > ?1", [seq])?;
        copy.change_if_any("UPDATE payload SET id = -id - 8 WHERE id < 0", [])?;
        let verdict = rejected(&copy)?;
        assert!(verdict.finds("I4", seq.cast_unsigned()), "entry {seq}: {}", verdict.ran);
    }
    Ok(())
}

#[test]
fn entry_repeated_at_the_end_is_rejected() -> Checked {
    let size = size()?;
    for seq in [0, 1, size / 2, size - 1] {
        let copy = copy()?;
        copy.change(
            "INSERT INTO record SELECT ?1, bytes FROM record WHERE seq = ?2",
            [size, seq],
        )?;
        let verdict = rejected(&copy)?;
        assert!(
            verdict.finds("I4", size.cast_unsigned()),
            "entry {seq}: {}",
            verdict.ran
        );
    }
    Ok(())
}

#[test]
fn swapped_neighbours_are_rejected() -> Checked {
    for seq in (1..size()? - 2).step_by(17) {
        let copy = copy()?;
        for sql in [
            "UPDATE record SET seq = -1 WHERE seq = ?1",
            "UPDATE record SET seq = ?1 WHERE seq = ?1 + 1",
        ] {
            copy.change(sql, [seq])?;
        }
        copy.change("UPDATE record SET seq = ?1 + 1 WHERE seq = -1", [seq])?;
        let verdict = rejected(&copy)?;
        assert!(verdict.names(seq.cast_unsigned()), "entry {seq}: {}", verdict.ran);
    }
    Ok(())
}

#[test]
fn entry_replaced_by_another_ledgers_is_rejected() -> Checked {
    let other = Stored::read(&other_story().ledger())?;
    for row in other.records.iter().step_by(19) {
        let copy = copy()?;
        copy.change(
            "UPDATE record SET bytes = ?1 WHERE seq = ?2",
            (&row.parts[0], row.key.cast_signed()),
        )?;
        let verdict = rejected(&copy)?;
        assert!(verdict.names(row.key), "entry {}: {}", row.key, verdict.ran);
    }
    Ok(())
}

#[test]
fn another_genesis_under_the_same_entries_is_rejected() -> Checked {
    let other = Stored::read(&other_story().ledger())?;
    let copy = copy()?;
    copy.change(
        "UPDATE record SET bytes = ?1 WHERE seq = 0",
        [&other.records[0].parts[0]],
    )?;
    rejected(&copy)?;
    // Under the anchor of the ledger that the genesis was taken from it is no better.
    copy.verdict(other_story().trust())?.expect(1);
    Ok(())
}

#[test]
fn row_before_the_first_and_far_behind_the_last_are_rejected() -> Checked {
    for seq in [-1, i64::MIN, size()? + 1, 1 << 53, i64::MAX] {
        let copy = copy()?;
        copy.change("INSERT INTO record SELECT ?1, bytes FROM record WHERE seq = 3", [seq])?;
        rejected(&copy)?;
    }
    Ok(())
}

#[test]
fn payload_row_that_no_entry_committed_to_is_rejected() -> Checked {
    let size = size()?;
    for id in [7, size * 8, (size - 1) * 8 + 7, -8, i64::MIN, i64::MAX] {
        let copy = copy()?;
        copy.change("INSERT INTO payload VALUES (?1, zeroblob(32), zeroblob(9))", [id])?;
        let verdict = rejected(&copy)?;
        assert!(verdict.finding_codes().contains(&"I9"), "payload {id}: {}", verdict.ran);
    }
    Ok(())
}

#[test]
fn payloads_exchanged_between_entries_are_named() -> Checked {
    let stored = Stored::read(&story().ledger())?;
    let [one, .., other] = stored.payloads.as_slice() else {
        return Err("fewer than two payloads".into());
    };
    let copy = copy()?;
    let update = "UPDATE payload SET salt = ?1, content = ?2 WHERE id = ?3";
    copy.change(update, (&one.parts[0], &one.parts[1], other.key.cast_signed()))?;
    copy.change(update, (&other.parts[0], &other.parts[1], one.key.cast_signed()))?;
    let verdict = rejected(&copy)?;
    assert!(
        verdict.finds("I9", one.key / 8) && verdict.finds("I9", other.key / 8),
        "{}",
        verdict.ran
    );
    Ok(())
}

#[test]
fn payload_bytes_moved_between_salt_and_content_are_named() -> Checked {
    let stored = Stored::read(&story().ledger())?;
    for row in stored.payloads.iter().filter(|row| row.parts[1].len() > 1).step_by(13) {
        let whole = row.parts.concat();
        for border in [31, 33] {
            let (salt, content) = whole.split_at(border);
            let copy = copy()?;
            let update = "UPDATE payload SET salt = ?1, content = ?2 WHERE id = ?3";
            copy.change(update, (salt, content, row.key.cast_signed()))?;
            let verdict = rejected(&copy)?;
            assert!(
                verdict.finds("I9", row.key / 8),
                "entry {}: {}",
                row.key / 8,
                verdict.ran
            );
        }
    }
    Ok(())
}

#[test]
fn checkpoint_under_another_size_is_rejected() -> Checked {
    let size = size()?;
    for (from, to) in [(size, size - 1), (1, 2), (size, size + 1), (size, 0), (size, -1)] {
        let copy = copy()?;
        copy.change("UPDATE checkpoint SET size = ?1 WHERE size = ?2", [to, from])?;
        let verdict = rejected(&copy)?;
        assert!(
            verdict.finding_codes().contains(&"I7"),
            "{from} as {to}: {}",
            verdict.ran
        );
    }
    Ok(())
}

#[test]
fn checkpoint_of_another_ledger_is_rejected() -> Checked {
    let other = Stored::read(&other_story().ledger())?;
    for row in &other.checkpoints {
        let copy = copy()?;
        let size = row.key.cast_signed();
        copy.change_if_any("DELETE FROM checkpoint WHERE size = ?1", [size])?;
        copy.change("INSERT INTO checkpoint VALUES (?1, ?2)", (size, &row.parts[0]))?;
        let verdict = rejected(&copy)?;
        assert!(verdict.finds("I7", row.key - 1), "size {size}: {}", verdict.ran);
    }
    Ok(())
}
