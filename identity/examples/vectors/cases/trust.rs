//! Files of trust anchors: what an auditor may write, and everything that is refused.

use countersign_identity::trust::FILE_LEN_MAX;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::party::{approver, host, principal, runtime, stranger};
use super::{Cases, Vector};

/// The text of identity-v1 §11.1.
fn example() -> String {
    let [principal, host, stranger] = [principal(), host(), stranger()].map(|party| party.short());
    format!(
        r#"{{
  "schema": "countersign.trust/v1",
  "anchors": [
    {{
      "did": "{principal}",
      "name": "Example Ltd",
      "validFrom": "2026-01-01T00:00:00Z",
      "validUntil": "2028-01-01T00:00:00Z",
      "hosts": [
        {{"did": "{host}", "compromisedSince": "2026-11-30T06:00:00Z"}}
      ]
    }},
    {{"did": "{stranger}"}}
  ]
}}
"#
    )
}

pub(super) fn cases() -> Cases {
    let mut cases = accepted();
    cases.extend(lines());
    cases.extend(texts());
    cases.extend(of_the_file());
    cases.extend(of_an_anchor());
    cases.extend(of_hosts());
    Ok(cases)
}

fn vector(name: &str, spec: &str, why: &str, expect: Value, more: Value) -> Vector {
    Vector::new(&format!("trust-{name}"), "trust", spec, why, expect, more)
}

fn valid(name: &str, spec: &str, why: &str, file: &str, anchors: Value) -> Vector {
    let more = json!({ "file": file, "anchors": anchors });
    vector(name, spec, why, json!("valid"), more)
}

/// What is refused with `code`.
fn refused(name: &str, code: &str, why: &str, file: &str) -> Vector {
    vector(name, "§11.1", why, json!(code), json!({ "file": file }))
}

fn refused_line(name: &str, code: &str, why: &str, file: &str) -> Vector {
    vector(name, "§11", why, json!(code), json!({ "file": file }))
}

/// An anchor without limits, as the vectors show it.
fn bare(did: &str) -> Value {
    json!({ "did": did, "name": null, "from": null, "until": null, "compromised": null, "hosts": null })
}

/// A trust file with these anchors.
fn file_of(anchors: &Value) -> Value {
    json!({ "schema": "countersign.trust/v1", "anchors": anchors })
}

/// The text of a file. Another crate of the build may turn on `preserve_order`: it must not depend on that.
fn text_of(mut file: Value) -> String {
    file.sort_all_objects();
    file.to_string()
}

/// A trust file with one anchor, to which members are added or whose members are changed.
fn anchor_with(members: &Value) -> String {
    let mut anchor = json!({ "did": principal().did.short() });
    if let (Value::Object(into), Value::Object(from)) = (&mut anchor, members) {
        into.extend(from.clone());
    }
    text_of(file_of(&json!([anchor])))
}

fn accepted() -> Vec<Vector> {
    let [principal, host, stranger] = [principal().did, host().did, stranger().did];
    let theft = 1_796_018_400_000_u64;
    let mut marked = bare(principal.short());
    marked["compromised"] = json!(theft);
    let mut several = bare(principal.short());
    several["hosts"] = json!([
        { "did": stranger.short(), "compromised": null },
        { "did": host.short(), "compromised": null },
    ]);
    let mut ending = bare(principal.short());
    ending["until"] = json!(1000);
    let spaced = format!(" \t\r\n{}", anchor_with(&json!({ "did": principal.long() })));
    let line = |end: &str| format!("{}{end}", principal.short());
    let own = json!([bare(principal.short())]);
    vec![
        valid("two-anchors", "§11.1", "the example", &example(), said_by_example()),
        valid(
            "long-form-behind-spaces",
            "§11.1",
            "spaces before the file, a DID in long form",
            &spaced,
            own.clone(),
        ),
        valid(
            "compromised-principal",
            "§11.1",
            "a principal whose key was stolen",
            &anchor_with(&json!({ "compromisedSince": "2026-11-30T06:00:00Z" })),
            json!([marked]),
        ),
        valid(
            "several-hosts",
            "§11.1",
            "hosts need not be sorted, and one may be in long form",
            &anchor_with(&json!({ "hosts": [{ "did": stranger.short() }, { "did": host.long() }] })),
            json!([several]),
        ),
        valid(
            "end-without-beginning",
            "§11.1",
            "each end of the window may stand alone",
            &anchor_with(&json!({ "validUntil": "1970-01-01T00:00:01Z" })),
            json!([ending]),
        ),
        valid("line", "§11", "a DID file without line end", &line(""), own.clone()),
        valid("line-lf", "§11", "a DID file with a line end", &line("\n"), own.clone()),
        valid("line-cr-lf", "§11", "the other line end", &line("\r\n"), own.clone()),
        valid(
            "line-long",
            "§11",
            "a DID file with a long form",
            &format!("{}\n", principal.long()),
            own,
        ),
    ]
}

