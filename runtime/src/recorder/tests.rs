//! What a recorder does when the clock steps back, and when an entry is too large.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use countersign_identity::credential::{HostClaims, HostCredential, MayIssue};
use countersign_identity::trust::Anchor;
use countersign_ledger::layout::PAYLOAD_BYTES_MAX;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::body::{EventCode, SessionEvent};
use countersign_schemas::text::Name;
use countersign_verifier::audit::{AuditOptions, Verdict, audit};

use super::*;
use countersign_identity::did::PeerDid;
use countersign_identity::instant::Window;
use countersign_identity::keys::HybridSecret;

type Checked<T = ()> = Result<T, Box<dyn Error>>;

pub(super) fn authority() -> Checked<(Authority, Window)> {
    let (principal, host) = (HybridSecret::generate()?, HybridSecret::generate()?);
    let principal_did = PeerDid::from_keys(principal.public());
    let now = Clock::default().read().get() / 1000 * 1000;
    let window = Window::new(Millis::clamped(now - 60_000), Millis::clamped(now + 3_600_000))?;
    let claims = HostClaims {
        window,
        host: PeerDid::from_keys(host.public()).short_did().clone(),
        site: Name::new("test")?,
        may_issue: BTreeSet::from([MayIssue::Instance]),
    };
    let credential = HostCredential::issue(&claims, &principal, &principal_did)?;
    Ok((Authority::new(principal_did, host, credential)?, window))
}

fn recorder(path: &Path) -> Checked<(Recorder, AuditOptions)> {
    let (authority, window) = authority()?;
    let recorder = Recorder::create(path, &authority, window, Digest::sha256(b"build"))?;
    Ok((recorder, anchored_by(&authority)))
}

pub(super) fn anchored_by(authority: &Authority) -> AuditOptions {
    AuditOptions {
        anchors: vec![Anchor::Long(authority.principal().clone())],
        ..AuditOptions::default()
    }
}

fn block_on<T>(test: impl Future<Output = Checked<T>>) -> Checked<T> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(test)
}

fn warning(detail: &Payload) -> Body {
    SessionEvent {
        code: EventCode::Warning,
        about: None,
        detail: Some(detail.reference()),
    }
    .into()
}

fn verdict(path: &Path, anchored: &AuditOptions) -> Checked<(Verdict, u64)> {
    let report = audit(&LedgerReader::open(path)?, anchored);
    Ok((report.verdict(), report.entries))
}

#[test]
fn a_ledger_closes_while_the_clock_is_behind() -> Checked {
    block_on(async {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ledger.db");
        let (recorder, anchored) = recorder(&path)?;
        recorder.lock().clock.run_ahead(60_000);
        recorder.close().await?;
        // ledger.opened, clock-stepped, ledger.closed.
        assert_eq!(verdict(&path, &anchored)?, (Verdict::Verified, 3));
        Ok(())
    })
}

#[test]
fn an_entry_that_is_too_large_leaves_the_state_as_it_was() -> Checked {
    block_on(async {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ledger.db");
        let (recorder, anchored) = recorder(&path)?;
        let large = Payload::content(vec![0; PAYLOAD_BYTES_MAX + 1])?;
        let refused = recorder.enter_own(warning(&large), vec![large]);
        assert!(matches!(refused.err(), Some(RecordError::Row(_))));
        let small = Payload::content("a remark")?;
        recorder.enter_own(warning(&small), vec![small])?.durable().await?;
        recorder.close().await?;
        assert_eq!(verdict(&path, &anchored)?, (Verdict::Verified, 3));
        Ok(())
    })
}
