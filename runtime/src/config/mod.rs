//! What a person has set: a file in their home, which the environment beats, which the command line beats.
//!
//! Which model is meant by a name, and what a model costs, is not decided here. Everything that can be set stands in
//! `docs/configuration.md`.

mod file;
mod settings;

pub use file::{CONFIG_LEN_BYTES_MAX, ConfigError, ConfigFile};
pub use settings::{Provider, SERVER_KEY_VARIABLE, SettingError, Settings};
