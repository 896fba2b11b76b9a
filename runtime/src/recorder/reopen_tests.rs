//! What becomes of a ledger that is opened again: the clock goes on, everybody who died has a successor, folds are used.

use std::error::Error;
use std::path::{Path, PathBuf};

use countersign_identity::instant::Window;
use countersign_ledger::head_file::HeadError;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{EventCode, Role, SessionEvent};
use countersign_schemas::record::Record;
use countersign_verifier::audit::{AuditOptions, Report, Verdict, audit};
use countersign_verifier::code::Code;
use countersign_verifier::fold_file::{FoldFile, FoldKey};

use super::tests::{anchored_by, authority};
use super::*;

type Checked<T = ()> = Result<T, Box<dyn Error>>;

struct Scene {
    _folder: tempfile::TempDir,
    place: Place,
    authority: Authority,
    window: Window,
    anchored: AuditOptions,
}

impl Scene {
    /// A new ledger, and whoever has it.
    fn new() -> Checked<(Self, Recorder)> {
        let folder = tempfile::tempdir()?;
        let place = Place::new(folder.path().canonicalize()?.join("ledger.db"));
        let (authority, window) = authority()?;
        let recorder = Recorder::create(place.clone(), &authority, window, Digest::sha256(b"build"))?;
        let anchored = anchored_by(&authority);
        let scene = Self {
            _folder: folder,
            place,
            authority,
            window,
            anchored,
        };
        Ok((scene, recorder))
    }

    fn path(&self) -> &Path {
        self.place.ledger()
    }

    fn take_up(&self) -> Checked<Recorder> {
        Ok(Existing::open(&self.place, &self.authority)?.take_up(&self.authority, self.window)?)
    }

    /// What an auditor finds who was given the head.
    fn report(&self) -> Checked<Report> {
        let head = std::fs::read(self.path().with_file_name("ledger.db-head"))?;
        let options = AuditOptions {
            heads: vec![head],
            ..self.anchored.clone()
        };
        Ok(audit(&LedgerReader::open(self.path())?, &options))
    }

    fn size(&self) -> Checked<usize> {
        Ok(LedgerReader::open(self.path())?.entries().count())
    }

    fn bodies(&self) -> Checked<Vec<Body>> {
        let reader = LedgerReader::open(self.path())?;
        let body = |record: Vec<u8>| -> Checked<Body> {
            let record = Record::decode(&record)?;
            let envelope = cose::Unverified::parse(&record.statement)?;
            Ok(Statement::decode(envelope.payload())?.body)
        };
        reader.entries().map(|entry| body(entry?.record)).collect()
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, RecordError>>) -> Checked<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future)?)
}

#[test]
fn time_goes_on_from_the_last_entry_although_the_clock_was_set_back() -> Checked {
    let (scene, recorder) = Scene::new()?;
    recorder.lock().clock.run_ahead(60_000);
    block_on(recorder.leave())?;
    let last = Existing::open(&scene.place, &scene.authority)?.law().last_received();
    let recorder = scene.take_up()?;
    assert!(recorder.now() >= last);
    block_on(recorder.close())?;
    let stepped = |body: &&Body| matches!(body, Body::SessionEvent(event) if event.code == EventCode::ClockStepped);
    assert!(scene.bodies()?.iter().any(|body| stepped(&body)));
    assert_eq!(scene.report()?.verdict(), Verdict::Verified);
    Ok(())
}

#[test]
fn whoever_died_is_succeeded_and_whoever_left_is_not() -> Checked {
    let (scene, recorder) = Scene::new()?;
    drop(recorder);
    block_on(scene.take_up()?.leave())?;
    block_on(scene.take_up()?.close())?;
    let succeeds = |body: Body| match body {
        Body::IdentityIntroduced(newcomer) if newcomer.role == Role::Runtime => Some(newcomer.succeeds),
        _ => None,
    };
    let succeeded: Vec<_> = scene.bodies()?.into_iter().filter_map(succeeds).collect();
    assert_eq!(succeeded, [Some(Seq::ZERO), None]);
    let report = scene.report()?;
    assert_eq!(report.verdict(), Verdict::Incomplete);
    assert!(report.findings.is_empty());
    assert!(report.unproven.iter().all(|finding| finding.code == Code::C2));
    Ok(())
}

