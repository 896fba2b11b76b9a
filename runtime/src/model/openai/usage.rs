//! The tokens an answer took, as OpenAI counts them: what was read from the cache or written to it is part of the input.

use countersign_schemas::body::Tokens;
use countersign_schemas::number::Count;
use serde_json::Value;

use crate::model::ModelError;
use crate::model::answer::no_tokens;
use crate::model::bounds::protocol;

/// How an API calls its counts.
pub(super) struct Names {
    input: &'static str,
    output: &'static str,
    input_details: &'static str,
}

/// The names of the Responses API.
pub(super) const RESPONSES: Names = Names {
    input: "input_tokens",
    output: "output_tokens",
    input_details: "input_tokens_details",
};

/// The names of chat completions.
pub(super) const CHAT: Names = Names {
    input: "prompt_tokens",
    output: "completion_tokens",
    input_details: "prompt_tokens_details",
};

impl Names {
    /// The tokens that `usage` states, each of them paid for once. What it does not state is none.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a count that is none. One beyond all counts is taken as the greatest.
    pub(super) fn read(&self, usage: &Value) -> Result<Tokens, ModelError> {
        let details = &usage[self.input_details];
        let mut tokens = no_tokens();
        tokens.output = count(usage, self.output)?;
        tokens.cache_read = count(details, "cached_tokens")?;
        tokens.cache_write = count(details, "cache_write_tokens")?;
        let cached = tokens.cache_read.get().saturating_add(tokens.cache_write.get());
        tokens.input = Count::clamped(count(usage, self.input)?.get().saturating_sub(cached));
        Ok(tokens)
    }
}

fn count(counts: &Value, member: &str) -> Result<Count, ModelError> {
    match &counts[member] {
        Value::Null => Ok(Count::ZERO),
        stated => stated
            .as_u64()
            .map(Count::clamped)
            .ok_or_else(|| protocol(format!("{member} is no count"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counts(names: &Names, usage: &Value) -> Result<[u64; 4], ModelError> {
        let tokens = names.read(usage)?;
        Ok([tokens.input, tokens.output, tokens.cache_write, tokens.cache_read].map(Count::get))
    }

    #[test]
    fn cached_tokens_are_not_paid_for_twice() -> Result<(), ModelError> {
        let details = json!({"cached_tokens": 1024, "cache_write_tokens": 512, "audio_tokens": 0});
        let usage = json!({"input_tokens": 2000, "output_tokens": 120, "total_tokens": 2120,
            "input_tokens_details": details, "output_tokens_details": {"reasoning_tokens": 64}});
        assert_eq!(counts(&RESPONSES, &usage)?, [464, 120, 512, 1024]);
        let usage = json!({"prompt_tokens": 2000, "completion_tokens": 120, "prompt_tokens_details": details});
        assert_eq!(counts(&CHAT, &usage)?, [464, 120, 512, 1024]);
        Ok(())
    }

    #[test]
    fn nothing_is_negative_and_nothing_stated_is_nothing() -> Result<(), ModelError> {
        let more = json!({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 7}});
        assert_eq!(counts(&CHAT, &more)?, [0, 0, 0, 7]);
        for usage in [
            json!(null),
            json!({}),
            json!({"prompt_tokens_details": null}),
            json!([]),
            json!("5"),
        ] {
            assert_eq!(counts(&CHAT, &usage)?, [0; 4], "{usage}");
        }
        let greatest = Count::clamped(u64::MAX).get();
        let most = json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX});
        assert_eq!(counts(&CHAT, &most)?, [greatest, greatest, 0, 0]);
        Ok(())
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for stated in [json!(-1), json!("12"), json!(1.5), json!([1]), json!(true), json!({})] {
            for usage in [
                json!({"prompt_tokens": stated}),
                json!({"completion_tokens": stated}),
                json!({"prompt_tokens_details": {"cached_tokens": stated}}),
                json!({"prompt_tokens_details": {"cache_write_tokens": stated}}),
            ] {
                let refused = CHAT.read(&usage);
                assert!(matches!(refused, Err(ModelError::Protocol { .. })), "{usage}");
            }
        }
    }
}
