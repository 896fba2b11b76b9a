//! Signed notes: text and signature lines, per C2SP signed-note (ledger-v1 §6.1).
//!
//! This module knows the envelope only. Which signatures are required, and what the text may say, is decided in
//! [`crate::checkpoint`]. Stricter than C2SP in one point: base64 has to be canonical, so that no bit of a note
//! can change without notice.

use std::fmt;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::layout::NOTE_BYTES_MAX;

/// Signature lines that a note may have. C2SP asks verifiers to take at least 16.
pub const SIGNATURES_MAX: usize = 32;

/// What a signature line begins with: an em dash and a space.
const LINE_START: &str = "\u{2014} ";

/// Type byte of a signature, hashed into its key id (C2SP signed-note, "Signature types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SignatureType {
    /// Ed25519 over the note text.
    Ed25519 = 0x01,
    /// Timestamped ML-DSA-44 over C2SP's `cosigned_message`.
    MlDsa44Cosignature = 0x06,
}

/// Four bytes that tell, together with the key name, which key made a signature. Not a secure hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// Computes SHA-256(name ‖ 0x0A ‖ type ‖ public key)\[..4\].
    #[must_use]
    pub fn of(name: &str, kind: SignatureType, public_key: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([0x0A, kind as u8])
            .chain_update(public_key)
            .finalize();
        let mut id = [0; 4];
        id.copy_from_slice(&hash[..4]);
        Self(id)
    }

    /// The four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A note as received: its text is trusted for nothing before a signature line is verified.
#[derive(Clone, Debug)]
pub struct Note<'n> {
    text: &'n str,
    signatures: Vec<SignatureLine<'n>>,
}

/// One signature line of a note.
#[derive(Clone, Debug)]
pub struct SignatureLine<'n> {
    name: &'n str,
    key_id: KeyId,
    signature: Vec<u8>,
}

/// Why bytes are not a signed note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is longer than the limit.
    #[error("the note has {bytes} bytes, the limit is 131072")]
    TooLong {
        /// Length found.
        bytes: usize,
    },
    /// The note is not UTF-8.
    #[error("the note is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The note has a control character other than a newline.
    #[error("the note has a control character at byte {at}")]
    ControlCharacter {
        /// Offset of the character.
        at: usize,
    },
    /// No empty line separates text and signatures.
    #[error("the note has no empty line before its signatures")]
    NoSeparator,
    /// The note does not end in a newline.
    #[error("the note does not end in a newline")]
    NoFinalNewline,
    /// Nothing follows the empty line.
    #[error("the note has no signature")]
    NoSignature,
    /// More signature lines than the limit.
    #[error("the note has more than 32 signatures")]
    TooManySignatures,
    /// A signature line does not begin with an em dash and a space.
    #[error("signature line {line} does not begin with an em dash and a space")]
    LineStart {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A signature line is not a name, one space and base64.
    #[error("signature line {line} is not a name, one space and a signature")]
    LineShape {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A key name is empty or has a space or a plus sign.
    #[error("signature line {line} has a malformed key name")]
    KeyName {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A signature is not canonical base64.
    #[error("signature line {line} is not canonical base64")]
    Base64 {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A signature has no room for a key id and at least one byte more.
    #[error("signature line {line} has only {bytes} bytes")]
    SignatureTooShort {
        /// Number of the line, from 1.
        line: usize,
        /// Bytes found, key id included.
        bytes: usize,
    },
}

impl NoteError {
    /// A stable word for vectors and reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "note-too-long",
            Self::NotUtf8 { .. } => "note-not-utf8",
            Self::ControlCharacter { .. } => "note-control-character",
            Self::NoSeparator => "note-no-separator",
            Self::NoFinalNewline => "note-no-final-newline",
            Self::NoSignature => "note-no-signature",
            Self::TooManySignatures => "note-too-many-signatures",
            Self::LineStart { .. } => "note-line-start",
            Self::LineShape { .. } => "note-line-shape",
            Self::KeyName { .. } => "note-key-name",
            Self::Base64 { .. } => "note-base64",
            Self::SignatureTooShort { .. } => "note-signature-too-short",
        }
    }
}

impl<'n> Note<'n> {
    /// Takes a note apart without believing it.
    ///
    /// # Errors
    /// [`NoteError`] at the first thing that is malformed, in an unknown key's line as well.
    pub fn parse(bytes: &'n [u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let note = str::from_utf8(bytes).map_err(|error| NoteError::NotUtf8 {
            at: error.valid_up_to(),
        })?;
        if let Some(at) = bytes.iter().position(|byte| *byte < 0x20 && *byte != b'\n') {
            return Err(NoteError::ControlCharacter { at });
        }
        let lines = note.strip_suffix('\n').ok_or(NoteError::NoFinalNewline)?;
        if lines.ends_with('\n') {
            return Err(NoteError::NoSignature);
        }
        // The last empty line: the text keeps its own newline, the empty line's is dropped.
        let end = lines.rfind("\n\n").ok_or(NoteError::NoSeparator)? + 1;
        let (text, lines) = (&lines[..end], &lines[end + 1..]);
        if lines.split('\n').nth(SIGNATURES_MAX).is_some() {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(before, line)| SignatureLine::parse(line, before + 1));
        Ok(Self {
            text,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The text with its final newline: what Ed25519 signs.
    #[must_use]
    pub fn text(&self) -> &'n str {
        self.text
    }

    /// The signature lines in the order of the note, at least one.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine<'n>] {
        &self.signatures
    }
}

