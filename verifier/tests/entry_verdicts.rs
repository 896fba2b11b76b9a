//! `verify --entries`: a verdict for each entry, the same as the report gives, whatever the ledger and however much of it
//! is remembered at a time.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::Body;
use countersign_verifier::audit::{
    AuditOptions, EntryVerdict, EntryWord, Listing, NAMED_MAX, Report, Verdict, audit, audit_listing,
};
use countersign_verifier::cli::run;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::aftermath::{crash, side_by_side, unattended};
use crate::support::cast::Who;
use crate::support::file::store;
use crate::support::story::tell;
use crate::support::writer::{Draft, Twist, Writer};
use crate::support::{Told, anchored};

type Outcome = Result<(), Box<dyn Error>>;

/// A ledger in a file of its own.
struct Stored {
    _folder: TempDir,
    path: PathBuf,
}

impl Stored {
    fn new(told: &Told) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ledger.db");
        store(told, &path)?;
        Ok(Self { _folder: folder, path })
    }

    /// Changes the file as its owner can.
    fn alter(told: &Told, sql: &str) -> Result<Self, Box<dyn Error>> {
        let stored = Self::new(told)?;
        let connection = Connection::open(&stored.path)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.execute_batch(sql)?;
        Ok(stored)
    }

    fn list(&self, options: &AuditOptions, entries_max: usize) -> Result<Vec<EntryVerdict>, Box<dyn Error>> {
        let reader = LedgerReader::open(&self.path)?;
        let (_, listing): (Report, Listing) = audit_listing(&reader, options, entries_max);
        let mut lines = Vec::new();
        listing.tell(&reader, options, |verdict| {
            lines.push(verdict.clone());
            Ok::<(), Box<dyn Error>>(())
        })?;
        Ok(lines)
    }
}

fn told(writer: &Writer<'_>) -> Told {
    Told::from_written(writer)
}

/// What stands at the entry with this label: the word, and the codes.
#[track_caller]
fn stands(writer: &Writer<'_>, lines: &[EntryVerdict], label: &str, word: EntryWord, codes: &[&str]) {
    let seq = writer.at(label);
    let line = lines.iter().find(|line| line.entry == Some(seq)).expect("a line");
    let found: Vec<&str> = line.codes.iter().map(|code| code.as_str()).collect();
    assert_eq!((line.verdict, found.as_slice()), (word, codes), "{label}");
}

#[test]
fn every_entry_of_an_honest_ledger_is_sound() -> Outcome {
    let writer = tell(Twist::honest());
    let lines = Stored::new(&told(&writer))?.list(&anchored(), NAMED_MAX)?;
    assert_eq!(lines.len(), writer.entries.len());
    for (place, line) in lines.iter().enumerate() {
        assert_eq!(line.entry.map(|seq| seq.get()), Some(place as u64));
        assert_eq!((line.verdict, line.codes.as_slice()), (EntryWord::Sound, &[][..]));
        assert!(line.kind.is_some());
    }
    assert_eq!(lines[0].kind.map(|kind| kind.name()), Some("ledger.opened"));
    Ok(())
}

#[test]
fn what_rests_on_a_damaged_entry_is_damaged_without_a_code() -> Outcome {
    let writer = tell(Twist::draft("edit", |draft: &mut Draft| draft.signer = Who::Stranger));
    let lines = Stored::new(&told(&writer))?.list(&anchored(), NAMED_MAX)?;
    stands(&writer, &lines, "edit", EntryWord::Damaged, &["I2"]);
    stands(&writer, &lines, "edit-decision", EntryWord::Damaged, &[]);
    stands(&writer, &lines, "edit-finish", EntryWord::Damaged, &[]);
    stands(&writer, &lines, "bash", EntryWord::Sound, &[]);
    let unsound = lines.iter().filter(|line| line.verdict != EntryWord::Sound);
    assert_eq!(unsound.count(), 3);
    Ok(())
}

