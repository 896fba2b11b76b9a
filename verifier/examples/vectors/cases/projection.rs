//! From a request to its Cedar request (authority-v1 §7).

use countersign_identity::jcs;
use countersign_schemas::body::Effects;
use countersign_verifier::projection::{Circumstances, Observed, Place, Principal, Subject};
use serde_json::{Value, json};

use super::Vector;
use super::address::ADDRESSES;

struct Case {
    name: &'static str,
    why: &'static str,
    tool: &'static str,
    arguments: &'static str,
    place: Place,
    real_path: &'static str,
}

const fn case(name: &'static str, why: &'static str, call: (&'static str, &'static str)) -> Case {
    Case {
        name,
        why,
        tool: call.0,
        arguments: call.1,
        place: Place::Inside,
        real_path: "/w/src/add.sh",
    }
}

const CASES: [Case; 40] = [
    case(
        "read",
        "a relative path is joined to the workspace",
        ("read", r#"{"path":"src/add.sh"}"#),
    ),
    case(
        "read_absolute",
        "an absolute path stays",
        ("read", r#"{"path":"/w/src/add.sh"}"#),
    ),
    case(
        "read_dots",
        "empty and dot segments are dropped",
        ("read", r#"{"path":"./src//./add.sh/"}"#),
    ),
    case(
        "read_parent",
        "dot dot removes the segment before it",
        ("read", r#"{"path":"src/../../etc/passwd"}"#),
    ),
    case(
        "read_above_root",
        "dot dot at the root is dropped",
        ("read", r#"{"path":"../../../../etc"}"#),
    ),
    case(
        "read_workspace",
        "the workspace has an empty relative path",
        ("read", r#"{"path":""}"#),
    ),
    case("read_root", "the root has an empty name", ("read", r#"{"path":"/"}"#)),
    case(
        "read_sibling",
        "a prefix ends at a segment",
        ("read", r#"{"path":"/work/a"}"#),
    ),
    case("list", "list names a folder", ("list", r#"{"path":"."}"#)),
    case(
        "glob",
        "glob names the workspace, whatever the pattern",
        ("glob", r#"{"pattern":"../**"}"#),
    ),
    case(
        "grep",
        "grep names its path",
        ("grep", r#"{"path":"src","pattern":"assert"}"#),
    ),
    case(
        "write",
        "write names its path",
        ("write", r#"{"content":"x","path":"a"}"#),
    ),
    case(
        "edit",
        "edit names its path",
        ("edit", r#"{"new":"b","old":"a","path":"src/add.sh"}"#),
    ),
    case(
        "bash",
        "a command is named by its digest",
        ("bash", r#"{"command":"sh test.sh"}"#),
    ),
    case(
        "bash_unicode",
        "text is taken as it is",
        ("bash", "{\"command\":\"echo \u{e9}\u{1F602}\\u001b\"}"),
    ),
    case(
        "agent",
        "an agent is named by its type",
        ("agent", r#"{"name":"scout","task":"look","type":"explore"}"#),
    ),
    case("advisor", "there is one advisor", ("advisor", r#"{"question":"?"}"#)),
    case(
        "bash_start",
        "a command that goes on is named like one that does not",
        ("bash_start", r#"{"command":"sh serve.sh"}"#),
    ),
    case(
        "merge",
        "a merge names the workspace, whatever the branch",
        ("merge", r#"{"branch":"../x"}"#),
    ),
    case(
        "bash_read",
        "a tool of the session is named by itself",
        ("bash_read", r#"{"job":"1"}"#),
    ),
    case(
        "bash_stop",
        "a tool of the session is named by itself",
        ("bash_stop", r#"{"job":"1"}"#),
    ),
    case(
        "todo",
        "a tool of the session is named by itself",
        ("todo", r#"{"items":""}"#),
    ),
    case(
        "ask_user",
        "a tool of the session is named by itself",
        ("ask_user", r#"{"question":"?"}"#),
    ),
    case(
        "tool_schema",
        "a tool of the session is named by itself",
        ("tool_schema", r#"{"tool":"merge"}"#),
    ),
    case(
        "other",
        "a tool without a projection has the action other",
        ("mcp/search", r#"{"limit":3,"q":"x"}"#),
    ),
    case(
        "refused_missing_argument",
        "an argument is missing",
        ("edit", r#"{"new":"b","path":"a"}"#),
    ),
    case(
        "refused_further_argument",
        "an argument is unknown",
        ("read", r#"{"mode":"x","path":"a"}"#),
    ),
    case("refused_number", "an argument is no string", ("read", r#"{"path":1}"#)),
    case("refused_null", "an argument is null", ("bash", r#"{"command":null}"#)),
    case(
        "refused_list",
        "an argument is a list",
        ("bash", r#"{"command":["ls"]}"#),
    ),
    case("refused_no_object", "the arguments are no object", ("read", r#"["a"]"#)),
    case("refused_empty", "the arguments are empty", ("read", "")),
    case(
        "refused_job_number",
        "a job is named by a string",
        ("bash_read", r#"{"job":1}"#),
    ),
    case(
        "refused_items_list",
        "the steps are one string",
        ("todo", r#"{"items":["a"]}"#),
    ),
    case(
        "refused_merge_target",
        "a merge takes a branch and nothing else",
        ("merge", r#"{"branch":"a","into":"b"}"#),
    ),
    case(
        "refused_space",
        "the arguments are not canonical: a space",
        ("read", r#"{"path": "a"}"#),
    ),
    case(
        "refused_order",
        "the arguments are not canonical: order",
        ("grep", r#"{"pattern":"x","path":"a"}"#),
    ),
    case(
        "refused_duplicate",
        "a member stands twice",
        ("read", r#"{"path":"a","path":"b"}"#),
    ),
    case(
        "refused_escape",
        "the arguments are not canonical: an escape",
        ("read", r#"{"path":"\u0061"}"#),
    ),
    case(
        "refused_fraction",
        "a number is no integer",
        ("mcp/search", r#"{"limit":1.5}"#),
    ),
];

pub(super) fn all() -> Vec<Vector> {
    let calls = CASES.iter().map(|case| vector(case, case.name, case.arguments, "§7"));
    calls.chain(ADDRESSES.iter().map(address)).collect()
}

fn address((name, why, url): &(&str, &'static str, &str)) -> Vector {
    let fetch = Case {
        place: Place::None,
        real_path: "",
        ..case("", why, ("web_fetch", ""))
    };
    let arguments = jcs::canonicalize(&json!({ "url": url })).expect("a text has a canonical form");
    let arguments = String::from_utf8(arguments).expect("JSON is UTF-8");
    vector(&fetch, &format!("url_{name}"), &arguments, "§7.10")
}

fn vector(case: &Case, name: &str, arguments: &str, spec: &str) -> Vector {
    let effects = Effects::READ.union(Effects::WRITE);
    let circumstances = Circumstances {
        effects,
        principal: Principal {
            depth_left: 2,
            id: "did:peer:4zQmWfNguaH5gqvKQ8M2PLfWirF7r36Psf2MFak7GEKP9pPv".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        mode: "headless",
        calls_left: 180,
        time_ms: 1_763_712_000_000,
        advised: true,
        observed: Observed {
            place: case.place,
            real_path: case.real_path.to_owned(),
        },
    };
    let request = Subject::of(case.tool, arguments.as_bytes(), "/w").ok().map(|subject| {
        let document = subject.project(circumstances).to_jcs();
        String::from_utf8_lossy(&document).into_owned()
    });
    let input = json!({
        "tool": case.tool,
        "arguments": arguments,
        "effects": effects.words().collect::<Vec<_>>(),
        "depth_left": 2,
        "id": "did:peer:4zQmWfNguaH5gqvKQ8M2PLfWirF7r36Psf2MFak7GEKP9pPv",
        "agent_name": "lead",
        "root": true,
        "workspace": "/w",
        "mode": "headless",
        "calls_left": 180,
        "time_ms": 1_763_712_000_000_u64,
        "advised": true,
        "observed": { "place": case.place.as_str(), "real_path": case.real_path },
    });
    let cedar_request = request.map_or(Value::Null, Value::String);
    Vector::new(
        "projection",
        name,
        spec,
        case.why,
        json!({ "input": input, "cedar_request": cedar_request }),
    )
}
