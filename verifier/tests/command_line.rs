//! `verify` over real files: what it prints, where, and how it exits.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_ledger::store::{Sqlite, Store};
use countersign_schemas::digest::Digest;
use countersign_verifier::cli::run;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Told;
use crate::support::cast::Who;
use crate::support::file::{row, store};
use crate::support::story::{LAYER1, tell};
use crate::support::writer::Twist;

type Outcome = Result<(), Box<dyn Error>>;

/// What one call of `verify` gave.
struct Said {
    code: u8,
    out: String,
    err: String,
}

impl Said {
    fn first_line(&self) -> &str {
        self.out.lines().next().unwrap_or_default()
    }
}

fn verify<S: Into<OsString> + Clone>(arguments: &[S]) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = std::iter::once("verify".into()).chain(arguments.iter().cloned().map(Into::into));
    let code = run(arguments, &mut out, &mut err);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said {
        code,
        out: text(out),
        err: text(err),
    }
}

/// Writes a ledger as a kill leaves it: entry 0 alone in the file, a transaction for each other entry in the `-wal`.
fn store_crashed(told: &Told, path: &Path) -> Outcome {
    let rows = told.entries.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let live = path.with_extension("live");
    let (first, rest) = rows.split_first().ok_or("no entries")?;
    let mut ledger = Sqlite::create(&live, std::slice::from_ref(first))?;
    for row in rest {
        ledger.append(ledger.size(), std::slice::from_ref(row))?;
    }
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(&live, path)?;
    fs::copy(wal(&live), wal(path))?;
    Ok(ledger.close()?)
}

struct Files {
    folder: TempDir,
    ledger: PathBuf,
    anchor: PathBuf,
}

fn files(twist: Twist<'_>) -> Result<Files, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (ledger, anchor) = (folder.path().join("ledger.db"), folder.path().join("principal.did"));
    store(&tell(twist).into(), &ledger)?;
    fs::write(&anchor, format!("{}\n", Who::Principal.did().long()))?;
    Ok(Files { folder, ledger, anchor })
}

fn texts(files: &Files) -> (String, String) {
    (
        files.ledger.to_string_lossy().into_owned(),
        files.anchor.to_string_lossy().into_owned(),
    )
}

#[test]
fn a_wal_that_lost_commits_is_named_though_sqlite_says_nothing() -> Outcome {
    let files = files(Twist::honest())?;
    let anchor = files.anchor.to_string_lossy().into_owned();
    let crashed = files.folder.path().join("crashed.db");
    store_crashed(&tell(Twist::honest()).into(), &crashed)?;
    let ledger = crashed.to_string_lossy().into_owned();
    let said = verify(&["--no-input", &ledger, "--trust", &anchor]);
    assert!(!said.out.contains("-wal"), "{}", said.out);
    assert!(said.first_line().contains("51 entries"), "{}", said.out);

    let wal = files.folder.path().join("crashed.db-wal");
    let mut bytes = fs::read(&wal)?;
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&wal, bytes)?;
    let said = verify(&["--no-input", &ledger, "--trust", &anchor]);
    assert_eq!(said.code, 3, "{}", said.out);
    assert!(said.out.contains("expected a sound -wal"), "{}", said.out);
    assert!(said.out.contains("found    damage at frame "), "{}", said.out);
    assert!(!said.first_line().contains("51 entries"), "{}", said.out);
    Ok(())
}

#[test]
fn a_sound_ledger_is_verified_in_one_line() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    for trust in [
        anchor.as_str(),
        Who::Principal.did().long(),
        Who::Principal.did().short(),
    ] {
        let said = verify(&["--no-input", &ledger, "--trust", trust]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
        assert_eq!(
            said.first_line(),
            "verified  51 entries  end: self · time: host · pq: full"
        );
        assert!(
            said.out.contains(Who::Principal.did().short()) && said.out.contains("policy     layer 0 builtin, entry 1")
        );
    }
    Ok(())
}

