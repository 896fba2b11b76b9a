//! The first entry: a ledger comes into being with its whole trust start.

use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{
    CredentialError, HostCredential, InstanceClaims, InstanceCredential, InstanceRole,
};
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_identity::keys::{HybridSecret, Seed32};
use countersign_ledger::checkpoint::{Checkpoint, CheckpointKeys};
use countersign_ledger::cose::AadLedger;
use countersign_ledger::merkle::Frontier;
use countersign_ledger::store::Sqlite;
use countersign_schemas::body::{CheckpointKeys as CheckpointKeysField, Opened, Predecessor, Suites};
use countersign_schemas::chain::GENESIS_PREV;
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::list::{Bytes, Doc, List};
use countersign_schemas::number::{Count, Seq, Size};
use countersign_schemas::statement::{Seen, Statement};
use countersign_schemas::text::{Did, Name, Origin};
use countersign_verifier::law::Law;
use data_encoding::HEXLOWER;

use super::fold::Folds;
use super::heads::{self, Beat, Heads, Stored};
use super::place::Place;
use super::writer::{Own, Writer};
use super::{Instance, Newborn, RecordError, Recorder, Shared, Signed, State};
use crate::clock::Clock;
use crate::side_by_side::side_by_side;

/// The principal's name and the host's keys and credential: what a run acts under.
pub struct Authority {
    principal: PeerDid,
    host: HybridSecret,
    host_did: PeerDid,
    host_credential: Vec<u8>,
    window: Window,
}

impl Authority {
    /// Checks that the host's credential is the principal's word for this very host.
    ///
    /// # Errors
    /// [`CredentialError`] when the credential is malformed, not the principal's, or not for this host's DID.
    pub fn new(principal: PeerDid, host: HybridSecret, host_credential: Vec<u8>) -> Result<Self, CredentialError> {
        let host_did = PeerDid::from_keys(host.public());
        let verified = HostCredential::parse(&host_credential)?.verify(&principal)?;
        if verified.claims().host != *host_did.short_did() {
            return Err(CredentialError::ForeignKey {
                did: host_did.short_did().clone(),
            });
        }
        let window = verified.window();
        Ok(Self {
            principal,
            host,
            host_did,
            host_credential,
            window,
        })
    }

    /// The principal.
    #[must_use]
    pub const fn principal(&self) -> &PeerDid {
        &self.principal
    }

    /// The host's keys.
    #[must_use]
    pub const fn host(&self) -> &HybridSecret {
        &self.host
    }

    /// The host's DID.
    #[must_use]
    pub const fn host_did(&self) -> &PeerDid {
        &self.host_did
    }

    /// From when until when the host may act.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }
}

impl Recorder {
    /// Makes the ledger at `place` with its first entry, and opens it. The first checkpoint is written behind that entry.
    ///
    /// `window` is that of the runtime instance; `build` names the program.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is left there unless the file was made and what came after it failed.
    pub fn create(
        place: impl Into<Place>,
        authority: &Authority,
        window: Window,
        build: Digest,
    ) -> Result<Self, RecordError> {
        Self::make(place.into(), authority, window, build, None)
    }

    /// As [`Recorder::create`], for a ledger that goes on where `predecessor` ended. Whoever calls has verified that one.
    ///
    /// # Errors
    /// As [`Recorder::create`].
    pub fn create_after(
        predecessor: Predecessor,
        place: impl Into<Place>,
        authority: &Authority,
        window: Window,
        build: Digest,
    ) -> Result<Self, RecordError> {
        Self::make(place.into(), authority, window, build, Some(predecessor))
    }

