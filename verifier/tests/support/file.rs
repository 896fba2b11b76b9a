//! Ledgers in files, as the runtime writes them.

use std::error::Error;
use std::path::Path;

use countersign_ledger::layout::Slot;
use countersign_ledger::reader::StoredEntry;
use countersign_ledger::store::{Row, Sqlite, Store};
use countersign_schemas::number::{Seq, Size};
use countersign_schemas::payload::Salt;

use super::Told;

/// Writes a ledger file as the runtime does.
pub(crate) fn store(told: &Told, path: &Path) -> Result<(), Box<dyn Error>> {
    let rows: Vec<Row> = told.entries.iter().map(row).collect::<Result<_, _>>()?;
    let mut ledger = Sqlite::create(path, &rows)?;
    for checkpoint in &told.checkpoints {
        ledger.put_checkpoint(Size::new(u64::try_from(checkpoint.size)?)?, &checkpoint.note)?;
    }
    ledger.close()?;
    Ok(())
}

pub(crate) fn row(entry: &StoredEntry) -> Result<Row, Box<dyn Error>> {
    let mut payloads = Vec::new();
    for payload in &entry.payloads {
        let salt: [u8; 32] = payload.salt.as_slice().try_into()?;
        payloads.push((
            Slot::new(payload.slot).ok_or("slot")?,
            Salt(salt),
            payload.content.clone(),
        ));
    }
    Ok(Row::new(
        Seq::new(u64::try_from(entry.seq)?)?,
        entry.record.clone(),
        payloads,
    )?)
}
