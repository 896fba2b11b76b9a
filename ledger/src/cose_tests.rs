use countersign_identity::keys::{HybridSecret, Seed32};

use super::*;

const PAYLOAD: &[u8] = &[0xa1, 0x01, 0x02];

fn signer(seed: u8) -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new([seed; 32]), Seed32::new([seed ^ 0xff; 32]))
}

fn ledger() -> LedgerId {
    LedgerId::from_bytes([0x11; 32])
}

fn message(set: SignatureSet) -> Vec<u8> {
    sign(PAYLOAD, set, ledger(), &signer(1))
}

fn judge(message: &[u8], set: SignatureSet) -> Result<(), CoseError> {
    Unverified::parse(message)?.verify(signer(1).public(), ledger(), set)
}

/// `message` with the first `old` in it replaced.
fn with(message: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = message
        .windows(old.len())
        .position(|window| window == old)
        .expect("the message has these bytes");
    [&message[..at], new, &message[at + old.len()..]].concat()
}

#[test]
fn both_forms_verify_and_give_their_payload_back() -> Result<(), CoseError> {
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let message = message(set);
        let parsed = Unverified::parse(&message)?;
        assert_eq!((parsed.set(), parsed.payload()), (set, PAYLOAD));
        judge(&message, set)?;
    }
    Ok(())
}

