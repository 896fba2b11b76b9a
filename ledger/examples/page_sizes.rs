//! What a page size costs and gives: file growth an entry and durable rows a second, page sizes taken in turns.
//!
//! `cargo run -p countersign-ledger --example ledger-page-sizes [FOLDER]` prints the figures of decision 0024. FOLDER decides the disk.
#![expect(clippy::print_stdout, reason = "a measurement that is read by people")]

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_ledger::layout::{TABLES, TRIGGERS};
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PAGE_SIZES: [u32; 3] = [4096, 8192, 16_384];
/// Rows in one transaction, and how many transactions a turn has.
const BATCHES: [(u64, u64); 3] = [(1, 400), (64, 60), (512, 30)];
const TURNS: usize = 11;

/// Record and payload of a request, its decision and its outcome, in bytes, as the demo writes them. Every twentieth
/// outcome is a file that was read.
fn lengths(seq: u64) -> (usize, usize) {
    match seq % 3 {
        0 => (312, 80),
        1 => (347, 550),
        _ if seq % 60 == 2 => (281, 6000),
        _ => (281, 190),
    }
}

struct Measured {
    rows: u64,
    took: Duration,
    /// Growth of the file, without the content of payloads.
    growth_bytes: u64,
    records_bytes: u64,
    wal_bytes: u64,
}

fn measure(path: &Path, page_size: u32, batch: u64, transactions: u64) -> Outcome<Measured> {
    let sql = Connection::open(path)?;
    sql.pragma_update(None, "page_size", page_size)?;
    for definition in TABLES.iter().map(|(_, definition)| *definition).chain(TRIGGERS) {
        sql.execute_batch(definition)?;
    }
    sql.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    sql.pragma_update(None, "synchronous", "full")?;
    sql.pragma_update(None, "wal_autocheckpoint", 0)?;
    let before = path.metadata()?.len();
    let (mut content_bytes, mut records_bytes) = (0, 0);
    let start = Instant::now();
    for transaction in 0..transactions {
        sql.execute_batch("BEGIN IMMEDIATE")?;
        for seq in transaction * batch..(transaction + 1) * batch {
            let (record, content) = lengths(seq);
            let insert = "INSERT INTO record(seq, bytes) VALUES (?1, ?2)";
            sql.prepare_cached(insert)?
                .execute(params![seq as i64, noise(seq, record)])?;
            let insert = "INSERT INTO payload(id, salt, content) VALUES (?1, ?2, ?3)";
            let payload = params![(seq * 8) as i64, noise(seq, 32), noise(seq, content)];
            sql.prepare_cached(insert)?.execute(payload)?;
            records_bytes += record as u64;
            content_bytes += content as u64;
        }
        sql.execute_batch("COMMIT")?;
    }
    let took = start.elapsed();
    let wal_bytes = path.with_extension("db-wal").metadata()?.len();
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(sql);
    let growth_bytes = path.metadata()?.len() - before - content_bytes;
    std::fs::remove_file(path)?;
    let rows = batch * transactions;
    Ok(Measured {
        rows,
        took,
        growth_bytes,
        records_bytes,
        wal_bytes,
    })
}

fn noise(seq: u64, length: usize) -> Vec<u8> {
    let mut state = seq + 1;
    let bytes = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    bytes.take(length).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Outcome<()> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let path = folder.path().join("ledger.db");
    println!("page   batch  growth/entry  above its record  -wal/entry  rows/s (median of {TURNS})");
    for (batch, transactions) in BATCHES {
        let mut turns: Vec<Vec<Measured>> = PAGE_SIZES.iter().map(|_| Vec::new()).collect();
        for _ in 0..TURNS {
            for (page_size, turns) in PAGE_SIZES.iter().zip(&mut turns) {
                turns.push(measure(&path, *page_size, batch, transactions)?);
            }
        }
        for (page_size, turns) in PAGE_SIZES.iter().zip(turns) {
            let last = turns.last().ok_or("no turn")?;
            let each = |bytes: u64| bytes as f64 / last.rows as f64;
            let (growth, record, wal) = (each(last.growth_bytes), each(last.records_bytes), each(last.wal_bytes));
            let rate = median(
                turns
                    .iter()
                    .map(|turn| turn.rows as f64 / turn.took.as_secs_f64())
                    .collect(),
            );
            println!(
                "{page_size:<6} {batch:<6} {growth:>9.1} B  {:>14.1} B  {wal:>8.0} B  {rate:>8.0}",
                growth - record
            );
        }
    }
    Ok(())
}