#[test]
fn an_entry_that_a_later_one_names_is_told_of_at_its_place() -> Outcome {
    let writer = tell(Twist::honest());
    let mut changed = told(&writer);
    let place = usize::try_from(writer.at("fetch").get())?;
    let last = changed.entries[place].record.len() - 1;
    changed.entries[place].record[last] ^= 1;
    let lines = Stored::new(&changed)?.list(&anchored(), NAMED_MAX)?;
    assert!(lines[place].verdict == EntryWord::Damaged && !lines[place].codes.is_empty());
    let open = side_by_side(Twist::omit("second-stop"));
    let lines = Stored::new(&told(&open))?.list(&anchored(), NAMED_MAX)?;
    stands(&open, &lines, "second", EntryWord::Unproven, &["C2"]);
    stands(&open, &lines, "closed", EntryWord::Sound, &[]);
    let crashed = crash(Twist::honest());
    let lines = Stored::new(&told(&crashed))?.list(&anchored(), NAMED_MAX)?;
    stands(&crashed, &lines, "opened", EntryWord::Unproven, &["C2"]);
    stands(&crashed, &lines, "call-2", EntryWord::Unproven, &["C3"]);
    stands(&crashed, &lines, "closed", EntryWord::Unproven, &["C1"]);
    Ok(())
}

#[test]
fn a_breach_an_absent_payload_and_a_newer_entry_have_their_own_words() -> Outcome {
    let broken = tell(Twist::statement("edit-finish", |statement| {
        if let Body::ActionFinished(body) = &mut statement.body {
            body.started = None;
        }
    }));
    let lines = Stored::new(&told(&broken))?.list(&anchored(), NAMED_MAX)?;
    stands(&broken, &lines, "edit-finish", EntryWord::Broken, &["D7"]);
    let withheld = tell(Twist::draft("edit-decision", |draft: &mut Draft| {
        draft.withheld.push(0)
    }));
    let lines = Stored::new(&told(&withheld))?.list(&anchored(), NAMED_MAX)?;
    stands(&withheld, &lines, "edit-decision", EntryWord::Unproven, &["I9", "D4a"]);
    let newer = tell(Twist::statement("layer1", |statement| {
        if let Body::PolicyAdopted(body) = &mut statement.body {
            body.language = crate::support::credentials::name("cedar-5");
        }
    }));
    let lines = Stored::new(&told(&newer))?.list(&anchored(), NAMED_MAX)?;
    stands(&newer, &lines, "layer1", EntryWord::Unjudged, &["U2"]);
    Ok(())
}

#[test]
fn what_concerns_the_whole_comes_last_and_only_then() -> Outcome {
    let writer = tell(Twist::honest());
    let lines = Stored::new(&told(&writer))?.list(&AuditOptions::default(), NAMED_MAX)?;
    let last = lines.last().expect("a line");
    assert_eq!((last.entry, last.kind, last.verdict), (None, None, EntryWord::Unproven));
    assert_eq!(last.codes.iter().map(|code| code.as_str()).collect::<Vec<_>>(), ["C4"]);
    assert!(lines.iter().rev().skip(1).all(|line| line.verdict == EntryWord::Sound));
    Ok(())
}

#[test]
fn what_is_named_where_no_row_stands_has_a_line_in_its_place() -> Outcome {
    let writer = tell(Twist::honest());
    let strayed = "INSERT INTO payload SELECT 8 * 1000, salt, bytes FROM payload LIMIT 1;";
    let columns = columns_of(&told(&writer), "payload")?;
    let strayed = strayed.replace("salt, bytes", &columns[1..].join(", "));
    let stored = Stored::alter(&told(&writer), &strayed)?;
    let lines = stored.list(&anchored(), NAMED_MAX)?;
    let last = lines.last().expect("a line");
    assert_eq!((last.entry.map(|seq| seq.get()), last.kind), (Some(1000), None));
    assert_eq!(
        (lines.len(), last.verdict),
        (writer.entries.len() + 1, EntryWord::Broken)
    );
    Ok(())
}

fn columns_of(told: &Told, table: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let stored = Stored::new(told)?;
    let connection = Connection::open(&stored.path)?;
    let statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    Ok(statement.column_names().map(str::to_owned).collect())
}

/// Ledgers that many hands were at: each ninth row missing, malformed, without payloads, or with a changed byte.
fn damaged() -> Result<Vec<Stored>, Box<dyn Error>> {
    let honest = told(&tell(Twist::honest()));
    let mut all = vec![
        Stored::new(&told(&crash(Twist::honest())))?,
        Stored::new(&told(&unattended(Twist::honest())))?,
    ];
    let key = columns_of(&honest, "record")?.swap_remove(0);
    for place in (0..honest.entries.len()).step_by(9) {
        all.push(Stored::alter(
            &honest,
            &format!("DELETE FROM record WHERE {key} = {place}"),
        )?);
        for change in [
            |told: &mut Told, place: usize| told.entries[place].record.push(0),
            |told: &mut Told, place: usize| told.entries[place].payloads.clear(),
            |told: &mut Told, place: usize| {
                let middle = told.entries[place].record.len() / 2;
                told.entries[place].record[middle] ^= 1;
            },
        ] {
            let mut changed = honest.clone();
            change(&mut changed, place);
            all.push(Stored::new(&changed)?);
        }
    }
    let mut everywhere = honest.clone();
    everywhere
        .entries
        .iter_mut()
        .step_by(2)
        .for_each(|entry| entry.record.push(0));
    all.push(Stored::new(&everywhere)?);
    Ok(all)
}

