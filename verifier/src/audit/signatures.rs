//! Step V4: signatures, verified over a batch of rows on every core.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;

use countersign_identity::keys::HybridPublic;
use countersign_ledger::cose::{AadLedger, CoseError, Unverified};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::number::Seq;

use super::row::Row;
use crate::law::{Instance, Law, Opening};

/// Fewest rows that are worth a second thread.
const ROWS_A_THREAD: usize = 16;

/// The keys of everybody who was introduced, by introduction, as the introductions state them.
#[derive(Default)]
pub(super) struct Keys {
    by_introduction: BTreeMap<Seq, HybridPublic>,
    ledger: Option<LedgerId>,
}

/// What became of the signatures of one row.
pub(super) enum Verified {
    /// All of them verify.
    Yes,
    /// One of them does not, or the set is another than that of the kind.
    No(CoseError),
    /// Nobody was introduced where the author should have been.
    NoAuthor,
}

impl Keys {
    /// The keys of everybody who was introduced up to `law`'s last entry.
    pub(super) fn of(law: &Law) -> Self {
        let keys = |instance: &Instance| (instance.seq(), instance.did().public().clone());
        Self {
            by_introduction: law.instances().map(keys).collect(),
            ledger: law.opening().map(Opening::ledger),
        }
    }

    /// Learns from a decoded row, before any of its batch is verified.
    pub(super) fn learn(&mut self, row: &Row) {
        if let Some(keys) = row.introduces() {
            self.by_introduction.insert(row.seq, keys);
        }
        if let (Seq::ZERO, Ok(decoded)) = (row.seq, &row.statement) {
            self.ledger = Some(LedgerId::from_bytes(*decoded.digest.as_bytes()));
        }
    }

    /// Drops what verifying made of the keys of an instance that has stopped: 16 KB each, and rarely needed again.
    pub(super) fn forget_expansion(&mut self, seq: Seq) {
        if let Some(keys) = self.by_introduction.get_mut(&seq)
            && let Ok(fresh) = HybridPublic::from_bytes(keys.ed25519_bytes(), keys.ml_dsa_bytes())
        {
            *keys = fresh;
        }
    }

    /// Verifies all rows, each under the keys of its author; the answers stand in the order of the rows.
    pub(super) fn verify(&self, rows: &[Row]) -> Vec<Verified> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(rows.len() / ROWS_A_THREAD).max(1);
        if threads == 1 {
            return rows.iter().map(|row| self.verify_row(row)).collect();
        }
        let chunk = rows.len().div_ceil(threads);
        thread::scope(|scope| {
            let verify = |rows: &'_ [Row]| rows.iter().map(|row| self.verify_row(row)).collect::<Vec<_>>();
            let workers: Vec<_> = rows
                .chunks(chunk)
                .map(|rows| scope.spawn(move || verify(rows)))
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("verifying does not panic"))
                .collect()
        })
    }

    fn verify_row(&self, row: &Row) -> Verified {
        let (Some(record), Ok(decoded)) = (&row.record, &row.statement) else {
            return Verified::Yes;
        };
        let author = decoded.statement.by;
        let Some(keys) = self.by_introduction.get(&author).filter(|_| author <= row.seq) else {
            return Verified::NoAuthor;
        };
        let ledger = match (row.seq, self.ledger) {
            (Seq::ZERO, _) | (_, None) => AadLedger::Genesis,
            (_, Some(ledger)) => AadLedger::Of(ledger),
        };
        let verified = Unverified::parse(&record.statement)
            .and_then(|envelope| envelope.verify(keys, ledger, decoded.statement.kind().signatures()));
        verified.map_or_else(Verified::No, |()| Verified::Yes)
    }
}
