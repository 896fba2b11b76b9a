//! `policy.adopted`: which texts are in force, and who may change them (authority-v1 §5.4, §8.1).

use std::str;
use std::sync::Arc;

use countersign_identity::credential::DirectiveAct;
use countersign_schemas::body::{PolicyAdopted, PolicyLayer};
use countersign_schemas::cbor::{DecodeError, Decoder, Encoder};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use countersign_schemas::payload::PayloadClass;

use super::directive::{self, Carried};
use super::entry::Entry;
use super::findings::Findings;
use super::snapshot_values::{Kept, malformed};
use super::{Change, Law};
use crate::code::Code;
use crate::policy::bounds::TEXT_BYTES_MAX;
use crate::policy::{BUILTIN_LAYER0, ENTITIES, LANGUAGE, LoadedLayer, SCHEMA};

/// The texts of one layer.
#[derive(Debug, Clone)]
pub struct Adopted {
    pub(super) seq: Seq,
    pub(super) layer: PolicyLayer,
    pub(super) digest: Option<Digest>,
    /// `None` where the texts are absent, so that nothing can be told.
    pub(super) loaded: Option<Arc<LoadedLayer>>,
    /// What it was loaded from, where that can be loaded and is not the published layer 0: for a snapshot.
    text: Option<Arc<str>>,
}

/// The texts instead of what was made of them.
impl Kept for Adopted {
    fn keep(&self, to: &mut Encoder) {
        (self.seq, self.layer).keep(to);
        self.digest.keep(to);
        match (&self.loaded, &self.text) {
            (None, _) => to.uint(0),
            (Some(loaded), None) if loaded.is_readable() => to.uint(1),
            (Some(_), None) => to.uint(2),
            (Some(_), Some(text)) => {
                to.uint(3);
                to.text(text);
            }
        }
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (seq, layer) = Kept::restore(from)?;
        let digest = Kept::restore(from)?;
        let (loaded, text) = match from.uint53()? {
            0 => (None, None),
            1 => (Some(LoadedLayer::builtin()), None),
            2 => (Some(Arc::new(LoadedLayer::unreadable(layer))), None),
            3 => {
                let text = from.text(TEXT_BYTES_MAX)?;
                let loaded = load(layer, text.as_bytes(), SCHEMA.as_bytes(), ENTITIES.as_bytes());
                (Some(loaded), Some(text.into()))
            }
            _ => return malformed(from, "policy text"),
        };
        Ok(Self {
            seq,
            layer,
            digest,
            loaded,
            text,
        })
    }
}

impl Adopted {
    /// The `policy.adopted`.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The layer.
    #[must_use]
    pub fn layer(&self) -> PolicyLayer {
        self.layer
    }

    /// SHA-256 of the policies; `None` where their bytes are absent.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The `@reason` of its policy that decisions name `rule` (without the layer), fit to be shown, as
    /// [`LoadedLayer::reason`] gives it; `None` also where the text is absent or not readable.
    #[must_use]
    pub fn reason(&self, rule: &str) -> Option<String> {
        self.loaded.as_ref()?.reason(rule)
    }
}

/// A text that is entered, with the order behind it.
pub(super) struct Entered {
    adopted: Adopted,
    order: Option<Digest>,
}

impl Entered {
    pub(super) fn apply(self, law: &mut Law) {
        law.policies.adopt(self.adopted);
        law.orders.extend(self.order);
    }
}

/// The last text of every layer.
#[derive(Debug, Default)]
pub(super) struct Policies([Option<Adopted>; 6]);

impl Kept for Policies {
    fn keep(&self, to: &mut Encoder) {
        to.array(self.in_force().count());
        self.in_force().for_each(|adopted| adopted.keep(to));
    }
    fn restore(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut policies = Self::default();
        for _ in 0..from.array(0, policies.0.len())? {
            policies.adopt(Adopted::restore(from)?);
        }
        Ok(policies)
    }
}

impl Policies {
    pub(super) fn at(&self, layer: PolicyLayer) -> Option<&Adopted> {
        self.0.iter().flatten().find(|adopted| adopted.layer == layer)
    }

    /// The layers in force, by layer.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &Adopted> {
        self.0.iter().flatten()
    }

    fn adopt(&mut self, adopted: Adopted) {
        let place = PolicyLayer::ALL.iter().position(|layer| *layer == adopted.layer);
        if let Some(slot) = place.and_then(|place| self.0.get_mut(place)) {
            *slot = Some(adopted);
        }
    }
}

