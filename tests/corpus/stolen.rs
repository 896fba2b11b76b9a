//! What the thief of a key can reach whose theft only the auditor knows of (authority-v1 §6.4): that of the host (K2) with a
//! ledger of its own, and that of the principal (K4) with a host of its own and with orders that are in order.
//!
//! A theft that the auditor learnt of stands in a trust file. What the thief signs after it is named; what it dates back is
//! not, and then nothing that the key signed is proven, unless a head from before covers it.

use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{HostClaims, InstanceRole};
use countersign_schemas::body::{Body, LedgerClosed, PolicyLayer};
use countersign_schemas::kind::Kind;
use countersign_schemas::list::{Bytes, List};
use countersign_schemas::number::{Count, Seq, Size};
use countersign_schemas::text::{Did, Origin};

use super::Scale;
use super::base::{Base, Known};
use super::case::{Attack, Case, Class, Expected, Knows};
use super::host::{adopt_permit_all_on_order, introduce_approver};
use super::retelling::{close, end_at, insert_at};
use super::support::Told;
use super::support::aftermath::join;
use super::support::cast::Who;
use super::support::credentials::{START, host, instance, issue};
use super::support::orders::revoke_on_order_by;
use super::support::story::{founding_terms, stop};
use super::support::writer::{Twist, Writer};
use super::unseen::posed;

static NEW_LEDGER: Attack = Attack {
    name: "fresh-genesis",
    what: "another ledger with another id takes the place of the ledger, told by the same host and the same principal",
    rule: "not seen by the anchor alone; a head of the ledger is broken (I8); of a host whose theft is known, the opening (A2), or if that is dated back, nothing is proven (C4)",
};
static JOIN: Attack = Attack {
    name: "join-after-theft",
    what: "behind a cut, after the theft of the host's key, a new runtime instance joins that the key names, and closes",
    rule: "nothing is broken; C2, because nobody said its own last words; told of the theft, that introduction (A2)",
};
static OWN_HOST: Attack = Attack {
    name: "host-by-principal",
    what: "the principal's key certifies another host, which tells a ledger of its own",
    rule: "not seen by the anchor alone; a head of the ledger is broken (I8); told of the hosts, or of the theft, the opening (A2), or if that is dated back, nothing is proven (C4); told of the principal's end, the opening (A4), unless it is dated back",
};
static OWN_APPROVER: Attack = Attack {
    name: "approver-by-principal",
    what: "in front of an entry, the principal's key names an approver",
    rule: "not seen: the principal may; a head of the other telling is broken (I8); told of the theft, that introduction (A2), or if it is dated back, nothing is proven (C4)",
};
static OWN_POLICY: Attack = Attack {
    name: "adopt-by-principal",
    what: "in front of an entry, a policy that permits everything is adopted as layer 1, on an order by the principal's key",
    rule: "not seen: the principal may, and what was decided before stands; an approval behind it, asked for in front of it (D5); told of the theft, that adoption (A2), or if it is dated back, nothing is proven (C4)",
};
static OWN_REVOCATION: Attack = Attack {
    name: "revoke-by-principal",
    what: "in front of the end, the principal's key revokes the first lead",
    rule: "not seen: the principal may; a head of the other telling is broken (I8); told of the theft, that revocation (A2), or if it is dated back, nothing is proven (C4)",
};

/// The host that only the thief has.
const OTHER_HOST: Who = Who::Extra(33);
/// The instances that the thief starts.
const OPENER: Who = Who::Extra(32);
const INTRUDER: Who = Who::Extra(30);

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for dated in [Dated::After, Dated::Back] {
        cases.extend([fresh(base, dated), own_host(base, dated)]);
    }
    for place in 1..base.size() {
        cases.extend(joined(base, place));
        cases.extend(ordered(base, place));
    }
    cases
}

/// What time the thief states.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dated {
    /// The true one, behind the theft.
    After,
    /// One before the theft.
    Back,
}

impl Dated {
    const fn word(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Back => "back",
        }
    }

    /// The clock of the thief; the theft is known to be behind everything that was received.
    fn clock(self, base: &Base) -> u64 {
        match self {
            Self::After => base.afterwards(),
            Self::Back => START,
        }
    }

    /// What is said of the opening to who knows of the theft.
    fn told(self) -> Expected {
        match self {
            Self::After => Expected::rejected(0, &["A2"]),
            Self::Back => Expected::incomplete(&["C4"]),
        }
    }
}

fn fresh(base: &Arc<Base>, dated: Dated) -> Case {
    let kept = (dated.word().to_owned(), 2, Expected::unseen());
    let clock = dated.clock(base);
    let mut case = posed(&NEW_LEDGER, (Class::K2, base), kept, move |_| {
        short_ledger(Who::Host, &host(), clock)
    });
    let theft = Knows::HostStolen(base.afterwards());
    // With a head besides it is not the ledger that the head was taken from.
    let with_head = base.told_by_head(2);
    case.expected.extend([
        dated.told().to(theft, None),
        match dated {
            Dated::After => dated.told().to(theft, Some(base.size())),
            Dated::Back => with_head.to(theft, Some(base.size())),
        },
        Expected::unseen().to(Knows::Host, None),
    ]);
    case
}

fn own_host(base: &Arc<Base>, dated: Dated) -> Case {
    let kept = (dated.word().to_owned(), 2, Expected::unseen());
    let clock = dated.clock(base);
    let mut case = posed(&OWN_HOST, (Class::K4, base), kept, move |_| {
        let claims = HostClaims {
            host: OTHER_HOST.did().short_did().clone(),
            ..host()
        };
        short_ledger(OTHER_HOST, &claims, clock)
    });
    let end = match dated {
        Dated::After => Expected::rejected(0, &["A4"]),
        // A window is held against what the host says of the time.
        Dated::Back => Expected::unseen(),
    };
    case.expected.extend([
        Expected::rejected(0, &["A2"]).to(Knows::Host, None),
        dated.told().to(Knows::PrincipalStolen(base.afterwards()), None),
        end.to(Knows::Until(base.afterwards()), None),
    ]);
    case
}

