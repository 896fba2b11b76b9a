//! `countersign policy explain`: which rule decides on a call, and what would change that.

use std::io::{self, Write};
use std::path::PathBuf;

use countersign_schemas::body::Outcome;
use countersign_verifier::policy::{
    BUILTIN_LAYER0, Call, CallError, Change, Difference, Explanation, LoadedLayer, PartResult, Rule, Scene,
    WrittenLayer, explain,
};
use countersign_verifier::visible::{visible, visible_json, visible_lines};
use serde_json::{Value, json};

use super::super::exit::{Exit, Failure};
use super::super::init::home;
use super::super::session::own_places;
use super::arguments::ExplainArguments;
use super::{load, name, read};
use crate::gate::Surroundings;

/// The most of a call that is shown, in characters.
const CALL_CHARS_MAX: usize = 200;

/// Explains what the built-in policies and those of the file say about the call.
pub(super) fn run(arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let text = arguments.policy.as_deref().map(read).transpose()?;
    let file = match (&arguments.policy, &text) {
        (Some(path), Some(text)) => Some((load(arguments.layer.layer(), path, text)?, text.as_str())),
        _ => None,
    };
    let call = call(arguments)?;
    let builtin = LoadedLayer::builtin();
    let mut layers = vec![WrittenLayer {
        loaded: &builtin,
        text: BUILTIN_LAYER0,
    }];
    layers.extend(file.as_ref().map(|(loaded, text)| WrittenLayer { loaded, text }));
    let explanation = explain(&layers, call.request(), call.person());
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", visible_json(&to_json(&call, &explanation)?.to_string()))?;
    } else {
        let file = arguments.policy.as_deref().map(name);
        tell(&mut out, &call, &explanation, file.as_deref().unwrap_or_default())?;
    }
    Ok(Exit::Done)
}

/// The call as this machine would see it, unless it is said where its file lies.
fn call(arguments: &ExplainArguments) -> Result<Call, Failure> {
    let home = home()?;
    let own = own_places(&home, &arguments.policy, None);
    let surroundings = Surroundings::new(&arguments.dir, &own)
        .map_err(|error| Failure::caused(Exit::Environment, arguments.dir.display(), &error))?;
    let workspace: PathBuf = surroundings.workspace().to_owned();
    let scene = scene(arguments, &workspace.to_string_lossy())?;
    let call = Call::new(&arguments.tool, arguments.rest.trim(), &scene)
        .map_err(|error| Failure::caused(Exit::Usage, visible(&arguments.tool, CALL_CHARS_MAX), &error))?;
    if scene.says_where() {
        return Ok(call);
    }
    let seen = surroundings.observe(&workspace, call.tool(), call.arguments());
    let observed = seen.map_err(|error| {
        Failure::caused(Exit::Failed, "the path cannot be followed to its end", &error)
            .hint("a run denies such a call whatever its policies say; --set place=… explains it as if it lay there")
    })?;
    Ok(call.seen(observed))
}

fn scene(arguments: &ExplainArguments, workspace: &str) -> Result<Scene, Failure> {
    let unusable = |error: CallError| Failure::new(Exit::Usage, visible(&error.to_string(), usize::MAX));
    let mut scene = Scene::default();
    scene.set("workspace", workspace).map_err(unusable)?;
    if let Some(mode) = &arguments.mode {
        scene.set("mode", mode).map_err(unusable)?;
    }
    for setting in &arguments.settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| unusable(CallError::NotASetting(setting.clone())))?;
        scene.set(name, value).map_err(unusable)?;
    }
    Ok(scene)
}

