//! Orders of the principal for other acts than an approval (authority-v1 §5.7, identity-v1 §9.2): rule A5.

use std::fmt;

use countersign_identity::credential::{Credential, DirectiveAct, DirectiveClaims};
use countersign_schemas::body::{Order, OrderForm};
use countersign_schemas::digest::Digest;

use super::Law;
use super::entry::Entry;
use super::findings::Findings;
use super::genesis::{Opening, verified};
use crate::code::Code;

/// An order as an entry carries it: it counts once in a ledger, and is used up even where it orders something else.
pub(super) struct Carried {
    digest: Digest,
    /// What the principal orders with it; `None` where it is not the principal's.
    act: Option<DirectiveAct>,
}

/// Reads the order that `entry` carries: the principal's, for this ledger, in time, and new. `None` where it is no document
/// that could be judged: then nobody ordered anything.
pub(super) fn read(law: &Law, entry: &Entry<'_>, order: &Order, out: &mut Findings) -> Option<Carried> {
    let opening = law.opening.as_ref()?;
    let digest = Digest::sha256(order.doc.as_bytes());
    if order.form != OrderForm::DataIntegrity {
        out.newer(format_args!("an order in the form {}", order.form));
        return None;
    }
    out.require(
        !law.orders.contains(&digest),
        Code::A5,
        "an order that is new",
        "an order that was entered before",
    );
    let mut proofs = Findings::of(entry.seq);
    let principal = &opening.principal;
    let directive = verified::<DirectiveClaims>(order.doc.as_bytes(), "the principal", principal, &mut proofs);
    for finding in proofs.into_vec() {
        if finding.code == Code::I1 {
            out.push(finding);
            return None;
        }
        // What is wrong with an order is a matter of what it orders, not of an introduction.
        out.breach(Code::A5, finding.expected, finding.found);
    }
    let claims = directive.map(Credential::into_claims);
    if let Some(claims) = &claims {
        check_terms(opening, entry, claims, out);
    }
    let act = claims.map(|claims| claims.act);
    Some(Carried { digest, act })
}

impl Carried {
    /// Names the order among those that were entered.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// What the principal ordered, if the principal did.
    pub(super) fn act(&self) -> Option<DirectiveAct> {
        self.act
    }

    /// A5 unless exactly `expected` was ordered. What is wrong with the order itself is named already.
    pub(super) fn require(&self, expected: DirectiveAct, out: &mut Findings) {
        if let Some(act) = self.act {
            out.require(act == expected, Code::A5, Words(expected), Words(act));
        }
    }
}

fn check_terms(opening: &Opening, entry: &Entry<'_>, claims: &DirectiveClaims, out: &mut Findings) {
    let here = opening.this.id;
    out.require(
        claims.ledger == here,
        Code::A5,
        format_args!("an order for ledger {here}"),
        claims.ledger,
    );
    out.require(
        claims.window.contains(entry.received),
        Code::A5,
        format_args!("an order entered within {:?}", claims.window),
        entry.received,
    );
    let expires = claims.expires;
    out.require(
        entry.received <= expires,
        Code::A5,
        format_args!("an order entered by {expires}"),
        entry.received,
    );
}

/// An act in words.
struct Words(DirectiveAct);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DirectiveAct::Revoke { entry, reason } => {
                write!(f, "an order to revoke the entry with digest {entry} ({reason})")
            }
            DirectiveAct::Erase { entry, payload, reason } => {
                write!(
                    f,
                    "an order to erase payload {payload} of the entry with digest {entry} ({reason})"
                )
            }
            DirectiveAct::Adopt { layer, policies } => {
                write!(f, "an order to adopt policies {policies} in layer {}", layer.code())
            }
        }
    }
}
