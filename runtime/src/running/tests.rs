use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::session::StopSwitch;

type Checked<T = ()> = Result<T, Box<dyn std::error::Error>>;

const LONG: Duration = Duration::from_secs(20);

struct Place {
    _home: TempDir,
    path: PathBuf,
    folder: RunningFolder,
}

fn place() -> Checked<Place> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("running");
    let folder = RunningFolder::open_or_make(&path)?;
    Ok(Place {
        _home: home,
        path,
        folder,
    })
}

fn entry() -> Entry {
    Entry {
        pid: 7,
        command: "run".to_owned(),
        ledger: "/tmp/ledger.db".to_owned(),
        since: 1,
        task: Entry::shown_task("work"),
    }
}

fn ended() -> Ended {
    Ended {
        reason: Some("done".to_owned()),
        halt: None,
        text: "Done.".to_owned(),
    }
}

fn names(path: &Path) -> Checked<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) -> Checked {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > LONG {
            return Err(what.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

#[test]
fn folder_of_others_or_open_to_them_is_refused() -> Checked {
    let home = tempfile::tempdir()?;
    let real = home.path().join("real");
    fs::create_dir(&real)?;
    for mode in [0o755, 0o770, 0o701, 0o777] {
        fs::set_permissions(&real, Permissions::from_mode(mode))?;
        let refused = RunningFolder::open_or_make(&real);
        assert!(matches!(refused, Err(RunningError::NotPrivate { .. })), "{mode:o}");
    }
    fs::set_permissions(&real, Permissions::from_mode(0o700))?;
    assert!(RunningFolder::open(&real)?.is_some());
    let (link, file) = (home.path().join("link"), home.path().join("file"));
    symlink(&real, &link)?;
    fs::write(&file, "")?;
    for path in [link, file] {
        let refused = RunningFolder::open(&path);
        assert!(
            matches!(refused, Err(RunningError::NotPrivate { .. })),
            "{}",
            path.display()
        );
    }
    assert!(RunningFolder::open(&home.path().join("none"))?.is_none());
    Ok(())
}

#[test]
fn run_is_listed_while_it_goes_on_and_leaves_nothing() -> Checked {
    let place = place()?;
    let registration = Registration::enter(place.folder.clone(), &entry(), StopSwitch::default())?;
    let listing = place.folder.list()?;
    assert_eq!(listing.running, [(registration.id().clone(), entry())]);
    let mode = fs::metadata(place.path.join(format!("{}.run", registration.id())))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    registration.end(ended());
    assert!(place.folder.list()?.running.is_empty());
    assert_eq!(names(&place.path)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn entry_of_a_process_that_died_is_recognised_and_taken_away_with_its_request() -> Checked {
    let place = place()?;
    fs::write(place.path.join("0123abcd.run"), serde_json::to_vec(&entry())?)?;
    fs::write(place.path.join("0123abcd.stop"), "")?;
    let listing = place.folder.list()?;
    assert!(listing.running.is_empty());
    assert_eq!(
        listing.stale.iter().map(RunId::as_str).collect::<Vec<_>>(),
        ["0123abcd"]
    );
    assert_eq!(names(&place.path)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn links_folders_and_other_names_are_no_entries() -> Checked {
    let place = place()?;
    let elsewhere = place.path.with_file_name("elsewhere");
    fs::write(&elsewhere, serde_json::to_vec(&entry())?)?;
    let held = File::open(&elsewhere)?;
    held.lock()?;
    symlink(&elsewhere, place.path.join("00000001.run"))?;
    fs::create_dir(place.path.join("00000002.run"))?;
    for name in ["0000000g.run", "0000000A.run", "1.run", "000000001.run", "00000003.txt"] {
        fs::write(place.path.join(name), serde_json::to_vec(&entry())?)?;
    }
    let listing = place.folder.list()?;
    assert!(listing.running.is_empty() && listing.stale.is_empty(), "{listing:?}");
    Ok(())
}

#[test]
fn live_entry_that_is_no_document_is_left_alone() -> Checked {
    let place = place()?;
    let path = place.path.join("00000001.run");
    fs::write(&path, "{\"pid\":")?;
    let held = File::open(&path)?;
    held.lock()?;
    let listing = place.folder.list()?;
    assert!(listing.running.is_empty() && listing.stale.is_empty());
    assert!(path.exists());
    Ok(())
}

#[test]
fn request_pulls_the_switch_and_the_end_is_reported() -> Checked {
    let place = place()?;
    let switch = StopSwitch::default();
    let registration = Registration::enter(place.folder.clone(), &entry(), switch.clone())?;
    let request = Request::leave(&place.folder, registration.id())?.ok_or("it runs")?;
    let again = Request::leave(&place.folder, registration.id())?.ok_or("it still runs")?;
    wait_until("the switch was not pulled", || switch.is_pulled())?;
    let waiting = request.wait(Duration::ZERO)?;
    assert!(
        matches!(&waiting, Answer::Waiting(report) if report.ended.is_none()),
        "{waiting:?}"
    );
    registration.end(ended());
    for request in [request, again] {
        let answer = request.wait(LONG)?;
        assert!(
            matches!(&answer, Answer::Ended(report) if report.ended == Some(ended())),
            "{answer:?}"
        );
    }
    Ok(())
}

#[test]
fn request_that_is_a_link_or_a_folder_stops_nothing() -> Checked {
    let place = place()?;
    for make in [
        |path: &Path| symlink("/etc/passwd", path),
        |path: &Path| fs::create_dir(path),
    ] {
        let switch = StopSwitch::default();
        let registration = Registration::enter(place.folder.clone(), &entry(), switch.clone())?;
        let request = place.path.join(format!("{}.stop", registration.id()));
        make(&request)?;
        std::thread::sleep(Duration::from_millis(350));
        assert!(!switch.is_pulled());
        registration.end(ended());
        let _ = fs::remove_dir(&request);
    }
    Ok(())
}

#[test]
fn run_that_ends_first_is_over_and_one_that_dies_is_told_apart() -> Checked {
    let place = place()?;
    let registration = Registration::enter(place.folder.clone(), &entry(), StopSwitch::default())?;
    let id = registration.id().clone();
    let request = Request::leave(&place.folder, &id)?.ok_or("it runs")?;
    fs::remove_file(place.path.join(format!("{id}.stop")))?;
    registration.end(ended());
    let answer = request.wait(LONG)?;
    // Either it saw the request in time, or it did not.
    assert!(matches!(answer, Answer::Over | Answer::Died(_)), "{answer:?}");
    assert!(Request::leave(&place.folder, &id)?.is_none());

    fs::write(place.path.join("0123abcd.run"), serde_json::to_vec(&entry())?)?;
    let dead = RunId::parse("0123abcd").ok_or("an id")?;
    let request = Request::leave(&place.folder, &dead)?.ok_or("an entry")?;
    assert_eq!(request.wait(LONG)?, Answer::Died(Report::default()));
    assert!(!place.path.join("0123abcd.stop").exists());
    Ok(())
}

#[test]
fn entries_show_one_line_of_a_task_and_nothing_a_terminal_obeys() {
    let shown = Entry::shown_task(&format!("first\u{1b}[2J {}\nsecond", "x".repeat(500)));
    assert!(shown.chars().count() <= 70, "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains("second"), "{shown}");
}
