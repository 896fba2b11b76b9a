//! What folding costs: memory, time, and how fast a fold is read back.
//!
//! `cargo run --release -p countersign-verifier --example verifier-folding -- state|snapshot|replay ENTRIES…`. Each size is
//! measured in turn, and the peak of memory never falls again: the smallest comes first.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::expect_used, reason = "what cannot be set up cannot be measured")]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::error::Error;
use std::fs;
use std::time::Instant;

use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{Row, Sqlite, Store};
use countersign_schemas::body::{ActionFinished, ActionRequested, Body, DecisionMade, Effects, FinishOutcome, Outcome};
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, Millis, Seq, Size};
use countersign_schemas::payload::{PayloadClass, PayloadRef, Salt};
use countersign_schemas::statement::Statement;
use countersign_verifier::audit::{Folded, replay};
use countersign_verifier::fold_file::{FoldFile, FoldKey};
use countersign_verifier::law::{Entry, Law, projection_digest};

use support::credentials::{budget, name};
use support::file::row;
use support::story::{Author, RUNTIME, cast, inside, lead, opening};
use support::writer::{Twist, Writer};

type Measured = Result<(), Box<dyn Error>>;

fn main() -> Measured {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let sizes: Vec<u64> = arguments.map(|size| size.parse()).collect::<Result<_, _>>()?;
    match what.as_str() {
        "state" => state(&sizes),
        "snapshot" => snapshot(&sizes)?,
        "replay" => replay_against_a_kept_fold(&sizes)?,
        _ => return Err("state, snapshot or replay, and numbers of entries".into()),
    }
    Ok(())
}

const GREP: &[u8] = br#"{"path":"src","pattern":"assert"}"#;

/// A run that may go on for ever.
fn begun<'t>() -> Writer<'t> {
    let endless = |claims: &mut InstanceClaims| {
        if let InstanceRole::Agent(grant) = &mut claims.role {
            grant.budget = budget(1 << 50, 1 << 50);
        }
    };
    let mut writer = Writer::new(Twist::claims("lead", endless));
    opening(&mut writer);
    cast(&mut writer);
    assert_eq!(writer.findings, []);
    writer
}

fn requested(agent: Seq, arguments: PayloadRef) -> Body {
    ActionRequested {
        tool: name("grep"),
        descriptor: Digest::sha256(b"grep"),
        arguments,
        effects: Effects::READ,
        grant: agent,
        cause: None,
        advice: None,
        resumes: None,
    }
    .into()
}

fn finished(decision: Seq, result: Option<PayloadRef>, started: Millis) -> Body {
    ActionFinished {
        decision,
        outcome: FinishOutcome::Ok,
        result,
        started: Some(started),
        duration: Some(Count::clamped(5)),
        sandbox: Count::ZERO,
    }
    .into()
}

/// Entries that nobody signed: the law does not ask.
struct Unsigned {
    law: Law,
    clock: Millis,
    counters: [(Seq, Count); 2],
    folding_ns: u128,
}

impl Unsigned {
    fn enter(&mut self, author: usize, body: Body, payload: &[u8]) -> Seq {
        let (by, n) = self.counters[author];
        self.counters[author].1 = n.next();
        let (seq, seen) = (self.law.next_seq(), self.law.head());
        let statement = Statement {
            by,
            n,
            at: self.clock,
            seen,
            body,
            ext: None,
        };
        let mut link = [1; 32];
        link[..8].copy_from_slice(&seq.get().to_be_bytes());
        let entry = Entry {
            seq,
            received: self.clock,
            prev: seen.link,
            link: Link::from_bytes(link),
            tree: &countersign_ledger::merkle::Frontier::new(),
            statement: &statement,
            statement_digest: Digest::from_bytes(link),
            payloads: &[Some(payload)],
            named: None,
        };
        let begun = Instant::now();
        let admitted = self.law.admit(&entry);
        self.folding_ns += begun.elapsed().as_nanos();
        admitted.unwrap_or_else(|finding| panic!("{}", finding.text()));
        seq
    }

    fn act(&mut self, like: &DecisionMade) {
        let reference = PayloadRef::new(&Salt([0; 32]), GREP, PayloadClass::Content);
        let request = self.enter(1, requested(self.counters[1].0, reference), GREP);
        let decision = DecisionMade {
            request,
            ..like.clone()
        };
        let decision = self.enter(0, decision.into(), b"");
        self.enter(0, finished(decision, None, self.clock), b"");
    }
}

/// Requests, decisions and outcomes on top of a run, so many that there are `size` entries.
fn unsigned(size: u64) -> Unsigned {
    let writer = begun();
    let counters = [Seq::ZERO, writer.at("lead")].map(|author| {
        let n = writer.law.next_n(author).expect("an author");
        (author, n)
    });
    let mut unsigned = Unsigned {
        counters,
        clock: writer.law.last_received(),
        law: writer.law,
        folding_ns: 0,
    };
    let like = allowed(&mut unsigned);
    while unsigned.law.next_seq().get() + 3 <= size {
        unsigned.act(&like);
    }
    unsigned
}

