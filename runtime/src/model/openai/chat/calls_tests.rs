use serde_json::json;

use super::*;

/// The calls that these pieces make: id, tool and the text of the arguments.
fn made(pieces: Value) -> Result<Vec<[String; 3]>, ModelError> {
    let (mut calls, mut taken) = (Calls::default(), Taken::default());
    for piece in pieces.as_array().into_iter().flatten() {
        let delta: CallDelta = serde_json::from_value(piece.clone()).map_err(|error| protocol(error.to_string()))?;
        calls.take(delta, &mut taken)?;
    }
    let ids = calls.ids(3);
    let made = calls.calls.into_iter().zip(ids);
    Ok(made
        .map(|(call, id)| [id.as_str().to_owned(), call.tool, call.arguments])
        .collect())
}

fn piece(index: Value, id: Value, name: Value, arguments: Value) -> Value {
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

/// A piece that leaves out what is null.
fn bare(arguments: &str) -> Value {
    json!({ "function": { "arguments": arguments } })
}

#[test]
fn each_servers_way_to_mark_its_pieces_is_understood() -> Result<(), ModelError> {
    let n = || Value::Null;
    let two = [["a", "list", "{\"x\":1}"], ["b", "read", "{\"y\":2}"]];
    let unnamed = [["call_3_1", "list", "{\"x\":1}"], ["call_3_2", "read", "{\"y\":2}"]];
    for (server, pieces, expected) in [
        (
            "OpenAI, its pieces mixed",
            json!([
                piece(json!(0), json!("a"), json!("list"), json!("")),
                piece(json!(1), json!("b"), json!("read"), json!("")),
                piece(json!(0), n(), n(), json!("{\"x\":")),
                piece(json!(1), n(), n(), json!("{\"y\":2}")),
                piece(json!(0), n(), n(), json!("1}")),
            ]),
            two,
        ),
        (
            "all members with every piece",
            json!([
                piece(json!(0), json!("a"), json!("list"), json!("{\"x\":")),
                piece(json!(0), json!("a"), json!("list"), json!("1}")),
                piece(json!(0), json!("a"), json!("list"), json!("")),
                piece(json!(1), json!("b"), json!("read"), json!("{\"y\":")),
                piece(json!(1), json!("b"), json!("read"), json!("2}")),
            ]),
            two,
        ),
        (
            "every call counted as 0",
            json!([
                piece(json!(0), json!("a"), json!("list"), json!("{\"x\":1}")),
                piece(json!(0), json!("b"), json!("read"), json!("{\"y\":")),
                piece(json!(0), n(), n(), json!("2}")),
            ]),
            two,
        ),
        (
            "every call counted as 0, and no ids",
            json!([
                piece(json!(0), n(), json!("list"), json!("{\"x\":1}")),
                piece(json!(0), n(), json!("read"), json!("{\"y\":2}")),
            ]),
            unnamed,
        ),
        (
            "ids, but none counted",
            json!([
                piece(n(), json!("a"), json!("list"), json!("{\"x\":")),
                piece(n(), json!("b"), json!("read"), json!("")),
                piece(n(), json!("a"), n(), json!("1}")),
                piece(n(), json!("b"), n(), json!("{\"y\":2}")),
            ]),
            two,
        ),
        (
            "marked at the beginning only",
            json!([
                piece(n(), json!("a"), json!("list"), n()),
                bare("{\"x\":"),
                bare("1}"),
                piece(n(), json!("b"), json!("read"), json!("{\"y\":")),
                bare("2}"),
            ]),
            two,
        ),
        (
            "nothing but whole calls, the arguments as objects",
            json!([
                { "function": { "name": "list", "arguments": { "x": 1 } } },
                { "id": "", "function": { "name": "read", "arguments": { "y": 2 } } },
            ]),
            unnamed,
        ),
        (
            "the id after the name",
            json!([
                piece(json!(0), n(), json!("list"), json!("{\"x\":1}")),
                piece(json!(0), json!("a"), n(), n()),
                piece(json!(1), json!("b"), n(), n()),
                piece(json!(1), n(), json!("read"), json!("{\"y\":2}")),
            ]),
            two,
        ),
    ] {
        assert_eq!(made(pieces)?, expected.map(|call| call.map(str::to_owned)), "{server}");
    }
    Ok(())
}

#[test]
fn calls_without_arguments_stay_apart() -> Result<(), ModelError> {
    let pieces = json!([
        { "function": { "name": "list" } },
        { "function": { "name": "list", "arguments": "" } },
        { "function": { "name": "list", "arguments": {} } },
    ]);
    let made: Vec<String> = made(pieces)?.into_iter().map(|[_, _, arguments]| arguments).collect();
    assert_eq!(made, ["", "", "{}"]);
    Ok(())
}

#[test]
fn every_call_gets_an_id_of_its_own() -> Result<(), ModelError> {
    let n = || json!("{}");
    let pieces = json!([
        piece(json!(0), json!("same"), json!("list"), n()),
        piece(json!(1), json!("same"), json!("list"), n()),
        piece(json!(2), json!("not an id"), json!("list"), n()),
        piece(json!(3), json!("call_3_1"), json!("list"), n()),
        piece(json!(4), json!("x".repeat(129)), json!("list"), n()),
    ]);
    let ids: Vec<String> = made(pieces)?.into_iter().map(|[id, ..]| id).collect();
    assert_eq!(ids, ["same", "call_3_2", "call_3_3", "call_3_1", "call_3_4"]);
    Ok(())
}

#[test]
fn what_fits_nowhere_is_refused() {
    let n = || Value::Null;
    for (pieces, problem) in [
        (json!([bare("{}")]), "a piece of a call that has not begun"),
        (
            json!([piece(json!(1), n(), n(), json!("{}"))]),
            "a piece of a call that has not begun",
        ),
        (
            json!([
                piece(json!(0), json!("a"), json!("list"), json!("{\"x\":")),
                piece(json!(0), json!("a"), json!("read"), json!("1}")),
            ]),
            "a call changed its name",
        ),
        (
            json!([piece(json!(0), json!("a"), json!("list"), json!(7))]),
            "arguments that are neither a text nor an object",
        ),
    ] {
        let refused = made(pieces);
        assert!(
            matches!(&refused, Err(ModelError::Protocol { problem: found }) if found == problem),
            "{problem}: {refused:?}"
        );
    }
}
