//! `--grant FILE`: a run has no more authority than the principal gave, and ends where its budget does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{GrantClaims, GrantCredential};
use countersign_identity::grant::{AbsolutePath, Budget, Grant, Lineage, PolicyTerms, Purpose};
use countersign_identity::instant::Window;
use countersign_identity::keyfile::KeyFile;
use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, Millis};
use countersign_schemas::text::Name;
use serde_json::{Value, json};

use crate::support::Checked;
use crate::support::programs::{Ran, run};
use crate::support::stored::log;
use crate::support::workshop::{PERMIT_WORK, Workshop};

const HOUR_MS: u64 = 3_600_000;

/// A workshop whose lead lists and writes, and a grant that covers that.
struct Mandate {
    workshop: Workshop,
    claims: GrantClaims,
}

impl Mandate {
    fn new() -> Checked<Self> {
        let workshop = Workshop::new()?;
        workshop.file("policy.cedar", PERMIT_WORK)?;
        let calls = (0..8).map(|number| ("write", json!({ "path": format!("{number}.txt"), "content": "x" })));
        workshop.script(&calls.collect::<Vec<(&str, Value)>>())?;
        let now_ms = now_ms()?;
        let window = Window::new(seconds(now_ms - HOUR_MS), seconds(now_ms + HOUR_MS))?;
        let host = key(&workshop, "host.key")?.did().short_did().clone();
        let grant = grant(&workshop)?;
        Ok(Self {
            workshop,
            claims: GrantClaims { window, host, grant },
        })
    }

    /// The credential, signed by the principal of `workshop`.
    fn sign(&self, workshop: &Workshop) -> Checked<Vec<u8>> {
        let principal = key(workshop, "principal.key")?;
        Ok(GrantCredential::issue(
            &self.claims,
            principal.secret(),
            principal.did(),
        )?)
    }

    fn run_with(&self, credential: &[u8]) -> Checked<Ran> {
        self.workshop.file("run.grant", credential)?;
        self.workshop.run(&["--policy", "policy.cedar", "--grant", "run.grant"])
    }

    fn run(&self) -> Checked<Ran> {
        self.run_with(&self.sign(&self.workshop)?)
    }

    /// Fails unless the grant is refused before anything happens.
    fn is_refused(&self, what: &str, credential: &[u8]) -> Checked {
        let ran = self.run_with(credential)?;
        assert_eq!(ran.code, Some(4), "{what}: {ran}");
        assert!(!self.workshop.ledger().exists() && self.files()? == 0, "{what}: {ran}");
        Ok(())
    }

    fn files(&self) -> Checked<usize> {
        Ok(fs::read_dir(self.workshop.work())?.count())
    }
}

fn grant(workshop: &Workshop) -> Checked<Grant> {
    let tools = ["list", "read", "write"]
        .map(Name::new)
        .into_iter()
        .collect::<Result<BTreeSet<_>, _>>()?;
    let folder = workshop.root().canonicalize()?;
    let workspace = AbsolutePath::new(folder.to_str().ok_or("a path in UTF-8")?)?;
    Ok(Grant {
        tools,
        effects: Effects::READ.union(Effects::WRITE),
        paths: BTreeSet::from([workspace.clone()]),
        workspace,
        hosts: BTreeSet::new(),
        budget: Budget {
            calls: Count::clamped(100),
            tokens_in: Count::clamped(1_000_000),
            tokens_out: Count::clamped(1_000_000),
            cost_micro_usd: Count::ZERO,
        },
        depth: 1,
        may_delegate: true,
        ledger: LedgerBinding::Any,
        purpose: Purpose::new("to write eight files")?,
        policy: PolicyTerms {
            adopt: true,
            floor: BTreeMap::new(),
        },
        lineage: Lineage::Root,
        principal: key(workshop, "principal.key")?.did().short_did().clone(),
    })
}

fn key(workshop: &Workshop, name: &str) -> Checked<KeyFile> {
    Ok(KeyFile::open(&workshop.home().join(name), None)?)
}

fn now_ms() -> Checked<u64> {
    Ok(u64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
    )?)
}

/// Credentials know whole seconds only.
fn seconds(ms: u64) -> Millis {
    Millis::clamped(ms / 1000 * 1000)
}

