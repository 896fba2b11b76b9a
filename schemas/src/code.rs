//! The code lists of bodies: small integers with a word each (statement-v1 §5.22).

/// Makes an enum that is encoded as an integer. `$max` bounds the range the list may grow into: a code above it is
/// malformed, an unassigned one below it belongs to a newer format.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident $max:literal { $( $(#[$item_doc:meta])* $item:ident = $code:literal $word:literal, )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$item_doc])* $item = $code, )*
        }

        impl $name {
            /// Every assigned code, ascending.
            pub const ALL: &'static [Self] = &[$( Self::$item, )*];

            /// The integer on the wire.
            #[must_use]
            pub const fn code(self) -> u64 {
                self as u64
            }

            /// The assigned code, if any.
            #[must_use]
            pub const fn from_code(code: u64) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$item), )*
                    _ => None,
                }
            }

            /// The word for people and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$item => $word, )*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::field::Field for $name {
            fn encode(&self, to: &mut $crate::cbor::Encoder) {
                to.uint(self.code());
            }
            fn decode(from: &mut $crate::cbor::Decoder<'_>) -> Result<Self, $crate::cbor::DecodeError> {
                let offset = from.offset();
                let code = from.uint53()?;
                let list = stringify!($name);
                let problem = match Self::from_code(code) {
                    Some(known) => return Ok(known),
                    None if code > $max => $crate::cbor::Problem::Range(list),
                    None => $crate::cbor::Problem::NewerCode { list, code },
                };
                Err($crate::cbor::DecodeError { offset, problem })
            }
            fn to_json(&self) -> serde_json::Value {
                self.as_str().into()
            }
        }
    };
}
pub(crate) use codes;
