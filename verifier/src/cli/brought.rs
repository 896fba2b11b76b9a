//! What the auditor brings along and asks for: anchors and heads are read from where the arguments say.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use countersign_identity::trust::{self, Anchor, FILE_LEN_MAX, RepeatedDid};
use countersign_ledger::layout::NOTE_BYTES_MAX;
use thiserror::Error;

use super::arguments::Arguments;
use super::tell::{SHOWN_CHARS_MAX, shown, with_causes};
use crate::audit::{Asked, AuditOptions};
use crate::visible::visible;

/// What is wrong with the arguments.
#[derive(Debug, Error)]
pub(super) enum UsageError {
    #[error("a ledger cannot be read from standard input: it is a database, not a stream")]
    StandardInput,
    #[error("--trust {}: {}", visible(.given, SHOWN_CHARS_MAX), visible(&with_causes(&**.source), SHOWN_CHARS_MAX))]
    Anchor {
        given: String,
        source: Box<dyn std::error::Error>,
    },
    #[error("--trust: {0}")]
    Repeated(#[from] RepeatedDid),
    #[error("--head {}: {source}", shown(.path))]
    Head { path: PathBuf, source: io::Error },
}

impl UsageError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::StandardInput => "write it to a file and give the path",
            Self::Anchor { .. } => {
                "give a did:peer:4, the principal.did file that `countersign init` wrote, or a trust file (identity-v1 §11)"
            }
            Self::Repeated(_) => {
                "name it once: a DID beside an entry of a trust file would lift the limits of that entry"
            }
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
        anchors: anchors(&arguments.trust)?,
        heads: heads.collect::<Result<_, _>>()?,
        asked: Asked {
            as_of: arguments.as_of,
            policies: arguments.policy.iter().copied().collect(),
            required: arguments.require.iter().copied().collect(),
            strict: arguments.strict,
        },
        story: arguments.selection().is_some(),
        marks: BTreeSet::new(),
    })
}

/// All anchors together: each principal once.
fn anchors(given: &[OsString]) -> Result<Vec<Anchor>, UsageError> {
    let mut anchors = Vec::new();
    for given in given {
        anchors.extend(anchors_of(given).map_err(|source| UsageError::Anchor {
            given: given.to_string_lossy().into_owned(),
            source,
        })?);
    }
    trust::unique(&anchors)?;
    Ok(anchors)
}

/// A DID begins with `did:`; everything else is a path.
fn anchors_of(given: &OsString) -> Result<Vec<Anchor>, Box<dyn std::error::Error>> {
    match given.to_str().filter(|text| text.starts_with("did:")) {
        Some(did) => Ok(vec![Anchor::parse(did)?]),
        None => Ok(Anchor::read_file(&read_bounded(Path::new(given), FILE_LEN_MAX)?)?),
    }
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
