"""Grants: their form, a child under its parent, a request under its grant (identity-v1 §8)."""

from .errors import demand
from .members import ascending, choice, count, digest, is_host, is_normal_path, ledger_binding, members, name, nullable, path
from .members import short, text
from .statement import EFFECTS

BUDGET = ["calls", "tokensIn", "tokensOut", "costMicroUsd"]


def check_host(value):
    """Checks a host scope (§8.2)."""
    demand(value == "*" or is_host(value))


FORM = {
    "tools": ascending(0, 64, name),
    "effects": ascending(0, 6, choice(*EFFECTS)),
    "workspace": path,
    "paths": ascending(0, 32, path),
    "hosts": ascending(0, 32, check_host),
    "budget": lambda value: members(value, dict.fromkeys(BUDGET, count())),
    "depth": count(32),
    "mayDelegate": choice(True, False),
    "mayEnrol": choice(False),
    "ledger": ledger_binding,
    "purpose": text(256),
    "policy": lambda value: members(value, {"adopt": choice(True, False), "floor": check_floor}),
    "parent": nullable(digest),
    "root": nullable(digest),
    "principal": short,
}


def check_floor(value):
    """Checks the pins of layers."""
    members(value, {}, dict.fromkeys("12345", digest))


def check(grant):
    """Checks the form of a grant (§8.1)."""
    members(grant, FORM)
    demand("*" not in grant["hosts"] or len(grant["hosts"]) == 1)
    demand((grant["parent"] is None) == (grant["root"] is None))


def path_contains(outer, inner):
    """Compares two paths in normal form as text (§8.2)."""
    return outer == "/" or inner == outer or inner.startswith(outer + "/")


def host_contains(scope, host):
    """Compares a scope with a host (§8.2)."""
    return scope == "*" or host == scope or host.endswith("." + scope)


def lineage(child, parent, parent_digest):
    """Returns the G2 codes of §8.3."""
    found = [] if child["parent"] == parent_digest else ["G2.parent"]
    if child["root"] != (parent["root"] or parent_digest):
        found.append("G2.root")
    if child["principal"] != parent["principal"]:
        found.append("G2.principal")
    return found


def narrowing(child, parent):
    """Returns all codes of §8.3 from G3 on, in its order."""
    found = ["G3.tool" for tool in child["tools"] if tool not in parent["tools"]]
    found += ["G3.effect" for effect in child["effects"] if effect not in parent["effects"]]
    if not path_contains(parent["workspace"], child["workspace"]):
        found.append("G3.workspace")
    for path in child["paths"]:
        if not any(path_contains(outer, path) for outer in parent["paths"]):
            found.append("G3.path")
    for host in child["hosts"]:
        if not any(scope == "*" or host != "*" and host_contains(scope, host) for scope in parent["hosts"]):
            found.append("G3.host")
    if not parent["mayDelegate"]:
        found.append("G4.delegate")
    if child["depth"] >= parent["depth"]:
        found.append("G4.depth")
    for amount, code in zip(BUDGET, ("G6.calls", "G6.tokens", "G6.tokens", "G6.cost")):
        if child["budget"][amount] > parent["budget"][amount]:
            found.append(code)
    if parent["ledger"] not in ({"any": True}, child["ledger"]):
        found.append("G8.ledger")
    if child["policy"]["adopt"] and not parent["policy"]["adopt"]:
        found.append("G8.adopt")
    for layer, pinned in sorted(parent["policy"]["floor"].items()):
        if child["policy"]["floor"].get(layer) != pinned:
            found.append("G8.floor")
    return found


def request(grant, tool, effects, paths, hosts):
    """Returns the codes of §8.4."""
    found = [] if tool in grant["tools"] else ["G3.tool"]
    if any(effect not in grant["effects"] for effect in effects):
        found.append("G3.effect")
    for path in paths:
        if not is_normal_path(path) or not any(path_contains(outer, path) for outer in grant["paths"]):
            found.append("G3.path")
    for host in hosts:
        if not is_host(host) or not any(host_contains(scope, host) for scope in grant["hosts"]):
            found.append("G3.host")
    return found
