//! What policy layers say about one Cedar request (authority-v1 §8.2, §8.3).

use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_verifier::policy::{BUILTIN_LAYER0, ENTITIES, LoadedLayer, PartResult, SCHEMA, evaluate};
use countersign_verifier::projection::{CedarRequest, Circumstances, Observed, Place, Principal, Subject};
use serde_json::{Value, json};

use super::Vector;

const OWNER: &str = "did:peer:4zQmeBUsUXvYmg9Bfr6bnMtgvySXmUnpqyVqAw86iKAJugFQ";

const PERMIT: &str = r#"@id("all") permit(principal, action, resource);"#;
const FORBID: &str = r#"@id("never") forbid(principal, action, resource);"#;
const ASK: &str = r#"@id("ask") @decision("ask") permit(principal, action, resource);"#;
const ERRS: &str =
    r#"@id("errs") forbid(principal, action, resource) when { context.calls_left + 9223372036854775807 > 0 };"#;
const OURS: &str = r#"@id("ours") forbid(principal in Principal::"did:peer:4zQmeBUsUXvYmg9Bfr6bnMtgvySXmUnpqyVqAw86iKAJugFQ", action, resource);"#;
const NAMES: &str = "@id(\"b ad\") forbid(principal, action, resource);\nforbid(principal, action, resource);\n@id(\"z\") forbid(principal, action, resource);\n@id(\"a\") forbid(principal, action, resource);\n@id(\"a\") forbid(principal, action, resource);";
const DOCS: &str = r#"@id("docs") permit(principal, action in Action::"fetch", resource) when { resource.scheme == "https" && resource.host == "example.com" && resource.port == 443 && resource.path like "/docs/*" };"#;
const QUERY: &str =
    r#"@id("query") forbid(principal, action == Action::"web_fetch", resource) when { resource.url like "*?*" };"#;
const QUIET: &str =
    r#"@id("quiet") forbid(principal, action in Action::"session", resource) unless { resource == Tool::"todo" };"#;
const UNTYPED: &str = r#"permit(principal, action == Action::"todo", resource) when { resource.url == "x" };"#;
const SYNTAX: &str = "permit(principal, action, resource)";
const UNKNOWN: &str = r#"permit(principal, action == Action::"fly", resource);"#;
const TEMPLATE: &str = "permit(principal == ?principal, action, resource);";

type Layers = &'static [(PolicyLayer, &'static str)];
type Case = (&'static str, &'static str, (&'static str, &'static str, Place), Layers);

