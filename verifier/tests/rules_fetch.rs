//! Web addresses: the host within the grant (D1), the address that policy was asked about and the place it cannot have
//! (D4a), and addresses of another form.

use countersign_identity::credential::InstanceRole;
use countersign_identity::grant::HostScope;
use countersign_schemas::body::{Body, Effects, Outcome, Part, PartOutcome};
use countersign_schemas::list::List;
use countersign_schemas::number::Millis;
use countersign_verifier::projection::Observed;

use crate::support::credentials::{HOUR, START};
use crate::support::story::{decide, lead, request, tell, turn};
use crate::support::writer::{Twist, Writer};
use crate::support::{anchored, audit, breaks, breaks_first};

/// An allow with every part allowing, as one who wants the action to pass would write it.
fn allowed(label: &'static str) -> Twist<'static> {
    Twist::statement(label, |statement| {
        if let Body::DecisionMade(body) = &mut statement.body {
            body.outcome = Outcome::Allow;
            body.expires = Millis::clamped(START + HOUR);
            let allow = |part: &Part| Part {
                outcome: PartOutcome::Allow,
                rules: List::new(Vec::new()).expect("no rules"),
                ..part.clone()
            };
            body.parts = List::new(body.parts.iter().map(allow).collect()).expect("few parts");
        }
    })
}

/// Puts `to` in the place of `from` in the Cedar request of a decision.
fn asked_about(label: &'static str, from: &'static str, to: &'static str) -> Twist<'static> {
    Twist::payloads(label, move |payloads| {
        let text = String::from_utf8_lossy(&payloads[0]).into_owned();
        assert!(text.contains(from), "{text}");
        payloads[0] = text.replace(from, to).into_bytes();
    })
}

#[test]
fn d1_a_page_of_a_host_outside_the_grant_that_is_allowed() {
    breaks(allowed("stray-decision"), "D1", "stray-decision");
    let report = audit(&tell(allowed("stray-decision")).into(), &anchored());
    let expected: Vec<&str> = report.findings.iter().map(|it| it.expected.as_str()).collect();
    assert_eq!(expected, ["grant: deny (G3.host)"]);
}

#[test]
fn a_fetch_is_decided_by_the_hosts_of_the_grant() {
    for (hosts, outcomes) in [
        (&["*"][..], ["allow", "ask"]),
        (&["example.org"], ["deny", "ask"]),
        (&["api.example.com", "example.org"], ["allow", "ask"]),
        (&["docs.api.example.com", "xample.org", "org.example"], ["deny", "deny"]),
        (&[], ["deny", "deny"]),
    ] {
        let writer = tell(Twist::claims("lead", |claims| {
            if let InstanceRole::Agent(grant) = &mut claims.role {
                let scopes = hosts.iter().map(|host| HostScope::new(*host).expect("a scope"));
                grant.hosts = scopes.collect();
            }
        }));
        assert_eq!(writer.refusals, [], "{hosts:?}");
        let given = ["fetch-decision", "stray-decision"].map(|label| writer.outcomes[&writer.at(label)].as_str());
        assert_eq!(given, outcomes, "{hosts:?}");
    }
}

#[test]
fn an_address_of_another_form_is_requested_and_never_fetched() {
    const CALLS: [(&str, &str); 5] = [
        ("web_fetch", r#"{"url":"http://Example.com/"}"#),
        ("web_fetch", r#"{"url":"https://u@example.com/"}"#),
        ("web_fetch", r#"{"url":"https://example.com/docs/../x"}"#),
        ("web_fetch", r#"{"url":"https://example.com/docs/a#b"}"#),
        ("web_fetch", r#"{"url":"file:///etc/passwd"}"#),
    ];
    for call in CALLS {
        let ask = move |writer: &mut Writer<'_>| {
            let lead = lead(writer);
            let cause = turn(writer, ["odd-call", "odd-answer"], lead, &[call]);
            let odd = request(writer, "odd", lead, call, cause, &[]);
            decide(writer, "odd-decision", odd, Observed::nothing());
        };
        let writer = tell(Twist::before("call-3", ask));
        let outcome = writer.outcomes[&writer.at("odd-decision")];
        assert_eq!(writer.refusals, [], "{call:?}");
        assert_eq!(outcome, Outcome::CouldNotEvaluate, "{call:?}");
        assert_eq!(audit(&writer.into(), &anchored()).verdict().exit_code(), 0);
    }
}

#[test]
fn d4a_a_fetch_that_hides_an_effect() {
    for claimed in [Effects::READ, Effects::NETWORK, Effects::NONE] {
        let twist = Twist::statement("fetch", move |statement| {
            if let Body::ActionRequested(body) = &mut statement.body {
                body.effects = claimed;
            }
        });
        breaks(twist, "D4a", "fetch");
    }
}

#[test]
fn d4a_a_cedar_request_about_another_address() {
    for (from, to) in [
        (r#""port":443"#, r#""port":80"#),
        (r#""host":"api.example.com""#, r#""host":"example.com""#),
        (r#""path":"/docs/add""#, r#""path":"/docs/""#),
        (r#""scheme":"https""#, r#""scheme":"http""#),
        ("docs/add?v=1", "docs/add?v=2"),
        (r#""type":"Url""#, r#""type":"Tool""#),
    ] {
        breaks_first(asked_about("fetch-decision", from, to), "D4a", "fetch-decision");
    }
}

#[test]
fn d4a_a_place_that_the_resource_cannot_have() {
    const INSIDE: &str = r#""place":"inside","real_path":"/w/src/add.sh""#;
    const UNKNOWN: &str = r#""place":"unknown","real_path":"""#;
    const NONE: &str = r#""place":"none","real_path":"""#;
    for (label, from, to) in [
        ("fetch-decision", NONE, INSIDE),
        ("fetch-decision", NONE, UNKNOWN),
        ("todo-decision", NONE, INSIDE),
        ("spawn-decision", NONE, UNKNOWN),
        ("consult-decision", NONE, INSIDE),
        ("bash-decision", UNKNOWN, NONE),
        ("bash-decision", UNKNOWN, INSIDE),
        ("edit-decision", INSIDE, NONE),
    ] {
        breaks_first(asked_about(label, from, to), "D4a", label);
    }
}
