//! A lying operator (K3) who introduces whom it may not, or whose credentials say too much or come from the wrong hand.

use std::sync::Arc;

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_identity::grant::{Grant, HostScope, Lineage};
use countersign_schemas::body::{Body, Effects, Role};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::kind::Kind;
use countersign_schemas::list::{Doc, List};
use countersign_schemas::statement::Statement;

use std::collections::BTreeSet;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::host::introduce_approver;
use super::lie::changed;
use super::retelling::{give_to, insert_at};
use super::support::cast::Who;
use super::support::credentials::{HOUR, START, approver, budget, issue, name, path, window};
use super::support::story::introduce;
use super::support::writer::Twist;

static REINTRODUCE: Attack = Attack {
    name: "re-introduce",
    what: "in front of an entry, the DID of an agent is introduced again, as an advisor",
    rule: "that introduction (A1)",
};
static APPROVER: Attack = Attack {
    name: "approver-made-to-order",
    what: "in front of an entry, an approver is introduced whose credential the host signed",
    rule: "that introduction: approvers come from the principal (A2)",
};
static APPROVER_BY_AGENT: Attack = Attack {
    name: "approver-by-agent",
    what: "in front of an entry, an agent introduces an approver whose credential it signed itself",
    rule: "that introduction (A5, A2)",
};
static SPEAK_AS_OTHER: Attack = Attack {
    name: "re-attribute",
    what: "an entry is made by another instance, under its own key and counter",
    rule: "that entry: its role or its authority does not permit it (A5; D3 where the requester decides; D10, D6, D5, D2 where the role would)",
};
static STRIP_PROOF: Attack = Attack {
    name: "strip-proof",
    what: "one of the two proofs of a credential is taken out, and the entry signed like that",
    rule: "the entry that carries it (A2)",
};

/// One way in which the credential of an instance is wrong.
struct Claim {
    attack: Attack,
    change: fn(&mut InstanceClaims),
    /// The code at the introduction of a child, and of everybody else.
    child: Option<&'static str>,
    other: Option<&'static str>,
}

/// One way in which the grant of a child is wider than its parent's.
struct Wider {
    attack: Attack,
    change: fn(&mut Grant),
    code: &'static str,
}

const CREDENTIAL: &str = "that introduction (A2)";
const WIDER: &str = "that introduction";

static CLAIMS: [Claim; 5] = [
    Claim {
        attack: Attack {
            name: "credential-of-another",
            what: "the credential of an instance is about somebody else",
            rule: CREDENTIAL,
        },
        change: |claims| claims.instance = Who::Stranger.did().short_did().clone(),
        child: Some("A2"),
        other: Some("A2"),
    },
    Claim {
        attack: Attack {
            name: "credential-of-another-operator",
            what: "the credential of an instance names another operator",
            rule: CREDENTIAL,
        },
        change: |claims| claims.operator = Who::Stranger.did().short_did().clone(),
        child: Some("A2"),
        other: Some("A2"),
    },
    Claim {
        attack: Attack {
            name: "credential-for-another-ledger",
            what: "the credential of an instance is for another ledger",
            rule: CREDENTIAL,
        },
        change: |claims| claims.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32])),
        child: Some("A2"),
        other: Some("A2"),
    },
    Claim {
        attack: Attack {
            name: "longer-window",
            what: "a credential outlives its issuer's",
            rule: "that introduction (G5 for a child, else A4)",
        },
        change: |claims| claims.window = window(START - HOUR, START + 30 * HOUR),
        child: Some("G5"),
        other: Some("A4"),
    },
    Claim {
        attack: Attack {
            name: "window-over",
            what: "a credential is over when it is entered",
            rule: "the first statement of that instance: its own introduction where it makes that itself (A4)",
        },
        change: |claims| claims.window = window(START - HOUR, START - HOUR / 2),
        child: None,
        other: Some("A4"),
    },
];

