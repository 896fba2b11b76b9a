//! Deterministic CBOR (RFC 8949 §4.2.1) and nothing else: the decoder refuses every other encoding of the same value.
//!
//! Written by us because the CBOR crates accept trailing bytes and non-minimal integers, which would let two different
//! byte strings stand for one statement.

use crate::number::INTEGER_MAX;

/// Why bytes are not the canonical encoding of what was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {problem}")]
pub struct DecodeError {
    /// Offset of the item that is wrong.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The input ends inside an item.
    #[error("the input ends inside an item")]
    Truncated,
    /// Bytes follow the last item.
    #[error("bytes follow the last item")]
    Trailing,
    /// A head is longer than needed.
    #[error("an integer or length is not in its shortest form")]
    NotShortest,
    /// Indefinite length or a break.
    #[error("indefinite lengths are not allowed")]
    Indefinite,
    /// Additional information 28 to 30.
    #[error("a reserved head")]
    Reserved,
    /// A float, an undefined or another simple value.
    #[error("floats and other simple values are not allowed")]
    Simple,
    /// A tag where none belongs.
    #[error("a tag is not allowed here")]
    Tag,
    /// Another type than expected.
    #[error("expected {0}")]
    Type(&'static str),
    /// An integer above 2^53 − 1.
    #[error("an integer greater than 2^53 - 1")]
    IntegerTooLarge,
    /// A code outside the range of its list.
    #[error("{0} is outside its range")]
    Range(&'static str),
    /// A string or list longer or shorter than allowed.
    #[error("a length outside {min} to {max}")]
    Length {
        /// Least length.
        min: usize,
        /// Greatest length.
        max: usize,
    },
    /// A text that is not UTF-8.
    #[error("a text that is not UTF-8")]
    Utf8,
    /// A text outside its alphabet.
    #[error("a malformed {0}")]
    Text(&'static str),
    /// Map keys not in ascending order of their encodings.
    #[error("map keys are not sorted")]
    UnsortedKeys,
    /// A key that stands twice.
    #[error("a map key stands twice")]
    DuplicateKey,
    /// A required key is missing.
    #[error("key {0} is missing")]
    MissingKey(u64),
    /// A constant has another value.
    #[error("expected the constant {0}")]
    Constant(&'static str),
    /// An extension nested too deeply.
    #[error("an extension nested deeper than {0}")]
    Depth(usize),
    /// An integer key this version does not know: a newer format.
    #[error("key {0} belongs to a newer format")]
    NewerKey(u64),
    /// A kind this version does not know: a newer format.
    #[error("kind {0} belongs to a newer format")]
    NewerKind(u64),
    /// A code in its reserved range that this version does not know: a newer format.
    #[error("code {code} of {list} belongs to a newer format")]
    NewerCode {
        /// The code list.
        list: &'static str,
        /// The code.
        code: u64,
    },
}

impl Problem {
    /// A stable word for vectors and reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::NotShortest => "not-shortest",
            Self::Indefinite => "indefinite",
            Self::Reserved => "reserved",
            Self::Simple => "simple",
            Self::Tag => "tag",
            Self::Type(_) => "type",
            Self::IntegerTooLarge => "integer-too-large",
            Self::Range(_) => "range",
            Self::Length { .. } => "length",
            Self::Utf8 => "utf8",
            Self::Text(_) => "text",
            Self::UnsortedKeys => "unsorted-keys",
            Self::DuplicateKey => "duplicate-key",
            Self::MissingKey(_) => "missing-key",
            Self::Constant(_) => "constant",
            Self::Depth(_) => "depth",
            Self::NewerKey(_) => "newer-key",
            Self::NewerKind(_) => "newer-kind",
            Self::NewerCode { .. } => "newer-code",
        }
    }
}

impl DecodeError {
    /// The bytes are canonical as far as they were read, but say something only a newer version knows.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(
            self.problem,
            Problem::NewerKey(_) | Problem::NewerKind(_) | Problem::NewerCode { .. }
        )
    }
}

/// The major types of RFC 8949 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Major {
    Uint = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
    Simple = 7,
}

impl Major {
    const fn of(first: u8) -> Self {
        match first >> 5 {
            0 => Self::Uint,
            1 => Self::Negative,
            2 => Self::Bytes,
            3 => Self::Text,
            4 => Self::Array,
            5 => Self::Map,
            6 => Self::Tag,
            _ => Self::Simple,
        }
    }
}

/// Simple value 22.
const NULL: u8 = 0xf6;

