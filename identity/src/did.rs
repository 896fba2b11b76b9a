//! Decentralised identifiers: `did:peer:4` in the one shape that our own parties use (identity-v1 §4).
//!
//! A [`PeerDid`] is a DID whose document was decoded, hashed, compared byte for byte with the only document that
//! version 1 accepts, and found to hold two acceptable keys. The general encodings are in [`peer4`] and [`key`].

pub mod key;
pub mod peer4;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::keys::HybridPublic;
use crate::multibase::MultibaseError;
use crate::multikey::{self, MultikeyError};

/// Longest DID text that is read: the limit of a `did` in a statement.
pub const DID_LEN_MAX: usize = 8192;

/// Fragment of the Ed25519 verification method in the document.
pub const ED25519_FRAGMENT: &str = "#ed25519";
/// Fragment of the ML-DSA-44 verification method in the document.
pub const ML_DSA_FRAGMENT: &str = "#mldsa44";

/// The document around the two keys; both keys have a fixed length, so the whole has one as well.
const DOCUMENT_HEAD: &str = r##"{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/multikey/v1"],"assertionMethod":["#ed25519","#mldsa44"],"authentication":["#ed25519","#mldsa44"],"verificationMethod":[{"id":"#ed25519","publicKeyMultibase":""##;
const DOCUMENT_MIDDLE: &str = r##"","type":"Multikey"},{"id":"#mldsa44","publicKeyMultibase":""##;
const DOCUMENT_TAIL: &str = r##"","type":"Multikey"}]}"##;

/// A `did:peer:4` in short form: the hash of a document, 57 characters. Says nothing about the document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortDid(Arc<str>);

impl ShortDid {
    /// Checks and takes a short-form DID.
    ///
    /// # Errors
    /// [`DidError::Method`], [`DidError::Form`] for a long form, [`DidError::Multibase`], [`DidError::Multihash`].
    pub fn parse(text: &str) -> Result<Self, DidError> {
        let hash = peer4::strip_method(text)?;
        if hash.contains(':') {
            return Err(DidError::Form { expected: "short" });
        }
        peer4::check_multihash(hash)?;
        Ok(Self(text.into()))
    }

    /// The text of the DID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the Ed25519 verification method: this DID and `#ed25519`.
    #[must_use]
    pub fn ed25519_method(&self) -> String {
        format!("{self}{ED25519_FRAGMENT}")
    }

    /// The id of the ML-DSA-44 verification method: this DID and `#mldsa44`.
    #[must_use]
    pub fn ml_dsa_method(&self) -> String {
        format!("{self}{ML_DSA_FRAGMENT}")
    }
}

impl fmt::Display for ShortDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShortDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A DID of a principal, host, instance or approver, with the two keys its document holds; cheap to clone.
#[derive(Clone)]
pub struct PeerDid(Arc<Parts>);

struct Parts {
    long: Box<str>,
    short: ShortDid,
    public: HybridPublic,
}

impl PeerDid {
    /// Makes the DID of a key pair; the same keys always give the same DID.
    #[must_use]
    pub fn from_keys(public: &HybridPublic) -> Self {
        let (long, short) = peer4::encode_parts(document_of(public).as_bytes());
        Self(Arc::new(Parts {
            long: long.into(),
            short,
            public: public.clone(),
        }))
    }

    /// Reads a long-form DID whose document has the one accepted shape (identity-v1 §4.3).
    ///
    /// # Errors
    /// [`DidError`], one variant a check.
    pub fn parse_long(text: &str) -> Result<Self, DidError> {
        let decoded = peer4::decode_hashed(text)?;
        let public = parse_document(&decoded.document)?;
        Ok(Self(Arc::new(Parts {
            long: text.into(),
            short: decoded.short,
            public,
        })))
    }

    /// The long form, which carries the document.
    #[must_use]
    pub fn long(&self) -> &str {
        &self.0.long
    }

    /// The short form as text.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.short.as_str()
    }

    /// The short form as its own type.
    #[must_use]
    pub fn short_did(&self) -> &ShortDid {
        &self.0.short
    }

    /// The two keys.
    #[must_use]
    pub fn public(&self) -> &HybridPublic {
        &self.0.public
    }
}

impl PartialEq for PeerDid {
    fn eq(&self, other: &Self) -> bool {
        self.long() == other.long()
    }
}

impl Eq for PeerDid {}

impl fmt::Debug for PeerDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PeerDid").field(&self.0.short).finish()
    }
}

