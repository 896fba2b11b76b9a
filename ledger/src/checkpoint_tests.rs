use countersign_identity::keys::Seed32;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn keys(ed25519: u8, ml_dsa: u8) -> CheckpointKeys {
    CheckpointKeys::from_seeds(Seed32::new([ed25519; 32]), Seed32::new([ml_dsa; 32]))
}

fn time() -> UnixSeconds {
    UnixSeconds(1_800_000_000)
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: Origin::new("countersign/000102030405060708090a0b0c0d0e0f").expect("a good origin"),
        size: Size::new(3).expect("3 is a size"),
        root: Root::from_bytes([0xab; 32]),
    }
}

/// The note's text, its first and its second signature line, each with its newline.
fn parts(note: &str) -> (String, String, String) {
    let (text, lines) = note.rsplit_once("\n\n").expect("a note has an empty line");
    let mut lines = lines.split_inclusive('\n').map(str::to_owned);
    (
        format!("{text}\n"),
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    )
}

fn signed() -> (String, CheckpointPublicKeys) {
    let keys = keys(1, 2);
    (sign(&checkpoint(), &keys, time()), keys.public())
}

#[test]
fn signed_checkpoint_verifies_and_comes_back() -> TestResult {
    let (note, keys) = signed();
    assert_eq!(verify(note.as_bytes(), &keys)?, checkpoint());
    assert_eq!(note, signed().0, "signing is deterministic");
    Ok(())
}

#[test]
fn every_flipped_bit_is_refused() {
    let (note, keys) = signed();
    let mut bytes = note.into_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(verify(&bytes, &keys).is_err(), "bit {bit} of byte {at} may change");
            bytes[at] ^= 1 << bit;
        }
    }
    assert!(verify(&bytes, &keys).is_ok());
}

#[test]
fn every_prefix_is_refused() {
    let (note, keys) = signed();
    for end in 0..note.len() {
        assert!(
            verify(&note.as_bytes()[..end], &keys).is_err(),
            "the first {end} bytes are taken"
        );
    }
}

#[test]
fn lines_of_unknown_keys_behind_the_two_are_ignored() -> TestResult {
    let (note, public) = signed();
    let witness = parts(&sign(&checkpoint(), &keys(3, 4), time()));
    let cosigned = format!("{note}{}{}\u{2014} witness.example/w1 Uw2QOkk=\n", witness.1, witness.2);
    assert_eq!(verify(cosigned.as_bytes(), &public)?, checkpoint());
    Ok(())
}

#[test]
fn missing_moved_and_repeated_signatures_have_their_own_refusals() {
    let (note, public) = signed();
    let (text, first, second) = parts(&note);
    let other = parts(&sign(&checkpoint(), &keys(3, 4), time()));
    let refusal = |lines: &[&String]| {
        let lines: String = lines.iter().map(|line| line.as_str()).collect();
        verify(format!("{text}\n{lines}").as_bytes(), &public).err()
    };
    use {CheckpointError as E, Required as R};
    assert_eq!(refusal(&[&first]), Some(E::Missing(R::MlDsa44)));
    assert_eq!(refusal(&[&second]), Some(E::Missing(R::Ed25519)));
    assert_eq!(refusal(&[&other.1, &second]), Some(E::Missing(R::Ed25519)));
    assert_eq!(refusal(&[&first, &other.2]), Some(E::Missing(R::MlDsa44)));
    let moved = Some(E::Misplaced {
        required: R::Ed25519,
        line: 2,
    });
    assert_eq!(refusal(&[&second, &first]), moved);
    assert_eq!(refusal(&[&other.1, &first, &second]), moved);
    assert_eq!(
        refusal(&[&first, &other.1, &second]),
        Some(E::Misplaced {
            required: R::MlDsa44,
            line: 3
        })
    );
    assert_eq!(
        refusal(&[&first, &second, &first]),
        Some(E::Repeated {
            required: R::Ed25519,
            line: 3
        })
    );
    assert_eq!(
        refusal(&[&first, &second, &second]),
        Some(E::Repeated {
            required: R::MlDsa44,
            line: 3
        })
    );
}