const READ: (&str, &str, Place) = ("read", r#"{"path":"a"}"#, Place::Inside);
const READ_SECRET: (&str, &str, Place) = ("read", r#"{"path":".env"}"#, Place::Secret);
const READ_OWN: (&str, &str, Place) = ("read", r#"{"path":"ledger.db"}"#, Place::Own);
const READ_OUTSIDE: (&str, &str, Place) = ("read", r#"{"path":"/etc/passwd"}"#, Place::Outside);
const WRITE: (&str, &str, Place) = ("write", r#"{"content":"","path":"a"}"#, Place::Inside);
const WRITE_SECRET: (&str, &str, Place) = ("write", r#"{"content":"","path":".env"}"#, Place::Secret);
const BASH: (&str, &str, Place) = ("bash", r#"{"command":"ls"}"#, Place::Unknown);
const AGENT: (&str, &str, Place) = ("agent", r#"{"name":"scout","task":"t","type":"explore"}"#, Place::None);
const FETCH: (&str, &str, Place) = ("web_fetch", r#"{"url":"https://example.com/docs/a?q=1"}"#, Place::None);
const BASH_START: (&str, &str, Place) = ("bash_start", r#"{"command":"ls"}"#, Place::Unknown);
const BASH_STOP: (&str, &str, Place) = ("bash_stop", r#"{"job":"1"}"#, Place::None);
const MERGE: (&str, &str, Place) = ("merge", r#"{"branch":"fix"}"#, Place::Inside);
const MERGE_SECRET: (&str, &str, Place) = ("merge", r#"{"branch":"fix"}"#, Place::Secret);
const TODO: (&str, &str, Place) = ("todo", r#"{"items":"[ ] a"}"#, Place::None);
const ASK_USER: (&str, &str, Place) = ("ask_user", r#"{"question":"?"}"#, Place::None);
const OTHER: (&str, &str, Place) = ("mcp/search", "{}", Place::None);

use PolicyLayer::{Builtin, File, Organisation, Project, User};

const CASES: [Case; 36] = [
    (
        "builtin_read",
        "layer 0 permits reading inside",
        READ,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_write",
        "layer 0 asks before a change",
        WRITE,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_bash",
        "layer 0 asks before a command",
        BASH,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_agent",
        "layer 0 permits delegation",
        AGENT,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_other",
        "layer 0 asks before an unknown tool",
        OTHER,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_outside",
        "layer 0 asks outside the workspace",
        READ_OUTSIDE,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_secret",
        "two policies of layer 0 ask before a secret is read",
        READ_SECRET,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_write_secret",
        "layer 0 forbids changing a secret",
        WRITE_SECRET,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_own",
        "layer 0 forbids touching the run's own files",
        READ_OWN,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "organisation_permits",
        "a permit of layer 1 takes the place of the default ask",
        BASH,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, PERMIT)],
    ),
    (
        "organisation_and_read",
        "determining permits of both layers count",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, PERMIT)],
    ),
    (
        "organisation_secret",
        "an ask that is no default stays",
        READ_SECRET,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, PERMIT)],
    ),
    (
        "organisation_own",
        "a forbid of layer 0 stays",
        READ_OWN,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, PERMIT)],
    ),
    (
        "organisation_asks",
        "layer 1 asks where layer 0 would permit",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, ASK)],
    ),
    (
        "organisation_forbids",
        "a forbid of layer 1 denies",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, FORBID)],
    ),
    (
        "organisation_silent",
        "a silent layer 1 leaves layer 0 as it is",
        BASH,
        &[
            (Builtin, BUILTIN_LAYER0),
            (
                Organisation,
                r#"permit(principal, action == Action::"edit", resource);"#,
            ),
        ],
    ),
    (
        "organisation_empty",
        "an empty layer denies",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, "// nothing\n")],
    ),
    (
        "organisation_errs",
        "an evaluation error is no permission",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, ERRS)],
    ),
    (
        "organisation_both_forbid",
        "the forbids of both layers are named",
        READ_OWN,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, FORBID)],
    ),
    (
        "organisation_owner",
        "the principal is the parent of its agents",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, OURS)],
    ),
    (
        "rules_names",
        "policies without a usable id are counted, the rest sorted",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, NAMES)],
    ),
    (
        "without_builtin",
        "without layer 0 nothing is permitted",
        READ,
        &[(Organisation, PERMIT)],
    ),
    ("nothing", "without any layer nothing is permitted", READ, &[]),
    (
        "lower_permits",
        "a lower layer that permits is neutral",
        BASH,
        &[(Builtin, BUILTIN_LAYER0), (User, PERMIT)],
    ),
    (
        "lower_silent",
        "a lower layer that is silent is neutral",
        BASH,
        &[
            (Builtin, BUILTIN_LAYER0),
            (User, r#"permit(principal, action == Action::"edit", resource);"#),
        ],
    ),
    (
        "lower_asks",
        "a lower layer can ask",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Project, ASK)],
    ),
    (
        "lower_forbids",
        "a lower layer can forbid",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, FORBID)],
    ),
    (
        "lower_empty",
        "an empty lower layer denies",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, "")],
    ),
    (
        "lower_errs",
        "an error in a lower layer is could-not-evaluate",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, ERRS)],
    ),
    (
        "lower_strictest",
        "the strictest lower layer counts",
        READ,
        &[
            (Builtin, BUILTIN_LAYER0),
            (User, ASK),
            (Project, PERMIT),
            (File, FORBID),
        ],
    ),
    (
        "lower_two_ask",
        "all lower layers that ask are named",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (User, ASK), (File, ASK)],
    ),
    (
        "lower_error_and_forbid",
        "an error comes before a forbid",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (User, ERRS), (File, FORBID)],
    ),
    (
        "unreadable_syntax",
        "a text that does not parse",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, SYNTAX)],
    ),
    (
        "unreadable_action",
        "a text that does not validate",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, UNKNOWN)],
    ),
    (
        "unreadable_template",
        "a text that holds a template",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (File, TEMPLATE)],
    ),
    (
        "unreadable_organisation",
        "a layer 1 that does not parse",
        READ,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, SYNTAX)],
    ),
];

