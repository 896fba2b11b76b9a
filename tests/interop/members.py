"""Members of documents and the kinds of value they have (identity-v1 §3, §5, §7.3, §8.2)."""

import calendar
import re
from datetime import datetime

from . import did
from .errors import Refused, demand

BUDGET = ["calls", "tokensIn", "tokensOut", "costMicroUsd"]
NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,64}")
DIGEST = re.compile("[0-9a-f]{64}")
NONCE = re.compile("[0-9a-f]{32}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
OCTET = re.compile(r"0|[1-9][0-9]{0,2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z")


def typed(value, kind):
    """Demands a JSON type; `true` is no integer."""
    demand(isinstance(value, kind) and not (isinstance(value, bool) and kind is int))
    return value


def members(value, required, optional=()):
    """Demands an object with exactly these members."""
    demand(set(required) <= set(typed(value, dict)) <= {*required, *optional})


def one_of(value, allowed):
    """Demands a value out of a closed list of texts or of booleans."""
    demand(typed(value, type(allowed[0])) in allowed)
    return value


def ascending(value, most):
    """Demands a set: an array of texts, strictly ascending as UTF-8."""
    encoded = [typed(item, str).encode() for item in typed(value, list)]
    demand(len(value) <= most and encoded == sorted(set(encoded)))
    return value


def matches(value, pattern):
    """Demands a text of this form: a NAME, a DIGEST, a NONCE."""
    demand(pattern.fullmatch(typed(value, str)))
    return value


def count(value, most=float("inf")):
    """Demands an integer from 0 on."""
    demand(0 <= typed(value, int) <= most)
    return value


def short(value):
    """Demands the short form of a DID."""
    return did.read_short(typed(value, str))


def text_of(value, most):
    """Demands a text of at most so many bytes without control characters."""
    demand(len(typed(value, str).encode()) <= most and not CONTROL.search(value))
    return value


def instant(value):
    """Reads a time as milliseconds (§5)."""
    demand(TIME.fullmatch(typed(value, str)) and value >= "1970")
    try:
        return calendar.timegm(datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").timetuple()) * 1000
    except ValueError as error:
        raise Refused("instant") from error


def ledger_binding(value):
    """Demands one binding to a ledger (§7.3)."""
    demand(len(typed(value, dict)) == 1)
    (kind, bound), *_ = value.items()
    if kind == "any":
        one_of(bound, [True])
    else:
        demand(kind in ("founding", "id"))
        matches(bound, DIGEST)


def check_path(value):
    """Demands a path in normal form (§8.2)."""
    demand(is_normal_path(text_of(value, 1024)))


def is_normal_path(path):
    """Tells whether a path is in normal form."""
    return path == "/" or path.startswith("/") and all(part not in ("", ".", "..") for part in path[1:].split("/"))


def is_host(value):
    """Tells whether a text is a host name or an IPv4 address (§8.2)."""
    if not isinstance(value, str) or len(value) > 253:
        return False
    labels = value.split(".")
    if re.fullmatch("[0-9]+", labels[-1]):
        return len(labels) == 4 and all(OCTET.fullmatch(label) and int(label) < 256 for label in labels)
    return all(LABEL.fullmatch(label) for label in labels)