/// Writes canonical items one after the other. The caller writes map keys in ascending order.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// An empty output.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// The bytes written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn head(&mut self, major: Major, value: u64) {
        let major = (major as u8) << 5;
        let bytes = value.to_be_bytes();
        match value {
            0..=23 => self.out.push(major | bytes[7]),
            24..=0xff => self.out.extend_from_slice(&[major | 24, bytes[7]]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(Major::Uint, value);
    }

    /// The negative integer −1 − `value`.
    pub fn negative(&mut self, value: u64) {
        self.head(Major::Negative, value);
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(Major::Bytes, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A text string.
    pub fn text(&mut self, text: &str) {
        self.head(Major::Text, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The head of an array of `len` items.
    pub fn array(&mut self, len: usize) {
        self.head(Major::Array, len as u64);
    }

    /// The head of a map of `len` pairs.
    pub fn map(&mut self, len: usize) {
        self.head(Major::Map, len as u64);
    }

    /// A tag.
    pub fn tag(&mut self, tag: u64) {
        self.head(Major::Tag, tag);
    }

    /// Null.
    pub fn null(&mut self) {
        self.out.push(NULL);
    }

    /// Bytes that are canonical items already.
    pub fn raw(&mut self, canonical: &[u8]) {
        self.out.extend_from_slice(canonical);
    }
}

/// Reads canonical items from a slice. Never allocates by a length it has not seen the bytes of.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Decoder<'a> {
    /// Reads from the beginning of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }

    /// Where the next item begins.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes between an earlier offset and here.
    #[must_use]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.offset).unwrap_or_default()
    }

    pub(crate) const fn error<T>(offset: usize, problem: Problem) -> Result<T, DecodeError> {
        Err(DecodeError { offset, problem })
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// [`Problem::Trailing`].
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.offset == self.input.len() {
            Ok(())
        } else {
            Self::error(self.offset, Problem::Trailing)
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.input.get(self.offset..).unwrap_or_default();
        match rest.get(..len) {
            Some(taken) => {
                self.offset += len;
                Ok(taken)
            }
            None => Self::error(self.offset, Problem::Truncated),
        }
    }

    fn take_len(&mut self, start: usize, len: u64) -> Result<&'a [u8], DecodeError> {
        usize::try_from(len).map_or(Self::error(start, Problem::Truncated), |len| self.take(len))
    }

    /// Reads any head; the offset is left behind it.
    pub(crate) fn head(&mut self) -> Result<(Major, u64), DecodeError> {
        let start = self.offset;
        let first = self.take(1)?[0];
        let major = Major::of(first);
        let additional = first & 0x1f;
        if major == Major::Simple {
            return match first {
                0xf4..=0xf6 => Ok((major, additional.into())),
                0xff => Self::error(start, Problem::Indefinite),
                _ => Self::error(start, Problem::Simple),
            };
        }
        let len = match additional {
            value @ 0..=23 => return Ok((major, value.into())),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => return Self::error(start, Problem::Indefinite),
            _ => return Self::error(start, Problem::Reserved),
        };
        let value = self
            .take(len)?
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
        let least = [24, 0x100, 0x1_0000, 0x1_0000_0000][len.trailing_zeros() as usize];
        if value < least {
            Self::error(start, Problem::NotShortest)
        } else {
            Ok((major, value))
        }
    }

    fn expect(&mut self, expected: Major, name: &'static str) -> Result<u64, DecodeError> {
        let start = self.offset;
        let (major, value) = self.head()?;
        match major {
            found if found == expected => Ok(value),
            Major::Tag => Self::error(start, Problem::Tag),
            _ => Self::error(start, Problem::Type(name)),
        }
    }

    /// An unsigned integer of at most 2^53 − 1.
    ///
    /// # Errors
    /// Another type, not shortest, or too large.
    pub fn uint53(&mut self) -> Result<u64, DecodeError> {
        let start = self.offset;
        let value = self.expect(Major::Uint, "an unsigned integer")?;
        if value > INTEGER_MAX {
            Self::error(start, Problem::IntegerTooLarge)
        } else {
            Ok(value)
        }
    }

    /// A byte string of `min..=max` bytes.
    ///
    /// # Errors
    /// Another type or length.
    pub fn bytes(&mut self, min: usize, max: usize) -> Result<&'a [u8], DecodeError> {
        let start = self.offset;
        let len = self.expect(Major::Bytes, "a byte string")?;
        self.string(start, len, min, max)
    }

    fn string(&mut self, start: usize, len: u64, min: usize, max: usize) -> Result<&'a [u8], DecodeError> {
        match usize::try_from(len) {
            Ok(len) if (min..=max).contains(&len) => self.take(len),
            _ => Self::error(start, Problem::Length { min, max }),
        }
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// Another type or length.
    pub fn array_bytes<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let start = self.offset;
        let bytes = self.bytes(N, N)?;
        bytes.try_into().map_err(|_| DecodeError {
            offset: start,
            problem: Problem::Length { min: N, max: N },
        })
    }

    /// A UTF-8 text of at most `max` bytes.
    ///
    /// # Errors
    /// Another type, too long, or not UTF-8.
    pub fn text(&mut self, max: usize) -> Result<&'a str, DecodeError> {
        let start = self.offset;
        let len = self.expect(Major::Text, "a text string")?;
        let bytes = self.string(start, len, 0, max)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError {
            offset: start,
            problem: Problem::Utf8,
        })
    }

    /// The head of an array of `min..=max` items; gives its length.
    ///
    /// # Errors
    /// Another type or length.
    pub fn array(&mut self, min: usize, max: usize) -> Result<usize, DecodeError> {
        let start = self.offset;
        let len = self.expect(Major::Array, "an array")?;
        match usize::try_from(len) {
            Ok(len) if (min..=max).contains(&len) => Ok(len),
            _ => Self::error(start, Problem::Length { min, max }),
        }
    }

    /// The head of a map of at most `max` pairs; gives their number.
    ///
    /// # Errors
    /// Another type or length.
    pub fn map(&mut self, max: usize) -> Result<usize, DecodeError> {
        let start = self.offset;
        let len = self.expect(Major::Map, "a map")?;
        match usize::try_from(len) {
            Ok(len) if len <= max => Ok(len),
            _ => Self::error(start, Problem::Length { min: 0, max }),
        }
    }

    /// The tag `tag`.
    ///
    /// # Errors
    /// Another tag or no tag.
    pub fn tag(&mut self, tag: u64) -> Result<(), DecodeError> {
        let start = self.offset;
        match self.head()? {
            (Major::Tag, found) if found == tag => Ok(()),
            (Major::Tag, _) => Self::error(start, Problem::Tag),
            _ => Self::error(start, Problem::Type("a tag")),
        }
    }

    /// Skips a null if one comes next.
    pub fn null(&mut self) -> bool {
        let is_null = self.input.get(self.offset) == Some(&NULL);
        self.offset += usize::from(is_null);
        is_null
    }

    /// Whether the next item begins with major type `bytes` of RFC 8949.
    pub(crate) fn next_is_text(&self) -> bool {
        self.input
            .get(self.offset)
            .is_some_and(|first| Major::of(*first) == Major::Text)
    }
}

