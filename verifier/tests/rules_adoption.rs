//! Policies that the principal orders: what they permit, and every order that does not fit (A5).

use countersign_identity::credential::{DirectiveAct, DirectiveClaims};
use countersign_schemas::body::{ErasureGround, Order, OrderForm, Outcome, PolicyLayer, RevokeReason};
use countersign_schemas::digest::{Commitment, Digest, LedgerId};
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Millis, Seq};
use countersign_verifier::policy::BUILTIN_LAYER0;

use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, window};
use crate::support::orders::{adopt_on_order, directive, ordered};
use crate::support::story::{LAYER1, adopt, adopt_with, tell};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, codes};

/// Forbids what [`LAYER1`] permits first.
const STRICT: &str = "@id(\"nothing\")\nforbid (principal, action == Action::\"edit\", resource);\n";

/// An order for [`STRICT`] in layer 1, in front of the end of the lead.
fn with_claims(change: impl Fn(&mut DirectiveClaims) + 'static) -> Twist<'static> {
    Twist::before("lead-stop", move |writer| {
        adopt_on_order(writer, "layer1-ordered", PolicyLayer::Organisation, STRICT, &change);
    })
}

#[track_caller]
fn is_verified(writer: Writer<'_>) {
    assert_eq!(writer.refusals, []);
    let report = audit(&writer.into(), &anchored());
    assert_eq!((codes(&report), report.unproven.len()), (Vec::new(), 0), "{report:#?}");
}

#[test]
fn the_principal_changes_layer_1_while_a_run_is_active() {
    let stricter = format!("{LAYER1}{STRICT}");
    let writer = tell(Twist::before("edit", move |writer| {
        adopt_on_order(writer, "layer1-ordered", PolicyLayer::Organisation, &stricter, |_| {});
    }));
    assert_eq!(writer.outcomes[&writer.at("edit-decision")], Outcome::Deny);
    is_verified(writer);
}

#[test]
fn the_principal_puts_another_text_in_layer_0() {
    let stricter = format!("{BUILTIN_LAYER0}\n{STRICT}");
    let before_the_run = stricter.clone();
    is_verified(tell(Twist::before("approver", move |writer| {
        adopt_on_order(writer, "layer0-ordered", PolicyLayer::Builtin, &before_the_run, |_| {});
    })));
    let writer = tell(Twist::before("edit", move |writer| {
        adopt_on_order(writer, "layer0-ordered", PolicyLayer::Builtin, &stricter, |_| {});
    }));
    assert_eq!(writer.outcomes[&writer.at("edit-decision")], Outcome::Deny);
    is_verified(writer);
}

#[test]
fn an_order_that_is_not_needed_is_judged_all_the_same() {
    let user = |change: fn(&mut DirectiveClaims)| {
        Twist::before("lead-stop", move |writer: &mut Writer<'_>| {
            adopt_on_order(writer, "layer2-ordered", PolicyLayer::User, STRICT, change);
        })
    };
    is_verified(tell(user(|_| {})));
    breaks(
        user(|claims| claims.ledger = LedgerId::from_bytes([1; 32])),
        "A5",
        "layer2-ordered",
    );
}

#[test]
fn a5_without_an_order() {
    for (layer, text) in [
        (PolicyLayer::Organisation, STRICT),
        (PolicyLayer::Organisation, LAYER1),
        (PolicyLayer::Builtin, BUILTIN_LAYER0),
    ] {
        let twist = Twist::before("lead-stop", move |writer: &mut Writer<'_>| {
            adopt(writer, "layer-again", layer, text);
        });
        breaks(twist, "A5", "layer-again");
    }
    let other_layer_0 = Twist::before("approver", |writer: &mut Writer<'_>| {
        adopt(writer, "layer0-again", PolicyLayer::Builtin, STRICT);
    });
    assert_eq!(
        tell(other_layer_0).refusals.first().map(|it| it.code.as_str()),
        Some("A5")
    );
}

#[test]
fn a5_an_order_over_something_else() {
    let policies = Digest::sha256(STRICT.as_bytes());
    let entry = Digest::sha256(b"an entry");
    let acts = [
        DirectiveAct::Adopt {
            layer: PolicyLayer::Organisation,
            policies: Digest::sha256(b"another text"),
        },
        DirectiveAct::Adopt {
            layer: PolicyLayer::Builtin,
            policies,
        },
        DirectiveAct::Adopt {
            layer: PolicyLayer::File,
            policies,
        },
        DirectiveAct::Revoke {
            entry,
            reason: RevokeReason::Halted,
        },
        DirectiveAct::Erase {
            entry,
            payload: Commitment::from_bytes([7; 32]),
            reason: ErasureGround::Request,
        },
    ];
    for act in acts {
        breaks(with_claims(move |claims| claims.act = act), "A5", "layer1-ordered");
    }
}