static GRANTS: [Wider; 11] = [
    Wider {
        attack: Attack {
            name: "wider-tools",
            what: "a child has a tool that its parent has not",
            rule: WIDER,
        },
        change: |grant| grant.tools = BTreeSet::from([name("mcp/x")]),
        code: "G3",
    },
    Wider {
        attack: Attack {
            name: "wider-paths",
            what: "a child has a path that its parent has not",
            rule: WIDER,
        },
        change: |grant| grant.paths = BTreeSet::from([path("/work")]),
        code: "G3",
    },
    Wider {
        attack: Attack {
            name: "wider-hosts",
            what: "a child has a host that its parent has not",
            rule: WIDER,
        },
        change: |grant| grant.hosts = BTreeSet::from([HostScope::new("*").expect("a host")]),
        code: "G3",
    },
    Wider {
        attack: Attack {
            name: "wider-workspace",
            what: "a child works outside its parent's workspace",
            rule: WIDER,
        },
        change: |grant| grant.workspace = path("/"),
        code: "G3",
    },
    Wider {
        attack: Attack {
            name: "greater-depth",
            what: "a child may delegate as deep as its parent",
            rule: WIDER,
        },
        change: |grant| grant.depth = 2,
        code: "G4",
    },
    Wider {
        attack: Attack {
            name: "more-calls",
            what: "a child has more calls than its parent",
            rule: WIDER,
        },
        change: |grant| grant.budget = budget(51, 5_000),
        code: "G6",
    },
    Wider {
        attack: Attack {
            name: "more-tokens",
            what: "a child has more tokens than its parent",
            rule: WIDER,
        },
        change: |grant| grant.budget = budget(5, 100_001),
        code: "G6",
    },
    Wider {
        attack: Attack {
            name: "spliced-parent",
            what: "a child's grant names another parent and root",
            rule: WIDER,
        },
        change: |grant| {
            grant.lineage = Lineage::Child {
                parent: Digest::sha256(b"x"),
                root: Digest::sha256(b"x"),
            }
        },
        code: "G2",
    },
    Wider {
        attack: Attack {
            name: "no-parent",
            what: "a child's grant claims to be a root",
            rule: WIDER,
        },
        change: |grant| grant.lineage = Lineage::Root,
        code: "G2",
    },
    Wider {
        attack: Attack {
            name: "other-principal-of-grant",
            what: "a child's grant names another principal",
            rule: WIDER,
        },
        change: |grant| grant.principal = Who::Stranger.did().short_did().clone(),
        code: "G2",
    },
    Wider {
        attack: Attack {
            name: "grant-for-another-ledger",
            what: "a child's grant is for another ledger",
            rule: WIDER,
        },
        change: |grant| grant.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32])),
        code: "G8",
    },
];

static NEVER_HELD: Attack = Attack {
    name: "grant-never-held",
    what: "an agent hands on the grant of another",
    rule: "that introduction (G1)",
};
static OTHER_ISSUER: Attack = Attack {
    name: "credential-by-another",
    what: "the credential of an instance is signed by somebody else than the party that has to",
    rule: CREDENTIAL,
};
static EFFECTS: Attack = Attack {
    name: "wider-effects",
    what: "a child has an effect that its parent has not",
    rule: "that introduction (G3)",
};

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for place in 0..base.size() {
        cases.extend(inserted(base, place));
        cases.extend(by_others(base, place));
        cases.extend(credential(base, place));
    }
    cases
}

fn inserted(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some(runtime) = (place > 0).then(|| base.runtime(place)).flatten() else {
        return Vec::new();
    };
    let pose =
        |attack, codes: &[&'static str], write: Arc<dyn Fn(&mut super::support::writer::Writer<'_>) + Send + Sync>| {
            let from = Arc::clone(base);
            let expected = vec![Expected::rejected(place as u64, codes)];
            Case::new(attack, Class::K3, base, place.to_string(), expected, move || {
                insert_at(&from, place, |writer| write(writer))
            })
        };
    let mut cases = vec![pose(
        &APPROVER,
        &["A2"],
        Arc::new(move |writer| {
            introduce_approver(writer, runtime, Who::Host);
        }),
    )];
    let agents: Vec<_> = base
        .instances(place)
        .into_iter()
        .filter(|instance| instance.role == Role::Agent)
        .collect();
    if let Some(agent) = agents.last().map(|agent| agent.author.0) {
        cases.push(pose(
            &REINTRODUCE,
            &["A1"],
            Arc::new(move |writer| {
                introduce(
                    writer,
                    "forged",
                    runtime,
                    agent,
                    InstanceRole::Advisor,
                    (Who::Host, None, None),
                );
            }),
        ));
    }
    let living = base
        .living(place)
        .into_iter()
        .rev()
        .find(|instance| instance.role == Role::Agent);
    if let Some(agent) = living.map(|agent| agent.author) {
        cases.push(pose(
            &APPROVER_BY_AGENT,
            &["A5", "A2"],
            Arc::new(move |writer| {
                introduce_approver(writer, agent, agent.0);
            }),
        ));
    }
    cases
}

