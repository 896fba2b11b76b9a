"""Compares this reader with a `verify` binary on one ledger."""

import json
import subprocess

# Decided by policies, which this reader does not evaluate.
NEEDS_CEDAR = "D4b"
LISTS = ("findings", "unproven")


def of_binary(binary, ledger, options):
    """Asks a `verify` binary; returns its exit code, and code and entry of what it names."""
    done = subprocess.run([binary, ledger, "--json", *options], capture_output=True, check=False, timeout=300)
    said = json.loads(done.stdout)
    return {"exit": done.returncode} | {name: said[name] for name in LISTS}


def differences(said, verdict):
    """Returns what of exit, findings and unproven differs; the order in a list binds nobody."""
    pairs = [{name: named(it[name]) for name in LISTS} for it in (said, verdict)]
    needs_cedar = any(code == NEEDS_CEDAR for it in pairs for name in LISTS for code, _ in it[name])
    found = ["exit"] if said["exit"] != verdict["exit"] and not needs_cedar else []
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
