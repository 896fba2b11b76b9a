//! `countersign policy …`: what policies say, told before a run relies on them. Nothing here is entered or decided.

mod arguments;
mod cases;
mod check;
mod explain;

pub(super) use arguments::PolicyCommand;

use std::io::{self, Read};
use std::path::Path;

use countersign_schemas::body::PolicyLayer;
use countersign_verifier::policy::{LoadedLayer, PolicyError};

use super::exit::{Exit, Failure};
use super::session::{FILE_LEN_BYTES_MAX, read_text};

/// Runs one of the commands on policies.
pub(super) fn run(command: PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check(arguments) => check::run(&arguments),
        PolicyCommand::Test(arguments) => cases::run(&arguments),
        PolicyCommand::Explain(arguments) => explain::run(&arguments),
    }
}

/// The text of a file, or of stdin for `-`.
fn read(path: &Path) -> Result<String, Failure> {
    if path != Path::new("-") {
        return read_text(path);
    }
    let failed = |error: io::Error| Failure::caused(Exit::Environment, "stdin", &error);
    let mut text = String::new();
    let mut input = io::stdin().lock().take(FILE_LEN_BYTES_MAX + 1);
    input.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_LEN_BYTES_MAX {
        let problem = format!("stdin: longer than {FILE_LEN_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Environment, problem));
    }
    Ok(text)
}

/// What a person calls the file.
fn name(path: &Path) -> String {
    if path == Path::new("-") {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    }
}

/// The policies of a file, as a run would take them.
fn load(layer: PolicyLayer, path: &Path, text: &str) -> Result<LoadedLayer, Failure> {
    let refused = |error: PolicyError| {
        Failure::caused(
            Exit::Environment,
            format!("{}: the policy is refused", name(path)),
            &error,
        )
        .hint("`countersign policy check` tells everything that is wrong with it")
    };
    let loaded = LoadedLayer::load_with_examples(layer, text).map_err(refused)?;
    if loaded.is_empty() {
        return Err(refused(PolicyError::Empty));
    }
    Ok(loaded)
}
