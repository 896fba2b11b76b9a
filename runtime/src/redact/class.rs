//! Sets of characters that runs inside a secret are made of.

/// A set of ASCII characters, and perhaps every other character beside them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    ascii: u128,
    others: bool,
}

/// `A` to `Z` and `0` to `9`.
pub(super) const UPPER: Class = Class::none().range(b'A', b'Z').range(b'0', b'9');
/// `a` to `z`.
pub(super) const LOWER: Class = Class::none().range(b'a', b'z');
/// Letters and digits.
pub(super) const ALNUM: Class = UPPER.range(b'a', b'z');
/// Letters, digits and `_`.
pub(super) const WORD: Class = ALNUM.with("_");
/// The alphabet of base64url (RFC 4648 §5) without padding, which most tokens are made of.
pub(super) const TOKEN: Class = WORD.with("-");
/// A `TOKEN` that may consist of several with dots in between, as a JSON Web Token does.
pub(super) const DOTTED: Class = TOKEN.with(".");
/// The alphabet of base64 (RFC 4648 §4) with padding.
pub(super) const BASE64: Class = ALNUM.with("+/=");
/// `token68` of RFC 9110 §11.2: what stands behind the scheme in an `Authorization` header.
pub(super) const TOKEN68: Class = ALNUM.with("-._~+/=");
/// What may stand between a name and its separator: spaces, quotes, and the backslashes of a quoted quote.
pub(super) const QUOTES: Class = Class::none().with(" \t\"'`\\");
/// The same and the separators themselves, among them that of XML.
pub(super) const SEPARATORS: Class = QUOTES.with(":=,>");
/// What may stand between the lines of a key that a program puts together from quoted ones, `\n` and `\r` among it.
pub(super) const BETWEEN_LINES: Class = QUOTES.with("\r\n+,;.()&nr");
/// Userinfo in a URL without the first colon (RFC 3986 §3.2.1), generously: whatever does not end the authority and is
/// not usually put around a URL.
pub(super) const USERINFO: Class = Class::none()
    .range(b'!', b'~')
    .without("/?#\\\"'`<>[]{}|^:")
    .and_others();
/// The same with colons, for the password.
pub(super) const PASSWORD: Class = USERINFO.with(":");

impl Class {
    const fn none() -> Self {
        Self {
            ascii: 0,
            others: false,
        }
    }

    const fn range(mut self, first: u8, last: u8) -> Self {
        let mut byte = first;
        while byte <= last {
            self.ascii |= 1 << byte;
            byte += 1;
        }
        self
    }

    const fn with(mut self, characters: &str) -> Self {
        let bytes = characters.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.ascii |= 1 << bytes[at];
            at += 1;
        }
        self
    }

    const fn without(mut self, characters: &str) -> Self {
        let bytes = characters.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.ascii &= !(1 << bytes[at]);
            at += 1;
        }
        self
    }

    const fn and_others(mut self) -> Self {
        self.others = true;
        self
    }

    /// Whether `byte` is a character of this set, or a part of one.
    pub(super) const fn has(self, byte: u8) -> bool {
        if byte < 128 {
            self.ascii >> byte & 1 == 1
        } else {
            self.others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_class_but_that_of_passwords_holds_what_is_not_ascii() {
        for class in [
            UPPER, LOWER, ALNUM, WORD, TOKEN, DOTTED, BASE64, TOKEN68, QUOTES, SEPARATORS,
        ] {
            assert!((128..=255).all(|byte| !class.has(byte)));
        }
        assert!(USERINFO.has(0xc3) && PASSWORD.has(0xa4));
    }

    #[test]
    fn no_class_lets_a_run_reach_into_a_marker() {
        for class in [
            UPPER, LOWER, ALNUM, WORD, TOKEN, DOTTED, BASE64, TOKEN68, QUOTES, SEPARATORS, USERINFO, PASSWORD,
        ] {
            assert!(!class.has(b'[') && !class.has(b']'));
        }
    }

    #[test]
    fn a_password_ends_where_an_authority_ends() {
        for byte in b"/?# \"'<>{}\n" {
            assert!(!PASSWORD.has(*byte), "{byte}");
        }
        for byte in b"aZ0:@%!$&()*+,;=-._~" {
            assert!(PASSWORD.has(*byte), "{byte}");
        }
    }
}
