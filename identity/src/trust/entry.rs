//! An entry of a trust file: a principal, with everything that the auditor knows of it (identity-v1 §11.1).

use countersign_schemas::number::Millis;
use serde_json::Value;
use thiserror::Error;

use crate::did::{DidError, PeerDid, ShortDid};
use crate::instant::{self, InstantError};
use crate::member::{Member, MemberError, Members};
use crate::text;

/// Most hosts of one anchor.
pub const HOSTS_MAX: usize = 256;

/// Longest name in bytes: what fits a line of a report.
pub const NAME_LEN_MAX: usize = 256;

/// A principal as a trust file has it. Made by reading one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustEntry {
    did: ShortDid,
    name: Option<String>,
    from: Option<Millis>,
    until: Option<Millis>,
    compromised_since: Option<Millis>,
    hosts: Option<Vec<TrustedHost>>,
}

/// A host that the auditor knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedHost {
    did: ShortDid,
    compromised_since: Option<Millis>,
}

impl TrustEntry {
    pub(super) fn from_json(value: &Value) -> Result<Self, TrustEntryError> {
        let mut members = Members::of("an anchor", value)?;
        let did = did(members.required("did")?)?;
        let name = members.optional("name").map(name).transpose()?;
        let from = members.optional("validFrom").map(time).transpose()?;
        let until = members.optional("validUntil").map(time).transpose()?;
        let compromised_since = members.optional("compromisedSince").map(time).transpose()?;
        let hosts = members.optional("hosts").map(hosts).transpose()?;
        members.finish()?;
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return Err(TrustEntryError::EmptyWindow);
        }
        Ok(Self {
            did,
            name,
            from,
            until,
            compromised_since,
            hosts,
        })
    }

    /// The principal.
    #[must_use]
    pub fn did(&self) -> &ShortDid {
        &self.did
    }

    /// What the auditor calls it: at most [`NAME_LEN_MAX`] bytes, without characters that deceive a terminal.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// From when on the anchor holds, itself included.
    #[must_use]
    pub fn valid_from(&self) -> Option<Millis> {
        self.from
    }

    /// From when on it holds no more.
    #[must_use]
    pub fn valid_until(&self) -> Option<Millis> {
        self.until
    }

    /// From when on somebody else may have the principal's key.
    #[must_use]
    pub fn compromised_since(&self) -> Option<Millis> {
        self.compromised_since
    }

    /// The only hosts that are accepted, 1 to [`HOSTS_MAX`]; `None` where any host will do that the principal certified.
    #[must_use]
    pub fn hosts(&self) -> Option<&[TrustedHost]> {
        self.hosts.as_deref()
    }
}

impl TrustedHost {
    /// The host.
    #[must_use]
    pub fn did(&self) -> &ShortDid {
        &self.did
    }

    /// From when on somebody else may have its key.
    #[must_use]
    pub fn compromised_since(&self) -> Option<Millis> {
        self.compromised_since
    }

    fn from_json(value: &Value) -> Result<Self, TrustEntryError> {
        let mut members = Members::of("a host", value)?;
        let host = Self {
            did: did(members.required("did")?)?,
            compromised_since: members.optional("compromisedSince").map(time).transpose()?,
        };
        members.finish()?;
        Ok(host)
    }
}

/// A DID in either form; only its short form is kept.
fn did(member: Member<'_>) -> Result<ShortDid, TrustEntryError> {
    let text = member.text()?;
    match ShortDid::parse(text) {
        Err(DidError::Form { .. }) => PeerDid::parse_long(text).map(|did| did.short_did().clone()),
        short => short,
    }
    .map_err(TrustEntryError::Did)
}

fn name(member: Member<'_>) -> Result<String, MemberError> {
    let text = member.text()?;
    text::check(text, NAME_LEN_MAX).map_err(|problem| member.bad_text(problem))?;
    Ok(text.to_owned())
}

fn time(member: Member<'_>) -> Result<Millis, TrustEntryError> {
    let name = member.name;
    instant::parse(member.text()?).map_err(|source| TrustEntryError::Time { name, source })
}

fn hosts(member: Member<'_>) -> Result<Vec<TrustedHost>, TrustEntryError> {
    let mut hosts: Vec<TrustedHost> = Vec::new();
    for (place, item) in member.items(HOSTS_MAX)?.enumerate() {
        let number = place + 1;
        let host = TrustedHost::from_json(item.value).map_err(|source| TrustEntryError::Host {
            number,
            source: Box::new(source),
        })?;
        if let Some(first) = hosts.iter().position(|other| other.did == host.did) {
            let first = first + 1;
            return Err(TrustEntryError::SameHost { first, second: number });
        }
        hosts.push(host);
    }
    if hosts.is_empty() {
        return Err(member.wrong_value("a list of at least one host").into());
    }
    Ok(hosts)
}

/// Why an anchor of a trust file, or a host of it, is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrustEntryError {
    /// A member is missing, unknown, or of another form.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Not a DID in either form.
    #[error("`did` is not a did:peer:4")]
    Did(#[source] DidError),
    /// Not a time of §5.
    #[error("`{name}` is no time")]
    Time {
        /// The member.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: InstantError,
    },
    /// It ends before it begins.
    #[error("`validUntil` is not later than `validFrom`")]
    EmptyWindow,
    /// One of its hosts is refused.
    #[error("host {number}")]
    Host {
        /// Its place, from 1 on.
        number: usize,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// A host that is named twice.
    #[error("hosts {first} and {second} are the same DID")]
    SameHost {
        /// The place of the first one, from 1 on.
        first: usize,
        /// The place of the other.
        second: usize,
    },
}

impl TrustEntryError {
    /// Stable code of this refusal, as used by the golden vectors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Member(error) => error.code(),
            Self::Did(_) => "bad_did",
            Self::Time { .. } => "instant",
            Self::EmptyWindow => "empty_window",
            Self::Host { source, .. } => source.code(),
            Self::SameHost { .. } => "duplicate_did",
        }
    }
}
