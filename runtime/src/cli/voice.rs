//! Lines for the person at the terminal. They wait while a question stands: what agents say meanwhile could push it off
//! the screen, or look like another question, and a yes would then be given to what nobody read.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most lines that wait for the end of a question; older ones are left out. The ledger has what they told.
const HELD_LINES_MAX: usize = 1_000;

/// What has not been said yet; nothing while everything is said at once.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

#[derive(Default)]
struct Held {
    lines: VecDeque<String>,
    left_out: u64,
}

/// A question stands; dropped, it stands no more, and what was held back is said.
pub(super) struct Silence(());

/// Says `line` on stderr, or later if a question stands. Nobody need listen.
pub(super) fn say(line: String) {
    match held().as_mut() {
        Some(held) => held.hold(line),
        None => write(&line),
    }
}

impl Silence {
    /// Holds back what is said from here on.
    pub(super) fn begin() -> Self {
        held().get_or_insert_default();
        Self(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let mut held = held();
        let Some(Held { lines, left_out }) = held.take() else {
            return;
        };
        if left_out > 0 {
            write(&format!("({left_out} lines left out)"));
        }
        lines.iter().for_each(|line| write(line));
    }
}

impl Held {
    fn hold(&mut self, line: String) {
        if self.lines.len() == HELD_LINES_MAX {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(line);
    }
}

fn write(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_keeps_the_latest() {
        let mut held = Held::default();
        (0..HELD_LINES_MAX + 3).for_each(|number| held.hold(number.to_string()));
        assert_eq!((held.lines.len(), held.left_out), (HELD_LINES_MAX, 3));
        assert_eq!(held.lines.front().map(String::as_str), Some("3"));
    }
}
