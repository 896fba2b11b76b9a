use countersign_identity::keys::Seed32;

use super::*;
use crate::checkpoint::{CheckpointKeys, UnixSeconds, sign};
use crate::merkle::Frontier;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn keys(seed: u8) -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new([seed; 32]), Seed32::new([seed ^ 0xff; 32]))
}

fn origin(name: &str) -> Origin {
    Origin::new(name).expect("a name of letters is an origin")
}

/// The root over the first `size` of the records 0, 1, 2, …
fn root(size: Size) -> Root {
    let mut tree = Frontier::new();
    (0..size.get()).for_each(|record| tree.push(&record.to_be_bytes()));
    tree.root()
}

fn note(name: &str, size: u64, root: Root) -> Vec<u8> {
    let (origin, size) = (origin(name), Size::clamped(size));
    let time = UnixSeconds::new(1_800_000_000).expect("a time of this century");
    sign(&Checkpoint { origin, size, root }, &keys(1), time).into_bytes()
}

/// A ledger of seven records against `note`.
fn judge(note: &[u8]) -> Result<Checkpoint, HeadError> {
    check(note, &keys(1).public(), &origin("ours"), Size::clamped(7), |size| {
        Some(root(size))
    })
}

#[test]
fn head_over_the_whole_ledger_or_its_beginning_holds() -> TestResult {
    for size in [1, 4, 7] {
        let head = judge(&note("ours", size, root(Size::clamped(size))))?;
        assert_eq!(head.size, Size::clamped(size));
    }
    Ok(())
}

#[test]
fn head_over_one_record_more_shows_a_lost_tail() {
    let refused = judge(&note("ours", 8, root(Size::clamped(8))));
    let (ledger, head) = (Size::clamped(7), Size::clamped(8));
    assert_eq!(refused, Err(HeadError::TailLost { ledger, head }));
}

#[test]
fn head_over_other_records_is_refused() {
    let other = root(Size::clamped(3));
    let refused = judge(&note("ours", 4, other));
    assert!(matches!(refused, Err(HeadError::OtherRoot { head, .. }) if head == other));
}

#[test]
fn head_of_another_ledger_with_the_same_keys_is_refused() {
    let refused = judge(&note("theirs", 4, root(Size::clamped(4))));
    assert!(matches!(refused, Err(HeadError::OtherLedger { .. })));
}

#[test]
fn head_that_these_keys_did_not_sign_is_refused() {
    let note = note("ours", 4, root(Size::clamped(4)));
    let refused = check(&note, &keys(2).public(), &origin("ours"), Size::clamped(7), |size| {
        Some(root(size))
    });
    assert!(matches!(refused, Err(HeadError::NotSigned(_))));
    assert!(matches!(judge(b""), Err(HeadError::NotSigned(_))));
    let mut changed = note;
    changed[40] ^= 1;
    assert!(matches!(judge(&changed), Err(HeadError::NotSigned(_))));
}

#[test]
fn head_without_a_root_to_compare_with_is_refused() {
    let note = note("ours", 4, root(Size::clamped(4)));
    let refused = check(&note, &keys(1).public(), &origin("ours"), Size::clamped(7), |_| None);
    assert!(matches!(refused, Err(HeadError::RootUnknown { .. })));
}

fn names(folder: &Path) -> Result<Vec<OsString>, std::io::Error> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

#[test]
fn written_head_replaces_the_one_before_and_leaves_nothing_beside_it() -> TestResult {
    let folder = tempfile::tempdir()?;
    let head = HeadFile::beside(&folder.path().join("ledger.db"));
    assert_eq!(head.read()?, None);
    // What a writer left that died.
    std::fs::write(folder.path().join(".ledger.db-head.countersign-new"), b"half")?;
    head.write(b"first, and longer than the second")?;
    head.write(b"second")?;
    assert_eq!(head.read()?, Some(b"second".to_vec()));
    assert_eq!(names(folder.path())?, ["ledger.db-head"]);
    Ok(())
}

#[test]
fn head_file_as_long_as_a_note_may_be_is_read_and_a_longer_one_refused() -> TestResult {
    let folder = tempfile::tempdir()?;
    let head = HeadFile::at(&folder.path().join("head"));
    head.write(&vec![b'x'; NOTE_BYTES_MAX])?;
    assert_eq!(head.read()?.map(|note| note.len()), Some(NOTE_BYTES_MAX));
    assert!(matches!(
        head.write(&vec![b'x'; NOTE_BYTES_MAX + 1]),
        Err(HeadFileError::TooLong { .. })
    ));
    std::fs::write(head.path(), vec![b'x'; NOTE_BYTES_MAX + 1])?;
    assert!(matches!(head.read(), Err(HeadFileError::TooLong { .. })));
    Ok(())
}

#[test]
fn head_file_that_cannot_be_reached_is_not_one_that_is_not_there() -> TestResult {
    let folder = tempfile::tempdir()?;
    let unmounted = HeadFile::at(&folder.path().join("disk/head"));
    assert!(matches!(unmounted.read(), Err(HeadFileError::FolderMissing { .. })));
    assert!(matches!(
        unmounted.write(b"note"),
        Err(HeadFileError::FolderMissing { .. })
    ));
    let link = HeadFile::at(&folder.path().join("link"));
    std::os::unix::fs::symlink("nowhere", link.path())?;
    assert!(matches!(
        link.read(),
        Err(HeadFileError::Store(StoreError::Missing { .. }))
    ));
    let inner = HeadFile::at(&folder.path().join("folder"));
    std::fs::create_dir(inner.path())?;
    assert!(matches!(
        inner.read(),
        Err(HeadFileError::Store(StoreError::NotAFile { .. }))
    ));
    assert!(inner.write(b"note").is_err());
    assert_eq!(names(folder.path())?.len(), 2, "a half-made head was left behind");
    Ok(())
}
