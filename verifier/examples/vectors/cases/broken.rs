//! One way to break each rule, by somebody who holds every key.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::credential::{InstanceClaims, InstanceRole};
use countersign_identity::grant::{Grant, Lineage};
use countersign_schemas::body::{
    ActionFinished, ActionRequested, ApprovalEntered, Body, DecisionMade, Effects, FinishOutcome, LedgerClosed,
    Outcome, PartOutcome, Verdict,
};
use countersign_schemas::digest::{Digest, LedgerId, Link};
use countersign_schemas::kind::SignatureSet;
use countersign_schemas::list::List;
use countersign_schemas::number::{Count, INTEGER_MAX, Millis, Seq};

use super::ledger::{Honest, STORY};
use crate::support::aftermath::meet;
use crate::support::cast::Who;
use crate::support::credentials::{HOUR, START, budget, name, window};
use crate::support::story::{LAYER1, RUNTIME, adopt, call_model, finish, introduce, lead, scout, stop};
use crate::support::writer::{Twist, Writer};

/// A twist and the entry at which the first rule is broken by it.
pub(super) struct Broken {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) why: &'static str,
    pub(super) label: &'static str,
    pub(super) twist: Twist<'static>,
    /// The honest story that it twists.
    pub(super) of: &'static Honest,
}

pub(super) fn case(
    code: &'static str,
    name: &'static str,
    why: &'static str,
    label: &'static str,
    twist: Twist<'static>,
) -> Broken {
    Broken {
        code,
        name,
        why,
        label,
        twist,
        of: &STORY,
    }
}

pub(super) fn broken() -> Vec<Broken> {
    [
        chain(),
        identity(),
        grants(),
        decisions(),
        execution(),
        super::processes::broken(),
        super::withdrawn::broken(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn requested(label: &'static str, change: fn(&mut ActionRequested)) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::ActionRequested(body) = &mut statement.body {
            change(body);
        }
    })
}

fn decided(label: &'static str, change: fn(&mut DecisionMade)) -> Twist<'static> {
    Twist::statement(label, move |statement| {
        if let Body::DecisionMade(body) = &mut statement.body {
            change(body);
        }
    })
}

fn closed(change: fn(&mut LedgerClosed)) -> Twist<'static> {
    Twist::statement("closed", move |statement| {
        if let Body::LedgerClosed(body) = &mut statement.body {
            change(body);
        }
    })
}

fn grant(called: &'static str, change: fn(&mut Grant)) -> Twist<'static> {
    Twist::claims(called, move |claims: &mut InstanceClaims| {
        if let InstanceRole::Agent(grant) = &mut claims.role {
            change(grant);
        }
    })
}

fn chain() -> Vec<Broken> {
    vec![
        case(
            "I1",
            "credential",
            "a credential with a line end is not canonical",
            "lead",
            spaced_credential(),
        ),
        case(
            "I2",
            "signer",
            "signed by somebody else",
            "grep",
            Twist::draft("grep", |it| it.signer = Who::Lead),
        ),
        case(
            "I2",
            "downgrade",
            "one signature of two",
            "scout-stop",
            downgraded("scout-stop"),
        ),
        case(
            "I3",
            "prev",
            "chained to something else",
            "grep",
            Twist::draft("grep", |it| it.prev = Link::from_bytes([1; 32])),
        ),
        case(
            "I4",
            "place",
            "states another place",
            "grep",
            Twist::draft("grep", |it| it.seq += 1),
        ),
        case(
            "I5",
            "link",
            "has seen another history",
            "grep",
            Twist::statement("grep", |it| it.seen.link = Link::from_bytes([1; 32])),
        ),
        case(
            "I6",
            "gap",
            "leaves a number out",
            "grep",
            Twist::statement("grep", |it| it.n = it.n.next()),
        ),
        case(
            "I7",
            "size",
            "the end states another size",
            "closed",
            closed(|it| it.size = countersign_schemas::number::Size::clamped(1)),
        ),
        case(
            "I7",
            "root",
            "the end states another root",
            "closed",
            closed(|it| it.root = Digest::sha256(b"")),
        ),
        case(
            "I7",
            "open",
            "the end states open items that are none",
            "closed",
            closed(|it| it.open_items = Count::clamped(1)),
        ),
        case(
            "I9",
            "payload",
            "an argument that was not committed to",
            "grep",
            Twist::draft("grep", |it| it.payloads[0].push(b' ')),
        ),
        case(
            "I10",
            "at",
            "an author goes back in time",
            "lead-stop",
            Twist::statement("lead-stop", |it| it.at = Millis::clamped(it.at.get() - 60_000)),
        ),
    ]
}

fn spaced_credential() -> Twist<'static> {
    Twist::statement("lead", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            let bytes = [body.credential.as_bytes(), b"\n"].concat();
            body.credential = countersign_schemas::list::Doc::new(bytes).expect("a document");
        }
    })
}

