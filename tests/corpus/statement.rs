//! A lying operator (K3) who signs, with the right key, what is written in another way than the one agreed: a statement, its
//! body, its protected header, or a document in the body. Everything behind it is signed over that.

use std::sync::Arc;

use countersign_identity::keys::{Ed25519Signature, HybridSecret, MlDsaSignature, Sign};
use countersign_ledger::cose;
use countersign_schemas::body::Body;
use countersign_schemas::cbor::{Decoder, Encoder};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::list::Doc;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected, Named};
use super::encoding::head_len;
use super::retelling::change_at;
use super::support::writer::Draft;

/// What is written wrongly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Statement,
    Body,
    Header,
    /// A credential or an order: its value and proofs stay as they are.
    Document,
    /// A statement as a later version may write it.
    Newer,
}

/// One way to write something wrongly; `None` where it would be no other way.
struct Variant {
    attack: Attack,
    write: fn(&[u8]) -> Option<Vec<u8>>,
}

const STATEMENT: &str = "that entry: a statement has one encoding, whoever signs it (I1)";
const HEADER: &str = "that entry: protected headers are compared as bytes (I1)";
const DOCUMENT: &str = "that entry: a document has one encoding (I1)";
const NEWER: &str = "that entry: this version does not judge it (U2), and says never 0";

macro_rules! variants {
    ($rule:expr; $($name:literal, $what:literal, $write:expr;)+) => {
        &[$(Variant { attack: Attack { name: $name, what: $what, rule: $rule }, write: $write }),+]
    };
}

static VARIANTS: [(Part, &[Variant]); 5] = [
    (
        Part::Statement,
        variants! { STATEMENT;
            "statement-key-twice", "a statement has its first key twice", first_key_twice;
            "statement-unsorted", "a statement has its first key last", first_key_last;
            "statement-indefinite", "a statement is a map of indefinite length", indefinite;
            "statement-long-head", "the number of a statement's keys is written in two bytes", long_head;
            "statement-long-integer", "the kind of a statement is written in two bytes",
                |map| Some([&map[..2], &[0x18], &map[2..]].concat());
            "statement-2-53", "a statement states the number 2^53", |map| by(map, &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]);
            "statement-negative", "a statement states a negative number", |map| by(map, &[0x20]);
            "statement-float", "a statement states a floating-point number", |map| by(map, &[0xf9, 0, 0]);
            "statement-undefined", "a statement holds `undefined`", |map| by(map, &[0xf7]);
            "statement-text-key", "a statement has a text as a key",
                |map| Some([&[map[0] + 1], &map[1..], &[0x61, b'x', 0xf6]].concat());
            "statement-trailing-byte", "a byte stands behind a statement, under its signature",
                |map| Some([map, &[0]].concat());
        },
    ),
    (
        Part::Body,
        variants! { STATEMENT;
            "body-key-twice", "a body has its first key twice", first_key_twice;
            "body-unsorted", "a body has its first key last", first_key_last;
            "body-indefinite", "a body is a map of indefinite length", indefinite;
            "body-long-head", "the number of a body's keys is written in two bytes", long_head;
        },
    ),
    (
        Part::Header,
        variants! { HEADER;
            "header-key-twice", "a protected header has its first key twice", first_key_twice;
            "header-unsorted", "a protected header has its first key last", first_key_last;
            "header-indefinite", "a protected header is a map of indefinite length", indefinite;
            "header-long-head", "the number of a protected header's keys is written in two bytes", long_head;
        },
    ),
    (
        Part::Document,
        variants! { DOCUMENT;
            "document-with-space", "a credential or an order has a space in front", |text| Some([b" ", text].concat());
            "document-member-twice", "a credential or an order has a member twice",
                |text| Some([b"{\"@context\":[],", &text[1..]].concat());
        },
    ),
    (
        Part::Newer,
        variants! { NEWER;
            "newer-key", "a statement has a key that this version does not know",
                |map| Some([&[map[0] + 1], &map[1..], &[0x08, 0xf6]].concat());
            "newer-kind", "a statement is of a kind that this version does not know",
                |map| Some([&map[..2], &[0x15], &map[3..]].concat());
        },
    ),
];

pub(crate) fn cases(base: &Arc<Base>, scale: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for place in 0..base.size() {
        for (part, variants) in &VARIANTS {
            // Sampled, each part of each entry is written wrongly in one way.
            let taken = |nth: &usize| scale == Scale::All || *nth == place % variants.len();
            let taken = (0..variants.len()).filter(taken);
            cases.extend(taken.filter_map(|nth| posed(*part, &variants[nth], base, place)));
        }
    }
    cases
}

fn posed(part: Part, variant: &'static Variant, base: &Arc<Base>, place: usize) -> Option<Case> {
    let write = variant.write;
    let known = &base.entries[place];
    let (is_there, code) = match part {
        Part::Statement | Part::Newer => (true, if part == Part::Newer { "U2" } else { "I1" }),
        Part::Body => (with_body(&known.statement.encode(), write).is_some(), "I1"),
        Part::Header => (write(&header(known.kind().signatures())).is_some(), "I1"),
        Part::Document => (!documents(&mut known.statement.body.clone()).is_empty(), "I1"),
    };
    let expected = Expected {
        exit: if part == Part::Newer { 4 } else { 1 },
        named: Some(Named {
            entry: place as u64,
            codes: vec![code],
        }),
        ..Expected::rejected(0, &[])
    };
    let from = Arc::clone(base);
    let make = move || change_at(&from, place, |draft| spoil(draft, part, write));
    is_there.then(|| {
        Case::new(
            &variant.attack,
            Class::K3,
            base,
            place.to_string(),
            vec![expected],
            make,
        )
    })
}

