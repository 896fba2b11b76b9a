//! base58btc over whole byte strings, fast enough for a DID that carries a post-quantum key.
//!
//! The textbook digit-by-digit loop costs milliseconds for the 2.2 KB document inside a long-form DID; working
//! in limbs of ten digits and eight bytes costs a hundredth of that. The alphabet and the leading-zero rule are
//! those of draft-msporny-base58-03: each leading zero byte is one leading `1`.

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Digits in one limb: 58^10 is the largest power of 58 below 2^64 that leaves room for exact u128 steps.
const LIMB_DIGITS: usize = 10;
const LIMB_BASE: u64 = 58u64.pow(10);

const NOT_A_DIGIT: u8 = 0xff;

const DIGIT_OF: [u8; 256] = {
    let mut table = [NOT_A_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        table[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Encodes `bytes`; the empty string encodes to the empty string.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let mut text = String::with_capacity(bytes.len() * 7 / 5 + 2);
    text.extend(std::iter::repeat_n('1', zeros));
    let significant = &bytes[zeros..];
    if significant.is_empty() {
        return text;
    }
    let limbs = to_base58_limbs(significant);
    let mut digits = Vec::with_capacity(limbs.len() * LIMB_DIGITS);
    for limb in limbs.iter().rev() {
        push_digits(&mut digits, *limb);
    }
    let leading = digits.iter().take_while(|&&digit| digit == 0).count();
    text.extend(
        digits[leading..]
            .iter()
            .map(|&digit| char::from(ALPHABET[usize::from(digit)])),
    );
    text
}

/// Decodes `text`, or gives the byte offset of the first character outside the alphabet.
///
/// Every string over the alphabet is canonical: it is the only encoding of what it decodes to.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let digits: Vec<u8> = text.bytes().map(|byte| DIGIT_OF[usize::from(byte)]).collect();
    if let Some(at) = digits.iter().position(|&digit| digit == NOT_A_DIGIT) {
        return Err(at);
    }
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    let words = to_binary_words(&digits[zeros..]);
    let bytes: Vec<u8> = words.iter().rev().flat_map(|word| word.to_be_bytes()).collect();
    let leading = bytes.iter().take_while(|&&byte| byte == 0).count();
    let mut out = vec![0; zeros];
    out.extend_from_slice(&bytes[leading..]);
    Ok(out)
}

/// Least significant limb first.
fn to_base58_limbs(bytes: &[u8]) -> Vec<u64> {
    let mut limbs: Vec<u64> = Vec::with_capacity(bytes.len() * 8 / 58 + 2);
    for (word, shift) in words_of(bytes) {
        let mut carry = word;
        for limb in &mut limbs {
            (carry, *limb) = divide((u128::from(*limb) << shift) + u128::from(carry));
        }
        while carry > 0 {
            let (rest, limb) = divide(u128::from(carry));
            limbs.push(limb);
            carry = rest;
        }
    }
    limbs
}

/// Quotient and remainder by [`LIMB_BASE`]; `wide` is below `LIMB_BASE` · 2^64, so that both fit.
fn divide(wide: u128) -> (u64, u64) {
    let base = u128::from(LIMB_BASE);
    let quotient = wide / base;
    // One multiplication instead of a second division, which is what this loop spends its time on.
    (quotient as u64, (wide - quotient * base) as u64)
}

/// Least significant word first.
fn to_binary_words(digits: &[u8]) -> Vec<u64> {
    let mut words: Vec<u64> = Vec::with_capacity(digits.len() * 6 / 64 + 2);
    for group in digits.chunks(LIMB_DIGITS) {
        let mut scale = 1u64;
        let mut carry = 0u64;
        for &digit in group {
            carry = carry * 58 + u64::from(digit);
            scale *= 58;
        }
        for word in &mut words {
            let wide = u128::from(*word) * u128::from(scale) + u128::from(carry);
            *word = wide as u64;
            carry = (wide >> 64) as u64;
        }
        if carry > 0 {
            words.push(carry);
        }
    }
    words
}

/// The bytes as big-endian words with their width in bits: a short one first, then whole 64-bit ones.
fn words_of(bytes: &[u8]) -> impl Iterator<Item = (u64, u32)> + '_ {
    let (head, rest) = bytes.split_at(bytes.len() % 8);
    let head_word = (!head.is_empty()).then(|| (big_endian(head), 8 * head.len() as u32));
    head_word
        .into_iter()
        .chain(rest.chunks(8).map(|word| (big_endian(word), 64)))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte))
}

fn push_digits(digits: &mut Vec<u8>, mut limb: u64) {
    let mut group = [0u8; LIMB_DIGITS];
    for digit in group.iter_mut().rev() {
        *digit = (limb % 58) as u8;
        limb /= 58;
    }
    digits.extend_from_slice(&group);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values_of_the_draft_encode_and_decode() {
        for (bytes, text) in [
            (&b"Hello World!"[..], "2NEpo7TZRRrLZSi2U"),
            (
                b"The quick brown fox jumps over the lazy dog.",
                "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
            ),
            (&[0, 0, 0x28, 0x7f, 0xb4, 0xcd], "11233QC4"),
            (b"", ""),
            (&[0], "1"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn decode_rejects_characters_outside_the_alphabet() {
        for (text, at) in [
            ("0", 0),
            ("2O", 1),
            ("22I", 2),
            ("l", 0),
            ("2 ", 1),
            ("é", 0),
            ("2\n", 1),
        ] {
            assert_eq!(decode(text), Err(at));
        }
    }

    proptest! {
        #[test]
        fn round_trips_and_agrees_with_the_bs58_crate(zeros in 0usize..4, tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = vec![0; zeros];
            bytes.extend(tail);
            let text = encode(&bytes);
            prop_assert_eq!(&text, &bs58::encode(&bytes).into_string());
            prop_assert_eq!(decode(&text), Ok(bytes));
        }

        #[test]
        fn every_string_over_the_alphabet_is_the_canonical_one(text in "[1-9A-HJ-NP-Za-km-z]{0,200}") {
            let bytes = decode(&text).map_err(|at| TestCaseError::fail(at.to_string()))?;
            prop_assert_eq!(encode(&bytes), text);
        }
    }
}
