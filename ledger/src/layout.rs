//! What makes a SQLite file a ledger: its marks, its tables, its limits (ledger-v1 §2 and §3).
//!
//! Shared by the writer ([`crate::store`]) and the reader ([`crate::reader`]), which both refuse
//! every file that does not look exactly like this.

use rusqlite::{Connection, OptionalExtension};

use countersign_schemas::number::Seq;

/// `application_id` in the SQLite header: "CSL1".
pub const APPLICATION_ID: i32 = 0x4353_4C31;

/// `user_version` in the SQLite header: the version of the layout.
pub const USER_VERSION: i32 = 1;

/// Page size of a new ledger: larger ones save a twentieth of the file and make a single commit three times as large
/// (decision 0024).
pub const PAGE_BYTES: u32 = 4096;

/// Longest content of one payload, so that a hostile file cannot ask a reader for a gigabyte.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest checkpoint note: room for the two signatures of the ledger and some thirty of witnesses.
pub const NOTE_BYTES_MAX: usize = 131_072;

/// Number of payload slots of one entry.
const SLOTS: u8 = countersign_schemas::payload::SLOTS_MAX as u8;

/// Oldest SQLite that may touch a ledger: earlier ones can corrupt a WAL database when two
/// connections write and checkpoint at once.
pub const SQLITE_OLDEST: i32 = 3_051_003;

/// The authoritative tables, name and SQL exactly as they stand in `sqlite_schema`.
pub const TABLES: [(&str, &str); 3] = [
    (
        "record",
        "CREATE TABLE record(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
    ),
    (
        "payload",
        "CREATE TABLE payload(id INTEGER PRIMARY KEY, salt BLOB NOT NULL, content BLOB NOT NULL) STRICT",
    ),
    (
        "checkpoint",
        "CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT",
    ),
];

/// Guards against mistakes of programs that write with plain SQL. They prove nothing, a reader does
/// not ask for them, and only a payload may be deleted: that is how it is erased.
pub const TRIGGERS: [&str; 6] = [
    "CREATE TRIGGER record_in_order BEFORE INSERT ON record \
     WHEN NEW.seq <> (SELECT coalesce(max(seq) + 1, 0) FROM record) \
     BEGIN SELECT RAISE(ABORT, 'record out of order'); END",
    "CREATE TRIGGER record_no_update BEFORE UPDATE ON record \
     BEGIN SELECT RAISE(ABORT, 'record is append-only'); END",
    "CREATE TRIGGER record_no_delete BEFORE DELETE ON record \
     BEGIN SELECT RAISE(ABORT, 'record is append-only'); END",
    "CREATE TRIGGER payload_no_update BEFORE UPDATE ON payload \
     BEGIN SELECT RAISE(ABORT, 'payload is append-only'); END",
    "CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint \
     BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END",
    "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint \
     BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END",
];

/// Which payload of its entry: the order in which the body refers to them, 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// Takes a slot number below 8.
    pub const fn new(slot: u8) -> Option<Self> {
        if slot < SLOTS { Some(Self(slot)) } else { None }
    }

    /// Gives the slot number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Key of a row in `payload`: seq × 8 + slot.
pub(crate) fn payload_id(seq: Seq, slot: Slot) -> i64 {
    let id = seq.get() * u64::from(SLOTS) + u64::from(slot.0);
    i64::try_from(id).expect("a seq is below 2^53, so the id is below 2^56")
}

/// Key of slot 0 of an entry, as stored and perhaps hostile; saturates where no payload can stand.
pub(crate) fn first_payload_id(seq: i64) -> i64 {
    seq.saturating_mul(i64::from(SLOTS))
}

/// Splits the key of a payload row, as stored and perhaps hostile, into seq and slot.
pub(crate) fn payload_place(id: i64) -> (i64, Slot) {
    let slots = i64::from(SLOTS);
    let slot = u8::try_from(id.rem_euclid(slots)).expect("a remainder of 8 is below 8");
    (id.div_euclid(slots), Slot(slot))
}

/// Why a SQLite file, or something that is none, is not a ledger of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatFault {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The bytes are not a SQLite database.
    #[error("the file is not a SQLite database")]
    NotADatabase,
    /// The database belongs to another application.
    #[error("the database has application id {found:#010x}, a ledger has 0x43534c31")]
    OtherApplication {
        /// The `application_id` found.
        found: i32,
    },
    /// The layout is newer than this program.
    #[error("the ledger has layout version {found}, this program reads up to version 1")]
    Newer {
        /// The `user_version` found.
        found: i32,
    },
    /// The layout version is none that ever existed.
    #[error("the ledger has layout version {found}, which does not exist")]
    NoSuchVersion {
        /// The `user_version` found.
        found: i32,
    },
    /// An authoritative table is missing.
    #[error("the database has no table {table}")]
    TableMissing {
        /// Name of the table.
        table: &'static str,
    },
    /// An authoritative table is defined in another way.
    #[error("the table {table} is defined as: {found}")]
    TableDiffers {
        /// Name of the table.
        table: &'static str,
        /// Its definition, cut to 200 characters.
        found: String,
    },
}

/// Writes marks, tables and triggers into an empty database.
pub(crate) fn lay_out(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", USER_VERSION)?;
    for sql in TABLES.iter().map(|(_, sql)| *sql).chain(TRIGGERS) {
        connection.execute_batch(sql)?;
    }
    Ok(())
}

/// Checks marks and authoritative tables; `Ok(Some(_))` says what is wrong with them.
pub(crate) fn fault(connection: &Connection) -> rusqlite::Result<Option<FormatFault>> {
    let found: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if found != APPLICATION_ID {
        return Ok(Some(FormatFault::OtherApplication { found }));
    }
    let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > USER_VERSION {
        return Ok(Some(FormatFault::Newer { found }));
    }
    if found < USER_VERSION {
        return Ok(Some(FormatFault::NoSuchVersion { found }));
    }
    for (table, sql) in TABLES {
        if let Some(fault) = table_fault(connection, table, sql)? {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

/// A view or a virtual table under the same name could invent rows, so the definition has to match to the byte.
fn table_fault(connection: &Connection, table: &'static str, expected: &str) -> rusqlite::Result<Option<FormatFault>> {
    let found: Option<Option<String>> = connection
        .query_row(
            "SELECT CAST(sql AS TEXT) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'index'",
            [table],
            |row| row.get(0),
        )
        .optional()?;
    Ok(match found {
        None => Some(FormatFault::TableMissing { table }),
        Some(Some(sql)) if sql == expected => None,
        Some(sql) => Some(FormatFault::TableDiffers {
            table,
            found: sql.unwrap_or_default().chars().take(200).collect(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_id_spells_csl1() {
        assert_eq!(&APPLICATION_ID.to_be_bytes(), b"CSL1");
    }

    #[test]
    fn payload_ids_come_apart_again_even_at_the_edges() {
        let last = Seq::new((1 << 53) - 1).expect("2^53-1 is a seq");
        for seq in [Seq::new(0).expect("0 is a seq"), last] {
            for slot in (0..SLOTS).filter_map(Slot::new) {
                let id = payload_id(seq, slot);
                assert_eq!(payload_place(id), (seq.get() as i64, slot));
            }
        }
        assert_eq!(payload_place(-1), (-1, Slot(7)));
        assert_eq!(payload_place(i64::MIN), (i64::MIN / 8, Slot(0)));
    }

    #[test]
    fn slot_eight_does_not_exist() {
        assert_eq!(Slot::new(8), None);
    }
}
