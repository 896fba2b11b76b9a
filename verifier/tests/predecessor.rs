//! A ledger that states which one it continues: its word when it stands alone, checked where both are given (I8).

use std::error::Error;
use std::path::{Path, PathBuf};

use countersign_ledger::merkle::Frontier;
use countersign_schemas::body::Predecessor;
use countersign_schemas::chain;
use countersign_schemas::digest::{Digest, Link};
use countersign_schemas::number::Count;
use countersign_verifier::cli::run;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Told;
use crate::support::cast::Who;
use crate::support::file::store;
use crate::support::story::{close, opening, tell};
use crate::support::writer::{Twist, Writer};

type Outcome = Result<(), Box<dyn Error>>;

/// What a ledger that begins behind the first `size` entries of `older` says of it.
fn predecessor(older: &Writer<'_>, size: usize) -> Result<Predecessor, Box<dyn Error>> {
    let mut tree = Frontier::new();
    let kept = older.entries.iter().take(size);
    kept.for_each(|entry| tree.push(&entry.record));
    let last = older.entries.get(size - 1).ok_or("no entry")?;
    Ok(Predecessor {
        ledger: older.ledger.ok_or("no ledger")?,
        size: Count::clamped(size as u64),
        link: chain::link(&last.record),
        root: Digest::from_bytes(*tree.root().as_bytes()),
    })
}

/// A closed ledger that states this predecessor.
fn follower(stated: Predecessor) -> Told {
    let mut writer = Writer::new(Twist::honest());
    writer.predecessor = Some(stated);
    opening(&mut writer);
    close(&mut writer);
    writer.into()
}

struct Files {
    _folder: TempDir,
    older: PathBuf,
    newer: PathBuf,
}

fn files(older: &Told, stated: Predecessor) -> Result<Files, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (folder.path().join("older.db"), folder.path().join("newer.db"));
    store(older, &old)?;
    store(&follower(stated), &new)?;
    Ok(Files {
        _folder: folder,
        older: old,
        newer: new,
    })
}

/// Exit code, and one document a ledger.
fn verify(ledgers: &[&Path]) -> Result<(u8, Vec<Value>), Box<dyn Error>> {
    let (code, out) = verify_with(ledgers, &["--json"])?;
    let documents: Result<Vec<Value>, _> = out.lines().map(serde_json::from_str).collect();
    Ok((code, documents?))
}

fn verify_with(ledgers: &[&Path], options: &[&str]) -> Result<(u8, String), Box<dyn Error>> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let trust = ["verify", "--trust", Who::Principal.did().short()];
    let options = trust.iter().chain(options).map(|text| (*text).into());
    let code = run(
        options.chain(ledgers.iter().map(|path| (*path).into())),
        &mut out,
        &mut err,
    );
    assert_eq!(String::from_utf8(err)?, "");
    Ok((code, String::from_utf8(out)?))
}

/// Asserts that the newer ledger is rejected beside the older one, at entry 0, and verified alone.
#[track_caller]
fn is_named(files: &Files) -> Outcome {
    let (code, alone) = verify(&[&files.newer])?;
    assert_eq!((code, &alone[0]["predecessor"]["checked"]), (0, &json!(false)));
    for (newer, ledgers) in [(0, [&files.newer, &files.older]), (1, [&files.older, &files.newer])] {
        let (code, documents) = verify(&ledgers.map(PathBuf::as_path))?;
        let document = &documents[newer];
        let named: Vec<_> = document["findings"].as_array().ok_or("no findings")?.iter().collect();
        assert_eq!((code, named.len()), (1, 1), "{document:#}");
        assert_eq!((&named[0]["code"], &named[0]["entry"]), (&json!("I8"), &json!(0)));
        assert_eq!(
            (&document["verdict"], &document["predecessor"]["checked"]),
            (&json!("rejected"), &json!(false))
        );
        assert_ne!(documents[1 - newer]["verdict"], "rejected");
    }
    Ok(())
}

#[test]
fn a_predecessor_that_was_not_given_is_named_and_changes_nothing() -> Outcome {
    let older = tell(Twist::honest());
    let stated = predecessor(&older, 51)?;
    let files = files(&older.into(), stated.clone())?;
    let (code, documents) = verify(&[&files.newer])?;
    let expected = json!({
        "ledger": stated.ledger.to_string(),
        "size": 51,
        "link": stated.link.to_string(),
        "root": stated.root.to_string(),
        "checked": false,
    });
    assert_eq!((code, &documents[0]["predecessor"]), (0, &expected));
    let (_, text) = verify_with(&[&files.newer], &["--explain"])?;
    let line = format!(
        "follows    {}, 51 entries, root {}, not checked\n",
        stated.ledger, stated.root
    );
    assert!(text.contains(&line), "{text}");
    let (_, documents) = verify(&[&files.older])?;
    assert_eq!(documents[0]["predecessor"], Value::Null);
    Ok(())
}

#[test]
fn a_predecessor_that_fits_is_checked_in_either_order() -> Outcome {
    let older = tell(Twist::honest());
    // The last one is of a ledger that went on: that is not this ledger's matter.
    for size in [51, 50, 1] {
        let stated = predecessor(&older, size)?;
        let files = files(&Told::from_written(&older), stated)?;
        let (code, documents) = verify(&[&files.newer, &files.older])?;
        assert_eq!((code, &documents[0]["predecessor"]["checked"]), (0, &json!(true)));
        let (code, documents) = verify(&[&files.older, &files.newer, &files.older])?;
        assert_eq!((code, &documents[1]["predecessor"]["checked"]), (0, &json!(true)));
        let (_, text) = verify_with(&[&files.newer, &files.older], &[])?;
        assert!(text.contains(", checked\n"), "{text}");
    }
    Ok(())
}

#[test]
fn i8_another_link_or_another_root() -> Outcome {
    let older = tell(Twist::honest());
    let sound = predecessor(&older, 51)?;
    let link = Predecessor {
        link: Link::from_bytes([1; 32]),
        ..sound.clone()
    };
    let root = Predecessor {
        root: Digest::sha256(b"another"),
        ..sound.clone()
    };
    let other_place = Predecessor {
        size: Count::clamped(50),
        ..sound
    };
    for stated in [link, root, other_place] {
        is_named(&files(&Told::from_written(&older), stated)?)?;
    }
    Ok(())
}

#[test]
fn i8_a_predecessor_that_is_shorter() -> Outcome {
    let older = tell(Twist::honest());
    let stated = predecessor(&older, 51)?;
    let mut cut = Told::from_written(&older);
    cut.entries.truncate(50);
    cut.checkpoints.pop();
    is_named(&files(&cut, stated.clone())?)?;
    let nothing = Predecessor {
        size: Count::ZERO,
        ..stated
    };
    is_named(&files(&Told::from_written(&older), nothing)?)
}

#[test]
fn a_damaged_predecessor_is_rejected_itself_and_the_newer_is_not() -> Outcome {
    let older = tell(Twist::honest());
    let stated = predecessor(&older, 51)?;
    let mut damaged = Told::from_written(&older);
    damaged.entries[20].record[40] ^= 1;
    let files = files(&damaged, stated)?;
    let (code, documents) = verify(&[&files.newer, &files.older])?;
    assert_eq!(code, 1);
    assert_eq!(
        (&documents[0]["verdict"], &documents[1]["verdict"]),
        (&json!("verified"), &json!("rejected"))
    );
    assert_eq!(documents[0]["predecessor"]["checked"], false);
    Ok(())
}
