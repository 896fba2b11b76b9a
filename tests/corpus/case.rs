//! One case: an attack, who poses it, where, and what the law makes of it.

use std::fmt;
use std::sync::Arc;

use super::base::Base;
use super::support::Told;

/// Who attacks (authority-v1 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Has the file.
    K0,
    /// Also the checkpoint keys.
    K1,
    /// Also the host's long-lived key, after the run.
    K2,
    /// A lying operator during the run: also the keys of all instances.
    K3,
    /// Also the principal's key.
    K4,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One attack of the law's list.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attack {
    /// Short and stable, with hyphens.
    pub(crate) name: &'static str,
    /// What is done, and how far the attacker repairs what it breaks.
    pub(crate) what: &'static str,
    /// Which entry the law names, and why.
    pub(crate) rule: &'static str,
}

/// What the auditor brings along besides the anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// Nothing.
    Anchor,
    /// The head of the ledger as it was before the attack, kept elsewhere.
    Head,
    /// The checkpoint over so many entries, kept elsewhere.
    Older(usize),
    /// The demand that a head is given, and none (`--require head`).
    RequiredHead,
    /// Another anchor than the principal of the ledger.
    OtherAnchor,
    /// A trust file that says this of the principal and its host, and the checkpoint over so many entries, if there is one.
    Trust(Knows, Option<usize>),
}

/// What an auditor knows and writes into a trust file (identity-v1 §11.1); times in milliseconds, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knows {
    /// The principal has this host and no other.
    Host,
    /// Also, somebody else may have that host's key since then.
    HostStolen(u64),
    /// Somebody else may have the principal's key since then.
    PrincipalStolen(u64),
    /// The principal is one until then.
    Until(u64),
}

impl Knows {
    /// The name of the file, unique in a case.
    pub(crate) fn file(self) -> String {
        match self {
            Self::Host => "trust-host.json".to_owned(),
            Self::HostStolen(since) => format!("trust-host-stolen-{since}.json"),
            Self::PrincipalStolen(since) => format!("trust-principal-stolen-{since}.json"),
            Self::Until(until) => format!("trust-until-{until}.json"),
        }
    }
}

/// The first entry that is named, and a code it is named with: one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) entry: u64,
    pub(crate) codes: Vec<&'static str>,
}

/// What the law says to an auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) given: Given,
    pub(crate) exit: u8,
    /// Where exit is 1: no entry before this one is named.
    pub(crate) named: Option<Named>,
    /// Where exit is 3: each of these is among what is unproven.
    pub(crate) unproven: Vec<&'static str>,
}

impl Expected {
    /// A breach whose first entry is this one.
    pub(crate) fn rejected(entry: u64, codes: &[&'static str]) -> Self {
        let codes = codes.to_vec();
        Self {
            given: Given::Anchor,
            exit: 1,
            named: Some(Named { entry, codes }),
            unproven: Vec::new(),
        }
    }

    /// Nothing is broken, and these codes are unproven.
    pub(crate) fn incomplete(unproven: &[&'static str]) -> Self {
        Self {
            given: Given::Anchor,
            exit: 3,
            named: None,
            unproven: unproven.to_vec(),
        }
    }

    /// The attack is not seen: the assurance is `end: self`.
    pub(crate) fn unseen() -> Self {
        Self {
            given: Given::Anchor,
            exit: 0,
            named: None,
            unproven: Vec::new(),
        }
    }

    /// The same, to an auditor who kept a head.
    pub(crate) fn with_head(self) -> Self {
        Self {
            given: Given::Head,
            ..self
        }
    }

    /// The same, to an auditor who knows this, and kept the checkpoint over so many entries, if any.
    pub(crate) fn to(self, knows: Knows, head: Option<usize>) -> Self {
        Self {
            given: Given::Trust(knows, head),
            ..self
        }
    }
}

/// Makes the forged ledger.
pub(crate) type Make = Arc<dyn Fn() -> Told + Send + Sync>;

/// An attack at one place of one base.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) attack: &'static Attack,
    pub(crate) class: Class,
    pub(crate) base: Arc<Base>,
    /// Where, unique among the cases of one attack, class and base; letters, digits and hyphens.
    pub(crate) position: String,
    pub(crate) make: Make,
    pub(crate) expected: Vec<Expected>,
}

impl Case {
    pub(crate) fn new(
        attack: &'static Attack,
        class: Class,
        base: &Arc<Base>,
        position: impl Into<String>,
        expected: Vec<Expected>,
        make: impl Fn() -> Told + Send + Sync + 'static,
    ) -> Self {
        Self {
            attack,
            class,
            base: Arc::clone(base),
            position: position.into(),
            make: Arc::new(make),
            expected,
        }
    }

    /// The folder that the program writes it to, and the word that finds it again.
    pub(crate) fn name(&self) -> String {
        let Self {
            attack,
            class,
            base,
            position,
            ..
        } = self;
        format!("{}-{class}-{}-{position}", attack.name, base.name)
    }
}
