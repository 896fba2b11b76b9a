"""Files of trust anchors (identity-v1 §11)."""

import json

from . import did
from .jcs import Refused
from .members import instant, members, one_of, text_of, wrong_type

FILE_MAX = 65_536
LIST_MAX = 256
SCHEMA = "countersign.trust/v1"


def read_file(octets):
    """Reads a DID file or a trust file; gives its anchors."""
    if len(octets) > FILE_MAX:
        raise Refused("too_long")
    if octets.lstrip(b" \t\n\r")[:1] == b"{":
        return read_document(octets)
    return [anchor(read_line(octets))]


def read_line(octets):
    """Reads one DID and at most one line end; gives its short form."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("bad_did") from error
    line = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not line:
        raise Refused("empty")
    if "\n" in line or "\r" in line:
        raise Refused("lines")
    return short_of(line)


def short_of(text):
    """Reads a DID in either form; gives the short one."""
    try:
        return did.read_long(text).short if text.count(":") > 2 else did.read_short(text)
    except Refused as error:
        raise Refused("bad_did") from error


def read_document(octets):
    """Reads a trust file."""
    repeated = []

    def once(pairs):
        names = [name for name, _ in pairs]
        repeated.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused("syntax") from error
    if repeated:
        raise Refused("duplicate_member")
    members(value, ["schema", "anchors"])
    one_of(value["schema"], [SCHEMA])
    return listed(value["anchors"], entry)


def listed(value, read):
    """Reads a list of 1 to 256 parties, each DID once."""
    if len(wrong_type(value, list)) > LIST_MAX:
        raise Refused("too_many")
    if not value:
        raise Refused("wrong_value")
    found = [read(item) for item in value]
    if len({item["did"] for item in found}) < len(found):
        raise Refused("duplicate_did")
    return found


def entry(value):
    """Reads one anchor of a trust file."""
    members(value, ["did"], ["name", "validFrom", "validUntil", "compromisedSince", "hosts"])
    found = anchor(short_of(wrong_type(value["did"], str)))
    if "name" in value:
        text_of(value["name"], 256)
        found["name"] = value["name"]
    for member, key in (("validFrom", "from"), ("validUntil", "until"), ("compromisedSince", "compromised")):
        found[key] = instant(value[member]) if member in value else None
    if "hosts" in value:
        found["hosts"] = listed(value["hosts"], host)
    if None not in (found["from"], found["until"]) and found["from"] >= found["until"]:
        raise Refused("empty_window")
    return found


def host(value):
    """Reads one host of an anchor."""
    members(value, ["did"], ["compromisedSince"])
    compromised = instant(value["compromisedSince"]) if "compromisedSince" in value else None
    return {"did": short_of(wrong_type(value["did"], str)), "compromised": compromised}


def anchor(short):
    """Gives an anchor without limits."""
    return {"did": short, "name": None, "from": None, "until": None, "compromised": None, "hosts": None}
