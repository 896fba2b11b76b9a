//! Kind 0: the whole trust start of a ledger in one entry.

use crate::code::codes;
use crate::digest::{Digest, LedgerId, Link};
use crate::field::{array_struct, map_struct};
use crate::list::{Bytes, Doc, List};
use crate::number::Count;
use crate::text::{Did, Origin};

codes! {
    /// The signature suites a ledger requires; a code can only raise what the kinds table says.
    Suites 1 {
        /// The table of statement-v1: Ed25519, and Ed25519 with ML-DSA-44 for the hybrid kinds.
        Table = 0 "table",
    }
}

array_struct! {
    /// The public keys that sign this ledger's checkpoints.
    CheckpointKeys {
        ed25519: Bytes<32> ["Ed25519 public key (RFC 8032)."];
        ml_dsa_44: Bytes<1312> ["ML-DSA-44 public key (FIPS 204)."];
    }
}

array_struct! {
    /// The ledger that this one follows.
    Predecessor {
        ledger: LedgerId ["Its id."];
        size: Count ["Its number of entries."];
        link: Link ["Link of its last entry."];
        root: Digest ["Root of its tree."];
    }
}

map_struct! {
    /// `ledger.opened`
    Opened {
        1 nonce: Bytes<16> ["16 random bytes."];
        2 origin: Origin ["`countersign/` and the nonce in lower-case hex; the origin line of checkpoints."];
        3 principal: Did ["The principal's DID, long form."];
        4 dids: List<Did, 2, 2> ["Host and opening runtime instance, long forms."];
        5 credentials: List<Doc, 2, 2> ["Host credential and instance credential."];
        6 checkpoint_keys: CheckpointKeys ["Keys of this ledger's checkpoints."];
        7 suites: Suites ["Required signature suites."];
        8 build: Digest ["Digest that names the program's build."];
        ? 9 predecessor: Predecessor ["The ledger this one follows."];
    }
}