#[test]
fn opening_begins_with_the_fold_and_heads_before_and_behind_it_are_compared() -> Checked {
    let (scene, recorder) = Scene::new()?;
    let fold = scene.path().with_file_name("ledger.db-fold");
    let head = scene.path().with_file_name("ledger.db-head");
    block_on(recorder.leave())?;
    let (first_fold, first_head) = (std::fs::read(&fold)?, std::fs::read(&head)?);
    block_on(scene.take_up()?.leave())?;
    let reader = LedgerReader::open(scene.path())?;
    let key = FoldKey::of_ledger(scene.authority.host(), &reader).ok_or("no key")?;
    let folded = FoldFile::beside(scene.path()).read(&key, &reader).ok_or("no fold")?;
    assert_eq!(folded.law.next_seq().get(), reader.entries().count() as u64);
    drop(reader);
    // An old head is behind the fold, and a new one before an old fold.
    let last_head = std::fs::read(&head)?;
    std::fs::write(&head, first_head)?;
    Existing::open(&scene.place, &scene.authority)?.put_back();
    std::fs::write(&head, last_head)?;
    std::fs::write(&fold, first_fold)?;
    Existing::open(&scene.place, &scene.authority)?.put_back();
    block_on(scene.take_up()?.close())?;
    assert!(!fold.exists(), "nobody opens a closed ledger again");
    assert_eq!(scene.report()?.verdict(), Verdict::Verified);
    Ok(())
}

#[test]
fn ledger_is_given_back_without_an_entry_where_it_cannot_be_gone_on_with() -> Checked {
    let (scene, recorder) = Scene::new()?;
    block_on(recorder.leave())?;
    let (stranger, _) = authority()?;
    let before = scene.size()?;
    let refused = Existing::open(&scene.place, &stranger).err();
    assert!(matches!(refused, Some(OpenError::OtherHost { .. })), "{refused:?}");
    std::fs::write(scene.path().with_file_name("ledger.db-head"), "no head")?;
    let refused = Existing::open(&scene.place, &scene.authority).err();
    let is_refused =
        matches!(&refused, Some(OpenError::Head { source, .. }) if matches!(**source, HeadError::NotSigned(_)));
    assert!(is_refused, "{refused:?}");
    let missing = Existing::open(&Place::new(PathBuf::from("/nowhere/ledger.db")), &scene.authority).err();
    assert!(matches!(missing, Some(OpenError::Store(_))), "{missing:?}");
    assert_eq!(scene.size()?, before);
    for left in ["-lock", "-wal", "-shm"] {
        assert!(
            !scene.path().with_file_name(format!("ledger.db{left}")).exists(),
            "{left}"
        );
    }
    Ok(())
}

#[test]
fn head_is_kept_while_a_ledger_is_at_work() -> Checked {
    let (scene, recorder) = Scene::new()?;
    let head = scene.path().with_file_name("ledger.db-head");
    let event = SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: None,
    };
    recorder.enter_own(event.into(), Vec::new())?.in_order();
    let begun = std::time::Instant::now();
    let covers_two = || {
        let note = std::fs::read_to_string(&head).unwrap_or_default();
        note.lines().nth(1) == Some("2")
    };
    while !covers_two() {
        assert!(begun.elapsed().as_secs() < 20, "no head over two entries");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    block_on(recorder.close())
}

/// `cargo test -p countersign-runtime --lib -- --ignored --nocapture how_long` with the number of entries in `ENTRIES`.
#[test]
#[ignore = "a measurement, not a claim"]
fn how_long_opening_takes() -> Checked {
    use std::io::Write as _;
    let entries: u64 = std::env::var("ENTRIES")
        .unwrap_or_else(|_| "1000000".to_owned())
        .parse()?;
    let (scene, recorder) = Scene::new()?;
    for _ in 0..entries {
        let event = SessionEvent {
            code: EventCode::Warning,
            about: None,
            detail: None,
        };
        recorder.enter_own(event.into(), Vec::new())?.in_order();
    }
    block_on(recorder.leave())?;
    for what in ["with its fold", "again", "without"] {
        if what == "without" {
            std::fs::remove_file(scene.path().with_file_name("ledger.db-fold"))?;
        }
        let begun = std::time::Instant::now();
        let existing = Existing::open(&scene.place, &scene.authority)?;
        let took = begun.elapsed();
        writeln!(
            std::io::stderr(),
            "{} entries, {what}: {took:?}",
            existing.law().next_seq()
        )?;
        existing.put_back();
    }
    Ok(())
}
