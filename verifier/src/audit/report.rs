//! The verdict on a ledger, and everything behind it (authority-v1 §6.2).

use countersign_identity::trust::{Anchor, TrustEntry};
use countersign_ledger::reader::ReadError;
use countersign_schemas::body::{PolicyLayer, Predecessor};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Seq, Size};
use serde_json::{Value, json};

use super::AuditOptions;
use super::asked::Asked;
use super::collected::Collected;
use super::predecessor::{Continued, Fit, Marks};
use crate::code::Code;
use crate::explain::Story;
use crate::finding::Finding;
use crate::law::Law;

/// The judgement on a ledger; the order is that of precedence, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No rule is broken and nothing is left open.
    Verified,
    /// Nothing is broken, something cannot be shown.
    Incomplete,
    /// It cannot be read, or not all of it can be judged.
    Unreadable,
    /// A rule is broken.
    Rejected,
}

impl Verdict {
    /// The word that is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Incomplete => "incomplete",
            Self::Unreadable => "unreadable",
            Self::Rejected => "rejected",
        }
    }

    /// The exit code of `verify`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Rejected => 1,
            Self::Incomplete => 3,
            Self::Unreadable => 4,
        }
    }
}

/// On what the verdict rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assurance {
    /// `self`, or `head@S` with the size of the largest head that was given and fits.
    pub end: String,
    /// `host`: no other clock is involved.
    pub time: &'static str,
    /// `full`, or how many authors' words rest on Ed25519 alone.
    pub pq: String,
}

impl Assurance {
    fn of(law: &Law, head: Option<Size>) -> Self {
        Self {
            end: head.map_or_else(|| "self".to_owned(), |size| format!("head@{size}")),
            time: "host",
            pq: match law.authors_without_hybrid_stop() {
                0 => "full".to_owned(),
                1 => "Ed25519-only for 1 author".to_owned(),
                count => format!("Ed25519-only for {count} authors"),
            },
        }
    }

    /// Where nothing was read, nothing is assured.
    fn none() -> Self {
        Self {
            end: "none".to_owned(),
            time: "none",
            pq: "none".to_owned(),
        }
    }
}

/// A policy layer in force at the end of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInForce {
    /// The layer.
    pub layer: PolicyLayer,
    /// SHA-256 of its policies; `None` where their bytes are absent.
    pub sha256: Option<Digest>,
    /// The `policy.adopted`.
    pub entry: Seq,
}

/// The given anchor that the principal equals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAs {
    /// Its short DID.
    pub did: String,
    /// What the auditor's trust file calls it.
    pub name: Option<String>,
}

impl TrustedAs {
    fn of(anchors: &[Anchor], law: &Law) -> Option<Self> {
        let principal = law.opening()?.principal();
        let anchor = anchors.iter().find(|anchor| anchor.matches(principal))?;
        let name = anchor.entry().and_then(TrustEntry::name);
        Some(Self {
            did: anchor.short().to_string(),
            name: name.map(ToOwned::to_owned),
        })
    }
}

/// Everything an audit has to say.
#[derive(Debug)]
pub struct Report {
    /// What is broken, and what cannot be read or judged.
    pub findings: Vec<Finding>,
    /// What cannot be shown.
    pub unproven: Vec<Finding>,
    /// How many of either were left out.
    pub omitted: usize,
    /// On what the verdict rests.
    pub assurance: Assurance,
    /// Short DID of the principal, if entry 0 could be read.
    pub principal: Option<String>,
    /// The ledger's id, if entry 0 could be read.
    pub ledger: Option<String>,
    /// Number of rows.
    pub entries: u64,
    /// The policies in force at the end.
    pub policies: Vec<PolicyInForce>,
    /// The ledger that it continues, if it states one.
    pub predecessor: Option<Continued>,
    /// The given anchor that the principal equals, if one does.
    pub anchor: Option<TrustedAs>,
    /// What the auditor asked for.
    pub asked: Asked,
    /// What [`crate::explain`] shows, if it was asked for.
    pub story: Option<Story>,
    /// What stands where a ledger that continues this one may say that it ended.
    pub(super) marks: Marks,
    /// A record was changed or is missing, so that no root can be right.
    pub(super) tree_is_broken: bool,
    verdict: Verdict,
}

