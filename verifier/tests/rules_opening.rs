//! The start of trust: each sentence of authority-v1 §5.1 about entry 0, broken one at a time.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::InstanceRole;
use countersign_schemas::body::{Body, Opened};
use countersign_schemas::list::{Bytes, Doc, List};
use countersign_schemas::number::{Millis, Seq};
use countersign_schemas::text::{Did, Origin};

use crate::support::cast::{self, Who};
use crate::support::credentials::{HOUR, START, host, instance, issue};
use crate::support::opening_breaks;
use crate::support::writer::{Draft, Twist};

fn opened(mut change: impl FnMut(&mut Opened) + 'static) -> Twist<'static> {
    Twist::statement("opened", move |statement| {
        if let Body::LedgerOpened(body) = &mut statement.body {
            change(body);
        }
    })
}

/// The host's credential is another one; that of the opener stays.
fn host_credential(make: impl Fn() -> Doc + 'static) -> Twist<'static> {
    opened(move |body| {
        let documents = vec![make(), body.credentials[1].clone()];
        body.credentials = List::new(documents).expect("two");
    })
}

fn mixed(ed25519: Who, ml_dsa: Who) -> Did {
    Did::new(cast::mixed(ed25519, ml_dsa).long()).expect("a long form")
}

#[test]
fn a1_an_opening_by_another_than_the_opener() {
    opening_breaks(
        Twist::statement("opened", |statement| statement.by = Seq::clamped(1)),
        "A1",
    );
}

#[test]
fn a1_a_party_in_short_form() {
    let short = |who: Who| Did::new(who.did().short()).expect("a short form");
    opening_breaks(opened(move |body| body.principal = short(Who::Principal)), "A1");
    let host = move |body: &mut Opened| {
        body.dids = List::new(vec![short(Who::Host), body.dids[1].clone()]).expect("two");
    };
    opening_breaks(opened(host), "A1");
}

/// Of each pair of parties one key of either kind is the same.
#[test]
fn a1_one_key_of_two_parties() {
    for (ed25519, ml_dsa) in [
        (Who::Host, Who::Stranger),
        (Who::Stranger, Who::Host),
        (Who::Opener, Who::Stranger),
        (Who::Stranger, Who::Opener),
    ] {
        opening_breaks(opened(move |body| body.principal = mixed(ed25519, ml_dsa)), "A1");
    }
    for (ed25519, ml_dsa) in [(Who::Opener, Who::Stranger), (Who::Stranger, Who::Opener)] {
        let host = move |body: &mut Opened| {
            body.dids = List::new(vec![mixed(ed25519, ml_dsa), body.dids[1].clone()]).expect("two");
        };
        opening_breaks(opened(host), "A1");
    }
}

#[test]
fn a2_a_host_that_the_principal_did_not_certify() {
    opening_breaks(host_credential(|| issue(&host(), Who::Host)), "A2");
    opening_breaks(host_credential(|| issue(&host(), Who::Stranger)), "A2");
}

#[test]
fn a2_a_credential_of_another_host() {
    let other = || {
        let mut claims = host();
        claims.host = Who::Stranger.did().short_did().clone();
        issue(&claims, Who::Principal)
    };
    opening_breaks(host_credential(other), "A2");
}

/// Other terms, for which the host certifies the opener all the same.
fn refounded(mut change: impl FnMut(&mut Opened) + 'static) -> Twist<'static> {
    opened(move |body| {
        change(body);
        let bound = LedgerBinding::Founding(body.founding());
        let claims = instance(Who::Opener, "runtime", InstanceRole::Runtime, bound);
        let documents = vec![body.credentials[0].clone(), issue(&claims, Who::Host)];
        body.credentials = List::new(documents).expect("two");
    })
}

#[test]
fn a2_an_origin_of_another_nonce() {
    let other = Origin::new(format!("countersign/{}", "08".repeat(16))).expect("an origin");
    opening_breaks(refounded(move |body| body.origin.clone_from(&other)), "A2");
}

#[test]
fn a2_checkpoint_keys_that_are_no_keys() {
    opening_breaks(
        refounded(|body| body.checkpoint_keys.ed25519 = Bytes::new([0; 32])),
        "A2",
    );
}

#[test]
fn a4_an_opening_outside_the_window_of_the_opener() {
    let early = START - 2 * HOUR;
    opening_breaks(
        Twist::statement("opened", move |statement| statement.at = Millis::clamped(early)),
        "A4",
    );
    opening_breaks(
        Twist::draft("opened", move |draft: &mut Draft| draft.received = early),
        "A4",
    );
}

#[test]
fn i6_an_opening_that_is_not_the_first_word_of_its_author() {
    let twist = Twist::statement("opened", |statement| statement.n = statement.n.next());
    opening_breaks(twist, "I6");
}
