//! `countersign tools`: what an agent can be given.

use std::io::{self, Write};

use serde_json::json;

use super::arguments::ToolsArguments;
use super::exit::{Exit, Failure};
use crate::tool::BUILTIN;

/// Lists the built-in tools.
pub(super) fn run(arguments: &ToolsArguments) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    if arguments.json {
        let tools: Vec<_> = BUILTIN.iter().map(|spec| spec.descriptor_json()).collect();
        writeln!(out, "{}", json!({ "schema": "countersign.tools/v1", "tools": tools }))?;
        return Ok(Exit::Done);
    }
    for spec in BUILTIN {
        let parameters: Vec<&str> = spec.parameters.iter().map(|parameter| parameter.name).collect();
        let effects: Vec<&str> = spec.effects.words().collect();
        let effects = if effects.is_empty() {
            "none".to_owned()
        } else {
            effects.join(" ")
        };
        let call = format!("{}{{{}}}", spec.name, parameters.join(", "));
        writeln!(out, "{call:<28} {effects:<28} {}", spec.description)?;
    }
    Ok(Exit::Done)
}
