//! One valid credential of every profile, and what each profile refuses although the proofs verify.

use countersign_identity::credential::Claims;
use serde_json::{Value, json};

use super::party::{self, Made, Party};
use super::{Cases, Vector};

pub(super) fn cases() -> Cases {
    let mut cases = vec![
        valid("host", &party::principal(), &party::host_claims()?, "§7.4")?,
        valid("runtime", &party::host(), &party::runtime_claims()?, "§7.5")?,
        valid("lead", &party::host(), &party::lead_claims()?, "§7.5")?,
        valid("child", &party::lead(), &party::child_claims()?, "§7.5")?,
        valid("advisor", &party::host(), &party::advisor_claims()?, "§7.5")?,
        valid("approver", &party::principal(), &party::approver_claims()?, "§7.6")?,
        valid("grant", &party::principal(), &party::grant_claims()?, "§7.7")?,
        valid("order", &party::approver(), &party::order_claims()?, "§9.1")?,
        valid("revoke", &party::principal(), &party::revoke_claims()?, "§9.2")?,
        valid("erase", &party::principal(), &party::erase_claims()?, "§9.2")?,
        valid("adopt", &party::principal(), &party::adopt_claims()?, "§9.2")?,
    ];
    cases.extend(refused_of(
        &party::principal(),
        &party::host_claims()?,
        "§7.4",
        &of_host(),
    )?);
    cases.extend(refused_of(
        &party::host(),
        &party::runtime_claims()?,
        "§7.5",
        &of_runtime(),
    )?);
    cases.extend(refused_of(
        &party::host(),
        &party::lead_claims()?,
        "§7.5",
        &of_agent()?,
    )?);
    cases.extend(refused_of(
        &party::host(),
        &party::advisor_claims()?,
        "§7.5",
        &of_advisor()?,
    )?);
    cases.extend(refused_of(
        &party::principal(),
        &party::approver_claims()?,
        "§7.6",
        &of_approver(),
    )?);
    cases.extend(refused_of(
        &party::principal(),
        &party::grant_claims()?,
        "§7.7",
        &of_grant(),
    )?);
    cases.extend(refused_of(
        &party::approver(),
        &party::order_claims()?,
        "§9.1",
        &of_order(),
    )?);
    for (claims, changes) in [
        (party::revoke_claims()?, of_revoke()),
        (party::erase_claims()?, of_erase()),
        (party::adopt_claims()?, of_adopt()),
    ] {
        cases.extend(refused_of(&party::principal(), &claims, "§9.2", &changes)?);
    }
    Ok(cases)
}

/// A credential vector: the document as text, the issuer's long DID, and what is expected.
pub(super) fn credential(
    name: &str,
    profile: &str,
    (spec, why, code): (&str, &str, &str),
    issuer: &Party,
    text: &str,
) -> Vector {
    let more = json!({ "profile": profile, "issuer": issuer.did.long(), "document": text });
    Vector::new(name, "credential", spec, why, json!(code), more)
}

fn valid<C: Claims>(name: &str, issuer: &Party, claims: &C, spec: &str) -> Made<Vector> {
    let text = issuer.issue(claims)?;
    let why = "a document that everybody accepts";
    Ok(credential(
        &format!("credential-{name}"),
        C::PROFILE,
        (spec, why, "valid"),
        issuer,
        &text,
    ))
}

/// Name, code, why, place in the subject, and the value put there; `null` takes the member away.
type Change = (&'static str, &'static str, &'static str, &'static str, Value);

fn refused_of<C: Claims>(issuer: &Party, claims: &C, spec: &str, changes: &[Change]) -> Cases {
    let original: Value = serde_json::from_str(&issuer.issue(claims)?)?;
    let mut cases = Vec::new();
    for (name, code, why, member, value) in changes {
        let mut document = original.clone();
        let subject = document["credentialSubject"].as_object_mut().ok_or("no subject")?;
        if value.is_null() {
            subject.remove(*member);
        } else {
            subject.insert((*member).to_owned(), value.clone());
        }
        let text = party::text(&issuer.sign(document)?)?;
        cases.push(credential(
            &format!("credential-{name}"),
            C::PROFILE,
            (spec, why, code),
            issuer,
            &text,
        ));
    }
    Ok(cases)
}

