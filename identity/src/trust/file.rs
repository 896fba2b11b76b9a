//! Files of anchors: a DID in one line, or a trust file (identity-v1 §11).

use serde_json::Value;
use thiserror::Error;

use super::entry::{TrustEntry, TrustEntryError};
use super::{Anchor, AnchorError, RepeatedDid};
use crate::member::{MemberError, Members};
use crate::strict_json::{self, StrictJsonError};

/// The value of `schema`.
pub const SCHEMA: &str = "countersign.trust/v1";

/// Largest file of anchors in bytes: some 20 long forms, or every host of an organisation in short form.
pub const FILE_LEN_MAX: usize = 65_536;

/// Most anchors of one trust file.
pub const ANCHORS_MAX: usize = 256;

impl Anchor {
    /// Reads the content of a file: one DID and a line end, or, where the first byte that is no space is `{`, a trust file.
    ///
    /// Whether a DID stands in several inputs, [`unique`](super::unique) says of all of them together.
    ///
    /// # Errors
    /// [`TrustFileError`], one variant a check.
    pub fn read_file(bytes: &[u8]) -> Result<Vec<Self>, TrustFileError> {
        if bytes.len() > FILE_LEN_MAX {
            return Err(TrustFileError::TooLong { len: bytes.len() });
        }
        if bytes.iter().find(|byte| !b" \t\n\r".contains(byte)) == Some(&b'{') {
            return read_document(bytes);
        }
        let line = std::str::from_utf8(bytes).map_err(|_| TrustFileError::NotText)?;
        Ok(vec![Self::parse(line)?])
    }
}

fn read_document(bytes: &[u8]) -> Result<Vec<Anchor>, TrustFileError> {
    let value = strict_json::parse(bytes).map_err(TrustFileError::Json)?;
    let mut members = Members::of("a trust file", &value)?;
    members
        .required("schema")?
        .constant(&Value::from(SCHEMA), "`countersign.trust/v1`")?;
    let listed = members.required("anchors")?;
    members.finish()?;
    let mut anchors = Vec::new();
    for (place, item) in listed.items(ANCHORS_MAX)?.enumerate() {
        let number = place + 1;
        let entry = TrustEntry::from_json(item.value).map_err(|source| TrustFileError::Anchor { number, source })?;
        anchors.push(Anchor::Entry(Box::new(entry)));
    }
    if anchors.is_empty() {
        return Err(listed.wrong_value("a list of at least one anchor").into());
    }
    super::unique(&anchors)?;
    Ok(anchors)
}

/// Why the content of a file names no anchors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustFileError {
    /// More than [`FILE_LEN_MAX`] bytes; a reader may stop there, so this is what was seen of it.
    #[error("{len} bytes are more than the {FILE_LEN_MAX} of a file of trust anchors")]
    TooLong {
        /// Bytes seen.
        len: usize,
    },
    /// No trust file, and no UTF-8 either.
    #[error("trust anchor is not text")]
    NotText,
    /// No trust file, and no DID in one line.
    #[error(transparent)]
    Line(#[from] AnchorError),
    /// Begins as a trust file and is not JSON, or has a member twice.
    #[error("trust file cannot be read as JSON")]
    Json(#[source] StrictJsonError),
    /// A member of the file itself is missing, unknown, or of another form.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// One of its anchors is refused.
    #[error("anchor {number}")]
    Anchor {
        /// Its place, from 1 on.
        number: usize,
        /// Why.
        #[source]
        source: TrustEntryError,
    },
    /// Two of its anchors name the same principal.
    #[error(transparent)]
    Repeated(#[from] RepeatedDid),
}

impl TrustFileError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::NotText => "bad_did",
            Self::Line(error) => error.code(),
            Self::Json(StrictJsonError::Syntax(_)) => "syntax",
            Self::Json(StrictJsonError::Twice { .. }) => "duplicate_member",
            Self::Member(error) => error.code(),
            Self::Anchor { source, .. } => source.code(),
            Self::Repeated(_) => "duplicate_did",
        }
    }
}