/// Opened and closed by a new instance of this host, from `clock` on.
fn short_ledger(host: Who, claims: &HostClaims, clock: u64) -> Told {
    let mut body = founding_terms();
    body.nonce = Bytes::new([8; 16]);
    body.origin = Origin::new(format!("countersign/{}", "08".repeat(16))).expect("an origin");
    let dids = [host, OPENER].map(|who| Did::new(who.did().long()).expect("a long form"));
    body.dids = List::new(dids.into()).expect("two");
    let founding = LedgerBinding::Founding(body.founding());
    let opener = instance(OPENER, "runtime", InstanceRole::Runtime, founding);
    let documents = vec![issue(claims, Who::Principal), issue(&opener, host)];
    body.credentials = List::new(documents).expect("two");
    let mut writer = Writer::new(Twist::honest());
    writer.clock = clock;
    writer.enter("opened", (OPENER, Seq::ZERO), &[], |_| body.into());
    let (size, root) = (Size::clamped(1), writer.root());
    writer.enter("closed", (OPENER, Seq::ZERO), &[], |_| {
        LedgerClosed {
            size,
            root,
            open_items: Count::ZERO,
        }
        .into()
    });
    let head = writer.checkpoint();
    writer.checkpoints.push(head);
    writer.into()
}

/// Behind the first `place` entries, a new instance joins after the theft, declares everybody's stop and closes.
fn joined(base: &Arc<Base>, place: usize) -> Option<Case> {
    const LABELS: [&str; 8] = ["s-0", "s-1", "s-2", "s-3", "s-4", "s-5", "s-6", "s-7"];
    base.runtime(place)?;
    let left: Vec<Seq> = base.living(place).into_iter().map(|it| it.author.1).collect();
    let theft = Knows::HostStolen(base.afterwards());
    let expected = vec![
        Expected::incomplete(&["C2"]),
        base.told_by_head(place + left.len() + 2),
        Expected::rejected(place as u64, &["A2"]).to(theft, None),
        Expected::rejected(place as u64, &["A2"]).to(theft, base.older_head(place)),
    ];
    let from = Arc::clone(base);
    Some(Case::new(
        &JOIN,
        Class::K2,
        base,
        place.to_string(),
        expected,
        move || {
            end_at(&from, place, |writer| {
                writer.clock = from.afterwards();
                let author = join(writer, "intruder", INTRUDER, None);
                for (nth, instance) in left.iter().enumerate() {
                    stop(writer, LABELS[nth], author, *instance);
                }
                close(writer, author);
            })
        },
    ))
}

/// What stands in front of the entry at `place` by order of the principal's key.
fn ordered(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = base.runtime(place) else {
        return Vec::new();
    };
    let size = base.size() + 1;
    let pose = |attack, size, write: Arc<dyn Fn(&mut Writer<'_>) + Send + Sync>| {
        let kept = (place.to_string(), size, base.unseen());
        let mut case = posed(attack, (Class::K4, base), kept, move |from| {
            insert_at(from, place, |writer| write(writer))
        });
        // The clock of a base goes on by the second: this entry takes the time of the one behind it.
        let here = base.entries[place].record.received.get();
        case.expected.extend([
            Expected::rejected(place as u64, &["A2"]).to(Knows::PrincipalStolen(here), None),
            Expected::incomplete(&["C4"]).to(Knows::PrincipalStolen(base.afterwards() + 3_000), None),
        ]);
        case
    };
    let mut cases = vec![pose(
        &OWN_APPROVER,
        size,
        Arc::new(move |writer| {
            introduce_approver(writer, runtime, Who::Principal);
        }),
    )];
    let mut adopted = pose(
        &OWN_POLICY,
        size - base.asked_from(place),
        Arc::new(move |writer| {
            adopt_permit_all_on_order(writer, runtime, PolicyLayer::Organisation);
        }),
    );
    if base.entries[place].kind() == Kind::ApprovalEntered {
        adopted.expected = vec![Expected::rejected(place as u64 + 1, &["D5"])];
    }
    cases.push(adopted);
    let lead = base
        .of_kind(Kind::RunStarted)
        .find_map(|(_, known)| match &known.statement.body {
            Body::RunStarted(body) => Some(body.root_grant),
            _ => None,
        });
    if let Some(lead) = lead.filter(|_| base.entries[place].kind() == Kind::LedgerClosed) {
        let revoke = move |writer: &mut Writer<'_>| {
            revoke_on_order_by(writer, "forged", runtime, lead);
        };
        cases.push(pose(&OWN_REVOCATION, size, Arc::new(revoke)));
    }
    cases
}

impl Base {
    /// How many questions that were approved nobody asks any more if everything is permitted from `place` on: none, where
    /// the ledger's own layer 1 is adopted behind that.
    fn asked_from(&self, place: usize) -> usize {
        let adopts = |known: &Known| matches!(&known.statement.body, Body::PolicyAdopted(body) if body.layer == PolicyLayer::Organisation);
        let is_later = |known: &&Known| matches!(&known.statement.body, Body::ApprovalEntered(body) if body.decision.get() >= place as u64);
        if self.entries[place..].iter().any(adopts) {
            return 0;
        }
        self.entries.iter().filter(is_later).count()
    }
}
