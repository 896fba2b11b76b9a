//! `scripted`: a model that replays the turns of a script. No key, no network, the same every time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use countersign_schemas::number::Count;
use countersign_schemas::text::Name;

use super::answer::{End, ModelAnswer, Part, no_tokens};
use super::request::ModelRequest;
use super::script::{SCRIPT_LEN_BYTES_MAX, Script, ScriptError, Turn};
use super::{EventSink, Model, ModelError, ModelEvent};
use crate::tool::BoxFuture;

/// Bytes that are counted as one token, so that budgets can be tried out: an estimate, the same every time.
const BYTES_PER_TOKEN: usize = 4;

/// Plays a [`Script`]: each question of an agent takes that agent's next turn, whatever was asked. A second agent of
/// the same name goes on where the first ended. Turns that nobody asks for are not missed.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Script,
    provider: Name,
    name: Name,
    taken: Mutex<HashMap<String, usize>>,
}

impl ScriptedModel {
    /// A model that plays `script` from its beginning. Its name is `script-` and the first 16 hex digits of the
    /// script's SHA-256: the script is all there is to such a model.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let hex = script.digest().to_string();
        let name = |text: &str| Name::new(text).expect("letters, digits and a dash are a name");
        let (provider, name) = (name("scripted"), name(&format!("script-{}", &hex[..16])));
        Self {
            script,
            provider,
            name,
            taken: Mutex::default(),
        }
    }

    /// Reads the script in `path`.
    ///
    /// # Errors
    /// [`ScriptError::Read`], and those of [`Script::parse`].
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let failed = |source| ScriptError::Read {
            path: path.to_owned(),
            source,
        };
        // Asked before it is opened: opening a pipe would wait for a writer.
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(SCRIPT_LEN_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Script::parse(&bytes).map(Self::new)
    }

    fn next_turn(&self, agent: &str) -> Result<&Turn, ModelError> {
        let turns = self.script.turns(agent).ok_or_else(|| ModelError::UnknownAgent {
            agent: agent.to_owned(),
            known: self.script.agents().collect::<Vec<_>>().join(", "),
        })?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let next = taken.entry(agent.to_owned()).or_default();
        let turn = turns.get(*next).ok_or_else(|| ModelError::ScriptExhausted {
            agent: agent.to_owned(),
            turns: turns.len(),
        })?;
        *next += 1;
        Ok(turn)
    }

    fn play(&self, request: &ModelRequest<'_>, events: EventSink<'_>) -> Result<ModelAnswer, ModelError> {
        let (text, calls) = match self.next_turn(request.agent)? {
            Turn::Failure { text } => return Err(ModelError::Failed { text: text.clone() }),
            Turn::Answer { text, calls } => (text.clone(), calls.clone()),
        };
        let end = if calls.is_empty() { End::Done } else { End::Calls };
        if !text.is_empty() {
            events(ModelEvent::Text(text.clone()));
        }
        calls.iter().for_each(|call| events(ModelEvent::Call(call.clone())));
        events(ModelEvent::Ended(end));
        let text = Some(Part::Text(text)).filter(|part| *part != Part::Text(String::new()));
        let mut answer = ModelAnswer {
            parts: text.into_iter().chain(calls.into_iter().map(Part::Call)).collect(),
            advice: Vec::new(),
            usage: no_tokens(),
            end,
            attempts: Vec::new(),
        };
        answer.usage.input = estimate(request.len_bytes());
        answer.usage.output = estimate(answer.payload(&str::to_owned).len());
        Ok(answer)
    }
}

impl Model for ScriptedModel {
    fn provider(&self) -> &Name {
        &self.provider
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn answer<'a>(
        &'a self,
        request: &'a ModelRequest<'a>,
        events: EventSink<'a>,
    ) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(async move { self.play(request, events) })
    }
}

