use std::os::unix::fs::symlink;

use super::*;
use crate::tool::test_support::{Bench, TestResult};

fn spool(bench: &Bench) -> Result<Spool, Box<dyn std::error::Error>> {
    Ok(Spool::new(ResultsFolder::of(&bench.any_permit()?)))
}

/// Lines of eight bytes that say where they are.
fn lines(from: u64, to: u64) -> String {
    (from..to).map(|line| format!("{line:07}\n")).collect()
}

#[test]
fn short_output_stays_in_memory_and_makes_no_folder() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    assert!(spool.is_small() && !spool.ends_with_line_feed());
    spool.push(lines(0, 2 * HALF_IN_MEMORY_BYTES / 8).as_bytes());
    assert!(spool.is_small() && spool.ends_with_line_feed());
    assert_eq!(spool.whole_text(), lines(0, 2 * HALF_IN_MEMORY_BYTES / 8));
    assert!(!bench.root.join(".countersign").exists());
    Ok(())
}

#[test]
fn long_output_is_whole_up_to_sixteen_mebibytes() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    let all = lines(0, 2 * HALF_IN_FILE_BYTES / 8);
    for piece in all.as_bytes().chunks(8191) {
        spool.push(piece);
    }
    assert!(matches!(spool.store, Store::File(_)) && !spool.is_small());
    assert!(spool.whole_text() == all);
    assert_eq!(std::fs::read_dir(bench.root.join(".countersign/results"))?.count(), 0);
    Ok(())
}

#[test]
fn endless_output_keeps_both_ends_and_says_what_is_missing() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    let (half, count) = (HALF_IN_FILE_BYTES / 8, 3 * HALF_IN_FILE_BYTES / 8 + 5);
    for piece in lines(0, count).as_bytes().chunks(8191) {
        spool.push(piece);
    }
    let left_out = (count - 2 * half) * 8;
    let expected = [
        lines(0, half),
        format!("\n[{left_out} bytes of output were not kept here]\n"),
        lines(count - half, count),
    ];
    assert!(spool.whole_text() == expected.concat());
    Ok(())
}

#[test]
fn hostile_folder_leaves_both_ends_in_memory() -> TestResult {
    let bench = Bench::new()?;
    std::fs::create_dir(bench.outside())?;
    symlink(bench.outside(), bench.root.join(".countersign"))?;
    let mut spool = spool(&bench)?;
    let count = 10 * HALF_IN_MEMORY_BYTES / 8;
    for piece in lines(0, count).as_bytes().chunks(8191) {
        spool.push(piece);
    }
    let kept = spool.whole_text();
    assert!(matches!(&spool.store, Store::Memory(memory) if memory.len() as u64 == 2 * HALF_IN_MEMORY_BYTES));
    assert!(kept.starts_with("0000000\n") && kept.ends_with(&lines(count - 1, count)));
    assert!(kept.contains("bytes of output were not kept here"));
    assert_eq!(std::fs::read_dir(bench.outside())?.count(), 0);
    Ok(())
}

#[test]
fn reader_gets_every_byte_once_and_hears_of_what_it_missed() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    spool.push("caf\u{e9}".as_bytes());
    let first = spool.next_text(0, 4, Writer::Writing);
    assert_eq!((first.text.as_str(), first.next), ("caf", 3), "half a character waits");
    let second = spool.next_text(first.next, 100, Writer::Writing);
    assert_eq!((second.text.as_str(), second.next), ("\u{e9}", 5));
    assert_eq!(spool.next_text(second.next, 100, Writer::Writing).text, "");

    let count = 4 * HALF_IN_FILE_BYTES / 8;
    for piece in lines(0, count).as_bytes().chunks(8191) {
        spool.push(piece);
    }
    let mut position = HALF_IN_FILE_BYTES;
    let late = spool.next_text(position, 100, Writer::Writing);
    assert_eq!(late.skipped, spool.total() - 2 * HALF_IN_FILE_BYTES);
    let mut rest = String::new();
    while position < spool.total() {
        let next = spool.next_text(position, 100_000, Writer::Gone);
        position = next.next;
        rest.push_str(&next.text);
    }
    assert!(lines(0, count).ends_with(&rest) && rest.len() as u64 == HALF_IN_FILE_BYTES);
    Ok(())
}

#[test]
fn character_across_the_seam_of_the_halves_is_whole() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    let all = format!("{}\u{20ac}end", "x".repeat(usize::try_from(HALF_IN_MEMORY_BYTES)? - 1));
    spool.push(all.as_bytes());
    assert!(spool.whole_text() == all);
    let at = HALF_IN_MEMORY_BYTES - 1;
    assert_eq!(spool.next_text(at, 100, Writer::Writing).text, "\u{20ac}end");
    Ok(())
}

#[test]
fn part_of_a_long_output_ends_with_a_line() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    spool.push(b"first line\nsecond line\nthird");
    let first = spool.next_text(0, 15, Writer::Writing);
    assert_eq!((first.text.as_str(), first.next), ("first line\n", 11));
    assert_eq!(
        spool.next_text(11, 4, Writer::Writing).text,
        "seco",
        "a line that is too long is parted"
    );
    assert_eq!(spool.next_text(11, 100, Writer::Writing).text, "second line\nthird");
    Ok(())
}

#[test]
fn unfinished_character_at_the_end_is_given_when_nothing_follows() -> TestResult {
    let bench = Bench::new()?;
    let mut spool = spool(&bench)?;
    spool.push(b"a\xe2\x82");
    assert_eq!(spool.next_text(1, 100, Writer::Writing).text, "");
    let last = spool.next_text(1, 100, Writer::Gone);
    assert_eq!((last.text.as_str(), last.next), ("\u{fffd}", 3));
    Ok(())
}
