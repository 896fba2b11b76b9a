//! Why something could not be entered into the ledger.

use std::path::PathBuf;

use countersign_identity::keys::RandomnessError;
use countersign_ledger::appender::AppendError;
use countersign_ledger::handover::HandoverError;
use countersign_ledger::head_file::HeadFileError;
use countersign_ledger::store::{RowError, StoreError};
use countersign_schemas::kind::Kind;
use countersign_verifier::finding::Finding;
use thiserror::Error;

use super::existing::OpenError;
use super::secret::SignerError;

/// Why an entry was not made, or is not known to be durable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The law forbids it; nothing was written. Unless an agent's budget is used up, this is a fault of ours.
    #[error("the law forbids this {}: {}: {}", kind.name(), finding.code.as_str(), finding.text())]
    Unlawful {
        /// Kind of the entry.
        kind: Kind,
        /// The rule it would break.
        finding: Box<Finding>,
    },
    /// The ledger takes no more entries; what was not acknowledged may be lost.
    #[error("the ledger could not be written")]
    Append(#[from] AppendError),
    /// The ledger that is there cannot be gone on with.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The head file could not be written; the ledger itself is sound.
    #[error("the ledger's head file failed")]
    HeadFile(#[from] HeadFileError),
    /// The chosen head file is that of another ledger, or of nobody.
    #[error("{}: exists already, so it is the head file of another ledger", path.display())]
    HeadFileTaken {
        /// Path of the head file.
        path: PathBuf,
    },
    /// The ledger's file could not be made or closed.
    #[error("the ledger's file failed")]
    Store(#[from] StoreError),
    /// The process that writes the ledger, and that this one had joined, is gone; what was not acknowledged may be lost.
    #[error("the process that writes the ledger is gone")]
    Handover,
    /// The process that has the ledger was not joined.
    #[error("the ledger is in use, and the process that has it was not joined")]
    Join(#[source] HandoverError),
    /// Others cannot be told that this process takes part.
    #[error("{}: no lock that shows who takes part", path.display())]
    Alive {
        /// Path of the ledger.
        path: PathBuf,
        /// The failure.
        source: std::io::Error,
    },
    /// A record or payload is too large.
    #[error("an entry is too large for the ledger")]
    Row(#[from] RowError),
    /// The operating system gives no randomness.
    #[error("no randomness for keys or salts")]
    Randomness(#[from] RandomnessError),
    /// An instance was made that could not have signed.
    #[error("an instance cannot sign statements")]
    Signer(#[from] SignerError),
    /// A thread could not be started.
    #[error("a thread for the ledger could not be started")]
    Thread(#[source] std::io::Error),
    /// A credential could not be made.
    #[error("a credential could not be made")]
    Credential(#[from] countersign_identity::credential::CredentialError),
    /// Our own bug.
    #[error("internal fault: {0}")]
    Bug(&'static str),
    /// A value does not fit its field.
    #[error("a value does not fit its field of the formats: {0}")]
    Field(String),
}

macro_rules! misfits {
    ($($error:ty)*) => {$(
        impl From<$error> for RecordError {
            fn from(error: $error) -> Self {
                Self::Field(error.to_string())
            }
        }
    )*};
}
misfits! {
    countersign_schemas::list::LengthError
    countersign_schemas::number::OutOfRange
    countersign_schemas::text::TextError
}
