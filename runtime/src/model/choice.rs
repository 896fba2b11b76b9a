//! The name of a model on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::Model;
use super::script::ScriptError;
use super::scripted::ScriptedModel;

/// How the models this build knows are written.
const KNOWN: &str = "scripted:FILE";

/// A model that was named, but not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelChoice {
    /// `scripted:FILE`
    Scripted(PathBuf),
}

/// Reads the name of a model, such as `scripted:demo.json`. Opens nothing.
///
/// # Errors
/// [`ModelChoiceError`].
pub fn parse_model(text: &str) -> Result<ModelChoice, ModelChoiceError> {
    match text.split_once(':') {
        Some(("scripted", "")) => Err(ModelChoiceError::NoFile),
        Some(("scripted", file)) => Ok(ModelChoice::Scripted(file.into())),
        _ => Err(ModelChoiceError::UnknownProvider {
            model: text.chars().take(64).collect(),
        }),
    }
}

impl ModelChoice {
    /// Makes the model ready.
    ///
    /// # Errors
    /// [`ScriptError`] when the script cannot be read or is wrong.
    pub fn open(&self) -> Result<Arc<dyn Model>, ScriptError> {
        match self {
            Self::Scripted(file) => Ok(Arc::new(ScriptedModel::load(file)?)),
        }
    }
}

/// Why a text names no model.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelChoiceError {
    /// A provider this build does not know.
    #[error("unknown model {model:?}; known are: {KNOWN}")]
    UnknownProvider {
        /// The first 64 characters of what was given.
        model: String,
    },
    /// `scripted:` and nothing behind it.
    #[error("`scripted:` needs the file of a script: {KNOWN}")]
    NoFile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_named_by_its_file() {
        assert_eq!(
            parse_model("scripted:a/b:c.json"),
            Ok(ModelChoice::Scripted("a/b:c.json".into()))
        );
    }

    #[test]
    fn unknown_provider_names_the_known() {
        for model in [
            "",
            "scripted",
            "Scripted:a",
            "anthropic/claude",
            "https://example.org:80/v1",
            " scripted:a",
        ] {
            let refused = parse_model(model).map_err(|error| error.to_string());
            assert_eq!(
                refused,
                Err(format!("unknown model {model:?}; known are: scripted:FILE"))
            );
        }
        assert_eq!(parse_model("scripted:"), Err(ModelChoiceError::NoFile));
    }

    #[test]
    fn missing_script_is_found_when_it_is_opened() {
        let refused = ModelChoice::Scripted("/nowhere/script.json".into()).open().map(drop);
        assert!(matches!(refused, Err(ScriptError::Read { .. })));
    }
}
