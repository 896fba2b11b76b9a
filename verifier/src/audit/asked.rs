//! What an auditor asks of a ledger beyond the law (authority-v1 §6.4).

use std::collections::BTreeSet;
use std::fmt;

use countersign_identity::instant;
use countersign_schemas::digest::Digest;
use countersign_schemas::kind::Kind;
use countersign_schemas::number::{Millis, Size};
use serde_json::{Value, json};

use super::AuditOptions;
use super::limits::Limits;
use super::policies_asked::PoliciesAsked;
use crate::code::Code;
use crate::finding::Finding;
use crate::law::{Entry, Law};

/// What is asked beyond the law; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Since when the auditor has held the ledger: nothing was received later.
    pub as_of: Option<Millis>,
    /// SHA-256 of policies that are in force at every decision.
    pub policies: BTreeSet<Digest>,
    /// What the verdict has to rest on.
    pub required: BTreeSet<Required>,
    /// Whether to reject what is only unproven.
    pub strict: bool,
}

/// Something that a verdict can be asked to rest on (`--require`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Required {
    /// A given head that fits.
    Head,
    /// A cosignature of a witness, of which this version reads none.
    Witness,
    /// A hybrid stop of every author.
    PostQuantum,
}

impl Required {
    /// All of them, in the order of the specification.
    pub const ALL: [Self; 3] = [Self::Head, Self::Witness, Self::PostQuantum];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Witness => "witness",
            Self::PostQuantum => "pq",
        }
    }

    /// What is missing of it, given the largest head that fits.
    fn missing(self, head: Option<Size>) -> Option<Finding> {
        match (self, head) {
            (Self::Head, Some(_)) => None,
            (Self::Head, None) => Some(Finding::whole(Code::C1, "a head that fits (--head)", "none")),
            (Self::Witness, _) => {
                let expected = "a cosignature of a witness";
                Some(Finding::whole(Code::C1, expected, "none: this version reads none"))
            }
            // C2 names every author of whom it does not hold, asked or not.
            (Self::PostQuantum, _) => None,
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Asked {
    /// What is asked, in words for a report.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let as_of = self.as_of.map(|as_of| format!("held since {}", shown(as_of)));
        let policies = self.policies.iter().map(|policy| format!("policy sha256 {policy}"));
        let required = self.required.iter().map(|required| format!("require {required}"));
        let strict = self
            .strict
            .then(|| "strict: what is unproven counts as broken".to_owned());
        as_of
            .into_iter()
            .chain(policies)
            .chain(required)
            .chain(strict)
            .collect()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "as_of": self.as_of.map(shown),
            "policy": self.policies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "require": self.required.iter().map(|required| required.as_str()).collect::<Vec<_>>(),
            "strict": self.strict,
        })
    }
}

/// Looks at a ledger on behalf of the auditor, entry by entry.
#[derive(Default)]
pub(super) struct Auditor {
    limits: Limits,
    policies: PoliciesAsked,
    required: BTreeSet<Required>,
    /// Until then entries were received; none once a later one was named.
    as_of: Option<Millis>,
}

impl Auditor {
    pub(super) fn new(options: &AuditOptions) -> Self {
        let asked = &options.asked;
        Self {
            limits: Limits::new(&options.anchors, asked.as_of),
            policies: PoliciesAsked::new(&asked.policies),
            required: asked.required.clone(),
            as_of: asked.as_of,
        }
    }

    /// Looks at an entry that was just judged: `law` is the state behind it.
    pub(super) fn look_at(&mut self, law: &Law, entry: &Entry<'_>, findings: &mut impl Extend<Finding>) {
        findings.extend(self.check_time(entry));
        if law.is_damaged(entry.seq) {
            return;
        }
        self.limits.look_at(law, entry, findings);
        if entry.statement.kind() == Kind::DecisionMade {
            self.policies.look_at(law, entry.seq, findings);
        }
    }

    fn check_time(&mut self, entry: &Entry<'_>) -> Option<Finding> {
        let as_of = self.as_of.take_if(|as_of| *as_of < entry.received)?;
        let expected = format!("nothing received after {} ({as_of})", shown(as_of));
        Some(Finding::new(Code::I10, entry.seq, expected, entry.received.to_string()))
    }

    /// What cannot be shown, given the largest head that fits.
    pub(super) fn unproven(&self, head: Option<Size>) -> Vec<Finding> {
        let missing = self.required.iter().filter_map(|required| required.missing(head));
        self.limits.unproven(head).chain(missing).collect()
    }
}

/// A whole second as documents spell it; milliseconds for what cannot be spelled.
pub(super) fn shown(at: Millis) -> String {
    instant::format(at).unwrap_or_else(|_| format!("{at} ms"))
}
