//! Reading a price table. Everything about it is checked before one price is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use countersign_identity::jcs::{self, JcsError};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Count, OutOfRange};
use countersign_schemas::text::{Name, TextError};
use serde::Deserialize;
use thiserror::Error;

use super::{Covered, Entry, LongPrompt, PriceTable, Rates, is_date};

/// Largest table: some thousand models.
pub const PRICES_LEN_BYTES_MAX: usize = 1 << 20;

const SCHEMA: &str = "countersign.prices/v1";
const CURRENCY: &str = "micro-USD per million tokens";
const ALL_MODELS: &str = "*";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    version: String,
    currency: String,
    sources: BTreeMap<String, String>,
    prices: Vec<EntryText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    providers: Vec<String>,
    model: String,
    input: u64,
    output: u64,
    cache_write: u64,
    cache_read: u64,
    long_prompt: Option<LongPromptText>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongPromptText {
    above_tokens: u64,
    input: u64,
    output: u64,
    cache_write: u64,
    cache_read: u64,
}

/// Reads the bytes of a table file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, PriceError> {
    let failed = |source| PriceError::Read {
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
    file.take(PRICES_LEN_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Result<PriceTable, PriceError> {
    if bytes.len() > PRICES_LEN_BYTES_MAX {
        return Err(PriceError::TooLarge);
    }
    // Read into its structure first: that refuses a member that occurs twice, which the second reading would not see.
    let document: Document = serde_json::from_slice(bytes).map_err(PriceError::Document)?;
    let value = serde_json::from_slice(bytes).map_err(PriceError::Document)?;
    let canonical = jcs::canonicalize(&value).map_err(PriceError::Canonical)?;
    for (member, found, expected) in [
        ("schema", &document.schema, SCHEMA),
        ("currency", &document.currency, CURRENCY),
    ] {
        if found != expected {
            return Err(PriceError::Other {
                member,
                found: found.clone(),
                expected,
            });
        }
    }
    if document.version.len() != 10 || !is_date(&document.version) {
        return Err(PriceError::Version {
            found: document.version,
        });
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(document.prices.len());
    for text in document.prices {
        if !document.sources.contains_key(&text.source) {
            return Err(PriceError::Source {
                model: text.model,
                source_name: text.source,
            });
        }
        let entry = entry(text)?;
        check_new(&entries, &entry)?;
        entries.push(entry);
    }
    Ok(PriceTable {
        version: document.version,
        digest: Digest::sha256(&canonical),
        entries,
    })
}

fn entry(text: EntryText) -> Result<Entry, PriceError> {
    let model = text.model;
    let name = |name: String| {
        Name::new(name.as_str()).map_err(|source| PriceError::NotAName {
            name: name.clone(),
            source,
        })
    };
    if text.providers.is_empty() {
        return Err(PriceError::NoProvider { model });
    }
    let rate = |rate: u64| {
        Count::new(rate).map_err(|source| PriceError::Rate {
            model: model.clone(),
            source,
        })
    };
    let rates = |[input, output, cache_write, cache_read]: [u64; 4]| {
        Ok(Rates {
            input: rate(input)?,
            output: rate(output)?,
            cache_write: rate(cache_write)?,
            cache_read: rate(cache_read)?,
        })
    };
    let long_prompt = |long: LongPromptText| {
        Ok(LongPrompt {
            above_tokens: rate(long.above_tokens)?,
            rates: rates([long.input, long.output, long.cache_write, long.cache_read])?,
        })
    };
    Ok(Entry {
        rates: rates([text.input, text.output, text.cache_write, text.cache_read])?,
        long_prompt: text.long_prompt.map(long_prompt).transpose()?,
        providers: text.providers.into_iter().map(name).collect::<Result<_, _>>()?,
        model: match model.as_str() {
            ALL_MODELS => Covered::All,
            _ => Covered::One(name(model)?),
        },
    })
}

/// Two prices for one model would make the cost depend on the order of the table.
fn check_new(entries: &[Entry], entry: &Entry) -> Result<(), PriceError> {
    for known in entries.iter().filter(|known| known.model == entry.model) {
        if let Some(provider) = entry.providers.iter().find(|&name| known.providers.contains(name)) {
            return Err(PriceError::Twice {
                provider: provider.to_string(),
                model: match &entry.model {
                    Covered::All => ALL_MODELS.to_owned(),
                    Covered::One(name) => name.to_string(),
                },
            });
        }
    }
    Ok(())
}

/// Why something is not a price table.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PriceError {
    /// The file cannot be read, or is no regular file.
    #[error("cannot read the price table {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Longer than [`PRICES_LEN_BYTES_MAX`].
    #[error("the price table has more than {PRICES_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// No JSON, or a member is unknown, missing, there twice, or of the wrong type; a price that is no integer.
    #[error("the price table is not a document of {SCHEMA}")]
    Document(#[source] serde_json::Error),
    /// It has no canonical form, so no digest.
    #[error("the price table has no canonical form")]
    Canonical(#[source] JcsError),
    /// Another schema, a later version, or another unit.
    #[error("the price table's {member} is {found:?}, not {expected:?}")]
    Other {
        /// The member.
        member: &'static str,
        /// What it says.
        found: String,
        /// What it has to say.
        expected: &'static str,
    },
    /// The version is no date.
    #[error("the price table's version is {found:?}, not a date like 2026-11-21")]
    Version {
        /// What it says.
        found: String,
    },
    /// A price whose `source` is not among the `sources`.
    #[error("the price of {model:?} refers to the source {source_name:?}, which is not there")]
    Source {
        /// The model.
        model: String,
        /// The source it names.
        source_name: String,
    },
    /// A price nobody asks.
    #[error("the price of {model:?} names no provider")]
    NoProvider {
        /// The model.
        model: String,
    },
    /// A provider or model that no ledger could name.
    #[error("{name:?} is not the name of a provider or model")]
    NotAName {
        /// What it says.
        name: String,
        /// Why not.
        #[source]
        source: TextError,
    },
    /// A price or a number of tokens out of bounds.
    #[error("a number in the price of {model:?} is out of bounds")]
    Rate {
        /// The model.
        model: String,
        /// Which bound.
        #[source]
        source: OutOfRange,
    },
    /// Two prices for the same model at the same provider.
    #[error("the price table has two prices for {provider}/{model}")]
    Twice {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn table() -> Value {
        json!({
            "schema": SCHEMA, "version": "2026-11-21", "currency": CURRENCY, "sources": {"own": "a contract"},
            "prices": [{"providers": ["a"], "model": "m", "input": 1, "output": 2, "cache_write": 3, "cache_read": 4,
                        "source": "own"}]
        })
    }

    fn refusal(table: &Value) -> String {
        match parse(table.to_string().as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!("{error}: {}", cause.unwrap_or_default())
            }
        }
    }

    /// The refusal of the table with the member at `pointer` replaced or added.
    fn changed(pointer: &str, value: Value) -> String {
        let mut table = table();
        let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(object) = table.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.insert(member.to_owned(), value);
        }
        refusal(&table)
    }

    #[test]
    fn digest_is_that_of_the_canonical_form() -> TestResult {
        let spaced = serde_json::to_string_pretty(&table())?;
        let table = parse(spaced.as_bytes())?;
        let canonical = jcs::canonicalize(&serde_json::from_str(&spaced)?)?;
        assert_eq!(table.digest(), Digest::sha256(&canonical));
        Ok(())
    }

    #[test]
    fn unknown_members_are_refused_with_their_names() {
        for pointer in ["/note", "/prices/0/per_call", "/prices/0/long_prompt"] {
            let refused = changed(pointer, json!({"x": 1}));
            assert!(refused.contains("unknown field"), "{pointer}: {refused}");
        }
    }

    #[test]
    fn prices_are_whole_numbers_within_bounds() {
        for (value, expected) in [
            (json!(1.5), "invalid type: floating point"),
            (json!(-1), "invalid value"),
            (json!("1"), "invalid type: string"),
            (json!(1_u64 << 53), "is greater than 2^53 - 1"),
        ] {
            let refused = changed("/prices/0/output", value);
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn other_documents_are_refused() {
        for (pointer, value, expected) in [
            ("/schema", json!("countersign.prices/v2"), "the price table's schema is"),
            ("/currency", json!("USD"), "the price table's currency is"),
            ("/version", json!("20261121"), "not a date"),
            ("/version", json!("today"), "not a date"),
            ("/prices/0/source", json!("other"), "which is not there"),
            ("/prices/0/providers", json!([]), "names no provider"),
            ("/prices/0/providers", json!(["two words"]), "is not the name"),
            ("/prices/0/model", json!(""), "is not the name"),
        ] {
            let refused = changed(pointer, value);
            assert!(refused.contains(expected), "{pointer}: {refused}");
        }
    }

    #[test]
    fn second_price_for_a_model_is_refused() {
        let mut twice = table();
        let mut second = twice["prices"][0].clone();
        second["providers"] = json!(["b", "a"]);
        if let Some(prices) = twice["prices"].as_array_mut() {
            prices.push(second);
        }
        assert!(refusal(&twice).starts_with("the price table has two prices for a/m"));
    }

    #[test]
    fn member_twice_is_refused() -> TestResult {
        let text = table().to_string().replace(r#""input":1"#, r#""input":1,"input":0"#);
        let error = parse(text.as_bytes()).err().ok_or("an error")?;
        assert!(matches!(error, PriceError::Document(_)));
        Ok(())
    }

    #[test]
    fn what_is_no_table_file_is_refused() -> TestResult {
        let folder = tempfile::TempDir::new()?;
        for path in [folder.path().join("gone"), folder.path().to_owned(), "/dev/zero".into()] {
            assert!(matches!(read(&path), Err(PriceError::Read { .. })));
        }
        let large = folder.path().join("large");
        File::create(&large)?.set_len(PRICES_LEN_BYTES_MAX as u64 + 1)?;
        assert!(matches!(PriceTable::load(&large), Err(PriceError::TooLarge)));
        Ok(())
    }
}
