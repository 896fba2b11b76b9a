//! The `countersign` binary as a process: what needs no ledger, and a run whose grant cannot be handed on. Other runs,
//! and demos, are tested in `tests/`.

use std::error::Error;
use std::process::{Command, Output};

use serde_json::Value;

type Checked<T = ()> = Result<T, Box<dyn Error>>;

fn countersign(arguments: &[&str]) -> Checked<Output> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    Ok(command
        .args(arguments)
        .env("COUNTERSIGN_HOME", home.path())
        .env_remove("COUNTERSIGN_MODEL")
        .output()?)
}

fn code(arguments: &[&str]) -> Checked<Option<i32>> {
    Ok(countersign(arguments)?.status.code())
}

#[test]
fn the_version_is_printed_and_is_the_packages() -> Checked {
    let output = countersign(&["--version"])?;
    assert_eq!(
        String::from_utf8(output.stdout)?,
        format!("countersign {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

#[test]
fn wrong_arguments_exit_2() -> Checked {
    for arguments in [
        &["frobnicate"][..],
        &[],
        &["run"],
        &["ledger"],
        &["tools", "--frobnicate"],
        &["ledger", "show", "x"],
        &["run", " ", "--model", "scripted:none.json"],
    ] {
        assert_eq!(code(arguments)?, Some(2), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_run_without_a_principal_exits_4_and_names_init() -> Checked {
    let output = countersign(&["run", "task", "--model", "scripted:none.json"])?;
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr)?.contains("countersign init"));
    assert!(output.stdout.is_empty());
    Ok(())
}

#[test]
fn the_tools_are_those_of_the_law() -> Checked {
    let output = countersign(&["tools", "--json"])?;
    let tools: Value = serde_json::from_slice(&output.stdout)?;
    let names: Vec<&str> = tools["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    let law: Vec<&str> = countersign_verifier::projection::TOOLS
        .iter()
        .map(|profile| profile.name)
        .collect();
    assert_eq!(tools["schema"], "countersign.tools/v1");
    assert_eq!(names.len(), law.len());
    assert!(law.iter().all(|name| names.contains(name)), "{names:?}");
    Ok(())
}

#[test]
fn verify_is_the_same_program_as_the_standalone_one() -> Checked {
    assert_eq!(code(&["verify"])?, Some(2));
    assert_eq!(code(&["verify", "/nowhere/ledger.db"])?, Some(4));
    assert_eq!(code(&["verify", "--help"])?, Some(0));
    Ok(())
}

#[test]
fn a_passphrase_is_asked_for_or_init_makes_nothing() -> Checked {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(["init", "--no-input"])
        .env("COUNTERSIGN_HOME", home.path().join("home"));
    command
        .env_remove("COUNTERSIGN_PASSPHRASE")
        .env_remove("COUNTERSIGN_PASSPHRASE_FILE");
    let output = command.output()?;
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr)?.contains("COUNTERSIGN_PASSPHRASE_FILE"));
    assert!(!home.path().join("home").exists());
    Ok(())
}

/// `grant issue --depth 1` is documented as a lead alone: its calls of `agent` fail, and the run goes on.
#[test]
fn a_lead_that_may_not_delegate_is_told_so() -> Checked {
    let home = tempfile::tempdir()?;
    let place = |name: &str| home.path().join(name).display().to_string();
    let script = r#"{"schema":"countersign.script/v1","agents":{"lead":[
        {"calls":[{"tool":"agent","args":{"type":"explore","name":"scout","task":"look"}}]},{"say":"Alone, then."}]}}"#;
    std::fs::write(place("script.json"), script)?;
    std::fs::create_dir(place("work"))?;
    let model = format!("scripted:{}", place("script.json"));
    let commands: [&[&str]; 3] = [
        &["init", "--no-input", "--no-passphrase"],
        &[
            "grant",
            "issue",
            "--no-input",
            "--depth",
            "1",
            "--path",
            &place("work"),
            "-o",
            &place("grant"),
        ],
        &[
            "run",
            "--no-input",
            "--model",
            &model,
            "--dir",
            &place("work"),
            "--grant",
            &place("grant"),
            "--ledger",
            &place("ledger.db"),
            "look around",
        ],
    ];
    for arguments in commands {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let output = command.args(arguments).env("COUNTERSIGN_HOME", home.path()).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn an_init_that_fails_half_way_takes_back_its_keys_and_nothing_else() -> Checked {
    let home = tempfile::tempdir()?;
    let policy = home.path().join("policy.cedar");
    std::fs::write(&policy, "mine")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command
        .args(["init", "--no-passphrase"])
        .env("COUNTERSIGN_HOME", home.path())
        .output()?;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(std::fs::read_to_string(&policy)?, "mine");
    for made in ["principal.key", "host.key", "approver.key", "principal.did"] {
        assert!(!home.path().join(made).exists(), "{made}");
    }
    Ok(())
}
