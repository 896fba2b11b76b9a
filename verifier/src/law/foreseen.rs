//! What the policies say about one request, worked out beside the state so that nobody has to wait for it.
//!
//! Asking the layers in force is a pure function of the Cedar request, the layers and the principal, and by far the
//! longest part of a judgement. A gatekeeper takes the question out of the state, answers it while others enter what they
//! have to say, and hands the answer back. The state uses it for exactly this question, and works everything else out
//! itself, as a verifier does who was told nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};

use super::Law;
use super::snapshot_values::Kept;
use crate::policy::{self, LoadedLayer, PolicyParts};
use crate::projection::{CedarRequest, Observed};

/// Answers that are kept: each is wanted at once, by one of the threads that decide.
const KEPT_MAX: usize = 32;

/// A Cedar request, the layers that are asked about it, and whose agents they are about.
#[derive(Debug)]
pub struct PolicyQuestion {
    request: CedarRequest,
    layers: Vec<Arc<LoadedLayer>>,
    /// Short DID of the principal.
    owner: String,
}

impl PolicyQuestion {
    pub(super) fn new(request: CedarRequest, layers: Vec<Arc<LoadedLayer>>, owner: &str) -> Self {
        Self {
            request,
            layers,
            owner: owner.to_owned(),
        }
    }

    /// Asks every layer, and writes the request down as it will be recorded.
    #[must_use]
    pub fn evaluate(self) -> Evaluated {
        let layers: Vec<&LoadedLayer> = self.layers.iter().map(|layer| &**layer).collect();
        let parts = policy::evaluate(&layers, &self.request, &self.owner);
        let document = self.request.to_jcs();
        // A verifier has to read the bytes: what cannot be read must not look as if it could.
        let is_readable = self.request.is_read_from(&document);
        Evaluated {
            question: self,
            parts,
            document,
            is_readable,
        }
    }

    /// Whether this is the same question, down to the very texts.
    fn is(&self, request: &CedarRequest, layers: &[&Arc<LoadedLayer>], owner: &str) -> bool {
        let same_layers = self.layers.len() == layers.len()
            && self
                .layers
                .iter()
                .zip(layers)
                .all(|(own, other)| Arc::ptr_eq(own, other));
        same_layers && self.owner == owner && self.request == *request
    }
}

/// The answer to a [`PolicyQuestion`], which nothing but asking makes.
#[derive(Debug)]
pub struct Evaluated {
    question: PolicyQuestion,
    parts: PolicyParts,
    /// The request in JCS form.
    document: Vec<u8>,
    /// Whether reading those bytes gives the request.
    is_readable: bool,
}

/// The answers that were handed back last, the newest first.
#[derive(Debug, Default)]
pub(super) struct Foreseen(VecDeque<Evaluated>);

impl Foreseen {
    /// The answer to this very question, if there is one.
    pub(super) fn parts_for(
        &self,
        request: &CedarRequest,
        layers: &[&Arc<LoadedLayer>],
        owner: &str,
    ) -> Option<&PolicyParts> {
        let mut answers = self.0.iter();
        let answer = answers.find(|evaluated| evaluated.question.is(request, layers, owner));
        answer.map(|evaluated| &evaluated.parts)
    }

    /// The document of this very request.
    pub(super) fn document_of(&self, request: &CedarRequest) -> Option<&[u8]> {
        let known = self.0.iter().find(|evaluated| evaluated.question.request == *request);
        known.map(|evaluated| evaluated.document.as_slice())
    }

    /// What these very bytes say the gatekeeper saw.
    pub(super) fn observed_in(&self, document: &[u8]) -> Option<&Observed> {
        let mut readable = self.0.iter().filter(|evaluated| evaluated.is_readable);
        let known = readable.find(|evaluated| evaluated.document == document)?;
        Some(&known.question.request.context.observed)
    }

    fn take(&mut self, evaluated: Evaluated) {
        self.0.truncate(KEPT_MAX - 1);
        self.0.push_front(evaluated);
    }
}

/// No part of the state.
impl Kept for Foreseen {
    fn keep(&self, _: &mut Encoder) {}

