//! The rules by their codes: what each says to a person, how grave a breach is, and which step finds it (authority-v1 §4).
//!
//! Codes are stable: they are printed, stand in `verify --json`, and name the vectors.

use std::fmt;

/// How grave a breach of a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing is broken, something cannot be shown: verdict incomplete.
    Unproven,
    /// The input cannot be read, or is newer than this verifier: verdict unreadable.
    Unreadable,
    /// Must never have been allowed, though it may be requested: verdict rejected.
    Denied,
    /// Can never be written: verdict rejected.
    Written,
}

macro_rules! codes {
    ($($name:ident $class:ident $step:literal $sentence:literal;)*) => {
        /// A rule of authority-v1 §4, or one of the two codes for input that cannot be judged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $sentence] $name,)*
        }

        impl Code {
            /// Every code, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is printed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What a breach means, for a person.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            /// How grave a breach usually is; a rule of class W/C is unproven where only bytes are missing.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            /// The step of authority-v1 §6 that finds a breach.
            #[must_use]
            pub const fn step(self) -> &'static str {
                match self { $(Self::$name => $step,)* }
            }
        }
    };
}

codes! {
    I1 Written "V1" "The entry is not written in the agreed form.";
    I2 Written "V4" "The entry was not signed by the agent it names.";
    I3 Written "V3" "The entry was changed after later entries were chained to it.";
    I4 Written "V2" "Entries were removed, inserted or moved.";
    I5 Written "V5" "The author signed another history than this one.";
    I6 Written "V5" "A statement of this agent is missing or repeated.";
    I7 Written "V7" "A signed summary of the ledger does not fit it.";
    I8 Written "V8" "The ledger is not the one this head was taken from, or has lost entries.";
    I9 Written "V6" "The content was changed or is missing.";
    I10 Written "V5" "Time runs backwards.";
    A1 Written "V4" "Somebody spoke who was never introduced, or was introduced twice.";
    A2 Written "F" "The chain from the agent to the principal does not hold.";
    A3 Written "F" "A stopped agent spoke.";
    A4 Written "F" "The credential was not valid then.";
    A5 Written "F" "The speaker had no right to say this.";
    D1 Denied "F-decision" "The action was outside the agent's authority.";
    D2 Written "F-decision" "A request was decided twice, or by somebody else.";
    D3 Written "F-decision" "An agent decided for itself.";
    D4a Written "F-decision" "The policy was asked about another action than the one requested.";
    D4b Written "F-decision" "The policy does not give this answer.";
    D5 Written "F-approval" "The approval does not cover this action.";
    D6 Written "F-finished" "The action ran twice, or elsewhere.";
    D7 Written "F-finished" "The action ran without permission.";
    D8 Written "F-requested" "The advice the agent relied on does not exist.";
    D10 Written "F-requested" "No model proposed this action.";
    G1 Written "F-introduced" "Authority was given by one who did not have it.";
    G2 Written "F-introduced" "The grant does not belong to this chain.";
    G3 Written "F-introduced" "The child was given more than its parent had.";
    G4 Written "F-introduced" "The chain of delegation is too long.";
    G5 Written "F-introduced" "The grant outlives its parent.";
    G6 Written "F-introduced" "More was spent than granted.";
    G7 Denied "F-decision" "The authority had been withdrawn.";
    G8 Written "F" "The authority was for another purpose.";
    C1 Unproven "V9" "The end is open: entries may be missing behind it.";
    C2 Unproven "V9" "The last words of this agent may be missing.";
    C3 Unproven "V9" "It is unknown what became of this action.";
    C4 Unproven "V8" "Nobody told the verifier whom to trust.";
    U1 Unreadable "V1" "This is not a ledger, or it cannot be read.";
    U2 Unreadable "V1" "This was written by a newer version, or says something this verifier does not judge.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification is the source: every rule of its table stands here with the same sentence, and no other.
    #[test]
    fn codes_are_those_of_the_specification() {
        let specification = include_str!("../../schemas/authority-v1.md");
        let table: Vec<Vec<&str>> = specification
            .lines()
            .skip_while(|line| *line != "| code | class | rule | for a person | step |")
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        let rules: Vec<Code> = Code::ALL
            .iter()
            .copied()
            .filter(|code| code.class() != Class::Unreadable)
            .collect();
        assert_eq!(table.len(), rules.len());
        for (row, code) in table.iter().zip(rules) {
            assert_eq!(row[1], code.as_str());
            assert_eq!(row[4], code.sentence(), "{code}");
            let class = match code.class() {
                Class::Written => "W",
                Class::Denied => "D",
                Class::Unproven | Class::Unreadable => "C",
            };
            assert!(row[2].starts_with(class), "{code}: {}", row[2]);
            assert!(row[5].contains(code.step()), "{code}: {}", row[5]);
        }
    }
}
