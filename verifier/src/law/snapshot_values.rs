//! How the parts of the state become bytes and come back.
//!
//! The encoding is private to one version of the program, so it has no keys and no choices: every part writes its fields in
//! a fixed order, as deterministic CBOR. Reading keeps the invariants that the fold relies on; it never panics, and it never
//! allocates by a length that it has not seen the bytes of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_identity::credential::{HostClaims, MayIssue};
use countersign_identity::did::{DID_LEN_MAX, PeerDid, ShortDid};
use countersign_identity::grant::Grant;
use countersign_identity::instant::Window;
use countersign_ledger::checkpoint::CheckpointPublicKeys;
use countersign_ledger::merkle::{Frontier, Root};
use countersign_schemas::body::{Effects, PolicyLayer, Role, RunMode};
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder, Problem};
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::field::Field;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::payload::PayloadRef;
use countersign_schemas::text::{Name, Origin};

/// A part of the state that a snapshot holds.
pub(super) trait Kept: Sized {
    /// Writes it.
    fn keep(&self, to: &mut Encoder);

    /// Reads it back.
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// Keeps a struct field by field. Names all of them, so that nobody adds one and forgets it here.
macro_rules! kept {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::law::snapshot_values::Kept for $name {
            fn keep(&self, to: &mut countersign_schemas::cbor::Encoder) {
                let Self { $($field),+ } = self;
                $( $crate::law::snapshot_values::Kept::keep($field, to); )+
            }

            fn restore(
                from: &mut countersign_schemas::cbor::Decoder<'_>,
            ) -> Result<Self, countersign_schemas::cbor::DecodeError> {
                Ok(Self { $($field: $crate::law::snapshot_values::Kept::restore(from)?),+ })
            }
        }
    };
}
pub(super) use kept;

/// What a value that makes no sense is called.
pub(super) fn malformed<T>(from: &Decoder<'_>, what: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError {
        offset: from.offset(),
        problem: Problem::Text(what),
    })
}

/// A byte string as long as the rest of the input allows.
pub(super) fn restore_bytes<'a>(from: &mut Decoder<'a>) -> Result<&'a [u8], DecodeError> {
    from.bytes(0, usize::MAX)
}

macro_rules! kept_as_fields {
    ($($name:ty),+) => {$(
        impl Kept for $name {
            fn keep(&self, to: &mut Encoder) {
                Field::encode(self, to);
            }
            fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                Field::decode(from)
            }
        }
    )+};
}
kept_as_fields!(
    Seq,
    Count,
    Millis,
    Digest,
    LedgerId,
    Link,
    Name,
    Origin,
    PayloadRef,
    Effects,
    PolicyLayer,
    Role,
    RunMode
);

impl Kept for bool {
    fn keep(&self, to: &mut Encoder) {
        to.uint((*self).into());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match from.uint53()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => malformed(from, "truth value"),
        }
    }
}

impl Kept for String {
    fn keep(&self, to: &mut Encoder) {
        to.text(self);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.text(usize::MAX).map(str::to_owned)
    }
}

impl Kept for [u8; 32] {
    fn keep(&self, to: &mut Encoder) {
        to.bytes(self);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array_bytes()
    }
}

/// Argument bytes; as one string, unlike other lists.
impl Kept for Vec<u8> {
    fn keep(&self, to: &mut Encoder) {
        to.bytes(self);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        restore_bytes(from).map(<[u8]>::to_vec)
    }
}

