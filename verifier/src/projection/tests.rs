use std::error::Error;

use countersign_schemas::body::Effects;
use sha2::{Digest, Sha256};

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

fn project(tool: &str, arguments: &str) -> Result<CedarRequest, ProjectionError> {
    let circumstances = Circumstances {
        effects: Effects::READ.union(Effects::WRITE),
        principal: Principal {
            depth_left: 2,
            id: "did:peer:4zQmLead".to_owned(),
            name: "lead".to_owned(),
            root: true,
        },
        mode: "headless",
        calls_left: 180,
        time_ms: 1_763_712_000_000,
        advised: true,
        observed: Observed {
            place: Place::Inside,
            real_path: "/w/src/add.sh".to_owned(),
        },
    };
    Ok(Subject::of(tool, arguments.as_bytes(), "/w")?.project(circumstances))
}

fn resource_of(tool: &str, arguments: &str) -> Result<Resource, ProjectionError> {
    project(tool, arguments).map(|request| request.resource)
}

#[test]
fn the_example_of_the_specification_is_projected_byte_for_byte() -> Outcome {
    let request = project("edit", r#"{"new":"b","old":"a","path":"src/add.sh"}"#)?;
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
fn tools_of_a_session_name_a_workspace_a_command_or_themselves() -> Outcome {
    let merged = resource_of("merge", r#"{"branch":"../../etc"}"#)?;
    assert_eq!((merged.type_name(), merged.id()), ("File", "/w"));
    assert_eq!(lexical_path("merge", br#"{"branch":"x"}"#, "/w"), Some("/w".to_owned()));
    let started = resource_of("bash_start", r#"{"command":"ls"}"#)?;
    assert_eq!(started, resource_of("bash", r#"{"command":"ls"}"#)?);
    for (tool, arguments) in [
        ("bash_read", r#"{"job":"1"}"#),
        ("bash_stop", r#"{"job":"1"}"#),
        ("todo", r#"{"items":""}"#),
        ("ask_user", r#"{"question":"?"}"#),
        ("tool_schema", r#"{"tool":"merge"}"#),
    ] {
        let request = project(tool, arguments)?;
        assert_eq!((request.action.as_str(), request.resource.id()), (tool, tool));
        assert_eq!(request.resource.type_name(), "Tool");
        assert_eq!(lexical_path(tool, arguments.as_bytes(), "/w"), None);
    }
    Ok(())
}

#[test]
fn an_address_is_projected_with_its_parts_or_not_at_all() -> Outcome {
    let request = project("web_fetch", r#"{"url":"https://docs.example.com/a?q=1"}"#)?;
    let text = String::from_utf8(request.to_jcs())?;
    let resource = r#""resource":{"host":"docs.example.com","id":"https://docs.example.com/a?q=1","path":"/a","port":443,"scheme":"https","type":"Url","url":"https://docs.example.com/a?q=1"}"#;
    assert!(text.contains(resource), "{text}");
    assert_eq!(CedarRequest::parse(text.as_bytes())?, request);
    for url in [
        "",
        "https://Example.com/",
        "https://h/../a",
        "https://u@h/",
        "https://h/#a",
    ] {
        let refused = resource_of("web_fetch", &format!(r#"{{"url":"{url}"}}"#));
        assert!(matches!(refused, Err(ProjectionError::Url(_))), "{url}");
    }
    Ok(())
}

#[test]
fn an_address_whose_parts_are_not_those_of_its_text_is_refused() -> Outcome {
    let good = project("web_fetch", r#"{"url":"https://h/a?q"}"#)?.to_jcs();
    let good = String::from_utf8(good)?;
    assert!(CedarRequest::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        (r#""host":"h""#, r#""host":"i""#),
        (r#""id":"https://h/a?q""#, r#""id":"https://h/a""#),
        (r#""path":"/a""#, r#""path":"/""#),
        (r#""port":443"#, r#""port":80"#),
        (r#""port":443"#, r#""port":65979"#),
        (r#""port":443"#, r#""port":"443""#),
        (r#""scheme":"https""#, r#""scheme":"http""#),
        (r#""url":"https://h/a?q""#, r#""url":"https://h/a?p""#),
        (r#""url":"https://h/a?q""#, r#""url":"about:blank""#),
    ] {
        assert_ne!(good.replace(from, to), good, "{from}");
        assert!(CedarRequest::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
    }
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
        assert!(project(tool, arguments).is_err(), "{tool} {arguments}");
    }
}

#[test]
fn oversize_arguments_have_no_projection() {
    let arguments = format!(r#"{{"command":"{}"}}"#, "x".repeat(ARGUMENTS_BYTES_MAX));
    assert!(matches!(
        project("bash", &arguments),
        Err(ProjectionError::NotCanonical(_))
    ));
}

#[test]
fn documents_of_another_shape_are_refused() -> Outcome {
    let good = String::from_utf8(project("advisor", r#"{"question":"?"}"#)?.to_jcs())?;
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
    let good = String::from_utf8(project("read", r#"{"path":"a"}"#)?.to_jcs())?;
    assert!(CedarRequest::parse(good.as_bytes()).is_ok());
    assert!(CedarRequest::parse(good.replace(r#""id":"/w/a""#, r#""id":"/w/b""#).as_bytes()).is_err());
    Ok(())
}