#[test]
fn run_under_a_grant_carries_it_in_its_ledger() -> Checked {
    let mandate = Mandate::new()?;
    mandate.run()?.expect(0);
    mandate.workshop.verdict()?.expect(0);
    let entries = log(&mandate.workshop.ledger())?;
    let issued = entries
        .iter()
        .find(|entry| entry["kind"] == "grant.issued")
        .ok_or("no grant was issued")?;
    let lead = entries
        .iter()
        .find(|entry| entry["body"]["parent_grant"] == issued["seq"])
        .ok_or("nobody holds it")?;
    assert_eq!(lead["body"]["role"], "agent");
    assert_eq!(mandate.files()?, 8);
    Ok(())
}

#[test]
fn spent_budget_halts_the_run_and_closes_the_ledger() -> Checked {
    let mut mandate = Mandate::new()?;
    mandate.claims.grant.budget.calls = Count::clamped(7);
    let ran = mandate.run()?.expect(3);
    let entries = log(&mandate.workshop.ledger())?;
    let ended = entries
        .iter()
        .find(|entry| entry["kind"] == "run.ended")
        .ok_or("the run has no end")?;
    assert_eq!(ended["body"]["reason"], "halted-budget", "{ran}");
    assert_eq!(
        entries.last().map(|entry| &entry["kind"]),
        Some(&"ledger.closed".into())
    );
    let files = mandate.files()?;
    assert!(
        (1..8).contains(&files),
        "{files} files with seven calls, each file a call of the model and one of the tool"
    );
    mandate.workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn tools_that_the_grant_does_not_name_are_denied() -> Checked {
    let mut mandate = Mandate::new()?;
    mandate.claims.grant.tools.retain(|tool| tool.as_str() != "write");
    mandate.run()?.expect(0);
    let actions = mandate.workshop.actions()?;
    assert!(
        actions
            .iter()
            .all(|action| action.is_refused() && action.has_rule("grant/G3.tool")),
        "{actions:#?}"
    );
    assert_eq!(mandate.files()?, 0);
    mandate.workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn policy_of_the_run_cannot_permit_where_the_grant_lets_nobody_adopt() -> Checked {
    let mut mandate = Mandate::new()?;
    mandate.claims.grant.policy.adopt = false;
    mandate.run()?.expect(0);
    let actions = mandate.workshop.actions()?;
    assert!(
        actions.iter().all(|action| action.is_refused()),
        "a file can only forbid and ask: {actions:#?}"
    );
    assert_eq!(mandate.files()?, 0);
    mandate.workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn nothing_is_permitted_without_the_policy_that_the_grant_pins() -> Checked {
    let mut mandate = Mandate::new()?;
    let pinned = Digest::sha256(b"permit nothing");
    mandate.claims.grant.policy.floor = BTreeMap::from([(PolicyLayer::Organisation, pinned)]);
    let ran = mandate.run()?.expect_one_of(&[0, 3, 4]);
    assert_eq!(mandate.files()?, 0, "{ran}");
    if mandate.workshop.ledger().exists() {
        let verdict = mandate.workshop.verdict()?;
        assert!([0, 3].contains(&verdict.code()), "{}", verdict.ran);
    }
    Ok(())
}

#[test]
fn grants_out_of_their_window_are_refused() -> Checked {
    let mut mandate = Mandate::new()?;
    let now_ms = now_ms()?;
    for (from, until) in [
        (now_ms - 2 * HOUR_MS, now_ms - HOUR_MS),
        (now_ms + HOUR_MS, now_ms + 2 * HOUR_MS),
    ] {
        mandate.claims.window = Window::new(seconds(from), seconds(until))?;
        mandate.is_refused("another time", &mandate.sign(&mandate.workshop)?)?;
    }
    Ok(())
}

#[test]
fn grants_of_others_and_to_others_are_refused() -> Checked {
    let mut mandate = Mandate::new()?;
    let stranger = Workshop::new()?;
    mandate.is_refused("signed by a stranger", &mandate.sign(&stranger)?)?;
    let own = mandate.claims.clone();
    mandate.claims.host = key(&stranger, "host.key")?.did().short_did().clone();
    mandate.is_refused("given to another host", &mandate.sign(&mandate.workshop)?)?;
    mandate.claims = own;
    mandate.claims.grant.principal = key(&stranger, "principal.key")?.did().short_did().clone();
    mandate.is_refused("of another principal", &mandate.sign(&mandate.workshop)?)?;
    mandate.claims.grant.principal = key(&mandate.workshop, "principal.key")?.did().short_did().clone();
    let digest = Digest::sha256(b"some other grant");
    mandate.claims.grant.lineage = Lineage::Child {
        parent: digest,
        root: digest,
    };
    mandate.is_refused("with a parent", &mandate.sign(&mandate.workshop)?)
}

#[test]
fn grant_for_another_folder_is_refused() -> Checked {
    let mut mandate = Mandate::new()?;
    let elsewhere = AbsolutePath::new("/somewhere/else")?;
    mandate.claims.grant.workspace = elsewhere.clone();
    mandate.claims.grant.paths = BTreeSet::from([elsewhere]);
    mandate.is_refused("another folder", &mandate.sign(&mandate.workshop)?)
}

#[test]
fn changed_grants_are_refused() -> Checked {
    let mandate = Mandate::new()?;
    let sound = String::from_utf8(mandate.sign(&mandate.workshop)?)?;
    let changed = [
        sound.replace("\"calls\":100", "\"calls\":101"),
        sound.replace("\"depth\":1", "\"depth\":9"),
        sound.replace("eddsa-jcs-2022", "eddsa-jcs-2023"),
        format!("{sound}\n"),
        sound.replacen('{', "{ ", 1),
        sound[..sound.len() / 2].to_owned(),
    ];
    for text in changed {
        assert_ne!(text, sound);
        mandate.is_refused(&text, text.as_bytes())?;
    }
    Ok(())
}

#[test]
fn issued_grant_bounds_the_run_it_is_passed_to() -> Checked {
    let mandate = Mandate::new()?;
    let workshop = &mandate.workshop;
    let issue = [
        "grant",
        "issue",
        "--path",
        "work",
        "--tool",
        "write",
        "--calls",
        "5",
        "-o",
        "issued.grant",
    ];
    run(workshop.countersign().args(issue))?.expect(0);
    let issued = fs::read(workshop.root().join("issued.grant"))?;
    mandate.run_with(&issued)?.expect(3);
    assert_eq!(
        mandate.files()?,
        2,
        "five calls are two turns with a write each and one without"
    );
    workshop.verdict()?.expect(0);
    Ok(())
}

#[test]
fn grant_issue_refuses_what_it_cannot_grant_and_never_overwrites() -> Checked {
    let mandate = Mandate::new()?;
    let workshop = &mandate.workshop;
    let precious = workshop.file("precious", "my only copy")?;
    let issue = |arguments: &[&str]| run(workshop.countersign().args(["grant", "issue"]).args(arguments));
    issue(&["--path", "work", "-o", "precious"])?.expect_one_of(&[2, 4]);
    assert_eq!(fs::read_to_string(precious)?, "my only copy");
    issue(&["-o", "new.grant"])?.expect(2);
    issue(&["--path", "missing", "-o", "new.grant"])?.expect(2);
    issue(&["--path", "work", "--tool", "teleport", "-o", "new.grant"])?.expect(2);
    issue(&["--path", "work", "--depth", "99", "-o", "new.grant"])?.expect(2);
    for host in ["https://example.com", "Example.com", "example.com:443", "[::1]", ""] {
        issue(&["--path", "work", "--host", host, "-o", "new.grant"])?.expect(2);
    }
    issue(&[
        "--path",
        "work",
        "--host",
        "*",
        "--host",
        "example.com",
        "-o",
        "new.grant",
    ])?
    .expect(2);
    assert!(!workshop.root().join("new.grant").exists());
    Ok(())
}

#[test]
fn issued_grant_names_its_hosts_and_none_unless_told() -> Checked {
    let workshop = &Mandate::new()?.workshop;
    let hosts = |arguments: &[&str]| -> Checked<Value> {
        let issue = ["grant", "issue", "--path", "work", "-o", "-"];
        let issued = run(workshop.countersign().args(issue).args(arguments))?.expect(0);
        let credential: Value = serde_json::from_str(&issued.stdout)?;
        Ok(credential["credentialSubject"]["grant"]["hosts"].clone())
    };
    assert_eq!(hosts(&[])?, json!([]));
    assert_eq!(
        hosts(&["--host", "example.com", "--host", "127.0.0.1"])?,
        json!(["127.0.0.1", "example.com"])
    );
    assert_eq!(hosts(&["--host", "*"])?, json!(["*"]));
    Ok(())
}
