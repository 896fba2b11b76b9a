//! What can go wrong on the way to an answer, and when it does.

use std::collections::VecDeque;

/// One thing that goes wrong with one request. The request is judged all the same: a wrong one is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No answer but this status, in the provider's error shape.
    Status {
        status: u16,
        /// The header of that name.
        retry_after: Option<&'static str>,
    },
    /// The connection is closed at some byte of the stream, in the middle of a chunk.
    Cut,
    /// The stream ends before the answer does, with the proper end of an HTTP body.
    EndsEarly,
    /// The provider reports an error where the answer should have gone on.
    ErrorEvent,
    /// A part of the stream, and then nothing any more; the connection stays open.
    Stall,
    /// The event that begins an answer comes twice.
    DuplicateStart,
    /// The beginning of another answer stands before the answer, in one stream.
    Splice,
    /// The model declines.
    Refusal,
    /// The model runs into the limit of its output after half of its words.
    Length,
}

impl Fault {
    /// A status without `retry-after`.
    pub(crate) const fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }

    /// A status with `retry-after: 0`.
    pub(crate) const fn retry_now(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: Some("0"),
        }
    }
}

/// Which requests go wrong. Lists of models do not count.
pub(super) struct Plan {
    next: VecDeque<Option<Fault>>,
    then: Option<Fault>,
}

impl Plan {
    /// Nothing goes wrong.
    pub(super) const fn none() -> Self {
        Self {
            next: VecDeque::new(),
            then: None,
        }
    }

    /// One for each of the next requests, and `then` for all that follow.
    pub(super) fn new(next: &[Option<Fault>], then: Option<Fault>) -> Self {
        Self {
            next: next.iter().copied().collect(),
            then,
        }
    }

    /// What goes wrong with the request at hand.
    pub(super) fn take(&mut self) -> Option<Fault> {
        self.next.pop_front().unwrap_or(self.then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_the_last_stays() {
        let mut plan = Plan::new(&[Some(Fault::Cut), None], Some(Fault::Stall));
        let taken = [(); 4].map(|()| plan.take());
        assert_eq!(taken, [Some(Fault::Cut), None, Some(Fault::Stall), Some(Fault::Stall)]);
        assert_eq!(Plan::none().take(), None);
    }
}
