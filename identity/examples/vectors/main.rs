//! Writes the golden vectors of identity-v1 to `schemas/vectors/identity`, the same bytes at every run.
//!
//! `cargo run -p countersign-identity --example identity-vectors`

mod cases;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/vectors/identity"));
    std::fs::create_dir_all(folder)?;
    for vector in cases::all()? {
        std::fs::write(folder.join(&vector.file), vector.to_text()?)?;
    }
    Ok(())
}