fn of_host() -> Vec<Change> {
    vec![
        (
            "host-may-enrol",
            "wrong_value",
            "mayEnrol is false in version 1",
            "mayEnrol",
            json!(true),
        ),
        (
            "host-issues-nothing",
            "wrong_value",
            "mayIssue names at least one",
            "mayIssue",
            json!([]),
        ),
        (
            "host-unsorted",
            "unsorted",
            "mayIssue is sorted",
            "mayIssue",
            json!(["root-grant", "instance"]),
        ),
        (
            "host-issues-other",
            "wrong_value",
            "mayIssue is a closed list",
            "mayIssue",
            json!(["approver"]),
        ),
        (
            "host-site-with-space",
            "bad_name",
            "site is a name",
            "site",
            json!("work station"),
        ),
        (
            "host-unknown-member",
            "unknown_member",
            "signed, yet unknown",
            "address",
            json!("10.0.0.1"),
        ),
        (
            "host-without-site",
            "missing_member",
            "every member is required",
            "site",
            json!(null),
        ),
        (
            "host-without-enrol",
            "missing_member",
            "every member is required",
            "mayEnrol",
            json!(null),
        ),
    ]
}

fn of_runtime() -> Vec<Change> {
    vec![
        (
            "runtime-for-any-ledger",
            "ledger_of_role",
            "an instance speaks in one ledger",
            "ledger",
            json!({ "any": true }),
        ),
        (
            "runtime-with-model",
            "model_of_role",
            "a runtime has no model",
            "model",
            json!("anthropic/model-1"),
        ),
        (
            "runtime-build-unknown-member",
            "unknown_member",
            "runtime has two members",
            "runtime",
            json!({ "name": "countersign", "version": "0.1.0", "patched": true }),
        ),
    ]
}

fn of_agent() -> Made<Vec<Change>> {
    let founding = json!({ "founding": "f0".repeat(32) });
    let long = party::principal().did.long().to_owned();
    Ok(vec![
        (
            "agent-without-grant",
            "grant_of_role",
            "an agent has a grant",
            "grant",
            json!(null),
        ),
        (
            "agent-bound-to-founding",
            "ledger_of_role",
            "only the opening instance is",
            "ledger",
            founding,
        ),
        (
            "agent-two-ledgers",
            "wrong_value",
            "one binding",
            "ledger",
            json!({ "id": "1d".repeat(32), "founding": "f0".repeat(32) }),
        ),
        (
            "agent-of-unknown-role",
            "wrong_value",
            "role is a closed list",
            "role",
            json!("superuser"),
        ),
        (
            "agent-operator-long-form",
            "bad_did",
            "credentials use short forms",
            "operator",
            json!(long),
        ),
        (
            "agent-without-operator",
            "missing_member",
            "every member is required",
            "operator",
            json!(null),
        ),
        (
            "agent-model-with-control",
            "bad_name",
            "model is a name",
            "model",
            json!("model\u{1b}[2J"),
        ),
        ("agent-id-is-a-number", "wrong_type", "id is text", "id", json!(7)),
    ])
}

fn of_advisor() -> Made<Vec<Change>> {
    let grant = party::child_grant()?.to_json();
    Ok(vec![(
        "advisor-with-grant",
        "grant_of_role",
        "an advisor can do nothing",
        "grant",
        grant,
    )])
}

fn of_approver() -> Vec<Change> {
    vec![
        (
            "approver-as-agent",
            "wrong_value",
            "role is approver",
            "role",
            json!("agent"),
        ),
        (
            "approver-of-agents",
            "wrong_value",
            "mayApprove is person in version 1",
            "mayApprove",
            json!("agent"),
        ),
        (
            "approver-with-ledger",
            "unknown_member",
            "an approver is bound to no ledger",
            "ledger",
            json!({ "any": true }),
        ),
    ]
}

fn of_grant() -> Vec<Change> {
    vec![
        (
            "grant-missing",
            "missing_member",
            "there is nothing to grant",
            "grant",
            json!(null),
        ),
        (
            "grant-is-a-list",
            "not_an_object",
            "a grant is an object",
            "grant",
            json!([]),
        ),
    ]
}

