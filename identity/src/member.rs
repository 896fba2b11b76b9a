//! Reading JSON objects whose members are known exactly: nothing missing, nothing else, every value bounded.

use std::collections::BTreeSet;

use countersign_schemas::digest::Digest;
use countersign_schemas::number::Count;
use countersign_schemas::text::{Name, TextError};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::did::{DidError, ShortDid};
use crate::text::TextProblem;

/// Why a member of a document is not acceptable; `place` is the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemberError {
    /// Another JSON type where an object belongs.
    #[error("{place} is not an object")]
    NotAnObject {
        /// The place.
        place: &'static str,
    },
    /// A required member is absent.
    #[error("{place} has no member `{name}`")]
    Missing {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
    },
    /// A member that this version does not know: it could narrow or widen what we understand, so nothing is guessed.
    #[error("{place} has the unknown member `{name}`")]
    Unknown {
        /// The object.
        place: &'static str,
        /// The member, shortened to 64 characters.
        name: String,
    },
    /// Another JSON type than the member has.
    #[error("`{name}` of {place} is not {expected}")]
    Type {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// The required type.
        expected: &'static str,
    },
    /// A value outside a closed list, or other than the only one allowed.
    #[error("`{name}` of {place} is not {expected}")]
    Value {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
    /// An integer above its limit.
    #[error("`{name}` of {place} is greater than {max}")]
    Range {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// The limit.
        max: u64,
    },
    /// A list that is not strictly ascending by UTF-8 bytes, duplicates included.
    #[error("`{name}` of {place} is not sorted without duplicates")]
    Unsorted {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
    },
    /// A list with more items than allowed.
    #[error("`{name}` of {place} has {found} items, allowed are {max}")]
    TooMany {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// Items found.
        found: usize,
        /// Items allowed.
        max: usize,
    },
    /// Not a name.
    #[error("`{name}` of {place} is not a name")]
    Name {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: TextError,
    },
    /// Not 32 bytes in lower-case hex.
    #[error("`{name}` of {place} is not 64 lower-case hex digits")]
    Digest {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
    },
    /// Not a DID in short form.
    #[error("`{name}` of {place} is not a did:peer:4 in short form")]
    Did {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: DidError,
    },
    /// A text that is too long or could deceive a reader.
    #[error("`{name}` of {place} is not acceptable text")]
    Text {
        /// The object.
        place: &'static str,
        /// The member.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: TextProblem,
    },
}

impl MemberError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject { .. } => "not_an_object",
            Self::Missing { .. } => "missing_member",
            Self::Unknown { .. } => "unknown_member",
            Self::Type { .. } => "wrong_type",
            Self::Value { .. } => "wrong_value",
            Self::Range { .. } => "out_of_range",
            Self::Unsorted { .. } => "unsorted",
            Self::TooMany { .. } => "too_many",
            Self::Name { .. } => "bad_name",
            Self::Digest { .. } => "bad_digest",
            Self::Did { .. } => "bad_did",
            Self::Text { .. } => "bad_text",
        }
    }
}

/// An object under inspection: what was not asked for by name is refused at the end.
pub(crate) struct Members<'a> {
    place: &'static str,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    pub(crate) fn of(place: &'static str, value: &'a Value) -> Result<Self, MemberError> {
        let map = value.as_object().ok_or(MemberError::NotAnObject { place })?;
        Ok(Self {
            place,
            map,
            known: Vec::with_capacity(map.len()),
        })
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Member<'a>> {
        self.known.push(name);
        let value = self.map.get(name)?;
        Some(Member {
            place: self.place,
            name,
            value,
        })
    }

    pub(crate) fn required(&mut self, name: &'static str) -> Result<Member<'a>, MemberError> {
        let place = self.place;
        self.optional(name).ok_or(MemberError::Missing { place, name })
    }

    /// Refuses the first member that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), MemberError> {
        match self.map.keys().find(|key| !self.known.contains(&key.as_str())) {
            Some(key) => Err(MemberError::Unknown {
                place: self.place,
                name: key.chars().take(64).collect(),
            }),
            None => Ok(()),
        }
    }
}

/// One value together with where it was found.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) place: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: &'a Value,
}

impl<'a> Member<'a> {
    fn wrong_type(self, expected: &'static str) -> MemberError {
        MemberError::Type {
            place: self.place,
            name: self.name,
            expected,
        }
    }

    pub(crate) fn wrong_value(self, expected: &'static str) -> MemberError {
        MemberError::Value {
            place: self.place,
            name: self.name,
            expected,
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, MemberError> {
        self.value.as_str().ok_or_else(|| self.wrong_type("a string"))
    }

    pub(crate) fn boolean(self) -> Result<bool, MemberError> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    pub(crate) fn integer(self, max: u64) -> Result<u64, MemberError> {
        let value = self
            .value
            .as_u64()
            .ok_or_else(|| self.wrong_type("a non-negative integer"))?;
        if value > max {
            return Err(MemberError::Range {
                place: self.place,
                name: self.name,
                max,
            });
        }
        Ok(value)
    }

    pub(crate) fn count(self) -> Result<Count, MemberError> {
        self.integer(countersign_schemas::number::INTEGER_MAX)
            .map(Count::clamped)
    }

    /// Demands exactly this JSON value; `expected` says it in words.
    pub(crate) fn constant(self, value: &Value, expected: &'static str) -> Result<(), MemberError> {
        if self.value == value {
            Ok(())
        } else {
            Err(self.wrong_value(expected))
        }
    }

    pub(crate) fn name(self) -> Result<Name, MemberError> {
        let (place, name) = (self.place, self.name);
        Name::new(self.text()?).map_err(|source| MemberError::Name { place, name, source })
    }

    pub(crate) fn digest(self) -> Result<Digest, MemberError> {
        let (place, name) = (self.place, self.name);
        self.text()?.parse().map_err(|_| MemberError::Digest { place, name })
    }

    pub(crate) fn digest_or_null(self) -> Result<Option<Digest>, MemberError> {
        if self.value.is_null() {
            Ok(None)
        } else {
            self.digest().map(Some)
        }
    }

    pub(crate) fn short_did(self) -> Result<ShortDid, MemberError> {
        let (place, name) = (self.place, self.name);
        ShortDid::parse(self.text()?).map_err(|source| MemberError::Did { place, name, source })
    }

    pub(crate) fn bad_text(self, source: TextProblem) -> MemberError {
        MemberError::Text {
            place: self.place,
            name: self.name,
            source,
        }
    }

    /// The items of an array, each as a member of the same name.
    pub(crate) fn items(self, max: usize) -> Result<impl Iterator<Item = Member<'a>>, MemberError> {
        let items = self.value.as_array().ok_or_else(|| self.wrong_type("an array"))?;
        if items.len() > max {
            return Err(MemberError::TooMany {
                place: self.place,
                name: self.name,
                found: items.len(),
                max,
            });
        }
        Ok(items.iter().map(move |value| Member { value, ..self }))
    }

    /// A set written as a strictly ascending array.
    pub(crate) fn sorted_set<T: Ord>(
        self,
        max: usize,
        read: impl Fn(Member<'a>) -> Result<T, MemberError>,
    ) -> Result<BTreeSet<T>, MemberError> {
        let mut set = BTreeSet::new();
        for item in self.items(max)? {
            let item = read(item)?;
            if set.last().is_some_and(|last| *last >= item) {
                return Err(MemberError::Unsorted {
                    place: self.place,
                    name: self.name,
                });
            }
            set.insert(item);
        }
        Ok(set)
    }
}
