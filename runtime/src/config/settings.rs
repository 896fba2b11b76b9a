//! Everything that is set, from wherever it was set.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::file::{Access, ConfigError, ConfigFile};
use crate::home::Home;
use crate::model::http::{ApiKey, BaseUrl, BaseUrlError, KeyError, PlainHttp};

const MODEL: &str = "COUNTERSIGN_MODEL";
const ADVISOR: &str = "COUNTERSIGN_ADVISOR";
const PRICES: &str = "COUNTERSIGN_PRICES";
const ALLOW_PLAIN_HTTP: &str = "COUNTERSIGN_ALLOW_PLAIN_HTTP";

/// The variable for the key of a server that is named by its URL.
pub const SERVER_KEY_VARIABLE: &str = "COUNTERSIGN_SERVER_API_KEY";

/// The key for a server that is named by its URL. No provider's key is ever sent there.
const SERVER_KEY: KeyVariables = KeyVariables {
    key: SERVER_KEY_VARIABLE,
    file: "COUNTERSIGN_SERVER_API_KEY_FILE",
};

/// A provider with an address and a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's Responses API and chat completions.
    OpenAi,
}

/// What the official SDK of a provider calls its variables, and where it asks when none is set.
struct Defaults {
    base_url_variable: &'static str,
    base_url: &'static str,
    key: KeyVariables,
}

/// Where a key may be given in the environment: itself, or the path of its file.
#[derive(Clone, Copy)]
struct KeyVariables {
    key: &'static str,
    file: &'static str,
}

impl Provider {
    const fn defaults(self) -> Defaults {
        match self {
            Self::Anthropic => Defaults {
                base_url_variable: "ANTHROPIC_BASE_URL",
                base_url: "https://api.anthropic.com",
                key: KeyVariables {
                    key: "ANTHROPIC_API_KEY",
                    file: "ANTHROPIC_API_KEY_FILE",
                },
            },
            Self::OpenAi => Defaults {
                base_url_variable: "OPENAI_BASE_URL",
                base_url: "https://api.openai.com/v1",
                key: KeyVariables {
                    key: "OPENAI_API_KEY",
                    file: "OPENAI_API_KEY_FILE",
                },
            },
        }
    }
}

impl Provider {
    /// The variable its key is given in.
    #[must_use]
    pub const fn key_variable(self) -> &'static str {
        self.defaults().key.key
    }
}

type Variables = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// What a person has set. No `Debug`: the environment it reads holds keys.
pub struct Settings {
    file: ConfigFile,
    variables: Variables,
}

impl Settings {
    /// What is set in `home` and in the environment of this process.
    ///
    /// # Errors
    /// [`SettingError::File`] when the configuration file cannot be used.
    pub fn load(home: &Home) -> Result<Self, SettingError> {
        let path = home.config_file();
        let file = ConfigFile::load(&path).map_err(|source| SettingError::File { path, source })?;
        Ok(Self::new(file, |name| std::env::var_os(name)))
    }

    /// Settings of `file` and of `variables`. A variable that is empty is as good as none.
    pub fn new(file: ConfigFile, variables: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self {
            file,
            variables: Box::new(move |name| variables(name).filter(|value| !value.is_empty())),
        }
    }

    /// The model agents think with: `flag`, else `COUNTERSIGN_MODEL`, else `model`.
    ///
    /// # Errors
    /// [`SettingError::NotUnicode`].
    pub fn model(&self, flag: Option<&str>) -> Result<Option<String>, SettingError> {
        self.text(flag, MODEL, self.file.model.as_ref())
    }

    /// The advisor's model: `flag`, else `COUNTERSIGN_ADVISOR`, else `advisor`.
    ///
    /// # Errors
    /// [`SettingError::NotUnicode`].
    pub fn advisor(&self, flag: Option<&str>) -> Result<Option<String>, SettingError> {
        self.text(flag, ADVISOR, self.file.advisor.as_ref())
    }

    /// The price table to use in place of the built-in one: `flag`, else `COUNTERSIGN_PRICES`, else `prices`.
    #[must_use]
    pub fn prices(&self, flag: Option<PathBuf>) -> Option<PathBuf> {
        flag.or_else(|| (self.variables)(PRICES).map(PathBuf::from))
            .or_else(|| self.file.prices.clone())
    }

    /// Where the newest head of `ledger` is kept: `flag`, else below `head_folder`; `None` is beside the ledger.
    #[must_use]
    pub fn head_file(&self, flag: Option<PathBuf>, ledger: &Path) -> Option<PathBuf> {
        let below = || {
            let mut name = ledger.file_name()?.to_owned();
            name.push("-head");
            Some(self.file.head_folder.as_ref()?.join(name))
        };
        flag.or_else(below)
    }

