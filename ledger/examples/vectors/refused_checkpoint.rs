//! Checkpoint notes that break one check each.

use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::checkpoint::Required;
use countersign_ledger::note::KeyId;
use data_encoding::BASE64;

use super::Vector;
use super::checkpoint::{SUBJECT, TIME, head, keys, members, note, seed, signature_lines};

const NOTE: &str = "ledger-v1 §6.1";
const TEXT: &str = "ledger-v1 §6.2";
const STEPS: &str = "ledger-v1 §6.4";

fn refused(name: &str, spec: &str, why: &str, code: &'static str, note: impl AsRef<[u8]>) -> Vector {
    Vector::refused(SUBJECT, name, spec, why, code, members(note.as_ref()))
}

/// The secrets behind the keys of every vector.
fn secret() -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new(seed(0)), Seed32::new(seed(32)))
}

fn line(key_id: KeyId, signature: &[u8]) -> String {
    let bytes = [key_id.as_bytes().as_slice(), signature].concat();
    format!("\u{2014} {} {}\n", head(3).origin, BASE64.encode(&bytes))
}

fn key_id(required: Required) -> KeyId {
    keys(0).public().key_id(head(3).origin.as_str(), required)
}

/// `text`, truly signed with Ed25519, so that nothing but the text is wrong with it.
fn signed(text: &str) -> String {
    let name = text.split('\n').next().unwrap_or_default();
    let id = keys(0).public().key_id(name, Required::Ed25519);
    let bytes = [
        id.as_bytes().as_slice(),
        secret().sign_ed25519(text.as_bytes()).as_bytes(),
    ]
    .concat();
    let name = if name.is_empty() || name.contains(' ') {
        "x"
    } else {
        name
    };
    format!("{text}\n\u{2014} {name} {}\n", BASE64.encode(&bytes))
}

/// `cosigned_message` of C2SP tlog-cosignature, written anew and not taken from the library.
fn cosigned_message(time: u64) -> Vec<u8> {
    let head = head(3);
    let name = head.origin.as_str().as_bytes();
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(name.len() as u8);
    message.extend_from_slice(name);
    message.extend_from_slice(&time.to_be_bytes());
    message.push(name.len() as u8);
    message.extend_from_slice(name);
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&head.size.get().to_be_bytes());
    message.extend_from_slice(head.root.as_bytes());
    message
}

fn timed(time: u64) -> Vec<u8> {
    let signature = secret().sign_ml_dsa(&cosigned_message(time));
    [time.to_be_bytes().as_slice(), signature.as_bytes()].concat()
}

pub(super) fn vectors() -> Vec<Vector> {
    let mut vectors = malformed_notes();
    vectors.extend(malformed_texts());
    vectors.extend(wrong_lines());
    vectors.extend(wrong_signatures());
    vectors
}

