"""Canonical CBOR (statement-v1 §2.1): a cursor that accepts the one encoding of each item and repairs nothing."""

from .errors import Refused, demand

INTEGER_MAX = 2**53 - 1
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
EXT_DEPTH_MAX = 4
NEWER_DEPTH_MAX = 16


class Cursor:
    """Reads items off a byte string, from the first byte on."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        """Returns the next `count` bytes."""
        start, self.at = self.at, self.at + count
        demand(self.at <= len(self.octets))
        return self.octets[start : self.at]

    def head(self):
        """Reads a head: major type and argument (E1, E2, E7)."""
        initial = self.take(1)[0]
        major, info = initial >> 5, initial & 31
        demand(info < 28 and (major != SIMPLE or info in (20, 21, 22)))
        if info < 24:
            return major, info
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        demand(argument >= (24 if width == 1 else 1 << (4 * width)))
        return major, argument

    def expect(self, major):
        """Reads a head of this major type and returns its argument."""
        found, argument = self.head()
        demand(found == major)
        return argument

    def uint(self):
        """Reads an integer 0..2^53-1 (E5)."""
        value = self.expect(UNSIGNED)
        demand(value <= INTEGER_MAX)
        return value

    def octet_string(self, low, high):
        """Reads a byte string of `low` to `high` bytes."""
        length = self.expect(BYTES)
        demand(low <= length <= high)
        return self.take(length)

    def text(self):
        """Reads a text of any length (E6)."""
        return utf8(self.take(self.expect(TEXT)))

    def array(self, low, high):
        """Reads the head of an array of `low` to `high` items and returns their number."""
        length = self.expect(ARRAY)
        demand(low <= length <= high)
        return length

    def is_null(self):
        """Takes a null if one is next."""
        is_next = self.octets[self.at : self.at + 1] == b"\xf6"
        self.at += is_next
        return is_next

    def major(self):
        """Tells the major type of the next item without taking it."""
        demand(self.at < len(self.octets))
        return self.octets[self.at] >> 5

    def end(self):
        """Demands that nothing is left (E9)."""
        demand(self.at == len(self.octets))

    def value(self, depth, depth_max, text_keys):
        """Reads any canonical item; keys are text in `ext` and of any type in what is newer (§2.3)."""
        demand(depth <= depth_max)
        major, argument = self.head()
        demand(major != TAG)
        if major == SIMPLE:
            return {20: False, 21: True, 22: None}[argument]
        if major in (UNSIGNED, NEGATIVE):
            value = argument if major == UNSIGNED else -1 - argument
            demand(abs(value) <= INTEGER_MAX)
            return value
        if major in (BYTES, TEXT):
            octets = self.take(argument)
            return octets if major == BYTES else utf8(octets)
        if major == ARRAY:
            return [self.value(depth + 1, depth_max, text_keys) for _ in range(argument)]
        return self.pairs(argument, depth + 1, depth_max, text_keys)

    def pairs(self, count, depth, depth_max, text_keys):
        """Reads the pairs of a map whose head is read, keys strictly ascending as bytes (E3)."""
        found, before = {}, b""
        for _ in range(count):
            start = self.at
            demand(not text_keys or self.major() == TEXT)
            key = self.value(depth, depth_max, text_keys)
            encoded = self.octets[start : self.at]
            demand(before < encoded)
            found[key if text_keys else encoded] = self.value(depth, depth_max, text_keys)
            before = encoded
        return found


def utf8(octets):
    """Decodes UTF-8 strictly (E6)."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("utf8") from error


def head(major, argument):
    """Encodes the shortest head."""
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(width for width in (1, 2, 4, 8) if argument < 1 << (8 * width))
    return bytes([major << 5 | 23 + width.bit_length()]) + argument.to_bytes(width, "big")


def encode(value):
    """Encodes what this reader has to make itself: integers, byte strings, texts, arrays and null."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(UNSIGNED, value)
    if isinstance(value, bytes):
        return head(BYTES, len(value)) + value
    if isinstance(value, str):
        return head(TEXT, len(value.encode())) + value.encode()
    return head(ARRAY, len(value)) + b"".join(encode(item) for item in value)
