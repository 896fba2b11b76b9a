//! What must be refused: encodings that are not canonical, extensions beyond their limits, newer formats, records.

use countersign_schemas::body::{Body, EventCode, SessionEvent};
use countersign_schemas::digest::Link;
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::record::Record;

use super::edit::Edit;
use super::{Expect, Vector, sample, unhex};
use Expect::{Malformed, Newer};

/// Name, section, reason, what a reader says, bytes.
type Row = (&'static str, &'static str, &'static str, Expect, Vec<u8>);

pub(super) fn vectors() -> Vec<Vector> {
    let statements = [heads(), maps(), ends(), extensions(), newer()].concat();
    let of = |subject: &'static str, rows: Vec<Row>| {
        rows.into_iter()
            .map(move |(name, spec, why, say, input)| Vector::refused(name, subject, spec, why, input, say))
    };
    of("statement", statements).chain(of("record", records())).collect()
}

/// A small statement: `session.event` with code 9 about entry 5.
pub(super) fn event() -> Edit {
    let about = Some(Seq::clamped(5));
    let body: Body = SessionEvent {
        code: EventCode::Warning,
        about,
        detail: None,
    }
    .into();
    Edit::of(sample::statement(body).encode())
}

/// The small statement with `raw` in the place of its counter `n`.
fn n_is(raw: &str) -> Vec<u8> {
    event().set(&[3], &unhex(raw)).finish()
}

#[rustfmt::skip] // a table
fn heads() -> Vec<Row> {
    let link = "77".repeat(32);
    let with_link = |head: &str, tail: &str| event().set(&[5, 1], &unhex(&format!("{head}{link}{tail}"))).finish();
    vec![
        ("integer_one_byte_longer", "§2.1 E1", "5 in two bytes", Malformed("not-shortest"), n_is("1805")),
        ("integer_two_bytes_longer", "§2.1 E1", "255 in three bytes", Malformed("not-shortest"), n_is("1900ff")),
        ("integer_four_bytes", "§2.1 E1", "65,535 in five bytes", Malformed("not-shortest"), n_is("1a0000ffff")),
        ("integer_eight_bytes", "§2.1 E1", "2^32 - 1 in nine bytes",
         Malformed("not-shortest"), n_is("1b00000000ffffffff")),
        ("length_longer", "§2.1 E1", "a length of 32 in three bytes",
         Malformed("not-shortest"), with_link("590020", "")),
        ("key_longer", "§2.1 E1", "a map key of 1 in two bytes",
         Malformed("not-shortest"), event().key(&[6], 1, &unhex("1801")).finish()),
        ("map_length_longer", "§2.1 E1", "a map of two pairs with its length in two bytes",
         Malformed("not-shortest"), event().set(&[6], &unhex("b802 0109 0205")).finish()),
        ("indefinite_map", "§2.1 E2", "a body of indefinite length",
         Malformed("indefinite"), event().set(&[6], &unhex("bf 0109 0205 ff")).finish()),
        ("indefinite_array", "§2.1 E2", "`seen` of indefinite length",
         Malformed("indefinite"), event().set(&[5], &unhex(&format!("9f 07 5820{link} ff"))).finish()),
        ("indefinite_bytes", "§2.1 E2", "a link in one chunk", Malformed("indefinite"), with_link("5f5820", "ff")),
        ("indefinite_text", "§2.1 E2", "an extension key in one chunk",
         Malformed("indefinite"), event().add(&[], &unhex("07 a1 7f6161ff 00")).finish()),
        ("break_alone", "§2.1 E2", "a break without a beginning", Malformed("indefinite"), n_is("ff")),
        ("reserved_head", "§2.1 E2", "additional information 28", Malformed("reserved"), n_is("1c")),
        ("integer_above_limit", "§2.1 E5", "2^53", Malformed("integer-too-large"), n_is("1b0020000000000000")),
        ("integer_largest_head", "§2.1 E5", "2^64 - 1", Malformed("integer-too-large"), n_is("1bffffffffffffffff")),
        ("bignum", "§2.1 E5", "5 as a bignum", Malformed("tag"), n_is("c24105")),
        ("float_half", "§2.1 E7", "5.0 as a half float", Malformed("simple"), n_is("f94500")),
        ("float_single", "§2.1 E7", "5.0 as a single float", Malformed("simple"), n_is("fa40a00000")),
        ("float_double", "§2.1 E7", "5.0 as a double float", Malformed("simple"), n_is("fb4014000000000000")),
        ("undefined", "§2.1 E7", "undefined", Malformed("simple"), n_is("f7")),
        ("simple_value", "§2.1 E7", "simple value 255", Malformed("simple"), n_is("f8ff")),
        ("tag_on_a_field", "§2.1 E8", "a time tag before `at`",
         Malformed("tag"), event().set(&[4], &unhex("c1 1b0000019aa7e3f452")).finish()),
        ("tag_on_the_statement", "§2.1 E8", "an encoded-CBOR tag before the map",
         Malformed("tag"), [unhex("d818"), event().finish()].concat()),
    ]
}

