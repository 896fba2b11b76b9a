//! Where the public vectors are: `$COUNTERSIGN_VECTORS`, by default beside the workspace.

use std::path::{Path, PathBuf};

/// Finds `name` among the public vectors, or says on stderr that `test` is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test has to be seen")]
pub(crate) fn vectors(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("COUNTERSIGN_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {test}: no vectors at {}", path.display());
    None
}

/// Lists every `.json` file below `folder`, sorted.
pub(crate) fn json_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(json_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
