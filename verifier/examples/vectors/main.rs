//! Writes the golden vectors of authority-v1 to `schemas/vectors/authority`, one file a case; the same every time.

mod cases;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::fs;
use std::io;

fn main() -> io::Result<()> {
    let folder = cases::folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for vector in cases::all() {
        fs::write(folder.join(vector.file_name()), vector.text())?;
    }
    Ok(())
}
