//! The signed form of a statement: COSE_Sign1 or COSE_Sign (RFC 9052) in one fixed shape (statement-v1 §4).
//!
//! There is exactly one encoding of a message, and nothing in it that is not signed: the unprotected headers are
//! empty and the protected ones are compared as bytes. Whose key it is, and what the payload says, is not decided here.

use countersign_identity::keys::{
    ED25519_SIGNATURE_LEN, Ed25519Signature, HybridPublic, ML_DSA_SIGNATURE_LEN, MlDsaSignature, Sign, SignatureError,
};
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::record::STATEMENT_BYTES_MAX;

/// COSE_Sign1 and COSE_Sign (RFC 9052 §2).
const TAG_SIGN1: u64 = 18;
const TAG_SIGN: u64 = 98;

/// `{1: -19, 3: "application/countersign-statement+cbor"}`: Ed25519 (RFC 9864) and the content type.
const SIGN1_PROTECTED: &[u8] = b"\xa2\x01\x32\x03\x78\x26application/countersign-statement+cbor";
/// `{3: "application/countersign-statement+cbor"}`.
const BODY_PROTECTED: &[u8] = b"\xa1\x03\x78\x26application/countersign-statement+cbor";
/// `{1: -19}`: Ed25519.
const ED25519_PROTECTED: &[u8] = b"\xa1\x01\x32";
/// `{1: -48}`: ML-DSA-44 (RFC 9964).
const ML_DSA_PROTECTED: &[u8] = b"\xa1\x01\x38\x2f";

/// What every statement's external data begin with.
const AAD_CONTEXT: &[u8] = b"countersign/1";

/// The ledger that a statement is signed for: its external data are `countersign/1` ‖ 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AadLedger {
    /// The genesis, which cannot name its own ledger yet: 32 zero bytes.
    Genesis,
    /// Every later entry: the ledger's id.
    Of(LedgerId),
}

impl From<LedgerId> for AadLedger {
    fn from(id: LedgerId) -> Self {
        Self::Of(id)
    }
}

impl AadLedger {
    fn external_aad(self) -> Vec<u8> {
        let id = match self {
            Self::Genesis => [0; 32],
            Self::Of(id) => *id.as_bytes(),
        };
        [AAD_CONTEXT, &id].concat()
    }
}

/// Which part of a message, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message as a whole.
    Body,
    /// The Ed25519 signature.
    Ed25519,
    /// The ML-DSA-44 signature.
    MlDsa44,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Body => "message",
            Self::Ed25519 => "Ed25519 signature",
            Self::MlDsa44 => "ML-DSA-44 signature",
        })
    }
}

/// Why bytes are not a signed statement, or not one of this key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseError {
    /// The message is longer than a record can hold.
    #[error("the signed statement has {bytes} bytes, the limit is 65000")]
    TooLong {
        /// Length found.
        bytes: usize,
    },
    /// The message begins with neither tag 18 nor tag 98.
    #[error("the signed statement is neither COSE_Sign1 nor COSE_Sign")]
    NotCose,
    /// The message is not canonical CBOR of the fixed shape.
    #[error("the signed statement is malformed")]
    Encoding(#[from] DecodeError),
    /// A protected header has other bytes than the fixed ones.
    #[error("the protected header of the {0} is not the expected one")]
    Protected(Part),
    /// An unprotected header is not empty.
    #[error("the unprotected header of the {0} is not empty")]
    Unprotected(Part),
    /// A signature has another length than its algorithm's.
    #[error("the {part} has {bytes} bytes")]
    SignatureLength {
        /// The signature.
        part: Part,
        /// Length found.
        bytes: usize,
    },
    /// A COSE_Sign has no signature or more than two.
    #[error("the signed statement carries {count} signatures")]
    SignatureCount {
        /// Signatures found.
        count: usize,
    },
    /// A required signature was left out.
    #[error("the ML-DSA-44 signature is missing")]
    Downgraded,
    /// The message carries more signatures than its kind has.
    #[error("the signed statement carries an ML-DSA-44 signature that its kind does not have")]
    WrongSet,
    /// A signature does not verify.
    #[error("the statement is not signed by its author's key for this ledger")]
    Signature(#[source] SignatureError),
}

impl CoseError {
    /// A stable word for vectors and reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::NotCose => "not-cose",
            Self::Encoding(error) => error.problem.code(),
            Self::Protected(_) => "protected",
            Self::Unprotected(_) => "unprotected",
            Self::SignatureLength { .. } => "signature-length",
            Self::SignatureCount { .. } => "signature-count",
            Self::Downgraded => "downgraded",
            Self::WrongSet => "wrong-set",
            Self::Signature(SignatureError::MlDsa44) => "signature-ml-dsa-44",
            Self::Signature(_) => "signature-ed25519",
        }
    }
}

