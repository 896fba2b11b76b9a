//! What is found, what is left alone, one line each.

use std::error::Error;

use countersign_identity::did::PeerDid;
use countersign_identity::keyfile::{KeyFile, Protection, Purpose};
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_identity::{multibase, multikey};

use super::cases::{NEGATIVES, key, pem, positives, upper};
use super::mark::{self, marker};
use super::*;

type TestResult = Result<(), Box<dyn Error>>;

#[test]
fn every_known_kind_is_found_and_nothing_around_it() {
    let redactor = Redactor::standard();
    let positives = positives();
    assert!(positives.len() >= 40);
    for (before, kind, secret, after) in &positives {
        let text = format!("{before}{secret}{after}");
        let clean = format!("{before}{}{after}", marker(kind));
        let (redacted, counts) = redactor.redact_counted(&text);
        assert_eq!(redacted, clean, "{text}");
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(*kind, 1)], "{text}");
        assert_eq!(redactor.redact(&clean), clean, "redacting twice");
    }
    for (name, _) in Redactor::patterns().filter(|(name, _)| *name != "countersign key") {
        assert!(
            positives.iter().any(|(_, kind, ..)| *kind == name),
            "{name} has no line"
        );
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let redactor = Redactor::standard();
    let text: String = positives()
        .iter()
        .map(|(before, _, secret, after)| format!("{before}{secret}{after}\n"))
        .collect();
    let whole = redactor.redact(&text);
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut stream = redactor.stream();
        let characters: Vec<char> = text.chars().collect();
        let mut shown = String::new();
        for piece in characters.chunks(size) {
            shown.push_str(&stream.push(&piece.iter().collect::<String>()));
        }
        shown.push_str(&stream.finish());
        assert_eq!(shown, whole, "pieces of {size}");
    }
}

#[test]
fn what_only_looks_like_a_secret_is_left_alone() {
    let redactor = Redactor::standard();
    assert!(NEGATIVES.len() >= 40);
    for text in NEGATIVES {
        let (redacted, counts) = redactor.redact_counted(text);
        assert_eq!((redacted.as_ref(), counts.total()), (*text, 0));
        assert!(matches!(redacted, Cow::Borrowed(_)));
    }
}

#[test]
fn our_own_keys_and_names_are_no_secrets() {
    let redactor = Redactor::standard();
    for byte in 0..64 {
        let secret = HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte ^ 0x5a; 32]));
        let did = PeerDid::from_keys(secret.public());
        let signature = secret.sign_ml_dsa(b"text");
        let proof = format!(
            r##"{{"id":"#ed25519","publicKeyMultibase":"{}"}},{{"id":"#mldsa44","publicKeyMultibase":"{}"}},"proofValue":"{}""##,
            multikey::encode_ed25519(secret.public().ed25519_bytes()),
            multikey::encode_ml_dsa(secret.public().ml_dsa_bytes()),
            multibase::encode_base64url(&signature.as_bytes()[..]),
        );
        for text in [did.long(), did.short(), &proof] {
            assert_eq!(redactor.redact(text), text);
        }
    }
}

#[test]
fn seeds_of_a_plain_key_file_are_removed_and_its_did_stays() -> TestResult {
    let secret = HybridSecret::from_seeds(Seed32::new([7; 32]), Seed32::new([8; 32]));
    let file = KeyFile::new(Purpose::Host, secret, None)?;
    let folder = tempfile::TempDir::new()?;
    let path = folder.path().join("host.key");
    file.create(&path, &Protection::Plain)?;
    let text = std::fs::read_to_string(path)?;
    let (redacted, counts) = Redactor::standard().redact_counted(&text);
    assert_eq!(counts.iter().collect::<Vec<_>>(), [("countersign key", 2)]);
    assert!(redacted.contains(file.did().long()) && redacted.contains(&marker("countersign key")));
    let quoted = serde_json::to_string(&text)?;
    assert_eq!(
        Redactor::standard().redact_counted(&quoted).1,
        counts,
        "quoted once more"
    );
    Ok(())
}

#[test]
fn a_secret_within_another_leaves_nothing_behind() -> TestResult {
    let redactor = Redactor::standard();
    let token = key("ghp_", 36);
    assert_eq!(
        redactor.redact(&format!("https://{token}:x-oauth-basic@github.com")),
        "https://[secret removed: github token]:[secret removed: url password]@github.com"
    );
    assert_eq!(
        redactor.redact(&format!("Authorization: Bearer {}", key("sk-ant-api03-", 93))),
        "Authorization: Bearer [secret removed: anthropic key]"
    );
    redactor.also(Secret::new("tail of/and more".to_owned())?);
    assert_eq!(
        redactor.redact(&format!("{}tail of/and more!", key("sk-ant-api03-", 30))),
        "[secret removed: anthropic key]!",
        "one that begins in another and ends after it"
    );
    Ok(())
}

