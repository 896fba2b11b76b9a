use std::path::PathBuf;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn key_file(credential: Option<Vec<u8>>) -> Result<KeyFile, KeyFileError> {
    let secret = HybridSecret::from_seeds(Seed32::new([1; 32]), Seed32::new([2; 32]));
    KeyFile::new(Purpose::Principal, secret, credential)
}

fn passphrase(text: &str) -> Result<Passphrase, KeyFileError> {
    Passphrase::new(text.to_owned())
}

const FAST: WorkFactor = WorkFactor(4);

fn folder() -> Result<(tempfile::TempDir, PathBuf), std::io::Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("principal.key");
    Ok((folder, path))
}

/// Puts text in the place of a good plain file.
fn with_text(text: &str) -> Result<KeyFileError, Box<dyn std::error::Error>> {
    let (_folder, path) = folder()?;
    key_file(None)?.create(&path, &Protection::Plain)?;
    std::fs::write(&path, text)?;
    Ok(KeyFile::open(&path, None).err().ok_or("accepted")?)
}

fn plain_text() -> Result<String, Box<dyn std::error::Error>> {
    Ok(String::from_utf8(key_file(None)?.to_json()?.to_vec())?)
}

#[test]
fn a_plain_file_round_trips_with_its_credential() -> TestResult {
    let (_folder, path) = folder()?;
    let made = key_file(Some(br#"{"a":1}"#.to_vec()))?;
    made.create(&path, &Protection::Plain)?;
    assert!(!KeyFile::is_encrypted(&path)?);
    let read = KeyFile::open(&path, None)?;
    assert_eq!(read.did(), made.did());
    assert_eq!(read.purpose(), Purpose::Principal);
    assert_eq!(read.credential(), Some(&br#"{"a":1}"#[..]));
    assert_eq!(read.secret().public(), made.secret().public());
    Ok(())
}

#[test]
fn an_encrypted_file_opens_with_its_passphrase_only() -> TestResult {
    let (_folder, path) = folder()?;
    let right = passphrase("correct horse")?;
    key_file(None)?.create(&path, &Protection::Passphrase(&right, FAST))?;
    assert!(KeyFile::is_encrypted(&path)?);
    assert_eq!(KeyFile::open(&path, Some(&right))?.did(), key_file(None)?.did());
    let wrong = KeyFile::open(&path, Some(&passphrase("battery staple")?));
    assert!(matches!(wrong, Err(KeyFileError::WrongPassphrase { .. })));
    assert!(matches!(
        KeyFile::open(&path, None),
        Err(KeyFileError::PassphraseNeeded { .. })
    ));
    assert!(matches!(passphrase(""), Err(KeyFileError::EmptyPassphrase)));
    let bytes = std::fs::read(&path)?;
    assert!(!bytes.windows(10).any(|window| window == b"\"ed25519\":"));
    Ok(())
}

#[test]
fn a_changed_encrypted_file_is_refused() -> TestResult {
    let (_folder, path) = folder()?;
    let right = passphrase("correct horse")?;
    key_file(None)?.create(&path, &Protection::Passphrase(&right, FAST))?;
    let bytes = std::fs::read(&path)?;
    for at in [30, 60, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&path, changed)?;
        assert!(KeyFile::open(&path, Some(&right)).is_err(), "byte {at}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1])?;
    assert!(KeyFile::open(&path, Some(&right)).is_err());
    Ok(())
}

#[test]
fn a_file_that_demands_too_much_work_is_refused_at_once() -> TestResult {
    let (_folder, path) = folder()?;
    let right = passphrase("correct horse")?;
    key_file(None)?.create(&path, &Protection::Passphrase(&right, FAST))?;
    let bytes = std::fs::read(&path)?;
    let header_end = bytes
        .windows(4)
        .position(|window| window == b"\n---")
        .ok_or("no header")?;
    let header = String::from_utf8(bytes[..header_end].to_vec())?.replacen(" 4\n", " 40\n", 1);
    std::fs::write(&path, [header.as_bytes(), &bytes[header_end..]].concat())?;
    assert!(matches!(
        KeyFile::open(&path, Some(&right)),
        Err(KeyFileError::Decrypt { .. })
    ));
    assert_eq!(WorkFactor::new(0), None);
    assert_eq!(WorkFactor::new(21), None);
    Ok(())
}

#[test]
fn an_existing_file_is_never_overwritten_and_nothing_is_left_beside_it() -> TestResult {
    let (folder, path) = folder()?;
    key_file(None)?.create(&path, &Protection::Plain)?;
    let before = std::fs::read(&path)?;
    let again = key_file(Some(b"{}".to_vec()))?.create(&path, &Protection::Plain);
    assert!(matches!(again, Err(KeyFileError::Exists { .. })));
    assert_eq!(std::fs::read(&path)?, before);
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn replacing_needs_a_file_and_changes_it_whole() -> TestResult {
    let (folder, path) = folder()?;
    let renewed = key_file(None)?.with_credential(br#"{"b":2}"#.to_vec())?;
    assert!(matches!(
        renewed.replace(&path, &Protection::Plain),
        Err(KeyFileError::Missing { .. })
    ));
    key_file(None)?.create(&path, &Protection::Plain)?;
    renewed.replace(&path, &Protection::Plain)?;
    assert_eq!(KeyFile::open(&path, None)?.credential(), Some(&br#"{"b":2}"#[..]));
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn a_missing_file_or_folder_is_named() -> TestResult {
    let (folder, path) = folder()?;
    assert!(matches!(KeyFile::open(&path, None), Err(KeyFileError::Missing { .. })));
    let nowhere = folder.path().join("no/such/folder.key");
    assert!(matches!(
        key_file(None)?.create(&nowhere, &Protection::Plain),
        Err(KeyFileError::Io { .. })
    ));
    Ok(())
}

#[cfg(unix)]
#[test]
fn files_have_mode_0600_and_wider_ones_are_refused() -> TestResult {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = folder()?;
    key_file(None)?.create(&path, &Protection::Plain)?;
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        let refused = KeyFile::open(&path, None);
        assert!(
            matches!(refused, Err(KeyFileError::Permissions { mode: found, .. }) if found == mode),
            "{mode:o}"
        );
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
    assert!(matches!(
        KeyFile::open(folder.path(), None),
        Err(KeyFileError::Permissions { .. })
    ));
    Ok(())
}

#[test]
fn malformed_content_is_refused_by_its_own_error() -> TestResult {
    let good = plain_text()?;
    assert!(matches!(with_text("")?, KeyFileError::Malformed { .. }));
    assert!(matches!(
        with_text(&good.replacen('{', "{\"x\":1,", 1))?,
        KeyFileError::Malformed { .. }
    ));
    assert!(matches!(
        with_text(&good.replacen(",\"credential\":null", "", 1))?,
        KeyFileError::Malformed { .. }
    ));
    assert!(matches!(
        with_text(&good.replacen("principal", "pope", 1))?,
        KeyFileError::Malformed { .. }
    ));
    assert!(matches!(
        with_text(&good.replacen("key/v1", "key/v2", 1))?,
        KeyFileError::Schema { .. }
    ));
    assert!(matches!(
        with_text(&good.replacen("\"credential\":null", "\"credential\":{\"n\":1.5}", 1))?,
        KeyFileError::Credential(_)
    ));
    assert!(matches!(
        with_text(&" ".repeat(FILE_LEN_MAX + 1))?,
        KeyFileError::TooLong { .. }
    ));
    Ok(())
}

#[test]
fn seeds_in_each_others_place_or_with_another_did_are_refused() -> TestResult {
    let good = plain_text()?;
    let value: Value = serde_json::from_str(&good)?;
    let (ed25519, mldsa44) = (
        value["ed25519"].as_str().ok_or("no seed")?,
        value["mldsa44"].as_str().ok_or("no seed")?,
    );
    assert!(matches!(
        with_text(&good.replacen(ed25519, mldsa44, 1))?,
        KeyFileError::Seed { .. }
    ));
    let tagged_wrongly = multibase::encode_base64url(&[&ML_DSA_44_PRIV_SEED_PREFIX[..], &[1; 32]].concat());
    assert!(matches!(
        with_text(&good.replacen(ed25519, &tagged_wrongly, 1))?,
        KeyFileError::Seed { .. }
    ));
    let other_seed = multibase::encode_base64url(&[&ED25519_PRIV_PREFIX[..], &[9; 32]].concat());
    assert!(matches!(
        with_text(&good.replacen(ed25519, &other_seed, 1))?,
        KeyFileError::ForeignDid { .. }
    ));
    Ok(())
}