fn downgraded(label: &'static str) -> Twist<'static> {
    Twist::draft(label, |draft| draft.set = SignatureSet::Ed25519)
}

fn identity() -> Vec<Broken> {
    let again = |writer: &mut Writer<'static>| {
        introduce(
            writer,
            "again",
            RUNTIME,
            Who::Scout,
            InstanceRole::Advisor,
            (Who::Host, None, None),
        );
    };
    let speaks = |writer: &mut Writer<'static>| {
        let scout = scout(writer);
        call_model(writer, "after", scout);
    };
    let unasked = |writer: &mut Writer<'static>| {
        call_model(writer, "calls", RUNTIME);
    };
    let lax = |writer: &mut Writer<'static>| {
        adopt(
            writer,
            "layer1-again",
            countersign_schemas::body::PolicyLayer::Organisation,
            LAYER1,
        );
    };
    let foreign = |writer: &mut Writer<'static>| {
        let (lead, instance) = (lead(writer), writer.at("advisor"));
        stop(writer, "foreign-stop", lead, instance);
    };
    let other = |claims: &mut InstanceClaims| claims.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]));
    let long = |claims: &mut InstanceClaims| claims.window = window(START - HOUR, START + 48 * HOUR);
    vec![
        case(
            "A1",
            "again",
            "a DID joins in a second role",
            "again",
            Twist::before("run-ended", again),
        ),
        case(
            "A2",
            "issuer",
            "a lead certified by somebody else",
            "lead",
            Twist::issuer("lead", Who::Stranger),
        ),
        case(
            "A2",
            "ledger",
            "a credential for another ledger",
            "advisor",
            Twist::claims("advisor", other),
        ),
        case(
            "A3",
            "stopped",
            "speaks after its stop",
            "after",
            Twist::before("spawn-finish", speaks),
        ),
        case(
            "A4",
            "window",
            "a credential outlives its issuer's",
            "advisor",
            Twist::claims("advisor", long),
        ),
        case(
            "A5",
            "role",
            "a runtime calls a model",
            "calls",
            Twist::before("call-1", unasked),
        ),
        case(
            "A5",
            "policy",
            "layer 1 changes during a run",
            "layer1-again",
            Twist::before("call-1", lax),
        ),
        case(
            "A5",
            "stop",
            "an agent stops another",
            "foreign-stop",
            Twist::before("call-1", foreign),
        ),
        case(
            "U2",
            "peer",
            "a kind that this version does not judge",
            "peer",
            Twist::before("call-1", |writer| meet(writer, "peer")),
        ),
    ]
}

