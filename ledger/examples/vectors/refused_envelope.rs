//! Signed statements that break one check each.

use countersign_ledger::cose::{AadLedger, sign};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::SignatureSet::{self, Ed25519, Hybrid};

use super::Vector;
use super::envelope::{PAYLOAD, SUBJECT, ledger, members, signer};

const SIGN1: &str = "statement-v1 §4.4";
const SIGN: &str = "statement-v1 §4.5";
const HEADERS: &str = "statement-v1 §4.3";
const CBOR: &str = "statement-v1 §2.1";

fn refused(name: &str, spec: &str, why: &str, code: &'static str, set: SignatureSet, message: Vec<u8>) -> Vector {
    Vector::refused(SUBJECT, name, spec, why, code, members(&message, set, ledger().into()))
}

fn good(set: SignatureSet) -> Vec<u8> {
    sign(PAYLOAD, set, ledger(), &signer(0))
}

/// `message` with the first `old` in it replaced.
fn edit(message: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = message.windows(old.len()).position(|window| window == old);
    let at = at.expect("the message has the bytes to be replaced");
    [&message[..at], new, &message[at + old.len()..]].concat()
}

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = shapes();
    vectors.extend(headers());
    vectors.extend(sets());
    vectors.extend(signatures());
    vectors
}

fn shapes() -> Vec<Vector> {
    let one = good(Ed25519);
    let case =
        |name: &str, spec: &str, why: &str, code, message: Vec<u8>| refused(name, spec, why, code, Ed25519, message);
    // The payload's head with the end of the header before it.
    let payload = |head: &[u8]| edit(&one, &[b'r', 0xa0, 0x43], &[&[b'r', 0xa0], head].concat());
    let overhead = one.len() - PAYLOAD.len() + 2;
    let long = sign(&vec![0; 65_001 - overhead], Ed25519, ledger(), &signer(0));
    vec![
        case("empty", SIGN1, "no byte at all", "not-cose", Vec::new()),
        case("untagged", SIGN1, "the tag is missing", "not-cose", one[1..].to_vec()),
        case(
            "other_tag",
            SIGN1,
            "tag 17, COSE_Mac0",
            "not-cose",
            [&[0xd1], &one[1..]].concat(),
        ),
        case(
            "long_tag",
            CBOR,
            "tag 18 in two bytes",
            "not-cose",
            [&[0xd8, 0x12], &one[1..]].concat(),
        ),
        case(
            "three_items",
            SIGN1,
            "an array of three",
            "length",
            [&[0xd2, 0x83], &one[2..]].concat(),
        ),
        case(
            "not_an_array",
            SIGN1,
            "a map in place of the array",
            "type",
            [&[0xd2, 0xa2], &one[2..]].concat(),
        ),
        case(
            "detached",
            SIGN1,
            "null in place of the statement",
            "type",
            edit(&one, &[b'r', 0xa0, 0x43, 0xa1, 1, 2], &[b'r', 0xa0, 0xf6]),
        ),
        case(
            "no_statement",
            SIGN1,
            "an empty statement",
            "length",
            edit(&one, &[b'r', 0xa0, 0x43, 0xa1, 1, 2], &[b'r', 0xa0, 0x40]),
        ),
        case(
            "long_head",
            CBOR,
            "a length in two bytes where one suffices",
            "not-shortest",
            payload(&[0x58, 0x03]),
        ),
        case(
            "indefinite",
            CBOR,
            "a byte string of indefinite length",
            "indefinite",
            payload(&[0x5f, 0x43]),
        ),
        case("reserved", CBOR, "a reserved head", "reserved", payload(&[0x5c])),
        case("inner_tag", CBOR, "a tag inside", "tag", payload(&[0xc2, 0x43])),
        case(
            "truncated",
            CBOR,
            "the last byte is missing",
            "truncated",
            one[..one.len() - 1].to_vec(),
        ),
        case(
            "trailing",
            CBOR,
            "a byte behind the message",
            "trailing",
            [one.as_slice(), &[0]].concat(),
        ),
        case(
            "too_long",
            "statement-v1 §3",
            "65,001 bytes, truly signed",
            "too-long",
            long,
        ),
        case(
            "short_signature",
            SIGN1,
            "a signature of 63 bytes",
            "signature-length",
            [&one[..one.len() - 66], &[0x58, 63], &one[one.len() - 63..]].concat(),
        ),
    ]
}