impl Report {
    pub(super) fn new(law: &Law, mut all: Collected, entries: u64, head: Option<Size>, story: Option<Story>) -> Self {
        all.sort();
        let Collected {
            breaches,
            unproven,
            omitted,
            verdict,
            named: _,
        } = all;
        Self {
            findings: breaches,
            unproven,
            omitted,
            assurance: if entries == 0 {
                Assurance::none()
            } else {
                Assurance::of(law, head)
            },
            principal: law.opening().map(|opening| opening.principal().short().to_owned()),
            ledger: law.opening().map(|opening| opening.ledger().to_string()),
            entries,
            policies: law
                .layers_in_force()
                .map(|adopted| PolicyInForce {
                    layer: adopted.layer(),
                    sha256: adopted.digest(),
                    entry: adopted.seq(),
                })
                .collect(),
            predecessor: None,
            anchor: None,
            asked: Asked::default(),
            story,
            marks: Marks::default(),
            tree_is_broken: law.tree_is_broken(),
            verdict,
        }
    }

    /// With what a comparison with other ledgers needs.
    pub(super) fn placed(self, law: &Law, marks: Marks, predecessor: Option<Predecessor>) -> Self {
        let checked = false;
        let stated = predecessor.filter(|_| law.opening().is_some());
        Self {
            predecessor: stated.map(|stated| Continued { stated, checked }),
            marks,
            ..self
        }
    }

    /// With whom the auditor trusts, and what was asked for.
    pub(super) fn on_behalf_of(self, options: &AuditOptions, law: &Law) -> Self {
        Self {
            anchor: TrustedAs::of(&options.anchors, law),
            asked: options.asked.clone(),
            ..self
        }
    }

    /// What every ledger that was given as the predecessor said to it.
    pub(super) fn predecessor_is(&mut self, judged: Vec<Fit>) {
        let fits = judged.iter().any(|fit| matches!(fit, Fit::Fits));
        let broken: Vec<Finding> = judged.into_iter().filter_map(Fit::into_broken).collect();
        if let Some(predecessor) = &mut self.predecessor {
            predecessor.checked = fits && broken.is_empty();
        }
        if !broken.is_empty() {
            self.verdict = self.verdict.max(Verdict::Rejected);
        }
        // They concern entry 0, as whatever stands first does, and are few: as many as there are inputs.
        self.findings.splice(0..0, broken);
    }

    /// The report on something that is no ledger, or cannot be read.
    #[must_use]
    pub fn unreadable(error: &ReadError, options: &AuditOptions) -> Self {
        let code = if matches!(error, ReadError::Newer { .. }) {
            Code::U2
        } else {
            Code::U1
        };
        let finding = Finding::whole(code, "a ledger", with_sources(error));
        let mut all = Collected::default();
        all.push(finding);
        let law = Law::new();
        Self::new(&law, all, 0, None, None).on_behalf_of(options, &law)
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// `countersign.verdict/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "schema": "countersign.verdict/v1",
            "verdict": self.verdict.as_str(),
            "assurance": { "end": self.assurance.end, "time": self.assurance.time, "pq": self.assurance.pq },
            "findings": self.findings.iter().map(finding_json).collect::<Vec<_>>(),
            "unproven": self.unproven.iter().map(unproven_json).collect::<Vec<_>>(),
            "omitted": self.omitted,
            "principal": self.principal,
            "ledger": self.ledger,
            "entries": self.entries,
            "policies": self.policies.iter().map(policy_json).collect::<Vec<_>>(),
            "predecessor": self.predecessor.as_ref().map(Continued::to_json),
            "anchor": self.anchor.as_ref().map(|anchor| json!({ "did": anchor.did, "name": anchor.name })),
            "asked": self.asked.to_json(),
        })
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "entry": finding.entry.map(Seq::get),
        "expected": finding.expected,
        "found": finding.found,
        "text": finding.code.sentence(),
    })
}

fn unproven_json(finding: &Finding) -> Value {
    json!({ "code": finding.code.as_str(), "entry": finding.entry.map(Seq::get), "text": finding.text() })
}

fn policy_json(policy: &PolicyInForce) -> Value {
    json!({
        "layer": policy.layer.code(),
        "sha256": policy.sha256.map(|digest| digest.to_string()),
        "entry": policy.entry.get(),
    })
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
