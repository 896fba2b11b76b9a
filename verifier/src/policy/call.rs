//! A call as one line of text: for examples in policies, cases of tests and questions of people (docs/guide-policy.md).
//!
//! ```text
//! line     = [ "[" setting *( " " setting ) "]" ] tool [ " " rest ]
//! setting  = name "=" value                    ; neither holds a space or "]"
//! rest     = JSON object | main argument       ; an object begins with "{"
//! ```

use countersign_identity::jcs::{self, JcsError};
use countersign_identity::strict_json::{self, StrictJsonError};
use serde_json::{Map, Value};
use thiserror::Error;

use super::scene::Scene;
use crate::projection::{CedarRequest, Observed, ProjectionError, ToolKind, tool_profile};

/// The longest line, in bytes. A whole policy has at most [`POLICY_BYTES_MAX`](super::bounds::POLICY_BYTES_MAX).
pub const LINE_BYTES_MAX: usize = 4_096;

/// The longest name of a tool, as in a record.
const TOOL_BYTES_MAX: usize = 64;

/// A call that somebody supposes.
#[derive(Debug, Clone)]
pub struct Call {
    tool: String,
    arguments: Vec<u8>,
    request: CedarRequest,
    person: String,
}

/// Why a line is no call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// More bytes than [`LINE_BYTES_MAX`].
    #[error("the line has {0} bytes, at most {LINE_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// `[` without `]`.
    #[error("the settings that begin with `[` are not closed by `]`")]
    Unclosed,
    /// A setting without `=`.
    #[error("the setting `{0}` is not of the form name=value")]
    NotASetting(String),
    /// A setting that there is none of.
    #[error("there is no setting `{name}`; there are {known}", name = .0, known = settings())]
    UnknownSetting(String),
    /// One setting twice.
    #[error("the setting `{0}` stands there twice")]
    Twice(String),
    /// A setting with a value that it cannot have.
    #[error("{name} is {expected}, not `{found}`")]
    Value {
        /// The setting.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// No tool, or one that nothing can be called.
    #[error("`{0}` is no name of a tool")]
    Tool(String),
    /// The rest begins with `{` and is no JSON.
    #[error("the arguments are no JSON object")]
    Json(#[from] StrictJsonError),
    /// The arguments hold what signed JSON cannot.
    #[error("the arguments cannot be signed")]
    Canonical(#[from] JcsError),
    /// An argument that the tool does not have.
    #[error("{tool} has no argument `{name}`")]
    UnknownArgument {
        /// The tool.
        tool: String,
        /// The argument.
        name: String,
    },
    /// A tool whose arguments nobody but itself knows.
    #[error("`{0}` is no built-in tool: its arguments must be written as a JSON object")]
    NoMainArgument(String),
    /// Fewer effects than the tool has.
    #[error("{tool} has at least the effects {least}")]
    TooFewEffects {
        /// The tool.
        tool: String,
        /// Its effects.
        least: String,
    },
    /// The call is none that policy can be asked about.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

fn settings() -> String {
    Scene::SETTINGS.map(|(name, _)| name).join(", ")
}

impl Call {
    /// Reads a line as a call in the [usual scene](Scene::default), or in the one that its settings make of it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn parse(line: &str) -> Result<Self, CallError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(CallError::TooLong(line.len()));
        }
        let (scene, call) = scene_of(line.trim())?;
        let (tool, rest) = call.split_once(char::is_whitespace).unwrap_or((call, ""));
        Self::new(tool, rest.trim(), &scene)
    }

    /// A call of `tool` in `scene`. Its arguments are `rest`: a JSON object if that begins with `{`, otherwise the main
    /// argument. What is left out of a built-in tool's arguments is empty.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn new(tool: &str, rest: &str, scene: &Scene) -> Result<Self, CallError> {
        if !is_tool_name(tool) {
            return Err(CallError::Tool(tool.to_owned()));
        }
        let arguments = jcs::canonicalize(&Value::Object(arguments(tool, rest)?))?;
        Ok(Self {
            request: scene.question(tool, &arguments)?,
            tool: tool.to_owned(),
            arguments,
            person: scene.person().to_owned(),
        })
    }

    /// The same call with what a gatekeeper saw of it.
    #[must_use]
    pub fn seen(mut self, observed: Observed) -> Self {
        self.request.context.observed = observed;
        self
    }

    /// The tool.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Its arguments in JCS form.
    #[must_use]
    pub fn arguments(&self) -> &[u8] {
        &self.arguments
    }

    /// What policies are asked.
    #[must_use]
    pub fn request(&self) -> &CedarRequest {
        &self.request
    }

    /// The short DID of the person whom the agent acts for.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }
}

