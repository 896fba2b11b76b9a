//! The models and prices a command line, the environment or the configuration names.

use std::sync::Arc;

use super::arguments::SessionArguments;
use super::exit::{Exit, Failure};
use crate::config::Settings;
use crate::home::Home;
use crate::model::http::ApiKey;
use crate::model::prices::PriceTable;
use crate::model::{Model, ModelChoice, OpenError, parse_model};
use crate::redact::{Redactor, Secret};
use crate::session::Models;

/// Written before the name of a model in `--advisor`: the provider's own advisor tool is to be used.
const PROVIDER_SIDE: &str = "provider:";

/// Models that were named, but not opened yet.
pub(super) struct Chosen {
    agents: ModelChoice,
    advisor: Advisor,
    settings: Settings,
}

enum Advisor {
    /// The agents' own model.
    Same,
    Other(ModelChoice),
    /// A model that the agents' provider consults on its side.
    Provider(String),
}

/// Reads which models are meant. Asks nobody.
pub(super) fn choose(home: &Home, arguments: &SessionArguments) -> Result<Chosen, Failure> {
    let settings = settings(home)?;
    let unusable = |error| Failure::caused(Exit::Environment, "the model", &error);
    let model = settings.model(arguments.model.as_deref()).map_err(unusable)?;
    let model = model.ok_or_else(|| {
        Failure::new(Exit::Usage, "no model was named")
            .hint("pass --model NAME, set COUNTERSIGN_MODEL, or name one in the configuration")
    })?;
    let advisor = match settings.advisor(arguments.advisor.as_deref()).map_err(unusable)? {
        None => Advisor::Same,
        Some(name) => match name.strip_prefix(PROVIDER_SIDE) {
            Some(model) => Advisor::Provider(model.to_owned()),
            None => Advisor::Other(parse("--advisor", &name)?),
        },
    };
    let agents = parse("--model", &model)?;
    if matches!(advisor, Advisor::Provider(_)) && !matches!(agents, ModelChoice::Anthropic(_)) {
        let problem = format!("--advisor {PROVIDER_SIDE}…: the provider of {model} has no advisor tool of its own");
        return Err(Failure::new(Exit::Usage, problem).hint("name a model of its own for the advisor"));
    }
    Ok(Chosen {
        agents,
        advisor,
        settings,
    })
}

/// The price table that costs are counted by.
pub(super) fn prices(home: &Home, arguments: &SessionArguments) -> Result<PriceTable, Failure> {
    match settings(home)?.prices(arguments.prices.clone()) {
        None => Ok(PriceTable::builtin().clone()),
        Some(path) => {
            PriceTable::load(&path).map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))
        }
    }
}

fn settings(home: &Home) -> Result<Settings, Failure> {
    Settings::load(home).map_err(|error| Failure::caused(Exit::Environment, "the configuration", &error))
}

fn parse(option: &str, name: &str) -> Result<ModelChoice, Failure> {
    parse_model(name).map_err(|error| Failure::caused(Exit::Usage, option, &error))
}

impl Chosen {
    /// Makes the models ready. The keys they use are kept out of everything that `redactor` sees.
    pub(super) async fn open(&self, redactor: &Redactor) -> Result<Models, Failure> {
        let learn = |key: &ApiKey| {
            // A key too short to be told from words is none that a provider gives out.
            if let Ok(secret) = Secret::new(key.expose().to_owned()) {
                redactor.also(secret);
            }
        };
        let opened = |option: &'static str| move |error: OpenError| Failure::caused(Exit::Environment, option, &error);
        let agents = self
            .agents
            .open(&self.settings, &learn)
            .await
            .map_err(opened("--model"))?;
        let (advisor, provider_advisor): (Arc<dyn Model>, _) = match &self.advisor {
            Advisor::Same => (Arc::clone(&agents), None),
            Advisor::Other(choice) => {
                let other = choice.open(&self.settings, &learn).await;
                (other.map_err(opened("--advisor"))?, None)
            }
            Advisor::Provider(model) => (Arc::clone(&agents), Some(model.clone())),
        };
        Ok(Models {
            agents,
            advisor,
            provider_advisor,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    fn exit(model: &str, advisor: &str) -> Result<Option<Exit>, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let line = ["countersign", "run", "task", "--model", model, "--advisor", advisor];
        let Command::Run(arguments) = Arguments::try_parse_from(line)?.command else {
            return Err("a run".into());
        };
        let chosen = choose(&Home::at(folder.path()), &arguments.session);
        Ok(chosen.err().map(|failure| failure.exit))
    }

    #[test]
    fn advisor_of_a_provider_is_refused_where_the_provider_has_none() -> Checked {
        for model in ["scripted:x.json", "openai/gpt-6", "http://127.0.0.1:1/v1#m"] {
            assert_eq!(exit(model, "provider:stronger")?, Some(Exit::Usage), "{model}");
            assert_eq!(exit(model, "scripted:y.json")?, None, "{model}");
        }
        assert_eq!(exit("anthropic/claude-opus-5", "provider:stronger")?, None);
        Ok(())
    }
}