#[rustfmt::skip] // a table
fn maps() -> Vec<Row> {
    let body = |raw: &str| event().set(&[6], &unhex(raw)).finish();
    vec![
        ("unsorted_body", "§2.1 E3", "key 2 of the body before key 1",
         Malformed("unsorted-keys"), body("a2 0205 0109")),
        ("duplicate_key_in_the_body", "§2.1 E3", "key 1 of the body twice",
         Malformed("duplicate-key"), body("a3 0109 0109 0205")),
        ("duplicate_key_in_the_statement", "§2.1 E3", "key 1 of the statement twice",
         Malformed("duplicate-key"), event().key(&[], 2, &unhex("01")).finish()),
        ("key_twice_in_two_lengths", "§2.1 E1", "key 1 of the body, and again with a longer head",
         Malformed("not-shortest"), body("a3 0109 180109 0205")),
        ("text_key", "§2.1 E4", "a text key in the body",
         Malformed("type"), event().add(&[6], &unhex("6161 00")).finish()),
        ("text_key_in_the_statement", "§2.1 E4", "a text key in the statement",
         Malformed("type"), event().add(&[], &unhex("6161 00")).finish()),
        ("negative_key", "§2.3", "key -1 in the body: a newer format would use positive ones",
         Malformed("type"), event().add(&[6], &unhex("20 00")).finish()),
        ("key_missing_in_the_body", "§5", "`code` is missing",
         Malformed("missing-key"), event().remove(&[6], 1).finish()),
        ("key_missing_in_the_statement", "§4.1", "`at` is missing",
         Malformed("missing-key"), event().remove(&[], 4).finish()),
        ("body_missing", "§4.1", "`body` is missing", Malformed("missing-key"), event().remove(&[], 6).finish()),
        ("empty_body", "§5", "a body without keys", Malformed("missing-key"), body("a0")),
        ("body_of_another_kind", "§5", "kind 10 with a body of kind 15",
         Malformed("missing-key"), event().set(&[1], &[10]).finish()),
    ]
}

#[rustfmt::skip] // a table
fn ends() -> Vec<Row> {
    let whole = event().finish();
    let until = |len: usize| whole[..len].to_vec();
    let link = 2 + 2 + 2 + 10 + 3;
    vec![
        ("empty", "§2.1 E9", "no byte at all", Malformed("truncated"), Vec::new()),
        ("truncated_last_byte", "§2.1 E9", "the last byte is missing",
         Malformed("truncated"), until(whole.len() - 1)),
        ("truncated_in_a_head", "§2.1 E9", "the bytes end in the head of `at`", Malformed("truncated"), until(12)),
        ("truncated_in_a_string", "§2.1 E9", "the bytes end in the link of `seen`",
         Malformed("truncated"), until(link + 12)),
        ("length_beyond_the_end", "§2.1 E9", "an extension text of 4,000 bytes that are not there",
         Malformed("truncated"), event().add(&[], &unhex("07 a1 6161 790fa0 61")).finish()),
        ("array_beyond_the_end", "§2.1 E9", "an extension array of 2^32 items that are not there",
         Malformed("truncated"), event().add(&[], &unhex("07 a1 6161 9b0000000100000000 00")).finish()),
        ("length_of_the_largest_head", "§2.2", "a string of 2^64 - 1 bytes",
         Malformed("length"), event().set(&[5, 1], &unhex("5bffffffffffffffff")).finish()),
        ("trailing_byte", "§2.1 E9", "a byte behind the statement",
         Malformed("trailing"), [event().finish(), vec![0]].concat()),
        ("trailing_statement", "§2.1 E9", "the statement twice",
         Malformed("trailing"), [event().finish(), event().finish()].concat()),
        ("no_map", "§4.1", "an array in the place of the statement", Malformed("type"), unhex("80")),
    ]
}