#[test]
fn without_an_anchor_it_is_incomplete() -> Outcome {
    let files = files(Twist::honest())?;
    let said = verify(&[texts(&files).0]);
    assert_eq!((said.code, said.err.as_str()), (3, ""));
    assert!(said.first_line().starts_with("incomplete  51 entries"));
    assert!(
        said.out
            .contains("\nunproven\n  C4  ledger  Nobody told the verifier whom to trust.\n"),
        "{}",
        said.out
    );
    Ok(())
}

#[test]
fn a_breach_is_named_with_a_hint() -> Outcome {
    let files = files(Twist::payloads("grep", |payloads| {
        payloads[0] = br#"{"path":"src","pattern":"x"}"#.to_vec()
    }))?;
    let (ledger, anchor) = texts(&files);
    let said = verify(&[&ledger, "--trust", &anchor]);
    assert_eq!(said.code, 1);
    assert!(said.first_line().starts_with("rejected  51 entries"));
    assert!(
        said.out
            .contains("\nfindings\n  D10  entry 14  No model proposed this action.\n"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains(&format!("hint: `verify {ledger} --entry 14` shows that entry\n"))
    );
    Ok(())
}

#[test]
fn json_is_one_document_a_ledger() -> Outcome {
    let files = files(Twist::omit("closed"))?;
    let (ledger, anchor) = texts(&files);
    let said = verify(&[&ledger, &ledger, "--trust", &anchor, "--json"]);
    assert_eq!(said.code, 3);
    let documents: Vec<Value> = said.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(documents.len(), 2);
    let document = &documents[0];
    assert_eq!(document["schema"], "countersign.verdict/v1");
    assert_eq!(document["verdict"], "incomplete");
    assert_eq!(
        document["assurance"],
        json!({ "end": "self", "time": "host", "pq": "Ed25519-only for 1 author" })
    );
    assert_eq!(document["findings"], json!([]));
    assert_eq!(document["unproven"][0]["code"], "C2");
    assert_eq!(document["principal"], Who::Principal.did().short());
    assert_eq!(document["entries"], 50);
    assert_eq!(document["policies"][1]["entry"], 2);
    assert_eq!(document["input"], ledger);
    Ok(())
}

#[test]
fn findings_in_json_have_code_entry_expected_and_found() -> Outcome {
    let files = files(Twist::payloads("approval", |payloads| {
        payloads[0].extend_from_slice("\u{202e}".as_bytes())
    }))?;
    let (ledger, anchor) = texts(&files);
    let said = verify(&[&ledger, "--trust", &anchor, "--json"]);
    let document: Value = serde_json::from_str(&said.out)?;
    let finding = &document["findings"][0];
    assert_eq!(
        (finding["code"].as_str(), finding["entry"].as_u64()),
        (Some("D5"), Some(35))
    );
    assert_eq!(finding["text"], "The approval does not cover this action.");
    assert!(finding["expected"].is_string() && finding["found"].is_string());
    assert!(
        !said.out.contains('\u{202e}'),
        "nothing that reorders a line is printed"
    );
    Ok(())
}

#[test]
fn of_several_ledgers_the_gravest_counts() -> Outcome {
    let (good, open) = (files(Twist::honest())?, files(Twist::omit("closed"))?);
    let bad = files(Twist::payloads("grep", |payloads| payloads[0] = b"{}".to_vec()))?;
    let (good, anchor) = texts(&good);
    let (open, bad) = (texts(&open).0, texts(&bad).0);
    let code = |ledgers: &[&str]| {
        let arguments: Vec<&str> = ledgers.iter().copied().chain(["--trust", anchor.as_str()]).collect();
        verify(&arguments).code
    };
    assert_eq!(code(&[&good, &good]), 0);
    assert_eq!(code(&[&open, &good]), 3);
    assert_eq!(code(&[&good, "/nonexistent", &open]), 4);
    assert_eq!(code(&["/nonexistent", &bad, &open, &good]), 1);
    Ok(())
}

#[test]
fn another_anchor_rejects() -> Outcome {
    let files = files(Twist::honest())?;
    let said = verify(&[&texts(&files).0, "--trust", Who::Stranger.did().short()]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("A2  entry 0"), "{}", said.out);
    Ok(())
}

#[test]
fn heads_are_read_from_files() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let told = Told::from(tell(Twist::honest()));
    let head = files.folder.path().join("head");
    fs::write(&head, &told.checkpoints[1].note)?;
    let head = head.to_string_lossy().into_owned();
    let said = verify(&[&ledger, "--trust", &anchor, "--head", &head]);
    assert_eq!(
        said.first_line(),
        "verified  51 entries  end: head@51 · time: host · pq: full"
    );
    fs::write(&head, b"something else")?;
    assert_eq!(verify(&[&ledger, "--trust", &anchor, "--head", &head]).code, 1);
    Ok(())
}

