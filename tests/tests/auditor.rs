//! What an auditor brings along and asks for, on ledgers that the programs wrote: trust files, policies, times, requirements.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_identity::instant;
use countersign_schemas::number::Millis;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Checked;
use crate::support::programs::{run, run_countersign, run_verify, verify};
use crate::support::stored::log;
use crate::support::story::{Story, other_story, story};
use crate::support::verdict::Verdict;
use crate::support::workshop::Workshop;

const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const NOT_YET: &str = "2090-01-01T00:00:00Z";

/// The host that a ledger names.
fn host_of(ledger: &Path) -> Checked<String> {
    let opened = log(ledger)?.into_iter().next().ok_or("no entry")?;
    Ok(opened["body"]["dids"][0].as_str().ok_or("no host")?.to_owned())
}

/// Writes a trust file about the principal that a DID file names; gives the arguments.
fn trust_file(path: &Path, principal: &Path, members: &Value) -> Checked<[String; 2]> {
    let mut anchor = json!({ "did": fs::read_to_string(principal)?.trim() });
    if let (Value::Object(into), Value::Object(from)) = (&mut anchor, members) {
        into.extend(from.clone());
    }
    let document = json!({ "schema": "countersign.trust/v1", "anchors": [anchor] });
    fs::write(path, format!("{document:#}\n"))?;
    Ok(["--trust".to_owned(), path.display().to_string()])
}

/// The verdict on the demo under a trust file with these members, and `more` arguments.
fn judge(members: &Value, more: &[&str]) -> Checked<Verdict> {
    let folder = TempDir::new()?;
    let trust = trust_file(&folder.path().join("trust.json"), &story().anchor(), members)?;
    let more = more.iter().map(ToString::to_string);
    Verdict::of(&story().ledger(), trust.into_iter().chain(more))
}

fn head_of(ledger: &Path, path: &Path) -> Checked<[String; 2]> {
    let ledger = ledger.display().to_string();
    fs::write(
        path,
        run_countersign(["ledger", "head", "--ledger", &ledger])?
            .expect(0)
            .stdout,
    )?;
    Ok(["--head".to_owned(), path.display().to_string()])
}

/// The demo with its own anchor and `more` arguments.
fn ask(more: &[&str]) -> Checked<Verdict> {
    ask_of(story(), more)
}

fn ask_of(story: &Story, more: &[&str]) -> Checked<Verdict> {
    let more = more.iter().map(ToString::to_string);
    Verdict::of(&story.ledger(), story.trust().into_iter().chain(more))
}

#[test]
fn trust_file_that_fits_is_verified_and_named() -> Checked {
    let members = json!({
        "name": "Example Ltd", "validFrom": LONG_AGO, "validUntil": NOT_YET,
        "hosts": [{ "did": host_of(&other_story().ledger())? }, { "did": host_of(&story().ledger())? }],
    });
    let verdict = judge(&members, &[])?.expect(0);
    assert_eq!(verdict.document["anchor"]["name"], "Example Ltd");
    assert_eq!(verdict.document["anchor"]["did"], verdict.document["principal"]);
    Ok(())
}

#[test]
fn trust_file_that_does_not_fit_is_rejected_at_the_opening() -> Checked {
    let strange = json!({ "hosts": [{ "did": host_of(&other_story().ledger())? }] });
    let host = host_of(&story().ledger())?;
    let stolen = json!({ "hosts": [{ "did": host, "compromisedSince": LONG_AGO }] });
    for (members, code) in [
        (strange, "A2"),
        (stolen, "A2"),
        (json!({ "compromisedSince": LONG_AGO }), "A2"),
        (json!({ "validUntil": LONG_AGO }), "A4"),
        (json!({ "validFrom": NOT_YET }), "A4"),
    ] {
        let verdict = judge(&members, &[])?.expect(1);
        assert!(verdict.finds(code, 0), "{members}: {}", verdict.ran);
        assert!(
            verdict.finding_codes().iter().all(|found| *found == code),
            "{}",
            verdict.ran
        );
    }
    Ok(())
}

#[test]
fn ledger_from_before_a_theft_needs_a_head() -> Checked {
    let folder = TempDir::new()?;
    let [head, path] = head_of(&story().ledger(), &folder.path().join("head"))?;
    let host = json!([{ "did": host_of(&story().ledger())?, "compromisedSince": NOT_YET }]);
    for members in [json!({ "hosts": host }), json!({ "compromisedSince": NOT_YET })] {
        assert_eq!(judge(&members, &[])?.expect(3).unproven_codes(), ["C4"]);
        judge(&members, &["--strict"])?.expect(1);
        judge(&members, &[&head, &path])?.expect(0);
    }
    Ok(())
}