#[rustfmt::skip] // a table
fn extensions() -> Vec<Row> {
    let ext = |raw: &str| event().add(&[], &unhex(&format!("07{raw}"))).finish();
    let long = format!("a1 6178 59 0ffb{}", "00".repeat(4_091));
    vec![
        ("ext_empty", "§7", "an extension map without pairs", Malformed("length"), ext("a0")),
        ("ext_null", "§7", "null in the place of the map", Malformed("type"), ext("f6")),
        ("ext_integer_key", "§2.1 E4", "an integer key", Malformed("type"), ext("a1 01 00")),
        ("ext_integer_key_below", "§2.1 E4", "an integer key further in",
         Malformed("type"), ext("a1 6161 a1 01 00")),
        ("ext_unsorted", "§2.1 E3", "`b` before `a`", Malformed("unsorted-keys"), ext("a2 6162 00 6161 00")),
        ("ext_unsorted_by_length", "§2.1 E3", "`aa` before `z`",
         Malformed("unsorted-keys"), ext("a2 626161 00 617a 00")),
        ("ext_duplicate", "§2.1 E3", "`a` twice", Malformed("duplicate-key"), ext("a2 6161 00 6161 01")),
        ("ext_too_deep", "§7", "a value at depth 5", Malformed("depth"), ext("a1 6161 81 81 81 81 00")),
        ("ext_too_deep_in_maps", "§7", "a value at depth 5 in maps",
         Malformed("depth"), ext("a1 6161 a1 6161 a1 6161 a1 6161 a1 6161 00")),
        ("ext_too_long", "§7", "4,097 bytes", Malformed("length"), ext(&long)),
        ("ext_float", "§2.1 E7", "a float", Malformed("simple"), ext("a1 6161 f90000")),
        ("ext_tag", "§2.1 E8", "a tag", Malformed("tag"), ext("a1 6161 c0 60")),
        ("ext_integer_above_limit", "§2.1 E5", "2^53",
         Malformed("integer-too-large"), ext("a1 6161 1b0020000000000000")),
        ("ext_integer_below_limit", "§2.1 E5", "-2^53 - 1",
         Malformed("integer-too-large"), ext("a1 6161 3b0020000000000000")),
        ("ext_integer_below_limit_by_one", "§2.1 E5", "-2^53",
         Malformed("integer-too-large"), ext("a1 6161 3b001fffffffffffff")),
        ("newer_kind_then_trailing", "§2.3", "kind 21 and a byte behind the statement",
         Malformed("trailing"), [event().set(&[1], &[21]).finish(), vec![0]].concat()),
        ("newer_kind_then_not_shortest", "§2.3", "kind 21 and an integer in a longer form",
         Malformed("not-shortest"), event().set(&[1], &[21]).set(&[3], &unhex("1800")).finish()),
        ("newer_key_then_duplicate_key", "§2.3", "key 8 of the statement twice",
         Malformed("duplicate-key"), event().add(&[], &unhex("08 00")).add(&[], &unhex("08 00")).finish()),
        ("ext_utf8", "§2.1 E6", "a lone continuation byte", Malformed("utf8"), ext("a1 6161 6180")),
        ("ext_utf8_surrogate", "§2.1 E6", "an encoded surrogate", Malformed("utf8"), ext("a1 6161 63eda080")),
        ("ext_utf8_overlong", "§2.1 E6", "a slash in two bytes", Malformed("utf8"), ext("a1 6161 62c0af")),
    ]
}