fn of_order() -> Vec<Change> {
    vec![
        (
            "order-meaning-contradicts",
            "meaning_of_verdict",
            "approved, and meant as refused",
            "meaning",
            json!("refuse"),
        ),
        (
            "order-refused-but-owned",
            "meaning_of_verdict",
            "refused, and meant as own",
            "verdict",
            json!("refuse"),
        ),
        (
            "order-verdict-of-other-word",
            "wrong_value",
            "verdict is a closed list",
            "verdict",
            json!("yes"),
        ),
        (
            "order-presentation-unknown",
            "wrong_value",
            "presentation is a closed list",
            "presentation",
            json!("sms"),
        ),
        (
            "order-expires-after-window",
            "expiry",
            "one millisecond too late",
            "expires",
            json!(1_795_248_900_001_u64),
        ),
        (
            "order-expires-before-window",
            "expiry",
            "before its beginning",
            "expires",
            json!(1_795_248_599_999_u64),
        ),
        (
            "order-expires-beyond-2-53",
            "number",
            "the edge of exact integers",
            "expires",
            json!(9_007_199_254_740_992_u64),
        ),
        (
            "order-expires-fraction",
            "number",
            "no fractions",
            "expires",
            json!(1_795_248_900_000.5),
        ),
        (
            "order-digest-upper-case",
            "bad_digest",
            "hex is lower-case",
            "request",
            json!("A1".repeat(32)),
        ),
        (
            "order-digest-short",
            "bad_digest",
            "32 bytes",
            "decision",
            json!("a2".repeat(31)),
        ),
        (
            "order-nonce-short",
            "wrong_value",
            "16 bytes",
            "nonce",
            json!("42".repeat(15)),
        ),
        (
            "order-without-nonce",
            "missing_member",
            "every member is required",
            "nonce",
            json!(null),
        ),
        (
            "order-with-scope",
            "unknown_member",
            "an order is for one decision",
            "scope",
            json!("session"),
        ),
    ]
}

fn of_revoke() -> Vec<Change> {
    vec![
        (
            "revoke-of-unknown-act",
            "wrong_value",
            "act is a closed list",
            "act",
            json!("forget"),
        ),
        (
            "revoke-as-erase",
            "missing_member",
            "an erasure names a payload",
            "act",
            json!("erase"),
        ),
        (
            "revoke-with-ground",
            "wrong_value",
            "a ground of an erasure is no reason of a revocation",
            "reason",
            json!("retention"),
        ),
        (
            "revoke-with-payload",
            "unknown_member",
            "a payload is not revoked",
            "payload",
            json!("b3".repeat(32)),
        ),
        (
            "revoke-with-id",
            "unknown_member",
            "a directive is about an act, not about a party",
            "id",
            json!("did:peer:4zQmTatqonFp1UUfRicAC3LnvD8xgA8nxqd7uyRrpkBTXvm6"),
        ),
        (
            "revoke-of-place",
            "wrong_type",
            "an entry is named by its digest: a place is the writer's word",
            "entry",
            json!(3),
        ),
        (
            "revoke-without-ledger",
            "missing_member",
            "a directive counts in one ledger",
            "ledger",
            json!(null),
        ),
        (
            "revoke-expires-after-window",
            "expiry",
            "one millisecond too late",
            "expires",
            json!(1_795_248_900_001_u64),
        ),
        (
            "revoke-expires-before-window",
            "expiry",
            "before its beginning",
            "expires",
            json!(1_795_248_599_999_u64),
        ),
        (
            "revoke-without-nonce",
            "missing_member",
            "every member is required",
            "nonce",
            json!(null),
        ),
    ]
}

fn of_erase() -> Vec<Change> {
    vec![
        (
            "erase-every-payload",
            "wrong_type",
            "an erasure is of one payload",
            "payload",
            json!(true),
        ),
        (
            "erase-without-payload",
            "missing_member",
            "an erasure is of one payload",
            "payload",
            json!(null),
        ),
        (
            "erase-with-reason-of-revocation",
            "wrong_value",
            "a reason of a revocation is no ground of an erasure",
            "reason",
            json!("halted"),
        ),
        (
            "erase-nonce-upper-case",
            "wrong_value",
            "hex is lower-case",
            "nonce",
            json!("4A".repeat(16)),
        ),
    ]
}

fn of_adopt() -> Vec<Change> {
    vec![
        ("adopt-layer-6", "out_of_range", "layers end at 5", "layer", json!(6)),
        (
            "adopt-layer-by-word",
            "wrong_type",
            "layers are numbers",
            "layer",
            json!("organisation"),
        ),
        (
            "adopt-with-reason",
            "unknown_member",
            "a policy needs no reason",
            "reason",
            json!("halted"),
        ),
        (
            "adopt-policies-short",
            "bad_digest",
            "32 bytes",
            "policies",
            json!("b4".repeat(31)),
        ),
    ]
}
