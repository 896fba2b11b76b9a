"""The file (ledger-v1 §2, §3, §7): opening it without changing it, and reading its rows."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from . import wal

APPLICATION_ID = 0x43534C31
LAYOUT = 1
DEFINITIONS = {
    "record": "CREATE TABLE record(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
    "payload": "CREATE TABLE payload(id INTEGER PRIMARY KEY, salt BLOB NOT NULL, content BLOB NOT NULL) STRICT",
    "checkpoint": "CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT",
}
KEY_MIN = -(2**63)
# Python decodes SQLite's messages as UTF-8, which quotations from a damaged schema need not be.
FAILURES = (sqlite3.Error, UnicodeDecodeError)
LIMITS = {"bytes": (1, 65_535), "salt": (0, 32), "content": (0, 16_777_216), "note": (0, 131_072)}


class Unreadable(Exception):
    """The input is not a ledger of this version; the word is U1 or U2."""


@dataclass
class Rows:
    """The rows of a ledger. None stands for a column of another type or beyond its limit.

    `cut_off` holds the key of the first row that could not be read, by table, None for a whole table. `has_lost` tells that the
    `-wal` hides transactions that were durable.
    """

    record: list = field(default_factory=list)
    payload: list = field(default_factory=list)
    checkpoint: list = field(default_factory=list)
    cut_off: dict = field(default_factory=dict)
    has_lost: bool = False


def read(path):
    """Reads all rows of a ledger in one transaction."""
    file = Path(path).resolve()
    if not file.is_file() or file.stat().st_size == 0 or Path(f"{file}-journal").exists():
        raise Unreadable("U1")
    log = Path(f"{file}-wal")
    has_lost = log.is_file() and wal.has_lost(log.read_bytes())
    try:
        connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None)
        try:
            rows = read_tables(connection)
            rows.has_lost = has_lost
            return rows
        finally:
            connection.close()
    except FAILURES as error:
        raise Unreadable("U1") from error


def read_tables(connection):
    """Checks R2 to R4 and reads the three tables."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("BEGIN")
    check_marks(connection)
    rows = Rows()
    for table, columns in (("record", ["bytes"]), ("payload", ["salt", "content"]), ("checkpoint", ["note"])):
        read_table(connection, table, columns, rows)
    return rows


def check_marks(connection):
    """Checks R3 and R4."""
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise Unreadable("U1")
    if layout != LAYOUT:
        raise Unreadable("U2" if layout > LAYOUT else "U1")
    for table, definition in DEFINITIONS.items():
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE lower(name) = ?", (table,)).fetchall()
        if found != [(table, definition)]:
            raise Unreadable("U1")


def read_table(connection, table, columns, rows):
    """Reads one table, row by row with rising keys, as far as it can be read.

    One query a row, because Python's `sqlite3` loses the row before the one at which a query fails.
    """
    key = {"record": "seq", "payload": "id", "checkpoint": "size"}[table]
    shown = ", ".join(guarded(column) for column in columns)
    query = f"SELECT {key}, {shown} FROM {table} NOT INDEXED WHERE {key} > ? ORDER BY {key} LIMIT 1"
    found, last = getattr(rows, table), KEY_MIN
    try:
        while row := connection.execute(query, (last,)).fetchone():
            last = row[0]
            found.append(row)
    except FAILURES:
        rows.cut_off[table] = found[-1][0] + 1 if found else None


def guarded(column):
    """Takes a column only if it is a blob within its limits."""
    low, high = LIMITS[column]
    length = f"length(CAST({column} AS BLOB))"
    return f"CASE WHEN typeof({column}) = 'blob' AND {length} BETWEEN {low} AND {high} THEN {column} END"