/// Addresses, background commands, merges and tools of the session.
const SESSION_CASES: [Case; 15] = [
    (
        "builtin_fetch",
        "layer 0 asks before a fetch",
        FETCH,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_bash_start",
        "layer 0 asks before a command that goes on",
        BASH_START,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_merge",
        "layer 0 asks before a merge as before a change",
        MERGE,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_merge_secret",
        "layer 0 forbids a merge into a secret place",
        MERGE_SECRET,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_todo",
        "layer 0 permits what stays in the session",
        TODO,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_ask_user",
        "layer 0 permits a question to the person",
        ASK_USER,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "builtin_bash_stop",
        "layer 0 permits the end of a command",
        BASH_STOP,
        &[(Builtin, BUILTIN_LAYER0)],
    ),
    (
        "organisation_permits_fetch",
        "layer 1 permits by scheme, host, port and path",
        FETCH,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, DOCS)],
    ),
    (
        "organisation_other_action",
        "a permit for fetches says nothing about commands",
        BASH_START,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, DOCS)],
    ),
    (
        "organisation_asks_session",
        "layer 1 asks where layer 0 permits",
        TODO,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, ASK)],
    ),
    (
        "organisation_forbids_query",
        "a forbid by the whole address",
        FETCH,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, QUERY)],
    ),
    (
        "lower_forbids_query",
        "a lower layer forbids what layer 1 permits",
        FETCH,
        &[(Builtin, BUILTIN_LAYER0), (Organisation, DOCS), (File, QUERY)],
    ),
    (
        "lower_forbids_session",
        "a lower layer forbids tools of the session by name",
        BASH_STOP,
        &[(Builtin, BUILTIN_LAYER0), (User, QUIET)],
    ),
    (
        "lower_spares_todo",
        "and spares one",
        TODO,
        &[(Builtin, BUILTIN_LAYER0), (User, QUIET)],
    ),
    (
        "unreadable_attribute",
        "a tool of the session has no address",
        TODO,
        &[(Builtin, BUILTIN_LAYER0), (File, UNTYPED)],
    ),
];

pub(super) fn all() -> Vec<Vector> {
    CASES.iter().chain(&SESSION_CASES).map(vector).collect()
}

fn request((tool, arguments, place): (&str, &str, Place)) -> CedarRequest {
    let subject = Subject::of(tool, arguments.as_bytes(), "/w").expect("arguments of the tool");
    subject.project(Circumstances {
        effects: Effects::READ,
        principal: Principal {
            depth_left: 1,
            id: "did:peer:4zA".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        mode: "headless",
        calls_left: 10,
        time_ms: 1_763_712_000_000,
        advised: false,
        observed: Observed {
            place,
            real_path: String::new(),
        },
    })
}

fn vector((name, why, call, layers): &Case) -> Vector {
    let load = |(layer, text): &(PolicyLayer, &str)| {
        LoadedLayer::load(*layer, text, SCHEMA, ENTITIES).unwrap_or_else(|_| LoadedLayer::unreadable(*layer))
    };
    let loaded: Vec<LoadedLayer> = layers.iter().map(load).collect();
    let request = request(*call);
    let parts = evaluate(&loaded.iter().collect::<Vec<_>>(), &request, OWNER);
    // Layer 0 is the published text; to repeat it in every file would only hide what matters.
    let text = |(layer, text): &(PolicyLayer, &str)| {
        let shown = if *text == BUILTIN_LAYER0 {
            "policy/layer0-v1.cedar"
        } else {
            *text
        };
        json!({ "layer": layer.code(), "policies": shown })
    };
    let more = json!({
        "layers": layers.iter().map(text).collect::<Vec<_>>(),
        "principal": OWNER,
        "cedar_request": String::from_utf8_lossy(&request.to_jcs()),
        "permit_layers": part(&parts.permit),
        "lower_layers": parts.lower.as_ref().map_or(Value::Null, part),
    });
    Vector::new("policy", name, "§8.2, §8.3", why, more)
}

fn part(result: &PartResult) -> Value {
    json!({ "outcome": result.outcome.as_str(), "rules": result.rules })
}