/// The scene that the settings of `line` make, and what follows them.
fn scene_of(line: &str) -> Result<(Scene, &str), CallError> {
    let mut scene = Scene::default();
    let Some(open) = line.strip_prefix('[') else {
        return Ok((scene, line));
    };
    let (settings, call) = open.split_once(']').ok_or(CallError::Unclosed)?;
    let mut seen: Vec<&str> = Vec::new();
    for setting in settings.split_whitespace() {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| CallError::NotASetting(setting.to_owned()))?;
        scene.set(name, value)?;
        if seen.contains(&name) {
            return Err(CallError::Twice(name.to_owned()));
        }
        seen.push(name);
    }
    Ok((scene, call.trim_start()))
}

/// A record's `name` (statement-v1).
fn is_tool_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    (1..=TOOL_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn arguments(tool: &str, rest: &str) -> Result<Map<String, Value>, CallError> {
    let mut arguments = Map::new();
    if rest.starts_with('{') {
        if let Value::Object(given) = strict_json::parse(rest.as_bytes())? {
            arguments = given;
        }
    } else if !rest.is_empty() {
        let main = main_argument(tool).ok_or_else(|| CallError::NoMainArgument(tool.to_owned()))?;
        arguments.insert(main.to_owned(), rest.into());
    }
    let Some(profile) = tool_profile(tool) else {
        return Ok(arguments);
    };
    if let Some(name) = arguments
        .keys()
        .find(|name| !profile.arguments.contains(&name.as_str()))
    {
        return Err(CallError::UnknownArgument {
            tool: tool.to_owned(),
            name: name.clone(),
        });
    }
    for name in profile.arguments {
        arguments.entry(*name).or_insert_with(|| "".into());
    }
    Ok(arguments)
}

/// The argument that a call is about: the path of a file, else the first one of the table of authority-v1 §7.
fn main_argument(tool: &str) -> Option<&'static str> {
    let profile = tool_profile(tool)?;
    match profile.kind {
        ToolKind::File => Some("path"),
        _ => profile.arguments.first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use proptest::prelude::*;

    use super::*;
    use crate::projection::{Place, Resource};

    type Checked<T = ()> = Result<T, Box<dyn Error>>;

    #[test]
    fn every_built_in_tool_takes_its_main_argument() -> Checked {
        for (line, arguments) in [
            ("read src/a b.rs", r#"{"path":"src/a b.rs"}"#),
            ("grep src", r#"{"path":"src","pattern":""}"#),
            ("glob *.rs", r#"{"pattern":"*.rs"}"#),
            ("write a", r#"{"content":"","path":"a"}"#),
            ("bash  git push  -f ", r#"{"command":"git push  -f"}"#),
            ("agent explore", r#"{"name":"","task":"","type":"explore"}"#),
            ("advisor why?", r#"{"question":"why?"}"#),
            ("web_fetch https://a.example/", r#"{"url":"https://a.example/"}"#),
            ("bash_stop 1", r#"{"job":"1"}"#),
            ("merge b", r#"{"branch":"b"}"#),
            ("todo x", r#"{"items":"x"}"#),
            ("list", r#"{"path":""}"#),
            (
                r#"agent {"name": "scout", "type": "explore"}"#,
                r#"{"name":"scout","task":"","type":"explore"}"#,
            ),
            (r#"mcp/x {"n": 1}"#, r#"{"n":1}"#),
            ("mcp/x", "{}"),
        ] {
            let call = Call::parse(line)?;
            assert_eq!(std::str::from_utf8(call.arguments())?, arguments, "{line}");
        }
        Ok(())
    }

    #[test]
    fn usual_scene_is_a_lead_of_an_interactive_run() -> Checked {
        let call = Call::parse("  edit src/add.sh\t")?;
        let request = call.request();
        assert_eq!((request.action.as_str(), request.principal.root), ("edit", true));
        assert_eq!(request.context.mode, "interactive");
        assert_eq!(request.context.effects, ["read", "write"]);
        assert_eq!(request.context.observed.place, Place::Inside);
        assert_eq!(request.context.observed.real_path, "/workspace/src/add.sh");
        Ok(())
    }

    #[test]
    fn place_follows_from_the_path_unless_it_is_said() -> Checked {
        for (line, place, real_path) in [
            ("read ../x", Place::Outside, "/x"),
            ("read .env", Place::Secret, "/workspace/.env"),
            ("[place=own] read a", Place::Own, "/workspace/a"),
            ("[place=unknown] read a", Place::Unknown, ""),
            ("[real_path=/etc/x] read a", Place::Outside, "/etc/x"),
            ("[workspace=/w] read /w/a", Place::Inside, "/w/a"),
            ("bash cat .env", Place::Unknown, ""),
            ("todo .env", Place::None, ""),
        ] {
            let observed = Call::parse(line)?.request().context.observed.clone();
            assert_eq!(
                (observed.place, observed.real_path.as_str()),
                (place, real_path),
                "{line}"
            );
        }
        Ok(())
    }

    #[test]
    fn settings_reach_the_request() -> Checked {
        let line = "[mode=headless advised=true root=false name=scout agent=did:a person=did:p depth_left=0 calls_left=7 \
                    time_ms=9 effects=read,write,network] edit a";
        let call = Call::parse(line)?;
        let request = call.request();
        let (principal, context) = (&request.principal, &request.context);
        assert_eq!((context.mode.as_str(), context.advised), ("headless", true));
        assert_eq!((context.calls_left, context.time_ms), (7, 9));
        assert_eq!(context.effects, ["read", "write", "network"]);
        assert_eq!(
            (principal.name.as_str(), principal.root, principal.depth_left),
            ("scout", false, 0)
        );
        assert_eq!((principal.id.as_str(), call.person()), ("did:a", "did:p"));
        Ok(())
    }

    #[test]
    fn command_with_a_bracket_in_it_is_no_setting() -> Checked {
        let call = Call::parse("bash [ -e a ] && cat a")?;
        assert!(
            matches!(&call.request().resource, Resource::Command { command, .. } if command == "[ -e a ] && cat a")
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn any_line_is_a_call_or_refused(line in r#"(\[([a-z_]{0,9}=?[a-z0-9/,]{0,9} ?){0,3}\]?)? ?[a-z/_]{0,9} ?\PC{0,40}"#) {
            if let Ok(call) = Call::parse(&line) {
                prop_assert!(jcs::parse_canonical(call.arguments()).is_ok());
                prop_assert!(CedarRequest::parse(&call.request().to_jcs()).is_ok());
            }
        }
    }

    #[test]
    fn what_is_no_call_is_refused_with_its_reason() {
        for (line, why) in [
            ("", "`` is no name of a tool"),
            ("réad a", "is no name of a tool"),
            ("[mode=headless]", "`` is no name of a tool"),
            ("[mode=headless read a", "not closed"),
            ("[headless] read a", "not of the form name=value"),
            (
                "[colour=red] read a",
                "there is no setting `colour`; there are mode, place",
            ),
            ("[mode=headless mode=worker] read a", "stands there twice"),
            (
                "[mode=manual] read a",
                "mode is interactive, coordinator, worker or headless, not `manual`",
            ),
            ("[place=] read a", "place is inside"),
            ("[real_path=a] read a", "an absolute path"),
            ("[workspace=w] read a", "an absolute path"),
            ("[advised=yes] read a", "true or false"),
            ("[name=] read a", "text without spaces"),
            ("[calls_left=+1] read a", "a number"),
            ("[calls_left=9007199254740992] read a", "a number"),
            ("[effects=read,fly] read a", "effects is none"),
            ("[effects=read] edit a", "edit has at least the effects read,write"),
            ("read {", "the arguments are no JSON object"),
            (r#"read {"path":"a","path":"b"}"#, "the arguments are no JSON object"),
            (r#"read {"path":"a"} b"#, "the arguments are no JSON object"),
            (r#"read {"file":"a"}"#, "read has no argument `file`"),
            (r#"read {"path":1}"#, "argument path is no string"),
            (r#"mcp/x {"n":1.5}"#, "the arguments are no canonical JSON"),
            ("mcp/x a", "`mcp/x` is no built-in tool"),
            ("web_fetch", "the address cannot be judged"),
            ("web_fetch ftp://a.example", "the address cannot be judged"),
        ] {
            let told = Call::parse(line).map_or_else(|error| error.to_string(), |call| format!("{call:?}"));
            assert!(told.contains(why), "{line}: {told}");
        }
        let long = format!("bash {}", "x".repeat(LINE_BYTES_MAX));
        assert!(matches!(Call::parse(&long), Err(CallError::TooLong(_))));
        let long = format!("{} a", "t".repeat(TOOL_BYTES_MAX + 1));
        assert!(matches!(Call::parse(&long), Err(CallError::Tool(_))));
    }
}