    fn make(
        place: Place,
        authority: &Authority,
        window: Window,
        build: Digest,
        predecessor: Option<Predecessor>,
    ) -> Result<Self, RecordError> {
        refuse_taken_head_file(&place)?;
        let mut clock = Clock::default();
        let at = clock.read();
        let newborn = Newborn::generate()?;
        let nonce = fresh_nonce()?;
        let checkpoint_keys = CheckpointKeys::derive(authority.host(), &nonce);
        let terms = Terms {
            nonce,
            build,
            predecessor,
        };
        let opened = opened(authority, &newborn, terms, &checkpoint_keys, window)?;
        let origin = opened.origin.clone();
        let seen = Seen {
            size: Size::ZERO,
            link: GENESIS_PREV,
        };
        let statement = Statement {
            by: Seq::ZERO,
            n: Count::ZERO,
            at,
            seen,
            body: opened.into(),
            ext: None,
        };
        let ledger = LedgerId::of_genesis(&statement.encode());
        let runtime: Instance = newborn.introduced_at(Seq::ZERO);
        let signed = Signed::new(statement, at, GENESIS_PREV, AadLedger::Genesis, &runtime);
        let (mut law, mut tree) = (Law::new(), Frontier::new());
        let row = signed.admit(&mut law, &tree, Vec::new())?;
        tree.push(row.record());
        let head = Checkpoint {
            origin: origin.clone(),
            size: law.head().size,
            root: tree.root(),
        };
        // Making the file is waiting for the disk, and signing is none of its concern.
        let (note, store) = side_by_side(
            || heads::sign(&head, &checkpoint_keys, at),
            || Sqlite::create(place.ledger(), &[row]),
        )
        .map_err(RecordError::Thread)?;
        let (note, store) = (note?, store?);
        let head_file = place.head_file(store.path());
        let folds = Folds::kept_up_to(Size::ZERO, store.path(), authority.host(), &nonce);
        let path = store.path().to_owned();
        let own = Own::start(store).map_err(RecordError::Thread)?;
        // Written behind the first entry; whoever waits for a later one has waited for it.
        let first = Stored::new(head.size, note.clone(), own.put_checkpoint(head.size, note));
        let state = State {
            law,
            clock,
            head: signed.link,
            tree,
            writer: Writer::Own(own),
            pending: None,
        };
        let heads = Heads::signed_up_to(head.size, origin, checkpoint_keys, head_file, folds);
        let shared = Arc::new(Shared::new(ledger, path, state, heads));
        shared.open_door();
        Self::over(shared, runtime, Some(first))
    }

    /// The recorder of `runtime` over an open ledger; `first` is a head on its way to the disk.
    pub(super) fn over(shared: Arc<Shared>, runtime: Instance, first: Option<Stored>) -> Result<Self, RecordError> {
        Ok(Self {
            ledger: shared.ledger,
            runtime,
            beat: Some(Beat::start(&shared, first)?),
            shared,
        })
    }
}

/// A new ledger's head file is new. Beside a ledger, where nobody else's can be, one that was left behind is replaced.
fn refuse_taken_head_file(place: &Place) -> Result<(), RecordError> {
    match place.chosen_head_file() {
        Some(file) if file.read()?.is_some() => Err(RecordError::HeadFileTaken {
            path: file.path().to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What makes the ledger's id unguessable, and its checkpoint keys its own.
fn fresh_nonce() -> Result<[u8; 16], RecordError> {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&Seed32::generate()?.expose()[..16]);
    Ok(nonce)
}

/// What a ledger is founded on besides who founds it.
struct Terms {
    nonce: [u8; 16],
    build: Digest,
    predecessor: Option<Predecessor>,
}

fn opened(
    authority: &Authority,
    runtime: &Newborn,
    terms: Terms,
    checkpoint_keys: &CheckpointKeys,
    window: Window,
) -> Result<Opened, RecordError> {
    let Terms {
        nonce,
        build,
        predecessor,
    } = terms;
    let public = checkpoint_keys.public();
    let mut opened = Opened {
        nonce: Bytes::new(nonce),
        origin: Origin::new(format!("countersign/{}", HEXLOWER.encode(&nonce)))?,
        principal: Did::new(authority.principal.long())?,
        dids: List::new(vec![
            Did::new(authority.host_did.long())?,
            Did::new(runtime.did().long())?,
        ])?,
        credentials: host_credential_only(authority)?,
        checkpoint_keys: CheckpointKeysField {
            ed25519: Bytes::new(*public.ed25519_bytes()),
            ml_dsa_44: Bytes::new(*public.ml_dsa_bytes()),
        },
        suites: Suites::Table,
        build,
        predecessor,
    };
    // The founding digest does not cover the credentials, so the instance's can be made last.
    let claims = InstanceClaims {
        window,
        instance: runtime.did().short_did().clone(),
        role: InstanceRole::Runtime,
        name: Name::new("runtime")?,
        operator: authority.principal.short_did().clone(),
        runtime: crate::session::runtime_build()?,
        model: None,
        ledger: LedgerBinding::Founding(opened.founding()),
    };
    let credential = InstanceCredential::issue(&claims, &authority.host, &authority.host_did)?;
    opened.credentials = List::new(vec![
        Doc::new(authority.host_credential.clone())?,
        Doc::new(credential)?,
    ])?;
    Ok(opened)
}

/// What stands in the credentials until the instance has its own: the founding digest covers neither.
fn host_credential_only(authority: &Authority) -> Result<List<Doc, 2, 2>, RecordError> {
    let host = Doc::new(authority.host_credential.clone())?;
    Ok(List::new(vec![host.clone(), host])?)
}
