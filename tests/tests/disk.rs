//! A disk that fills up at any moment of a run: no tool runs without a durable allow, and the ledger stays readable.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::actions::{Action, actions};
use crate::support::namespace::Namespace;
use crate::support::programs::countersign_path;
use crate::support::verdict::Verdict;
use crate::support::workshop::{PERMIT_WORK, Workshop};

const NAME: &str = "full_disk_stops_the_run_and_loses_nothing";

/// Runs with the ledger on a disk of `$3` kilobytes, and copies what is left of it away.
const SCRIPT: &str = r#"
    mount -t tmpfs -o size="$3"k none "$1/small" || exit 99
    cd "$1"
    COUNTERSIGN_HOME=home "$2" run task --model scripted:script.json --dir work \
        --policy policy.cedar --approve never --ledger small/ledger.db
    code=$?
    rm -rf kept && mkdir kept && cp small/* kept/ 2>/dev/null
    exit $code"#;

fn calls() -> Vec<(&'static str, Value)> {
    let call = |number| {
        (
            "write",
            json!({ "path": format!("{number}.txt"), "content": "x".repeat(2_000) }),
        )
    };
    (0..24).map(call).collect()
}

#[test]
fn full_disk_stops_the_run_and_loses_nothing() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&calls())?;
    workshop.file("policy.cedar", PERMIT_WORK)?;
    fs::create_dir(workshop.root().join("small"))?;
    let mut stopped_halfway = 0;
    for kilobytes in [16, 48, 80, 120, 180, 260, 340, 420, 500, 600, 4_000] {
        fs::remove_dir_all(workshop.work())?;
        fs::create_dir(workshop.work())?;
        let size = kilobytes.to_string();
        let arguments = [
            workshop.root().as_os_str(),
            countersign_path().as_os_str(),
            size.as_ref(),
        ]
        .map(ToOwned::to_owned);
        let Some(ran) = Namespace::Mounts.run(NAME, SCRIPT, arguments)? else {
            return Ok(());
        };
        assert!(
            ran.code.is_some_and(|code| [0, 4].contains(&code)),
            "{kilobytes} kB: {ran}"
        );
        assert!(kilobytes != 4_000 || ran.code == Some(0), "it fits: {ran}");
        let ledger = workshop.root().join("kept/ledger.db");
        if !ledger.exists() {
            assert_eq!(ran.code, Some(4), "{kilobytes} kB: {ran}");
            assert_eq!(
                fs::read_dir(workshop.work())?.count(),
                0,
                "{kilobytes} kB: no ledger, no effect"
            );
            continue;
        }
        let verdict = Verdict::of(&ledger, [Path::new("--trust"), &workshop.home().join("principal.did")])?;
        let expected = if ran.code == Some(0) { 0 } else { 3 };
        assert_eq!(verdict.code(), expected, "{kilobytes} kB: {ran}\n{}", verdict.ran);
        stopped_halfway += i32::from(ran.code == Some(4));
        effects_are_permitted(&workshop.work(), &actions(&ledger)?)?;
    }
    assert!(stopped_halfway > 0, "no size filled the disk in the middle of the run");
    Ok(())
}

/// Fails unless the ledger permits the writing of every file in the folder.
pub(crate) fn effects_are_permitted(work: &Path, actions: &[Action]) -> Checked {
    for entry in fs::read_dir(work)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A file that was about to take its place when the run was killed.
        let is_half_made = name.starts_with(".countersign-");
        let permits = |action: &Action| {
            let makes_it = action.argument("path") == name || action.argument("command").contains(&name);
            action.is_permitted() && (makes_it || is_half_made && action.tool == "write" && action.finished.is_none())
        };
        assert!(actions.iter().any(permits), "nothing permits {name}: {actions:#?}");
    }
    Ok(())
}