#[test]
fn signature_over_another_head_does_not_verify() {
    let (note, public) = signed();
    let (text, first, second) = parts(&note);
    let larger = Checkpoint {
        size: Size::new(4).expect("4 is a size"),
        ..checkpoint()
    };
    let (_, other_first, other_second) = parts(&sign(&larger, &keys(1, 2), time()));
    let refusal = |first: &str, second: &str| verify(format!("{text}\n{first}{second}").as_bytes(), &public).err();
    assert_eq!(
        refusal(&other_first, &second),
        Some(CheckpointError::Signature(SignatureError::Ed25519))
    );
    assert_eq!(
        refusal(&first, &other_second),
        Some(CheckpointError::Signature(SignatureError::MlDsa44))
    );
}

#[test]
fn text_in_any_other_form_is_refused_although_it_is_signed() {
    let keys = keys(1, 2);
    let root = BASE64.encode(&[0xab; 32]);
    use CheckpointError as E;
    for (text, error) in [
        ("o\n3\n".to_owned(), E::MissingLine { lines: 2 }),
        (format!("o\n3\n{root}\nextension\n"), E::ExtensionLine { lines: 4 }),
        (format!("o\n3\n{root}\n\n"), E::ExtensionLine { lines: 4 }),
        (format!("\n3\n{root}\n"), E::Origin),
        (format!("o o\n3\n{root}\n"), E::Origin),
        (format!("{}\n3\n{root}\n", "o".repeat(129)), E::Origin),
        (format!("o\n03\n{root}\n"), E::Size),
        (format!("o\n+3\n{root}\n"), E::Size),
        (format!("o\n\n{root}\n"), E::Size),
        (format!("o\n9007199254740992\n{root}\n"), E::Size),
        (format!("o\n99999999999999999999\n{root}\n"), E::Size),
        (format!("o\n0\n{root}\n"), E::EmptyTree),
        (format!("o\n3\n{}\n", root.trim_end_matches('=')), E::Root),
        (format!("o\n3\n{}t=\n", &root[..42]), E::Root),
        ("o\n3\nAAAA\n".to_owned(), E::Root),
    ] {
        let signature = keys.secret().sign_ed25519(text.as_bytes());
        let id = keys.public().key_id("o", Required::Ed25519);
        let note = format!("{text}\n{}", signature_line("o", id, &[signature.as_bytes()]));
        assert_eq!(verify(note.as_bytes(), &keys.public()).err(), Some(error), "{text:?}");
    }
}

#[test]
fn signature_of_another_length_is_refused() {
    let (note, public) = signed();
    let (text, first, second) = parts(&note);
    let name = checkpoint().origin;
    let line = |required, bytes: &[u8]| signature_line(name.as_str(), public.key_id(name.as_str(), required), &[bytes]);
    let refusal = |first: &str, second: &str| verify(format!("{text}\n{first}{second}").as_bytes(), &public).err();
    for bytes in [1, 63, 65] {
        let required = Required::Ed25519;
        let refused = refusal(&line(required, &vec![0; bytes]), &second);
        assert_eq!(refused, Some(CheckpointError::SignatureLength { required, bytes }));
    }
    for bytes in [7, 8, 2420, 2427, 2429] {
        let required = Required::MlDsa44;
        let refused = refusal(&first, &line(required, &vec![0; bytes]));
        assert_eq!(refused, Some(CheckpointError::SignatureLength { required, bytes }));
    }
}

#[test]
fn time_beyond_63_bits_is_refused_even_when_signed() {
    let keys = keys(1, 2);
    let time = UnixSeconds(1 << 63);
    let note = sign(&checkpoint(), &keys, time);
    assert_eq!(
        verify(note.as_bytes(), &keys.public()).err(),
        Some(CheckpointError::TimeOutOfRange(1 << 63))
    );
    assert_eq!(UnixSeconds::new(1 << 63), None);
    assert_eq!(
        UnixSeconds::new((1 << 63) - 1).map(UnixSeconds::get),
        Some((1 << 63) - 1)
    );
}

#[test]
fn checkpoint_of_other_keys_is_refused() {
    let (note, _) = signed();
    for other in [keys(3, 2), keys(1, 4), keys(2, 1)] {
        assert!(verify(note.as_bytes(), &other.public()).is_err());
    }
}