fn lines() -> Vec<Vector> {
    let (principal, stranger) = (principal().did, stranger().did);
    let short = principal.short();
    let spliced = principal.long().replace(short, stranger.short());
    vec![
        refused_line("line-empty", "empty", "an empty file", ""),
        refused_line("line-end-only", "empty", "a line end and nothing else", "\n"),
        refused_line(
            "line-second",
            "lines",
            "two DIDs",
            &format!("{short}\n{}\n", stranger.short()),
        ),
        refused_line("line-empty-second", "lines", "two line ends", &format!("{short}\n\n")),
        refused_line(
            "line-space-before",
            "bad_did",
            "a space before it",
            &format!(" {short}"),
        ),
        refused_line(
            "line-space-behind",
            "bad_did",
            "a space behind it",
            &format!("{short} \n"),
        ),
        refused_line(
            "line-bom",
            "bad_did",
            "a byte order mark",
            &format!("\u{feff}{short}\n"),
        ),
        refused_line(
            "line-other-method",
            "bad_did",
            "another method",
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK\n",
        ),
        refused_line(
            "line-spliced",
            "bad_did",
            "the keys of another party under this hash",
            &spliced,
        ),
        refused_line(
            "list",
            "bad_did",
            "a JSON list is no trust file",
            &format!("[\"{short}\"]"),
        ),
        refused_line(
            "form-feed",
            "bad_did",
            "a form feed is no space of JSON",
            &format!("\u{c}{}", anchor_with(&json!({}))),
        ),
    ]
}