#[test]
fn stolen_host_key_makes_no_ledger_that_passes_the_trust_file() -> Checked {
    let workshop = Workshop::new()?;
    workshop.script(&[("list", json!({ "path": "." }))])?;
    workshop.run(&[])?.expect(0);
    let head = head_of(&workshop.ledger(), &workshop.root().join("head"))?;
    // Whole seconds: the theft is in the second after the honest run.
    sleep(Duration::from_secs(1));
    let theft = Millis::clamped(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() * 1_000);
    workshop.run(&["--ledger", "forged.db"])?.expect(0);

    let principal = workshop.home().join("principal.did");
    let since = json!({ "did": host_of(&workshop.ledger())?, "compromisedSince": instant::format(theft)? });
    let trust = trust_file(
        &workshop.root().join("trust.json"),
        &principal,
        &json!({ "hosts": [since] }),
    )?;
    let bare = ["--trust".to_owned(), principal.display().to_string()];
    let (honest, forged) = (workshop.ledger(), workshop.root().join("forged.db"));
    // Who knows of no theft is told what the verdict rests on.
    let verdict = Verdict::of(&forged, &bare)?.expect(0);
    assert_eq!(verdict.document["assurance"]["end"], "self");
    let verdict = Verdict::of(&forged, &trust)?.expect(1);
    assert!(verdict.finds("A2", 0), "{}", verdict.ran);
    Verdict::of(&forged, bare.iter().chain(&head))?.expect(1);
    assert_eq!(Verdict::of(&honest, &trust)?.expect(3).unproven_codes(), ["C4"]);
    Verdict::of(&honest, trust.iter().chain(&head))?.expect(0);
    Ok(())
}

#[test]
fn policies_that_a_verdict_names_can_be_asked_for_and_others_not() -> Checked {
    let plain = ask(&[])?.expect(0);
    let policies = plain.document["policies"].as_array().ok_or("no policies")?;
    let digests: Vec<&str> = policies.iter().filter_map(|policy| policy["sha256"].as_str()).collect();
    assert!(digests.len() >= 2, "{}", plain.ran);
    let asked: Vec<&str> = digests.iter().flat_map(|digest| ["--policy", *digest]).collect();
    ask(&asked)?.expect(0);
    let other = "00".repeat(32);
    let verdict = ask(&[&asked[..], &["--policy", &other]].concat())?.expect(1);
    let decided = log(&story().ledger())?;
    let first = decided
        .iter()
        .find(|entry| entry["kind"] == "decision.made")
        .ok_or("no decision")?;
    assert_eq!(verdict.finding_codes(), ["G8"]);
    assert!(
        verdict.finds("G8", first["seq"].as_u64().ok_or("no seq")?),
        "{}",
        verdict.ran
    );
    Ok(())
}

#[test]
fn ledger_is_not_younger_than_the_auditors_copy() -> Checked {
    ask(&["--as-of", NOT_YET])?.expect(0);
    let verdict = ask(&["--as-of", LONG_AGO])?.expect(1);
    assert_eq!(verdict.finding_codes(), ["I10"]);
    assert!(verdict.finds("I10", 0), "{}", verdict.ran);
    Ok(())
}

#[test]
fn required_head_and_witness_leave_end_self_incomplete() -> Checked {
    let folder = TempDir::new()?;
    let [head, path] = head_of(&story().ledger(), &folder.path().join("head"))?;
    for word in ["head", "witness"] {
        assert_eq!(ask(&["--require", word])?.expect(3).unproven_codes(), ["C1"]);
        ask(&["--require", word, "--strict"])?.expect(1);
    }
    ask(&["--require", "head", "--require", "pq", "--strict", &head, &path])?.expect(0);
    ask(&["--require", "witness", &head, &path])?.expect(3);
    Ok(())
}

#[test]
fn countersign_verify_takes_the_same_options() -> Checked {
    let folder = TempDir::new()?;
    let members = json!({ "name": "Example Ltd", "compromisedSince": NOT_YET });
    let [flag, trust] = trust_file(&folder.path().join("trust.json"), &story().anchor(), &members)?;
    let ledger = story().ledger().display().to_string();
    let digest = "11".repeat(32);
    let options = [
        "--as-of",
        LONG_AGO,
        "--policy",
        &digest,
        "--require",
        "witness",
        "--strict",
    ];
    let arguments = [&[ledger.as_str(), &flag, &trust][..], &options[..]].concat();
    let alone = run_verify(&arguments)?.expect(1);
    let within = run_countersign(["verify"].iter().chain(&arguments))?.expect(1);
    assert_eq!(alone.stdout, within.stdout);
    for code in ["I10", "G8", "C1"] {
        assert!(alone.stdout.contains(code), "{code}: {alone}");
    }
    run_countersign(["verify", &ledger, "--as-of", "yesterday"])?.expect(2);
    run_countersign([
        "verify",
        &ledger,
        &flag,
        &trust,
        &flag,
        &story().anchor().display().to_string(),
    ])?
    .expect(2);
    Ok(())
}

#[test]
fn trust_file_of_the_guide_is_one() -> Checked {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide-audit.md"))?;
    let example = guide
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let mut example = example.ok_or("no example")?.to_owned();
    let hosts = [host_of(&story().ledger())?, host_of(&other_story().ledger())?];
    let anchors = [story(), other_story()].map(|story| fs::read_to_string(story.anchor()));
    let [first, second] = anchors;
    for did in [first?.trim(), &hosts[0], &hosts[1], second?.trim()] {
        example = example.replacen("did:peer:4zQm…", did, 1);
    }
    let folder = TempDir::new()?;
    let path = folder.path().join("trust.json");
    fs::write(&path, example)?;
    let ran = run(verify().arg(story().ledger()).arg("--trust").arg(&path))?;
    assert!(ran.stdout.contains("Example Ltd"), "{ran}");
    Ok(())
}