fn headers() -> Vec<Vector> {
    let (one, two) = (good(Ed25519), good(Hybrid));
    let body = [b'r', 0xa0];
    let with_key_id = [b'r', 0xa1, 0x04, 0x41, 0x31];
    vec![
        refused(
            "eddsa",
            HEADERS,
            "algorithm -8, EdDSA",
            "protected",
            Ed25519,
            edit(&one, &[1, 0x32, 3], &[1, 0x27, 3]),
        ),
        refused(
            "content_type",
            HEADERS,
            "another content type",
            "protected",
            Ed25519,
            edit(&one, b"cbor", b"cose"),
        ),
        refused(
            "no_content_type",
            HEADERS,
            "no content type",
            "protected",
            Ed25519,
            edit(&one, &one[2..48], &[0x43, 0xa1, 0x01, 0x32]),
        ),
        refused(
            "body_algorithm",
            HEADERS,
            "an algorithm in the outer header",
            "protected",
            Hybrid,
            edit(&two, &two[3..47], &one[2..48]),
        ),
        refused(
            "first_algorithm",
            HEADERS,
            "ML-DSA-44 named first",
            "protected",
            Hybrid,
            edit(&two, &[0x43, 0xa1, 1, 0x32], &[0x44, 0xa1, 1, 0x38, 0x2f]),
        ),
        refused(
            "second_algorithm",
            HEADERS,
            "Ed25519 named twice",
            "protected",
            Hybrid,
            edit(&two, &[0x44, 0xa1, 1, 0x38, 0x2f], &[0x43, 0xa1, 1, 0x32]),
        ),
        refused(
            "key_id",
            SIGN1,
            "a key id in the unprotected header",
            "unprotected",
            Ed25519,
            edit(&one, &body, &with_key_id),
        ),
        refused(
            "body_key_id",
            SIGN,
            "a key id in the outer unprotected header",
            "unprotected",
            Hybrid,
            edit(&two, &body, &with_key_id),
        ),
        refused(
            "first_key_id",
            SIGN,
            "a key id at the Ed25519 signature",
            "unprotected",
            Hybrid,
            edit(&two, &[0x32, 0xa0, 0x58, 64], &[0x32, 0xa1, 4, 0x41, 0x31, 0x58, 64]),
        ),
        refused(
            "second_key_id",
            SIGN,
            "a key id at the ML-DSA-44 signature",
            "unprotected",
            Hybrid,
            edit(&two, &[0x2f, 0xa0, 0x59], &[0x2f, 0xa1, 4, 0x41, 0x31, 0x59]),
        ),
    ]
}

fn sets() -> Vec<Vector> {
    let (one, two) = (good(Ed25519), good(Hybrid));
    let second = two.len() - (1 + 5 + 1 + 3 + 2420);
    let stripped = edit(&two[..second], &[0x82, 0x83, 0x43], &[0x81, 0x83, 0x43]);
    let third = [
        edit(&two, &[0x82, 0x83, 0x43], &[0x83, 0x83, 0x43]),
        two[second..].to_vec(),
    ]
    .concat();
    // Array head, Ed25519 entry: its array head, protected header, empty map, signature with its head.
    let array = second - (1 + 4 + 1 + 2 + 64) - 1;
    let none = [&two[..array], &[0x80]].concat();
    vec![
        refused(
            "sign1_for_hybrid",
            "statement-v1 §4.2",
            "one signature where the kind has two",
            "downgraded",
            Hybrid,
            one,
        ),
        refused(
            "stripped",
            SIGN,
            "the ML-DSA-44 signature is cut out",
            "downgraded",
            Hybrid,
            stripped,
        ),
        refused(
            "hybrid_for_sign1",
            "statement-v1 §4.2",
            "two signatures where the kind has one",
            "wrong-set",
            Ed25519,
            two,
        ),
        refused(
            "three_signatures",
            SIGN,
            "the ML-DSA-44 signature twice",
            "signature-count",
            Hybrid,
            third,
        ),
        refused(
            "no_signature",
            SIGN,
            "an empty array of signatures",
            "signature-count",
            Hybrid,
            none,
        ),
    ]
}

fn signatures() -> Vec<Vector> {
    let spec = "statement-v1 §4.6";
    let (one, two) = (good(Ed25519), good(Hybrid));
    let flipped = |message: &[u8], at: usize| {
        let mut message = message.to_vec();
        message[at] ^= 1;
        message
    };
    let tail = two.len() - 2420;
    let foreign = sign(PAYLOAD, Hybrid, ledger(), &signer(64));
    let mixed = [&two[..tail], &foreign[tail..]].concat();
    let exchanged = [&one[..one.len() - 64], &two[tail - 3 - 1 - 5 - 1 - 64..tail - 10]].concat();
    let elsewhere = |set, ledger: AadLedger| sign(PAYLOAD, set, ledger, &signer(0));
    let other = LedgerId::from_bytes([0x12; 32]);
    vec![
        refused(
            "statement_bit",
            spec,
            "one bit of the statement",
            "signature-ed25519",
            Ed25519,
            edit(&one, PAYLOAD, &[0xa1, 1, 3]),
        ),
        refused(
            "ed25519_bit",
            spec,
            "one bit of the signature",
            "signature-ed25519",
            Ed25519,
            flipped(&one, one.len() - 1),
        ),
        refused(
            "mldsa44_bit",
            spec,
            "one bit of the ML-DSA-44 signature",
            "signature-ml-dsa-44",
            Hybrid,
            flipped(&two, tail),
        ),
        refused(
            "other_author",
            spec,
            "another author's signatures",
            "signature-ed25519",
            Hybrid,
            foreign,
        ),
        refused(
            "other_mldsa44",
            spec,
            "another author's ML-DSA-44 signature",
            "signature-ml-dsa-44",
            Hybrid,
            mixed,
        ),
        refused(
            "other_ledger",
            HEADERS,
            "signed for another ledger",
            "signature-ed25519",
            Ed25519,
            elsewhere(Ed25519, other.into()),
        ),
        refused(
            "genesis_elsewhere",
            HEADERS,
            "signed without a ledger id, but not record 0",
            "signature-ed25519",
            Hybrid,
            elsewhere(Hybrid, AadLedger::Genesis),
        ),
        refused(
            "exchanged",
            SIGN1,
            "the Ed25519 signature of the form with two",
            "signature-ed25519",
            Ed25519,
            exchanged,
        ),
    ]
}
