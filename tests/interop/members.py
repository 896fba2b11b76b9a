"""Members of documents and the kinds of value they have (identity-v1 §3, §5, §7.3, §8.2)."""

import calendar
import re
from datetime import datetime

from . import did
from .jcs import Refused

BUDGET = ["calls", "tokensIn", "tokensOut", "costMicroUsd"]
NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,64}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
OCTET = re.compile(r"0|[1-9][0-9]{0,2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def wrong_type(value, kind, word="wrong_type"):
    """Demands a JSON type; `true` is no integer."""
    if not isinstance(value, kind) or isinstance(value, bool) and kind is int:
        raise Refused(word)
    return value


def members(value, required, optional=()):
    """Demands an object with exactly these members."""
    wrong_type(value, dict, "not_an_object")
    if any(member not in value for member in required):
        raise Refused("missing_member")
    if any(member not in required and member not in optional for member in value):
        raise Refused("unknown_member")


def one_of(value, allowed):
    """Demands a value out of a closed list of texts or of booleans."""
    wrong_type(value, type(allowed[0]))
    if value not in allowed:
        raise Refused("wrong_value")
    return value


def ascending(value, most):
    """Demands a set: an array of texts, strictly ascending as UTF-8."""
    wrong_type(value, list)
    if len(value) > most:
        raise Refused("too_many")
    encoded = [wrong_type(item, str).encode() for item in value]
    if any(left >= right for left, right in zip(encoded, encoded[1:])):
        raise Refused("unsorted")
    return value


def name(value):
    """Demands a name."""
    if not NAME.fullmatch(wrong_type(value, str)):
        raise Refused("bad_name")


def digest(value):
    """Demands 64 hex digits."""
    if not re.fullmatch("[0-9a-f]{64}", wrong_type(value, str)):
        raise Refused("bad_digest")


def count(value):
    """Demands an integer from 0 on."""
    if wrong_type(value, int) < 0:
        raise Refused("wrong_type")
    return value


def short(value):
    """Demands the short form of a DID."""
    try:
        return did.read_short(wrong_type(value, str))
    except Refused as error:
        raise error if str(error) == "wrong_type" else Refused("bad_did") from error


def text_of(value, most):
    """Demands a text of at most so many bytes without control characters."""
    if len(wrong_type(value, str).encode()) > most or CONTROL.search(value):
        raise Refused("bad_text")


def instant(value):
    """Reads a time as milliseconds (§5)."""
    if not TIME.fullmatch(wrong_type(value, str)) or value < "1970":
        raise Refused("instant")
    try:
        parsed = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError as error:
        raise Refused("instant") from error
    if value[17:19] > "59":
        raise Refused("instant")
    return calendar.timegm(parsed.timetuple()) * 1000


def ledger_binding(value):
    """Demands one binding to a ledger (§7.3)."""
    wrong_type(value, dict, "not_an_object")
    if len(value) != 1:
        raise Refused("wrong_value" if value else "missing_member")
    (kind, bound), *_ = value.items()
    if kind == "any":
        one_of(bound, [True])
    elif kind in ("founding", "id"):
        digest(bound)
    else:
        raise Refused("unknown_member")


def check_path(value):
    """Demands a path in normal form (§8.2)."""
    text_of(value, 1024)
    segments = value.split("/")
    if segments[0] != "" or value != "/" and any(part in ("", ".", "..") for part in segments[1:]):
        raise Refused("bad_text")


def is_host(value):
    """Tells whether a text is a host name or an IPv4 address (§8.2)."""
    if not isinstance(value, str) or len(value) > 253:
        return False
    labels = value.split(".")
    if re.fullmatch("[0-9]+", labels[-1]):
        return len(labels) == 4 and all(OCTET.fullmatch(label) and int(label) < 256 for label in labels)
    return all(LABEL.fullmatch(label) for label in labels)
