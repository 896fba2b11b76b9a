"""Canonical CBOR (statement-v1 §2.1): a cursor that accepts the one encoding of each item and repairs nothing."""

INTEGER_MAX = 2**53 - 1
TEXT, BYTES, UNSIGNED, NEGATIVE, ARRAY, MAP, TAG, SIMPLE = 3, 2, 0, 1, 4, 5, 6, 7
EXT_DEPTH_MAX = 4
NEWER_DEPTH_MAX = 16


class Malformed(Exception):
    """The bytes break a rule of the format. The word says which; it binds nobody."""


class Cursor:
    """Reads items off a byte string, from the first byte on."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        """Returns the next `count` bytes."""
        end = self.at + count
        if end > len(self.octets):
            raise Malformed("truncated")
        piece, self.at = self.octets[self.at : end], end
        return piece

    def head(self):
        """Reads a head: major type and argument (E1, E2, E7)."""
        initial = self.take(1)[0]
        major, info = initial >> 5, initial & 31
        if info == 31:
            raise Malformed("indefinite")
        if 28 <= info:
            raise Malformed("reserved")
        if major == SIMPLE and info not in (20, 21, 22):
            raise Malformed("simple")
        if info < 24:
            return major, info
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        if argument < (24 if width == 1 else 1 << (4 * width)):
            raise Malformed("not-shortest")
        return major, argument

    def expect(self, major):
        """Reads a head of this major type and returns its argument."""
        found, argument = self.head()
        if found == TAG:
            raise Malformed("tag")
        if found != major:
            raise Malformed("type")
        return argument

    def uint(self):
        """Reads an integer 0..2^53-1 (E5)."""
        value = self.expect(UNSIGNED)
        if value > INTEGER_MAX:
            raise Malformed("integer-too-large")
        return value

    def octet_string(self, low, high):
        """Reads a byte string of `low` to `high` bytes."""
        length = self.expect(BYTES)
        if not low <= length <= high:
            raise Malformed("length")
        return self.take(length)

    def text(self):
        """Reads a text of any length (E6)."""
        return utf8(self.take(self.expect(TEXT)))

    def array(self, low, high):
        """Reads the head of an array of `low` to `high` items and returns their number."""
        length = self.expect(ARRAY)
        if not low <= length <= high:
            raise Malformed("length")
        return length

    def is_null(self):
        """Takes a null if one is next."""
        if self.octets[self.at : self.at + 1] != b"\xf6":
            return False
        self.at += 1
        return True

    def major(self):
        """Tells the major type of the next item without taking it."""
        if self.at >= len(self.octets):
            raise Malformed("truncated")
        return self.octets[self.at] >> 5

    def end(self):
        """Demands that nothing is left (E9)."""
        if self.at != len(self.octets):
            raise Malformed("trailing")

    def value(self, depth, depth_max, text_keys):
        """Reads any canonical item; keys are text in `ext` and of any type in what is newer (§2.3)."""
        if depth > depth_max:
            raise Malformed("depth")
        major, argument = self.head()
        if major == TAG:
            raise Malformed("tag")
        if major == SIMPLE:
            return {20: False, 21: True, 22: None}[argument]
        if major == UNSIGNED or major == NEGATIVE:
            return integer(major, argument)
        if major == BYTES:
            return self.take(argument)
        if major == TEXT:
            return utf8(self.take(argument))
        if major == ARRAY:
            return [self.value(depth + 1, depth_max, text_keys) for _ in range(argument)]
        return self.pairs(argument, depth + 1, depth_max, text_keys)

    def pairs(self, count, depth, depth_max, text_keys):
        """Reads the pairs of a map whose head is read, keys strictly ascending as bytes (E3)."""
        found, before = {}, None
        for _ in range(count):
            start = self.at
            if text_keys and self.major() != TEXT:
                self.head()
                raise Malformed("type")
            key = self.value(depth, depth_max, text_keys)
            before = ascending(before, self.octets[start : self.at])
            found[key if text_keys else before] = self.value(depth, depth_max, text_keys)
        return found


def ascending(before, key):
    """Returns `key` if it stands behind `before` (E3)."""
    if before is not None and key <= before:
        raise Malformed("duplicate-key" if key == before else "unsorted-keys")
    return key


def integer(major, argument):
    """Makes the integer of a head, within ±(2^53-1)."""
    value = argument if major == UNSIGNED else -1 - argument
    if abs(value) > INTEGER_MAX:
        raise Malformed("integer-too-large")
    return value


def utf8(octets):
    """Decodes UTF-8 strictly (E6)."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("utf8") from error


def head(major, argument):
    """Encodes the shortest head."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError("argument beyond eight bytes")


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
