//! What a bench found, for a program and for a person.

use std::io::Write;

use serde_json::{Value, json};

use super::limits::{Limit, Limits};
use super::machine::Machine;

/// One run of `bench append`.
pub(super) struct Run {
    /// What the callers did, in a word.
    pub(super) work: &'static str,
    pub(super) callers: u16,
    /// Entries made in the time that was measured.
    pub(super) entries: u64,
    pub(super) per_second: f64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) bytes_per_entry: f64,
    /// `None` where the system does not tell.
    pub(super) peak_rss_bytes: Option<u64>,
    pub(super) limits: Limits,
}

impl Run {
    fn limit(&self) -> Limit {
        self.limits.of(self.callers)
    }

    fn ratio(&self) -> f64 {
        self.per_second / self.limit().per_second.max(f64::MIN_POSITIVE)
    }

    fn to_json(&self) -> Value {
        let limit = self.limit();
        json!({
            "work": self.work,
            "callers": self.callers,
            "entries": self.entries,
            "per_second": self.per_second.round(),
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "bytes_per_entry": self.bytes_per_entry.round(),
            "peak_rss_bytes": self.peak_rss_bytes,
            "limits": self.limits.to_json(),
            "limit": { "name": limit.name, "per_second": limit.per_second.round() },
            "ratio": (self.ratio() * 1000.0).round() / 1000.0,
        })
    }

    fn to_line(&self) -> String {
        let limit = self.limit();
        let peak = self
            .peak_rss_bytes
            .map_or_else(|| "?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        format!(
            "{:<10} {:>7} {:>9} {:>9.0} {:>9} {:>9} {:>8.0} {:>9} {:>10.0} {:>6.2}  {}",
            self.work,
            self.callers,
            self.entries,
            self.per_second,
            self.p50_us,
            self.p99_us,
            self.bytes_per_entry,
            peak,
            limit.per_second,
            self.ratio(),
            limit.name,
        )
    }
}

/// Prints the one JSON document of a bench (`docs/bench.md`).
pub(super) fn print_json(out: &mut impl Write, machine: &Machine, runs: &[Run]) -> std::io::Result<()> {
    let runs: Vec<Value> = runs.iter().map(Run::to_json).collect();
    let report = json!({
        "schema": "countersign.bench/v1",
        "bench": "append",
        "machine": machine.to_json(),
        "runs": runs,
    });
    writeln!(out, "{report}")
}

/// Prints a table.
pub(super) fn print_text(out: &mut impl Write, machine: &Machine, runs: &[Run]) -> std::io::Result<()> {
    writeln!(
        out,
        "durable signed entries through the law, on {}\n",
        machine.to_text()
    )?;
    writeln!(
        out,
        "work       callers   entries  per sec.    p50 us    p99 us  B/entry    memory      limit  ratio  limited by"
    )?;
    runs.iter().try_for_each(|run| writeln!(out, "{}", run.to_line()))
}