/// Writes a trust file about the principal of the story.
fn trust_file(files: &Files, name: &str, members: &Value) -> Result<String, Box<dyn Error>> {
    let mut anchor = json!({ "did": Who::Principal.did().short() });
    if let (Value::Object(into), Value::Object(from)) = (&mut anchor, members) {
        into.extend(from.clone());
    }
    let path = files.folder.path().join(name);
    let document =
        json!({ "schema": "countersign.trust/v1", "anchors": [anchor, { "did": Who::Stranger.did().short() }] });
    fs::write(&path, format!("{document:#}\n"))?;
    Ok(path.to_string_lossy().into_owned())
}

#[test]
fn a_trust_file_is_an_anchor_with_a_name() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, _) = texts(&files);
    let trust = trust_file(&files, "trust.json", &json!({ "name": "Example Ltd" }))?;
    let said = verify(&[&ledger, "--trust", &trust]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let principal = Who::Principal.did().short();
    assert!(
        said.out.contains(&format!("\nprincipal  {principal}, Example Ltd\n")),
        "{}",
        said.out
    );
    let said = verify(&[&ledger, "--trust", &trust, "--json"]);
    let document: Value = serde_json::from_str(&said.out)?;
    assert_eq!(document["principal"], principal);
    assert_eq!(document["anchor"], json!({ "did": principal, "name": "Example Ltd" }));
    Ok(())
}

#[test]
fn limits_of_a_trust_file_reject_and_leave_unproven() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let with = |name: &str, members: Value| -> Result<Said, Box<dyn Error>> {
        let trust = trust_file(&files, name, &members)?;
        Ok(verify(&[&ledger, "--trust", &trust]))
    };
    let ended = with("ended", json!({ "validUntil": "2025-11-21T08:00:02Z" }))?;
    assert_eq!(ended.code, 1);
    assert!(
        ended.out.contains("\n  A4  entry 3  ") && !ended.out.contains("entry 0 "),
        "{}",
        ended.out
    );
    let stolen = with("stolen", json!({ "compromisedSince": "2025-11-22T00:00:00Z" }))?;
    assert_eq!(stolen.code, 3);
    assert!(
        stolen
            .out
            .contains("expected a head over 4 entries, kept since before 2025-11-22T00:00:00Z"),
        "{}",
        stolen.out
    );
    assert_eq!(
        with("hosts", json!({ "hosts": [{ "did": Who::Host.did().long() }] }))?.code,
        0
    );
    let told = Told::from(tell(Twist::honest()));
    let head = files.folder.path().join("head");
    fs::write(&head, &told.checkpoints[1].note)?;
    let (head, trust) = (head.to_string_lossy().into_owned(), files.folder.path().join("stolen"));
    let trust = trust.to_string_lossy().into_owned();
    assert_eq!(verify(&[&ledger, "--trust", &trust, "--head", &head]).code, 0);
    assert_eq!(verify(&[&ledger, "--trust", &anchor, "--head", &head]).code, 0);
    Ok(())
}

#[test]
fn a_principal_that_is_named_twice_is_wrong_usage_wherever_it_stands() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let trust = trust_file(&files, "trust.json", &json!({ "validUntil": "2030-01-01T00:00:00Z" }))?;
    let second = trust_file(&files, "second.json", &json!({}))?;
    let (short, long) = (Who::Principal.did().short(), Who::Principal.did().long());
    for (one, other) in [
        (trust.as_str(), short),
        (long, &trust),
        (&trust, &anchor),
        (&trust, &second),
        (short, long),
    ] {
        let said = verify(&[&ledger, "--trust", one, "--trust", other]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{one} {other}");
        assert!(
            said.err.contains("is named as a trust anchor twice\nhint: "),
            "{}",
            said.err
        );
    }
    Ok(())
}

