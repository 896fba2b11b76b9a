//! What running a tool can do at most, as bits.

/// A set of effects: 1 read, 2 write, 4 execute, 8 network, 16 delegate, 32 consult (authority-v1 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Effects(u64);

/// Every effect with its word, in the order of its bit.
const WORDS: [(u64, &str); 6] = [
    (1, "read"),
    (2, "write"),
    (4, "execute"),
    (8, "network"),
    (16, "delegate"),
    (32, "consult"),
];

impl Effects {
    /// Reads files or names of files.
    pub const READ: Self = Self(1);
    /// Creates or changes files.
    pub const WRITE: Self = Self(2);
    /// Runs programs.
    pub const EXECUTE: Self = Self(4);
    /// May talk to other machines.
    pub const NETWORK: Self = Self(8);
    /// Gives authority to a new agent.
    pub const DELEGATE: Self = Self(16);
    /// Asks an advisor.
    pub const CONSULT: Self = Self(32);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits as they stand in `action.requested`.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The words of the set, in the order of their bits.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        WORDS
            .iter()
            .filter(|(bit, _)| self.0 & bit != 0)
            .map(|(_, word)| *word)
            .collect()
    }
}