    /// Where `provider` is: its variable, else its `base_url`, else its own address. Ends in the version of its API.
    ///
    /// # Errors
    /// [`SettingError::NotUnicode`], [`SettingError::BaseUrl`].
    pub fn base_url(&self, provider: Provider) -> Result<BaseUrl, SettingError> {
        let Defaults {
            base_url_variable,
            base_url,
            ..
        } = provider.defaults();
        let set = self.text(None, base_url_variable, self.access(provider).base_url.as_ref())?;
        let url = BaseUrl::parse(set.as_deref().unwrap_or(base_url)).map_err(|source| SettingError::BaseUrl {
            variable: base_url_variable,
            source,
        })?;
        Ok(match provider {
            Provider::Anthropic => url.with_version(),
            Provider::OpenAi => url,
        })
    }

    /// The key of `provider`: the variable with the key, else the one with its file, else its `key_file`.
    ///
    /// # Errors
    /// [`SettingError::Key`] when what is set is no key; [`SettingError::NoKey`] when none is set and `url`, the place
    /// that will be asked, is the provider's own. Other places may want none.
    pub fn key(&self, provider: Provider, url: &BaseUrl) -> Result<Option<ApiKey>, SettingError> {
        let defaults = provider.defaults();
        if let Some(key) = self.key_of(defaults.key, self.access(provider).key_file.as_ref())? {
            return Ok(Some(key));
        }
        let own = BaseUrl::parse(defaults.base_url).is_ok_and(|own| own.host() == url.host());
        if own {
            return Err(SettingError::NoKey {
                host: url.host().to_owned(),
                variable: defaults.key.key,
                file_variable: defaults.key.file,
            });
        }
        Ok(None)
    }

    /// The key for a server that is named by its URL, if one is set.
    ///
    /// # Errors
    /// [`SettingError::Key`].
    pub fn server_key(&self) -> Result<Option<ApiKey>, SettingError> {
        self.key_of(SERVER_KEY, None)
    }

    /// Whether `COUNTERSIGN_ALLOW_PLAIN_HTTP` is `1`, and nothing else.
    #[must_use]
    pub fn plain_http(&self) -> PlainHttp {
        match (self.variables)(ALLOW_PLAIN_HTTP) {
            Some(value) if value == "1" => PlainHttp::Allowed,
            _ => PlainHttp::Refused,
        }
    }

    fn access(&self, provider: Provider) -> &Access {
        match provider {
            Provider::Anthropic => &self.file.anthropic,
            Provider::OpenAi => &self.file.openai,
        }
    }

    fn text(
        &self,
        flag: Option<&str>,
        variable: &'static str,
        configured: Option<&String>,
    ) -> Result<Option<String>, SettingError> {
        if let Some(flag) = flag {
            return Ok(Some(flag.to_owned()));
        }
        match (self.variables)(variable) {
            None => Ok(configured.cloned()),
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(SettingError::NotUnicode { variable }),
            },
        }
    }

    fn key_of(&self, variables: KeyVariables, configured: Option<&PathBuf>) -> Result<Option<ApiKey>, SettingError> {
        let from = |origin: &str, key: Result<ApiKey, KeyError>| {
            key.map(Some).map_err(|source| SettingError::Key {
                origin: origin.to_owned(),
                source,
            })
        };
        if let Some(value) = (self.variables)(variables.key) {
            let text = value.into_string().unwrap_or_else(|_| "\0".to_owned());
            return from(variables.key, ApiKey::new(Zeroizing::new(text)));
        }
        if let Some(path) = (self.variables)(variables.file) {
            return from(variables.file, ApiKey::read(path.as_ref()));
        }
        match configured {
            Some(path) => from("key_file of the configuration", ApiKey::read(path)),
            None => Ok(None),
        }
    }
}

/// Why a setting cannot be used. No value of a key or an address is part of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The configuration file.
    #[error("the configuration {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ConfigError,
    },
    /// A variable that is no text.
    #[error("{variable} is not valid Unicode")]
    NotUnicode {
        /// Its name.
        variable: &'static str,
    },
    /// An address that is none, in the variable or the configuration.
    #[error("the address in {variable}, or `base_url` in the configuration, cannot be used")]
    BaseUrl {
        /// The name of the variable.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: BaseUrlError,
    },
    /// Something that is set as a key and is none.
    #[error("the key from {origin} cannot be used")]
    Key {
        /// Where it was set.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// The provider itself answers nobody without a key.
    #[error(
        "no key for {host}: set {variable}, or {file_variable} to a file only you can read, \
         or `key_file` in the configuration"
    )]
    NoKey {
        /// Who would be asked.
        host: String,
        /// The variable that holds a key.
        variable: &'static str,
        /// The variable that names its file.
        file_variable: &'static str,
    },
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