/// A decision that allows. It names another projection, so that what is measured is the law and not Cedar.
fn allowed(unsigned: &mut Unsigned) -> DecisionMade {
    let reference = PayloadRef::new(&Salt([0; 32]), GREP, PayloadClass::Content);
    let request = unsigned.enter(1, requested(unsigned.counters[1].0, reference), GREP);
    let judged = unsigned.law.judge(request, inside("/w/src")).expect("a sound request");
    let like = DecisionMade {
        request,
        outcome: Outcome::Allow,
        parts: List::new(judged.parts).expect("few parts"),
        policies: List::new(judged.policies).expect("few layers"),
        cedar_request: None,
        projection: Digest::sha256(b"another projection"),
        expires: Millis::clamped(unsigned.clock.get() + 1),
        ask: None,
        advice: None,
        status_lists: None,
    };
    assert_ne!(like.projection, projection_digest());
    let decision = unsigned.enter(0, like.clone().into(), b"");
    unsigned.enter(0, finished(decision, None, unsigned.clock), b"");
    like
}

/// Most memory that this process ever had, in KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn state(sizes: &[u64]) {
    for &size in sizes {
        let unsigned = unsigned(size);
        let per_entry = unsigned.folding_ns / u128::from(size);
        println!("{size} entries: {per_entry} ns an entry, peak {:?} KiB", peak_kib());
    }
}

fn snapshot(sizes: &[u64]) -> Measured {
    for &size in sizes {
        let folded = Folded {
            law: unsigned(size).law,
            ..Folded::default()
        };
        let begun = Instant::now();
        let bytes = folded.to_snapshot();
        let written = begun.elapsed();
        for _ in 0..3 {
            let begun = Instant::now();
            let restored = Folded::from_snapshot(&bytes)?;
            let read = begun.elapsed();
            assert_eq!(restored.law.next_seq(), folded.law.next_seq());
            println!(
                "{size} entries: {} bytes, written in {written:?}, read in {read:?}",
                bytes.len()
            );
        }
    }
    Ok(())
}

/// Signs and stores what [`Unsigned::act`] does, with the decisions that policy really gives.
fn act(writer: &mut Writer<'_>, agent: Author) {
    let at = writer.clock;
    writer.clock = at - 1_000;
    let request = writer.enter("request", agent, &[GREP], |refs| requested(agent.1, refs[0].clone()));
    let judged = writer.law.judge(request, inside("/w/src")).expect("a sound request");
    let cedar = judged.cedar_request.expect("arguments of the tool");
    writer.clock = at - 1_000;
    let decision = writer.enter("decision", RUNTIME, &[&cedar], |refs| {
        DecisionMade {
            request,
            outcome: Outcome::Allow,
            parts: List::new(judged.parts).expect("few parts"),
            policies: List::new(judged.policies).expect("few layers"),
            cedar_request: refs.first().cloned(),
            projection: judged.projection,
            expires: Millis::clamped(at + 1),
            ask: None,
            advice: None,
            status_lists: None,
        }
        .into()
    });
    writer.clock = at - 1_000;
    writer.enter("finish", RUNTIME, &[b"done"], |refs| {
        finished(decision, refs.first().cloned(), Millis::clamped(at))
    });
}

fn flush(writer: &mut Writer<'_>, store: &mut Sqlite) -> Measured {
    let entries = std::mem::take(&mut writer.entries);
    let rows: Vec<Row> = entries.iter().map(row).collect::<Result<_, _>>()?;
    store.append(store.size(), &rows)?;
    Ok(())
}

fn replay_against_a_kept_fold(sizes: &[u64]) -> Measured {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    for &size in sizes {
        let _ = fs::remove_file(&path);
        let mut writer = begun();
        let agent = lead(&writer);
        let first: Vec<Row> = writer
            .entries
            .drain(..)
            .map(|entry| row(&entry))
            .collect::<Result<_, _>>()?;
        let mut store = Sqlite::create(&path, &first)?;
        while writer.next_seq().get() + 3 <= size {
            act(&mut writer, agent);
            if writer.entries.len() >= 3_000 {
                flush(&mut writer, &mut store)?;
            }
        }
        flush(&mut writer, &mut store)?;
        assert_eq!(writer.refusals, []);
        store.put_checkpoint(Size::clamped(writer.next_seq().get()), &writer.checkpoint().note)?;
        store.close()?;
        measure(&path, size)?;
    }
    Ok(())
}

fn measure(path: &std::path::Path, size: u64) -> Measured {
    let reader = LedgerReader::open(path)?;
    let begun = Instant::now();
    let folded = replay(&reader, None)?;
    println!("{size} entries: replayed in {:?}", begun.elapsed());
    let host = HybridSecret::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]));
    let key = FoldKey::of_ledger(&host, &reader).ok_or("no key")?;
    let file = FoldFile::beside(reader.path());
    let begun = Instant::now();
    file.write(&key, &folded)?;
    println!(
        "fold of {} bytes written in {:?}",
        fs::metadata(file.path())?.len(),
        begun.elapsed()
    );
    for _ in 0..3 {
        let begun = Instant::now();
        let reader = LedgerReader::open(path)?;
        let from = file.read(&key, &reader).ok_or("not read")?;
        let read = begun.elapsed();
        let opened = replay(&reader, Some(from))?;
        assert_eq!(opened.size(), folded.size());
        println!("opened with it in {:?}, of which the fold {read:?}", begun.elapsed());
    }
    Ok(())
}
