//! How a Cedar request is written: straight into its canonical form (JCS, RFC 8785).
//!
//! That takes members in the order of JCS, which is here that of their bytes, as every name is ASCII; integers, which
//! JCS writes as their digits up to 2^53 − 1; and escapes of strings that are those of RFC 8785 §3.2.2.2, which
//! serde_json writes. So each struct declares its members in that order, here and in [`document`](super::document), and
//! the tests compare with a canonical form that is worked out.

use countersign_identity::jcs;
use serde::{Serialize, Serializer};

use super::document::{CedarRequest, DOCUMENT_BYTES_MAX, Principal, RequestContext, Resource, SCHEMA_NAME};

/// Room for the document of an ordinary request, in bytes.
const LEN_USUAL: usize = 768;

impl CedarRequest {
    /// The document in JCS form: the bytes of the payload.
    ///
    /// Numbers are those of the formats, at most 2^53 − 1; with a larger one the document has no canonical form, and
    /// [`CedarRequest::parse`] refuses it.
    #[must_use]
    pub fn to_jcs(&self) -> Vec<u8> {
        let mut document = Vec::with_capacity(LEN_USUAL);
        serde_json::to_writer(&mut document, self).expect("a document of strings, booleans and integers is JSON");
        document
    }

    /// Whether [`CedarRequest::parse`] reads `document`, as this request was just written, back as this request.
    ///
    /// Whatever is written has the members, the types and the nesting that are read, and an address its one form. Only a
    /// length and a number can be too large.
    pub(crate) fn is_read_from(&self, document: &[u8]) -> bool {
        let numbers = [self.context.calls_left, self.context.time_ms, self.principal.depth_left];
        document.len() <= DOCUMENT_BYTES_MAX && numbers.iter().all(|number| *number <= jcs::INTEGER_MAX)
    }
}

/// [`CedarRequest`] with its `schema` member.
#[derive(Serialize)]
struct Tagged<'a> {
    action: &'a str,
    context: &'a RequestContext,
    principal: &'a Principal,
    resource: &'a Resource,
    schema: &'static str,
}

impl Serialize for CedarRequest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let tagged = Tagged {
            action: &self.action,
            context: &self.context,
            principal: &self.principal,
            resource: &self.resource,
            schema: SCHEMA_NAME,
        };
        tagged.serialize(to)
    }
}

/// [`Resource`] as its flat JSON object: the members of every kind.
#[derive(Default, Serialize)]
struct Flat<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relative: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
    #[serde(rename = "type")]
    type_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> From<&'a Resource> for Flat<'a> {
    fn from(resource: &'a Resource) -> Self {
        let bare = Self {
            id: resource.id(),
            type_name: resource.type_name(),
            ..Self::default()
        };
        match resource {
            Resource::File { path, relative, name } => Self {
                name: Some(name),
                path: Some(path),
                relative: Some(relative),
                ..bare
            },
            Resource::Command { command, .. } => Self {
                command: Some(command),
                ..bare
            },
            Resource::AgentType { name, .. } => Self {
                name: Some(name),
                ..bare
            },
            Resource::Url(url) => Self {
                host: Some(url.host()),
                path: Some(url.path()),
                port: Some(url.port()),
                scheme: Some(url.scheme().as_str()),
                url: Some(url.as_str()),
                ..bare
            },
            Resource::Advisor | Resource::Tool { .. } => bare,
        }
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Flat::from(self).serialize(to)
    }
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