/// The document of two keys, in canonical form.
fn document_of(public: &HybridPublic) -> String {
    let ed25519 = multikey::encode_ed25519(public.ed25519_bytes());
    let ml_dsa = multikey::encode_ml_dsa(public.ml_dsa_bytes());
    [DOCUMENT_HEAD, &ed25519, DOCUMENT_MIDDLE, &ml_dsa, DOCUMENT_TAIL].concat()
}

/// Takes the keys out of the document; anything but the fixed text around them is refused.
fn parse_document(document: &[u8]) -> Result<HybridPublic, DidError> {
    let text = std::str::from_utf8(document).map_err(|_| DidError::Document)?;
    let rest = text.strip_prefix(DOCUMENT_HEAD).ok_or(DidError::Document)?;
    let (ed25519, rest) = rest.split_once('"').ok_or(DidError::Document)?;
    let rest = rest.strip_prefix(&DOCUMENT_MIDDLE[1..]).ok_or(DidError::Document)?;
    let (ml_dsa, rest) = rest.split_once('"').ok_or(DidError::Document)?;
    if rest != &DOCUMENT_TAIL[1..] {
        return Err(DidError::Document);
    }
    let ed25519 = multikey::decode_ed25519(ed25519)?;
    let ml_dsa = multikey::decode_ml_dsa(ml_dsa)?;
    HybridPublic::from_bytes(&ed25519, &ml_dsa).map_err(|error| DidError::Key(error.into()))
}

