//! Trust anchors: the principal that an auditor names, against whom authority is judged (identity-v1 §11).

use std::fmt;

use thiserror::Error;

use crate::did::{DidError, PeerDid, ShortDid};

/// A principal named by the person who judges, in either form of its DID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The long form: the keys themselves.
    Long(PeerDid),
    /// The short form: the hash of the document that holds the keys, which is as strong.
    Short(ShortDid),
}

impl Anchor {
    /// Reads a DID in either form, or the content of a file that holds one and a line end.
    ///
    /// Spaces, a second line, a comment or a byte order mark are refused: an anchor is never guessed.
    ///
    /// # Errors
    /// [`AnchorError`], one variant a check.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let line = text
            .strip_suffix('\n')
            .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if line.is_empty() {
            return Err(AnchorError::Empty);
        }
        if line.contains(['\n', '\r']) {
            return Err(AnchorError::Lines);
        }
        match ShortDid::parse(line) {
            Ok(short) => Ok(Self::Short(short)),
            Err(DidError::Form { .. }) => Ok(Self::Long(PeerDid::parse_long(line)?)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `did` is the principal that this anchor names.
    #[must_use]
    pub fn matches(&self, did: &PeerDid) -> bool {
        self.short() == did.short_did()
    }

    /// The short form of the named principal.
    #[must_use]
    pub fn short(&self) -> &ShortDid {
        match self {
            Self::Long(did) => did.short_did(),
            Self::Short(short) => short,
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.short().fmt(f)
    }
}

/// Why a text names no trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// Nothing, or an empty line.
    #[error("trust anchor is empty")]
    Empty,
    /// More than one line.
    #[error("trust anchor has more than one line")]
    Lines,
    /// The line is not a DID of an accepted form.
    #[error("trust anchor is not a did:peer:4")]
    Did(#[from] DidError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{HybridSecret, Seed32};

    fn did(byte: u8) -> PeerDid {
        PeerDid::from_keys(HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte; 32])).public())
    }

    #[test]
    fn either_form_with_or_without_line_end_matches_its_principal_only() -> Result<(), AnchorError> {
        let (principal, other) = (did(1), did(2));
        for text in [principal.long(), principal.short()] {
            for end in ["", "\n", "\r\n"] {
                let anchor = Anchor::parse(&format!("{text}{end}"))?;
                assert!(anchor.matches(&principal));
                assert!(!anchor.matches(&other));
            }
        }
        Ok(())
    }

    #[test]
    fn anything_but_one_did_is_refused() {
        let (short, long) = (did(1).short().to_owned(), did(1).long().to_owned());
        for text in ["", "\n", "\r\n"] {
            assert_eq!(Anchor::parse(text), Err(AnchorError::Empty));
        }
        for text in [
            format!("{short}\n{short}"),
            format!("{short}\n\n"),
            format!("\n{short}"),
        ] {
            assert_eq!(Anchor::parse(&text), Err(AnchorError::Lines));
        }
        let spliced = long.replace(did(1).short(), did(2).short());
        for text in [
            format!(" {short}"),
            format!("{short} "),
            format!("\u{feff}{short}"),
            "did:key:z6Mk".into(),
            spliced,
        ] {
            assert!(matches!(Anchor::parse(&text), Err(AnchorError::Did(_))), "{text}");
        }
    }
}
