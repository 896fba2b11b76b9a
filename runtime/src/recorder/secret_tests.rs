//! Both implementations give the same bytes: RFC 8032's vectors, keys and messages drawn by lot, whole statements.

use std::error::Error;

use countersign_identity::keys::{HybridPublic, SEED_LEN, Seed32, SignatureError};
use countersign_ledger::cose::{self, AadLedger, CoseError, Unverified};
use countersign_schemas::digest::LedgerId;
use countersign_schemas::kind::SignatureSet;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Checked<T = ()> = Result<T, Box<dyn Error>>;

fn hybrid(ed25519: [u8; SEED_LEN]) -> HybridSecret {
    HybridSecret::from_seeds(Seed32::new(ed25519), Seed32::new([0x5a; SEED_LEN]))
}

fn secret(ed25519: [u8; SEED_LEN]) -> Result<InstanceSecret, SignerError> {
    InstanceSecret::new(hybrid(ed25519))
}

fn public(secret: &InstanceSecret) -> &HybridPublic {
    secret.hybrid().public()
}

/// One vector of RFC 8032 §7.1, in hexadecimal.
struct Vector {
    seed: &'static str,
    public: &'static str,
    message: &'static str,
    signature: &'static str,
}

/// "TEST 1", "TEST 2", "TEST 3", "TEST 1024" and "TEST SHA(abc)".
const RFC_8032: [Vector; 5] = [
    Vector {
        seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        message: "",
        signature: concat!(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
    },
    Vector {
        seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        message: "72",
        signature: concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    },
    Vector {
        seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        message: "af82",
        signature: concat!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    },
    Vector {
        seed: "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        public: "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        message: TEST_1024,
        signature: concat!(
            "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350",
            "aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
        ),
    },
    Vector {
        seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        public: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        message: concat!(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a",
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        signature: concat!(
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589",
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    },
];

/// The message of "TEST 1024": 1023 bytes.
const TEST_1024: &str = concat!(
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23f",
    "b1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c",
    "941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a82",
    "1a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbef",
    "efd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53",
    "f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d",
    "502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759",
    "d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b07",
    "07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22",
    "f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8",
    "fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb",
    "038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34df",
    "f7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d371459867",
    "80fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1",
    "b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a4",
    "3dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b5",
    "0d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fd",
    "e7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8ca",
    "c60c905c15fc910840b94c00a0b9d0",
);

#[test]
fn the_vectors_of_rfc_8032_are_signed_to_the_byte_by_both() -> Checked {
    for vector in RFC_8032 {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes());
        let (message, signature) = (hex(vector.message)?, hex(vector.signature)?);
        let secret = secret(hex(vector.seed)?[..].try_into()?)?;
        assert_eq!(public(&secret).ed25519_bytes()[..], hex(vector.public)?);
        assert_eq!(secret.sign_ed25519(&message).as_bytes()[..], signature);
        assert_eq!(secret.hybrid().sign_ed25519(&message).as_bytes()[..], signature);
    }
    Ok(())
}

/// SHA-512 takes the message in blocks of 128 bytes, 32 of the first one the prefix of the key or `R`.
#[test]
fn both_agree_at_every_length_around_the_blocks_of_the_hash() -> Checked {
    let secret = secret([1; SEED_LEN])?;
    let message: Vec<u8> = (0..=u8::MAX).cycle().take(700).collect();
    for len in 0..=message.len() {
        let message = &message[..len];
        assert_eq!(
            secret.sign_ed25519(message),
            secret.hybrid().sign_ed25519(message),
            "{len}"
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn both_agree_on_any_key_and_message(seed: [u8; SEED_LEN], message in vec(any::<u8>(), 0..2_000)) {
        let secret = secret(seed)?;
        let signature = secret.sign_ed25519(&message);
        prop_assert_eq!(&signature, &secret.hybrid().sign_ed25519(&message));
        public(&secret).verify_ed25519(&message, &signature)?;
    }

    #[test]
    fn another_bit_of_the_message_or_another_key_is_refused(
        seed: [u8; SEED_LEN],
        message in vec(any::<u8>(), 1..500),
        at: prop::sample::Index,
    ) {
        let secret = secret(seed)?;
        let signature = secret.sign_ed25519(&message);
        let mut other_seed = seed;
        other_seed[at.index(SEED_LEN)] ^= 1;
        let other = hybrid(other_seed);
        prop_assert_eq!(other.public().verify_ed25519(&message, &signature), Err(SignatureError::Ed25519));
        let mut changed = message;
        let bit = at.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(public(&secret).verify_ed25519(&changed, &signature), Err(SignatureError::Ed25519));
    }

    #[test]
    fn a_seed_of_another_public_key_makes_no_signer(seed: [u8; SEED_LEN], bit in 0..256_usize) {
        let right = *hybrid(seed).public().ed25519_bytes();
        let mut wrong = right;
        wrong[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key_pair(&seed, right).is_ok());
        match key_pair(&seed, wrong) {
            Err(SignerError::OtherKey { expected, found }) => {
                prop_assert_eq!((expected, found), (HEXLOWER.encode(&wrong), HEXLOWER.encode(&right)));
            }
            other => prop_assert!(false, "{:?}", other.err()),
        }
    }
}

const PAYLOAD: &[u8] = &[0xa1, 0x01, 0x02];

fn ledger() -> LedgerId {
    LedgerId::from_bytes([0x11; 32])
}

#[test]
fn statements_are_those_of_the_hybrid_key_to_the_byte_and_verify() -> Checked {
    let secret = secret([2; SEED_LEN])?;
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let envelope = cose::sign(PAYLOAD, set, ledger(), &secret);
        assert_eq!(envelope, cose::sign(PAYLOAD, set, ledger(), secret.hybrid()));
        Unverified::parse(&envelope)?.verify(public(&secret), ledger(), set)?;
    }
    Ok(())
}

#[test]
fn statements_are_not_those_of_another_key_or_ledger() -> Checked {
    let (secret, other) = (secret([3; SEED_LEN])?, secret([4; SEED_LEN])?);
    let refused = Err(CoseError::Signature(SignatureError::Ed25519));
    for set in [SignatureSet::Ed25519, SignatureSet::Hybrid] {
        let envelope = cose::sign(PAYLOAD, set, ledger(), &secret);
        let statement = Unverified::parse(&envelope)?;
        assert_eq!(statement.verify(public(&other), ledger(), set), refused);
        assert_eq!(statement.verify(public(&secret), AadLedger::Genesis, set), refused);
    }
    Ok(())
}

/// The key of aws-lc is lent to every thread that signs.
#[test]
fn threads_that_share_a_key_do_not_mix_up_their_signatures() -> Checked {
    let secret = secret([5; SEED_LEN])?;
    let wrong = std::thread::scope(|scope| {
        let threads = [0_u8, 1, 2, 3].map(|thread| {
            let secret = &secret;
            scope.spawn(move || {
                (0..100_u8)
                    .map(|n| [thread, n])
                    .find(|message| secret.sign_ed25519(message) != secret.hybrid().sign_ed25519(message))
            })
        });
        threads.map(|thread| thread.join().map_err(|_| "a thread panicked"))
    });
    assert_eq!(wrong, [Ok(None); 4]);
    Ok(())
}
