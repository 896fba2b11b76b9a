use std::error::Error;

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

fn input<'a>(tool: &'a str, arguments: &'a str) -> ProjectionInput<'a> {
    ProjectionInput {
        tool,
        arguments: arguments.as_bytes(),
        effects: Effects::READ.union(Effects::WRITE),
        principal: Principal {
            depth_left: 2,
            id: "did:peer:4zQmLead".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        workspace: "/w",
        mode: "headless",
        calls_left: 180,
        time_ms: 1_763_712_000_000,
        advised: true,
        observed: Observed {
            place: Place::Inside,
            real_path: "/w/src/add.sh".to_owned(),
        },
    }
}

fn resource_of(tool: &str, arguments: &str) -> Result<Resource, ProjectionError> {
    project(input(tool, arguments)).map(|request| request.resource)
}

#[test]
fn the_example_of_the_specification_is_projected_byte_for_byte() -> Outcome {
    let request = project(input("edit", r#"{"new":"b","old":"a","path":"src/add.sh"}"#))?;
    let expected = r#"{"action":"edit","context":{"advised":true,"calls_left":180,"effects":["read","write"],"mode":"headless","observed":{"place":"inside","real_path":"/w/src/add.sh"},"time_ms":1763712000000,"workspace":"/w"},"principal":{"depth_left":2,"id":"did:peer:4zQmLead","name":"lead","root":true},"resource":{"id":"/w/src/add.sh","name":"add.sh","path":"/w/src/add.sh","relative":"src/add.sh","type":"File"},"schema":"countersign.cedar-request/v1"}"#;
    assert_eq!(String::from_utf8(request.to_jcs())?, expected);
    assert_eq!(CedarRequest::parse(expected.as_bytes())?, request);
    Ok(())
}

#[test]
fn the_digest_is_that_of_the_name() {
    assert_eq!(<[u8; 32]>::from(Sha256::digest(PROJECTION_NAME)), PROJECTION_DIGEST);
}

#[test]
fn every_tool_has_its_resource() -> Outcome {
    let file = |path: &str, relative: &str, name: &str| Resource::File {
        path: path.to_owned(),
        relative: relative.to_owned(),
        name: name.to_owned(),
    };
    assert_eq!(
        resource_of("read", r#"{"path":"../etc/passwd"}"#)?,
        file("/etc/passwd", "/etc/passwd", "passwd")
    );
    assert_eq!(resource_of("list", r#"{"path":""}"#)?, file("/w", "", "w"));
    assert_eq!(resource_of("list", r#"{"path":"/"}"#)?, file("/", "/", ""));
    assert_eq!(resource_of("glob", r#"{"pattern":"../**"}"#)?, file("/w", "", "w"));
    assert_eq!(
        resource_of("grep", r#"{"path":"a","pattern":"x"}"#)?,
        file("/w/a", "a", "a")
    );
    assert_eq!(
        resource_of("write", r#"{"content":"","path":"/w"}"#)?,
        file("/w", "", "w")
    );
    let Resource::Command { id, command } = resource_of("bash", r#"{"command":"ls"}"#)? else {
        return Err("no command".into());
    };
    assert_eq!((command.as_str(), id.len()), ("ls", 64));
    let kind = Resource::AgentType {
        id: "explore".to_owned(),
        name: "scout".to_owned(),
    };
    assert_eq!(
        resource_of("agent", r#"{"name":"scout","task":"look","type":"explore"}"#)?,
        kind
    );
    assert_eq!(resource_of("advisor", r#"{"question":"?"}"#)?, Resource::Advisor);
    assert_eq!(
        resource_of("mcp/search", r#"{"limit":3}"#)?,
        Resource::Tool {
            id: "mcp/search".to_owned()
        }
    );
    Ok(())
}

#[test]
fn arguments_that_are_not_the_tools_have_no_projection() {
    for (tool, arguments) in [
        ("read", "{}"),
        ("read", r#"{"path":1}"#),
        ("read", r#"{"path":null}"#),
        ("read", r#"{"file":"a"}"#),
        ("read", r#"{"more":"x","path":"a"}"#),
        ("edit", r#"{"new":"b","path":"a"}"#),
        ("bash", r#"{"command":["ls"]}"#),
        ("read", r#"["a"]"#),
        ("read", r#"{"path": "a"}"#),
        ("grep", r#"{"pattern":"x","path":"a"}"#),
        ("read", r#"{"path":"a","path":"b"}"#),
        ("read", ""),
        ("other", "1"),
        ("other", r#"{"x":1.5}"#),
    ] {
        assert!(project(input(tool, arguments)).is_err(), "{tool} {arguments}");
    }
}

#[test]
fn oversize_arguments_have_no_projection() {
    let arguments = format!(r#"{{"command":"{}"}}"#, "x".repeat(ARGUMENTS_BYTES_MAX));
    assert!(matches!(
        project(input("bash", &arguments)),
        Err(ProjectionError::NotCanonical(_))
    ));
}

#[test]
fn documents_of_another_shape_are_refused() -> Outcome {
    let good = String::from_utf8(project(input("advisor", r#"{"question":"?"}"#))?.to_jcs())?;
    for (from, to) in [
        ("cedar-request/v1", "cedar-request/v2"),
        (r#""advised":true"#, r#""advised":1"#),
        (r#""place":"inside""#, r#""place":"here""#),
        (r#""id":"advisor""#, r#""id":"somebody""#),
        (r#""type":"Advisor""#, r#""type":"Oracle""#),
        (r#""type":"Advisor"}"#, r#""type":"Advisor","x":1}"#),
        (r#""root":true}"#, r#""root":true,"z":1}"#),
        (r#","time_ms":1763712000000"#, ""),
        (r#"{"action":"#, r#"{"aaa":1,"action":"#),
        (r#"{"action""#, r#"{ "action""#),
    ] {
        assert_ne!(good.replace(from, to), good, "{from}");
        assert!(CedarRequest::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    Ok(())
}

#[test]
fn a_file_whose_id_is_not_its_path_is_refused() -> Outcome {
    let good = String::from_utf8(project(input("read", r#"{"path":"a"}"#))?.to_jcs())?;
    assert!(CedarRequest::parse(good.as_bytes()).is_ok());
    assert!(CedarRequest::parse(good.replace(r#""id":"/w/a""#, r#""id":"/w/b""#).as_bytes()).is_err());
    Ok(())
}
