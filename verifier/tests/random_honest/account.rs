//! Budgets, counted beside the law.

use std::collections::BTreeMap;

use countersign_identity::grant::Budget;
use countersign_schemas::body::Spend;
use countersign_schemas::number::{Count, Seq};

/// Calls, tokens in, tokens out, micro-USD.
pub(super) type Amount = [u64; 4];

pub(super) const ONE_CALL: Amount = [1, 0, 0, 0];

struct Account {
    parent: Option<Seq>,
    limit: Amount,
    spent: Amount,
    reserved: Amount,
}

/// By the entry that carries the grant.
#[derive(Default)]
pub(super) struct Accounts(BTreeMap<Seq, Account>);

impl Accounts {
    pub(super) fn open(&mut self, seq: Seq, parent: Option<Seq>, budget: &Budget) {
        let limit = [budget.calls, budget.tokens_in, budget.tokens_out, budget.cost_micro_usd].map(Count::get);
        let (spent, reserved) = ([0; 4], [0; 4]);
        self.0.insert(
            seq,
            Account {
                parent,
                limit,
                spent,
                reserved,
            },
        );
    }

    /// A grant, the one it narrows, and so on.
    pub(super) fn chain(&self, seq: Seq) -> Vec<Seq> {
        std::iter::successors(Some(seq), |seq| self.0.get(seq)?.parent).collect()
    }

    /// Whether so much more can be spent along the chain.
    pub(super) fn fits(&self, seq: Seq, more: Amount) -> bool {
        self.chain(seq)
            .iter()
            .filter_map(|seq| self.0.get(seq))
            .all(|account| (0..4).all(|it| account.spent[it] + account.reserved[it] + more[it] <= account.limit[it]))
    }

    pub(super) fn reserve(&mut self, seq: Seq, amount: Amount) {
        self.each(seq, |account| add(&mut account.reserved, amount));
    }

    pub(super) fn spend(&mut self, seq: Seq, amount: Amount) {
        self.each(seq, |account| add(&mut account.spent, amount));
    }

    /// Puts what was used in the place of what was reserved.
    pub(super) fn settle(&mut self, seq: Seq, reserved: Amount, used: Amount) {
        self.each(seq, |account| {
            (0..4).for_each(|it| account.reserved[it] -= reserved[it]);
            add(&mut account.spent, used);
        });
    }

    pub(super) fn spent(&self, seq: Seq) -> Spend {
        spend_of(self.0.get(&seq).map_or([0; 4], |account| account.spent))
    }

    /// The least that is left along the chain.
    pub(super) fn left(&self, seq: Seq) -> Spend {
        let accounts = self.chain(seq);
        let accounts = accounts.iter().filter_map(|seq| self.0.get(seq));
        spend_of(accounts.fold([u64::MAX; 4], |mut least, account| {
            for (it, least) in least.iter_mut().enumerate() {
                *least = (*least).min(account.limit[it].saturating_sub(account.spent[it] + account.reserved[it]));
            }
            least
        }))
    }

    fn each(&mut self, seq: Seq, change: impl Fn(&mut Account)) {
        for seq in self.chain(seq) {
            self.0.get_mut(&seq).into_iter().for_each(&change);
        }
    }
}

pub(super) fn spend_of(amount: Amount) -> Spend {
    let [calls, tokens_in, tokens_out, cost_micro_usd] = amount.map(Count::clamped);
    Spend {
        calls,
        tokens_in,
        tokens_out,
        cost_micro_usd,
    }
}

fn add(to: &mut Amount, amount: Amount) {
    (0..4).for_each(|it| to[it] += amount[it]);
}