fn tell(out: &mut impl Write, call: &Call, explanation: &Explanation, file: &str) -> io::Result<()> {
    let arguments = String::from_utf8_lossy(call.arguments()).into_owned();
    let shown = visible(&arguments, CALL_CHARS_MAX);
    writeln!(out, "{}: {} {shown}", explanation.outcome, call.tool())?;
    let context = &call.request().context;
    let place = context.observed.place.as_str();
    writeln!(
        out,
        "  mode {}, place {place}, workspace {}",
        context.mode,
        visible(&context.workspace, usize::MAX)
    )?;
    tell_part(out, "layers 0 and 1", &explanation.parts.permit)?;
    if let Some(lower) = &explanation.parts.lower {
        tell_part(out, "layers 2 to 5", lower)?;
    }
    for rule in &explanation.rules {
        tell_rule(out, rule, file)?;
    }
    if !explanation.changes.is_empty() {
        writeln!(out, "\nIt would be")?;
        for change in &explanation.changes {
            tell_change(out, change)?;
        }
    }
    let asks = match explanation.outcome {
        Outcome::Ask => " Where nobody can be asked, it is denied.",
        _ => "",
    };
    writeln!(
        out,
        "\nThe grant of a run, its budget and what its gatekeeper finds can only make this stricter.{asks}"
    )
}

fn tell_part(out: &mut impl Write, layers: &str, part: &PartResult) -> io::Result<()> {
    let rules = match part.rules.as_slice() {
        [] => "no rule".to_owned(),
        rules => rules.join(", "),
    };
    writeln!(out, "  {layers}: {} by {rules}", part.outcome)
}

fn tell_rule(out: &mut impl Write, rule: &Rule, file: &str) -> io::Result<()> {
    let of = if rule.name.starts_with("0/") {
        "the built-in layer"
    } else {
        file
    };
    writeln!(out, "\n{}: {} at line {} of {of}", rule.name, rule.effect, rule.line)?;
    if let Some(reason) = &rule.reason {
        writeln!(out, "  because {reason}")?;
    }
    tell_text(out, &rule.text)
}

fn tell_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "  | {}", line_of(line)))
}

/// A line of a policy: fit to be looked at, with its backslashes as they are.
fn line_of(line: &str) -> String {
    visible_lines(line).replace("\\\\", "\\")
}

fn tell_change(out: &mut impl Write, change: &Change) -> io::Result<()> {
    match &change.what {
        Difference::Without(rule) => writeln!(out, "  {} without {rule}", change.outcome),
        Difference::With(name, value) => writeln!(out, "  {} with {name}={value}", change.outcome),
        Difference::Permit(text) => {
            writeln!(out, "  {} with this policy in layer 1 as well:", change.outcome)?;
            tell_text(out, text)
        }
    }
}

fn to_json(call: &Call, explanation: &Explanation) -> Result<Value, Failure> {
    let document = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map_err(|error| Failure::caused(Exit::Bug, "a document of ours", &error))
    };
    let part = |check: &str, part: &PartResult| json!({ "check": check, "outcome": part.outcome.as_str(), "rules": part.rules });
    let parts = [
        Some(part("permit-layers", &explanation.parts.permit)),
        explanation
            .parts
            .lower
            .as_ref()
            .map(|lower| part("lower-layers", lower)),
    ];
    Ok(json!({
        "schema": "countersign.policy-explanation/v1",
        "tool": call.tool(),
        "arguments": document(call.arguments())?,
        "request": document(&call.request().to_jcs())?,
        "outcome": explanation.outcome.as_str(),
        "parts": parts.into_iter().flatten().collect::<Vec<_>>(),
        "rules": explanation.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "changes": explanation.changes.iter().map(change_json).collect::<Vec<_>>(),
    }))
}

fn rule_json(rule: &Rule) -> Value {
    json!({
        "rule": rule.name, "layer": rule.layer.code(), "effect": rule.effect, "line": rule.line, "text": rule.text,
        "reason": rule.reason,
    })
}

fn change_json(change: &Change) -> Value {
    let outcome = change.outcome.as_str();
    match &change.what {
        Difference::Without(rule) => json!({ "without": rule, "outcome": outcome }),
        Difference::With(name, value) => json!({ "with": { "name": name, "value": value }, "outcome": outcome }),
        Difference::Permit(text) => json!({ "permit": text, "outcome": outcome }),
    }
}
