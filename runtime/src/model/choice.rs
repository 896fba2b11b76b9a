//! The name of a model on the command line, in the environment or in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_schemas::text::{Name, TextError};
use countersign_verifier::visible::visible;
use thiserror::Error;

use super::Model;
use super::anthropic::AnthropicModel;
use super::http::{ApiKey, BaseUrl, BaseUrlError, Endpoint, HttpError, KeyHeader, KeyInTheClear, served_models};
use super::openai::{ChatModel, Dialect, ResponsesModel};
use super::script::ScriptError;
use super::scripted::ScriptedModel;
use crate::config::{Provider, SERVER_KEY_VARIABLE, SettingError, Settings};

/// How the models this build knows are written.
const KNOWN: &str = "scripted:FILE, anthropic/MODEL, openai/MODEL (Responses API), openai-chat/MODEL \
                     (chat completions), http://HOST:PORT/v1#MODEL (a server like OpenAI's: Ollama, vLLM, llama.cpp)";

/// Most models of a server that an error lists.
const LISTED_MAX: usize = 10;

/// A model that was named, but not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelChoice {
    /// `scripted:FILE`
    Scripted(PathBuf),
    /// `anthropic/MODEL`: Anthropic's Messages API.
    Anthropic(Name),
    /// `openai/MODEL`: OpenAI's Responses API.
    OpenAi(Name),
    /// `openai-chat/MODEL`: OpenAI's chat completions.
    OpenAiChat(Name),
    /// `http(s)://HOST[:PORT]/PATH[#MODEL]`: chat completions of another server.
    Server {
        /// Everything before the `#`.
        base: BaseUrl,
        /// The model; without one, the server is asked which it has.
        model: Option<Name>,
    },
}

/// A model that is asked over the network: as whose, by which name, and where.
pub(super) struct Remote {
    /// `provider` of `model.called`.
    pub(super) provider: Name,
    /// `model` of `model.called`, and the name the provider knows it by.
    pub(super) model: Name,
    /// Its base URL, with the version of the API, and its key.
    pub(super) endpoint: Endpoint,
}

/// Reads the name of a model, such as `anthropic/claude-opus-5-5`. Opens nothing and asks nobody.
///
/// # Errors
/// [`ModelChoiceError`].
pub fn parse_model(text: &str) -> Result<ModelChoice, ModelChoiceError> {
    if let Some(file) = text.strip_prefix("scripted:") {
        return match file {
            "" => Err(ModelChoiceError::NoFile),
            file => Ok(ModelChoice::Scripted(file.into())),
        };
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        return parse_server(text);
    }
    let unknown = || ModelChoiceError::UnknownProvider {
        model: visible(text, 64),
    };
    let (provider, model) = text.split_once('/').ok_or_else(unknown)?;
    let choice = match provider {
        "anthropic" => ModelChoice::Anthropic,
        "openai" => ModelChoice::OpenAi,
        "openai-chat" => ModelChoice::OpenAiChat,
        _ => return Err(unknown()),
    };
    name(model).map(choice)
}

fn parse_server(text: &str) -> Result<ModelChoice, ModelChoiceError> {
    let (base, model) = match text.split_once('#') {
        Some((base, model)) => (base, Some(name(model)?)),
        None => (text, None),
    };
    let base = BaseUrl::parse(base).map_err(ModelChoiceError::Url)?;
    Ok(ModelChoice::Server { base, model })
}

fn name(model: &str) -> Result<Name, ModelChoiceError> {
    Name::new(model).map_err(|source| ModelChoiceError::NotAName {
        model: visible(model, 64),
        source,
    })
}

impl ModelChoice {
    /// Makes the model ready. Asks a server which model it has, if none was named; every key that will be sent is shown
    /// to `learn` first, so that it can be kept out of what is shown and stored.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, settings: &Settings, learn: &dyn Fn(&ApiKey)) -> Result<Arc<dyn Model>, OpenError> {
        match self {
            Self::Scripted(file) => Ok(Arc::new(ScriptedModel::load(file)?)),
            Self::Anthropic(model) => {
                let endpoint = endpoint(Provider::Anthropic, KeyHeader::XApiKey, settings, learn)?;
                let remote = Remote::new("anthropic", model, endpoint);
                Ok(Arc::new(AnthropicModel::new(remote)))
            }
            Self::OpenAi(model) => {
                let endpoint = endpoint(Provider::OpenAi, KeyHeader::Bearer, settings, learn)?;
                let remote = Remote::new("openai", model, endpoint);
                Ok(Arc::new(ResponsesModel::new(remote)))
            }
            Self::OpenAiChat(model) => {
                let endpoint = endpoint(Provider::OpenAi, KeyHeader::Bearer, settings, learn)?;
                let remote = Remote::new("openai-chat", model, endpoint);
                Ok(Arc::new(ChatModel::new(remote, Dialect::OpenAi)))
            }
            Self::Server { base, model } => {
                let endpoint = with_key(base.clone(), settings.server_key()?, KeyHeader::Bearer, settings, learn)?
                    .keyed_by(SERVER_KEY_VARIABLE);
                let model = match model {
                    Some(model) => model.clone(),
                    None => only_model(&endpoint).await?,
                };
                let remote = Remote::new("openai-compatible", &model, endpoint);
                Ok(Arc::new(ChatModel::new(remote, Dialect::Other)))
            }
        }
    }
}

