//! What every value inside a body can do, and the macro that turns a field list into a body.

use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder};
use crate::number::Seq;
use crate::payload::PayloadRef;

/// A value with one canonical encoding, a JSON form for people, and the entries and payloads it refers to.
pub trait Field: Sized {
    /// Writes the canonical encoding.
    fn encode(&self, to: &mut Encoder);

    /// Reads the canonical encoding and keeps every limit.
    ///
    /// # Errors
    /// [`DecodeError`] at the first byte that is wrong.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// The form of `ledger log --json` (statement-v1 §9).
    fn to_json(&self) -> Value;

    /// Adds the entries this value names; they must lie below `seen.size` (rule I5).
    fn entries(&self, _into: &mut Vec<Seq>) {}

    /// Adds the payloads this value commits to, in slot order.
    fn payloads<'a>(&'a self, _into: &mut Vec<&'a PayloadRef>) {}
}

/// `null` stands for the absent value of a required key.
impl<T: Field> Field for Option<T> {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Some(value) => value.encode(to),
            None => to.null(),
        }
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if from.null() {
            Ok(None)
        } else {
            T::decode(from).map(Some)
        }
    }
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
    fn entries(&self, into: &mut Vec<Seq>) {
        if let Some(value) = self {
            value.entries(into);
        }
    }
    fn payloads<'a>(&'a self, into: &mut Vec<&'a PayloadRef>) {
        if let Some(value) = self {
            value.payloads(into);
        }
    }
}

/// Makes a struct that is encoded as a map with integer keys. Required keys come first, optional ones (`?`) may be left
/// out; a required value may still be an `Option`, which is `null` when empty.
macro_rules! map_struct {
    (
        $(#[$doc:meta])*
        $name:ident {
            $( $key:literal $field:ident : $type:ty $([$field_doc:literal])? ; )*
            $( ? $opt_key:literal $opt_field:ident : $opt_type:ty $([$opt_doc:literal])? ; )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( #[doc = concat!("Key ", $key, ". ", $($field_doc)?)] pub $field: $type, )*
            $( #[doc = concat!("Key ", $opt_key, ", optional. ", $($opt_doc)?)] pub $opt_field: Option<$opt_type>, )*
        }

        impl $crate::field::Field for $name {
            fn encode(&self, to: &mut $crate::cbor::Encoder) {
                let len = [$( $key, )*].len() $( + usize::from(self.$opt_field.is_some()) )*;
                to.map(len);
                $( to.uint($key); $crate::field::Field::encode(&self.$field, to); )*
                $( if let Some(value) = &self.$opt_field { to.uint($opt_key); $crate::field::Field::encode(value, to); } )*
            }

            fn decode(from: &mut $crate::cbor::Decoder<'_>) -> Result<Self, $crate::cbor::DecodeError> {
                let start = from.offset();
                $( let mut $field = None; )*
                $( let mut $opt_field = None; )*
                let mut keys = $crate::cbor::Keys::begin(from, 32)?;
                loop {
                    let at = from.offset();
                    match keys.next(from)? {
                        None => break,
                        $( Some($key) => $field = Some(<$type as $crate::field::Field>::decode(from)?), )*
                        $( Some($opt_key) => $opt_field = Some(<$opt_type as $crate::field::Field>::decode(from)?), )*
                        Some(key) => {
                            return Err($crate::cbor::DecodeError {
                                offset: at,
                                problem: $crate::cbor::Problem::NewerKey(key),
                            });
                        }
                    }
                }
                let missing = |key| $crate::cbor::DecodeError {
                    offset: start,
                    problem: $crate::cbor::Problem::MissingKey(key),
                };
                Ok(Self {
                    $( $field: $field.ok_or_else(|| missing($key))?, )*
                    $( $opt_field, )*
                })
            }

            fn to_json(&self) -> serde_json::Value {
                let mut object = serde_json::Map::new();
                $( object.insert(stringify!($field).into(), $crate::field::Field::to_json(&self.$field)); )*
                $( if let Some(value) = &self.$opt_field {
                    object.insert(stringify!($opt_field).into(), $crate::field::Field::to_json(value));
                } )*
                object.into()
            }

            fn entries(&self, into: &mut Vec<$crate::number::Seq>) {
                let _ = &into;
                $( $crate::field::Field::entries(&self.$field, into); )*
                $( if let Some(value) = &self.$opt_field { $crate::field::Field::entries(value, into); } )*
            }

            fn payloads<'a>(&'a self, into: &mut Vec<&'a $crate::payload::PayloadRef>) {
                let _ = &into;
                $( $crate::field::Field::payloads(&self.$field, into); )*
                $( if let Some(value) = &self.$opt_field { $crate::field::Field::payloads(value, into); } )*
            }
        }
    };
}
pub(crate) use map_struct;

/// Makes a struct that is encoded as an array of fixed length.
macro_rules! array_struct {
    ( $(#[$doc:meta])* $name:ident { $( $field:ident : $type:ty [$field_doc:literal] ; )* } ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( #[doc = $field_doc] pub $field: $type, )*
        }

        impl $crate::field::Field for $name {
            fn encode(&self, to: &mut $crate::cbor::Encoder) {
                to.array([$( stringify!($field), )*].len());
                $( $crate::field::Field::encode(&self.$field, to); )*
            }

            fn decode(from: &mut $crate::cbor::Decoder<'_>) -> Result<Self, $crate::cbor::DecodeError> {
                let len = [$( stringify!($field), )*].len();
                from.array(len, len)?;
                Ok(Self { $( $field: <$type as $crate::field::Field>::decode(from)?, )* })
            }

            fn to_json(&self) -> serde_json::Value {
                let mut object = serde_json::Map::new();
                $( object.insert(stringify!($field).into(), $crate::field::Field::to_json(&self.$field)); )*
                object.into()
            }

            fn entries(&self, into: &mut Vec<$crate::number::Seq>) {
                let _ = &into;
                $( $crate::field::Field::entries(&self.$field, into); )*
            }

            fn payloads<'a>(&'a self, into: &mut Vec<&'a $crate::payload::PayloadRef>) {
                let _ = &into;
                $( $crate::field::Field::payloads(&self.$field, into); )*
            }
        }
    };
}
pub(crate) use array_struct;
