//! The configuration file, `countersign.config/v1`.
//!
//! ```json
//! {"schema": "countersign.config/v1",
//!  "model": "anthropic/claude-opus-5-5",
//!  "advisor": "openai/gpt-6.2-sol",
//!  "anthropic": {"base_url": "https://gateway.example.com/anthropic", "key_file": "anthropic.key"},
//!  "openai": {"key_file": "/run/secrets/openai"},
//!  "prices": "prices.json",
//!  "head_folder": "/mnt/other-disk/heads"}
//! ```
//!
//! Everything but `schema` may be left out; nothing else may be there. Paths are taken from the file's own folder.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// Largest configuration file.
pub const CONFIG_LEN_BYTES_MAX: usize = 64 << 10;

const SCHEMA: &str = "countersign.config/v1";

/// What a configuration file says; nothing at all where there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// The model agents think with.
    pub model: Option<String>,
    /// The model of the advisor.
    pub advisor: Option<String>,
    /// How to reach Anthropic.
    pub anthropic: Access,
    /// How to reach OpenAI.
    pub openai: Access,
    /// A price table in place of the built-in one.
    pub prices: Option<PathBuf>,
    /// The folder that keeps the newest head of every ledger, in place of the ledger's own.
    pub head_folder: Option<PathBuf>,
}

/// How to reach a provider.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Where it is, in place of its own address.
    pub base_url: Option<String>,
    /// The file that holds its key.
    pub key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    model: Option<String>,
    advisor: Option<String>,
    #[serde(default)]
    anthropic: Access,
    #[serde(default)]
    openai: Access,
    prices: Option<PathBuf>,
    head_folder: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file at `path`. None there is as good as one that says nothing.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { source };
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
            // Asked before it is opened: opening a pipe would wait for a writer.
            Ok(metadata) if !metadata.is_file() => {
                return Err(failed(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "not a regular file",
                )));
            }
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(CONFIG_LEN_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::parse(&bytes, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a configuration whose paths begin in `folder`.
    ///
    /// # Errors
    /// [`ConfigError`] names the first thing that is wrong.
    pub fn parse(bytes: &[u8], folder: &Path) -> Result<Self, ConfigError> {
        if bytes.len() > CONFIG_LEN_BYTES_MAX {
            return Err(ConfigError::TooLarge);
        }
        let document: Document = serde_json::from_slice(bytes).map_err(ConfigError::Document)?;
        if document.schema != SCHEMA {
            return Err(ConfigError::Schema { found: document.schema });
        }
        let below = |path: PathBuf| folder.join(path);
        let access = |access: Access| Access {
            base_url: access.base_url,
            key_file: access.key_file.map(below),
        };
        Ok(Self {
            model: document.model,
            advisor: document.advisor,
            anthropic: access(document.anthropic),
            openai: access(document.openai),
            prices: document.prices.map(below),
            head_folder: document.head_folder.map(below),
        })
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read, or is no regular file.
    #[error("it cannot be read")]
    Read {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Longer than [`CONFIG_LEN_BYTES_MAX`].
    #[error("it has more than {CONFIG_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// No JSON, or a member is unknown, missing, there twice, or of the wrong type.
    #[error("it is not a document of {SCHEMA}")]
    Document(#[source] serde_json::Error),
    /// Another schema, or a later version.
    #[error("its schema is {found:?}, not {SCHEMA:?}")]
    Schema {
        /// What it says.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn refusal(text: &str) -> String {
        match ConfigFile::parse(text.as_bytes(), Path::new("/h")) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!("{error}: {}", cause.unwrap_or_default())
            }
        }
    }

    #[test]
    fn everything_that_can_be_set_is_read() -> TestResult {
        let text = r#"{"schema": "countersign.config/v1", "model": "a/m", "advisor": "b/n",
            "anthropic": {"base_url": "https://h", "key_file": "k"}, "openai": {"key_file": "/k"}, "prices": "p.json",
            "head_folder": "heads"}"#;
        let expected = ConfigFile {
            model: Some("a/m".to_owned()),
            advisor: Some("b/n".to_owned()),
            anthropic: Access {
                base_url: Some("https://h".to_owned()),
                key_file: Some("/h/k".into()),
            },
            openai: Access {
                base_url: None,
                key_file: Some("/k".into()),
            },
            prices: Some("/h/p.json".into()),
            head_folder: Some("/h/heads".into()),
        };
        assert_eq!(ConfigFile::parse(text.as_bytes(), Path::new("/h"))?, expected);
        Ok(())
    }

    #[test]
    fn only_the_schema_has_to_be_there() -> TestResult {
        let config = ConfigFile::parse(br#"{"schema": "countersign.config/v1"}"#, Path::new("/h"))?;
        assert_eq!(config, ConfigFile::default());
        Ok(())
    }

    #[test]
    fn unknown_members_are_refused_with_their_name_and_the_known() {
        let refused = refusal(r#"{"schema": "countersign.config/v1", "modell": "a/m"}"#);
        for part in [
            "`modell`",
            "`schema`",
            "`model`",
            "`advisor`",
            "`anthropic`",
            "`openai`",
            "`prices`",
        ] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        let refused = refusal(r#"{"schema": "countersign.config/v1", "openai": {"key": "sk-1"}}"#);
        assert!(
            refused.contains("unknown field `key`, expected `base_url` or `key_file`"),
            "{refused}"
        );
        assert!(!refused.contains("sk-1"), "{refused}");
    }

    #[test]
    fn other_documents_are_refused() {
        for (text, expected) in [
            ("", "EOF"),
            ("{}", "missing field `schema`"),
            ("[]", "invalid length"),
            ("null", "invalid type"),
            (r#"{"schema": "countersign.config/v2"}"#, "its schema is"),
            (
                r#"{"schema": "countersign.config/v1", "model": 7}"#,
                "invalid type: integer",
            ),
            (r#"{"schema": "countersign.config/v1", "openai": []}"#, "invalid length"),
            (
                r#"{"schema": "countersign.config/v1", "openai": "x"}"#,
                "invalid type: string",
            ),
            (
                r#"{"schema": "countersign.config/v1", "model": "a", "model": "b"}"#,
                "duplicate field `model`",
            ),
            (r#"{"schema": "countersign.config/v1"} {}"#, "trailing characters"),
        ] {
            let refused = refusal(text);
            assert!(refused.contains(expected), "{text}: {refused}");
        }
        assert!(refusal(&" ".repeat(CONFIG_LEN_BYTES_MAX + 1)).starts_with("it has more than 65536 bytes"));
    }

    #[test]
    fn file_that_is_not_there_says_nothing_and_one_that_cannot_be_read_is_an_error() -> TestResult {
        let folder = tempfile::TempDir::new()?;
        assert_eq!(ConfigFile::load(&folder.path().join("gone"))?, ConfigFile::default());
        for path in [folder.path(), Path::new("/dev/zero")] {
            assert!(matches!(ConfigFile::load(path), Err(ConfigError::Read { .. })));
        }
        Ok(())
    }
}