fn grants() -> Vec<Broken> {
    let no_parent = Twist::statement("scout", |statement| {
        if let Body::IdentityIntroduced(body) = &mut statement.body {
            body.parent_grant = None;
        }
    });
    let reserve = Twist::statement("call-2", |statement| {
        if let Body::ModelCalled(body) = &mut statement.body {
            body.reserve.tokens_in = Count::clamped(100_001);
        }
    });
    let overflow = Twist::statement("answer-2", |statement| {
        if let Body::ModelAnswered(body) = &mut statement.body {
            body.tokens.input = Count::clamped(INTEGER_MAX);
        }
    });
    let long = |claims: &mut InstanceClaims| claims.window = window(START - HOUR, START + 13 * HOUR);
    let spliced = |grant: &mut Grant| {
        grant.lineage = Lineage::Child {
            parent: Digest::sha256(b"x"),
            root: Digest::sha256(b"x"),
        };
    };
    vec![
        case("G1", "parent", "a child under no grant", "scout", no_parent),
        case(
            "G2",
            "lineage",
            "a child of another grant",
            "scout",
            grant("scout", spliced),
        ),
        case(
            "G3",
            "tool",
            "a tool the parent does not have",
            "scout",
            grant("scout", |it| it.tools = [name("mcp/x")].into()),
        ),
        case(
            "G4",
            "depth",
            "as deep as its parent",
            "scout",
            grant("scout", |it| it.depth = 2),
        ),
        case(
            "G5",
            "window",
            "outlives its parent",
            "scout",
            Twist::claims("scout", long),
        ),
        case(
            "G6",
            "budget",
            "more calls than its parent",
            "scout",
            grant("scout", |it| it.budget = budget(51, 5_000)),
        ),
        case("G6", "reserve", "a reservation beyond the budget", "call-2", reserve),
        case("G6", "overflow", "a sum beyond 2^53 - 1", "answer-2", overflow),
        case(
            "G8",
            "ledger",
            "a grant for another ledger",
            "scout",
            grant("scout", |it| {
                it.ledger = LedgerBinding::Id(LedgerId::from_bytes([1; 32]))
            }),
        ),
    ]
}

fn decisions() -> Vec<Broken> {
    let allow = |body: &mut DecisionMade| {
        body.outcome = Outcome::Allow;
        body.expires = Millis::clamped(START + HOUR);
        let parts = body.parts.iter().cloned().map(|mut part| {
            part.outcome = PartOutcome::Allow;
            part.rules = List::new(Vec::new()).expect("no rules");
            part
        });
        body.parts = List::new(parts.collect()).expect("few parts");
    };
    let other_port = Twist::payloads("fetch-decision", |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).replace(r#""port":443"#, r#""port":80"#);
        payloads[0] = text.into_bytes();
    });
    let placed_address = Twist::payloads("fetch-decision", |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).replace(r#""place":"none""#, r#""place":"unknown""#);
        payloads[0] = text.into_bytes();
    });
    let again = |writer: &mut Writer<'static>| {
        let request = writer.at("grep");
        crate::support::story::decide(
            writer,
            "second",
            request,
            countersign_verifier::projection::Observed::nothing(),
        );
    };
    let by_requester = Twist::draft("grep-decision", |draft| {
        let scout = Seq::clamped(11);
        draft.signer = Who::Scout;
        draft.statement.by = scout;
        draft.statement.n = Count::clamped(draft.counters.get(&scout).copied().unwrap_or(0));
    });
    let other_depth = Twist::payloads("edit-decision", |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).replace(r#""depth_left":2"#, r#""depth_left":9"#);
        payloads[0] = text.into_bytes();
    });
    let other_place = Twist::payloads("edit-decision", |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).into_owned();
        let secret = r#""real_path":"/w/src/.ssh/add.sh""#;
        payloads[0] = text.replace(r#""real_path":"/w/src/add.sh""#, secret).into_bytes();
    });
    vec![
        case(
            "D1",
            "allowed",
            "a write outside the grant is allowed",
            "scout-write-decision",
            decided("scout-write-decision", allow),
        ),
        case(
            "D1",
            "host",
            "a page of a host that the grant does not name is allowed",
            "stray-decision",
            decided("stray-decision", allow),
        ),
        case(
            "D2",
            "twice",
            "a request is decided twice",
            "second",
            Twist::before("grep-finish", again),
        ),
        case("D3", "own", "the requester decides", "grep-decision", by_requester),
        case(
            "D4a",
            "depth",
            "the policy was asked about another agent",
            "edit-decision",
            other_depth,
        ),
        case(
            "D4a",
            "place",
            "a place that does not fit the observed path",
            "edit-decision",
            other_place,
        ),
        case(
            "D4a",
            "effects",
            "a command that claims to read only",
            "bash",
            requested("bash", |it| it.effects = Effects::READ),
        ),
        case(
            "D4a",
            "fetch_effects",
            "a fetch that claims no network",
            "fetch",
            requested("fetch", |it| it.effects = Effects::READ),
        ),
        case(
            "D4a",
            "url",
            "the policy was asked about another port",
            "fetch-decision",
            other_port,
        ),
        case(
            "D4a",
            "kind",
            "a place that a web address cannot have",
            "fetch-decision",
            placed_address,
        ),
        case(
            "D4b",
            "outcome",
            "an outcome that is not the strictest part",
            "scout-write-decision",
            decided("scout-write-decision", |it| it.outcome = Outcome::CouldNotEvaluate),
        ),
        case(
            "D4b",
            "policies",
            "policies that are not in force",
            "grep-decision",
            decided("grep-decision", |it| {
                it.policies = List::new(vec![Seq::clamped(1)]).expect("one")
            }),
        ),
        case("D8", "advice", "cites a question as advice", "edit", cites_question()),
        case(
            "D10",
            "cause",
            "cites an answer to somebody else",
            "grep",
            requested("grep", |it| it.cause = Some(Seq::clamped(8))),
        ),
        case(
            "D10",
            "arguments",
            "asks for what was not proposed",
            "grep",
            Twist::payloads("grep", |it| it[0] = br#"{"path":"src","pattern":"x"}"#.to_vec()),
        ),
    ]
}

