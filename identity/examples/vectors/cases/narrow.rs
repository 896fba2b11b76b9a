//! Comparisons of grants: children that are too wide by one rule, and requests outside a grant.

use countersign_identity::binding::LedgerBinding;
use countersign_identity::grant::{AbsolutePath, Grant, HostScope, Lineage};
use countersign_schemas::body::{Effects, PolicyLayer};
use countersign_schemas::digest::{Digest, LedgerId};
use countersign_schemas::number::Count;
use serde_json::{Value, json};

use super::party::{Made, child_grant, host, lead_claims, name, root_grant, stranger};
use super::{Cases, Vector};

pub(super) fn cases() -> Cases {
    let mut cases = of_scope()?;
    cases.extend(of_the_rest()?);
    cases.extend(of_lineage()?);
    cases.extend(of_requests()?);
    Ok(cases)
}

fn narrowing(file: &str, why: &str, codes: &[&str], parent: &Grant, child: &Grant) -> Vector {
    let more = json!({ "parent": parent.to_json(), "child": child.to_json() });
    Vector::new(&format!("narrow-{file}"), "narrowing", "§8.3", why, json!(codes), more)
}

/// The child's grant changed in one way, under the root grant.
fn child(file: &str, why: &str, codes: &[&str], change: impl FnOnce(&mut Grant)) -> Made<Vector> {
    let mut grant = child_grant()?;
    change(&mut grant);
    Ok(narrowing(file, why, codes, &root_grant()?, &grant))
}

fn of_scope() -> Cases {
    let path = AbsolutePath::new;
    let (every, sub, other) = (
        HostScope::new("*")?,
        HostScope::new("api.example.com")?,
        HostScope::new("badexample.com")?,
    );
    let (above, beside) = (path("/home/kim")?, path("/home/kim/project-2")?);
    let tool = name("advisor")?;
    Ok(vec![
        child("narrower", "narrower in every respect", &[], |_| {})?,
        child("tool", "a tool that the parent has not", &["G3.tool"], |grant| {
            grant.tools.extend([tool])
        })?,
        child("effect", "an effect that the parent has not", &["G3.effect"], |grant| {
            grant.effects = Effects::CONSULT
        })?,
        child(
            "workspace-above",
            "the parent's parent folder",
            &["G3.workspace"],
            |grant| grant.workspace = above.clone(),
        )?,
        child("path-above", "the parent's parent folder", &["G3.path"], |grant| {
            grant.paths = [above].into()
        })?,
        child(
            "path-beside",
            "the same letters, another folder",
            &["G3.path"],
            |grant| grant.paths = [beside].into(),
        )?,
        child("host-below", "a name below the parent's", &[], |grant| {
            grant.hosts = [sub].into()
        })?,
        child(
            "host-same-end",
            "the same letters, another host",
            &["G3.host"],
            |grant| grant.hosts = [other].into(),
        )?,
        child("host-every", "every host", &["G3.host"], |grant| {
            grant.hosts = [every].into()
        })?,
    ])
}

fn of_the_rest() -> Cases {
    let more = Count::new(5_000_001)?;
    let (id, digest) = (LedgerId::from_bytes([2; 32]), Digest::from_bytes([3; 32]));
    let undelegating = Grant {
        may_delegate: false,
        ..root_grant()?
    };
    let unadopting = Grant {
        policy: child_grant()?.policy,
        ..root_grant()?
    };
    let mut adopting = child_grant()?;
    adopting.policy.adopt = true;
    Ok(vec![
        narrowing(
            "no-delegation",
            "the parent may not delegate",
            &["G4.delegate"],
            &undelegating,
            &child_grant()?,
        ),
        child("depth-same", "as deep as the parent", &["G4.depth"], |grant| {
            grant.depth = 3
        })?,
        child("calls", "more calls", &["G6.calls"], |grant| grant.budget.calls = more)?,
        child("tokens-in", "more tokens in", &["G6.tokens"], |grant| {
            grant.budget.tokens_in = more
        })?,
        child("tokens-out", "more tokens out", &["G6.tokens"], |grant| {
            grant.budget.tokens_out = more
        })?,
        child("cost", "more money", &["G6.cost"], |grant| {
            grant.budget.cost_micro_usd = more
        })?,
        child("ledger-other", "another ledger", &["G8.ledger"], |grant| {
            grant.ledger = LedgerBinding::Id(id)
        })?,
        child("ledger-any", "every ledger", &["G8.ledger"], |grant| {
            grant.ledger = LedgerBinding::Any
        })?,
        narrowing(
            "adopt",
            "may adopt a policy, the parent may not",
            &["G8.adopt"],
            &unadopting,
            &adopting,
        ),
        child(
            "floor-dropped",
            "the pinned policy is given up",
            &["G8.floor"],
            |grant| grant.policy.floor.clear(),
        )?,
        child("floor-other", "another policy is pinned", &["G8.floor"], |grant| {
            grant.policy.floor.insert(PolicyLayer::Organisation, digest);
        })?,
        child("floor-more", "one more policy is pinned", &[], |grant| {
            grant.policy.floor.insert(PolicyLayer::File, digest);
        })?,
        child(
            "several",
            "too wide by several rules",
            &["G3.effect", "G4.depth", "G6.calls", "G8.ledger"],
            |grant| {
                grant.effects = Effects::CONSULT;
                grant.depth = 9;
                grant.budget.calls = more;
                grant.ledger = LedgerBinding::Any;
            },
        )?,
    ])
}