impl<T: Kept> Kept for Option<T> {
    fn keep(&self, to: &mut Encoder) {
        self.is_some().keep(to);
        if let Some(value) = self {
            value.keep(to);
        }
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if bool::restore(from)? {
            T::restore(from).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn keep(&self, to: &mut Encoder) {
        self.0.keep(to);
        self.1.keep(to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((A::restore(from)?, B::restore(from)?))
    }
}

fn keep_items<'i, T: Kept + 'i>(items: impl ExactSizeIterator<Item = &'i T>, to: &mut Encoder) {
    to.array(items.len());
    items.for_each(|item| item.keep(to));
}

/// Reads as many items as are announced, or fails where the bytes end.
fn restore_items<T: Kept, C: Default + Extend<T>>(from: &mut Decoder<'_>) -> Result<C, DecodeError> {
    let mut items = C::default();
    for _ in 0..from.array(0, usize::MAX)? {
        items.extend([T::restore(from)?]);
    }
    Ok(items)
}

macro_rules! kept_lists {
    ($($item:ty),+) => {$(
        impl Kept for Vec<$item> {
            fn keep(&self, to: &mut Encoder) {
                keep_items(self.iter(), to);
            }
            fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                restore_items::<$item, Self>(from)
            }
        }
    )+};
}
kept_lists!(Seq, Digest);

impl<T: Kept + Ord> Kept for BTreeSet<T> {
    fn keep(&self, to: &mut Encoder) {
        keep_items(self.iter(), to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        restore_items(from)
    }
}

impl<K: Kept + Ord, V: Kept> Kept for BTreeMap<K, V> {
    fn keep(&self, to: &mut Encoder) {
        to.array(self.len());
        for (key, value) in self {
            key.keep(to);
            value.keep(to);
        }
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        restore_items::<(K, V), Self>(from)
    }
}

/// The links of the last entries: 65,537 of them in any ledger that is not small, so as one string of 32 bytes each. A
/// missing one is 32 zero bytes; no link is, short of a broken hash.
impl Kept for VecDeque<Option<Link>> {
    fn keep(&self, to: &mut Encoder) {
        let bytes: Vec<u8> = self
            .iter()
            .flat_map(|link| link.as_ref().map_or([0; 32], |link| *link.as_bytes()))
            .collect();
        to.bytes(&bytes);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = restore_bytes(from)?;
        let (links, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return malformed(from, "list of links");
        }
        let known = |link: &[u8; 32]| (*link != [0; 32]).then(|| Link::from_bytes(*link));
        Ok(links.iter().map(known).collect())
    }
}

impl Kept for PeerDid {
    fn keep(&self, to: &mut Encoder) {
        to.text(self.long());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match Self::parse_long(from.text(DID_LEN_MAX)?) {
            Ok(did) => Ok(did),
            Err(_) => malformed(from, "DID"),
        }
    }
}

impl Kept for ShortDid {
    fn keep(&self, to: &mut Encoder) {
        to.text(self.as_str());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match Self::parse(from.text(DID_LEN_MAX)?) {
            Ok(did) => Ok(did),
            Err(_) => malformed(from, "DID"),
        }
    }
}

impl Kept for Window {
    fn keep(&self, to: &mut Encoder) {
        (self.from(), self.until()).keep(to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (first, until) = Kept::restore(from)?;
        Self::new(first, until).or_else(|_| malformed(from, "window"))
    }
}

/// As the JSON object that credentials hold.
impl Kept for Grant {
    fn keep(&self, to: &mut Encoder) {
        to.text(&self.to_json().to_string());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let text = from.text(usize::MAX)?;
        let grant = serde_json::from_str(text).ok();
        match grant.and_then(|grant| Self::from_json(&grant).ok()) {
            Some(grant) => Ok(grant),
            None => malformed(from, "grant"),
        }
    }
}

kept!(HostClaims {
    window,
    host,
    site,
    may_issue
});

impl Kept for MayIssue {
    fn keep(&self, to: &mut Encoder) {
        to.text(self.as_str());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let word = from.text(DID_LEN_MAX)?;
        let known = [Self::Instance, Self::RootGrant];
        match known.into_iter().find(|may| may.as_str() == word) {
            Some(may) => Ok(may),
            None => malformed(from, "authority of a host"),
        }
    }
}

impl Kept for CheckpointPublicKeys {
    fn keep(&self, to: &mut Encoder) {
        to.bytes(self.ed25519_bytes());
        to.bytes(self.ml_dsa_bytes());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (ed25519, ml_dsa) = (from.array_bytes()?, from.array_bytes()?);
        Self::from_bytes(&ed25519, &ml_dsa).or_else(|_| malformed(from, "checkpoint key"))
    }
}

impl Kept for Root {
    fn keep(&self, to: &mut Encoder) {
        to.bytes(self.as_bytes());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array_bytes().map(Self::from_bytes)
    }
}

impl Kept for Frontier {
    fn keep(&self, to: &mut Encoder) {
        to.bytes(&self.to_bytes());
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match Self::from_bytes(restore_bytes(from)?) {
            Some(tree) => Ok(tree),
            None => malformed(from, "tree"),
        }
    }
}
