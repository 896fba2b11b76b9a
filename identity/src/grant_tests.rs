use countersign_schemas::digest::LedgerId;
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::keys::{HybridSecret, Seed32};

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn principal(byte: u8) -> ShortDid {
    let secret = HybridSecret::from_seeds(Seed32::new([byte; 32]), Seed32::new([byte; 32]));
    crate::did::PeerDid::from_keys(secret.public()).short_did().clone()
}

fn root() -> Result<Grant, Box<dyn std::error::Error>> {
    Ok(Grant {
        tools: [Name::new("bash")?, Name::new("edit")?, Name::new("read")?].into(),
        effects: Effects::READ.union(Effects::WRITE).union(Effects::NETWORK),
        workspace: AbsolutePath::new("/w")?,
        paths: [AbsolutePath::new("/tmp")?, AbsolutePath::new("/w")?].into(),
        hosts: [HostScope::new("example.com")?].into(),
        budget: Budget {
            calls: Count::clamped(200),
            tokens_in: Count::clamped(1_000_000),
            tokens_out: Count::clamped(100_000),
            cost_micro_usd: Count::clamped(5_000_000),
        },
        depth: 2,
        may_delegate: true,
        ledger: LedgerBinding::Id(LedgerId::from_bytes([9; 32])),
        purpose: Purpose::new("repair the build")?,
        policy: PolicyTerms {
            adopt: true,
            floor: [(PolicyLayer::Organisation, Digest::from_bytes([1; 32]))].into(),
        },
        lineage: Lineage::Root,
        principal: principal(1),
    })
}

fn child() -> Result<Grant, Box<dyn std::error::Error>> {
    let digest = Digest::from_bytes([2; 32]);
    Ok(Grant {
        depth: 1,
        lineage: Lineage::Child {
            parent: digest,
            root: digest,
        },
        ..root()?
    })
}

fn codes(result: Result<(), Vec<TooWide>>) -> Vec<&'static str> {
    result.err().unwrap_or_default().iter().map(TooWide::code).collect()
}

/// The codes of a child that was changed in one way.
fn widened(change: impl FnOnce(&mut Grant)) -> Result<Vec<&'static str>, Box<dyn std::error::Error>> {
    let mut child = child()?;
    change(&mut child);
    Ok(codes(child.check_narrows(&root()?)))
}

#[test]
fn a_grant_round_trips_through_json() -> TestResult {
    for grant in [root()?, child()?] {
        assert_eq!(Grant::from_json(&grant.to_json())?, grant);
    }
    Ok(())
}

#[test]
fn every_missing_or_unknown_member_is_refused() -> TestResult {
    let json = root()?.to_json();
    let names: Vec<String> = json.as_object().ok_or("not an object")?.keys().cloned().collect();
    assert_eq!(names.len(), 15);
    for name in names {
        let mut changed = json.clone();
        changed.as_object_mut().ok_or("not an object")?.remove(&name);
        assert_eq!(
            Grant::from_json(&changed).err().map(|error| error.code()),
            Some("missing_member"),
            "{name}"
        );
    }
    for place in ["", "/budget", "/policy", "/policy/floor", "/ledger"] {
        let mut changed = json.clone();
        changed.pointer_mut(place).ok_or("no such place")?["extra"] = json!(1);
        assert_eq!(
            Grant::from_json(&changed).err().map(|error| error.code()),
            Some("unknown_member"),
            "{place}"
        );
    }
    Ok(())
}

