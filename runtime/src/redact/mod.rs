//! Takes secrets out of text that is shown, logged or stored, by their known forms.
//!
//! A [`Redactor`] knows the forms of [`Redactor::patterns`] and the values that this process itself holds
//! ([`Redactor::also`]), and finds no others: a password in a sentence, a key that was split over two texts, encoded or
//! encrypted stays where it is. What it finds becomes a marker such as `[secret removed: anthropic key]`.
//!
//! Arguments of actions are not its business: what was decided must be what runs, so nobody may change them on the way.
//!
//! * Time is linear in the text; a stream holds back at most [`HELD_BYTES_MAX`].
//! * Redacting what was redacted changes nothing.
//! * Nothing is built before the first text: a program that redacts nothing pays nothing.

mod attempt;
mod class;
mod grammar;
mod mark;
mod output;
mod patterns;
mod pem;
mod rules;
mod scan;
mod secret;
mod stream;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod table_tests;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use output::Output;
use rules::Rules;
use scan::Scanner;
use view::{End, View};

pub use output::Counts;
pub use secret::{SECRET_LEN_MAX, SECRET_LEN_MIN, Secret, SecretError};
pub use stream::{HELD_BYTES_MAX, Stream};

/// Takes secrets out of text. Clones share the values that were registered with any of them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Mutex<Registry>>);

/// The values that are looked for beside the patterns, and what was built for them.
#[derive(Default)]
struct Registry {
    secrets: Vec<Arc<Secret>>,
    rules: Option<Arc<Rules>>,
}

impl Redactor {
    /// Looks for the known patterns, and for no values yet.
    #[must_use]
    pub fn standard() -> Self {
        Self::default()
    }

    /// The one of this process: whatever it holds itself is registered here, and its log goes through it.
    #[must_use]
    pub fn of_process() -> Self {
        static OF_PROCESS: LazyLock<Redactor> = LazyLock::new(Redactor::standard);
        OF_PROCESS.clone()
    }

    /// Looks for this value too from now on, in every clone; a stream that has begun does not.
    pub fn also(&self, secret: Secret) {
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.secrets.iter().all(|known| known.expose() != secret.expose()) {
            registry.secrets.push(Arc::new(secret));
            registry.rules = None;
        }
    }

    /// `text` without its secrets; the text itself if it has none.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_counted(text).0
    }

    /// The same, and how many of each kind were taken out.
    #[must_use]
    pub fn redact_counted<'a>(&self, text: &'a str) -> (Cow<'a, str>, Counts) {
        let mut scanner = Scanner::new(self.rules());
        let view = View::new(text, 0, End::Final);
        scanner.scan(view);
        if scanner.has_found_nothing() {
            return (Cow::Borrowed(text), Counts::default());
        }
        let mut output = Output::default();
        output.settle(&scanner, view, view.len());
        (Cow::Owned(output.take()), output.into_counts())
    }

    /// Begins a text that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::new(self.rules())
    }

    /// The kinds of secrets that are known by their form, each with the place where that form is described.
    pub fn patterns() -> impl Iterator<Item = (&'static str, &'static str)> {
        patterns::PATTERNS.iter().map(|pattern| (pattern.name, pattern.source))
    }

    fn rules(&self) -> Arc<Rules> {
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.secrets.is_empty() {
            return Rules::standard();
        }
        let Registry { secrets, rules } = &mut *registry;
        Arc::clone(rules.get_or_insert_with(|| Arc::new(Rules::with(secrets))))
    }
}