#[test]
fn a5_an_order_that_does_not_count_here_and_now() {
    let changes: [fn(&mut DirectiveClaims); 3] = [
        |claims| claims.ledger = LedgerId::from_bytes([1; 32]),
        |claims| claims.expires = Millis::clamped(START + 1_000),
        |claims| claims.window = window(START + HOUR, START + 13 * HOUR),
    ];
    for change in changes {
        breaks(with_claims(change), "A5", "layer1-ordered");
    }
}

/// An order that `make` makes of the right claims.
fn with_order(make: impl Fn(&DirectiveClaims) -> Order + 'static) -> Twist<'static> {
    Twist::before("lead-stop", move |writer: &mut Writer<'_>| {
        let (layer, policies) = (PolicyLayer::Organisation, Digest::sha256(STRICT.as_bytes()));
        let claims = directive(writer, DirectiveAct::Adopt { layer, policies });
        adopt_with(writer, "layer1-ordered", layer, STRICT, Some(make(&claims)));
    })
}

#[test]
fn a5_an_order_that_the_principal_did_not_sign() {
    for signer in [Who::Host, Who::Opener, Who::Approver, Who::Stranger] {
        breaks(
            with_order(move |claims| ordered(claims, signer)),
            "A5",
            "layer1-ordered",
        );
    }
}

#[test]
fn a5_an_order_that_is_entered_twice() {
    let twist = Twist::before("lead-stop", |writer: &mut Writer<'_>| {
        let (layer, policies) = (PolicyLayer::Organisation, Digest::sha256(STRICT.as_bytes()));
        let order = ordered(
            &directive(writer, DirectiveAct::Adopt { layer, policies }),
            Who::Principal,
        );
        adopt_with(writer, "layer1-first", layer, STRICT, Some(order.clone()));
        adopt_with(writer, "layer1-ordered", layer, STRICT, Some(order));
    });
    breaks(twist, "A5", "layer1-ordered");
}

#[test]
fn i1_an_order_that_is_not_canonical() {
    let spaced = with_order(|claims| {
        let order = ordered(claims, Who::Principal);
        let mut bytes = order.doc.as_bytes().to_vec();
        bytes.insert(0, b' ');
        Order {
            doc: Doc::new(bytes).expect("a document"),
            ..order
        }
    });
    breaks(spaced, "I1", "layer1-ordered");
}

#[test]
fn u2_orders_in_a_form_that_is_not_judged() {
    let writer = tell(with_order(|claims| Order {
        form: OrderForm::WebAuthn,
        ..ordered(claims, Who::Principal)
    }));
    let at = writer.at("layer1-ordered").get();
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("U2".to_owned(), Some(at))]);
}

#[test]
fn what_was_ordered_of_an_absent_text_is_unproven() {
    let withheld = |change: fn(&mut DirectiveClaims)| Twist {
        draft: Some(Box::new(|at: &str, draft: &mut crate::support::writer::Draft| {
            if at == "layer1-ordered" {
                draft.withheld.push(0);
            }
        })),
        ..with_claims(change)
    };
    let writer = tell(withheld(|_| {}));
    let at = writer.at("layer1-ordered");
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), []);
    let open: Vec<(&str, Option<Seq>)> = report.unproven.iter().map(|it| (it.code.as_str(), it.entry)).collect();
    assert_eq!(open, [("I9", Some(at)), ("A5", Some(at))]);
    // The layer stands in the order all the same.
    let writer = tell(withheld(|claims| {
        claims.act = DirectiveAct::Adopt {
            layer: PolicyLayer::User,
            policies: Digest::sha256(STRICT.as_bytes()),
        };
    }));
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("A5".to_owned(), Some(at.get()))]);
    // And an order for another act is one, whatever the text would have been.
    let writer = tell(withheld(|claims| {
        claims.act = DirectiveAct::Revoke {
            entry: Digest::sha256(b"an entry"),
            reason: RevokeReason::Halted,
        };
    }));
    let report = audit(&writer.into(), &anchored());
    assert_eq!(codes(&report), [("A5".to_owned(), Some(at.get()))]);
}