/// Signs `payload`, the statement map, for `ledger` and gives the COSE message.
///
/// A payload that makes the message longer than 65,000 bytes gives one that every reader refuses.
#[must_use]
pub fn sign(payload: &[u8], set: SignatureSet, ledger: impl Into<AadLedger>, signer: &impl Sign) -> Vec<u8> {
    let aad = ledger.into().external_aad();
    let mut message = Encoder::new();
    match set {
        SignatureSet::Ed25519 => {
            let signature = signer.sign_ed25519(&signature1_structure(&aad, payload));
            message.tag(TAG_SIGN1);
            message.array(4);
            message.bytes(SIGN1_PROTECTED);
            message.map(0);
            message.bytes(payload);
            message.bytes(signature.as_bytes());
        }
        SignatureSet::Hybrid => {
            let ed25519 = signer.sign_ed25519(&signature_structure(ED25519_PROTECTED, &aad, payload));
            let ml_dsa = signer.sign_ml_dsa(&signature_structure(ML_DSA_PROTECTED, &aad, payload));
            message.tag(TAG_SIGN);
            message.array(4);
            message.bytes(BODY_PROTECTED);
            message.map(0);
            message.bytes(payload);
            message.array(2);
            encode_signature(&mut message, ED25519_PROTECTED, ed25519.as_bytes());
            encode_signature(&mut message, ML_DSA_PROTECTED, ml_dsa.as_bytes());
        }
    }
    message.finish()
}

fn encode_signature(message: &mut Encoder, protected: &[u8], signature: &[u8]) {
    message.array(3);
    message.bytes(protected);
    message.map(0);
    message.bytes(signature);
}

/// `Sig_structure` of COSE_Sign1 (RFC 9052 §4.4).
fn signature1_structure(aad: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut to = Encoder::new();
    to.array(4);
    to.text("Signature1");
    to.bytes(SIGN1_PROTECTED);
    to.bytes(aad);
    to.bytes(payload);
    to.finish()
}

/// `Sig_structure` of one signature of COSE_Sign (RFC 9052 §4.4).
fn signature_structure(signer_protected: &[u8], aad: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut to = Encoder::new();
    to.array(5);
    to.text("Signature");
    to.bytes(BODY_PROTECTED);
    to.bytes(signer_protected);
    to.bytes(aad);
    to.bytes(payload);
    to.finish()
}

/// A signed statement as received: may be shown, is trusted for nothing.
#[derive(Clone, Debug)]
pub struct Unverified<'m> {
    payload: &'m [u8],
    signatures: Signatures,
}

#[derive(Clone, Debug)]
enum Signatures {
    Ed25519(Ed25519Signature),
    Hybrid(Ed25519Signature, MlDsaSignature),
}

impl<'m> Unverified<'m> {
    /// Reads a message of exactly the fixed shape.
    ///
    /// # Errors
    /// [`CoseError`] at the first byte that differs from it.
    pub fn parse(message: &'m [u8]) -> Result<Self, CoseError> {
        if message.len() > STATEMENT_BYTES_MAX {
            return Err(CoseError::TooLong { bytes: message.len() });
        }
        let mut from = Decoder::new(message);
        let parsed = match message {
            [0xd2, ..] => Self::parse_sign1(&mut from)?,
            [0xd8, 0x62, ..] => Self::parse_sign(&mut from)?,
            _ => return Err(CoseError::NotCose),
        };
        from.finish()?;
        Ok(parsed)
    }

    fn parse_sign1(from: &mut Decoder<'m>) -> Result<Self, CoseError> {
        from.tag(TAG_SIGN1)?;
        from.array(4, 4)?;
        expect_headers(from, Part::Body, SIGN1_PROTECTED)?;
        let payload = from.bytes(1, STATEMENT_BYTES_MAX)?;
        let signatures = Signatures::Ed25519(ed25519_signature(from)?);
        Ok(Self { payload, signatures })
    }

