"""Canonical JSON as identity-v1 §3 profiles it: the bytes that are stored are the bytes that are hashed."""

import json

DOCUMENT_MAX = 16_384
DEPTH_MAX = 32
NUMBER_MAX = 2**53 - 1
SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Refused(Exception):
    """A document is refused. The word is that of identity-v1; that it is refused binds, not the word."""


def parse(octets, length_max=DOCUMENT_MAX):
    """Reads a document that is its own canonical form, with the checks in the order of §3."""
    if len(octets) > length_max:
        raise Refused("too_long")
    if nesting(octets) > DEPTH_MAX:
        raise Refused("too_deep")
    try:
        value = json.loads(octets.decode("utf-8"), parse_int=integer, parse_float=no_number, parse_constant=no_syntax)
        again = encode(value)
    except (ValueError, RecursionError) as error:
        raise Refused("syntax") from error
    if again != octets:
        raise Refused("not_canonical")
    return value


def nesting(octets):
    """Measures how deep objects and arrays are nested; brackets inside strings do not count."""
    depth = deepest = 0
    quoted = escaped = False
    for octet in octets:
        if quoted:
            quoted = escaped or octet != 0x22
            escaped = octet == 0x5C and not escaped
        elif octet == 0x22:
            quoted = True
        elif octet in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif octet in b"]}":
            depth -= 1
    return deepest


def integer(text):
    """Reads a number that is an integer within ±(2^53-1), and not -0."""
    if text == "-0" or len(text) > 17 or abs(int(text)) > NUMBER_MAX:
        raise Refused("number")
    return int(text)


def no_number(_text):
    """Refuses fractions and exponents."""
    raise Refused("number")


def no_syntax(_text):
    """Refuses NaN and Infinity, which Python would take."""
    raise Refused("syntax")


def encode(value):
    """Returns the canonical bytes of a value (RFC 8785)."""
    return "".join(pieces(value)).encode("utf-8")


def pieces(value):
    """Yields the canonical text piece by piece."""
    if value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, str):
        yield quote(value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield "," if index else "["
            yield from pieces(item)
        yield "]" if value else "[]"
    else:
        for index, key in enumerate(sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))):
            yield ("," if index else "{") + quote(key) + ":"
            yield from pieces(value[key])
        yield "}" if value else "{}"


def quote(text):
    """Writes a string with the shortest escapes."""
    return '"' + "".join(SHORT_ESCAPES.get(c) or (c if c >= " " else f"\\u{ord(c):04x}") for c in text) + '"'
