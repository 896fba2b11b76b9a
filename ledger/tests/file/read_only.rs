//! Media that cannot be written: a closed ledger is readable, an open one says what it needs.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_ledger::reader::{LedgerReader, ReadError};
use countersign_ledger::store::{Sqlite, Store, StoreError};
use tempfile::tempdir;

use super::rows::{closed_ledger, count_whole, names, refused, rows, size};
use crate::TestResult;

/// Set for the child alone: the folder that it may read only.
const FOLDER: &str = "COUNTERSIGN_TEST_READ_ONLY_FOLDER";
/// The traditional number of `nobody`, whom permissions bind, unlike root.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[test]
fn child_that_may_read_only() -> TestResult {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return Ok(());
    };
    let before = names(&folder)?;
    assert_eq!(count_whole(&folder.join("closed.db"))?, 50);
    let open = LedgerReader::open(&folder.join("open.db")).err();
    assert!(matches!(open, Some(ReadError::WalUnreadable { .. })), "{open:?}");
    let secret = LedgerReader::open(&folder.join("secret.db")).err();
    assert!(matches!(secret, Some(ReadError::NotPermitted { .. })), "{secret:?}");
    for name in ["closed.db", "open.db"] {
        let error = refused(Sqlite::open(&folder.join(name)))?;
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    let error = refused(Sqlite::create(&folder.join("new.db"), &rows(0..2)?))?;
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert_eq!(names(&folder)?, before, "something was written");
    Ok(())
}

#[test]
fn closed_ledger_is_read_where_nothing_can_be_written() -> TestResult {
    let parent = tempdir()?;
    let folder = parent.path().join("media");
    std::fs::create_dir(&folder)?;
    closed_ledger(&folder.join("closed.db"), 50)?;
    closed_ledger(&folder.join("secret.db"), 5)?;
    let mut store = Sqlite::create(&folder.join("live.db"), &rows(0..2)?)?;
    store.append(size(2), &rows(2..9)?)?;
    for suffix in ["", "-wal"] {
        std::fs::copy(
            folder.join(format!("live.db{suffix}")),
            folder.join(format!("open.db{suffix}")),
        )?;
    }
    store.close()?;
    for name in names(&folder)? {
        set_mode(&folder.join(name), 0o444)?;
    }
    set_mode(&folder.join("secret.db"), 0)?;
    set_mode(&folder, 0o555)?;
    set_mode(parent.path(), 0o755)?;
    let mut child = Command::new(std::env::current_exe()?);
    child
        .args(["--exact", "file::read_only::child_that_may_read_only"])
        .env(FOLDER, &folder);
    if std::fs::metadata("/proc/self")?.uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output();
    set_mode(&folder, 0o755)?;
    let output = output?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