#[test]
fn a_trust_file_that_is_refused_says_where_and_why() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, _) = texts(&files);
    let short = Who::Principal.did().short();
    let anchor =
        |members: &str| format!(r#"{{"schema":"countersign.trust/v1","anchors":[{{"did":"{short}"{members}}}]}}"#);
    let path = files.folder.path().join("trust.json");
    let given = path.to_string_lossy().into_owned();
    for (file, why) in [
        (
            anchor(r#","validUntill":"2030-01-01T00:00:00Z""#),
            "anchor 1: an anchor has the unknown member `validUntill`",
        ),
        (
            anchor(r#","name":"a","name":"b""#),
            "trust file cannot be read as JSON: member `name` occurs twice in one object",
        ),
        (
            anchor(r#","validUntil":"2030-01-01""#),
            "anchor 1: `validUntil` is no time: time is not written as YYYY-MM-DDTHH:MM:SSZ",
        ),
        (
            anchor(r#","hosts":[{"did":"laptop"}]"#),
            "anchor 1: host 1: `did` is not a did:peer:4",
        ),
        (
            anchor(&format!("}},{{\"did\":\"{short}\"")),
            "is named as a trust anchor twice",
        ),
        (anchor(r#","\u001b[2J":1"#), r"the unknown member `\u{1b}[2J`"),
        (anchor(",").replace("},]", "}"), "trust file cannot be read as JSON: "),
        (format!("{}{}", anchor(""), " ".repeat(65_536)), "more than 65536 bytes"),
    ] {
        fs::write(&path, file)?;
        let said = verify(&[&ledger, "--trust", &given]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{why}");
        assert!(
            said.err.starts_with(&format!("error: --trust {given}: ")) && said.err.contains(why),
            "{why}: {}",
            said.err
        );
        assert!(
            said.err.contains("\nhint: ") && !said.err.contains('\u{1b}'),
            "{}",
            said.err
        );
    }
    Ok(())
}

#[test]
fn what_is_asked_beyond_the_law_is_told() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let digest = Digest::sha256(LAYER1.as_bytes()).to_string();
    let asked = ["--as-of", "2025-11-21T09:00:00Z", "--policy", &digest];
    let arguments = [&[ledger.as_str(), "--trust", &anchor][..], &asked[..]].concat();
    let said = verify(&arguments);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(
        said.out.contains(&format!(
            "\nasked      held since 2025-11-21T09:00:00Z, policy sha256 {digest}\n"
        )),
        "{}",
        said.out
    );
    assert!(!verify(&[&ledger, "--trust", &anchor]).out.contains("asked"));
    let required = ["--require", "pq", "--require", "head", "--strict", "--json"];
    let said = verify(&[&arguments[..], &required[..]].concat());
    assert_eq!(said.code, 1, "{}", said.out);
    let document: Value = serde_json::from_str(&said.out)?;
    assert_eq!(
        (&document["verdict"], &document["findings"]),
        (&json!("rejected"), &json!([]))
    );
    assert_eq!(document["unproven"][0]["code"], "C1");
    let expected =
        json!({ "as_of": "2025-11-21T09:00:00Z", "policy": [digest], "require": ["head", "pq"], "strict": true });
    assert_eq!(document["asked"], expected);
    Ok(())
}

#[test]
fn each_option_of_an_auditor_changes_the_exit_code() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let other = Digest::sha256(b"other").to_string();
    for (asked, code) in [
        (&["--as-of", "2025-11-21T08:00:51Z"][..], 0),
        (&["--as-of", "2025-11-21T08:00:50Z"], 1),
        (&["--policy", &other], 1),
        (&["--require", "head"], 3),
        (&["--require", "witness"], 3),
        (&["--require", "pq"], 0),
        (&["--strict"], 0),
        (&["--strict", "--require", "witness"], 1),
    ] {
        let said = verify(&[&[ledger.as_str(), "--trust", &anchor][..], asked].concat());
        assert_eq!(said.code, code, "{asked:?}: {}", said.out);
    }
    assert_eq!(verify(&[&ledger, "--strict"]).code, 1);
    assert_eq!(verify(&["/nonexistent", "--strict"]).code, 4);
    let said = verify(&["/nonexistent", "--strict", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&said.out)?["asked"]["strict"], true);
    Ok(())
}

#[test]
fn what_is_no_ledger_is_unreadable_and_says_what_next() -> Outcome {
    let folder = tempfile::tempdir()?;
    let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(place("text"), "not a ledger")?;
    fs::write(place("empty"), "")?;
    fs::create_dir(place("folder"))?;
    fs::write(place("foreign"), b"SQLite format 3\0")?;
    for name in ["text", "empty", "folder", "missing", "foreign"] {
        let said = verify(&[place(name)]);
        assert_eq!(said.code, 4, "{name}");
        assert!(
            said.first_line().starts_with("unreadable  0 entries"),
            "{name}: {}",
            said.out
        );
        assert!(
            said.err.starts_with("error: ") && said.err.contains("\nhint: "),
            "{name}: {}",
            said.err
        );
        let json = verify(&["--json".to_owned(), place(name)]);
        let document: Value = serde_json::from_str(&json.out)?;
        assert_eq!((document["verdict"].as_str(), json.code), (Some("unreadable"), 4));
        assert_eq!(document["findings"][0]["code"], "U1");
    }
    Ok(())
}

#[test]
fn a_file_of_a_newer_format_is_unreadable_and_is_no_breach() -> Outcome {
    let files = files(Twist::honest())?;
    let file = rusqlite::Connection::open(&files.ledger)?;
    let version: i32 = file.pragma_query_value(None, "user_version", |row| row.get(0))?;
    file.pragma_update(None, "user_version", version + 1)?;
    drop(file);
    let json = verify(&["--json".to_owned(), texts(&files).0]);
    let document: Value = serde_json::from_str(&json.out)?;
    assert_eq!((document["verdict"].as_str(), json.code), (Some("unreadable"), 4));
    assert_eq!(document["findings"][0]["code"], "U2");
    Ok(())
}

#[test]
fn wrong_usage_is_2_and_reads_nothing() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, _) = texts(&files);
    let digest = Digest::sha256(b"policies").to_string();
    let (upper, short, long) = (digest.to_uppercase(), &digest[1..], format!("{digest}00"));
    let usages: [&[&str]; 27] = [
        &[],
        &["-"],
        &[&ledger, "-"],
        &[&ledger, "--trust", "did:example:123"],
        &[&ledger, "--trust", "/nonexistent"],
        &[&ledger, "--trust", &ledger],
        &[&ledger, "--head", "/nonexistent"],
        &[&ledger, "--unknown"],
        &[&ledger, "--policy"],
        &[&ledger, "--policy", ""],
        &[&ledger, "--policy", short],
        &[&ledger, "--policy", &long],
        &[&ledger, "--policy", &upper],
        &[&ledger, "--policy", "/etc/policy.cedar"],
        &[&ledger, "--as-of"],
        &[&ledger, "--as-of", "2025-11-21"],
        &[&ledger, "--as-of", "2025-11-21T08:00:00"],
        &[&ledger, "--as-of", "2025-11-21T08:00:00.000Z"],
        &[&ledger, "--as-of", "1763712000000"],
        &[
            &ledger,
            "--as-of",
            "2025-11-21T08:00:00Z",
            "--as-of",
            "2025-11-21T08:00:00Z",
        ],
        &[&ledger, "--require"],
        &[&ledger, "--require", "Head"],
        &[&ledger, "--require", "head,pq"],
        &[&ledger, "--strict", "--strict"],
        &[&ledger, "--action", "x"],
        &[&ledger, "--action", "1", "--entry", "2"],
        &[&ledger, "--json", "--explain"],
    ];
    for usage in usages {
        let said = verify(usage);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{usage:?}");
        assert!(said.err.starts_with("error: "), "{usage:?}: {}", said.err);
    }
    Ok(())
}

#[test]
fn help_and_version_are_results() {
    let version = verify(&["--version"]);
    assert_eq!(
        (version.code, version.out.as_str()),
        (0, concat!("verify ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    let help = verify(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for option in [
        "--trust",
        "--head",
        "--policy",
        "--as-of",
        "--require",
        "--strict",
        "--explain",
        "--action",
        "--agent",
        "--entry",
        "--json",
    ] {
        assert!(help.out.contains(option), "{option}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_not_verified() -> Outcome {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let arguments = ["verify", &ledger, "--trust", &anchor].map(OsString::from);
    let mut err = Vec::new();
    assert_eq!(run(arguments, &mut Full, &mut err), 4);
    assert!(String::from_utf8_lossy(&err).contains("could not be written"));
    Ok(())
}

#[test]
fn the_tree_groups_actions_by_delegation() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let said = verify(&[&ledger, "--trust", &anchor, "--explain"]);
    assert_eq!(said.code, 0);
    let tree: Vec<&str> = said.out.lines().skip_while(|line| !line.is_empty()).skip(1).collect();
    let depth = |start: &str| {
        let line = tree.iter().find(|line| line.trim_start().starts_with(start));
        line.map(|line| line.len() - line.trim_start().len())
    };
    let depths = [
        "principal  ",
        "host  ",
        "runtime  ",
        "agent  lead",
        "9  agent",
        "agent  scout",
        "14  grep",
    ]
    .map(depth);
    assert_eq!(
        depths,
        [Some(0), Some(2), Some(4), Some(6), Some(8), Some(8), Some(10)],
        "{}",
        said.out
    );
    for words in [
        "granted by lead (5) ← host ← principal: tools grep, list, read",
        "allowed at 31 by runtime (0): permit-layers allow (1/edit-source)",
        "advice at 28 followed",
        "denied at 18 by runtime (0): grant deny (G3.effect, G3.tool)",
        "asked at 34 by runtime (0): permit-layers ask (0/ask-otherwise)",
        "approved at 35 by alice (3) (approve, terminal)",
        "asked advisor (4) at 25, answered at 28",
        "introduced scout (11)",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 120), "{}", said.out);
    Ok(())
}

#[test]
fn parts_of_the_tree_can_be_asked_for() -> Outcome {
    let files = files(Twist::honest())?;
    let (ledger, anchor) = texts(&files);
    let part = |option: &str, value: &str| verify(&[&ledger, "--trust", &anchor, option, value]);
    // Any entry of an action names it.
    for entry in ["33", "34", "35", "36"] {
        let said = part("--action", entry);
        assert!(
            said.out.contains("\n33  bash  sh test.sh\n") && said.out.contains("on the authority of"),
            "{}",
            said.out
        );
        assert!(!said.out.contains("14  grep"), "{}", said.out);
    }
    for agent in ["scout", Who::Scout.did().short(), Who::Scout.did().long()] {
        let said = part("--agent", agent);
        assert!(
            said.out.contains("14  grep  assert in src") && !said.out.contains("33  bash"),
            "{}",
            said.out
        );
    }
    assert!(
        part("--entry", "6")
            .out
            .contains("entry 6  run.started  by runtime (0)")
    );
    assert!(
        part("--entry", "11")
            .out
            .contains("agent  scout  (entry 11, stopped at 19)")
    );
    let none = part("--entry", "99");
    assert_eq!(none.code, 0);
    assert!(none.err.contains("holds no such entry"));
    Ok(())
}

#[test]
fn what_strangers_wrote_cannot_command_a_terminal() -> Outcome {
    let evil = r#"{"path":"src","pattern":"\u001b]0;owned\u0007\u202eX"}"#;
    let canonical = serde_json::from_str::<Value>(evil)?;
    let bytes = countersign_identity::jcs::canonicalize(&canonical)?;
    let files = files(Twist::payloads("grep", move |payloads| payloads[0].clone_from(&bytes)))?;
    let (ledger, anchor) = texts(&files);
    let said = verify(&[&ledger, "--trust", &anchor, "--explain"]);
    assert_eq!(said.code, 1);
    let hidden = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!said.out.contains(hidden), "{:?}", said.out);
    assert!(said.out.contains(r"\u{1b}]0;owned\u{7}\u{202e}X"), "{}", said.out);
    Ok(())
}
