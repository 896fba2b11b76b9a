//! What models cost: a table that is data, with a version and a digest that every call states.
//!
//! The table that comes with this build is `prices.json` beside this file; another one can take its place as a whole.
//! A model that is not in the table has no price: nothing is guessed from a name that looks alike.

mod document;

use std::path::Path;
use std::sync::LazyLock;

use countersign_schemas::body::Tokens;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;

pub use document::{PRICES_LEN_BYTES_MAX, PriceError};

/// The table of this build.
const BUILTIN: &[u8] = include_bytes!("prices.json");

/// Prices are for this many tokens.
const TOKENS_PER_PRICE: u128 = 1_000_000;

/// The prices of models, `countersign.prices/v1`.
#[derive(Clone, Debug)]
pub struct PriceTable {
    version: String,
    digest: Digest,
    entries: Vec<Entry>,
}

/// What one model costs at the providers that offer it.
#[derive(Clone, Debug)]
struct Entry {
    providers: Vec<Name>,
    model: Covered,
    rates: Rates,
    long_prompt: Option<LongPrompt>,
}

/// The models an entry speaks about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Covered {
    /// `*`: whatever these providers offer.
    All,
    /// One model and its dated snapshots.
    One(Name),
}

/// Micro-USD per million tokens.
#[derive(Clone, Debug)]
struct Rates {
    input: Count,
    output: Count,
    cache_write: Count,
    cache_read: Count,
}

/// What every token of a call costs whose prompt is longer than `above_tokens`.
#[derive(Clone, Debug)]
struct LongPrompt {
    above_tokens: Count,
    rates: Rates,
}

impl PriceTable {
    /// The table of this build.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static TABLE: LazyLock<PriceTable> =
            LazyLock::new(|| PriceTable::parse(BUILTIN).expect("a test reads the table of this build"));
        &TABLE
    }

    /// Reads the table in `path`, which takes the place of the built-in one.
    ///
    /// # Errors
    /// [`PriceError`] names the first thing that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, PriceError> {
        Self::parse(&document::read(path)?)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PriceError> {
        document::parse(bytes)
    }

    /// The date of the table, `YYYY-MM-DD`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// SHA-256 of the table's JCS form: `price_table` of `model.called` (statement-v1).
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What `tokens` cost in micro-USD, rounded up; `None` where the table has no price for the model.
    #[must_use]
    pub fn cost(&self, provider: &Name, model: &Name, tokens: &Tokens) -> Option<Count> {
        self.entry(provider, model).map(|entry| entry.cost(tokens))
    }

    /// The entry that names the model itself, before one for everything a provider offers.
    fn entry(&self, provider: &Name, model: &Name) -> Option<&Entry> {
        let offered = self.entries.iter().filter(|entry| entry.providers.contains(provider));
        offered
            .filter_map(|entry| entry.model.covers(model).map(|len| (len, entry)))
            .max_by_key(|(len, _)| *len)
            .map(|(_, entry)| entry)
    }
}

impl Covered {
    /// How many bytes of `model` are named, if it is covered.
    ///
    /// Behind the name only a date may follow, at a `-` or `@`: `claude-opus-5` is also the beginning of
    /// `claude-opus-5-5`, and a wrong price is worse than none.
    fn covers(&self, model: &Name) -> Option<usize> {
        let Self::One(name) = self else { return Some(0) };
        let rest = model.as_str().strip_prefix(name.as_str())?;
        (rest.is_empty() || rest.strip_prefix(['-', '@']).is_some_and(is_date)).then_some(name.as_str().len())
    }
}

/// `YYYYMMDD` or `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let dashes: Vec<_> = text.match_indices('-').map(|(at, _)| at).collect();
    digits == 8 && (text.len() == 8 || (text.len() == 10 && dashes == [4, 7]))
}

impl Entry {
    fn cost(&self, tokens: &Tokens) -> Count {
        let prompt =
            u128::from(tokens.input.get()) + u128::from(tokens.cache_write.get()) + u128::from(tokens.cache_read.get());
        let rates = match &self.long_prompt {
            Some(long) if prompt > u128::from(long.above_tokens.get()) => &long.rates,
            _ => &self.rates,
        };
        rates.cost(tokens)
    }
}

