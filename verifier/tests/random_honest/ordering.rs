//! What is withdrawn, erased or adopted anew, on the principal's order or on somebody's own authority.

use countersign_identity::credential::DirectiveAct;
use countersign_schemas::body::{ErasureGround, Order, PayloadErased, PolicyLayer, RevokeReason, Revoked, Role};
use countersign_schemas::digest::Digest;
use countersign_schemas::number::Seq;
use countersign_schemas::payload::PayloadClass;
use countersign_verifier::policy::BUILTIN_LAYER0;

use super::command::Pick;
use super::people::ORGANISATION;
use super::world::{World, one_of};
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START};
use crate::support::orders::{digest_of, directive, ordered};

impl World {
    /// Whether a grant, or one above it, was withdrawn; or an approver.
    pub(super) fn is_revoked(&self, seq: Seq) -> bool {
        self.accounts.chain(seq).iter().any(|seq| self.revoked.contains(seq))
    }

    /// An order of the principal that can be entered now.
    fn order_for(&self, act: DirectiveAct) -> Option<Order> {
        let claims = directive(&self.writer, act);
        (self.received() < START + 12 * HOUR).then(|| ordered(&claims, Who::Principal))
    }

    pub(super) fn revoke(&mut self, by: Pick, whom: Pick, reason: Pick) -> Option<()> {
        let reason = *one_of(RevokeReason::ALL, reason)?;
        let by = self.pick(by, |seq, party| {
            matches!(party.role, Role::Runtime | Role::Agent) && self.can_speak(seq)
        })?;
        let author = &self.parties[&by];
        // An agent speaks for those below it, a runtime for those under it and those before it.
        let is_own = |seq: &Seq| match author.role {
            Role::Agent => self.accounts.chain(*seq).iter().skip(1).any(|above| *above == by),
            _ => author.line.contains(&self.parties[seq].process),
        };
        let agents = self.parties.iter().filter(|(_, party)| party.role == Role::Agent);
        let own: Vec<Seq> = agents.map(|(seq, _)| *seq).filter(is_own).collect();
        let (target, order) = match one_of(&own, whom) {
            Some(target) if author.role == Role::Agent || !whom.is_multiple_of(3) => (*target, None),
            _ if author.role == Role::Agent => return None,
            _ => {
                let target = *one_of(&self.revocable(), whom)?;
                let entry = digest_of(&self.writer, target);
                (target, Some(self.order_for(DirectiveAct::Revoke { entry, reason })?))
            }
        };
        self.say(by, &[], |_| {
            Revoked {
                target,
                reason,
                order,
                suspected_since: None,
            }
            .into()
        });
        self.revoked.insert(target);
        Some(())
    }

    /// What the principal can withdraw.
    fn revocable(&self) -> Vec<Seq> {
        let parties = self.parties.iter();
        let parties = parties.filter(|(_, party)| matches!(party.role, Role::Agent | Role::Approver));
        parties.map(|(seq, _)| seq).chain(self.issued.keys()).copied().collect()
    }

    /// An erasure that is done, or only on record.
    pub(super) fn erase(&mut self, by: Pick, which: u16, is_done: bool) -> Option<()> {
        let by = self.runtime(by)?;
        let erasable = self.payloads.iter().flat_map(|(seq, references)| {
            let content = references.iter().enumerate();
            let content = content.filter(|(_, reference)| reference.class == PayloadClass::Content);
            content.map(|(slot, reference)| (*seq, slot, reference.commitment))
        });
        let erasable: Vec<_> = erasable.collect();
        let (entry, slot, payload) = *erasable.get(usize::from(which) % erasable.len().max(1))?;
        let reason = ErasureGround::Retention;
        let digest = digest_of(&self.writer, entry);
        let order = self.order_for(DirectiveAct::Erase {
            entry: digest,
            payload,
            reason,
        })?;
        self.say(by, &[], |_| {
            PayloadErased {
                entry,
                commitment: payload,
                ground: reason,
                order,
            }
            .into()
        });
        self.lasting.insert(("I9", entry));
        if is_done {
            self.erased.insert((entry, u8::try_from(slot).ok()?));
        }
        Some(())
    }

    /// The layers that permit, changed behind the first run or to another text.
    pub(super) fn adopt_on_order(&mut self, by: Pick, layer: Pick, text: Pick) -> Option<()> {
        let by = self.runtime(by)?;
        let layer = *one_of(&PolicyLayer::ALL[..2], layer)?;
        let text = match (layer, text % 2) {
            (PolicyLayer::Builtin, 0) => BUILTIN_LAYER0,
            _ => *one_of(&ORGANISATION, text / 2)?,
        };
        let policies = Digest::sha256(text.as_bytes());
        let order = self.order_for(DirectiveAct::Adopt { layer, policies })?;
        self.adopt(by, layer, text, Some(order));
        Some(())
    }
}
