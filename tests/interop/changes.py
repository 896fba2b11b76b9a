"""A sample of what can happen to the rows of a ledger, the same in every run: bits, rows gone, moved, repeated, cut."""

import random
import sqlite3
from copy import deepcopy

from . import cbor, statement, store

SAMPLE = 6


def of_file(path):
    """Yields every change of a ledger: what kind it is, where it is made, and the rows with it."""
    rows, chance = store.read(path), random.Random(1)
    for kind, change in KINDS.items():
        for _ in range(1 if change in ONCE else SAMPLE):
            changed = deepcopy(rows)
            yield kind, change(changed, chance), changed


def write(path, rows):
    """Writes rows as a closed ledger, without the triggers that no reader asks for."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {store.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {store.LAYOUT}")
    for table, definition in store.DEFINITIONS.items():
        connection.execute(definition)
        for row in getattr(rows, table):
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()
    connection.close()


def flip(table, column, chance):
    """Flips one bit of a column; tells in which row."""
    place = chance.choice([place for place, row in enumerate(table) if row[column]])
    row = list(table[place])
    octets, bit = bytearray(row[column]), chance.randrange(len(row[column]) * 8)
    octets[bit // 8] ^= 1 << bit % 8
    row[column] = bytes(octets)
    table[place] = tuple(row)
    return f"{row[0]}, bit {bit}"


def remove(table, chance):
    """Removes one row."""
    return table.pop(chance.randrange(len(table)))[0]


def cut(rows, chance):
    """Cuts off the last records, with their payloads and checkpoints."""
    size = chance.randrange(1, len(rows.record))
    rows.record = rows.record[:size]
    rows.payload = [row for row in rows.payload if row[0] // 8 < size]
    rows.checkpoint = [row for row in rows.checkpoint if row[0] <= size]
    return size


def swap(rows, chance):
    """Lets two records change places."""
    left, right = chance.sample(range(len(rows.record)), 2)
    octets = [octets for _, octets in rows.record]
    rows.record[left], rows.record[right] = (left, octets[right]), (right, octets[left])
    return f"{left} and {right}"


def repeat(rows, chance):
    """Enters a record once more behind the end."""
    seq, octets = chance.choice(rows.record)
    rows.record.append((len(rows.record), octets))
    return seq


def alter(rows, chance, received, prev):
    """Changes what no signature covers: the time of receipt, and the link to the record before."""
    seq, octets = chance.choice(rows.record)
    record = statement.parse_record(octets)
    fields = [1, record.seq, max(0, record.received + received), prev or record.prev, record.envelope]
    rows.record[seq] = (seq, cbor.encode(fields))
    return seq


def add_payload(rows, chance):
    """Adds a payload that no entry committed to."""
    rows.payload.append((chance.randrange(len(rows.record) + 9) * 8 + 7, bytes(32), b"more"))
    return rows.payload[-1][0] // 8


def empty(table):
    """Removes all rows of a table."""
    table.clear()
    return "all"


KINDS = {
    "nothing": lambda rows, chance: None,
    "bit of a record": lambda rows, chance: flip(rows.record, 1, chance),
    "bit of a salt": lambda rows, chance: flip(rows.payload, 1, chance),
    "bit of a payload": lambda rows, chance: flip(rows.payload, 2, chance),
    "bit of a checkpoint": lambda rows, chance: flip(rows.checkpoint, 1, chance),
    "record gone": lambda rows, chance: remove(rows.record, chance),
    "payload gone": lambda rows, chance: remove(rows.payload, chance),
    "payload added": add_payload,
    "tail gone": cut,
    "records swapped": swap,
    "record repeated": repeat,
    "received later": lambda rows, chance: alter(rows, chance, 5_000_000, None),
    "received earlier": lambda rows, chance: alter(rows, chance, -5_000_000, None),
    "prev changed": lambda rows, chance: alter(rows, chance, 0, b"\x07" * 32),
    "no checkpoints": lambda rows, chance: empty(rows.checkpoint),
    "no payloads": lambda rows, chance: empty(rows.payload),
    "no records": lambda rows, chance: empty(rows.record),
}
ONCE = [KINDS[kind] for kind in ("nothing", "no checkpoints", "no payloads", "no records")]