/// Why a text is not a DID of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DidError {
    /// Longer than [`DID_LEN_MAX`].
    #[error("DID of {len} bytes is longer than {DID_LEN_MAX}")]
    TooLong {
        /// Bytes found.
        len: usize,
    },
    /// Another DID method, or another variant of `did:peer`.
    #[error("DID does not begin with `{expected}`")]
    Method {
        /// The beginning that this place requires.
        expected: &'static str,
    },
    /// A long form where a short one is required, or the reverse.
    #[error("DID is not in {expected} form")]
    Form {
        /// `long` or `short`.
        expected: &'static str,
    },
    /// The hash or the document is not base58btc.
    #[error(transparent)]
    Multibase(#[from] MultibaseError),
    /// The hash is not a SHA-256 multihash (`12 20` and 32 bytes).
    #[error("DID hash is not a SHA-256 multihash")]
    Multihash,
    /// The hash is not that of the document in the DID.
    #[error("DID hash {found} is not that of its document, {expected}")]
    Hash {
        /// The hash in the DID.
        found: String,
        /// The hash of the encoded document.
        expected: String,
    },
    /// The document does not carry the multicodec of JSON (0x0200).
    #[error("DID document is not marked as JSON")]
    Codec,
    /// The document is not a JSON object.
    #[error("DID document is not a JSON object")]
    Json,
    /// The document is not, byte for byte, the one that version 1 accepts.
    #[error("DID document has not the shape that version 1 accepts")]
    Document,
    /// A key in the DID is not acceptable.
    #[error("DID holds an unacceptable key")]
    Key(#[source] MultikeyError),
    /// The fragment of a `did:key` URL does not repeat its key.
    #[error("fragment of the did:key URL does not repeat the key")]
    Fragment,
}

impl From<MultikeyError> for DidError {
    fn from(error: MultikeyError) -> Self {
        Self::Key(error)
    }
}

impl DidError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "did_too_long",
            Self::Method { .. } => "did_method",
            Self::Form { .. } => "did_form",
            Self::Multibase(_) => "did_multibase",
            Self::Multihash => "did_multihash",
            Self::Hash { .. } => "did_hash",
            Self::Codec => "did_codec",
            Self::Json => "did_json",
            Self::Document => "did_document",
            Self::Key(_) => "did_key",
            Self::Fragment => "did_fragment",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::{HybridSecret, PublicKeyError, Seed32};
    use crate::{jcs, multibase};

    fn did(byte: u8) -> PeerDid {
        PeerDid::from_keys(HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte; 32])).public())
    }

    fn long_of(document: &str) -> String {
        peer4::encode(document.as_bytes())
    }

    #[test]
    fn a_did_round_trips_and_its_document_is_canonical_json() -> Result<(), Box<dyn std::error::Error>> {
        let made = did(1);
        let read = PeerDid::parse_long(made.long())?;
        assert_eq!(read, made);
        assert_eq!(read.public(), made.public());
        assert_eq!(read.short().len(), 57);
        assert_eq!(ShortDid::parse(made.short())?, *made.short_did());
        jcs::parse_canonical(document_of(made.public()).as_bytes())?;
        Ok(())
    }

    #[test]
    fn a_document_of_another_shape_is_refused() {
        let document = document_of(did(1).public());
        for other in [
            document.replace("\"type\":\"Multikey\"}]}", "\"type\":\"Multikey\"}],\"x\":1}"),
            document.replace("[\"#ed25519\",\"#mldsa44\"]", "[\"#ed25519\"]"),
            document.replace("https://www.w3.org/ns/did/v1", "https://www.w3.org/ns/did/v2"),
            document.replace("{\"@context\"", "{ \"@context\""),
            format!("{document}\n"),
            "{}".to_owned(),
            String::new(),
        ] {
            assert_eq!(
                PeerDid::parse_long(&long_of(&other)),
                Err(DidError::Document),
                "{other}"
            );
        }
    }

    #[test]
    fn keys_in_each_others_place_or_weak_are_refused() {
        let public = did(1).public().clone();
        let (ed, ml) = (
            multikey::encode_ed25519(public.ed25519_bytes()),
            multikey::encode_ml_dsa(public.ml_dsa_bytes()),
        );
        let weak = multibase::encode_base58btc(&[&multikey::ED25519_PUB_PREFIX[..], &[0; 32]].concat());
        let document = |a: &str, b: &str| [DOCUMENT_HEAD, a, DOCUMENT_MIDDLE, b, DOCUMENT_TAIL].concat();
        assert!(matches!(
            PeerDid::parse_long(&long_of(&document(&ml, &ed))),
            Err(DidError::Key(_))
        ));
        assert!(matches!(
            PeerDid::parse_long(&long_of(&document(&ed, &ed))),
            Err(DidError::Key(_))
        ));
        assert_eq!(
            PeerDid::parse_long(&long_of(&document(&weak, &ml))),
            Err(DidError::Key(PublicKeyError::SmallOrder.into()))
        );
    }

    #[test]
    fn a_changed_hash_or_document_is_refused() {
        let (one, two) = (did(1), did(2));
        let spliced = one.long().replace(one.short(), two.short());
        assert!(matches!(PeerDid::parse_long(&spliced), Err(DidError::Hash { .. })));
        let mut changed = one.long().to_owned();
        let last = if changed.pop() == Some('2') { '3' } else { '2' };
        changed.push(last);
        assert!(matches!(PeerDid::parse_long(&changed), Err(DidError::Hash { .. })));
    }

    #[test]
    fn short_and_long_form_are_not_mixed_up() {
        let did = did(1);
        assert_eq!(
            PeerDid::parse_long(did.short()),
            Err(DidError::Form { expected: "long" })
        );
        assert_eq!(ShortDid::parse(did.long()), Err(DidError::Form { expected: "short" }));
    }

    #[test]
    fn a_malformed_short_form_is_refused() {
        let good = did(1).short().to_owned();
        assert!(matches!(
            ShortDid::parse(&good.replace("peer:4", "peer:2")),
            Err(DidError::Method { .. })
        ));
        assert!(matches!(ShortDid::parse("did:key:z6Mk"), Err(DidError::Method { .. })));
        assert!(matches!(ShortDid::parse(&good[..56]), Err(DidError::Multihash)));
        assert!(matches!(
            ShortDid::parse(&format!("{good}#x")),
            Err(DidError::Multibase(_))
        ));
        assert!(matches!(
            ShortDid::parse(&format!("{good} ")),
            Err(DidError::Multibase(_))
        ));
        assert!(matches!(ShortDid::parse("did:peer:4"), Err(DidError::Multibase(_))));
        assert!(matches!(
            ShortDid::parse(&"x".repeat(9000)),
            Err(DidError::TooLong { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_of_a_long_form_is_rejected(at in any::<prop::sample::Index>(), bit in 0u8..7) {
            let good = did(1);
            let mut bytes = good.long().as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("seven bits stay ASCII");
            prop_assert!(PeerDid::parse_long(&changed).is_err());
        }

        #[test]
        fn hostile_text_never_panics(text in "(did:peer:4)?z?[0-9A-Za-z:éz]{0,80}") {
            prop_assert!(PeerDid::parse_long(&text).is_err());
            let _ = ShortDid::parse(&text);
            let _ = key::parse(&text);
        }
    }
}