fn estimate(len_bytes: usize) -> Count {
    Count::clamped(len_bytes.div_ceil(BYTES_PER_TOKEN) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::System;
    use serde_json::json;
    use tempfile::TempDir;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn model() -> Result<ScriptedModel, ScriptError> {
        let script = json!({"schema": "countersign.script/v1", "agents": {
            "lead": [
                {"say": "one", "calls": [{"tool": "list", "args": {"path": "."}}]},
                {"error": "overloaded"},
                {"say": "three"}],
            "scout": [{"say": "here"}]}});
        Script::parse(script.to_string().as_bytes()).map(ScriptedModel::new)
    }

    fn request(agent: &str) -> ModelRequest<'_> {
        ModelRequest {
            agent,
            system: System::fixed("Be brief."),
            tools: &[],
            messages: &[],
            output_tokens_max: 100,
            provider_advisor: None,
        }
    }

    async fn ask(model: &ScriptedModel, agent: &str) -> Result<ModelAnswer, ModelError> {
        model.answer(&request(agent), &|_| {}).await
    }

    #[tokio::test]
    async fn each_agent_has_its_own_turns() -> TestResult {
        let model = model()?;
        let first = ask(&model, "lead").await?;
        assert_eq!(
            (first.text().as_str(), first.calls().count(), first.end),
            ("one", 1, End::Calls)
        );
        assert_eq!(ask(&model, "scout").await?.text(), "here");
        assert!(matches!(ask(&model, "lead").await, Err(ModelError::Failed { text }) if text == "overloaded"));
        let third = ask(&model, "lead").await?;
        assert_eq!((third.text().as_str(), third.end), ("three", End::Done));
        Ok(())
    }

    #[tokio::test]
    async fn end_of_the_script_is_an_error_that_stays() -> TestResult {
        let model = model()?;
        ask(&model, "scout").await?;
        for _ in 0..2 {
            let refused = ask(&model, "scout").await;
            assert!(
                matches!(refused, Err(ModelError::ScriptExhausted { turns: 1, .. })),
                "{refused:?}"
            );
        }
        Ok(())
    }

    #[tokio::test]
    async fn unknown_agent_is_an_error_that_names_the_known() -> TestResult {
        let error = ask(&model()?, "advisor").await.err().ok_or("an error")?;
        assert_eq!(
            error.to_string(),
            "the script has no agent \"advisor\"; it has: lead, scout"
        );
        assert_eq!(error.outcome().as_str(), "error");
        Ok(())
    }

    #[tokio::test]
    async fn events_add_up_to_the_answer() -> TestResult {
        let model = model()?;
        let seen = Mutex::new(Vec::new());
        let sink = |event| seen.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        let answer = model.answer(&request("lead"), &sink).await?;
        let expected = [
            ModelEvent::Text(answer.text()),
            ModelEvent::Call(answer.calls().next().cloned().ok_or("a call")?),
            ModelEvent::Ended(End::Calls),
        ];
        assert_eq!(seen.into_inner()?, expected);
        Ok(())
    }

    #[tokio::test]
    async fn usage_is_estimated_the_same_every_time() -> TestResult {
        let (one, other) = (model()?, model()?);
        let (one, other) = (ask(&one, "lead").await?, ask(&other, "lead").await?);
        assert_eq!(one.usage, other.usage);
        assert_eq!(
            one.usage.output.get(),
            one.payload(&str::to_owned).len().div_ceil(4) as u64
        );
        assert!(one.usage.input > Count::ZERO);
        Ok(())
    }

    #[test]
    fn name_is_that_of_the_script_itself() -> TestResult {
        let model = model()?;
        assert_eq!(model.provider().as_str(), "scripted");
        assert_eq!(
            model.name().as_str(),
            format!("script-{}", &model.script.digest().to_string()[..16])
        );
        Ok(())
    }

    #[test]
    fn what_is_no_script_file_is_refused() -> TestResult {
        let folder = TempDir::new()?;
        for path in [folder.path().join("gone"), folder.path().to_owned(), "/dev/zero".into()] {
            let refused = ScriptedModel::load(&path).map(drop);
            assert!(matches!(refused, Err(ScriptError::Read { .. })), "{refused:?}");
        }
        let large = folder.path().join("large");
        File::create(&large)?.set_len(SCRIPT_LEN_BYTES_MAX as u64 + 1)?;
        assert!(matches!(ScriptedModel::load(&large), Err(ScriptError::TooLarge)));
        Ok(())
    }
}
