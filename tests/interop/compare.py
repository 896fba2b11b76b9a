"""Compares this reader with a `verify` binary, and with what a corpus of ledgers expects."""

import json
import subprocess
from collections import Counter
from pathlib import Path

from . import did
from .verify import UNREADABLE, verify_file

# Decided by policies, which this reader does not evaluate.
NEEDS_CEDAR = {"D4b"}


def of_binary(binary, ledger, trust, heads):
    """Asks a `verify` binary; returns exit, code and entry of its first breach, and what it calls unproven."""
    command = [binary, ledger, "--json"]
    command += [word for anchor in trust for word in ("--trust", anchor)]
    command += [word for head in heads for word in ("--head", head)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    said = json.loads(done.stdout)
    breaches = [finding for finding in said["findings"] if finding["code"] not in UNREADABLE]
    first = (breaches or said["findings"] or [{"code": None, "entry": None}])[0]
    return {"exit": done.returncode, "code": first["code"], "entry": first["entry"], "unproven": said["unproven"]}


def differences(expected, verdict):
    """Returns what of exit, code and entry differs. Which code of several at one entry comes first, no text says."""
    if expected["code"] in NEEDS_CEDAR and verdict["exit"] != 1:
        return []
    found = [name for name in ("exit", "entry") if expected[name] != verdict[name]]
    named = {"code": expected["code"], "entry": expected["entry"]}
    if expected["exit"] == verdict["exit"] == 3:
        return [] if expected["code"] is None or named in verdict["unproven"] else ["unproven"]
    return found if expected["code"] is None or named in verdict["findings"] else found + ["code"]


def corpus(folder):
    """Verifies every NAME.db with its NAME.json; returns counts by class, and the disagreements."""
    counts, disagreements = Counter(), []
    for path in sorted(Path(folder).glob("*.json")):
        expected = json.loads(path.read_text())
        verdict = verify_file(path.with_suffix(".db"), [anchor(path, expected)], heads(path, expected))
        kind = expected.get("class", "unnamed")
        needs_cedar = expected["code"] in NEEDS_CEDAR and verdict["exit"] != 1
        counts[kind + " (not judged)" if needs_cedar else kind] += 1
        if found := differences(expected, verdict):
            shown = {name: (expected.get(name), verdict.get(name)) for name in ("exit", "code", "entry")}
            disagreements.append(f"{path.stem} ({kind}): {', '.join(found)}: expected and found {shown}")
    return counts, disagreements


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
