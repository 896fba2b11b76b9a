//! The program's own log: only on request, its owner's alone, and without secrets.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::Checked;
use crate::support::programs::{Ran, run};
use crate::support::workshop::Workshop;

/// A key that nobody has.
fn key() -> String {
    format!("sk-ant-api03-{}", "a1B2".repeat(24))
}

/// A workshop whose task, arguments, files and environment hold secrets, and a run in it.
fn workshop() -> Checked<Workshop> {
    let workshop = Workshop::new()?;
    workshop.file("work/notes.txt", format!("The key is {}.\n", key()))?;
    let missing = format!("notes.txt/{}", key());
    workshop.script(&[
        ("read", json!({ "path": "notes.txt" })),
        ("read", json!({ "path": missing })),
        ("bash", json!({ "command": format!("echo {}", key()) })),
    ])?;
    Ok(workshop)
}

fn work(workshop: &Workshop) -> Command {
    let mut command = workshop.run_command(&[]);
    command.env("SOME_API_KEY", key());
    command
}

fn logs(workshop: &Workshop) -> Checked<Vec<PathBuf>> {
    let folder = workshop.home().join("logs");
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        listing => Ok(listing?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?),
    }
}

fn mode(path: &Path) -> Checked<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// The run went on, and its ledger is whole.
fn is_undisturbed(workshop: &Workshop, ran: Ran) -> Checked<Ran> {
    let ran = ran.expect(0);
    workshop.verdict()?.expect(0);
    Ok(ran)
}

#[test]
fn without_a_filter_there_is_no_log() -> Checked {
    let workshop = workshop()?;
    let path = workshop.root().join("run.log");
    let ran = run(work(&workshop).env("COUNTERSIGN_LOG_FILE", &path).env("RUST_LOG", ""))?;
    is_undisturbed(&workshop, ran)?;
    run(workshop.countersign().arg("tools").env("RUST_LOG", "off"))?.expect(0);
    assert!(!path.exists() && logs(&workshop)?.is_empty());
    Ok(())
}

#[test]
fn a_log_is_its_owners_alone_and_holds_no_planted_secret() -> Checked {
    let workshop = workshop()?;
    let ran = is_undisturbed(&workshop, run(work(&workshop).env("RUST_LOG", "trace"))?)?;
    assert!(!ran.stderr.contains("warning"), "{ran}");
    let [path] = &logs(&workshop)?[..] else {
        return Err("not one log".into());
    };
    assert_eq!(mode(path)?, 0o600);
    assert_eq!(mode(&workshop.home().join("logs"))?, 0o700);
    let text = fs::read_to_string(path)?;
    assert!(text.contains("begins") && text.contains("ends"), "{text}");
    for secret in [key().as_str(), "a1B2a1B2", "do the work", "notes.txt", "echo"] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
    Ok(())
}

#[test]
fn a_secret_that_reaches_the_log_is_taken_out() -> Checked {
    let workshop = workshop()?;
    let path = workshop.root().join("log");
    let mut command = workshop.run_command(&["--policy", &format!("/nowhere/{}.cedar", key())]);
    run(command
        .env("COUNTERSIGN_LOG", "error")
        .env("COUNTERSIGN_LOG_FILE", &path))?
    .expect(4);
    let text = fs::read_to_string(&path)?;
    assert!(
        text.contains("/nowhere/[secret removed: anthropic key].cedar") && !text.contains("a1B2"),
        "{text}"
    );
    assert_eq!((text.lines().count(), mode(&path)?), (1, 0o600), "{text}");
    assert!(logs(&workshop)?.is_empty());
    Ok(())
}

#[test]
fn a_log_is_never_written_through_a_link() -> Checked {
    let workshop = workshop()?;
    let (target, link) = (workshop.file("target", "")?, workshop.root().join("link"));
    symlink(&target, &link)?;
    let refused = run(work(&workshop)
        .env("RUST_LOG", "trace")
        .env("COUNTERSIGN_LOG_FILE", &link))?;
    is_undisturbed(&workshop, refused)?
        .says("warning: there is no log")
        .says("symbolic link");
    assert!(fs::read(&target)?.is_empty());
    Ok(())
}

#[test]
fn a_folder_of_logs_that_leads_elsewhere_gets_none() -> Checked {
    let workshop = workshop()?;
    let elsewhere = workshop.root().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    symlink(&elsewhere, workshop.home().join("logs"))?;
    let refused = run(work(&workshop).env("RUST_LOG", "trace"))?;
    is_undisturbed(&workshop, refused)?.says("warning: there is no log");
    assert_eq!(fs::read_dir(&elsewhere)?.count(), 0);
    Ok(())
}

#[test]
fn a_log_that_others_can_read_is_not_written_to() -> Checked {
    let workshop = workshop()?;
    let path = workshop.file("log", "")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let refused = run(work(&workshop)
        .env("RUST_LOG", "trace")
        .env("COUNTERSIGN_LOG_FILE", &path))?;
    is_undisturbed(&workshop, refused)?.says("mode 644");
    assert!(fs::read(&path)?.is_empty());
    Ok(())
}

#[test]
fn a_bad_filter_is_named_and_stops_nothing() -> Checked {
    let workshop = workshop()?;
    let ran = run(work(&workshop).env("RUST_LOG", "info,hyper=loud"))?;
    is_undisturbed(&workshop, ran)?.says("warning: RUST_LOG: `hyper=loud`");
    assert_eq!(logs(&workshop)?.len(), 1);
    Ok(())
}