#[test]
fn the_lines_name_what_the_report_names_however_little_is_remembered() -> Outcome {
    let mut named = 0;
    for stored in damaged()? {
        let lines = stored.list(&anchored(), NAMED_MAX)?;
        let report = audit(&LedgerReader::open(&stored.path)?, &anchored());
        let all = report.findings.iter().chain(&report.unproven);
        let reported: BTreeSet<_> = all.map(|finding| (finding.entry, finding.code)).collect();
        let codes = |line: &EntryVerdict| line.codes.iter().map(|code| (line.entry, *code)).collect::<Vec<_>>();
        let listed: BTreeSet<_> = lines.iter().flat_map(codes).collect();
        assert_eq!(listed, reported);
        assert!(
            lines
                .windows(2)
                .all(|pair| pair[1].entry.is_none() || pair[0].entry < pair[1].entry)
        );
        let is_grave = |line: &EntryVerdict| matches!(line.verdict, EntryWord::Broken | EntryWord::Damaged);
        assert_eq!(lines.iter().any(is_grave), report.verdict() == Verdict::Rejected);
        for entries_max in [1, 3] {
            assert_eq!(stored.list(&anchored(), entries_max)?, lines, "{entries_max} at a time");
        }
        named += listed.len();
    }
    assert!(named > 50, "{named} codes");
    Ok(())
}

/// Exit code, what was printed, and what went wrong.
fn verify(arguments: &[&str], ledgers: &[&Path]) -> Result<(u8, String, String), Box<dyn Error>> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let trust = ["verify", "--trust", Who::Principal.did().short()];
    let arguments = trust.iter().chain(arguments).map(OsString::from);
    let ledgers = ledgers.iter().map(|path| OsString::from(*path));
    let code = run(arguments.chain(ledgers), &mut out, &mut err);
    Ok((code, String::from_utf8(out)?, String::from_utf8(err)?))
}

#[test]
fn entries_prints_nothing_but_lines_and_exits_as_always() -> Outcome {
    let writer = tell(Twist::draft("edit", |draft: &mut Draft| draft.signer = Who::Stranger));
    let stored = Stored::new(&told(&writer))?;
    let (code, out, err) = verify(&["--entries"], &[&stored.path])?;
    assert_eq!((code, err.as_str(), out.lines().count()), (1, "", writer.entries.len()));
    assert_eq!(out.lines().next(), Some("entry 0  ledger.opened  sound"));
    let place = usize::try_from(writer.at("edit").get())?;
    let line = out.lines().nth(place);
    assert_eq!(
        line,
        Some(format!("entry {place}  action.requested  damaged I2").as_str())
    );
    let (code, out, _) = verify(&["--entries", "--json"], &[&stored.path])?;
    let lines: Vec<Value> = out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let expected = json!({
        "schema": "countersign.entry-verdict/v1",
        "entry": place,
        "kind": "action.requested",
        "verdict": "damaged",
        "codes": ["I2"],
        "input": stored.path.display().to_string(),
    });
    assert_eq!((code, &lines[place]), (1, &expected));
    Ok(())
}

#[test]
fn entries_of_several_inputs_say_of_which_and_an_unreadable_one_has_a_line() -> Outcome {
    let stored = Stored::new(&told(&tell(Twist::honest())))?;
    let nothing = stored.path.with_file_name("nothing.db");
    std::fs::write(&nothing, b"no ledger")?;
    let (code, out, err) = verify(&["--entries"], &[&stored.path, &nothing])?;
    assert_eq!(code, 4);
    assert!(err.starts_with("error: "), "{err}");
    let first = format!("{}: entry 0  ledger.opened  sound", stored.path.display());
    let last = format!("{}: ledger  -  unjudged U1", nothing.display());
    assert_eq!(
        (out.lines().next(), out.lines().last()),
        (Some(first.as_str()), Some(last.as_str()))
    );
    let (code, _, _) = verify(&["--entries", "--explain"], &[&stored.path])?;
    assert_eq!(code, 2);
    Ok(())
}