#[test]
fn every_flipped_bit_is_refused() {
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let mut message = message(set);
        for at in 0..message.len() {
            // Verifying ML-DSA is slow: of each byte of its signature one bit is flipped, each bit in turn.
            let is_ml_dsa = set == SignatureSet::Hybrid && at >= message.len() - ML_DSA_SIGNATURE_LEN;
            let bits = if is_ml_dsa { at % 8..at % 8 + 1 } else { 0..8 };
            for bit in bits {
                message[at] ^= 1 << bit;
                assert!(judge(&message, set).is_err(), "bit {bit} of byte {at} may change");
                message[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn every_prefix_and_every_tail_is_refused() {
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let message = message(set);
        for end in 0..message.len() {
            assert!(Unverified::parse(&message[..end]).is_err());
        }
        let longer = [message.as_slice(), &[0]].concat();
        assert_eq!(
            Unverified::parse(&longer).err().map(|error| error.code()),
            Some("trailing")
        );
    }
}

#[test]
fn fewer_signatures_than_the_kind_has_are_a_downgrade() {
    let sign1 = message(SignatureSet::Ed25519);
    assert_eq!(judge(&sign1, SignatureSet::Hybrid), Err(CoseError::Downgraded));
    let hybrid = message(SignatureSet::Hybrid);
    // The array of signatures says one, and the second one is cut off.
    let head = with(&hybrid, &[0x82, 0x83, 0x43], &[0x81, 0x83, 0x43]);
    let second = head.len() - (1 + 5 + 1 + 3 + ML_DSA_SIGNATURE_LEN);
    assert_eq!(judge(&head[..second], SignatureSet::Hybrid), Err(CoseError::Downgraded));
}

#[test]
fn more_signatures_than_the_kind_has_are_another_set() {
    assert_eq!(
        judge(&message(SignatureSet::Hybrid), SignatureSet::Ed25519),
        Err(CoseError::WrongSet)
    );
}

#[test]
fn statement_of_another_ledger_author_or_place_is_refused() -> Result<(), CoseError> {
    let refused = Err(CoseError::Signature(SignatureError::Ed25519));
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let message = message(set);
        let parsed = Unverified::parse(&message)?;
        assert_eq!(
            parsed.verify(signer(1).public(), LedgerId::from_bytes([0x12; 32]), set),
            refused
        );
        assert_eq!(parsed.verify(signer(1).public(), AadLedger::Genesis, set), refused);
        assert_eq!(parsed.verify(signer(2).public(), ledger(), set), refused);
    }
    Ok(())
}

/// Signs with the Ed25519 half of one key and the ML-DSA half of another.
struct TwoKeys(HybridSecret, HybridSecret);

impl Sign for TwoKeys {
    fn sign_ed25519(&self, message: &[u8]) -> Ed25519Signature {
        self.0.sign_ed25519(message)
    }

    fn sign_ml_dsa(&self, message: &[u8]) -> MlDsaSignature {
        self.1.sign_ml_dsa(message)
    }
}

#[test]
fn what_a_signer_made_of_two_keys_is_nobodys_statement() {
    let message = |ed25519, ml_dsa| {
        let signer = TwoKeys(signer(ed25519), signer(ml_dsa));
        sign(PAYLOAD, SignatureSet::Hybrid, ledger(), &signer)
    };
    let refused = |error| Err(CoseError::Signature(error));
    assert_eq!(judge(&message(1, 1), SignatureSet::Hybrid), Ok(()));
    assert_eq!(
        judge(&message(2, 1), SignatureSet::Hybrid),
        refused(SignatureError::Ed25519)
    );
    assert_eq!(
        judge(&message(1, 2), SignatureSet::Hybrid),
        refused(SignatureError::MlDsa44)
    );
}

#[test]
fn hybrid_needs_both_signatures_to_be_the_authors() -> Result<(), CoseError> {
    let (own, foreign) = (
        message(SignatureSet::Hybrid),
        sign(PAYLOAD, SignatureSet::Hybrid, ledger(), &signer(2)),
    );
    let tail = own.len() - ML_DSA_SIGNATURE_LEN;
    let mixed = [&own[..tail], &foreign[tail..]].concat();
    let refused = judge(&mixed, SignatureSet::Hybrid);
    assert_eq!(refused, Err(CoseError::Signature(SignatureError::MlDsa44)));
    Ok(())
}

#[test]
fn signatures_of_the_two_forms_cannot_be_exchanged() {
    // Both forms sign with Ed25519, but over structures with different contexts and headers.
    let (sign1, hybrid) = (message(SignatureSet::Ed25519), message(SignatureSet::Hybrid));
    let at = hybrid
        .windows(2)
        .position(|bytes| bytes == [0x58, 64])
        .expect("an Ed25519 signature is in there")
        + 2;
    let moved = [&sign1[..sign1.len() - 64], &hybrid[at..at + 64]].concat();
    assert_eq!(
        judge(&moved, SignatureSet::Ed25519),
        Err(CoseError::Signature(SignatureError::Ed25519))
    );
}

#[test]
fn anything_but_the_fixed_shape_is_refused() {
    let sign1 = message(SignatureSet::Ed25519);
    let hybrid = message(SignatureSet::Hybrid);
    let cases: [(&str, Vec<u8>); 16] = [
        ("not-cose", Vec::new()),
        ("not-cose", sign1[1..].to_vec()),
        ("not-cose", [&[0xd8, 0x12], &sign1[1..]].concat()),
        ("not-cose", [&[0xd1], &sign1[1..]].concat()),
        ("length", [&[0xd2, 0x83], &sign1[2..]].concat()),
        ("protected", with(&sign1, &[0xa2, 0x01, 0x32], &[0xa2, 0x01, 0x27])),
        ("protected", with(&sign1, b"cbor", b"cose")),
        (
            "unprotected",
            with(&sign1, &[b'r', 0xa0], &[b'r', 0xa1, 0x04, 0x41, 0x31]),
        ),
        (
            "type",
            with(&sign1, &[b'r', 0xa0, 0x43, 0xa1, 0x01, 0x02], &[b'r', 0xa0, 0xf6]),
        ),
        (
            "length",
            with(&sign1, &[b'r', 0xa0, 0x43, 0xa1, 0x01, 0x02], &[b'r', 0xa0, 0x40]),
        ),
        (
            "not-shortest",
            with(&sign1, &[b'r', 0xa0, 0x43], &[b'r', 0xa0, 0x58, 0x03]),
        ),
        (
            "indefinite",
            with(&sign1, &[b'r', 0xa0, 0x43], &[b'r', 0xa0, 0x5f, 0x43]),
        ),
        (
            "signature-length",
            sign1[..sign1.len() - 66].iter().copied().chain([0x41, 0x00]).collect(),
        ),
        (
            "signature-count",
            with(&hybrid, &[0x82, 0x83, 0x43], &[0x83, 0x83, 0x43]),
        ),
        (
            "protected",
            with(&hybrid, &[0x44, 0xa1, 0x01, 0x38, 0x2f], &[0x43, 0xa1, 0x01, 0x32]),
        ),
        (
            "unprotected",
            with(
                &hybrid,
                &[0x32, 0xa0, 0x58, 64],
                &[0x32, 0xa1, 0x04, 0x41, 0x31, 0x58, 64],
            ),
        ),
    ];
    for (number, (code, message)) in cases.into_iter().enumerate() {
        let refused = Unverified::parse(&message).err().map(|error| error.code());
        assert_eq!(refused, Some(code), "case {number}");
    }
}

#[test]
fn message_longer_than_a_record_holds_is_refused() {
    let overhead = message(SignatureSet::Ed25519).len() - PAYLOAD.len() + 2;
    let longest = sign(
        &vec![0; STATEMENT_BYTES_MAX - overhead],
        SignatureSet::Ed25519,
        ledger(),
        &signer(1),
    );
    assert_eq!(longest.len(), STATEMENT_BYTES_MAX);
    assert_eq!(judge(&longest, SignatureSet::Ed25519), Ok(()));
    let bytes = STATEMENT_BYTES_MAX + 1;
    let longer = sign(&vec![0; bytes - overhead], SignatureSet::Ed25519, ledger(), &signer(1));
    assert_eq!(Unverified::parse(&longer).err(), Some(CoseError::TooLong { bytes }));
}

proptest::proptest! {
    #[test]
    fn parse_takes_any_bytes_without_panicking(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for tag in [&[0xd2_u8, 0x84][..], &[0xd8, 0x62, 0x84], &[]] {
            let _ = Unverified::parse(&[tag, &bytes].concat());
        }
    }
}