fn malformed_notes() -> Vec<Vector> {
    let good = note(3, 0);
    let lines = signature_lines(&good);
    let text = head(3).text();
    let third = |line: &str| format!("{good}{line}");
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8[0] = 0xff;
    let padding = 131_073 - good.len() - third("\u{2014} x \n").len() + good.len();
    vec![
        refused("empty", NOTE, "no byte at all", "note-no-final-newline", ""),
        refused(
            "too_long",
            NOTE,
            "131,073 bytes",
            "note-too-long",
            third(&format!("\u{2014} x {}\n", "A".repeat(padding))),
        ),
        refused("not_utf8", NOTE, "the first byte is ff", "note-not-utf8", not_utf8),
        refused(
            "carriage_return",
            NOTE,
            "lines end in CR LF",
            "note-control-character",
            good.replace('\n', "\r\n"),
        ),
        refused(
            "no_final_newline",
            NOTE,
            "the last newline is missing",
            "note-no-final-newline",
            good.trim_end(),
        ),
        refused(
            "no_empty_line",
            NOTE,
            "text and signatures are not separated",
            "note-no-separator",
            format!("{text}{}", lines.concat()),
        ),
        refused(
            "no_signature",
            NOTE,
            "nothing follows the empty line",
            "note-no-signature",
            format!("{text}\n"),
        ),
        refused(
            "empty_last_line",
            NOTE,
            "an empty line at the end",
            "note-no-signature",
            third("\n"),
        ),
        refused(
            "33_lines",
            NOTE,
            "33 signature lines",
            "note-too-many-signatures",
            third(&"\u{2014} x Uw2QOkk=\n".repeat(31)),
        ),
        refused(
            "hyphen",
            NOTE,
            "a hyphen in place of the em dash",
            "note-line-start",
            third("- x Uw2QOkk=\n"),
        ),
        refused(
            "one_word",
            NOTE,
            "a line without a second space",
            "note-line-shape",
            third("\u{2014} Uw2QOkk=\n"),
        ),
        refused(
            "plus_in_name",
            NOTE,
            "a key name with a plus sign",
            "note-key-name",
            third("\u{2014} a+b Uw2QOkk=\n"),
        ),
        refused(
            "space_in_name",
            NOTE,
            "a key name with U+2003",
            "note-key-name",
            third("\u{2014} a\u{2003}b Uw2QOkk=\n"),
        ),
        refused(
            "unpadded",
            NOTE,
            "base64 without padding",
            "note-base64",
            third("\u{2014} x Uw2QOkk\n"),
        ),
        refused(
            "spare_bits",
            NOTE,
            "base64 with spare bits that are not zero",
            "note-base64",
            third("\u{2014} x Uw2QOkl=\n"),
        ),
        refused(
            "url_alphabet",
            NOTE,
            "base64 in the URL alphabet",
            "note-base64",
            third("\u{2014} x Uw2_Okk=\n"),
        ),
        refused(
            "trailing_space",
            NOTE,
            "a space behind the signature",
            "note-base64",
            third("\u{2014} x Uw2QOkk= \n"),
        ),
        refused(
            "only_key_id",
            NOTE,
            "a key id without a signature",
            "note-signature-too-short",
            third("\u{2014} x Uw2QOg==\n"),
        ),
    ]
}

fn malformed_texts() -> Vec<Vector> {
    let head = head(3);
    let (origin, root) = (head.origin.as_str(), BASE64.encode(head.root.as_bytes()));
    let text = |name: &str, why: &str, code, text: String| refused(name, TEXT, why, code, signed(&text));
    let size = |name: &str, why: &str, size: &str| text(name, why, "size", format!("{origin}\n{size}\n{root}\n"));
    vec![
        text(
            "two_lines",
            "the root is missing",
            "missing-line",
            format!("{origin}\n3\n"),
        ),
        text(
            "extension_line",
            "a fourth line, which ML-DSA-44 does not cover",
            "extension-line",
            format!("{origin}\n3\n{root}\nmore\n"),
        ),
        text(
            "empty_line",
            "a fourth, empty line",
            "extension-line",
            format!("{origin}\n3\n{root}\n\n"),
        ),
        text("empty_origin", "an empty origin", "origin", format!("\n3\n{root}\n")),
        text(
            "space_in_origin",
            "an origin with a space",
            "origin",
            format!("{origin} x\n3\n{root}\n"),
        ),
        text(
            "long_origin",
            "an origin of 129 characters",
            "origin",
            format!("{}\n3\n{root}\n", "o".repeat(129)),
        ),
        size("leading_zero", "a size with a leading zero", "03"),
        size("signed_size", "a size with a sign", "+3"),
        size("empty_size", "an empty size", ""),
        size("hex_size", "a size that is not decimal", "0x3"),
        size("large_size", "the size 2^53", "9007199254740992"),
        text(
            "size_zero",
            "a checkpoint over no record",
            "empty-tree",
            format!("{origin}\n0\n{root}\n"),
        ),
        text(
            "unpadded_root",
            "a root without padding",
            "root",
            format!("{origin}\n3\n{}\n", root.trim_end_matches('=')),
        ),
        text(
            "short_root",
            "a root of 31 bytes",
            "root",
            format!("{origin}\n3\n{}\n", BASE64.encode(&head.root.as_bytes()[..31])),
        ),
    ]
}

