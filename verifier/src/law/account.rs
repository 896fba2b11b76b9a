//! Budgets: what a grant allows, what was spent, and what is reserved (authority-v1 §5.5).

use countersign_schemas::body::{Spend, Tokens};
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::number::{Count, INTEGER_MAX};

use super::snapshot_values::{Kept, kept};

/// Words of the four dimensions, in the order of `spend`.
const DIMENSIONS: [&str; 4] = ["calls", "tokens in", "tokens out", "micro-USD"];

/// Calls, tokens in, tokens out, micro-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount(pub(super) [u64; 4]);

impl Amount {
    pub(super) const ONE_CALL: Self = Self([1, 0, 0, 0]);

    /// What an answer used, beside the calls its call reserved.
    pub(super) fn used(calls: u64, tokens: &Tokens, cost: Count) -> Self {
        let input = [tokens.input, tokens.cache_write, tokens.cache_read];
        let tokens_in = input.iter().fold(0_u64, |sum, part| sum.saturating_add(part.get()));
        Self([calls, tokens_in, tokens.output.get(), cost.get()])
    }

    fn plus(self, other: Self) -> Self {
        let mut sum = self;
        sum.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(to, part)| *to = to.saturating_add(part));
        sum
    }

    fn minus(self, other: Self) -> Self {
        let mut rest = self;
        rest.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(from, part)| *from = from.saturating_sub(part));
        rest
    }

    /// The first dimension in which this exceeds `limit`.
    fn exceeds(self, limit: Self) -> Option<&'static str> {
        let over = self.0.iter().zip(limit.0).position(|(amount, limit)| *amount > limit)?;
        Some(DIMENSIONS[over])
    }

    pub(super) fn least(self, other: Self) -> Self {
        let mut least = self;
        least
            .0
            .iter_mut()
            .zip(other.0)
            .for_each(|(to, part)| *to = (*to).min(part));
        least
    }
}

impl From<&Spend> for Amount {
    fn from(spend: &Spend) -> Self {
        Self([
            spend.calls.get(),
            spend.tokens_in.get(),
            spend.tokens_out.get(),
            spend.cost_micro_usd.get(),
        ])
    }
}

impl From<Amount> for Spend {
    fn from(amount: Amount) -> Self {
        let [calls, tokens_in, tokens_out, cost] = amount.0.map(Count::clamped);
        Self {
            calls,
            tokens_in,
            tokens_out,
            cost_micro_usd: cost,
        }
    }
}

/// The account of one grant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) limit: Amount,
    pub(super) spent: Amount,
    pub(super) reserved: Amount,
}

kept!(Account { limit, spent, reserved });

/// Sums of a broken ledger may exceed what an integer of the formats holds, so as eight bytes each.
impl Kept for Amount {
    fn keep(&self, to: &mut Encoder) {
        self.0.map(u64::to_be_bytes).as_flattened().to_vec().keep(to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes: [u8; 32] = from.array_bytes()?;
        let mut amount = Self::default();
        for (part, bytes) in amount.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *part = u64::from_be_bytes(*bytes);
        }
        Ok(amount)
    }
}

impl Account {
    pub(super) fn new(limit: Amount) -> Self {
        Self {
            limit,
            spent: Amount::default(),
            reserved: Amount::default(),
        }
    }

    fn total(&self) -> Amount {
        self.spent.plus(self.reserved)
    }

    /// What is neither spent nor reserved.
    pub(super) fn left(&self) -> Amount {
        self.limit.minus(self.total())
    }

    /// The first dimension that a further `amount` would exceed.
    pub(super) fn refuses(&self, amount: Amount) -> Option<&'static str> {
        self.total().plus(amount).exceeds(self.limit)
    }

    /// The first dimension in which a further `amount` could no longer be counted.
    pub(super) fn overflows(&self, amount: Amount) -> Option<&'static str> {
        self.total().plus(amount).exceeds(Amount([INTEGER_MAX; 4]))
    }

    pub(super) fn is_without_calls(&self) -> bool {
        self.left().0[0] == 0
    }

    pub(super) fn tokens_are_overspent(&self) -> bool {
        (1..=2).any(|dimension| self.total().0[dimension] > self.limit.0[dimension])
    }

    pub(super) fn cost_is_overspent(&self) -> bool {
        self.total().0[3] > self.limit.0[3]
    }

    pub(super) fn reserve(&mut self, amount: Amount) {
        self.reserved = self.reserved.plus(amount);
    }

    /// Puts what was `used` in the place of what was `reserved`.
    pub(super) fn settle(&mut self, reserved: Amount, used: Amount) {
        self.reserved = self.reserved.minus(reserved);
        self.spent = self.spent.plus(used);
    }

    pub(super) fn spend(&mut self, amount: Amount) {
        self.spent = self.spent.plus(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_counts_until_it_is_settled() {
        let mut account = Account::new(Amount([2, 100, 100, 10]));
        account.reserve(Amount([1, 60, 60, 5]));
        assert_eq!(account.refuses(Amount([1, 41, 0, 0])), Some("tokens in"));
        assert_eq!(account.refuses(Amount([2, 0, 0, 0])), Some("calls"));
        assert_eq!(account.refuses(Amount([1, 40, 40, 5])), None);
        account.settle(Amount([1, 60, 60, 5]), Amount([1, 10, 20, 1]));
        assert_eq!(account.left(), Amount([1, 90, 80, 9]));
        account.spend(Amount::ONE_CALL);
        assert!(account.is_without_calls());
    }

    #[test]
    fn an_answer_can_overspend_and_nothing_is_left_then() {
        let mut account = Account::new(Amount([5, 100, 100, 10]));
        account.reserve(Amount([1, 100, 100, 10]));
        assert!(!account.tokens_are_overspent());
        account.settle(Amount([1, 100, 100, 10]), Amount([1, 101, 0, 11]));
        assert!(account.tokens_are_overspent() && account.cost_is_overspent());
        assert_eq!(account.left(), Amount([4, 0, 100, 0]));
    }

    #[test]
    fn sums_do_not_wrap() {
        let mut account = Account::new(Amount([INTEGER_MAX; 4]));
        account.spend(Amount([INTEGER_MAX, u64::MAX, 0, 0]));
        assert_eq!(account.overflows(Amount::ONE_CALL), Some("calls"));
        assert_eq!(account.left().0[1], 0);
    }
}
