//! What must be refused: fields of a wrong type, out of their range, or outside their alphabet.

use super::edit::Edit;
use super::refused::event;
use super::{Expect, Vector, hex, sample, unhex};
use Expect::Malformed;

/// Name, section, reason, code, kind, path, raw value.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    usize,
    &'static [u64],
    String,
);

pub(super) fn vectors() -> Vec<Vector> {
    let least: Vec<_> = sample::least()
        .into_iter()
        .map(|body| sample::statement(body).encode())
        .collect();
    let rows = [types(), texts(), lengths(), ranges()].concat();
    let set = rows.into_iter().map(|(name, spec, why, code, kind, path, raw)| {
        let input = Edit::of(least[kind].clone()).set(path, &unhex(&raw)).finish();
        Vector::refused(name, "statement", spec, why, input, Malformed(code))
    });
    set.chain(optional_null()).collect()
}

/// The bytes of a text of at most 65,535 ASCII characters with its shortest head, in hex.
fn text(of: &str) -> String {
    let len = of.len();
    let head = match len {
        0..=23 => format!("{:02x}", 0x60 + len),
        24..=255 => format!("78{len:02x}"),
        _ => format!("79{len:04x}"),
    };
    head + &hex(of.as_bytes())
}

fn zeros(head: &str, len: usize) -> String {
    format!("{head}{}", "00".repeat(len))
}

#[rustfmt::skip] // a table
fn types() -> Vec<Row> {
    vec![
        ("kind_negative", "§4.1", "kind -1", "type", 15, &[1], "20".into()),
        ("kind_text", "§4.1", "kind as text", "type", 15, &[1], "6131".into()),
        ("by_text", "§4.1", "`by` as text", "type", 15, &[2], "6134".into()),
        ("by_null", "§4.1", "`by` is null", "type", 15, &[2], "f6".into()),
        ("n_negative", "§4.1", "`n` is -1", "type", 15, &[3], "20".into()),
        ("n_true", "§4.1", "`n` is true", "type", 15, &[3], "f5".into()),
        ("seen_map", "§4.1", "`seen` as a map", "type", 15, &[5], "a0".into()),
        ("body_array", "§4.1", "the body as an array", "type", 15, &[6], "820905".into()),
        ("payload_null", "§5.6", "a task that is null", "type", 5, &[6, 2], "f6".into()),
        ("order_document_text", "§2.2", "an order whose document is text", "type", 13, &[6, 4, 1], "6161".into()),
        ("credential_text", "§5.2", "a credential as text", "type", 1, &[6, 3], "6161".into()),
        ("newcomer_integer", "§5.2", "a newcomer as integer", "type", 1, &[6, 1], "00".into()),
        ("commitment_text", "§6", "a commitment as text", "type", 11, &[6, 3, 0], text(&"a".repeat(32))),
    ]
}

#[rustfmt::skip] // a table
fn texts() -> Vec<Row> {
    vec![
        ("name_space", "§2.2", "a space in a name", "text", 11, &[6, 1], text("re ad")),
        ("name_newline", "§2.2", "a line feed in a name", "text", 11, &[6, 1], text("read\n")),
        ("name_zero_byte", "§2.2", "a zero byte in a name", "text", 11, &[6, 1], text("read\0")),
        ("name_not_ascii", "§2.2", "a letter outside ASCII in a name", "text", 11, &[6, 1], text("reäd")),
        ("name_bidi", "§2.2", "a right-to-left override in a name", "text", 11, &[6, 1], text("re\u{202e}ad")),
        ("name_utf8", "§2.1 E6", "a name that is not UTF-8", "utf8", 11, &[6, 1], "61ff".into()),
        ("name_empty", "§2.2", "a name without characters", "text", 11, &[6, 1], text("")),
        ("name_long", "§2.2", "a name of 65 characters", "length", 11, &[6, 1], text(&"a".repeat(65))),
        ("name_bytes", "§2.2", "a name as byte string", "type", 11, &[6, 1], "4472656164".into()),
        ("did_scheme", "§2.2", "a DID that does not begin with `did:`", "text", 1, &[6, 1], text("dib:peer:4z")),
        ("did_short", "§2.2", "a DID of 7 characters", "text", 1, &[6, 1], text("did:a:b")),
        ("did_long", "§2.2", "a DID of 8,193 characters",
         "length", 1, &[6, 1], text(&format!("did:{}", "a".repeat(8_189)))),
        ("did_space", "§2.2", "a space in a DID", "text", 1, &[6, 1], text("did:peer:4z z")),
        ("did_fragment", "§2.2", "a DID URL with a fragment", "text", 1, &[6, 1], text("did:peer:4z#key")),
        ("origin_colon", "§2.2", "a colon in an origin", "text", 0, &[6, 2], text("countersign:ab")),
        ("origin_empty", "§2.2", "an origin without characters", "text", 0, &[6, 2], text("")),
        ("origin_long", "§2.2", "an origin of 129 characters", "length", 0, &[6, 2], text(&"a".repeat(129))),
    ]
}