#[rustfmt::skip] // a table
fn newer() -> Vec<Row> {
    let body = |raw: &str| event().set(&[6], &unhex(raw)).finish();
    let of_kind = |kind: usize, path: &[u64], raw: &str| {
        let statement = sample::statement(sample::least().swap_remove(kind));
        Edit::of(statement.encode()).set(path, &unhex(raw)).finish()
    };
    vec![
        ("kind", "§2.3", "kind 21", Newer("newer-kind"), event().set(&[1], &[21]).finish()),
        ("kind_largest", "§2.3", "kind 2^53 - 1",
         Newer("newer-kind"), event().set(&[1], &unhex("1b001fffffffffffff")).finish()),
        ("key_in_the_statement", "§2.3", "key 8 of the statement",
         Newer("newer-key"), event().add(&[], &unhex("08 00")).finish()),
        ("key_behind_ext", "§2.3", "key 8 of the statement behind an extension",
         Newer("newer-key"), event().add(&[], &unhex("07 a1 6161 00")).add(&[], &unhex("08 f6")).finish()),
        ("key_zero", "§2.3", "key 0 of the body", Newer("newer-key"), body("a3 0000 0109 0205")),
        ("key_in_the_body", "§2.3", "key 4 of an event",
         Newer("newer-key"), event().add(&[6], &unhex("04 6161")).finish()),
        ("key_in_two_bytes", "§2.3", "key 24 of an event",
         Newer("newer-key"), event().add(&[6], &unhex("1818 80")).finish()),
        ("event_zero", "§5.22", "event 0 is reserved", Newer("newer-code"), body("a2 0100 0205")),
        ("event", "§5.22", "event 10 is reserved", Newer("newer-code"), body("a2 010a 0205")),
        ("event_last", "§5.22", "event 63 is reserved", Newer("newer-code"), body("a2 01183f 0205")),
        ("run_mode", "§5.22", "run mode 7 is reserved", Newer("newer-code"), of_kind(5, &[6, 5], "07")),
        ("stop_reason", "§5.22", "stop reason 6 is reserved", Newer("newer-code"), of_kind(17, &[6, 2], "06")),
        ("suites", "§5.22", "suites 1 is reserved",
         Newer("newer-code"), Edit::of(sample::genesis().encode()).set(&[6, 7], &[1]).finish()),
        ("effect_bit", "§5.22", "effect bit 64 is reserved", Newer("newer-code"), of_kind(11, &[6, 4], "1840")),
    ]
}

#[rustfmt::skip] // a table
fn records() -> Vec<Row> {
    let record = || {
        let (seq, received) = (Seq::clamped(7), Millis::clamped(sample::AT_MS));
        let prev = Link::from_bytes([0x77; 32]);
        Edit::of(Record { seq, received, prev, statement: vec![0xd2, 0x84] }.encode())
    };
    let prev = format!("581f{}", "77".repeat(31));
    let envelope = |len: u64| {
        let head = [vec![0x59], u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes().to_vec()].concat();
        let len = usize::from(u16::try_from(len).unwrap_or(u16::MAX));
        record().set(&[4], &[head, vec![0; len]].concat()).finish()
    };
    vec![
        ("version", "§3", "version 2", Malformed("constant"), record().set(&[0], &[2]).finish()),
        ("version_longer", "§2.1 E1", "version 1 in two bytes",
         Malformed("not-shortest"), record().set(&[0], &unhex("1801")).finish()),
        ("seq_text", "§3", "`seq` as text", Malformed("type"), record().set(&[1], &unhex("6137")).finish()),
        ("seq_too_large", "§2.1 E5", "`seq` is 2^53",
         Malformed("integer-too-large"), record().set(&[1], &unhex("1b0020000000000000")).finish()),
        ("received_negative", "§3", "`received` is -1", Malformed("type"), record().set(&[2], &[0x20]).finish()),
        ("prev_short", "§3", "a link of 31 bytes", Malformed("length"), record().set(&[3], &unhex(&prev)).finish()),
        ("envelope_empty", "§3", "an envelope without bytes",
         Malformed("length"), record().set(&[4], &[0x40]).finish()),
        ("envelope_long", "§3", "an envelope of 65,001 bytes", Malformed("length"), envelope(65_001)),
        ("too_long", "§3", "a record of more than 65,535 bytes", Malformed("length"), envelope(65_535)),
        ("envelope_inline", "§3", "a COSE message in the place of the byte string",
         Malformed("tag"), record().set(&[4], &unhex("d280")).finish()),
        ("four_items", "§3", "no envelope",
         Malformed("length"), [unhex("84"), record().finish()[1..48].to_vec()].concat()),
        ("six_items", "§3", "an item more", Malformed("length"), record().add(&[], &[0x00]).finish()),
        ("trailing_byte", "§2.1 E9", "a byte behind the record",
         Malformed("trailing"), [record().finish(), vec![0]].concat()),
        ("truncated", "§2.1 E9", "the last byte is missing",
         Malformed("truncated"), record().finish()[..47].to_vec()),
        ("empty", "§2.1 E9", "no byte at all", Malformed("truncated"), Vec::new()),
        ("map", "§3", "a map in the place of the array", Malformed("type"), unhex("a0")),
    ]
}