#[test]
fn every_member_with_a_bad_value_is_refused() -> TestResult {
    let json = root()?.to_json();
    let many: Vec<String> = (0..65).map(|n| format!("tool{n:02}")).collect();
    for (place, value, code) in [
        ("/tools", json!(["edit", "bash"]), "unsorted"),
        ("/tools", json!(["bash", "bash"]), "unsorted"),
        ("/tools", json!(["a b"]), "bad_name"),
        ("/tools", json!(many), "too_many"),
        ("/tools", json!("bash"), "wrong_type"),
        ("/effects", json!(["read", "fly"]), "unsorted"),
        ("/effects", json!(["fly"]), "wrong_value"),
        ("/effects", json!(["write", "read"]), "unsorted"),
        ("/effects", json!(3), "wrong_type"),
        ("/workspace", json!("w"), "bad_text"),
        ("/workspace", json!("/w/../x"), "bad_text"),
        ("/paths", json!(["/w", "/tmp"]), "unsorted"),
        ("/paths", json!(["/w/"]), "bad_text"),
        ("/hosts", json!(["*", "example.com"]), "wrong_value"),
        ("/hosts", json!(["Example.com"]), "bad_text"),
        ("/budget/calls", json!(-1), "wrong_type"),
        ("/budget/calls", json!(1.5), "wrong_type"),
        ("/budget/tokensIn", json!(9_007_199_254_740_992_u64), "out_of_range"),
        ("/budget/tokensOut", json!("7"), "wrong_type"),
        ("/budget/costMicroUsd", json!(null), "wrong_type"),
        ("/depth", json!(33), "out_of_range"),
        ("/mayDelegate", json!("true"), "wrong_type"),
        ("/mayEnrol", json!(true), "wrong_value"),
        ("/ledger", json!({}), "missing_member"),
        ("/purpose", json!("x".repeat(257)), "bad_text"),
        ("/purpose", json!("a\u{202e}b"), "bad_text"),
        ("/policy/adopt", json!(1), "wrong_type"),
        ("/policy/floor", json!({ "0": "00" }), "unknown_member"),
        ("/policy/floor", json!({ "1": "00" }), "bad_digest"),
        ("/parent", json!("00".repeat(32)), "wrong_value"),
        ("/root", json!("00".repeat(32)), "wrong_value"),
        ("/root", json!(1), "wrong_type"),
        ("/principal", json!("did:key:z6Mk"), "bad_did"),
    ] {
        let mut changed = json.clone();
        *changed.pointer_mut(place).ok_or("no such place")? = value;
        let error = Grant::from_json(&changed).err();
        assert_eq!(error.as_ref().map(MemberError::code), Some(code), "{place}: {error:?}");
    }
    Ok(())
}

#[test]
fn an_equal_child_with_less_depth_narrows() -> TestResult {
    assert_eq!(child()?.check_narrows(&root()?), Ok(()));
    Ok(())
}

#[test]
fn whatever_is_wider_is_named_by_its_rule() -> TestResult {
    let path = AbsolutePath::new;
    let (tool, sibling, above, below) = (Name::new("agent")?, path("/wx")?, path("/")?, path("/w/src")?);
    let (other_host, every_host, sub_host) = (
        HostScope::new("example.org")?,
        HostScope::new("*")?,
        HostScope::new("api.example.com")?,
    );
    let more = Count::clamped(10_000_000);
    assert_eq!(widened(|child| child.tools.extend([tool]))?, ["G3.tool"]);
    assert_eq!(
        widened(|child| child.effects = Effects::READ.union(Effects::EXECUTE))?,
        ["G3.effect"]
    );
    assert_eq!(widened(|child| child.workspace = sibling.clone())?, ["G3.workspace"]);
    assert_eq!(widened(|child| child.paths = [sibling].into())?, ["G3.path"]);
    assert_eq!(widened(|child| child.paths = [above].into())?, ["G3.path"]);
    assert_eq!(widened(|child| child.paths = [below.clone()].into())?, [""; 0]);
    assert_eq!(widened(|child| child.workspace = below)?, [""; 0]);
    assert_eq!(widened(|child| child.hosts = [other_host].into())?, ["G3.host"]);
    assert_eq!(widened(|child| child.hosts = [every_host].into())?, ["G3.host"]);
    assert_eq!(widened(|child| child.hosts = [sub_host].into())?, [""; 0]);
    assert_eq!(widened(|child| child.depth = 2)?, ["G4.depth"]);
    assert_eq!(widened(|child| child.budget.calls = more)?, ["G6.calls"]);
    assert_eq!(widened(|child| child.budget.tokens_in = more)?, ["G6.tokens"]);
    assert_eq!(widened(|child| child.budget.tokens_out = more)?, ["G6.tokens"]);
    assert_eq!(widened(|child| child.budget.cost_micro_usd = more)?, ["G6.cost"]);
    assert_eq!(widened(|child| child.ledger = LedgerBinding::Any)?, ["G8.ledger"]);
    assert_eq!(
        widened(|child| child.ledger = LedgerBinding::Id(LedgerId::from_bytes([8; 32])))?,
        ["G8.ledger"]
    );
    assert_eq!(widened(|child| child.policy.floor.clear())?, ["G8.floor"]);
    let other = Digest::from_bytes([3; 32]);
    assert_eq!(
        widened(|child| child.policy.floor = [(PolicyLayer::Organisation, other)].into())?,
        ["G8.floor"]
    );
    assert_eq!(
        widened(|child| child.policy.floor.extend([(PolicyLayer::File, other)]))?,
        [""; 0]
    );
    Ok(())
}

