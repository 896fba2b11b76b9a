//! Two whole records with their signatures: the hybrid genesis, and the worked example of the specification.
//!
//! Envelopes are read by `countersign-ledger`; here they are written item by item as statement-v1 §4 draws them.

use countersign_schemas::cbor::Encoder;
use countersign_schemas::chain;
use countersign_schemas::digest::{LedgerId, Link};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::record::Record;
use countersign_schemas::statement::{CONTENT_TYPE, Statement};
use ed25519_dalek::Signer as _;
use ml_dsa::{KeyInit as _, Keypair as _, MlDsa44};
use serde_json::{Map, Value, json};

use super::{Expect, Vector, hex, sample};

/// −19 and −48 of the COSE algorithm registry, as the argument of a negative integer.
const ALG_ED25519: u64 = 18;
const ALG_ML_DSA_44: u64 = 47;

pub(super) fn vectors() -> [Vector; 2] {
    let genesis = sample::genesis();
    let ledger = LedgerId::of_genesis(&genesis.encode());
    let request = sample::statement(sample::requested().into());
    [
        signed(
            "hybrid_genesis",
            "§4.5",
            "record 0 with both signatures",
            Seq::ZERO,
            &genesis,
            None,
        ),
        signed(
            "worked_example",
            "§12",
            "the worked example",
            Seq::clamped(7),
            &request,
            Some(ledger),
        ),
    ]
}

fn ed25519_seed() -> [u8; 32] {
    std::array::from_fn(|place| place.to_le_bytes()[0])
}

fn ml_dsa_seed() -> [u8; 32] {
    ed25519_seed().map(|byte| byte + 0x20)
}

/// Signs and records a statement: hybrid at the genesis, where there is no ledger id yet, with Ed25519 elsewhere.
fn signed(name: &str, spec: &'static str, why: &str, seq: Seq, said: &Statement, ledger: Option<LedgerId>) -> Vector {
    let payload = said.encode();
    let id = ledger.map_or([0; 32], |id| *id.as_bytes());
    let aad = [b"countersign/1".as_slice(), &id].concat();
    let mut more = Map::new();
    let envelope = match ledger {
        None => sign2(&payload, &aad, &mut more),
        Some(_) => sign1(&payload, &aad, &mut more),
    };
    let record = Record {
        seq,
        received: Millis::clamped(said.at.get() + 2),
        prev: if ledger.is_none() {
            chain::GENESIS_PREV
        } else {
            Link::from_bytes([0x77; 32])
        },
        statement: envelope.clone(),
    };
    let input = record.encode();
    let members = [
        ("ed25519_seed", hex(&ed25519_seed())),
        (
            "ed25519_public",
            hex(ed25519_dalek::SigningKey::from_bytes(&ed25519_seed())
                .verifying_key()
                .as_bytes()),
        ),
        ("aad_hex", hex(&aad)),
        ("statement_hex", hex(&payload)),
        ("envelope_hex", hex(&envelope)),
        ("digest", Statement::digest(&payload).to_string()),
        ("link", chain::link(&input).to_string()),
    ];
    more.extend(members.map(|(member, value)| (member.to_owned(), value.into())));
    let name = format!("signed_{name}");
    Vector {
        name,
        subject: "signed",
        spec,
        why: why.into(),
        input,
        expect: Expect::Ok,
        more,
    }
}

fn sign1(payload: &[u8], aad: &[u8], more: &mut Map<String, Value>) -> Vec<u8> {
    let protected = header(Some(ALG_ED25519), true);
    let mut to_sign = Encoder::new();
    to_sign.array(4);
    to_sign.text("Signature1");
    for part in [protected.as_slice(), aad, payload] {
        to_sign.bytes(part);
    }
    let to_sign = to_sign.finish();
    let signature = ed25519(&to_sign);

    let mut envelope = Encoder::new();
    envelope.tag(18);
    envelope.array(4);
    envelope.bytes(&protected);
    envelope.map(0);
    envelope.bytes(payload);
    envelope.bytes(&signature);
    more.insert("sig_structures_hex".into(), json!([hex(&to_sign)]));
    more.insert("signatures_hex".into(), json!([hex(&signature)]));
    envelope.finish()
}

fn sign2(payload: &[u8], aad: &[u8], more: &mut Map<String, Value>) -> Vec<u8> {
    let body = header(None, true);
    let signers = [header(Some(ALG_ED25519), false), header(Some(ALG_ML_DSA_44), false)];
    let to_sign = signers.each_ref().map(|signer| {
        let mut to = Encoder::new();
        to.array(5);
        to.text("Signature");
        for part in [body.as_slice(), signer, aad, payload] {
            to.bytes(part);
        }
        to.finish()
    });
    let key = ml_dsa::SigningKey::<MlDsa44>::new(&ml_dsa::Seed::from(ml_dsa_seed()));
    let ml_dsa = ml_dsa::Signer::sign(&key, &to_sign[1]).encode();
    let signatures = [ed25519(&to_sign[0]).to_vec(), ml_dsa.to_vec()];

    let mut envelope = Encoder::new();
    envelope.tag(98);
    envelope.array(4);
    envelope.bytes(&body);
    envelope.map(0);
    envelope.bytes(payload);
    envelope.array(2);
    for (signer, signature) in signers.iter().zip(&signatures) {
        envelope.array(3);
        envelope.bytes(signer);
        envelope.map(0);
        envelope.bytes(signature);
    }
    more.insert(
        "sig_structures_hex".into(),
        to_sign.iter().map(|bytes| hex(bytes)).collect(),
    );
    more.insert(
        "signatures_hex".into(),
        signatures.iter().map(|bytes| hex(bytes)).collect(),
    );
    more.insert("mldsa44_seed".into(), hex(&ml_dsa_seed()).into());
    more.insert("mldsa44_public".into(), hex(&key.verifying_key().encode()).into());
    envelope.finish()
}

/// A protected header: algorithm, content type, or both.
fn header(alg: Option<u64>, typed: bool) -> Vec<u8> {
    let mut to = Encoder::new();
    to.map(usize::from(alg.is_some()) + usize::from(typed));
    if let Some(alg) = alg {
        to.uint(1);
        to.negative(alg);
    }
    if typed {
        to.uint(3);
        to.text(CONTENT_TYPE);
    }
    to.finish()
}

fn ed25519(message: &[u8]) -> [u8; 64] {
    ed25519_dalek::SigningKey::from_bytes(&ed25519_seed())
        .sign(message)
        .to_bytes()
}
