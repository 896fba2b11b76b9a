//! Step V1: from a stored row to a decoded statement.

use countersign_identity::keys::HybridPublic;
use countersign_ledger::cose::{CoseError, Unverified};
use countersign_ledger::reader::{StoredEntry, StoredPayload};
use countersign_schemas::chain;
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::number::Seq;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;

use crate::code::Code;
use crate::finding::Finding;
use crate::law::newcomer_keys;

/// One row, decoded as far as it can be.
pub(super) struct Row {
    /// Its key: where it stands, whatever the record says.
    pub(super) seq: Seq,
    pub(super) link: Link,
    /// The bytes as stored: the leaf of the tree.
    pub(super) bytes: Vec<u8>,
    pub(super) payloads: Vec<StoredPayload>,
    /// The record, where it could be decoded.
    pub(super) record: Option<Record>,
    /// The statement, or why there is none.
    pub(super) statement: Result<Decoded, Finding>,
}

/// A statement that is well-formed; nothing is verified yet.
pub(super) struct Decoded {
    pub(super) statement: Statement,
    pub(super) digest: Digest,
}

impl Row {
    /// Decodes a row; `None` when its key is no `seq` at all.
    pub(super) fn read(stored: StoredEntry) -> Option<Self> {
        let seq = u64::try_from(stored.seq).ok().and_then(|seq| Seq::new(seq).ok())?;
        let record = Record::decode(&stored.record);
        let statement = match &record {
            Ok(record) => decode_statement(record, seq),
            Err(error) => Err(malformed(error.is_newer(), seq, error)),
        };
        Some(Self {
            seq,
            link: chain::link(&stored.record),
            bytes: stored.record,
            payloads: stored.payloads,
            record: record.ok(),
            statement,
        })
    }

    /// The keys of whoever this row introduces, if it introduces anybody.
    pub(super) fn introduces(&self) -> Option<HybridPublic> {
        newcomer_keys(&self.statement.as_ref().ok()?.statement.body)
    }
}

fn decode_statement(record: &Record, seq: Seq) -> Result<Decoded, Finding> {
    let envelope = Unverified::parse(&record.statement).map_err(|error| match error {
        CoseError::Downgraded | CoseError::SignatureCount { .. } => {
            Finding::new(Code::I2, seq, "the signatures of its kind", error.to_string())
        }
        _ => malformed(false, seq, error),
    })?;
    let statement = Statement::decode(envelope.payload()).map_err(|error| malformed(error.is_newer(), seq, error))?;
    Ok(Decoded {
        statement,
        digest: Statement::digest(envelope.payload()),
    })
}

fn malformed(is_newer: bool, seq: Seq, error: impl std::fmt::Display) -> Finding {
    let code = if is_newer { Code::U2 } else { Code::I1 };
    Finding::new(code, seq, "a record of statement-v1", error.to_string())
}