fn of_lineage() -> Cases {
    let parent_digest = Digest::sha256(host().issue(&lead_claims()?)?.as_bytes());
    let other = Digest::from_bytes([7; 32]);
    let lineage = |file: &str, why: &str, codes: &[&str], child: &Grant| -> Made<Vector> {
        let more = json!({
            "parent": root_grant()?.to_json(),
            "parent_digest": parent_digest.to_string(),
            "child": child.to_json(),
        });
        Ok(Vector::new(
            &format!("lineage-{file}"),
            "lineage",
            "§8.3",
            why,
            json!(codes),
            more,
        ))
    };
    let with = |lineage: Lineage| -> Made<Grant> {
        Ok(Grant {
            lineage,
            ..child_grant()?
        })
    };
    Ok(vec![
        lineage("right", "names parent, root and principal", &[], &child_grant()?)?,
        lineage(
            "parent-other",
            "spliced under another parent",
            &["G2.parent"],
            &with(Lineage::Child {
                parent: other,
                root: parent_digest,
            })?,
        )?,
        lineage(
            "root-other",
            "spliced into another chain",
            &["G2.root"],
            &with(Lineage::Child {
                parent: parent_digest,
                root: other,
            })?,
        )?,
        lineage(
            "none",
            "a child that says it is a root",
            &["G2.parent", "G2.root"],
            &with(Lineage::Root)?,
        )?,
        lineage(
            "principal-other",
            "on behalf of another",
            &["G2.principal"],
            &Grant {
                principal: stranger().short(),
                ..child_grant()?
            },
        )?,
    ])
}

/// Name, why, codes, tool, effects, path, host.
type Request = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    Value,
    Value,
    Value,
);

fn of_requests() -> Cases {
    let (none, read) = (Value::Null, json!(["read"]));
    let requests: [Request; 12] = [
        (
            "inside",
            "inside the grant",
            &[],
            "read",
            read.clone(),
            json!("/home/kim/project/a"),
            none.clone(),
        ),
        (
            "host-inside",
            "a host below the granted one",
            &[],
            "bash",
            json!(["network"]),
            none.clone(),
            json!("api.example.com"),
        ),
        (
            "tool",
            "a tool not granted",
            &["G3.tool"],
            "advisor",
            read.clone(),
            none.clone(),
            none.clone(),
        ),
        (
            "effect",
            "an effect not granted",
            &["G3.effect"],
            "read",
            json!(["consult"]),
            none.clone(),
            none.clone(),
        ),
        (
            "path",
            "a path not granted",
            &["G3.path"],
            "read",
            read.clone(),
            json!("/etc/passwd"),
            none.clone(),
        ),
        (
            "path-beside",
            "the same letters, another folder",
            &["G3.path"],
            "read",
            read.clone(),
            json!("/home/kim/project2"),
            none.clone(),
        ),
        (
            "path-dot-dot",
            "not in normal form",
            &["G3.path"],
            "read",
            read.clone(),
            json!("/home/kim/project/../x"),
            none.clone(),
        ),
        (
            "path-relative",
            "not absolute",
            &["G3.path"],
            "read",
            read.clone(),
            json!("a"),
            none.clone(),
        ),
        (
            "host",
            "a host not granted",
            &["G3.host"],
            "bash",
            json!(["network"]),
            none.clone(),
            json!("example.org"),
        ),
        (
            "host-same-end",
            "the same letters, another host",
            &["G3.host"],
            "bash",
            json!(["network"]),
            none.clone(),
            json!("badexample.com"),
        ),
        (
            "host-upper-case",
            "not a plain host",
            &["G3.host"],
            "bash",
            json!(["network"]),
            none.clone(),
            json!("EXAMPLE.com"),
        ),
        (
            "several",
            "outside in every respect",
            &["G3.tool", "G3.effect", "G3.path", "G3.host"],
            "advisor",
            json!(["consult"]),
            json!("/etc"),
            json!("example.org"),
        ),
    ];
    let grant = root_grant()?.to_json();
    let to_vector = |(file, why, codes, tool, effects, path, host): Request| {
        let more = json!({ "grant": grant, "tool": tool, "effects": effects, "path": path, "host": host });
        Vector::new(&format!("request-{file}"), "request", "§8.4", why, json!(codes), more)
    };
    Ok(requests.into_iter().map(to_vector).collect())
}