impl<'n> SignatureLine<'n> {
    fn parse(text: &'n str, line: usize) -> Result<Self, NoteError> {
        let rest = text.strip_prefix(LINE_START).ok_or(NoteError::LineStart { line })?;
        let (name, signature) = rest.split_once(' ').ok_or(NoteError::LineShape { line })?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return Err(NoteError::KeyName { line });
        }
        let bytes = BASE64
            .decode(signature.as_bytes())
            .map_err(|_| NoteError::Base64 { line })?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, signature)) if !signature.is_empty() => Ok(Self {
                name,
                key_id: KeyId(*key_id),
                signature: signature.to_vec(),
            }),
            _ => Err(NoteError::SignatureTooShort {
                line,
                bytes: bytes.len(),
            }),
        }
    }

    /// The key name that the line claims.
    #[must_use]
    pub fn name(&self) -> &'n str {
        self.name
    }

    /// The key id that the line claims.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The bytes after the key id.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Writes one signature line with its newline.
pub(crate) fn signature_line(name: &str, key_id: KeyId, signature: &[&[u8]]) -> String {
    let bytes = [key_id.0.as_slice()]
        .into_iter()
        .chain(signature.iter().copied())
        .collect::<Vec<_>>()
        .concat();
    format!("{LINE_START}{name} {}\n", BASE64.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "text\n\n\u{2014} example.com/foo Uw2QOkk=\n";

    fn refusal(note: &str) -> Option<NoteError> {
        Note::parse(note.as_bytes()).err()
    }

    #[test]
    fn text_ends_at_the_last_empty_line() -> Result<(), NoteError> {
        let note = Note::parse("a\n\nb\n\n\u{2014} k Uw2QOkk=\n\u{2014} l Uw2QOkk=\n".as_bytes())?;
        assert_eq!(note.text(), "a\n\nb\n");
        let names: Vec<_> = note.signatures().iter().map(SignatureLine::name).collect();
        assert_eq!(names, ["k", "l"]);
        Ok(())
    }

    #[test]
    fn line_that_is_written_is_read_back() -> Result<(), NoteError> {
        let id = KeyId::of("k", SignatureType::Ed25519, &[7; 32]);
        let note = format!("t\n\n{}", signature_line("k", id, &[&[1, 2], &[3]]));
        let note = Note::parse(note.as_bytes())?;
        assert_eq!(note.signatures()[0].key_id(), id);
        assert_eq!(note.signatures()[0].signature(), [1, 2, 3]);
        Ok(())
    }

    #[test]
    fn every_malformed_note_has_its_own_refusal() {
        assert_eq!(refusal(GOOD), None);
        for (note, error) in [
            ("", NoteError::NoFinalNewline),
            ("text\n\n\u{2014} k Uw2QOkk=", NoteError::NoFinalNewline),
            ("text\n", NoteError::NoSeparator),
            ("text\n\u{2014} k Uw2QOkk=\n", NoteError::NoSeparator),
            ("text\n\n", NoteError::NoSignature),
            ("text\n\n\u{2014} k Uw2QOkk=\n\n", NoteError::NoSignature),
            ("te\txt\n\n\u{2014} k Uw2QOkk=\n", NoteError::ControlCharacter { at: 2 }),
            ("text\r\n\n\u{2014} k Uw2QOkk=\n", NoteError::ControlCharacter { at: 4 }),
            ("text\n\n- k Uw2QOkk=\n", NoteError::LineStart { line: 1 }),
            ("text\n\n\u{2014}k Uw2QOkk=\n", NoteError::LineStart { line: 1 }),
            ("text\n\n\u{2014} k Uw2QOkk=\nx\n", NoteError::LineStart { line: 2 }),
            ("text\n\n\u{2014} kUw2QOkk=\n", NoteError::LineShape { line: 1 }),
            ("text\n\n\u{2014}  Uw2QOkk=\n", NoteError::KeyName { line: 1 }),
            ("text\n\n\u{2014} a+b Uw2QOkk=\n", NoteError::KeyName { line: 1 }),
            ("text\n\n\u{2014} a\u{2003}b Uw2QOkk=\n", NoteError::KeyName { line: 1 }),
            ("text\n\n\u{2014} k  Uw2QOkk=\n", NoteError::Base64 { line: 1 }),
            ("text\n\n\u{2014} k Uw2QOkk\n", NoteError::Base64 { line: 1 }),
            ("text\n\n\u{2014} k Uw2QOkl=\n", NoteError::Base64 { line: 1 }),
            ("text\n\n\u{2014} k Uw2QOkk= \n", NoteError::Base64 { line: 1 }),
            ("text\n\n\u{2014} k Uw2_Okk=\n", NoteError::Base64 { line: 1 }),
            (
                "text\n\n\u{2014} k \n",
                NoteError::SignatureTooShort { line: 1, bytes: 0 },
            ),
            (
                "text\n\n\u{2014} k Uw2QOg==\n",
                NoteError::SignatureTooShort { line: 1, bytes: 4 },
            ),
        ] {
            assert_eq!(refusal(note), Some(error), "{note:?}");
        }
    }

    #[test]
    fn note_that_is_not_utf8_is_refused() {
        let refused = Note::parse(b"a\xff\n\n").err();
        assert_eq!(refused, Some(NoteError::NotUtf8 { at: 1 }));
    }

    #[test]
    fn limits_are_inclusive() {
        let line = "\u{2014} k Uw2QOkk=\n";
        assert_eq!(refusal(&format!("t\n\n{}", line.repeat(SIGNATURES_MAX))), None);
        assert_eq!(
            refusal(&format!("t\n\n{}", line.repeat(SIGNATURES_MAX + 1))),
            Some(NoteError::TooManySignatures)
        );
        let rest = GOOD.len() - "text".len();
        assert_eq!(refusal(&GOOD.replace("text", &"x".repeat(NOTE_BYTES_MAX - rest))), None);
        let bytes = NOTE_BYTES_MAX + 1;
        assert_eq!(
            refusal(&GOOD.replace("text", &"x".repeat(bytes - rest))),
            Some(NoteError::TooLong { bytes })
        );
    }
}
