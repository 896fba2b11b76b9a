//! RFC 8785 vectors of the specification's author.

use countersign_identity::jcs;

use crate::public_vectors::{TestResult, path};

#[test]
fn every_published_input_gives_the_published_output() -> TestResult {
    let Some(root) = path("jcs rfc 8785", "jcs-rfc8785/testdata") else {
        return Ok(());
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("input"))? {
        let input = entry?.path();
        let name = input.file_name().ok_or("no file name")?;
        let value = serde_json::from_slice(&std::fs::read(&input)?)?;
        let expected = std::fs::read(root.join("output").join(name))?;
        assert_eq!(jcs::canonicalize(&value)?, expected, "{}", input.display());
        seen += 1;
    }
    assert_eq!(seen, 6);
    Ok(())
}

#[test]
fn published_outputs_with_integers_only_are_read_back_and_inputs_never() -> TestResult {
    let Some(root) = path("jcs rfc 8785", "jcs-rfc8785/testdata") else {
        return Ok(());
    };
    for name in ["arrays", "french", "structures", "unicode", "weird"] {
        let file = format!("{name}.json");
        let output = std::fs::read(root.join("output").join(&file))?;
        assert_eq!(jcs::canonicalize(&jcs::parse_canonical(&output)?)?, output, "{name}");
        let input = std::fs::read(root.join("input").join(&file))?;
        assert!(jcs::parse_canonical(&input).is_err(), "{name}");
    }
    Ok(())
}
