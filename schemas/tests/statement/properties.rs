//! What must hold for every statement, every record, and every other sequence of bytes.

use countersign_schemas::ext::Ext;
use countersign_schemas::field::Field as _;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use proptest::prelude::*;

use super::strategies::Sampled;
use crate::vectors::sample;

fn encodings() -> Vec<Vec<u8>> {
    sample::least()
        .into_iter()
        .chain(sample::full())
        .map(|body| sample::statement(body).encode())
        .collect()
}

#[test]
fn no_flipped_bit_of_any_kind_is_read_as_the_same_statement() {
    // All bits of the small kinds; the large ones repeat the same types, so every seventh bit does.
    for bytes in encodings() {
        let original = Statement::decode(&bytes).ok();
        let step = if bytes.len() < 500 { 1 } else { 7 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Statement::decode(&flipped) {
                assert_ne!(Some(&read), original.as_ref(), "bit {bit}");
                assert_eq!(read.encode(), flipped, "bit {bit}");
            }
        }
    }
}

#[test]
fn no_beginning_of_a_statement_is_a_statement() {
    for bytes in encodings() {
        for len in 0..bytes.len().min(2_000) {
            assert!(
                Statement::decode(&bytes[..len]).is_err(),
                "{len} of {} bytes",
                bytes.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn a_statement_survives_the_round_trip(statement in Statement::sampled()) {
        prop_assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
    }

    #[test]
    fn every_statement_is_shown_as_an_object_with_words(statement in Statement::sampled()) {
        prop_assert!(statement.body.to_json().is_object());
        prop_assert!(statement.ext.is_none_or(|ext| ext.to_json().is_object()));
    }

    #[test]
    fn no_entry_names_more_payloads_than_there_are_slots(statement in Statement::sampled()) {
        prop_assert!(statement.body.payloads().len() <= countersign_schemas::payload::SLOTS_MAX);
    }

    #[test]
    fn an_independent_decoder_reads_what_is_written(statement in Statement::sampled()) {
        let bytes = statement.encode();
        let item: ciborium::Value = ciborium::from_reader(bytes.as_slice()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut again = Vec::new();
        ciborium::into_writer(&item, &mut again).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn a_changed_byte_is_refused_or_reads_as_something_else(
        statement in Statement::sampled(), place in any::<prop::sample::Index>(), with in 1..=255_u8,
    ) {
        let mut bytes = statement.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= with;
        if let Ok(read) = Statement::decode(&bytes) {
            prop_assert_ne!(&read, &statement);
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_byte_put_in_or_taken_out_is_refused_or_reads_as_something_else(
        statement in Statement::sampled(), place in any::<prop::sample::Index>(), put in any::<Option<u8>>(),
    ) {
        let mut bytes = statement.encode();
        let place = place.index(bytes.len());
        match put {
            Some(byte) => bytes.insert(place, byte),
            None => drop(bytes.remove(place)),
        }
        if let Ok(read) = Statement::decode(&bytes) {
            prop_assert_ne!(&read, &statement);
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_what_is_read_is_written_alike(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(statement) = Statement::decode(&bytes) {
            prop_assert_eq!(statement.encode(), bytes.clone());
        }
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(record.encode(), bytes.clone());
        }
        if let Ok(ext) = Ext::new(&bytes) {
            let _ = ext.to_json();
        }
    }

    #[test]
    fn arbitrary_extensions_never_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[0xa1, 0x61, b'a'], tail.as_slice()].concat();
        if let Ok(ext) = Ext::new(&bytes) {
            let _ = ext.to_json();
        }
    }

    #[test]
    fn a_record_survives_the_round_trip(
        (seq, received, prev) in (Sampled::sampled(), Sampled::sampled(), Sampled::sampled()),
        statement in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let record = Record { seq, received, prev, statement };
        prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
    }
}