#[rustfmt::skip] // a table
fn lengths() -> Vec<Row> {
    vec![
        ("link_short", "§2.2", "a link of 31 bytes", "length", 15, &[5, 1], zeros("581f", 31)),
        ("link_long", "§2.2", "a link of 33 bytes", "length", 15, &[5, 1], zeros("5821", 33)),
        ("seen_three", "§4.1", "`seen` with three items", "length", 15, &[5], zeros("83075820", 32) + "00"),
        ("nonce_short", "§5.1", "a nonce of 15 bytes", "length", 0, &[6, 1], zeros("4f", 15)),
        ("dids_one", "§5.1", "one DID at the opening",
         "length", 0, &[6, 4], "81".to_owned() + &text("did:peer:4z")),
        ("credentials_three", "§5.1", "three credentials at the opening",
         "length", 0, &[6, 5], "83410041004100".into()),
        ("checkpoint_key_short", "§5.1", "an ML-DSA-44 key of 1,311 bytes",
         "length", 0, &[6, 6, 1], zeros("59051f", 1_311)),
        ("document_empty", "§2.2", "a document without bytes", "length", 1, &[6, 3], "40".into()),
        ("document_long", "§2.2", "a document of 16,385 bytes", "length", 1, &[6, 3], zeros("594001", 16_385)),
        ("order_one", "§2.2", "an order without document", "length", 13, &[6, 4], "8100".into()),
        ("payload_two", "§6", "a payload reference without class",
         "length", 11, &[6, 3], zeros("825820", 32) + "01"),
        ("spend_three", "§2.2", "a spend of three numbers", "length", 6, &[6, 4], "83000000".into()),
        ("tokens_five", "§5.9", "five token counts", "length", 8, &[6, 4], "850000000000".into()),
        ("parts_none", "§5.13", "a decision without parts", "length", 12, &[6, 3], "80".into()),
        ("parts_nine", "§5.13", "a decision of nine parts",
         "length", 12, &[6, 3], "89".to_owned() + &"83000180".repeat(9)),
        ("rules_seventeen", "§5.13", "a part with seventeen rules",
         "length", 12, &[6, 3, 0, 2], "91".to_owned() + &"6161".repeat(17)),
        ("policies_none", "§5.13", "a decision without policies", "length", 12, &[6, 4], "80".into()),
        ("policies_seven", "§5.13", "a decision under seven policies",
         "length", 12, &[6, 4], "8701010101010101".into()),
    ]
}

#[rustfmt::skip] // a table
fn ranges() -> Vec<Row> {
    vec![
        ("role", "§5.22", "role 4", "range", 1, &[6, 2], "04".into()),
        ("key_form", "§5.22", "key form 3", "range", 1, &[6, 1], "82034100".into()),
        ("layer", "§5.22", "layer 6", "range", 4, &[6, 1], "06".into()),
        ("run_mode", "§5.22", "run mode 8", "range", 5, &[6, 5], "08".into()),
        ("end_reason", "§5.22", "end reason 8", "range", 6, &[6, 2], "08".into()),
        ("model_outcome", "§5.22", "model outcome 5", "range", 8, &[6, 2], "05".into()),
        ("decision_outcome", "§5.22", "decision outcome 4: neutral is an outcome of parts only",
         "range", 12, &[6, 2], "04".into()),
        ("part_outcome", "§5.22", "part outcome 5", "range", 12, &[6, 3, 0, 1], "05".into()),
        ("check", "§5.22", "check 8", "range", 12, &[6, 3, 0, 0], "08".into()),
        ("verdict", "§5.22", "approval verdict 2", "range", 13, &[6, 3], "02".into()),
        ("order_form", "§5.22", "order form 4", "range", 13, &[6, 4, 0], "04".into()),
        ("action_outcome", "§5.22", "action outcome 5", "range", 14, &[6, 2], "05".into()),
        ("event", "§5.22", "event 64", "range", 15, &[6, 1], "1840".into()),
        ("stop_reason", "§5.22", "stop reason 16", "range", 17, &[6, 2], "10".into()),
        ("payload_class", "§5.22", "payload class 2", "range", 11, &[6, 3, 2], "02".into()),
        ("effects", "§5.22", "effect bits 256", "range", 11, &[6, 4], "190100".into()),
    ]
}

/// An optional key that has nothing is absent: null is refused.
fn optional_null() -> [Vector; 2] {
    let detail = event().add(&[6], &unhex("03 f6")).finish();
    let resumes = Edit::of(sample::statement(sample::requested().into()).encode())
        .add(&[6], &unhex("08 f6"))
        .finish();
    let refused = |name, input| {
        Vector::refused(
            name,
            "statement",
            "§2.2",
            "an optional key that is null",
            input,
            Malformed("type"),
        )
    };
    [
        refused("optional_payload_null", detail),
        refused("optional_seq_null", resumes),
    ]
}
