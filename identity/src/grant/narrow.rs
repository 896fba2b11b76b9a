//! Comparing grants: a child with its parent, and a request with the grant it names (identity-v1 §8.3, §8.4).
//!
//! Every comparison is reported, not only the first that fails, so that a denial can say all that was too wide.

use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;
use countersign_schemas::text::Name;
use thiserror::Error;

use super::scope::{AbsolutePath, is_host, is_normal};
use super::{Budget, Grant, HostScope, Lineage};
use crate::did::ShortDid;

/// One way in which a child grant, or a request, goes beyond what there is to give.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TooWide {
    /// The grant names another parent than the one it was made under.
    #[error("grant does not name its parent")]
    Parent {
        /// Digest of the parent's credential.
        expected: Digest,
    },
    /// The grant names another root than its parent's.
    #[error("grant does not name the root of its parent")]
    Root {
        /// Digest of the root's credential.
        expected: Digest,
    },
    /// The grant is for another principal.
    #[error("principal {child} is not {parent}")]
    Principal {
        /// The child's.
        child: ShortDid,
        /// The parent's.
        parent: ShortDid,
    },
    /// A tool that is not granted.
    #[error("tool `{0}` is not granted")]
    Tool(Name),
    /// An effect that is not granted.
    #[error("effect `{0}` is not granted")]
    Effect(&'static str),
    /// The workspace lies outside the parent's.
    #[error("workspace `{0}` lies outside the parent's")]
    Workspace(String),
    /// A path outside every granted one, or not in normal form.
    #[error("path `{0}` is not granted")]
    Path(String),
    /// A host outside every granted one, or not a plain host.
    #[error("host `{0}` is not granted")]
    Host(String),
    /// The parent may not delegate.
    #[error("parent may not delegate")]
    Delegation,
    /// The child's depth is not smaller.
    #[error("depth {child} is not smaller than the parent's {parent}")]
    Depth {
        /// The child's.
        child: u8,
        /// The parent's.
        parent: u8,
    },
    /// The child has more of an amount.
    #[error("{amount} {child} is more than the parent's {parent}")]
    Budget {
        /// Which amount.
        amount: Amount,
        /// The child's.
        child: Count,
        /// The parent's.
        parent: Count,
    },
    /// The child is for another ledger, or for more of them.
    #[error("ledger is not the parent's")]
    Ledger,
    /// The child may adopt a policy and the parent may not.
    #[error("parent may not adopt a policy")]
    Adopt,
    /// The child does not demand a policy that its parent demands.
    #[error("policy floor of layer {} is not the parent's", layer.code())]
    Floor {
        /// The layer.
        layer: PolicyLayer,
    },
}

/// One of the four amounts of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// Calls.
    Calls,
    /// Tokens sent.
    TokensIn,
    /// Tokens received.
    TokensOut,
    /// Cost.
    CostMicroUsd,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Calls => "calls",
            Self::TokensIn => "tokensIn",
            Self::TokensOut => "tokensOut",
            Self::CostMicroUsd => "costMicroUsd",
        })
    }
}

impl TooWide {
    /// The rule of the law that is broken: `G2`, `G3`, `G4`, `G6` or `G8`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        &self.code()[..2]
    }

    /// The rule and what of it, as the parts of a decision name it: `G3.tool`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Parent { .. } => "G2.parent",
            Self::Root { .. } => "G2.root",
            Self::Principal { .. } => "G2.principal",
            Self::Tool(_) => "G3.tool",
            Self::Effect(_) => "G3.effect",
            Self::Workspace(_) => "G3.workspace",
            Self::Path(_) => "G3.path",
            Self::Host(_) => "G3.host",
            Self::Delegation => "G4.delegate",
            Self::Depth { .. } => "G4.depth",
            Self::Budget {
                amount: Amount::Calls, ..
            } => "G6.calls",
            Self::Budget {
                amount: Amount::TokensIn | Amount::TokensOut,
                ..
            } => "G6.tokens",
            Self::Budget {
                amount: Amount::CostMicroUsd,
                ..
            } => "G6.cost",
            Self::Ledger => "G8.ledger",
            Self::Adopt => "G8.adopt",
            Self::Floor { .. } => "G8.floor",
        }
    }
}

