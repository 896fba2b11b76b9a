//! The tokens an answer took, as the provider counts them.

use countersign_schemas::body::Tokens;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;
use serde_json::Value;

use crate::model::ModelError;
use crate::model::answer::no_tokens;
use crate::model::bounds::protocol;

/// Most iterations that are looked at: more blocks than that an answer cannot have.
const ITERATIONS_MAX: usize = 256;

/// What one message took. Every statement about it is a total: the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// By the model itself.
    pub(super) tokens: Tokens,
    /// By the provider's advisors, in the order in which they were asked. The provider does not count them in
    /// `tokens`, because they cost otherwise.
    pub(super) advisors: Vec<AdvisorUsage>,
}

/// What one consultation took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AdvisorUsage {
    /// The model that was asked.
    pub(super) model: Option<Name>,
    /// By it.
    pub(super) tokens: Tokens,
}

impl Usage {
    /// Nothing so far.
    pub(super) const fn none() -> Self {
        Self {
            tokens: no_tokens(),
            advisors: Vec::new(),
        }
    }

    /// Takes over what `usage` states; what it does not state stays.
    ///
    /// # Errors
    /// [`ModelError::Protocol`] for a count that is none. One beyond all counts is taken as the greatest.
    pub(super) fn update(&mut self, usage: &Value) -> Result<(), ModelError> {
        update_tokens(&mut self.tokens, usage)?;
        match &usage["iterations"] {
            Value::Null => {}
            Value::Array(iterations) if iterations.len() <= ITERATIONS_MAX => {
                let advisors = iterations.iter().filter(|one| one["type"] == "advisor_message");
                self.advisors = advisors.map(AdvisorUsage::read).collect::<Result<_, _>>()?;
            }
            _ => return Err(protocol("usage.iterations is no list, or too long a one")),
        }
        Ok(())
    }
}

impl AdvisorUsage {
    fn read(iteration: &Value) -> Result<Self, ModelError> {
        let mut tokens = no_tokens();
        update_tokens(&mut tokens, iteration)?;
        let model = iteration["model"].as_str().and_then(|model| Name::new(model).ok());
        Ok(Self { model, tokens })
    }
}

fn update_tokens(tokens: &mut Tokens, usage: &Value) -> Result<(), ModelError> {
    for (member, count) in [
        ("input_tokens", &mut tokens.input),
        ("output_tokens", &mut tokens.output),
        ("cache_creation_input_tokens", &mut tokens.cache_write),
        ("cache_read_input_tokens", &mut tokens.cache_read),
    ] {
        match &usage[member] {
            Value::Null => {}
            stated => {
                let stated = stated
                    .as_u64()
                    .ok_or_else(|| protocol(format!("usage.{member} is no count")))?;
                *count = Count::clamped(stated);
            }
        }
    }
    Ok(())
}

/// Both together.
pub(super) fn sum(one: &Tokens, other: &Tokens) -> Tokens {
    // Two counts of at most 2^53 − 1 each do not overflow.
    let sum = |one: Count, other: Count| Count::clamped(one.get() + other.get());
    Tokens {
        input: sum(one.input, other.input),
        output: sum(one.output, other.output),
        cache_write: sum(one.cache_write, other.cache_write),
        cache_read: sum(one.cache_read, other.cache_read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type TestResult = Result<(), ModelError>;

    fn counts(tokens: &Tokens) -> [u64; 4] {
        [tokens.input, tokens.output, tokens.cache_write, tokens.cache_read].map(Count::get)
    }

    #[test]
    fn last_statement_counts_and_what_it_leaves_out_stays() -> TestResult {
        let mut usage = Usage::none();
        usage.update(&json!({"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": 9}))?;
        usage.update(&json!({"output_tokens": 15, "input_tokens": null, "speed": "standard"}))?;
        usage.update(&Value::Null)?;
        assert_eq!(counts(&usage.tokens), [25, 15, 0, 9]);
        Ok(())
    }

    #[test]
    fn advisors_are_counted_apart() -> TestResult {
        let mut usage = Usage::none();
        usage.update(&json!({"output_tokens": 531, "iterations": [
            {"type": "message", "output_tokens": 89},
            {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 823, "output_tokens": 1612},
            {"type": "advisor_message", "model": "no name"},
            "later"]}))?;
        assert_eq!(counts(&usage.tokens), [0, 531, 0, 0]);
        let [one, other] = usage.advisors.as_slice() else {
            return Err(protocol("two advisors expected"));
        };
        assert_eq!(one.model.as_ref().map(Name::as_str), Some("claude-opus-4-8"));
        assert_eq!(
            (counts(&one.tokens), counts(&other.tokens)),
            ([823, 1612, 0, 0], [0; 4])
        );
        assert_eq!(other.model, None);
        Ok(())
    }

    #[test]
    fn greatest_count_stands_for_all_beyond() -> TestResult {
        let mut usage = Usage::none();
        usage.update(&json!({"input_tokens": u64::MAX, "output_tokens": (1_u64 << 53) - 1}))?;
        let greatest = Count::clamped(u64::MAX).get();
        assert_eq!(counts(&usage.tokens), [greatest, greatest, 0, 0]);
        assert_eq!(counts(&sum(&usage.tokens, &usage.tokens)), [greatest, greatest, 0, 0]);
        Ok(())
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for stated in [
            json!(-1),
            json!("12"),
            json!(1.5),
            json!(1e30),
            json!([1]),
            json!(true),
            json!({}),
        ] {
            for usage in [
                json!({"output_tokens": stated}),
                json!({"iterations": [{"type": "advisor_message", "input_tokens": stated}]}),
            ] {
                let refused = Usage::none().update(&usage);
                assert!(matches!(refused, Err(ModelError::Protocol { .. })), "{usage}");
            }
        }
        for iterations in [json!(1), json!({}), json!(vec![json!({}); 257])] {
            assert!(Usage::none().update(&json!({ "iterations": iterations })).is_err());
        }
    }
}
