use std::error::Error;

use countersign_identity::jcs;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Observed, arbitrary};
use super::*;

/// The resource, member by member, in no order.
fn plain_resource(resource: &Resource) -> Value {
    match resource {
        Resource::File { path, relative, name } => {
            json!({ "type": "File", "id": path, "path": path, "relative": relative, "name": name })
        }
        Resource::Command { id, command } => json!({ "type": "Command", "id": id, "command": command }),
        Resource::AgentType { id, name } => json!({ "type": "AgentType", "id": id, "name": name }),
        Resource::Advisor => json!({ "type": "Advisor", "id": "advisor" }),
        Resource::Url(url) => json!({
            "type": "Url",
            "id": url.as_str(),
            "url": url.as_str(),
            "scheme": url.scheme().as_str(),
            "host": url.host(),
            "port": url.port(),
            "path": url.path(),
        }),
        Resource::Tool { id } => json!({ "type": "Tool", "id": id }),
    }
}

/// The whole document as authority-v1 §7 lists its members.
fn plain(request: &CedarRequest) -> Value {
    let (context, principal) = (&request.context, &request.principal);
    json!({
        "schema": "countersign.cedar-request/v1",
        "principal": {
            "id": principal.id,
            "name": principal.name,
            "root": principal.root,
            "depth_left": principal.depth_left,
        },
        "action": request.action,
        "resource": plain_resource(&request.resource),
        "context": {
            "mode": context.mode,
            "workspace": context.workspace,
            "effects": context.effects,
            "calls_left": context.calls_left,
            "time_ms": context.time_ms,
            "advised": context.advised,
            "observed": { "place": context.observed.place.as_str(), "real_path": context.observed.real_path },
        },
    })
}

fn errors(error: &dyn Error) -> String {
    let source = error.source().map(errors).unwrap_or_default();
    format!("{error}: {source}")
}

/// Reads `bytes` in both ways: gives what both find.
fn read_both_ways(bytes: &[u8]) -> Result<Option<CedarRequest>, TestCaseError> {
    match (CedarRequest::parse(bytes), CedarRequest::examine(bytes)) {
        (Ok(read), Ok(examined)) => {
            prop_assert_eq!(&read, &examined);
            Ok(Some(read))
        }
        (Err(read), Err(examined)) => {
            prop_assert_eq!(errors(&read), errors(&examined));
            Ok(None)
        }
        (read, examined) => Err(TestCaseError::fail(format!("{read:?} is not {examined:?}"))),
    }
}

proptest! {
    #[test]
    fn the_short_way_reads_what_the_long_way_reads(request in arbitrary::request()) {
        prop_assert_eq!(read_both_ways(&request.to_jcs())?, Some(request));
    }

    #[test]
    fn the_short_way_takes_nothing_that_the_long_way_refuses(
        request in arbitrary::request(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            Just(Vec::new()),
            prop::sample::select(&[" ", "0", "1e1", ".0", "\"", "\\u0061", "\\/", "{", "}", ",", "-", ",\"a\":1", "null"][..])
                .prop_map(|text| text.as_bytes().to_vec()),
        ],
        replaced in 0..2_usize,
    ) {
        let mut bytes = request.to_jcs();
        let at = at.index(bytes.len());
        bytes.splice(at..at + replaced, change);
        read_both_ways(&bytes)?;
    }

    #[test]
    fn a_request_is_written_in_its_canonical_form(request in arbitrary::request()) {
        let written = request.to_jcs();
        prop_assert_eq!(&jcs::canonicalize(&plain(&request))?, &written);
        prop_assert_eq!(jcs::canonicalize(&serde_json::to_value(&request)?)?, written);
    }

    #[test]
    fn what_is_written_is_read_back(request in arbitrary::request()) {
        let written = request.to_jcs();
        prop_assert!(request.is_read_from(&written));
        prop_assert_eq!(CedarRequest::parse(&written)?, request);
    }

    #[test]
    fn a_request_is_read_back_or_said_not_to_be(mut request in arbitrary::request(), large in any::<[u64; 3]>()) {
        let near = large.map(|number| jcs::INTEGER_MAX - 2 + number % 5);
        [request.context.calls_left, request.context.time_ms, request.principal.depth_left] = near;
        let written = request.to_jcs();
        let is_read = CedarRequest::parse(&written).is_ok_and(|read| read == request);
        prop_assert_eq!(request.is_read_from(&written), is_read);
    }
}

#[test]
fn a_document_at_the_longest_is_read_back_and_a_longer_one_is_not() -> Result<(), Box<dyn Error>> {
    let mut request = CedarRequest {
        action: "other".to_owned(),
        context: RequestContext {
            advised: false,
            calls_left: 0,
            effects: Vec::new(),
            mode: String::new(),
            observed: Observed::nothing(),
            time_ms: 0,
            workspace: String::new(),
        },
        principal: Principal {
            depth_left: 0,
            id: String::new(),
            name: String::new(),
            root: false,
        },
        resource: Resource::Advisor,
    };
    request.context.mode = "x".repeat(DOCUMENT_BYTES_MAX - request.to_jcs().len());
    let longest = request.to_jcs();
    assert!(request.is_read_from(&longest));
    assert_eq!(CedarRequest::parse(&longest)?, request);
    request.context.mode.push('x');
    let longer = request.to_jcs();
    assert!(!request.is_read_from(&longer) && CedarRequest::parse(&longer).is_err());
    Ok(())
}

#[test]
fn every_ascii_character_and_every_kind_of_plane_is_written_canonically() -> Result<(), Box<dyn Error>> {
    let ascii: String = (0..=0x7f_u8).map(char::from).collect();
    for text in [
        ascii.as_str(),
        "\u{80}\u{9f}\u{7ff}",
        "\u{800}\u{d7ff}\u{e000}\u{ffff}",
        "\u{10000}\u{10ffff}",
    ] {
        let observed = Observed {
            real_path: text.to_owned(),
            ..Observed::nothing()
        };
        assert_eq!(
            serde_json::to_vec(&observed)?,
            jcs::canonicalize(&serde_json::to_value(&observed)?)?
        );
    }
    Ok(())
}
