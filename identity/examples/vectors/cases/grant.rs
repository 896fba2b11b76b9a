//! Grants that are refused although their credential is signed.

use countersign_identity::credential::{Claims as _, InstanceClaims};
use serde_json::{Value, json};

use super::Cases;
use super::party::{host, lead_document, text};
use super::profile::credential;

/// Name, code, why, JSON pointer inside the grant, value put there.
type Change = (&'static str, &'static str, &'static str, &'static str, Value);

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    for (name, code, why, place, value) in lists().into_iter().chain(values()) {
        let mut document = lead_document()?;
        let grant = document.pointer_mut("/credentialSubject/grant").ok_or("no grant")?;
        let (parent, member) = place.rsplit_once('/').ok_or("no place")?;
        grant.pointer_mut(parent).ok_or("no such place")?[member] = value;
        let text = text(&host().sign(document)?)?;
        cases.push(credential(
            &format!("grant-{name}"),
            InstanceClaims::PROFILE,
            ("§8.1", why, code),
            &host(),
            &text,
        ));
    }
    Ok(cases)
}

fn lists() -> Vec<Change> {
    let many: Vec<String> = (0..65).map(|n| format!("tool-{n:02}")).collect();
    vec![
        (
            "unknown-constraint",
            "unknown_member",
            "a limit that is not understood",
            "/weekdays",
            json!(["mon"]),
        ),
        (
            "unknown-budget",
            "unknown_member",
            "an amount that is not understood",
            "/budget/seconds",
            json!(60),
        ),
        (
            "tools-unsorted",
            "unsorted",
            "lists are sorted",
            "/tools",
            json!(["read", "bash"]),
        ),
        (
            "tools-twice",
            "unsorted",
            "lists have no duplicates",
            "/tools",
            json!(["read", "read"]),
        ),
        ("tools-too-many", "too_many", "at most 64", "/tools", json!(many)),
        ("tools-wildcard", "bad_name", "a tool is a name", "/tools", json!(["*"])),
        (
            "effect-unknown",
            "wrong_value",
            "effects are a closed list",
            "/effects",
            json!(["teleport"]),
        ),
        (
            "effects-in-bit-order",
            "unsorted",
            "sorted as text",
            "/effects",
            json!(["read", "execute"]),
        ),
        (
            "path-dot-dot",
            "bad_text",
            "paths are in normal form",
            "/paths",
            json!(["/home/kim/../root"]),
        ),
        (
            "path-trailing-slash",
            "bad_text",
            "paths are in normal form",
            "/paths",
            json!(["/tmp/"]),
        ),
        (
            "path-relative",
            "bad_text",
            "paths are absolute",
            "/workspace",
            json!("project"),
        ),
        (
            "path-line-end",
            "bad_text",
            "no control characters",
            "/workspace",
            json!("/tmp\n/etc"),
        ),
        (
            "host-upper-case",
            "bad_text",
            "hosts are lower-case",
            "/hosts",
            json!(["Example.com"]),
        ),
        (
            "host-with-port",
            "bad_text",
            "a host has no port",
            "/hosts",
            json!(["example.com:443"]),
        ),
        (
            "host-every-and-one",
            "wrong_value",
            "* stands alone",
            "/hosts",
            json!(["*", "example.com"]),
        ),
    ]
}

fn values() -> Vec<Change> {
    let hex = "00".repeat(32);
    vec![
        (
            "budget-negative",
            "wrong_type",
            "amounts are not negative",
            "/budget/calls",
            json!(-1),
        ),
        (
            "budget-text",
            "wrong_type",
            "amounts are integers",
            "/budget/tokensIn",
            json!("7"),
        ),
        ("depth-33", "out_of_range", "at most 32", "/depth", json!(33)),
        (
            "may-enrol",
            "wrong_value",
            "mayEnrol is false in version 1",
            "/mayEnrol",
            json!(true),
        ),
        (
            "purpose-too-long",
            "bad_text",
            "at most 256 bytes",
            "/purpose",
            json!("x".repeat(257)),
        ),
        (
            "purpose-bidi",
            "bad_text",
            "text that reads differently than it is",
            "/purpose",
            json!("a\u{202e}b"),
        ),
        (
            "floor-of-layer-0",
            "unknown_member",
            "layer 0 is not pinned here",
            "/policy/floor/0",
            json!(hex),
        ),
        (
            "floor-not-a-digest",
            "bad_digest",
            "32 bytes in hex",
            "/policy/floor/1",
            json!("policy"),
        ),
        (
            "root-without-parent",
            "wrong_value",
            "both are null or neither",
            "/root",
            json!(hex),
        ),
        (
            "parent-without-root",
            "wrong_value",
            "both are null or neither",
            "/parent",
            json!(hex),
        ),
        (
            "principal-did-key",
            "bad_did",
            "a principal has both keys",
            "/principal",
            json!("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        ),
        (
            "ledger-any-false",
            "wrong_value",
            "any is true",
            "/ledger",
            json!({ "any": false }),
        ),
    ]
}