    fn restore(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

impl Law {
    /// Takes the answer to a [`Law::policy_question`], to be used should just that be asked soon.
    pub fn foresee(&mut self, evaluated: Evaluated) {
        self.foreseen.take(evaluated);
    }
}

#[cfg(test)]
mod tests {
    use countersign_identity::jcs::INTEGER_MAX;
    use countersign_schemas::body::{Effects, PolicyLayer};

    use super::*;
    use crate::projection::{ARGUMENTS_BYTES_MAX, Circumstances, Principal, ProjectionError, Subject};

    fn request(calls_left: u64) -> Result<CedarRequest, ProjectionError> {
        request_for("todo", r#"{"items":""}"#, calls_left)
    }

    fn request_for(tool: &str, arguments: &str, calls_left: u64) -> Result<CedarRequest, ProjectionError> {
        let circumstances = Circumstances {
            effects: Effects::NONE,
            principal: Principal {
                depth_left: 0,
                id: "did:peer:4zlead".to_owned(),
                name: "lead".to_owned(),
                root: true,
            },
            mode: "headless",
            calls_left,
            time_ms: 1,
            advised: false,
            observed: Observed::nothing(),
        };
        Ok(Subject::of(tool, arguments.as_bytes(), "/work")?.project(circumstances))
    }

    fn foreseen(calls_left: u64, layers: &[&Arc<LoadedLayer>]) -> Result<Evaluated, ProjectionError> {
        let layers = layers.iter().map(|layer| Arc::clone(layer)).collect();
        Ok(PolicyQuestion::new(request(calls_left)?, layers, "did:peer:4zowner").evaluate())
    }

    #[test]
    fn an_answer_counts_for_nothing_but_its_question() -> Result<(), ProjectionError> {
        let builtin = LoadedLayer::builtin();
        let (deaf, other) = [PolicyLayer::File; 2]
            .map(|layer| Arc::new(LoadedLayer::unreadable(layer)))
            .into();
        let mut kept = Foreseen::default();
        kept.take(foreseen(7, &[&builtin, &deaf])?);
        let parts = |calls_left, layers: &[&Arc<LoadedLayer>], owner| {
            Ok::<_, ProjectionError>(kept.parts_for(&request(calls_left)?, layers, owner).cloned())
        };
        let owner = "did:peer:4zowner";
        let asked = policy::evaluate(&[&builtin, &deaf], &request(7)?, owner);
        assert_eq!(parts(7, &[&builtin, &deaf], owner)?, Some(asked));
        assert_eq!(parts(6, &[&builtin, &deaf], owner)?, None, "another request");
        assert_eq!(parts(7, &[&builtin], owner)?, None, "fewer layers");
        assert_eq!(parts(7, &[&builtin, &other], owner)?, None, "another text of the layer");
        assert_eq!(
            parts(7, &[&builtin, &deaf], "did:peer:4zsomebody")?,
            None,
            "another principal"
        );
        Ok(())
    }

    #[test]
    fn a_document_is_known_by_its_bytes_and_a_request_by_all_of_it() -> Result<(), ProjectionError> {
        let mut kept = Foreseen::default();
        kept.take(foreseen(7, &[])?);
        let (asked, other) = (request(7)?, request(6)?);
        assert_eq!(kept.document_of(&asked), Some(asked.to_jcs().as_slice()));
        assert_eq!(kept.document_of(&other), None);
        assert_eq!(kept.observed_in(&asked.to_jcs()), Some(&Observed::nothing()));
        assert_eq!(kept.observed_in(&other.to_jcs()), None);
        Ok(())
    }

    #[test]
    fn what_no_verifier_could_read_was_seen_by_nobody() -> Result<(), ProjectionError> {
        let mut too_late = request(7)?;
        too_late.context.time_ms = INTEGER_MAX + 1;
        let mut too_deep = request(7)?;
        too_deep.principal.depth_left = u64::MAX;
        // A path stands in the document several times.
        let path = format!(r#"{{"path":"{}"}}"#, "x".repeat(ARGUMENTS_BYTES_MAX - 100));
        let too_long = request_for("read", &path, 7)?;
        for unreadable in [request(INTEGER_MAX + 1)?, too_late, too_deep, too_long] {
            let document = unreadable.to_jcs();
            assert!(CedarRequest::parse(&document).is_err());
            let mut kept = Foreseen::default();
            kept.take(PolicyQuestion::new(unreadable, Vec::new(), "did:peer:4zowner").evaluate());
            assert_eq!(kept.observed_in(&document), None);
        }
        let mut kept = Foreseen::default();
        kept.take(foreseen(INTEGER_MAX, &[])?);
        let document = request(INTEGER_MAX)?.to_jcs();
        assert_eq!(kept.observed_in(&document), Some(&Observed::nothing()));
        Ok(())
    }

    #[test]
    fn only_the_newest_answers_are_kept() -> Result<(), ProjectionError> {
        let builtin = LoadedLayer::builtin();
        let mut kept = Foreseen::default();
        for calls_left in 0..=KEPT_MAX as u64 {
            kept.take(foreseen(calls_left, &[&builtin])?);
        }
        let is_kept = |calls_left| {
            let request = request(calls_left)?;
            let parts = kept.parts_for(&request, &[&builtin], "did:peer:4zowner");
            Ok::<_, ProjectionError>(parts.is_some())
        };
        assert_eq!(
            (is_kept(0)?, is_kept(1)?, is_kept(KEPT_MAX as u64)?),
            (false, true, true)
        );
        Ok(())
    }
}