/// The entry at `place`, made by each other kind of instance that runs.
fn by_others(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let known = &base.entries[place];
    let author = known.statement.by;
    if known.kind() == Kind::LedgerOpened || author.get() == place as u64 {
        return Vec::new();
    }
    let others = base.living(place).into_iter().filter(|other| other.author.1 != author);
    let pose = |other: super::retelling::Instance| {
        let code = code_for(base, &known.statement, other)?;
        let case = changed(&SPEAK_AS_OTHER, base, place, code, move |draft| {
            give_to(draft, other.author)
        });
        Some(Case {
            position: format!("{place}-by-{}", other.author.1),
            ..case
        })
    };
    others.filter_map(pose).collect()
}

/// What the law says of a statement that this other instance makes (§5.3, and the rules of the kinds); `None` where it may.
fn code_for(base: &Base, statement: &Statement, other: super::retelling::Instance) -> Option<&'static str> {
    use Kind::{
        ActionRequested, AdviceGiven, AdviceRequested, GrantRevoked, IdentityIntroduced, InstanceStopped,
        ModelAnswered, ModelCalled, SessionEvent,
    };
    let kind = statement.body.kind();
    if let Body::DecisionMade(body) = &statement.body {
        let requester = base.entries[usize::try_from(body.request.get()).ok()?].statement.by;
        return Some(if requester == other.author.1 { "D3" } else { "A5" });
    }
    let permitted: &[Kind] = match other.role {
        Role::Agent => &[
            IdentityIntroduced,
            GrantRevoked,
            ModelCalled,
            ModelAnswered,
            AdviceRequested,
            ActionRequested,
            SessionEvent,
            InstanceStopped,
        ],
        Role::Advisor => &[ModelCalled, ModelAnswered, AdviceGiven, SessionEvent, InstanceStopped],
        _ => {
            return matches!(
                kind,
                ModelCalled | ModelAnswered | AdviceRequested | AdviceGiven | ActionRequested
            )
            .then_some("A5");
        }
    };
    if !permitted.contains(&kind) {
        return Some("A5");
    }
    match kind {
        // The answer, and the advice, are those of the one who was asked.
        ModelAnswered | AdviceGiven => Some("A5"),
        ActionRequested => Some("D10"),
        // Only a runtime speaks of another's stop; of its own anybody may, with the last key that it had.
        InstanceStopped => (!stops(statement, other)).then_some("A5"),
        _ => None,
    }
}

/// Whether `statement` is the stop of `instance`.
fn stops(statement: &Statement, instance: super::retelling::Instance) -> bool {
    matches!(&statement.body, Body::InstanceStopped(body) if body.instance == instance.author.1)
}

/// What can be wrong with the credential of the instance that begins at `place`.
fn credential(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let statement = &base.entries[place].statement;
    let (role, is_child) = match &statement.body {
        Body::LedgerOpened(_) => (Role::Runtime, false),
        Body::IdentityIntroduced(body) => (body.role, body.parent_grant.is_some()),
        _ => return Vec::new(),
    };
    let mut cases = stripped(base, place);
    if role == Role::Approver {
        cases.push(changed(&OTHER_ISSUER, base, place, "A2", |draft| {
            if let Body::IdentityIntroduced(body) = &mut draft.statement.body {
                body.credential = issue(&approver(), Who::Host);
            }
        }));
        return cases;
    }
    let called = if place == 0 { "runtime" } else { base.label(place) };
    cases.extend([Who::Stranger, Who::Principal, Who::Approver].map(|issuer| {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(place as u64, &["A2"])];
        Case::new(
            &OTHER_ISSUER,
            Class::K3,
            base,
            format!("{place}-{issuer:?}"),
            expected,
            move || from.retell(Twist::issuer(called, issuer)),
        )
    }));
    for claim in &CLAIMS {
        let Some(code) = (if is_child { claim.child } else { claim.other }) else {
            continue;
        };
        let case = claimed(&claim.attack, base, (place, called), code, claim.change);
        if claim.attack.name == "window-over" {
            // The credential itself is in order; whoever speaks under it is not.
            let speaks = (place..base.size()).find(|entry| base.entries[*entry].statement.by.get() == place as u64);
            let expected = speaks
                .map(|entry| Expected::rejected(entry as u64, &[code]))
                .into_iter()
                .collect();
            cases.push(Case { expected, ..case });
        } else {
            cases.push(case);
        }
    }
    if is_child {
        cases.extend(child(base, place, called));
    }
    cases
}

