//! Actions of which nobody knows what became, and the requests that take them up again (authority-v1 §5.4): rule A5.

use std::collections::BTreeMap;

use countersign_schemas::body::ActionRequested;
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;

use super::Law;
use super::findings::Findings;
use super::settled::Places;
use super::snapshot_values::Kept;
use crate::code::Code;

/// The requests by tool whose action ended with an unknown outcome, and that no other request took up.
#[derive(Debug, Default)]
pub(super) struct Lost(BTreeMap<Name, Places>);

impl Kept for Lost {
    fn keep(&self, to: &mut Encoder) {
        self.0.keep(to);
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Kept::restore(from).map(Self)
    }
}

impl Lost {
    /// Notes that nobody knows what became of `request`.
    pub(super) fn insert(&mut self, tool: Name, request: Seq) {
        self.0.entry(tool).or_default().insert(request);
    }

    /// Notes that `request` was taken up.
    pub(super) fn take(&mut self, tool: &Name, request: Seq) {
        if let Some(places) = self.0.get_mut(tool) {
            places.remove(request);
            if places.is_empty() {
                self.0.remove(tool);
            }
        }
    }

    fn contains(&self, tool: &Name, request: Seq) -> bool {
        self.0.get(tool).is_some_and(|places| places.contains(request))
    }
}

/// A5: what a request resumes was lost, with the same tool, and nobody has taken it up yet.
pub(super) fn check(law: &Law, body: &ActionRequested, out: &mut Findings) {
    let Some(resumes) = body.resumes else { return };
    out.require(
        law.lost.contains(&body.tool, resumes),
        Code::A5,
        format_args!("a request for {} that ended unknown and was not resumed yet", body.tool),
        format_args!("entry {resumes}"),
    );
}