#[test]
fn a_parent_that_may_not_delegate_has_no_children() -> TestResult {
    let parent = Grant {
        may_delegate: false,
        ..root()?
    };
    assert_eq!(codes(child()?.check_narrows(&parent)), ["G4.delegate"]);
    let leaf = Grant { depth: 0, ..root()? };
    assert_eq!(codes(Grant { depth: 0, ..child()? }.check_narrows(&leaf)), ["G4.depth"]);
    let strict = Grant {
        policy: PolicyTerms {
            adopt: false,
            ..root()?.policy
        },
        ..root()?
    };
    assert_eq!(codes(child()?.check_narrows(&strict)), ["G8.adopt"]);
    Ok(())
}

#[test]
fn everything_too_wide_is_reported_at_once() -> TestResult {
    let found = widened(|child| {
        child.effects = Effects::EXECUTE.union(Effects::DELEGATE);
        child.depth = 9;
        child.ledger = LedgerBinding::Any;
    })?;
    assert_eq!(found, ["G3.effect", "G3.effect", "G4.depth", "G8.ledger"]);
    Ok(())
}

#[test]
fn lineage_names_parent_root_and_principal() -> TestResult {
    let (root_digest, child_digest) = (Digest::from_bytes([4; 32]), Digest::from_bytes([5; 32]));
    let root = root()?;
    let lineage = |parent, root| Lineage::Child { parent, root };
    let child = Grant {
        lineage: lineage(root_digest, root_digest),
        ..child()?
    };
    assert_eq!(child.check_lineage(&root, root_digest), Ok(()));
    let grandchild = Grant {
        lineage: lineage(child_digest, root_digest),
        ..child.clone()
    };
    assert_eq!(grandchild.check_lineage(&child, child_digest), Ok(()));

    let spliced = Grant {
        lineage: lineage(child_digest, child_digest),
        ..child.clone()
    };
    assert_eq!(codes(spliced.check_lineage(&child, child_digest)), ["G2.root"]);
    assert_eq!(
        codes(child.check_lineage(&root, child_digest)),
        ["G2.parent", "G2.root"]
    );
    let orphan = Grant {
        lineage: Lineage::Root,
        ..child.clone()
    };
    assert_eq!(
        codes(orphan.check_lineage(&root, root_digest)),
        ["G2.parent", "G2.root"]
    );
    let stranger = Grant {
        principal: principal(2),
        ..child
    };
    assert_eq!(codes(stranger.check_lineage(&root, root_digest)), ["G2.principal"]);
    Ok(())
}

