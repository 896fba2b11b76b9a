//! What the auditor brings along: anchors and heads, read from where the arguments say.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use countersign_identity::trust::Anchor;
use countersign_ledger::layout::NOTE_BYTES_MAX;
use thiserror::Error;

use super::arguments::Arguments;
use super::tell::{SHOWN_CHARS_MAX, shown};
use crate::audit::{Asked, AuditOptions};
use crate::visible::visible;

/// Largest trust anchor file: one DID and a line end.
const ANCHOR_BYTES_MAX: usize = 16_384;

/// What is wrong with the arguments.
#[derive(Debug, Error)]
pub(super) enum UsageError {
    #[error("a ledger cannot be read from standard input: it is a database, not a stream")]
    StandardInput,
    #[error("--trust {}: {source}", visible(.given, SHOWN_CHARS_MAX))]
    Anchor {
        given: String,
        source: Box<dyn std::error::Error>,
    },
    #[error("--head {}: {source}", shown(.path))]
    Head { path: PathBuf, source: io::Error },
}

impl UsageError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::StandardInput => "write it to a file and give the path",
            Self::Anchor { .. } => "give a did:peer:4 or the principal.did file that `countersign init` wrote",
            Self::Head { .. } => "give a checkpoint as `countersign ledger checkpoint` prints it",
        }
    }
}

/// Reads everything that the audit needs.
pub(super) fn options(arguments: &Arguments) -> Result<AuditOptions, UsageError> {
    if arguments.ledgers.iter().any(|ledger| ledger.as_os_str() == "-") {
        return Err(UsageError::StandardInput);
    }
    let heads = arguments.head.iter().map(|path| {
        read_bounded(path, NOTE_BYTES_MAX).map_err(|source| UsageError::Head {
            path: path.clone(),
            source,
        })
    });
    Ok(AuditOptions {
        anchors: arguments.trust.iter().map(anchor).collect::<Result<_, _>>()?,
        heads: heads.collect::<Result<_, _>>()?,
        asked: Asked::default(),
        story: arguments.selection().is_some(),
        marks: BTreeSet::new(),
    })
}

/// A DID begins with `did:`; everything else is a path.
fn anchor(given: &OsString) -> Result<Anchor, UsageError> {
    let text = given.to_string_lossy();
    let refused = |source| UsageError::Anchor {
        given: text.clone().into_owned(),
        source,
    };
    if text.starts_with("did:") {
        return Anchor::parse(&text).map_err(|error| refused(error.into()));
    }
    let bytes = read_bounded(Path::new(given), ANCHOR_BYTES_MAX).map_err(|error| refused(error.into()))?;
    let content = String::from_utf8(bytes).map_err(|error| refused(error.into()))?;
    Anchor::parse(&content).map_err(|error| refused(error.into()))
}

fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("more than {bytes_max} bytes"),
        ));
    }
    Ok(bytes)
}