fn cites_question() -> Twist<'static> {
    requested("edit", |body| {
        let advice = body
            .advice
            .iter()
            .flat_map(|list| list.iter())
            .cloned()
            .map(|mut cited| {
                cited.entry = Seq::clamped(25);
                cited
            });
        body.advice = List::new(advice.collect()).ok();
    })
}

fn execution() -> Vec<Broken> {
    let approval = |change: fn(&mut ApprovalEntered)| {
        Twist::statement("approval", move |statement| {
            if let Body::ApprovalEntered(body) = &mut statement.body {
                change(body);
            }
        })
    };
    let finished = |change: fn(&mut ActionFinished)| {
        Twist::statement("grep-finish", move |statement| {
            if let Body::ActionFinished(body) = &mut statement.body {
                change(body);
            }
        })
    };
    let against = |writer: &mut Writer<'static>| {
        let decision = writer.at("scout-write-decision");
        finish(writer, "against", decision);
    };
    let twice = |writer: &mut Writer<'static>| {
        let decision = writer.at("grep-decision");
        finish(writer, "twice", decision);
    };
    vec![
        case(
            "D5",
            "signer",
            "an order of somebody else",
            "approval",
            Twist::issuer("order", Who::Stranger),
        ),
        case(
            "D5",
            "verdict",
            "a verdict that was not given",
            "approval",
            approval(|it| it.verdict = Verdict::Refused),
        ),
        case(
            "D5",
            "text",
            "another text than the action's",
            "approval",
            Twist::payloads("approval", |it| it[0].push(b' ')),
        ),
        case(
            "D5",
            "late",
            "an answer after the ask's end",
            "approval",
            Twist::before("approval", |writer| writer.clock += 2 * HOUR),
        ),
        case(
            "D6",
            "twice",
            "an action runs twice",
            "twice",
            Twist::before("scout-write", twice),
        ),
        case(
            "D7",
            "denied",
            "a denied action runs",
            "against",
            Twist::before("scout-stop", against),
        ),
        case(
            "D7",
            "late",
            "an action starts after its permit",
            "grep-finish",
            finished(|it| it.started = Some(Millis::clamped(START + 2 * HOUR))),
        ),
        case(
            "D7",
            "early",
            "an action started before it was permitted",
            "grep-finish",
            finished(|it| it.started = Some(Millis::clamped(START))),
        ),
        case(
            "D7",
            "untold",
            "an action starts after its outcome is told",
            "grep-finish",
            finished(|it| it.started = Some(Millis::clamped(START + HOUR / 4))),
        ),
        case(
            "D7",
            "never",
            "an action that never started succeeds",
            "grep-finish",
            finished(|it| {
                it.started = None;
                it.outcome = FinishOutcome::Ok;
            }),
        ),
    ]
}