fn claimed(
    attack: &'static Attack,
    base: &Arc<Base>,
    (place, called): (usize, &'static str),
    code: &'static str,
    change: fn(&mut InstanceClaims),
) -> Case {
    let from = Arc::clone(base);
    let expected = vec![Expected::rejected(place as u64, &[code])];
    Case::new(attack, Class::K3, base, place.to_string(), expected, move || {
        from.retell(Twist::claims(called, change))
    })
}

fn child(base: &Arc<Base>, place: usize, called: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    for wider in &GRANTS {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(place as u64, &[wider.code])];
        cases.push(Case::new(
            &wider.attack,
            Class::K3,
            base,
            place.to_string(),
            expected,
            move || {
                from.retell(Twist::claims(called, |claims| {
                    if let InstanceRole::Agent(grant) = &mut claims.role {
                        (wider.change)(grant);
                    }
                }))
            },
        ));
    }
    let parent_lacks =
        parent_effects(base, place).map(|effects| Effects::from_bits(63 - effects.bits()).unwrap_or_default());
    if let Some(lacking) = parent_lacks.filter(|effects| effects.bits() != 0) {
        let from = Arc::clone(base);
        let expected = vec![Expected::rejected(place as u64, &["G3"])];
        cases.push(Case::new(
            &EFFECTS,
            Class::K3,
            base,
            place.to_string(),
            expected,
            move || {
                from.retell(Twist::claims(called, |claims| {
                    if let InstanceRole::Agent(grant) = &mut claims.role {
                        grant.effects = lacking;
                    }
                }))
            },
        ));
    }
    // The advisor's introduction carries no grant.
    let others = base
        .instances(place)
        .into_iter()
        .rev()
        .filter(|other| other.author.1 != base.entries[place].statement.by);
    cases.extend(others.take(2).map(|other| {
        let case = changed(&NEVER_HELD, base, place, "G1", move |draft| {
            if let Body::IdentityIntroduced(body) = &mut draft.statement.body {
                body.parent_grant = Some(other.author.1);
            }
        });
        Case {
            position: format!("{place}-of-{}", other.author.1),
            ..case
        }
    }));
    cases
}

/// The effects in the grant of the one who introduces the child at `place`.
fn parent_effects(base: &Base, place: usize) -> Option<Effects> {
    let parent = usize::try_from(base.entries[place].statement.by.get()).ok()?;
    let Body::IdentityIntroduced(body) = &base.entries[parent].statement.body else {
        return None;
    };
    let credential: serde_json::Value = serde_json::from_slice(body.credential.as_bytes()).ok()?;
    let words = credential["credentialSubject"]["grant"]["effects"].as_array()?;
    let effects = words.iter().filter_map(|word| Effects::from_word(word.as_str()?));
    Some(effects.fold(Effects::NONE, Effects::union))
}

/// The credential without its first, and without its second proof.
fn stripped(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let documents = if place == 0 { 2 } else { 1 };
    let pose = |document: usize, proof: usize| {
        let case = changed(&STRIP_PROOF, base, place, "A2", move |draft| {
            match &mut draft.statement.body {
                Body::LedgerOpened(body) => {
                    let mut credentials = body.credentials.to_vec();
                    credentials[document] = without_proof(&credentials[document], proof);
                    body.credentials = List::new(credentials).expect("two");
                }
                Body::IdentityIntroduced(body) => body.credential = without_proof(&body.credential, proof),
                _ => {}
            }
        });
        Case {
            position: format!("{place}-{document}-{proof}"),
            ..case
        }
    };
    (0..documents)
        .flat_map(|document| (0..2).map(move |proof| (document, proof)))
        .map(|(document, proof)| pose(document, proof))
        .collect()
}

pub(crate) fn without_proof(document: &Doc, proof: usize) -> Doc {
    let mut value: serde_json::Value = serde_json::from_slice(document.as_bytes()).expect("a credential");
    value["proof"].as_array_mut().expect("a proof set").remove(proof);
    Doc::new(countersign_identity::jcs::canonicalize(&value).expect("canonical")).expect("a document")
}
