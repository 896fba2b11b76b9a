//! The folder holds exactly what the program writes.

use crate::TestResult;
use crate::vectors;

#[test]
fn vectors_on_disk_are_those_that_the_program_writes() -> TestResult {
    let folder = vectors::folder();
    let mut expected = Vec::new();
    for vector in vectors::all() {
        let file = format!("{}.json", vector.name);
        let found = std::fs::read_to_string(folder.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        assert!(
            found == vector.text(),
            "{file} differs from what the program writes: run the example `vectors`"
        );
        expected.push(file);
    }
    expected.sort();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        found.push(entry?.file_name().to_string_lossy().into_owned());
    }
    found.sort();
    assert_eq!(found, expected);
    Ok(())
}
