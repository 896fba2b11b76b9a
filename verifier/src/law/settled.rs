//! What is over: of entries that no rule needs any more, only that they were there.
//!
//! A rule that meets a settled entry again has to name the right code, and nothing else. One bit an entry does that, so
//! that the state of a ledger of ten million entries fits into a few megabytes.

use std::collections::BTreeMap;

use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::number::Seq;

use super::snapshot_values::{Kept, kept, malformed, restore_bytes};

/// Bits of one page: places that lie close together share it, a place that lies alone costs one.
const PAGE_BITS: u64 = 512;
const WORD_BITS: u64 = 64;
const PAGE_WORDS: usize = (PAGE_BITS / WORD_BITS) as usize;
/// Bytes of a page in a snapshot, its number included.
const PAGE_BYTES: usize = (PAGE_WORDS + 1) * 8;

/// A set of entries, by their places: one bit each where they are dense.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Places(BTreeMap<u64, [u64; PAGE_WORDS]>);

impl Places {
    pub(super) fn insert(&mut self, seq: Seq) {
        let (page, word, bit) = locate(seq);
        self.0.entry(page).or_default()[word] |= bit;
    }

    /// Takes a place out; a page that becomes empty is given up.
    pub(super) fn remove(&mut self, seq: Seq) {
        let (page, word, bit) = locate(seq);
        if let Some(words) = self.0.get_mut(&page) {
            words[word] &= !bit;
            if *words == [0; PAGE_WORDS] {
                self.0.remove(&page);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        let (page, word, bit) = locate(seq);
        self.0.get(&page).is_some_and(|words| words[word] & bit != 0)
    }
}

/// One string, 72 bytes a page: its number and its words, big-endian.
impl Kept for Places {
    fn keep(&self, to: &mut Encoder) {
        let numbers = self
            .0
            .iter()
            .flat_map(|(page, words)| std::iter::once(page).chain(words));
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
        to.bytes(&bytes);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (pages, rest) = restore_bytes(from)?.as_chunks::<PAGE_BYTES>();
        if !rest.is_empty() {
            return malformed(from, "set of entries");
        }
        let read = |bytes: &[u8; PAGE_BYTES]| {
            let (numbers, _) = bytes.as_chunks::<8>();
            let number = |place: usize| u64::from_be_bytes(numbers[place]);
            (number(0), std::array::from_fn(|word| number(word + 1)))
        };
        Ok(Self(pages.iter().map(read).collect()))
    }
}

/// The page of a place, the word in it, and the bit in that.
fn locate(seq: Seq) -> (u64, usize, u64) {
    let (page, rest) = (seq.get() / PAGE_BITS, seq.get() % PAGE_BITS);
    // A remainder of 512 in words of 64 is below 8.
    let word = (rest / WORD_BITS) as usize;
    (page, word, 1 << (rest % WORD_BITS))
}

/// Sets of entries by who made them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PlacesBy(BTreeMap<Seq, Places>);

impl Kept for PlacesBy {
    fn keep(&self, to: &mut Encoder) {
        self.0.keep(to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Kept::restore(from).map(Self)
    }
}

impl PlacesBy {
    pub(super) fn insert(&mut self, author: Seq, seq: Seq) {
        self.0.entry(author).or_default().insert(seq);
    }

    pub(super) fn contains(&self, author: Seq, seq: Seq) -> bool {
        self.0.get(&author).is_some_and(|places| places.contains(seq))
    }
}

/// Requests and decisions that are over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settled {
    /// Requests by requester.
    pub(super) requests: PlacesBy,
    /// Decisions that deny, or that could not be evaluated.
    pub(super) denied: Places,
    /// Asks that were refused, or that nobody answered.
    pub(super) lapsed: Places,
    /// Decisions with an outcome.
    pub(super) finished: Places,
}

kept!(Settled {
    requests,
    denied,
    lapsed,
    finished
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn seq(n: u64) -> Seq {
        Seq::clamped(n)
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let put: BTreeSet<u64> = [0, 1, 63, 64, 65, 511, 512, 513, 70_000, (1 << 53) - 1].into();
        let mut places = Places::default();
        put.iter().for_each(|place| places.insert(seq(*place)));
        for place in put
            .iter()
            .flat_map(|place| [place.saturating_sub(1), *place, place + 1])
        {
            let place = seq(place);
            assert_eq!(places.contains(place), put.contains(&place.get()), "{place}");
        }
    }

    #[test]
    fn what_is_taken_out_is_gone_and_its_page_with_it() {
        let put = [0, 63, 64, 511, 512, 70_000];
        let mut places = Places::default();
        put.iter().for_each(|place| places.insert(seq(*place)));
        places.remove(seq(1));
        places.remove(seq(9_999));
        for (gone, place) in put.iter().enumerate() {
            assert!(places.contains(seq(*place)) && !places.is_empty());
            places.remove(seq(*place));
            let left: Vec<u64> = put.iter().copied().filter(|it| places.contains(seq(*it))).collect();
            assert_eq!(left, put[gone + 1..]);
        }
        assert!(places.is_empty());
    }

    #[test]
    fn places_of_one_author_are_not_those_of_another() {
        let mut places = PlacesBy::default();
        places.insert(seq(3), seq(10));
        assert!(places.contains(seq(3), seq(10)));
        assert!(!places.contains(seq(4), seq(10)) && !places.contains(seq(3), seq(11)));
    }

    #[test]
    fn dense_places_cost_less_than_half_a_byte_each() {
        let mut places = Places::default();
        (0..300_000).step_by(3).for_each(|place| places.insert(seq(place)));
        let bytes = places.0.len() * PAGE_BYTES;
        assert!(bytes < 100_000 / 2, "{bytes}");
    }
}
