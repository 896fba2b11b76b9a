//! Two pieces of work at the same time, for what has to be done before a run can begin: most of that is signing with
//! post-quantum keys and waiting for the disk, and little of it rests on the rest.

use std::io;
use std::panic::resume_unwind;
use std::thread;

/// Does `first` on a thread of its own and `second` on this one, and gives what both gave. A panic of either goes on.
///
/// # Errors
/// The operating system's, when it gives no thread; nothing was done then.
pub(crate) fn side_by_side<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> io::Result<(A, B)> {
    thread::scope(|scope| {
        let beside = thread::Builder::new()
            .name("beside".to_owned())
            .spawn_scoped(scope, first)?;
        let second = second();
        let first = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((first, second))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn both_go_on_at_the_same_time_and_give_what_they_made() -> io::Result<()> {
        let both_are_here = Barrier::new(2);
        let wait = |made: &'static str| {
            both_are_here.wait();
            made
        };
        assert_eq!(side_by_side(|| wait("first"), || wait("second"))?, ("first", "second"));
        Ok(())
    }

    #[test]
    fn panic_on_the_other_thread_is_not_swallowed() {
        let panicked = std::panic::catch_unwind(|| side_by_side(|| panic!("on purpose"), || ()));
        assert!(panicked.is_err());
    }
}
