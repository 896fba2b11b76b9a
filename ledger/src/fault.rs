//! What a failure of SQLite means for a ledger.

use rusqlite::ErrorCode;

/// The kinds of failure that callers treat differently.
pub(crate) enum SqliteFault {
    NotADatabase,
    Corrupt,
    Locked,
    ReadOnly,
    DiskFull,
    CannotOpen,
    Io,
    /// Nothing that a sound program on a sound machine meets.
    Unexpected,
}

impl SqliteFault {
    pub(crate) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed) => Self::Io,
            // The library reports wrong types and broken text as errors without a code.
            None => Self::Corrupt,
            _ => Self::Unexpected,
        }
    }
}