fn wrong_lines() -> Vec<Vector> {
    let (good, other) = (note(3, 0), note(3, 64));
    let text = head(3).text();
    let (own, foreign) = (signature_lines(&good), signature_lines(&other));
    let line = |name: &str, why: &str, code, lines: &[&str]| {
        refused(name, STEPS, why, code, format!("{text}\n{}", lines.concat()))
    };
    let renamed = own[0].replacen("countersign/", "countersign.", 1);
    vec![
        line(
            "ed25519_missing",
            "the Ed25519 line is left out",
            "missing-ed25519",
            &own[1..],
        ),
        line(
            "mldsa44_missing",
            "the ML-DSA-44 line is left out",
            "missing-ml-dsa-44",
            &own[..1],
        ),
        line(
            "other_keys",
            "both lines are of other keys",
            "missing-ed25519",
            &foreign,
        ),
        line(
            "other_mldsa44",
            "the ML-DSA-44 line is of another key",
            "missing-ml-dsa-44",
            &[own[0], foreign[1]],
        ),
        line(
            "other_name",
            "the key name is not the origin",
            "missing-ed25519",
            &[&renamed, own[1]],
        ),
        line(
            "swapped_lines",
            "ML-DSA-44 before Ed25519",
            "misplaced-signature",
            &[own[1], own[0]],
        ),
        line(
            "late",
            "a line of another key between the two",
            "misplaced-signature",
            &[own[0], foreign[0], own[1]],
        ),
        line(
            "repeated",
            "the ML-DSA-44 line twice",
            "repeated-signature",
            &[own[0], own[1], own[1]],
        ),
    ]
}

fn wrong_signatures() -> Vec<Vector> {
    let (good, larger) = (note(3, 0), note(4, 0));
    let text = head(3).text();
    let (own, others) = (signature_lines(&good), signature_lines(&larger));
    let line_with = |name: &str, why: &str, code, first: &str, second: &str| {
        refused(name, STEPS, why, code, format!("{text}\n{first}{second}"))
    };
    let (ed25519, ml_dsa) = (key_id(Required::Ed25519), key_id(Required::MlDsa44));
    let mut retimed = timed(TIME);
    retimed[7] ^= 1;
    let without_time = &timed(TIME)[8..];
    let late = timed(1 << 63);
    vec![
        line_with(
            "ed25519_length",
            "an Ed25519 signature of 63 bytes",
            "signature-length",
            &line(ed25519, &[0; 63]),
            own[1],
        ),
        line_with(
            "no_time",
            "an ML-DSA-44 signature without its time",
            "signature-length",
            own[0],
            &line(ml_dsa, without_time),
        ),
        line_with(
            "late_time",
            "a time of 2^63, truly signed",
            "time-out-of-range",
            own[0],
            &line(ml_dsa, &late),
        ),
        line_with(
            "other_time",
            "another time than was signed",
            "signature-ml-dsa-44",
            own[0],
            &line(ml_dsa, &retimed),
        ),
        line_with(
            "other_head_ed25519",
            "the Ed25519 signature of another head",
            "signature-ed25519",
            others[0],
            own[1],
        ),
        line_with(
            "other_head_mldsa44",
            "the ML-DSA-44 signature of another head",
            "signature-ml-dsa-44",
            own[0],
            others[1],
        ),
        line_with(
            "zero_ed25519",
            "64 zero bytes",
            "signature-ed25519",
            &line(ed25519, &[0; 64]),
            own[1],
        ),
    ]
}