pub(super) fn check(law: &Law, entry: &Entry<'_>, body: &PolicyAdopted, out: &mut Findings) -> Option<Change> {
    let has_order = body.order.is_some();
    let carried = match &body.order {
        Some(order) => Some(directive::read(law, entry, order, out)?),
        None => None,
    };
    if let Some(carried) = &carried {
        check_order(carried, body.layer, entry.payload(0), out);
    }
    if body.language.as_str() != LANGUAGE {
        out.newer(format_args!("the policy language {}", body.language));
    }
    let evidence = [&body.policies, &body.schema, &body.entities];
    if evidence.iter().any(|payload| payload.class != PayloadClass::Evidence) {
        out.breach(
            Code::A5,
            "policies, schema and entities as evidence",
            "a payload that could be erased",
        );
    }
    let may_permit = matches!(body.layer, PolicyLayer::Builtin | PolicyLayer::Organisation);
    if may_permit && !law.runs.is_empty() && !has_order {
        out.breach(
            Code::A5,
            format_args!(
                "an order of the principal for a change of layer {} once a run has started",
                body.layer.code()
            ),
            "none",
        );
    }
    let (policies, schema, entities) = (entry.payload(0), entry.payload(1), entry.payload(2));
    if body.layer == PolicyLayer::Builtin && !has_order {
        require_published(Code::A5, "layer0-v1.cedar", policies, BUILTIN_LAYER0, out);
        require_published(Code::A5, "countersign-v1.cedarschema", schema, SCHEMA, out);
    }
    let texts = (policies, schema, entities);
    let loaded = match texts {
        (Some(policies), Some(schema), Some(entities)) => Some(load(body.layer, policies, schema, entities)),
        _ => None,
    };
    let digest = policies.map(Digest::sha256);
    let text = loaded.as_deref().filter(|loaded| needs_text(loaded)).and(policies);
    Some(Change::PolicyAdopted(Entered {
        order: carried.map(|carried| carried.digest()),
        adopted: Adopted {
            seq: entry.seq,
            layer: body.layer,
            digest,
            loaded,
            text: text.and_then(|text| str::from_utf8(text).ok()).map(Arc::from),
        },
    }))
}

/// A5: the principal ordered exactly this text in this layer.
fn check_order(carried: &Carried, layer: PolicyLayer, text: Option<&[u8]>, out: &mut Findings) {
    let ordered = match carried.act() {
        Some(DirectiveAct::Adopt { policies, .. }) => Some(policies),
        Some(DirectiveAct::Revoke { .. } | DirectiveAct::Erase { .. }) => None,
        // What is wrong with the order itself is named already.
        None => return,
    };
    if let (None, Some(ordered)) = (text, ordered) {
        out.unproven(
            Code::A5,
            format_args!("policies {ordered}, as ordered"),
            "their text is absent",
        );
    }
    match text.map(Digest::sha256).or(ordered) {
        Some(policies) => carried.require(DirectiveAct::Adopt { layer, policies }, out),
        None => out.breach(Code::A5, "an order to adopt policies", "an order for another act"),
    }
}

/// Whether a snapshot has to hold the text of a layer to load it again.
fn needs_text(loaded: &LoadedLayer) -> bool {
    loaded.is_readable() && !std::ptr::eq(loaded, LoadedLayer::builtin().as_ref())
}

/// An absent text proves nothing: every decision under it is unproven (D4b).
fn require_published(code: Code, name: &str, text: Option<&[u8]>, published: &str, out: &mut Findings) {
    let Some(text) = text else { return };
    let expected = Digest::sha256(published.as_bytes());
    let holds = text == published.as_bytes();
    out.require(
        holds,
        code,
        format_args!("{name}, SHA-256 {expected}"),
        format_args!("SHA-256 {}", Digest::sha256(text)),
    );
}

/// A text that cannot be loaded answers every request with could-not-evaluate; adopting it is lawful.
fn load(layer: PolicyLayer, policies: &[u8], schema: &[u8], entities: &[u8]) -> Arc<LoadedLayer> {
    let texts = (
        str::from_utf8(policies),
        str::from_utf8(schema),
        str::from_utf8(entities),
    );
    let (Ok(policies), Ok(schema), Ok(entities)) = texts else {
        return Arc::new(LoadedLayer::unreadable(layer));
    };
    if (layer, policies, schema, entities) == (PolicyLayer::Builtin, BUILTIN_LAYER0, SCHEMA, ENTITIES) {
        return LoadedLayer::builtin();
    }
    let loaded = LoadedLayer::load(layer, policies, schema, entities);
    Arc::new(loaded.unwrap_or_else(|_| LoadedLayer::unreadable(layer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_builtin(layer: PolicyLayer, policies: &str, schema: &str, entities: &str) -> bool {
        let loaded = load(layer, policies.as_bytes(), schema.as_bytes(), entities.as_bytes());
        Arc::ptr_eq(&loaded, &LoadedLayer::builtin())
    }

    #[test]
    fn only_the_published_texts_of_layer_0_are_read_once_for_all() {
        assert!(is_builtin(PolicyLayer::Builtin, BUILTIN_LAYER0, SCHEMA, ENTITIES));
        let longer = format!("{BUILTIN_LAYER0}\n");
        assert!(!is_builtin(PolicyLayer::Organisation, BUILTIN_LAYER0, SCHEMA, ENTITIES));
        assert!(!is_builtin(PolicyLayer::Builtin, &longer, SCHEMA, ENTITIES));
        assert!(!is_builtin(PolicyLayer::Builtin, BUILTIN_LAYER0, "", ENTITIES));
        assert!(!is_builtin(PolicyLayer::Builtin, BUILTIN_LAYER0, SCHEMA, "[ ]"));
    }

    #[test]
    fn layer_0_with_other_texts_is_unreadable_and_not_the_published_one() {
        let loaded = load(
            PolicyLayer::Builtin,
            BUILTIN_LAYER0.as_bytes(),
            b"",
            ENTITIES.as_bytes(),
        );
        assert!(!loaded.is_readable() && LoadedLayer::builtin().is_readable());
    }
}
