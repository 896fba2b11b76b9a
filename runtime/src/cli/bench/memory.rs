//! The most memory that this process had at once during a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the system is asked.
const EVERY: Duration = Duration::from_millis(20);

/// Watches the resident memory of this process until it is dropped.
///
/// The kernel keeps a peak of its own, but for the whole life of a process, and a process that hides its memory may not
/// set it back.
pub(super) struct PeakMemory {
    peak: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    watching: Option<JoinHandle<()>>,
}

impl PeakMemory {
    /// Begins to watch.
    pub(super) fn watch() -> std::io::Result<Self> {
        let (peak, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (Arc::clone(&peak), Arc::clone(&ended));
        let watching = thread::Builder::new().name("memory".to_owned()).spawn(move || {
            while !over.load(Ordering::Relaxed) {
                seen.fetch_max(resident_bytes().unwrap_or(0), Ordering::Relaxed);
                thread::sleep(EVERY);
            }
        })?;
        Ok(Self {
            peak,
            ended,
            watching: Some(watching),
        })
    }

    /// The peak so far; `None` where the system does not tell.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.peak.fetch_max(resident_bytes()?, Ordering::Relaxed);
        Some(self.peak.load(Ordering::Relaxed))
    }
}

impl Drop for PeakMemory {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(watching) = self.watching.take() {
            // It only reads a number; a panic there is no matter of the bench.
            let _ = watching.join();
        }
    }
}

/// `VmRSS` of proc(5). Other systems have no such file.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_stays_in_the_peak() -> Result<(), Box<dyn std::error::Error>> {
        let memory = PeakMemory::watch()?;
        let before = memory.bytes().ok_or("no memory is told")?;
        let large = vec![1_u8; 64 << 20];
        std::hint::black_box(&large);
        let during = memory.bytes().ok_or("no memory is told")?;
        drop(large);
        assert!(during >= before + (32 << 20), "{before} and then {during}");
        assert!(memory.bytes() >= Some(during));
        Ok(())
    }
}