fn texts() -> Vec<Vector> {
    let short = principal().did.short().to_owned();
    let twice = |anchor: &str| format!(r#"{{"schema":"countersign.trust/v1","anchors":[{anchor}]}}"#);
    let mut not_utf8 = anchor_with(&json!({ "name": "x" })).into_bytes();
    let at = not_utf8.iter().position(|byte| *byte == b'x').unwrap_or_default();
    not_utf8[at] = 0xff;
    let padded = |len: usize| format!("{}{}", example(), " ".repeat(len - example().len()));
    let mut cases = vec![
        valid(
            "longest",
            "§11",
            "as long as a file may be",
            &padded(FILE_LEN_MAX),
            said_by_example(),
        ),
        refused_line(
            "too-long",
            "too_long",
            "one byte more than a file may have",
            &padded(FILE_LEN_MAX + 1),
        ),
        refused(
            "cut",
            "syntax",
            "a file that was cut off",
            example().trim_end().trim_end_matches('}'),
        ),
        refused(
            "bom",
            "bad_did",
            "a byte order mark before the object",
            &format!("\u{feff}{}", anchor_with(&json!({}))),
        ),
        refused(
            "comment",
            "syntax",
            "JSON has no comments",
            &format!("{{// ours\n{}", &example()[1..]),
        ),
        refused(
            "trailing-comma",
            "syntax",
            "JSON has no comma before a closing bracket",
            &twice(&format!(r#"{{"did":"{short}"}},"#)),
        ),
        refused(
            "second-document",
            "syntax",
            "a second object behind the first",
            &example().repeat(2),
        ),
        refused(
            "member-twice",
            "duplicate_member",
            "the later of two times would lift the earlier one",
            &twice(&format!(
                r#"{{"did":"{short}","compromisedSince":"2026-11-30T06:00:00Z","compromisedSince":"2036-11-30T06:00:00Z"}}"#
            )),
        ),
        refused(
            "member-twice-escaped",
            "duplicate_member",
            "the same member in another spelling",
            &twice(&format!(r#"{{"did":"{short}","name":"a","n\u0061me":"a"}}"#)),
        ),
        refused(
            "anchors-twice",
            "duplicate_member",
            "two lists of anchors",
            &format!(
                r#"{{"anchors":[],{}"#,
                &text_of(file_of(&json!([{ "did": short }])))[1..]
            ),
        ),
    ];
    cases.push(vector(
        "not-utf8",
        "§11.1",
        "a name that is not UTF-8",
        json!("syntax"),
        json!({ "file_hex": HEXLOWER.encode(&not_utf8) }),
    ));
    cases
}

/// What the example says.
fn said_by_example() -> Value {
    let mut first = bare(principal().did.short());
    first["name"] = json!("Example Ltd");
    first["from"] = json!(1_767_225_600_000_u64);
    first["until"] = json!(1_830_297_600_000_u64);
    first["hosts"] = json!([{ "did": host().did.short(), "compromised": 1_796_018_400_000_u64 }]);
    json!([first, bare(stranger().did.short())])
}

fn of_the_file() -> Vec<Vector> {
    let (principal, stranger) = (principal().did, stranger().did);
    let own = json!({ "did": principal.short() });
    let with = |members: &[(&str, Value)]| {
        let mut file = file_of(&json!([own]));
        for (name, value) in members {
            file[*name] = value.clone();
        }
        text_of(file)
    };
    let without = |name: &str| {
        let mut file = file_of(&json!([own]));
        if let Value::Object(members) = &mut file {
            members.remove(name);
        }
        text_of(file)
    };
    let many = json!(vec![own.clone(); 257]);
    vec![
        refused("empty-object", "missing_member", "neither schema nor anchors", "{}"),
        refused("without-schema", "missing_member", "no schema", &without("schema")),
        refused("without-anchors", "missing_member", "no anchors", &without("anchors")),
        refused(
            "other-schema",
            "wrong_value",
            "another format",
            &with(&[("schema", json!("countersign.trust/v2"))]),
        ),
        refused(
            "unknown-member",
            "unknown_member",
            "a limit that nobody understands",
            &with(&[("witnesses", json!([]))]),
        ),
        refused(
            "no-anchors",
            "wrong_value",
            "an empty list trusts nobody",
            &with(&[("anchors", json!([]))]),
        ),
        refused(
            "anchors-object",
            "wrong_type",
            "one anchor where a list belongs",
            &with(&[("anchors", own.clone())]),
        ),
        refused(
            "anchors-null",
            "wrong_type",
            "null is not absent",
            &with(&[("anchors", Value::Null)]),
        ),
        refused(
            "too-many-anchors",
            "too_many",
            "257 anchors",
            &with(&[("anchors", many)]),
        ),
        refused(
            "anchor-text",
            "not_an_object",
            "a DID where an anchor belongs",
            &with(&[("anchors", json!([principal.short()]))]),
        ),
        refused(
            "same-anchor-twice",
            "duplicate_did",
            "a bare anchor would lift the limits of the other",
            &with(&[(
                "anchors",
                json!([own, { "did": stranger.short() }, { "did": principal.short(), "validUntil": "2028-01-01T00:00:00Z" }]),
            )]),
        ),
        refused(
            "same-anchor-in-both-forms",
            "duplicate_did",
            "the long form names the same party",
            &with(&[("anchors", json!([own, { "did": principal.long() }]))]),
        ),
    ]
}

fn of_an_anchor() -> Vec<Vector> {
    let theft = |value: Value| anchor_with(&json!({ "compromisedSince": value }));
    let window = |from: &str, until: &str| anchor_with(&json!({ "validFrom": from, "validUntil": until }));
    let (long, short) = (principal().did.long().to_owned(), principal().did.short().to_owned());
    let spliced = long.replace(&short, stranger().did.short());
    vec![
        refused(
            "anchor-without-did",
            "missing_member",
            "nobody is named",
            &text_of(file_of(&json!([{ "name": "Example Ltd" }]))),
        ),
        refused(
            "anchor-unknown-member",
            "unknown_member",
            "a misspelt limit",
            &anchor_with(&json!({ "compromised_since": "2026-11-30T06:00:00Z" })),
        ),
        refused(
            "anchor-did-key",
            "bad_did",
            "another method",
            &anchor_with(&json!({ "did": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK" })),
        ),
        refused(
            "anchor-did-line-end",
            "bad_did",
            "a line end belongs to a DID file",
            &anchor_with(&json!({ "did": format!("{short}\n") })),
        ),
        refused(
            "anchor-did-spliced",
            "bad_did",
            "the keys of another party under this hash",
            &anchor_with(&json!({ "did": spliced })),
        ),
        refused(
            "anchor-did-number",
            "wrong_type",
            "a number where a DID belongs",
            &anchor_with(&json!({ "did": 4 })),
        ),
        refused(
            "anchor-name-number",
            "wrong_type",
            "a number where a name belongs",
            &anchor_with(&json!({ "name": 4 })),
        ),
        refused(
            "anchor-name-bidi",
            "bad_text",
            "a name that reorders a line",
            &anchor_with(&json!({ "name": "Example\u{202e}dtL" })),
        ),
        refused(
            "anchor-name-control",
            "bad_text",
            "a name that commands a terminal",
            &anchor_with(&json!({ "name": "Example\u{1b}[2J" })),
        ),
        refused(
            "anchor-name-too-long",
            "bad_text",
            "257 bytes",
            &anchor_with(&json!({ "name": "x".repeat(257) })),
        ),
        refused(
            "anchor-empty-window",
            "empty_window",
            "ends as it begins",
            &window("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ),
        refused(
            "anchor-window-backwards",
            "empty_window",
            "ends before it begins",
            &window("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ),
        refused(
            "anchor-from-no-such-day",
            "instant",
            "29 February 2026",
            &window("2026-02-29T00:00:00Z", "2028-01-01T00:00:00Z"),
        ),
        refused(
            "anchor-until-day-only",
            "instant",
            "a day is not a time",
            &window("2026-01-01T00:00:00Z", "2028-01-01"),
        ),
        refused(
            "anchor-compromised-zone",
            "instant",
            "a time zone",
            &theft(json!("2026-11-30T06:00:00+01:00")),
        ),
        refused(
            "anchor-compromised-fraction",
            "instant",
            "a fraction of a second",
            &theft(json!("2026-11-30T06:00:00.5Z")),
        ),
        refused(
            "anchor-compromised-milliseconds",
            "wrong_type",
            "milliseconds where a time belongs",
            &theft(json!(1_796_018_400_000_u64)),
        ),
        refused(
            "anchor-compromised-null",
            "wrong_type",
            "null is not absent",
            &theft(Value::Null),
        ),
        refused(
            "anchor-compromised-true",
            "wrong_type",
            "since when is not said",
            &theft(json!(true)),
        ),
    ]
}

fn of_hosts() -> Vec<Vector> {
    let hosts = |value: Value| anchor_with(&json!({ "hosts": value }));
    let [host, runtime, approver] = [host().did, runtime().did, approver().did];
    let many = json!(vec![json!({ "did": host.short() }); 257]);
    vec![
        refused(
            "no-hosts",
            "wrong_value",
            "an empty list: neither every host nor none",
            &hosts(json!([])),
        ),
        refused("hosts-null", "wrong_type", "null is not absent", &hosts(Value::Null)),
        refused(
            "hosts-text",
            "not_an_object",
            "a DID where a host belongs",
            &hosts(json!([host.short()])),
        ),
        refused("too-many-hosts", "too_many", "257 hosts", &hosts(many)),
        refused(
            "host-without-did",
            "missing_member",
            "nobody is named",
            &hosts(json!([{}])),
        ),
        refused(
            "host-unknown-member",
            "unknown_member",
            "hosts have no window",
            &hosts(json!([{ "did": host.short(), "validUntil": "2028-01-01T00:00:00Z" }])),
        ),
        refused(
            "host-bad-did",
            "bad_did",
            "no DID",
            &hosts(json!([{ "did": "laptop" }])),
        ),
        refused(
            "host-bad-time",
            "instant",
            "a leap second",
            &hosts(json!([{ "did": host.short(), "compromisedSince": "2016-12-31T23:59:60Z" }])),
        ),
        refused(
            "same-host-twice",
            "duplicate_did",
            "an entry without a mark would hide the one with it",
            &hosts(json!([
                { "did": host.short() },
                { "did": runtime.short() },
                { "did": approver.short() },
                { "did": host.long(), "compromisedSince": "2026-11-30T06:00:00Z" },
            ])),
        ),
    ]
}
