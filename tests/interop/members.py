"""Members of documents and the kinds of value they have (identity-v1 §3, §5, §7.3, §8.2)."""

import calendar
import re
from datetime import datetime

from . import did
from .errors import Refused, demand

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
HOST_NAME = rf"(?![a-z0-9.-]{{254}})(?:{LABEL}\.)*(?![0-9]+(?![a-z0-9-])){LABEL}"
HOST = rf"(?:{OCTET}(?:\.{OCTET}){{3}}|{HOST_NAME})"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z")


def typed(value, kind):
    """Demands a JSON type; `true` is no integer."""
    demand(isinstance(value, kind) and not (isinstance(value, bool) and kind is int))
    return value


def members(value, required, optional=None):
    """Demands an object with these members and values: what checks each is given by name."""
    checks = required | (optional or {})
    demand(set(required) <= set(typed(value, dict)) <= set(checks))
    for member, check in checks.items():
        if member in value:
            check(value[member])


def choice(*allowed):
    """Checks for a value out of a closed list of texts or of booleans."""
    return lambda value: demand(typed(value, type(allowed[0])) in allowed)


def equal(wanted):
    """Checks for one value."""
    return lambda value: demand(value == wanted)


def ascending(low, high, check):
    """Checks for a set: an array of texts, strictly ascending as UTF-8."""

    def check_all(value):
        encoded = [typed(item, str).encode() for item in typed(value, list)]
        demand(low <= len(value) <= high and encoded == sorted(set(encoded)))
        for item in value:
            check(item)

    return check_all


def matching(pattern):
    """Checks for a text of a form."""
    return lambda value: demand(re.fullmatch(pattern, typed(value, str)))


def count(most=float("inf")):
    """Checks for an integer from 0 on."""
    return lambda value: demand(0 <= typed(value, int) <= most)


name, digest, nonce = matching(r"[A-Za-z0-9._:/@+-]{1,64}"), matching("[0-9a-f]{64}"), matching("[0-9a-f]{32}")


def nullable(check):
    """Checks for null, or for what another check wants."""
    return lambda value: value is None or check(value)


def text(most):
    """Checks for a text of at most so many bytes without control characters."""
    return lambda value: demand(len(typed(value, str).encode()) <= most and not CONTROL.search(value))


def short(value):
    """Demands the short form of a DID."""
    return did.read_short(typed(value, str))


def instant(value):
    """Reads a time as milliseconds (§5)."""
    demand(TIME.fullmatch(typed(value, str)) and value >= "1970")
    try:
        return calendar.timegm(datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").timetuple()) * 1000
    except ValueError as error:
        raise Refused("instant") from error


def ledger_binding(value):
    """Demands one binding to a ledger (§7.3)."""
    members(value, {}, {"any": choice(True), "founding": digest, "id": digest})
    demand(len(value) == 1)


def path(value):
    """Demands a path in normal form (§8.2)."""
    text(1024)(value)
    demand(is_normal_path(value))


def is_normal_path(value):
    """Tells whether a path is in normal form."""
    return value == "/" or value.startswith("/") and all(part not in ("", ".", "..") for part in value[1:].split("/"))


def is_host(value):
    """Tells whether a text is a host name or an IPv4 address (§8.2)."""
    return isinstance(value, str) and bool(re.fullmatch(HOST, value))