impl Remote {
    fn new(provider: &'static str, model: &Name, endpoint: Endpoint) -> Self {
        Self {
            provider: Name::new(provider).expect("letters and dashes are a name"),
            model: model.clone(),
            endpoint,
        }
    }
}

/// Where `provider` is, with its key.
fn endpoint(
    provider: Provider,
    header: KeyHeader,
    settings: &Settings,
    learn: &dyn Fn(&ApiKey),
) -> Result<Endpoint, OpenError> {
    let base = settings.base_url(provider)?;
    let key = settings.key(provider, &base)?;
    Ok(with_key(base, key, header, settings, learn)?.keyed_by(provider.key_variable()))
}

fn with_key(
    base: BaseUrl,
    key: Option<ApiKey>,
    header: KeyHeader,
    settings: &Settings,
    learn: &dyn Fn(&ApiKey),
) -> Result<Endpoint, OpenError> {
    let endpoint = Endpoint::new(base);
    match key {
        None => Ok(endpoint),
        Some(key) => {
            learn(&key);
            Ok(endpoint.with_key(header, key, settings.plain_http())?)
        }
    }
}

/// The one model a server has. It is asked once: whoever starts something wants to know at once that nobody answers.
async fn only_model(endpoint: &Endpoint) -> Result<Name, OpenError> {
    let url = || endpoint.base().to_string();
    let asked = served_models(endpoint).await;
    let served = asked.map_err(|source| OpenError::Unasked { url: url(), source })?;
    match served.as_slice() {
        [] => Err(OpenError::NoModel { url: url() }),
        [only] => Name::new(only.as_str()).map_err(|source| OpenError::Unnameable {
            model: visible(only, 64),
            source,
        }),
        several => Err(OpenError::SeveralModels {
            url: url(),
            models: listed(several),
        }),
    }
}

fn listed(models: &[String]) -> String {
    let names: Vec<_> = models.iter().take(LISTED_MAX).map(|name| visible(name, 64)).collect();
    match models.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Why a text names no model.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelChoiceError {
    /// A provider this build does not know.
    #[error("unknown model \"{model}\"; known are: {KNOWN}")]
    UnknownProvider {
        /// The first 64 characters of what was given.
        model: String,
    },
    /// `scripted:` and nothing behind it.
    #[error("`scripted:` needs the file of a script: scripted:FILE")]
    NoFile,
    /// What stands in the place of a model could not stand in a ledger.
    #[error("\"{model}\" is not the name of a model")]
    NotAName {
        /// Its first 64 characters.
        model: String,
        /// Why not.
        #[source]
        source: TextError,
    },
    /// A server's URL that is none. It is not repeated: there may be a password in it.
    #[error("the URL of the server cannot be used")]
    Url(#[source] BaseUrlError),
}

/// Why a model that was named cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The script cannot be read or is wrong.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// An address or a key that is set, or is not.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A key would travel unprotected.
    #[error(transparent)]
    KeyInTheClear(#[from] KeyInTheClear),
    /// The server does not say which models it has.
    #[error("{url} does not say which models it has; name one: {url}#MODEL")]
    Unasked {
        /// Where it was asked.
        url: String,
        /// What it did instead.
        #[source]
        source: HttpError,
    },
    /// The server has no model.
    #[error("{url} has no model; load one")]
    NoModel {
        /// Where it was asked.
        url: String,
    },
    /// Which of them is meant?
    #[error("{url} has several models; name one: {url}#MODEL, of {models}")]
    SeveralModels {
        /// Where it was asked.
        url: String,
        /// The first of them.
        models: String,
    },
    /// The server's only model has a name that could not stand in a ledger.
    #[error("the server's model is called \"{model}\", which cannot be recorded; serve it under another name")]
    Unnameable {
        /// The first 64 characters.
        model: String,
        /// Why not.
        #[source]
        source: TextError,
    },
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
