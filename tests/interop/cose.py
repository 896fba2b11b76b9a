"""The two shapes of an envelope (statement-v1 §4.2 to §4.5), byte by byte."""

from dataclasses import dataclass

from .cbor import ARRAY, Cursor, Malformed, encode, head
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

    @property
    def is_hybrid(self):
        """Tells the shape."""
        return len(self.signatures) == 2


def parse(octets):
    """Takes an envelope apart (statement-v1 §11 S6)."""
    if len(octets) > ENVELOPE_MAX:
        raise Malformed("too-long")
    cursor = Cursor(octets)
    if octets[:1] == b"\xd2":
        cursor.take(1)
        envelope = parse_single(cursor)
    elif octets[:2] == b"\xd8\x62":
        cursor.take(2)
        envelope = parse_hybrid(cursor)
    else:
        raise Malformed("not-cose")
    cursor.end()
    return envelope


def parse_single(cursor):
    """Reads what is behind tag 18 (§4.4)."""
    cursor.array(4, 4)
    statement = headers_and_statement(cursor, H1)
    return Envelope(statement, [signature(cursor, 64)])


def parse_hybrid(cursor):
    """Reads what is behind tag 98 (§4.5)."""
    cursor.array(4, 4)
    statement = headers_and_statement(cursor, H2)
    if cursor.expect(ARRAY) != 2:
        raise WrongSet("signature-count")
    signatures = []
    for protected, length in ((H3, 64), (H4, 2420)):
        cursor.array(3, 3)
        headers(cursor, protected)
        signatures.append(signature(cursor, length))
    return Envelope(statement, signatures)


def headers_and_statement(cursor, protected):
    """Reads both headers and the payload."""
    headers(cursor, protected)
    return cursor.octet_string(1, ENVELOPE_MAX)


def headers(cursor, protected):
    """Demands the protected header, byte for byte, and an empty unprotected one."""
    if cursor.octet_string(0, ENVELOPE_MAX) != protected:
        raise Malformed("protected")
    if cursor.take(1) != b"\xa0":
        raise Malformed("unprotected")


def signature(cursor, length):
    """Reads a signature of exactly this length."""
    found = cursor.octet_string(0, ENVELOPE_MAX)
    if len(found) != length:
        raise Malformed("signature-length")
    return found


def external_data(ledger_id):
    """Returns the AAD; without an id, that of record 0 (§4.3)."""
    return b"countersign/1" + (ledger_id or ZERO)


def sig_structures(statement, is_hybrid, ledger_id):
    """Returns what each signature is over, in order."""
    aad = external_data(ledger_id)
    if not is_hybrid:
        return [encode_array("Signature1", H1, aad, statement)]
    return [encode_array("Signature", H2, signer, aad, statement) for signer in (H3, H4)]


def encode_array(*items):
    """Encodes a Sig_structure."""
    return head(ARRAY, len(items)) + b"".join(encode(item) for item in items)


def verify(envelope, is_hybrid, ledger_id, ed25519, mldsa44):
    """Checks the set and every signature (S8, S11)."""
    if envelope.is_hybrid != is_hybrid:
        raise WrongSet("downgraded" if is_hybrid else "wrong-set")
    messages = sig_structures(envelope.statement, is_hybrid, ledger_id)
    if not ed25519_holds(ed25519, envelope.signatures[0], messages[0]):
        raise WrongSet("signature-ed25519")
    if is_hybrid and not mldsa44_holds(mldsa44, envelope.signatures[1], messages[1]):
        raise WrongSet("signature-ml-dsa-44")