    fn parse_sign(from: &mut Decoder<'m>) -> Result<Self, CoseError> {
        from.tag(TAG_SIGN)?;
        from.array(4, 4)?;
        expect_headers(from, Part::Body, BODY_PROTECTED)?;
        let payload = from.bytes(1, STATEMENT_BYTES_MAX)?;
        match from.array(0, STATEMENT_BYTES_MAX)? {
            2 => {}
            1 => return Err(CoseError::Downgraded),
            count => return Err(CoseError::SignatureCount { count }),
        }
        from.array(3, 3)?;
        expect_headers(from, Part::Ed25519, ED25519_PROTECTED)?;
        let ed25519 = ed25519_signature(from)?;
        from.array(3, 3)?;
        expect_headers(from, Part::MlDsa44, ML_DSA_PROTECTED)?;
        let ml_dsa = signature_bytes(from, Part::MlDsa44, ML_DSA_SIGNATURE_LEN)?;
        let ml_dsa = MlDsaSignature::try_from(ml_dsa).map_err(CoseError::Signature)?;
        Ok(Self {
            payload,
            signatures: Signatures::Hybrid(ed25519, ml_dsa),
        })
    }

    /// The statement map: what is signed, and what a ledger id is the hash of.
    #[must_use]
    pub fn payload(&self) -> &'m [u8] {
        self.payload
    }

    /// Which signatures the message carries.
    #[must_use]
    pub fn set(&self) -> SignatureSet {
        match self.signatures {
            Signatures::Ed25519(_) => SignatureSet::Ed25519,
            Signatures::Hybrid(..) => SignatureSet::Hybrid,
        }
    }

    /// Verifies that the message carries exactly the signatures `expected` of its kind, all by `author` and for `ledger`.
    ///
    /// # Errors
    /// [`CoseError::Downgraded`] when one is left out, [`CoseError::WrongSet`] when there is one too many,
    /// [`CoseError::Signature`] when one does not verify.
    pub fn verify(
        &self,
        author: &HybridPublic,
        ledger: impl Into<AadLedger>,
        expected: SignatureSet,
    ) -> Result<(), CoseError> {
        let aad = ledger.into().external_aad();
        let verified = match (&self.signatures, expected) {
            (Signatures::Ed25519(_), SignatureSet::Hybrid) => return Err(CoseError::Downgraded),
            (Signatures::Hybrid(..), SignatureSet::Ed25519) => return Err(CoseError::WrongSet),
            (Signatures::Ed25519(ed25519), SignatureSet::Ed25519) => {
                author.verify_ed25519(&signature1_structure(&aad, self.payload), ed25519)
            }
            (Signatures::Hybrid(ed25519, ml_dsa), SignatureSet::Hybrid) => author
                .verify_ed25519(&signature_structure(ED25519_PROTECTED, &aad, self.payload), ed25519)
                .and_then(|()| {
                    author.verify_ml_dsa(&signature_structure(ML_DSA_PROTECTED, &aad, self.payload), ml_dsa)
                }),
        };
        verified.map_err(CoseError::Signature)
    }
}

/// Reads a protected and an unprotected header: the first has fixed bytes, the second is empty.
fn expect_headers(from: &mut Decoder<'_>, part: Part, protected: &[u8]) -> Result<(), CoseError> {
    if from.bytes(0, STATEMENT_BYTES_MAX)? != protected {
        return Err(CoseError::Protected(part));
    }
    match from.map(STATEMENT_BYTES_MAX)? {
        0 => Ok(()),
        _ => Err(CoseError::Unprotected(part)),
    }
}

fn ed25519_signature(from: &mut Decoder<'_>) -> Result<Ed25519Signature, CoseError> {
    let bytes = signature_bytes(from, Part::Ed25519, ED25519_SIGNATURE_LEN)?;
    Ed25519Signature::try_from(bytes).map_err(CoseError::Signature)
}

fn signature_bytes<'m>(from: &mut Decoder<'m>, part: Part, length: usize) -> Result<&'m [u8], CoseError> {
    let bytes = from.bytes(0, STATEMENT_BYTES_MAX)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(CoseError::SignatureLength {
            part,
            bytes: bytes.len(),
        })
    }
}

#[cfg(test)]
#[path = "cose_tests.rs"]
mod tests;
