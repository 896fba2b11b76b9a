"""The two shapes of an envelope (statement-v1 §4.2 to §4.5), byte by byte."""

from dataclasses import dataclass

from .cbor import ARRAY, Cursor, encode
from .errors import Refused, demand, remembered
from .keys import ed25519_holds, mldsa44_holds
from .statement import ENVELOPE_MAX, ZERO

CONTENT_TYPE = b"\x03\x78\x26application/countersign-statement+cbor"
H1 = b"\xa2\x01\x32" + CONTENT_TYPE
H2 = b"\xa1" + CONTENT_TYPE
H3 = b"\xa1\x01\x32"
H4 = b"\xa1\x01\x38\x2f"


class WrongSet(Exception):
    """The signatures are not the set that is required (I2)."""


@dataclass
class Envelope:
    """What an envelope holds; one signature or two."""

    statement: bytes
    signatures: list


@remembered
def parse(octets):
    """Takes an envelope apart (statement-v1 §11 S6)."""
    demand(len(octets) <= ENVELOPE_MAX)
    cursor = Cursor(octets)
    if octets[:1] == b"\xd2":
        cursor.take(1)
        envelope = parse_single(cursor)
    elif octets[:2] == b"\xd8\x62":
        cursor.take(2)
        envelope = parse_hybrid(cursor)
    else:
        raise Refused("not-cose")
    cursor.end()
    return envelope


def parse_single(cursor):
    """Reads what is behind tag 18 (§4.4)."""
    cursor.array(4, 4)
    headers(cursor, H1)
    return Envelope(cursor.octet_string(1, ENVELOPE_MAX), [cursor.octet_string(64, 64)])


def parse_hybrid(cursor):
    """Reads what is behind tag 98 (§4.5)."""
    cursor.array(4, 4)
    headers(cursor, H2)
    envelope = Envelope(cursor.octet_string(1, ENVELOPE_MAX), [])
    if cursor.expect(ARRAY) != 2:
        raise WrongSet("signature-count")
    for protected, length in ((H3, 64), (H4, 2420)):
        cursor.array(3, 3)
        headers(cursor, protected)
        envelope.signatures.append(cursor.octet_string(length, length))
    return envelope


def headers(cursor, protected):
    """Demands the protected header, byte for byte, and an empty unprotected one."""
    demand(cursor.octet_string(0, ENVELOPE_MAX) == protected and cursor.take(1) == b"\xa0")


def sig_structures(statement, is_hybrid, ledger_id):
    """Returns what each signature is over, in order; the AAD of record 0 holds no id (§4.3)."""
    aad = b"countersign/1" + (ledger_id or ZERO)
    if not is_hybrid:
        return [encode(["Signature1", H1, aad, statement])]
    return [encode(["Signature", H2, signer, aad, statement]) for signer in (H3, H4)]


def verify(envelope, is_hybrid, ledger_id, ed25519, mldsa44):
    """Checks the set and every signature (S8, S11)."""
    signatures, messages = envelope.signatures, sig_structures(envelope.statement, is_hybrid, ledger_id)
    holds = len(signatures) == len(messages) and ed25519_holds(ed25519, signatures[0], messages[0])
    if not holds or is_hybrid and not mldsa44_holds(mldsa44, signatures[1], messages[1]):
        raise WrongSet("signatures")
