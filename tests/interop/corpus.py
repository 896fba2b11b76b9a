"""Reads the tamper corpus: what docs/tamper-corpus.md expects of each forged ledger, and what `verify` says of it."""

import json
from collections import Counter
from contextlib import chdir
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from . import auditor, compare

NEEDS_CEDAR = compare.NEEDS_CEDAR + " (not judged)"
NO_OPTION = "an option that this reader has not (not judged)"


def run(folder, binary):
    """Judges every case of a folder; returns counts of verdicts by class, and the disagreements."""
    counts, disagreements = Counter(), []
    cases = sorted(path.parent.resolve() for path in Path(folder).glob("*/expected.json"))
    with Pool() as pool:
        for judged, wrong in pool.imap_unordered(partial(judge, binary=binary), cases, chunksize=8):
            counts.update(judged)
            disagreements += wrong
    return counts, sorted(disagreements)


def judge(case, binary):
    """Judges one case; returns what each of its verdicts counts as, and the disagreements."""
    expected, judged, wrong = json.loads((case / "expected.json").read_text()), [], []
    with chdir(case):
        for wanted in expected["verdicts"]:
            asked, unknown = auditor.options().parse_known_args(wanted["arguments"])
            if unknown:
                judged.append(NO_OPTION)
                continue
            verdict = auditor.judge("ledger.db", asked)
            needs_cedar = is_for_cedar(wanted, verdict)
            judged.append(NEEDS_CEDAR if needs_cedar else expected["class"])
            found = [] if needs_cedar else unlike(wanted, verdict)
            if binary:
                found += compare.differences(compare.of_binary(binary, "ledger.db", wanted["arguments"]), verdict)
            wrong += [f"{case.name} {' '.join(wanted['arguments'])}: {difference}" for difference in found]
    return judged, wrong


def is_for_cedar(wanted, verdict):
    """Tells whether what is named first is named for its policies, and this reader named nothing before it."""
    named = wanted["named"]
    if named is None or compare.NEEDS_CEDAR not in named["codes"]:
        return False
    return not fits(named, verdict) and first(verdict) >= named["entry"]


def unlike(wanted, verdict):
    """Returns in what a verdict is not the one that is wanted."""
    found = [] if wanted["exit"] == verdict["exit"] else [f"exit {verdict['exit']}, expected {wanted['exit']}"]
    if wanted["named"] and not fits(wanted["named"], verdict):
        found.append(f"names {verdict['findings'][:4]}, expected {wanted['named']}")
    missing = set(wanted["unproven"]) - {it["code"] for it in verdict["unproven"]}
    return found + [f"{code} is not unproven" for code in sorted(missing)]


def fits(named, verdict):
    """Tells whether the smallest entry of all findings is the one that is named, with one of the codes."""
    codes = {it["code"] for it in verdict["findings"] if it["entry"] == named["entry"]}
    return first(verdict) == named["entry"] and not codes.isdisjoint(named["codes"])


def first(verdict):
    """Returns the smallest entry of all findings."""
    return min((it["entry"] for it in verdict["findings"] if it["entry"] is not None), default=float("inf"))