impl Rates {
    /// Four products of two numbers below 2^53 each: their sum stays below 2^108.
    fn cost(&self, tokens: &Tokens) -> Count {
        let product = |tokens: Count, rate: Count| u128::from(tokens.get()) * u128::from(rate.get());
        let sum = product(tokens.input, self.input)
            + product(tokens.output, self.output)
            + product(tokens.cache_write, self.cache_write)
            + product(tokens.cache_read, self.cache_read);
        Count::clamped(u64::try_from(sum.div_ceil(TOKENS_PER_PRICE)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn tokens(input: u64, output: u64, cache_write: u64, cache_read: u64) -> Tokens {
        Tokens {
            input: Count::clamped(input),
            output: Count::clamped(output),
            cache_write: Count::clamped(cache_write),
            cache_read: Count::clamped(cache_read),
        }
    }

    fn cost(provider: &str, model: &str, tokens: &Tokens) -> Result<Option<u64>, Box<dyn std::error::Error>> {
        let cost = PriceTable::builtin().cost(&Name::new(provider)?, &Name::new(model)?, tokens);
        Ok(cost.map(Count::get))
    }

    #[test]
    fn builtin_table_is_read_and_dated() -> TestResult {
        let table = PriceTable::parse(BUILTIN)?;
        assert_eq!(table.version(), "2026-11-21");
        assert_eq!(table.digest(), PriceTable::builtin().digest());
        Ok(())
    }

    #[test]
    fn each_kind_of_token_has_its_own_rate() -> TestResult {
        let million = 1_000_000;
        for (tokens, expected) in [
            (tokens(million, 0, 0, 0), 4_000_000),
            (tokens(0, million, 0, 0), 20_000_000),
            (tokens(0, 0, million, 0), 5_000_000),
            (tokens(0, 0, 0, million), 200_000),
            (tokens(million, million, million, million), 29_200_000),
        ] {
            assert_eq!(cost("anthropic", "claude-opus-5-5", &tokens)?, Some(expected));
        }
        Ok(())
    }

    #[test]
    fn cost_is_rounded_up_once_and_over_all() -> TestResult {
        // 0.2 micro-USD for a cached token: one costs 1, five together cost 1, six cost 2.
        for (cached, expected) in [(0, 0), (1, 1), (5, 1), (6, 2)] {
            assert_eq!(
                cost("anthropic", "claude-opus-5-5", &tokens(0, 0, 0, cached))?,
                Some(expected)
            );
        }
        Ok(())
    }

    #[test]
    fn whole_call_is_dearer_once_its_prompt_is_long() -> TestResult {
        assert_eq!(
            cost("openai", "gpt-6-sol", &tokens(172_000, 1_000, 50_000, 50_000))?,
            Some(344_000 + 10_000 + 125_000 + 10_000)
        );
        assert_eq!(
            cost("openai", "gpt-6-sol", &tokens(172_001, 1_000, 50_000, 50_000))?,
            Some(688_004 + 15_000 + 250_000 + 20_000)
        );
        Ok(())
    }

    #[test]
    fn dated_snapshots_cost_what_their_model_costs() -> TestResult {
        let used = tokens(1_000_000, 0, 0, 0);
        for model in [
            "claude-opus-4-5-20251101",
            "claude-opus-4-5@20251101",
            "claude-opus-4-5",
        ] {
            assert_eq!(cost("anthropic", model, &used)?, Some(5_000_000), "{model}");
        }
        assert_eq!(cost("openai-chat", "gpt-5.4-2026-03-05", &used)?, Some(5_000_000));
        assert_eq!(cost("openai-chat", "gpt-5.4-mini-2026-03-17", &used)?, Some(750_000));
        Ok(())
    }

    #[test]
    fn name_that_only_looks_alike_has_no_price() -> TestResult {
        for (provider, model) in [
            ("anthropic", "claude-opus-5-6"),
            ("anthropic", "claude-opus-5-latest"),
            ("anthropic", "claude-opus-5-2026010"),
            ("anthropic", "claude-opus-5-2026-0101"),
            ("anthropic", "claude-opus-5-20260101-x"),
            ("anthropic", "claude-opus-520260101"),
            ("anthropic", "claude-opus"),
            ("anthropic", "Claude-Opus-5"),
            ("anthropic", "*"),
            ("anthropic", "gpt-6-sol"),
            ("openai", "claude-opus-5"),
            ("openai", "gpt-6"),
            ("openai", "ft:gpt-5.4"),
            ("azure", "gpt-5.4"),
        ] {
            let Ok(name) = Name::new(model) else { continue };
            let found = PriceTable::builtin().cost(&Name::new(provider)?, &name, &tokens(1, 1, 1, 1));
            assert_eq!(found, None, "{provider}/{model}");
        }
        Ok(())
    }

    #[test]
    fn scripts_and_own_servers_cost_nothing() -> TestResult {
        let used = tokens(1 << 40, 1 << 40, 0, 0);
        assert_eq!(cost("scripted", "script-0123456789abcdef", &used)?, Some(0));
        assert_eq!(cost("openai-compatible", "llama3.2:1b", &used)?, Some(0));
        Ok(())
    }

    #[test]
    fn largest_numbers_do_not_overflow() -> TestResult {
        let most = u64::MAX;
        let cost = cost("anthropic", "claude-fable-5", &tokens(most, most, most, most))?;
        assert_eq!(cost, Some(Count::clamped(most).get()));
        Ok(())
    }
}
