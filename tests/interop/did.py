"""did:peer:4 in the strict profile of identity-v1 §2 and §4."""

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from .jcs import Refused
from .keys import is_ed25519_key

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
VALUES = {character: value for value, character in enumerate(ALPHABET)}
METHOD = "did:peer:4"
DOCUMENT = re.compile(
    re.escape(
        '{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/multikey/v1"],'
        '"assertionMethod":["#ed25519","#mldsa44"],"authentication":["#ed25519","#mldsa44"],'
        '"verificationMethod":[{"id":"#ed25519","publicKeyMultibase":"ED","type":"Multikey"},'
        '{"id":"#mldsa44","publicKeyMultibase":"ML","type":"Multikey"}]}'
    )
    .replace('"ED"', '"([^"]*)"')
    .replace('"ML"', '"([^"]*)"')
    .encode(),
    re.DOTALL,
)


@dataclass(frozen=True)
class Party:
    """A party of a ledger: its name and the two keys the name is made of."""

    short: str
    ed25519: bytes
    mldsa44: bytes


def base58(text):
    """Decodes base58btc (§2.1)."""
    number = 0
    for character in text:
        if character not in VALUES:
            raise Refused("did_multibase")
        number = number * 58 + VALUES[character]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\x00" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58_text(octets):
    """Encodes base58btc (§2.1)."""
    number, digits = int.from_bytes(octets, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return "1" * (len(octets) - len(octets.lstrip(b"\x00"))) + digits


def base64url(text):
    """Decodes base64url without padding, in its one form (§2.2)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise Refused("did_multibase")
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        raise Refused("did_multibase")
    return octets


def multibase(text, base):
    """Decodes a multibase text that must have this base."""
    if not text.startswith(base):
        raise Refused("did_multibase")
    return base58(text[1:]) if base == "z" else base64url(text[1:])


def multikey(text, base, code, length):
    """Decodes a Multikey (§2.3)."""
    try:
        octets = multibase(text, base)
    except Refused as error:
        raise Refused("did_key") from error
    if octets[:2] != code or len(octets) != 2 + length:
        raise Refused("did_key")
    return octets[2:]


def start(text):
    """Checks length and method and returns what follows (§4.3, 1)."""
    if len(text.encode("utf-8", "surrogatepass")) > 8192:
        raise Refused("did_too_long")
    if not text.startswith(METHOD):
        raise Refused("did_method")
    return text[len(METHOD) :]


def check_hash(text):
    """Checks the form of the hash (§4.3, 3)."""
    octets = multibase(text, "z")
    if len(octets) != 34 or octets[:2] != b"\x12\x20":
        raise Refused("did_multihash")


def read_short(text):
    """Reads a short form."""
    rest = start(text)
    if ":" in rest:
        raise Refused("did_form")
    check_hash(rest)
    return text


def read_long(text):
    """Reads a long form, step by step as §4.3 has it."""
    digest, colon, encoded = start(text).partition(":")
    if not colon:
        raise Refused("did_form")
    check_hash(digest)
    if digest != "z" + base58_text(b"\x12\x20" + sha256(encoded.encode("utf-8", "surrogatepass")).digest()):
        raise Refused("did_hash")
    octets = multibase(encoded, "z")
    if octets[:2] != b"\x80\x04":
        raise Refused("did_codec")
    found = DOCUMENT.fullmatch(octets[2:])
    if not found:
        raise Refused("did_document")
    texts = [group.decode("utf-8", "replace") for group in found.groups()]
    ed25519 = multikey(texts[0], "z", b"\xed\x01", 32)
    if not is_ed25519_key(ed25519):
        raise Refused("did_key")
    return Party(METHOD + digest, ed25519, multikey(texts[1], "u", b"\x90\x24", 1312))


def read_anchor(text):
    """Reads a trust anchor and returns the short form (§11)."""
    line = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    return read_long(line).short if line.count(":") > 2 else read_short(line)