#[test]
fn a_request_outside_the_scope_is_refused_with_every_reason() -> TestResult {
    let grant = root()?;
    let (read, agent) = (Name::new("read")?, Name::new("agent")?);
    assert_eq!(grant.covers(&read, Effects::READ, Some("/w/a"), None), Ok(()));
    assert_eq!(
        grant.covers(&read, Effects::NETWORK, None, Some("api.example.com")),
        Ok(())
    );
    for path in [
        "/etc/passwd",
        "/wx",
        "/w/../etc/passwd",
        "/w/./a",
        "/w//a",
        "w/a",
        "",
        "/w/",
    ] {
        assert_eq!(
            codes(grant.covers(&read, Effects::READ, Some(path), None)),
            ["G3.path"],
            "{path}"
        );
    }
    for host in [
        "example.org",
        "notexample.com",
        "EXAMPLE.com",
        "",
        "*",
        "example.com.",
        "10.0.0.1",
    ] {
        assert_eq!(
            codes(grant.covers(&read, Effects::READ, None, Some(host))),
            ["G3.host"],
            "{host}"
        );
    }
    let all = grant.covers(
        &agent,
        Effects::READ.union(Effects::DELEGATE),
        Some("/etc"),
        Some("evil.org"),
    );
    assert_eq!(codes(all), ["G3.tool", "G3.effect", "G3.path", "G3.host"]);
    Ok(())
}

fn any_path() -> impl Strategy<Value = AbsolutePath> {
    prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"])
        .prop_map(|path| AbsolutePath::new(path).expect("listed in normal form"))
}

fn any_hosts() -> impl Strategy<Value = BTreeSet<HostScope>> {
    let scope = |host: &'static str| HostScope::new(host).expect("listed well-formed");
    let named = prop::sample::select(vec!["a.com", "x.a.com", "y.x.a.com", "ba.com", "10.0.0.1"]);
    prop_oneof![3 => btree_set(named.prop_map(scope), 0..4), 1 => Just([scope("*")].into())]
}

prop_compose! {
    fn any_grant()(
        tools in btree_set(prop::sample::select(vec!["bash", "edit", "read"]), 0..=3),
        effects in 0u64..64,
        workspace in any_path(),
        paths in btree_set(any_path(), 0..4),
        hosts in any_hosts(),
        amounts in [0u64..4, 0..4, 0..4, 0..4],
        depth in 0u8..4,
        (may_delegate, adopt) in any::<(bool, bool)>(),
        ledger in prop::sample::select(vec![
            LedgerBinding::Any,
            LedgerBinding::Id(LedgerId::from_bytes([1; 32])),
            LedgerBinding::Founding(Digest::from_bytes([1; 32])),
        ]),
        floor in prop::collection::btree_map(
            prop::sample::select(vec![PolicyLayer::Organisation, PolicyLayer::File]),
            prop::sample::select(vec![Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32])]),
            0..3,
        ),
    ) -> Grant {
        let [calls, tokens_in, tokens_out, cost_micro_usd] = amounts.map(Count::clamped);
        let name = |tool: &str| Name::new(tool).expect("listed as a name");
        Grant {
            tools: tools.into_iter().map(name).collect(),
            effects: Effects::from_bits(effects).expect("all six bits are assigned"),
            workspace, paths, hosts,
            budget: Budget { calls, tokens_in, tokens_out, cost_micro_usd },
            depth, may_delegate, ledger,
            purpose: Purpose::default(),
            policy: PolicyTerms { adopt, floor },
            lineage: Lineage::Root,
            principal: ShortDid::parse("did:peer:4zQmb7xLdVY9TXx8oov5XgpGUmGELgqiAV2699s43i6Qdm3M").expect("a published one"),
        }
    }
}

