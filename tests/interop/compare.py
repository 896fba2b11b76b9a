"""Compares this reader with a `verify` binary on a ledger and on changes of it, and with what a corpus of ledgers expects."""

import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from . import changes, did
from .verify import UNREADABLE, verify_file

# Decided by policies, which this reader does not evaluate.
NEEDS_CEDAR = "D4b"
LISTS = ("findings", "unproven")


def of_binary(binary, ledger, trust, heads):
    """Asks a `verify` binary; returns its exit code, and code and entry of what it names."""
    command = [binary, ledger, "--json"]
    command += [word for anchor in trust for word in ("--trust", anchor)]
    command += [word for head in heads for word in ("--head", head)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    said = json.loads(done.stdout)
    named = {name: [{"code": it["code"], "entry": it["entry"]} for it in said[name]] for name in LISTS}
    return {"exit": done.returncode} | named


def differences(said, verdict):
    """Returns what of exit, findings and unproven differs; the order in a list binds nobody."""
    pairs = [{name: named(it[name]) for name in LISTS} for it in (said, verdict)]
    codes = {code for name in LISTS for code, _ in pairs[0][name] | pairs[1][name]}
    found = [] if NEEDS_CEDAR in codes else [name for name in ("exit",) if said[name] != verdict[name]]
    for name in LISTS:
        left, right = ({it for it in pair[name] if it[0] != NEEDS_CEDAR} for pair in pairs)
        if left != right:
            found.append(f"{name} (binary only {shown(left - right)}, reader only {shown(right - left)})")
    return found


def named(findings):
    """Returns code and entry of each finding."""
    return {(it["code"], it["entry"]) for it in findings}


def shown(pairs):
    """Shows codes and entries in words."""
    return ", ".join(f"{code} at {entry}" for code, entry in sorted(pairs, key=str)) or "nothing"


def with_changes(binary, ledger, trust, anchors):
    """Compares both readers on every change of a ledger; returns counts by kind, and the disagreements."""
    counts, disagreements = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        for kind, place, rows in changes.of_file(ledger):
            changes.write(path, rows)
            found = differences(of_binary(binary, path, trust, []), verify_file(path, anchors, []))
            counts[kind] += 1
            disagreements += [f"{kind} {place}: {difference}" for difference in found]
    return counts, disagreements


def corpus(folder):
    """Verifies every NAME.db with its NAME.json; returns counts by class, and the disagreements."""
    counts, disagreements = Counter(), []
    for path in sorted(Path(folder).glob("*.json")):
        expected = json.loads(path.read_text())
        verdict = verify_file(path.with_suffix(".db"), [anchor(path, expected)], heads(path, expected))
        kind = expected.get("class", "unnamed")
        needs_cedar = expected["code"] == NEEDS_CEDAR and verdict["exit"] != 1
        counts[kind + " (not judged)" if needs_cedar else kind] += 1
        if not needs_cedar and not is_as_expected(expected, verdict):
            wanted = {name: expected[name] for name in ("exit", "code", "entry")}
            disagreements.append(f"{path.stem} ({kind}): expected {wanted}, found {verdict}")
    return counts, disagreements


def is_as_expected(expected, verdict):
    """Tells whether a verdict has the exit code, and names first what is expected at the entry expected."""
    listed = verdict["unproven"] if verdict["exit"] == 3 else verdict["findings"]
    first = [it for it in listed if it["code"] not in UNREADABLE] or listed
    is_named = (expected["code"], expected["entry"]) in named(first) if expected["code"] else not first
    return expected["exit"] == verdict["exit"] and is_named


def anchor(path, expected):
    """Returns the anchor of a case: a DID, or a file beside it."""
    given = expected["trust"]
    return did.read_anchor(given if given.startswith("did:") else path.with_name(given).read_text())


def heads(path, expected):
    """Returns the head of a case: the note itself, or a file beside it."""
    given = expected.get("head")
    if given is None:
        return []
    return [given.encode() if "\n" in given else path.with_name(given).read_bytes()]