/// Deepest nesting of any statement, newer ones included.
const NESTING_MAX: usize = 16;

/// Checks that `input` is exactly one canonical item, whatever it says: how a newer format is told from damage.
///
/// # Errors
/// [`DecodeError`] at the first byte that is not canonical.
pub fn check_canonical(input: &[u8]) -> Result<(), DecodeError> {
    let mut from = Decoder::new(input);
    skip(&mut from, 0)?;
    from.finish()
}

fn skip(from: &mut Decoder<'_>, depth: usize) -> Result<(), DecodeError> {
    let start = from.offset();
    if depth > NESTING_MAX {
        return Decoder::error(start, Problem::Depth(NESTING_MAX));
    }
    let (major, value) = from.head()?;
    match major {
        Major::Uint | Major::Negative if value > INTEGER_MAX => Decoder::error(start, Problem::IntegerTooLarge),
        Major::Uint | Major::Negative | Major::Simple => Ok(()),
        Major::Bytes => from.take_len(start, value).map(drop),
        Major::Text => match std::str::from_utf8(from.take_len(start, value)?) {
            Ok(_) => Ok(()),
            Err(_) => Decoder::error(start, Problem::Utf8),
        },
        Major::Array => (0..value).try_for_each(|_| skip(from, depth + 1)),
        Major::Map => skip_pairs(from, value, depth),
        Major::Tag => Decoder::error(start, Problem::Tag),
    }
}

fn skip_pairs(from: &mut Decoder<'_>, len: u64, depth: usize) -> Result<(), DecodeError> {
    let mut last: &[u8] = &[];
    for _ in 0..len {
        let start = from.offset();
        skip(from, depth + 1)?;
        let key = from.since(start);
        match last.cmp(key) {
            std::cmp::Ordering::Less => last = key,
            std::cmp::Ordering::Equal => return Decoder::error(start, Problem::DuplicateKey),
            std::cmp::Ordering::Greater => return Decoder::error(start, Problem::UnsortedKeys),
        }
        skip(from, depth + 1)?;
    }
    Ok(())
}

/// Reads the unsigned keys of a map in order: each must be greater than the one before.
#[derive(Debug)]
pub struct Keys {
    left: usize,
    last: Option<u64>,
}

impl Keys {
    /// Begins a map of at most `max` pairs.
    ///
    /// # Errors
    /// No map, or too many pairs.
    pub fn begin(from: &mut Decoder<'_>, max: usize) -> Result<Self, DecodeError> {
        Ok(Self {
            left: from.map(max)?,
            last: None,
        })
    }

    /// The next key, or nothing at the end of the map.
    ///
    /// # Errors
    /// No integer key, unsorted, or duplicate.
    pub fn next(&mut self, from: &mut Decoder<'_>) -> Result<Option<u64>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let start = from.offset();
        let key = from.uint53()?;
        match self.last {
            Some(last) if key == last => Decoder::error(start, Problem::DuplicateKey),
            Some(last) if key < last => Decoder::error(start, Problem::UnsortedKeys),
            _ => {
                self.last = Some(key);
                Ok(Some(key))
            }
        }
    }
}
