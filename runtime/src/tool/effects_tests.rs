//! The types keep every primitive behind a permit; this keeps new primitives from growing beside them.

use std::error::Error;
use std::path::Path;

/// How a source file reaches files, processes or the network.
const EFFECTS: [&str; 9] = [
    "std::fs",
    "tokio::fs",
    "rustix::fs::{",
    "rustix::fs::openat",
    "ignore::",
    "Command::new",
    "std::net",
    "tokio::net",
    "reqwest::",
];

/// What only a redeemed permit gives, and what is made from nothing else.
const PROOFS: [&str; 5] = ["PermittedCall", "FileCall", "CommandCall", "ResultsFolder", "&Permit"];

/// The part of a source that is no test and no comment.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

fn names_any(code: &str, words: &[&str]) -> bool {
    words.iter().any(|word| code.contains(word))
}

/// The code of a file, or of all files of a folder: what asks for the permit may be another file than what needs it.
fn code_of(path: &Path) -> Result<String, Box<dyn Error>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() {
        let files: Vec<_> = path.read_dir()?.collect::<Result<_, _>>()?;
        return files.iter().map(|file| code_of(&file.path())).collect();
    }
    if !name.ends_with(".rs") || name.ends_with("tests.rs") || name == "test_support.rs" {
        return Ok(String::new());
    }
    Ok(code(&std::fs::read_to_string(path)?))
}

#[test]
fn every_module_that_can_reach_the_world_asks_for_a_permitted_call() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tool");
    let mut reaching = 0;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let code = code_of(&path)?;
        if names_any(&code, &EFFECTS) {
            let is_asking = names_any(&code, &PROOFS);
            assert!(is_asking, "{} has effects and asks for no permit", path.display());
            reaching += 1;
        }
    }
    assert!(
        reaching >= 5,
        "only {reaching} modules reach the world: the words of this test are out of date"
    );
    Ok(())
}

#[test]
fn effect_without_a_permit_is_noticed() {
    let bare = code("/// PermittedCall\nuse std::fs::File;\n#[cfg(test)]\nmod tests {\nPermittedCall");
    assert!(names_any(&bare, &EFFECTS) && !names_any(&bare, &PROOFS));
}