impl Grant {
    /// Checks that this grant gives nothing that `parent` has not: G3, G4, G6 and G8.
    ///
    /// G5 is [`crate::instant::Window::is_within`] of the two credentials, G2 is [`Grant::check_lineage`].
    ///
    /// # Errors
    /// Everything that is too wide, in the order of the rules.
    pub fn check_narrows(&self, parent: &Self) -> Result<(), Vec<TooWide>> {
        let mut found = Vec::new();
        self.compare_scope(parent, &mut found);
        if !parent.may_delegate {
            found.push(TooWide::Delegation);
        }
        if self.depth >= parent.depth {
            found.push(TooWide::Depth {
                child: self.depth,
                parent: parent.depth,
            });
        }
        found.extend(self.budget.exceeds(&parent.budget));
        self.compare_terms(parent, &mut found);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Checks that this grant names `parent`, held by the credential with digest `parent_digest`, its root and its
    /// principal: G2.
    ///
    /// # Errors
    /// Everything that differs.
    pub fn check_lineage(&self, parent: &Self, parent_digest: Digest) -> Result<(), Vec<TooWide>> {
        let expected_root = match parent.lineage {
            Lineage::Root => parent_digest,
            Lineage::Child { root, .. } => root,
        };
        let (own_parent, own_root) = match self.lineage {
            Lineage::Root => (None, None),
            Lineage::Child { parent, root } => (Some(parent), Some(root)),
        };
        let mut found = Vec::new();
        if own_parent != Some(parent_digest) {
            found.push(TooWide::Parent {
                expected: parent_digest,
            });
        }
        if own_root != Some(expected_root) {
            found.push(TooWide::Root {
                expected: expected_root,
            });
        }
        if self.principal != parent.principal {
            found.push(TooWide::Principal {
                child: self.principal.clone(),
                parent: parent.principal.clone(),
            });
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Checks that a request lies within the scope of this grant (D1, G3).
    ///
    /// `path` and `host` are what the request touches, if it touches one that is known; the caller asks once for
    /// every path and host. A path must be in normal form: it is compared as text, and nothing is resolved.
    ///
    /// # Errors
    /// Everything that is not granted.
    pub fn covers(
        &self,
        tool: &Name,
        effects: Effects,
        path: Option<&str>,
        host: Option<&str>,
    ) -> Result<(), Vec<TooWide>> {
        let mut found = Vec::new();
        if !self.tools.contains(tool) {
            found.push(TooWide::Tool(tool.clone()));
        }
        found.extend(excess(effects, self.effects));
        if let Some(path) = path.filter(|path| !self.covers_path(path)) {
            found.push(TooWide::Path(path.to_owned()));
        }
        if let Some(host) = host.filter(|host| !self.covers_host(host)) {
            found.push(TooWide::Host(host.to_owned()));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn covers_path(&self, path: &str) -> bool {
        is_normal(path) && self.paths.iter().any(|place| place.contains(path))
    }

    fn covers_host(&self, host: &str) -> bool {
        is_host(host) && self.hosts.iter().any(|scope| scope.contains(host))
    }

    /// G3: tools, effects, workspace, paths, hosts.
    fn compare_scope(&self, parent: &Self, found: &mut Vec<TooWide>) {
        found.extend(self.tools.difference(&parent.tools).cloned().map(TooWide::Tool));
        found.extend(excess(self.effects, parent.effects));
        if !parent.workspace.contains(self.workspace.as_str()) {
            found.push(TooWide::Workspace(self.workspace.as_str().to_owned()));
        }
        let outside = |path: &&AbsolutePath| !parent.covers_path(path.as_str());
        found.extend(
            self.paths
                .iter()
                .filter(outside)
                .map(|path| TooWide::Path(path.as_str().to_owned())),
        );
        let outside = |host: &&HostScope| !parent.contains_scope(host);
        found.extend(
            self.hosts
                .iter()
                .filter(outside)
                .map(|host| TooWide::Host(host.as_str().to_owned())),
        );
    }

    fn contains_scope(&self, host: &HostScope) -> bool {
        if host.is_every_host() {
            self.hosts.contains(host)
        } else {
            self.covers_host(host.as_str())
        }
    }

    /// G8: ledger and policy.
    fn compare_terms(&self, parent: &Self, found: &mut Vec<TooWide>) {
        if !self.ledger.is_within(&parent.ledger) {
            found.push(TooWide::Ledger);
        }
        if self.policy.adopt && !parent.policy.adopt {
            found.push(TooWide::Adopt);
        }
        let lost = parent
            .policy
            .floor
            .iter()
            .filter(|(layer, digest)| self.policy.floor.get(layer) != Some(digest));
        found.extend(lost.map(|(layer, _)| TooWide::Floor { layer: *layer }));
    }
}

impl Budget {
    /// The amounts of which this budget has more than `parent` (G6).
    fn exceeds(&self, parent: &Self) -> impl Iterator<Item = TooWide> {
        [
            (Amount::Calls, self.calls, parent.calls),
            (Amount::TokensIn, self.tokens_in, parent.tokens_in),
            (Amount::TokensOut, self.tokens_out, parent.tokens_out),
            (Amount::CostMicroUsd, self.cost_micro_usd, parent.cost_micro_usd),
        ]
        .into_iter()
        .filter(|(_, child, parent)| child > parent)
        .map(|(amount, child, parent)| TooWide::Budget { amount, child, parent })
    }
}

/// The effects of `asked` that are not in `given`.
fn excess(asked: Effects, given: Effects) -> impl Iterator<Item = TooWide> {
    Effects::WORDS
        .into_iter()
        .filter(move |(bit, _)| asked.contains(*bit) && !given.contains(*bit))
        .map(|(_, word)| TooWide::Effect(word))
}
