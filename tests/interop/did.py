"""did:peer:4 in the strict profile of identity-v1 §2 and §4."""

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from .errors import demand, remembered
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
    demand(set(text) <= set(VALUES))
    number = 0
    for character in text:
        number = number * 58 + VALUES[character]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\x00" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base64url(text):
    """Decodes base64url without padding, in its one form (§2.2)."""
    demand(re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1)
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    demand(base64.urlsafe_b64encode(octets).rstrip(b"=").decode() == text)
    return octets


def multibase(text, base):
    """Decodes a multibase text that must have this base."""
    demand(text.startswith(base))
    return base58(text[1:]) if base == "z" else base64url(text[1:])


def multikey(text, base, code, length):
    """Decodes a Multikey (§2.3)."""
    octets = multibase(text, base)
    demand(octets[:2] == code and len(octets) == 2 + length)
    return octets[2:]


def start(text):
    """Checks length and method and returns what follows (§4.3, 1)."""
    demand(len(text.encode("utf-8", "surrogatepass")) <= 8192 and text.startswith(METHOD))
    return text[len(METHOD) :]


def check_hash(text):
    """Checks the form of the hash (§4.3, 3)."""
    octets = multibase(text, "z")
    demand(len(octets) == 34 and octets[:2] == b"\x12\x20")
    return octets[2:]


def read_short(text):
    """Reads a short form."""
    check_hash(start(text))
    return text


@remembered
def read_long(text):
    """Reads a long form, step by step as §4.3 has it."""
    digest, _, encoded = start(text).partition(":")
    demand(check_hash(digest) == sha256(encoded.encode("utf-8", "surrogatepass")).digest())
    octets = multibase(encoded, "z")
    demand(octets[:2] == b"\x80\x04")
    found = DOCUMENT.fullmatch(octets[2:])
    demand(found)
    texts = [group.decode("utf-8", "replace") for group in found.groups()]
    ed25519 = multikey(texts[0], "z", b"\xed\x01", 32)
    demand(is_ed25519_key(ed25519))
    return Party(METHOD + digest, ed25519, multikey(texts[1], "u", b"\x90\x24", 1312))
