//! By whom and where an example call is made: what a line does not say itself (docs/guide-policy.md).

use countersign_identity::jcs;
use countersign_schemas::body::{Effects, RunMode};

use super::call::CallError;
use crate::projection::{
    CedarRequest, Circumstances, Observed, Place, Principal, Subject, ToolKind, is_secret_path, is_within,
    lexical_absolute, lexical_path, tool_profile,
};

/// The circumstances of an example call.
///
/// An example may suppose what no run could meet, such as a file inside the workspace whose place is called `outside`:
/// that is how a condition is tried alone.
#[derive(Debug, Clone)]
pub struct Scene {
    principal: Principal,
    person: String,
    mode: RunMode,
    workspace: String,
    calls_left: u64,
    time_ms: u64,
    advised: bool,
    /// Where none are given, those of the tool.
    effects: Option<Effects>,
    /// Where none is given, what the real path gives.
    place: Option<Place>,
    /// Where none is given, the path of the call: no link leads elsewhere.
    real_path: Option<String>,
}

/// The lead of an interactive run in `/workspace`, with a thousand calls left, at the beginning of 2026.
impl Default for Scene {
    fn default() -> Self {
        Self {
            principal: Principal {
                depth_left: 1,
                id: "did:peer:4zQmAgent".to_owned(),
                name: "lead".to_owned(),
                root: true,
            },
            person: "did:peer:4zQmPerson".to_owned(),
            mode: RunMode::Interactive,
            workspace: "/workspace".to_owned(),
            calls_left: 1_000,
            time_ms: 1_767_225_600_000,
            advised: false,
            effects: None,
            place: None,
            real_path: None,
        }
    }
}

impl Scene {
    /// Every setting with what it takes.
    pub const SETTINGS: [(&'static str, &'static str); 13] = [
        ("mode", "interactive, coordinator, worker or headless"),
        ("place", "inside, outside, secret, own, unknown or none"),
        ("real_path", "an absolute path"),
        ("workspace", "an absolute path"),
        (
            "effects",
            "none, or words of read, write, execute, network, delegate and consult with commas between",
        ),
        ("advised", "true or false"),
        ("root", "true or false"),
        ("name", "text without spaces"),
        ("agent", "a short DID"),
        ("person", "a short DID"),
        ("depth_left", "a number"),
        ("calls_left", "a number"),
        ("time_ms", "a number of milliseconds"),
    ];

    /// Supposes `name` to be `value`.
    ///
    /// # Errors
    /// [`CallError::UnknownSetting`] and [`CallError::Value`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), CallError> {
        let Some((name, expected)) = Self::SETTINGS.into_iter().find(|(known, _)| *known == name) else {
            return Err(CallError::UnknownSetting(name.to_owned()));
        };
        self.try_set(name, value).ok_or_else(|| CallError::Value {
            name,
            expected,
            found: value.to_owned(),
        })
    }

    fn try_set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "mode" => self.mode = mode(value)?,
            "place" => self.place = Some(place(value)?),
            "real_path" => self.real_path = Some(absolute(value)?),
            "workspace" => self.workspace = absolute(value)?,
            "effects" => self.effects = Some(effects(value)?),
            "advised" => self.advised = value.parse().ok()?,
            "root" => self.principal.root = value.parse().ok()?,
            "name" => self.principal.name = some(value)?,
            "agent" => self.principal.id = some(value)?,
            "person" => self.person = some(value)?,
            "depth_left" => self.principal.depth_left = number(value)?,
            "calls_left" => self.calls_left = number(value)?,
            "time_ms" => self.time_ms = number(value)?,
            _ => return None,
        }
        Some(())
    }

    /// Whether it is said where the resource lies, so that nobody need look.
    #[must_use]
    pub fn says_where(&self) -> bool {
        self.place.is_some() || self.real_path.is_some()
    }

    /// The short DID of the person whom the agent acts for.
    #[must_use]
    pub fn person(&self) -> &str {
        &self.person
    }

    /// The workspace of the agent's grant.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The question that a call of `tool` with these canonical argument bytes is, in this scene.
    pub(super) fn question(&self, tool: &str, arguments: &[u8]) -> Result<CedarRequest, CallError> {
        let subject = Subject::of(tool, arguments, &self.workspace)?;
        Ok(subject.project(Circumstances {
            effects: self.effects_of(tool)?,
            principal: self.principal.clone(),
            mode: self.mode.as_str(),
            calls_left: self.calls_left,
            time_ms: self.time_ms,
            advised: self.advised,
            observed: self.observed(tool, arguments),
        }))
    }

    fn effects_of(&self, tool: &str) -> Result<Effects, CallError> {
        let least = tool_profile(tool).map_or(Effects::NONE, |profile| profile.effects);
        match self.effects {
            None => Ok(least),
            Some(given) if given.contains(least) => Ok(given),
            Some(_) => Err(CallError::TooFewEffects {
                tool: tool.to_owned(),
                least: words(least),
            }),
        }
    }

    fn observed(&self, tool: &str, arguments: &[u8]) -> Observed {
        let unseen = match tool_profile(tool).map(|profile| profile.kind) {
            Some(ToolKind::File | ToolKind::Workspace) => None,
            Some(ToolKind::Command) => Some(Observed::unknown()),
            _ => Some(Observed::nothing()),
        };
        if let Some(unseen) = unseen {
            return Observed {
                place: self.place.unwrap_or(unseen.place),
                real_path: self.real_path.clone().unwrap_or_default(),
            };
        }
        let lexical = || lexical_path(tool, arguments, &self.workspace).unwrap_or_default();
        let real_path = self.real_path.clone().unwrap_or_else(lexical);
        let place = self.place.unwrap_or_else(|| self.place_of(&real_path));
        Observed {
            real_path: if place == Place::Unknown {
                String::new()
            } else {
                real_path
            },
            place,
        }
    }

    fn place_of(&self, real_path: &str) -> Place {
        if is_secret_path(real_path) {
            Place::Secret
        } else if is_within(real_path, &lexical_absolute("", &self.workspace)) {
            Place::Inside
        } else {
            Place::Outside
        }
    }
}

/// Every mode of a run.
pub(super) const MODES: [RunMode; 4] = [
    RunMode::Interactive,
    RunMode::Coordinator,
    RunMode::Worker,
    RunMode::Headless,
];

/// Every place.
const PLACES: [Place; 6] = [
    Place::Inside,
    Place::Outside,
    Place::Secret,
    Place::Own,
    Place::Unknown,
    Place::None,
];

fn mode(word: &str) -> Option<RunMode> {
    MODES.into_iter().find(|mode| mode.as_str() == word)
}

fn place(word: &str) -> Option<Place> {
    PLACES.into_iter().find(|place| place.as_str() == word)
}

fn effects(text: &str) -> Option<Effects> {
    if text == "none" {
        return Some(Effects::NONE);
    }
    let mut each = text.split(',').map(Effects::from_word);
    each.try_fold(Effects::NONE, |all, effect| Some(all.union(effect?)))
}

fn words(effects: Effects) -> String {
    effects.words().collect::<Vec<_>>().join(",")
}

fn absolute(path: &str) -> Option<String> {
    path.starts_with('/').then(|| path.to_owned())
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number that a request can hold.
fn number(digits: &str) -> Option<u64> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| only_digits)?;
    (number <= jcs::INTEGER_MAX).then_some(number)
}
