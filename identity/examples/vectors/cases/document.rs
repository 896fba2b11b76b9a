//! Refusals of the envelope: canonical form, members that all profiles share, times.

use countersign_identity::credential::{Claims as _, InstanceClaims};
use serde_json::{Value, json};

use super::party::{Made, host, lead_document, principal, text};
use super::profile::credential;
use super::{Cases, Vector};

const PROFILE: &str = InstanceClaims::PROFILE;

pub(super) fn cases() -> Cases {
    let mut cases = of_the_bytes()?;
    cases.extend(of_the_envelope()?);
    cases.extend(of_the_times()?);
    Ok(cases)
}

fn of_text(name: &str, code: &str, why: &str, text: &str) -> Vector {
    credential(&format!("document-{name}"), PROFILE, ("§3", why, code), &host(), text)
}

fn of_the_bytes() -> Cases {
    let good = text(&lead_document()?)?;
    let last_first = good.replacen("{\"@context\"", "{\"zzz\":1,\"@context\"", 1);
    let twice = good.replacen("{\"@context\"", "{\"@context\":[],\"@context\"", 1);
    let more = json!({ "issuer": host().did.long(), "profile": PROFILE, "document_hex": "7b22ff227d" });
    let not_utf8 = Vector::new(
        "document-not-utf8",
        "credential",
        "§3",
        "no UTF-8",
        json!("syntax"),
        more,
    );
    Ok(vec![
        of_text(
            "space",
            "not_canonical",
            "one space after a colon",
            &good.replacen(':', ": ", 1),
        ),
        of_text("newline", "not_canonical", "a final line end", &format!("{good}\n")),
        of_text("order", "not_canonical", "members out of order", &last_first),
        of_text(
            "duplicate",
            "not_canonical",
            "a member twice; readers keep one or the other",
            &twice,
        ),
        of_text(
            "escape",
            "not_canonical",
            "a letter written as escape",
            &good.replacen("lead", "l\\u0065ad", 1),
        ),
        of_text(
            "number-exponent",
            "number",
            "200 written as 2e2",
            &good.replacen(":200,", ":2e2,", 1),
        ),
        of_text(
            "number-fraction",
            "number",
            "200 written as 200.0",
            &good.replacen(":200,", ":200.0,", 1),
        ),
        of_text(
            "number-negative-zero",
            "number",
            "minus zero",
            &good.replacen(":200,", ":-0,", 1),
        ),
        of_text("cut", "syntax", "the last byte is missing", &good[..good.len() - 1]),
        of_text("bom", "syntax", "a byte order mark", &format!("\u{feff}{good}")),
        of_text("empty", "syntax", "nothing", ""),
        of_text(
            "too-long",
            "too_long",
            "more than 16384 bytes",
            &format!("{good}{}", " ".repeat(16_384)),
        ),
        of_text(
            "too-deep",
            "too_deep",
            "33 arrays in one another",
            &format!("{}{}", "[".repeat(33), "]".repeat(33)),
        ),
        of_text("scalar", "not_an_object", "a document is an object", "7"),
        not_utf8,
    ])
}

/// A change of the envelope, signed again by its issuer.
fn signed(name: &str, code: &str, why: &str, change: impl FnOnce(&mut Value)) -> Made<Vector> {
    let mut document = lead_document()?;
    change(&mut document);
    let text = text(&host().sign(document)?)?;
    Ok(credential(
        &format!("document-{name}"),
        PROFILE,
        ("§7.2", why, code),
        &host(),
        &text,
    ))
}

fn of_the_envelope() -> Cases {
    let more = "https://www.w3.org/ns/credentials/examples/v2";
    let other_type = json!(["VerifiableCredential", "CountersignHostCredential"]);
    let long_issuer = host().did.long().to_owned();
    let with_issuer = |issuer: Value| -> Made<String> {
        let mut document = lead_document()?;
        document["issuer"] = issuer;
        text(&document)
    };
    let long = credential(
        "document-issuer-long-form",
        PROFILE,
        ("§7.2", "credentials use short forms", "bad_did"),
        &host(),
        &with_issuer(json!(long_issuer))?,
    );
    let object = credential(
        "document-issuer-object",
        PROFILE,
        ("§7.2", "an issuer is a DID, not an object", "wrong_type"),
        &host(),
        &with_issuer(json!({ "id": host().did.short() }))?,
    );
    Ok(vec![
        signed("unknown-member", "unknown_member", "signed, yet unknown", |document| {
            document["id"] = json!("urn:x")
        })?,
        signed(
            "unknown-status",
            "unknown_member",
            "status lists are not part of version 1",
            |document| {
                document["credentialStatus"] = json!({ "type": "BitstringStatusListEntry" });
            },
        )?,
        signed("third-context", "context", "a third context", |document| {
            document["@context"] = json!([document["@context"][0], document["@context"][1], more]);
        })?,
        signed("context-text", "context", "one context as text", |document| {
            document["@context"] = document["@context"][0].clone();
        })?,
        signed("third-type", "profile", "a third type", |document| {
            document["type"] = json!(["VerifiableCredential", PROFILE, "Extra"]);
        })?,
        signed(
            "other-profile",
            "profile",
            "another profile in this one's place",
            |document| document["type"] = other_type,
        )?,
        long,
        object,
    ])
}

fn of_the_times() -> Cases {
    let until = |value: &'static str| move |document: &mut Value| document["validUntil"] = json!(value);
    let mut without_until = lead_document()?;
    without_until
        .as_object_mut()
        .ok_or("not an object")?
        .remove("validUntil");
    let text = text(&host().sign(without_until)?)?;
    Ok(vec![
        signed(
            "ends-before-it-begins",
            "window",
            "validUntil before validFrom",
            until("2026-11-21T07:59:59Z"),
        )?,
        signed(
            "ends-as-it-begins",
            "window",
            "an empty window",
            until("2026-11-21T08:00:00Z"),
        )?,
        signed(
            "fraction-of-second",
            "instant",
            "whole seconds only",
            until("2026-11-21T20:00:00.000Z"),
        )?,
        signed("time-zone", "instant", "Z only", until("2026-11-21T20:00:00+00:00"))?,
        signed("no-such-day", "instant", "30 February", until("2027-02-30T00:00:00Z"))?,
        signed(
            "leap-second",
            "instant",
            "no leap second",
            until("2026-12-31T23:59:60Z"),
        )?,
        credential(
            "document-without-end",
            PROFILE,
            ("§7.2", "no end", "missing_member"),
            &principal(),
            &text,
        ),
    ])
}
