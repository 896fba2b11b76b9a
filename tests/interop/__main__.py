"""The commands: verify a ledger, run the golden vectors, compare with a `verify` binary or with a corpus."""

import argparse
import json
import sys
from pathlib import Path

from . import compare, did, vectors, verify

USAGE = 2


def main():
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m interop", description=__doc__)
    commands = parser.add_subparsers(required=True)
    verifying = commands.add_parser("verify", help="print the verdict on a ledger as one JSON line")
    verifying.set_defaults(run=verify_ledger)
    comparing = commands.add_parser("compare", help="compare this reader with a `verify` binary on one ledger")
    comparing.add_argument("binary")
    comparing.set_defaults(run=compare_with_binary)
    changing = commands.add_parser("changes", help="compare with a `verify` binary on a sample of changes of a ledger")
    changing.add_argument("binary")
    changing.set_defaults(run=compare_changes)
    for command in (verifying, comparing, changing):
        command.add_argument("ledger")
        command.add_argument("--trust", action="append", default=[], metavar="DID|FILE")
        command.add_argument("--head", action="append", default=[], metavar="FILE")
    running = commands.add_parser("vectors", help="run the golden vectors below a folder")
    running.add_argument("folder")
    running.set_defaults(run=run_vectors)
    walking = commands.add_parser("corpus", help="verify every NAME.db of a folder, as its NAME.json expects")
    walking.add_argument("folder")
    walking.set_defaults(run=run_corpus)
    arguments = parser.parse_args()
    return arguments.run(arguments)


def verify_ledger(arguments):
    """Prints the verdict; its exit code is that of authority-v1 §6.2."""
    verdict = judge(arguments)
    if verdict is None:
        return USAGE
    print(json.dumps(verdict))
    return verdict["exit"]


def judge(arguments):
    """Verifies the ledger of a command; None, with a word on stderr, where an anchor or head cannot be read."""
    try:
        heads = [Path(given).read_bytes() for given in arguments.head]
        return verify.verify_file(arguments.ledger, anchors_of(arguments), heads)
    except (did.Refused, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return None


def anchors_of(arguments):
    """Reads the anchors of a command."""
    return [did.read_anchor(anchor_text(given)) for given in arguments.trust]


def compare_with_binary(arguments):
    """Prints in what both verdicts differ."""
    verdict = judge(arguments)
    if verdict is None:
        return USAGE
    said = compare.of_binary(arguments.binary, arguments.ledger, arguments.trust, arguments.head)
    found = compare.differences(said, verdict)
    print(f"{arguments.ledger}: exit {verdict['exit']}, {'differs in ' + ', '.join(found) if found else 'the same'}")
    return 1 if found else 0


def compare_changes(arguments):
    """Prints counts by kind of change and every disagreement."""
    anchors = anchors_of(arguments)
    return tell(*compare.with_changes(arguments.binary, arguments.ledger, arguments.trust, anchors))


def anchor_text(given):
    """Returns a DID as it is, and otherwise what the file of that name holds."""
    return given if given.startswith("did:") else Path(given).read_bytes().decode("ascii")


def run_vectors(arguments):
    """Prints counts and every disagreement."""
    counts, disagreements, other_words = vectors.run(arguments.folder)
    for line in other_words:
        print(f"refused under another word, which does not bind: {line}")
    return tell(counts, disagreements)


def run_corpus(arguments):
    """Prints counts by class and every disagreement."""
    return tell(*compare.corpus(arguments.folder))


def tell(counts, disagreements):
    """Prints counts and disagreements; gives the exit code."""
    for kind, count in sorted(counts.items()):
        print(f"{count:5} {kind}")
    print(f"{sum(counts.values()):5} in all, {len(disagreements)} disagree")
    for line in disagreements:
        print(f"disagrees: {line}")
    return 1 if disagreements or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
