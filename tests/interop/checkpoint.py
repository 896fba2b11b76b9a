"""Checkpoint notes (ledger-v1 §6)."""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from .keys import ed25519_holds, mldsa44_holds
from .merkle import Refused

NOTE_MAX = 131_072
LINES_MAX = 32
LINE_START = "\u2014 "
WHITE_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
ORIGIN = re.compile(r"[A-Za-z0-9._/-]{1,128}")


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


def verify(note, ed25519, mldsa44):
    """Verifies a note under both keys (N1 to N6)."""
    text, lines = split(note)
    origin, size, root = parse_text(text)
    first = required_line(lines, 0, (origin, key_id(origin, 1, ed25519)), "missing-ed25519")
    second = required_line(lines, 1, (origin, key_id(origin, 6, mldsa44)), "missing-ml-dsa-44")
    if len(first) != 64 or len(second) != 8 + 2420:
        raise Refused("signature-length")
    time = int.from_bytes(second[:8], "big")
    if time >= 2**63:
        raise Refused("time-out-of-range")
    if not ed25519_holds(ed25519, first, text):
        raise Refused("signature-ed25519")
    if not mldsa44_holds(mldsa44, second[8:], cosigned_message(origin, time, size, root)):
        raise Refused("signature-ml-dsa-44")
    return Checkpoint(origin, size, root, time)


def split(note):
    """Checks the form of a note (§6.1); returns its text and, of each line, name, key id and signature."""
    if len(note) > NOTE_MAX:
        raise Refused("note-too-long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("note-not-utf8") from error
    if any(octet < 0x20 and octet != 0x0A for octet in note):
        raise Refused("note-control-character")
    if not whole.endswith("\n"):
        raise Refused("note-no-final-newline")
    if whole.endswith("\n\n"):
        raise Refused("note-no-signature")
    text, separator, signatures = whole.rpartition("\n\n")
    if not separator:
        raise Refused("note-no-separator")
    lines = signatures[:-1].split("\n")
    if len(lines) > LINES_MAX:
        raise Refused("note-too-many-signatures")
    return (text + "\n").encode(), [parse_line(line) for line in lines]


def parse_line(line):
    """Reads one signature line."""
    if not line.startswith(LINE_START):
        raise Refused("note-line-start")
    name, space, encoded = line[len(LINE_START) :].partition(" ")
    if not space:
        raise Refused("note-line-shape")
    if not name or "+" in name or WHITE_SPACE.search(name):
        raise Refused("note-key-name")
    octets = base64_exact(encoded, "note-base64")
    if len(octets) < 5:
        raise Refused("note-signature-too-short")
    return (name, octets[:4]), octets[4:]


def base64_exact(text, word):
    """Decodes base64 in its one form."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(word) from error
    if base64.b64encode(octets).decode() != text:
        raise Refused(word)
    return octets


def parse_text(text):
    """Reads the three lines (§6.2)."""
    lines = text.decode().split("\n")[:-1]
    if len(lines) < 3:
        raise Refused("missing-line")
    if len(lines) > 3:
        raise Refused("extension-line")
    origin, size, root = lines
    if not ORIGIN.fullmatch(origin):
        raise Refused("origin")
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or int(size) > 2**53 - 1:
        raise Refused("size")
    if size == "0":
        raise Refused("empty-tree")
    octets = base64_exact(root, "root")
    if len(octets) != 32:
        raise Refused("root")
    return origin, int(size), octets


def required_line(lines, place, name, missing):
    """Returns the signature of the line that must stand at this place and nowhere else (N2, N3)."""
    places = [index for index, (found, _) in enumerate(lines) if found == name]
    if not places:
        raise Refused(missing)
    if places[0] != place:
        raise Refused("misplaced-signature")
    if len(places) > 1:
        raise Refused("repeated-signature")
    return lines[place][1]
