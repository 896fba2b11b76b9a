"""Strict Ed25519 and ML-DSA-44 (statement-v1 §4.6, identity-v1 §1)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from .errors import remembered

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


@remembered
def is_ed25519_key(key):
    """Tells whether 32 bytes are a public key by identity-v1 §1.2, 1 and 2."""
    if len(key) != 32 or key in SMALL_ORDER:
        return False
    y = int.from_bytes(key, "little") & (2**255 - 1)
    if y >= PRIME:
        return False
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    if square == 0:
        return key[31] & 0x80 == 0
    return pow(square, (PRIME - 1) // 2, PRIME) == 1


@remembered
def ed25519_holds(key, signature, message):
    """Verifies by identity-v1 §1.2; the library checks the equation without cofactor."""
    if len(signature) != 64 or not is_ed25519_key(key) or signature[:32] in SMALL_ORDER:
        return False
    if int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    return holds(Ed25519PublicKey.from_public_bytes(key), signature, message)


@remembered
def mldsa44_holds(key, signature, message):
    """Verifies FIPS 204 ML-DSA-44, pure, with the empty context."""
    if len(key) != 1312 or len(signature) != 2420:
        return False
    return holds(MLDSA44PublicKey.from_public_bytes(key), signature, message)


def holds(key, signature, message):
    """Makes a yes or no of the library's exception."""
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
