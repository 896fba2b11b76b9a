//! Writes the golden vectors of ledger-v1 to `schemas/vectors/ledger`, one file a case; the same every time.

#[path = "vectors/mod.rs"]
mod vectors;

use std::fs;
use std::io;

fn main() -> io::Result<()> {
    let folder = vectors::folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for vector in vectors::all() {
        fs::write(folder.join(&vector.name).with_extension("json"), vector.text())?;
    }
    Ok(())
}
