//! Writes the golden vectors of authority-v1 to `schemas/vectors/authority`, one file a case; the same every time.

mod cases;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::fs;
use std::io;
use std::path::Path;

/// Writes beside the old vectors and swaps at the end: a case that cannot be made any more leaves the old ones as they were.
fn main() -> io::Result<()> {
    let folder = cases::folder();
    let aside = folder.with_extension("new");
    remove(&aside)?;
    fs::create_dir_all(&aside)?;
    for vector in cases::all() {
        fs::write(aside.join(vector.file_name()), vector.text())?;
    }
    remove(&folder)?;
    fs::rename(&aside, &folder)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
