"""Checkpoint notes (ledger-v1 §6)."""

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from .errors import Refused, demand, remembered
from .keys import ed25519_holds, mldsa44_holds
from .statement import TEXTS

NOTE_MAX = 131_072
LINES_MAX = 32
LINE_START = "\u2014 "
WHITE_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


@dataclass(frozen=True)
class Checkpoint:
    """What a verified note says."""

    origin: str
    size: int
    root: bytes
    time: int


def key_id(origin, code, key):
    """Returns the four bytes that name a key (§6.3)."""
    return sha256(origin.encode() + b"\x0a" + bytes([code]) + key).digest()[:4]


def cosigned_message(origin, time, size, root):
    """Returns what the ML-DSA-44 signature is over (§6.3)."""
    name = bytes([len(origin)]) + origin.encode()
    return b"subtree/v1\n\x00" + name + u64(time) + name + u64(0) + u64(size) + root


def u64(value):
    """Encodes eight bytes, big-endian."""
    return value.to_bytes(8, "big")


@remembered
def verify(note, ed25519, mldsa44):
    """Verifies a note under both keys (N1 to N6)."""
    text, lines = split(note)
    origin, size, root = parse_text(text)
    first = required_line(lines, 0, (origin, key_id(origin, 1, ed25519)), "missing-ed25519")
    second = required_line(lines, 1, (origin, key_id(origin, 6, mldsa44)), "missing-ml-dsa-44")
    demand(len(first) == 64 and len(second) == 8 + 2420, "signature-length")
    time = int.from_bytes(second[:8], "big")
    demand(time < 2**63, "time-out-of-range")
    demand(ed25519_holds(ed25519, first, text), "signature-ed25519")
    demand(mldsa44_holds(mldsa44, second[8:], cosigned_message(origin, time, size, root)), "signature-ml-dsa-44")
    return Checkpoint(origin, size, root, time)


def split(note):
    """Checks the form of a note (§6.1); returns its text and, of each line, name, key id and signature."""
    demand(len(note) <= NOTE_MAX, "note-too-long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("note-not-utf8") from error
    demand(all(octet >= 0x20 or octet == 0x0A for octet in note), "note-control-character")
    demand(whole.endswith("\n"), "note-no-final-newline")
    demand(not whole.endswith("\n\n"), "note-no-signature")
    text, separator, signatures = whole.rpartition("\n\n")
    demand(separator, "note-no-separator")
    lines = signatures[:-1].split("\n")
    demand(len(lines) <= LINES_MAX, "note-too-many-signatures")
    return (text + "\n").encode(), [parse_line(line) for line in lines]


def parse_line(line):
    """Reads one signature line."""
    demand(line.startswith(LINE_START), "note-line-start")
    name, space, encoded = line[len(LINE_START) :].partition(" ")
    demand(space, "note-line-shape")
    demand(name and "+" not in name and not WHITE_SPACE.search(name), "note-key-name")
    octets = base64_exact(encoded, "note-base64")
    demand(len(octets) >= 5, "note-signature-too-short")
    return (name, octets[:4]), octets[4:]


def base64_exact(text, word):
    """Decodes base64 in its one form."""
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(word) from error
    demand(base64.b64encode(octets).decode() == text, word)
    return octets


def parse_text(text):
    """Reads the three lines (§6.2)."""
    lines = text.decode().split("\n")[:-1]
    demand(len(lines) >= 3, "missing-line")
    demand(len(lines) == 3, "extension-line")
    origin, size, root = lines
    demand(TEXTS["origin"].fullmatch(origin), "origin")
    demand(re.fullmatch(r"0|[1-9][0-9]{0,15}", size) and int(size) < 2**53, "size")
    demand(size != "0", "empty-tree")
    octets = base64_exact(root, "root")
    demand(len(octets) == 32, "root")
    return origin, int(size), octets


def required_line(lines, place, name, missing):
    """Returns the signature of the line that must stand at this place and nowhere else (N2, N3)."""
    places = [index for index, (found, _) in enumerate(lines) if found == name]
    demand(places, missing)
    demand(places[0] == place, "misplaced-signature")
    demand(len(places) == 1, "repeated-signature")
    return lines[place][1]
