//! Trust anchors: the principals that an auditor names, against whom authority is judged (identity-v1 §11).

mod entry;
mod file;

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use crate::did::{DidError, PeerDid, ShortDid};

pub use entry::{HOSTS_MAX, NAME_LEN_MAX, TrustEntry, TrustEntryError, TrustedHost};
pub use file::{ANCHORS_MAX, FILE_LEN_MAX, SCHEMA, TrustFileError};

/// A principal named by the person who judges: by its DID alone, or with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The long form: the keys themselves.
    Long(PeerDid),
    /// The short form: the hash of the document that holds the keys, which is as strong.
    Short(ShortDid),
    /// An entry of a trust file.
    Entry(Box<TrustEntry>),
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
            Self::Entry(entry) => entry.did(),
        }
    }

    /// What a trust file says of it; `None` for a DID alone, which is trusted without limits.
    #[must_use]
    pub fn entry(&self) -> Option<&TrustEntry> {
        match self {
            Self::Long(_) | Self::Short(_) => None,
            Self::Entry(entry) => Some(entry),
        }
    }
}

/// Demands that no principal is named twice, in whichever form: a bare DID beside an entry would lift its limits.
///
/// # Errors
/// [`RepeatedDid`] for the first that is.
pub fn unique(anchors: &[Anchor]) -> Result<(), RepeatedDid> {
    let mut seen = BTreeSet::new();
    match anchors.iter().find(|anchor| !seen.insert(anchor.short())) {
        Some(anchor) => Err(RepeatedDid {
            did: anchor.short().clone(),
        }),
        None => Ok(()),
    }
}

/// A principal that is named twice.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{did} is named as a trust anchor twice")]
pub struct RepeatedDid {
    /// The principal.
    pub did: ShortDid,
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

impl AnchorError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Lines => "lines",
            Self::Did(_) => "bad_did",
        }
    }
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

    fn in_file(did: &str) -> Result<Vec<Anchor>, TrustFileError> {
        let file = format!(r#"{{"schema":"{SCHEMA}","anchors":[{{"did":"{did}"}}]}}"#);
        Anchor::read_file(file.as_bytes())
    }

    #[test]
    fn an_entry_of_a_trust_file_matches_as_a_bare_did_does() -> Result<(), TrustFileError> {
        let (principal, other) = (did(1), did(2));
        for text in [principal.long(), principal.short()] {
            for anchor in in_file(text)? {
                assert!(anchor.matches(&principal) && !anchor.matches(&other));
                assert!(anchor.entry().is_some_and(|entry| entry.hosts().is_none()));
            }
        }
        Ok(())
    }

    #[test]
    fn a_principal_that_is_named_twice_is_refused_in_whichever_form() -> Result<(), TrustFileError> {
        let (principal, other) = (did(1), did(2));
        let listed = in_file(principal.short())?;
        for anchor in [Anchor::Long(principal.clone()), Anchor::parse(principal.short())?] {
            let twice = [&listed[..], &[Anchor::Long(other.clone()), anchor]].concat();
            let repeated = RepeatedDid {
                did: principal.short_did().clone(),
            };
            assert_eq!(unique(&twice), Err(repeated));
        }
        assert_eq!(unique(&[&listed[..], &[Anchor::Long(other)]].concat()), Ok(()));
        Ok(())
    }

    #[test]
    fn a_refusal_says_which_anchor_and_which_host() {
        let (short, long) = (did(1).short().to_owned(), did(2).long().to_owned());
        let hosts = format!(r#"[{{"did":"{short}"}},{{"did":"{long}","compromisedSince":"today"}}]"#);
        let file =
            format!(r#"{{"schema":"{SCHEMA}","anchors":[{{"did":"{short}"}},{{"did":"{long}","hosts":{hosts}}}]}}"#);
        let error = Anchor::read_file(file.as_bytes()).expect_err("no time");
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let said: Vec<String> = causes.map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "anchor 2",
                "host 2",
                "`compromisedSince` is no time",
                "time is not written as YYYY-MM-DDTHH:MM:SSZ"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_files_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = Anchor::read_file(&bytes);
        }

        #[test]
        fn hostile_files_that_look_like_trust_files_never_panic(
            inside in r#"(("(schema|anchors|did|hosts|name|validFrom)"|[\[\]{}:,])[ "a-z0-9]{0,4}){0,30}"#
        ) {
            let _ = Anchor::read_file(format!("{{{inside}}}").as_bytes());
        }
    }
}