/// Has a part of the entry written wrongly.
fn spoil(draft: &mut Draft, part: Part, write: fn(&[u8]) -> Option<Vec<u8>>) {
    match part {
        Part::Statement | Part::Newer => {
            draft.encode = Box::new(move |statement| write(&statement.encode()).unwrap_or_default());
        }
        Part::Body => {
            draft.encode = Box::new(move |statement| with_body(&statement.encode(), write).unwrap_or_default());
        }
        Part::Header => {
            draft.seal = Box::new(move |statement, set, ledger, signer| {
                let rewrite = move |bytes: &[u8]| with_header(bytes, set, write).unwrap_or_default();
                let signer = Rewriting {
                    signer: signer.secret(),
                    rewrite,
                };
                rewrite(&cose::sign(statement, set, ledger, &signer))
            });
        }
        Part::Document => {
            for document in documents(&mut draft.statement.body) {
                let other = write(document.as_bytes()).and_then(|bytes| Doc::new(bytes).ok());
                *document = other.unwrap_or_else(|| document.clone());
            }
        }
    }
}

/// Signs another text than the one it is given.
struct Rewriting<'s, F> {
    signer: &'s HybridSecret,
    rewrite: F,
}

impl<F: Fn(&[u8]) -> Vec<u8>> Sign for Rewriting<'_, F> {
    fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature {
        self.signer.sign_ed25519(&(self.rewrite)(message))
    }

    fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature {
        self.signer.sign_ml_dsa(&(self.rewrite)(message))
    }
}

/// The first protected header of an envelope (statement-v1 §4.3).
fn header(set: SignatureSet) -> Vec<u8> {
    let mut map = Encoder::new();
    map.map(if set == SignatureSet::Hybrid { 1 } else { 2 });
    if set == SignatureSet::Ed25519 {
        map.uint(1);
        map.negative(18);
    }
    map.uint(3);
    map.text("application/countersign-statement+cbor");
    map.finish()
}

/// An envelope, or what its signatures are over, with another first header.
fn with_header(bytes: &[u8], set: SignatureSet, write: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let map = header(set);
    let (right, wrong) = (item(&map), item(&write(&map)?));
    let start = bytes.windows(right.len()).position(|window| window == right)?;
    Some([&bytes[..start], &wrong, &bytes[start + right.len()..]].concat())
}

fn item(bytes: &[u8]) -> Vec<u8> {
    let mut item = Encoder::new();
    item.bytes(bytes);
    item.finish()
}

/// A statement with another body, which is last where there is no extension (statement-v1 §4.1).
fn with_body(statement: &[u8], write: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut from = Decoder::new(statement);
    from.map(7).ok()?;
    // Keys 1 to 4 and their values, and key 5.
    for _ in 0..9 {
        from.uint53().ok()?;
    }
    from.array(2, 2).ok()?;
    from.uint53().ok()?;
    from.bytes(32, 32).ok()?;
    from.uint53().ok()?;
    let (front, body) = statement.split_at(from.offset());
    Some([front, &write(body)?].concat())
}

/// The credentials and orders of a body.
fn documents(body: &mut Body) -> Vec<&mut Doc> {
    match body {
        Body::IdentityIntroduced(body) => vec![&mut body.credential],
        Body::ApprovalEntered(body) => vec![&mut body.order.doc],
        Body::PayloadErased(body) => vec![&mut body.order.doc],
        Body::GrantRevoked(body) => body.order.iter_mut().map(|order| &mut order.doc).collect(),
        _ => Vec::new(),
    }
}

/// Where the first pair of a map ends; its keys are small.
fn first_pair(map: &[u8]) -> usize {
    2 + item_len(&map[2..])
}

/// How long the canonical item is that stands first.
fn item_len(bytes: &[u8]) -> usize {
    let head = head_len(bytes[0]);
    let argument = match bytes[0] & 0x1f {
        small @ 0..=23 => usize::from(small),
        _ => bytes[1..head]
            .iter()
            .fold(0, |value, byte| (value << 8) | usize::from(*byte)),
    };
    let items = |count: usize| (0..count).fold(head, |len, _| len + item_len(&bytes[len..]));
    match bytes[0] >> 5 {
        2 | 3 => head + argument,
        4 => items(argument),
        5 => items(2 * argument),
        _ => head,
    }
}

fn first_key_twice(map: &[u8]) -> Option<Vec<u8>> {
    Some([&[map[0] + 1], &map[1..first_pair(map)], &map[1..]].concat())
}

fn first_key_last(map: &[u8]) -> Option<Vec<u8>> {
    let end = first_pair(map);
    (end < map.len()).then(|| [&map[..1], &map[end..], &map[1..end]].concat())
}

fn indefinite(map: &[u8]) -> Option<Vec<u8>> {
    Some([&[0xbf], &map[1..], &[0xff]].concat())
}

fn long_head(map: &[u8]) -> Option<Vec<u8>> {
    Some([&[0xb8, map[0] & 0x1f], &map[1..]].concat())
}

/// A statement with something else as its author, its second key.
fn by(map: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    Some([&map[..4], value, &map[4 + head_len(map[4])..]].concat())
}
