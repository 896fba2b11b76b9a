"""Files of trust anchors (identity-v1 §11)."""

import json

from . import did
from .errors import Refused, demand
from .members import choice, instant, members, text, typed

FILE_MAX = 65_536
LIST_MAX = 256
SCHEMA = "countersign.trust/v1"
TIMES = {"validFrom": "from", "validUntil": "until", "compromisedSince": "compromised"}
UNLIMITED = {"name": None, "from": None, "until": None, "compromised": None, "hosts": None}


def read_file(octets):
    """Reads a DID file or a trust file; gives its anchors."""
    demand(len(octets) <= FILE_MAX)
    if octets.lstrip(b" \t\n\r")[:1] == b"{":
        return read_document(octets)
    return [UNLIMITED | {"did": read_line(octets)}]


def read_line(octets):
    """Reads one DID and at most one line end; gives its short form."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("bad_did") from error
    return short_of(text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text)


def short_of(text):
    """Reads a DID in either form; gives the short one."""
    return did.read_long(text).short if text.count(":") > 2 else did.read_short(text)


def read_document(octets):
    """Reads a trust file."""
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused("syntax") from error
    members(value, {"schema": choice(SCHEMA), "anchors": lambda _: None})
    return listed(value["anchors"], entry)


def once(pairs):
    """Makes an object of pairs whose names differ."""
    demand(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def listed(value, read):
    """Reads a list of 1 to 256 parties, each DID once."""
    demand(1 <= len(typed(value, list)) <= LIST_MAX)
    found = [read(item) for item in value]
    demand(len({item["did"] for item in found}) == len(found))
    return found


def entry(value):
    """Reads one anchor of a trust file."""
    members(value, {"did": is_did}, dict.fromkeys(TIMES, instant) | {"name": text(256), "hosts": lambda _: None})
    found = UNLIMITED | {"did": short_of(value["did"]), "name": value.get("name")}
    found |= {TIMES[member]: instant(value[member]) for member in TIMES if member in value}
    if "hosts" in value:
        found["hosts"] = listed(value["hosts"], host)
    demand(None in (found["from"], found["until"]) or found["from"] < found["until"])
    return found


def host(value):
    """Reads one host of an anchor."""
    members(value, {"did": is_did}, {"compromisedSince": instant})
    compromised = instant(value["compromisedSince"]) if "compromisedSince" in value else None
    return {"did": short_of(value["did"]), "compromised": compromised}


def is_did(value):
    """Demands a DID in either form."""
    short_of(typed(value, str))
