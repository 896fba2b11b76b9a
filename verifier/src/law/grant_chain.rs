//! Grants in force and the accounts along their chains: rules G1 to G8 (authority-v1 §4, §5.5).

use std::collections::BTreeMap;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::grant::{Budget, Grant, Lineage, TooWide};
use countersign_identity::instant::Window;
use countersign_schemas::body::Spend;
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::Seq;

use super::account::{Account, Amount};
use super::findings::Findings;
use super::snapshot_values::{Kept, kept, malformed};
use crate::code::Code;

/// One grant of the ledger: that of an agent, or one the principal issued to the host.
#[derive(Debug, Clone)]
pub struct GrantState {
    pub(super) seq: Seq,
    pub(super) parent: Option<Seq>,
    pub(super) grant: Grant,
    pub(super) window: Window,
    /// SHA-256 of the JCS bytes of the credential that carries it: how children name it.
    pub(super) digest: Digest,
    pub(super) account: Account,
}

kept!(GrantState {
    seq,
    parent,
    grant,
    window,
    digest,
    account
});

impl GrantState {
    pub(super) fn new(seq: Seq, parent: Option<Seq>, grant: Grant, window: Window, digest: Digest) -> Self {
        let account = Account::new(Amount::from(&grant.budget));
        Self {
            seq,
            parent,
            grant,
            window,
            digest,
            account,
        }
    }

    /// The entry that carries it: an introduction or a `grant.issued`.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The entry that carries the grant it narrows, if it is no root.
    #[must_use]
    pub fn parent(&self) -> Option<Seq> {
        self.parent
    }

    /// What it says.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The window of its credential.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// SHA-256 of the JCS bytes of its credential: `parent` of every grant that narrows it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// `root` of every grant that narrows it.
    #[must_use]
    pub fn root_digest(&self) -> Digest {
        match self.grant.lineage {
            Lineage::Root => self.digest,
            Lineage::Child { root, .. } => root,
        }
    }

    /// What it and everything below it has spent.
    #[must_use]
    pub fn spent(&self) -> Spend {
        self.account.spent.into()
    }

    /// What is reserved by model calls without an answer.
    #[must_use]
    pub fn reserved(&self) -> Spend {
        self.account.reserved.into()
    }
}

impl From<&Budget> for Amount {
    fn from(budget: &Budget) -> Self {
        Self([
            budget.calls.get(),
            budget.tokens_in.get(),
            budget.tokens_out.get(),
            budget.cost_micro_usd.get(),
        ])
    }
}

/// Every grant by the entry that carries it.
#[derive(Debug, Default)]
pub(super) struct Grants(BTreeMap<Seq, GrantState>);

impl Kept for Grants {
    fn keep(&self, to: &mut Encoder) {
        to.array(self.0.len());
        self.0.values().for_each(|state| state.keep(to));
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut grants = Self::default();
        for _ in 0..from.array(0, usize::MAX)? {
            let state = GrantState::restore(from)?;
            // Chains end because a parent lies before its child.
            if state.parent.is_some_and(|parent| parent >= state.seq) {
                return malformed(from, "chain of grants");
            }
            grants.insert(state);
        }
        Ok(grants)
    }
}

impl Grants {
    pub(super) fn insert(&mut self, state: GrantState) {
        self.0.insert(state.seq, state);
    }

    /// The entry that carries the credential with this digest already.
    pub(super) fn of_credential(&self, digest: Digest) -> Option<Seq> {
        self.0
            .values()
            .find(|state| state.digest == digest)
            .map(|state| state.seq)
    }

    pub(super) fn at(&self, seq: Seq) -> Option<&GrantState> {
        self.0.get(&seq)
    }

    /// A grant, its parent, and so on up to the root. A parent always lies before its child, so this ends.
    pub(super) fn chain(&self, seq: Seq) -> impl Iterator<Item = &GrantState> {
        std::iter::successors(self.at(seq), |state| state.parent.and_then(|parent| self.at(parent)))
    }

    /// Changes every account along the chain of `seq`.
    pub(super) fn each_account(&mut self, seq: Seq, change: impl Fn(&mut Account)) {
        let mut next = Some(seq);
        while let Some(state) = next.and_then(|seq| self.0.get_mut(&seq)) {
            change(&mut state.account);
            next = state.parent;
        }
    }

    /// The least that is left along the chain of `seq`.
    pub(super) fn left(&self, seq: Seq) -> Option<Amount> {
        self.chain(seq).map(|state| state.account.left()).reduce(Amount::least)
    }

    /// The grant along the chain of `seq` that `amount` more would exceed, and in what.
    pub(super) fn refusing(&self, seq: Seq, amount: Amount) -> Option<(Seq, &'static str)> {
        self.chain(seq)
            .find_map(|state| state.account.refuses(amount).map(|dimension| (state.seq, dimension)))
    }

    /// As [`Grants::refusing`], for a sum beyond 2^53 − 1.
    pub(super) fn overflowing(&self, seq: Seq, amount: Amount) -> Option<(Seq, &'static str)> {
        self.chain(seq)
            .find_map(|state| state.account.overflows(amount).map(|dimension| (state.seq, dimension)))
    }
}

/// The ledger a grant has to be for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThisLedger {
    pub(super) id: LedgerId,
    pub(super) founding: Digest,
}

kept!(ThisLedger { id, founding });

impl ThisLedger {
    /// Whether `binding` names this ledger, or any.
    pub(super) fn is_bound_by(self, binding: LedgerBinding) -> bool {
        match binding {
            LedgerBinding::Any => true,
            LedgerBinding::Id(id) => id == self.id,
            LedgerBinding::Founding(founding) => founding == self.founding,
        }
    }
}

/// Checks a grant against the one it narrows: G2 to G6 and G8.
pub(super) fn check_child(child: &Grant, window: Window, parent: &GrantState, out: &mut Findings) {
    let lineage = child.check_lineage(&parent.grant, parent.digest).err();
    let narrower = child.check_narrows(&parent.grant).err();
    for wide in [lineage, narrower].into_iter().flatten().flatten() {
        out.breach(
            code_of(&wide),
            format_args!("the grant at {} or narrower", parent.seq),
            wide,
        );
    }
    let outlives = !window.is_within(&parent.window);
    out.require(
        !outlives,
        Code::G5,
        format_args!("within {:?}", parent.window),
        format_args!("{window:?}"),
    );
}

/// The rule that a comparison of grants belongs to.
pub(super) fn code_of(wide: &TooWide) -> Code {
    match wide.rule() {
        "G2" => Code::G2,
        "G3" => Code::G3,
        "G4" => Code::G4,
        "G6" => Code::G6,
        _ => Code::G8,
    }
}
