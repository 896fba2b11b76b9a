"""Canonical JSON as identity-v1 §3 profiles it: the bytes that are stored are the bytes that are hashed."""

import json
import re
from itertools import accumulate

from .errors import Refused, demand, remembered

DOCUMENT_MAX = 16_384
DEPTH_MAX = 32
NUMBER_MAX = 2**53 - 1


@remembered
def parse(octets, length_max=DOCUMENT_MAX):
    """Reads a document that is its own canonical form."""
    demand(len(octets) <= length_max and nesting(octets) <= DEPTH_MAX)
    try:
        value = json.loads(octets.decode("utf-8"), parse_int=integer, parse_float=refuse, parse_constant=refuse)
        demand(encode(value) == octets)
    except (ValueError, RecursionError) as error:
        raise Refused("syntax") from error
    return value


def nesting(octets):
    """Measures how deep objects and arrays are nested; brackets inside strings do not count."""
    brackets = re.sub(rb'"(?:[^"\\]|\\.)*"?|[^]"[{}]+', b"", octets, flags=re.DOTALL)
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


def integer(text):
    """Reads a number that is an integer within ±(2^53-1), and not -0."""
    demand(text != "-0" and len(text) <= 17 and abs(int(text)) <= NUMBER_MAX)
    return int(text)


def refuse(text):
    """Refuses fractions, exponents, NaN and Infinity."""
    raise Refused(text)


def encode(value):
    """Returns the canonical bytes of a value (RFC 8785); Python escapes strings in the same way."""
    return json.dumps(in_order(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def in_order(value):
    """Sorts the members of every object by their UTF-16 code units."""
    if isinstance(value, list):
        return [in_order(item) for item in value]
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: in_order(value[name]) for name in names}
    return value