#[test]
fn a_value_behind_a_quoted_line_does_not_make_it_a_key() -> TestResult {
    let redactor = Redactor::standard();
    redactor.also(Secret::new("\", correct horse".to_owned())?);
    let once = redactor
        .redact("\"-----BEGIN PRIVATE KEY-----\", correct horse, and more")
        .into_owned();
    assert_eq!(
        once,
        "\"-----BEGIN PRIVATE KEY-----[secret removed: key in use], and more"
    );
    assert_eq!(redactor.redact(&once), once);
    Ok(())
}

#[test]
fn tokens_side_by_side_are_all_found() {
    let redactor = Redactor::standard();
    let text = format!("{}{}", upper("AKIA", 16), key("sk-ant-api03-", 93));
    assert_eq!(
        redactor.redact(&text),
        "[secret removed: aws access key id][secret removed: anthropic key]"
    );
    let blocks = format!("{}{}", pem("PRIVATE KEY"), key("ghp_", 36));
    assert_eq!(
        redactor.redact(&blocks),
        "[secret removed: private key][secret removed: github token]"
    );
}

#[test]
fn a_registered_value_is_found_in_every_clone_and_only_there() -> TestResult {
    let (redactor, other) = (Redactor::standard(), Redactor::standard());
    let clone = redactor.clone();
    redactor.also(Secret::new("correct horse".to_owned())?);
    redactor.also(Secret::new("correct horse".to_owned())?);
    redactor.also(Secret::new("Ümläut-key".to_owned())?);
    let text = "a correct horse, Ümläut-key; Correct horse";
    let clean = "a [secret removed: key in use], [secret removed: key in use]; Correct horse";
    assert_eq!(clone.redact(text), clean);
    assert_eq!(other.redact(text), text);
    Ok(())
}

#[test]
fn a_marker_tells_no_length_and_is_never_found_again() {
    for name in mark::names() {
        let marker = marker(name);
        for text in [
            marker.clone(),
            format!("{marker}{marker}"),
            format!("Authorization: Bearer {marker}"),
        ] {
            assert_eq!(Redactor::standard().redact(&text), text);
        }
    }
}

#[test]
fn a_stream_shows_at_once_what_cannot_be_a_secret() {
    let mut stream = Redactor::standard().stream();
    assert_eq!(stream.push("plain words, "), "plain words, ");
    assert_eq!(stream.push("the s"), "the ");
    assert_eq!(stream.push("k-"), "");
    assert_eq!(stream.push("ip it"), "sk-ip it");
    assert_eq!(
        stream.push(&key(" sk-ant-api03-", 93)),
        " [secret removed: anthropic key]"
    );
    assert_eq!(stream.push("stillMore"), "");
    assert_eq!(stream.push(". Done s"), ". Done ");
    assert_eq!(stream.finish(), "s");
}

#[test]
fn a_stream_holds_no_more_than_it_says() {
    let redactor = Redactor::standard();
    let long = key("", 300_000);
    for begin in [
        "eyJ",
        "eyJ01234567890.eyJ",
        "sk-",
        "sk-ant-",
        "://a:",
        "-----BEGIN PRIVATE KEY-----",
        "authorization: bearer ",
    ] {
        let mut stream = redactor.stream();
        let (mut given, mut shown) = (begin.len(), stream.push(begin).len());
        for piece in long.as_bytes().chunks(500) {
            given += piece.len();
            shown += stream.push(std::str::from_utf8(piece).unwrap_or_default()).len();
            assert!(stream.held_bytes() <= HELD_BYTES_MAX, "{begin}");
        }
        let is_hidden = shown < 100;
        assert!(
            is_hidden || given - shown <= HELD_BYTES_MAX,
            "{begin}: {given} in, {shown} out"
        );
    }
}

#[test]
fn a_key_block_longer_than_what_is_held_is_cut_out_until_its_end() {
    let mut stream = Redactor::standard().stream();
    let mut shown = stream.push("a -----BEGIN RSA PRIVATE KEY-----\n");
    for _ in 0..10_000 {
        shown.push_str(&stream.push(&key("", 63)));
        shown.push_str(&stream.push("\n"));
    }
    shown.push_str(&stream.push("-----END RSA PRIV"));
    shown.push_str(&stream.push("ATE KEY----- b"));
    shown.push_str(&stream.finish());
    assert_eq!(shown, "a [secret removed: private key] b");
}

#[test]
fn hostile_text_costs_no_more_than_its_length() {
    let redactor = Redactor::standard();
    let repeated = [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "-----END ",
        "eyJaaaaaaaaaa.",
        "sk-",
        "://a:",
        "://",
        "authorization: bearer ",
        "ghp_",
        "@",
        "secret_access_key",
        "-",
    ];
    let seconds = |text: &str| {
        let begun = std::time::Instant::now();
        let shown = redactor.redact(text).len();
        assert!(shown <= text.len() * 2);
        begun.elapsed().as_secs_f64()
    };
    for unit in repeated {
        seconds(&unit.repeat(10));
        let text = unit.repeat(1_000_000 / unit.len());
        // Quadratic time would take minutes.
        assert!(seconds(&text) < 10.0, "{unit}");
    }
}
