//! What the machine could do at most: how often its disk makes something durable, how often its cores sign.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use countersign_identity::keys::HybridSecret;
use serde_json::{Value, json};

/// What is written before each sync: about what one entry takes in the file.
const WRITTEN_BYTES: usize = 600;
/// What is signed: about as long as what one entry's author signs.
const SIGNED_BYTES: usize = 320;
/// How long one look at one limit takes. A run takes several, in turns with its work, since a disk's speed swings.
const LOOK: Duration = Duration::from_millis(150);

/// How often something was done, and how long that took in all.
#[derive(Default, Clone, Copy)]
struct Tally {
    times: u64,
    took: Duration,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.times += other.times;
        self.took += other.took;
    }

    fn per_second(self) -> f64 {
        self.times as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The limits as far as they were measured during one run.
pub(super) struct Limits {
    file: File,
    signer: HybridSecret,
    cores: usize,
    fsync: Tally,
    sign: Tally,
    sign_all: Tally,
}

/// Which limit is the lower one, and how high it is.
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) per_second: f64,
}

impl Limits {
    /// Makes the file beside the ledger that is written to, and a key to sign with.
    pub(super) fn prepare(file: &Path, signer: HybridSecret, cores: usize) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(file)?,
            signer,
            cores,
            fsync: Tally::default(),
            sign: Tally::default(),
            sign_all: Tally::default(),
        })
    }

    /// Looks at each limit for a moment, while nothing else is done.
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.look_at_disk()?;
        self.sign.add(sign_for(LOOK, &self.signer));
        let all = sign_on(self.cores, &self.signer);
        self.sign_all.add(all);
        Ok(())
    }

    fn look_at_disk(&mut self) -> io::Result<()> {
        let (bytes, begun) = ([0x5a; WRITTEN_BYTES], Instant::now());
        let mut tally = Tally::default();
        while tally.took < LOOK {
            self.file.write_all(&bytes)?;
            self.file.sync_data()?;
            tally.times += 1;
            tally.took = begun.elapsed();
        }
        self.fsync.add(tally);
        Ok(())
    }

    /// What `callers` that each wait for every entry can reach: one sync an entry each, and one signature an entry on
    /// one core, since entries stand in one order.
    pub(super) fn of(&self, callers: u16) -> Limit {
        let (disk, cpu) = (f64::from(callers) * self.fsync.per_second(), self.sign.per_second());
        if disk <= cpu {
            Limit {
                name: "fsync × callers",
                per_second: disk,
            }
        } else {
            Limit {
                name: "cpu",
                per_second: cpu,
            }
        }
    }

    /// Every limit by itself, for the report.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "fsync_per_second": self.fsync.per_second().round(),
            "sign_per_second": self.sign.per_second().round(),
            "sign_all_cores_per_second": self.sign_all.per_second().round(),
        })
    }
}

fn sign_for(time: Duration, signer: &HybridSecret) -> Tally {
    let (message, begun) = ([0x5a; SIGNED_BYTES], Instant::now());
    let mut tally = Tally::default();
    while tally.took < time {
        for _ in 0..32 {
            black_box(signer.sign_ed25519(black_box(&message)));
        }
        tally.times += 32;
        tally.took = begun.elapsed();
    }
    tally
}

/// Signs on all cores at once; the time counts once.
fn sign_on(cores: usize, signer: &HybridSecret) -> Tally {
    let begun = Instant::now();
    let times = thread::scope(|scope| {
        let signing: Vec<_> = (0..cores)
            .map(|_| scope.spawn(|| sign_for(LOOK, signer).times))
            .collect();
        signing.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    Tally {
        times,
        took: begun.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(fsync: u64, sign: u64) -> Result<Limits, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut limits = Limits::prepare(&folder.path().join("probe"), HybridSecret::generate()?, 2)?;
        let took = Duration::from_secs(2);
        limits.fsync = Tally { times: fsync, took };
        limits.sign = Tally { times: sign, took };
        Ok(limits)
    }

    #[test]
    fn the_lower_limit_counts() -> Result<(), Box<dyn std::error::Error>> {
        let limits = limits(2_000, 80_000)?;
        let (few, many) = (limits.of(4), limits.of(64));
        assert_eq!((few.name, few.per_second), ("fsync × callers", 4_000.0));
        assert_eq!((many.name, many.per_second), ("cpu", 40_000.0));
        Ok(())
    }

    #[test]
    fn a_probe_never_replaces_a_file() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("probe");
        std::fs::write(&path, "mine")?;
        assert!(Limits::prepare(&path, HybridSecret::generate()?, 2).is_err());
        Ok(())
    }
}