/// `child` cut down to what `parent` has, so that narrowing pairs are not left to chance.
fn cut_down(child: &Grant, parent: &Grant) -> Grant {
    let least = |a: Count, b: Count| a.min(b);
    let mut cut = child.clone();
    cut.tools = child.tools.intersection(&parent.tools).cloned().collect();
    cut.effects = Effects::from_bits(child.effects.bits() & parent.effects.bits()).unwrap_or_default();
    if !parent.workspace.contains(child.workspace.as_str()) {
        cut.workspace = parent.workspace.clone();
    }
    cut.paths
        .retain(|path| parent.paths.iter().any(|place| place.contains(path.as_str())));
    if !parent.hosts.iter().any(HostScope::is_every_host) {
        cut.hosts.retain(|host| {
            parent
                .hosts
                .iter()
                .any(|scope| scope.contains(host.as_str()) && !host.is_every_host())
        });
    }
    cut.budget = Budget {
        calls: least(child.budget.calls, parent.budget.calls),
        tokens_in: least(child.budget.tokens_in, parent.budget.tokens_in),
        tokens_out: least(child.budget.tokens_out, parent.budget.tokens_out),
        cost_micro_usd: least(child.budget.cost_micro_usd, parent.budget.cost_micro_usd),
    };
    cut.depth = parent.depth.saturating_sub(1);
    if !child.ledger.is_within(&parent.ledger) {
        cut.ledger = parent.ledger;
    }
    cut.policy.adopt &= parent.policy.adopt;
    cut.policy.floor.extend(parent.policy.floor.clone());
    cut
}

fn delegating(grant: Grant) -> Grant {
    Grant {
        may_delegate: true,
        depth: grant.depth + 2,
        ..grant
    }
}

proptest! {
    #[test]
    fn any_grant_round_trips(grant in any_grant()) {
        prop_assert_eq!(Grant::from_json(&grant.to_json()), Ok(grant));
    }

    #[test]
    fn a_grant_narrows_itself_except_in_depth(grant in any_grant()) {
        let parent = delegating(grant);
        prop_assert_eq!(codes(parent.check_narrows(&parent)), ["G4.depth"]);
        let child = Grant { depth: parent.depth - 1, ..parent.clone() };
        prop_assert_eq!(child.check_narrows(&parent), Ok(()));
    }

    #[test]
    fn what_is_cut_down_narrows(child in any_grant(), parent in any_grant()) {
        let parent = delegating(parent);
        prop_assert_eq!(cut_down(&child, &parent).check_narrows(&parent), Ok(()));
    }

    #[test]
    fn narrowing_is_transitive(a in any_grant(), b in any_grant(), c in any_grant(), cut in any::<bool>()) {
        let c = delegating(c);
        let b = Grant { may_delegate: true, ..if cut { cut_down(&b, &c) } else { b } };
        let a = if cut { cut_down(&a, &b) } else { a };
        if a.check_narrows(&b).is_ok() && b.check_narrows(&c).is_ok() {
            prop_assert_eq!(a.check_narrows(&c), Ok(()));
        }
    }

    #[test]
    fn a_child_never_covers_what_its_parent_does_not(
        child in any_grant(),
        parent in any_grant(),
        cut in any::<bool>(),
        tool in prop::sample::select(vec!["agent", "bash", "edit", "read"]),
        effects in 0u64..64,
        path in prop::option::of("/?[ab./]{0,6}"),
        host in prop::option::of("[axyb.]{0,4}[.]?a[.]com|10[.]0[.]0[.]1|[*]"),
    ) {
        let parent = delegating(parent);
        let child = if cut { cut_down(&child, &parent) } else { child };
        prop_assume!(child.check_narrows(&parent).is_ok());
        let tool = Name::new(tool).expect("listed as a name");
        let effects = Effects::from_bits(effects).expect("all six bits are assigned");
        if child.covers(&tool, effects, path.as_deref(), host.as_deref()).is_ok() {
            prop_assert_eq!(parent.covers(&tool, effects, path.as_deref(), host.as_deref()), Ok(()));
        }
    }
}
