"""The commands: verify a ledger, run the golden vectors, compare with a `verify` binary and with the tamper corpus."""

import argparse
import json
import sys

from . import auditor, compare, corpus, vectors
from .errors import Refused

USAGE = 2


def main():
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m interop", description=__doc__)
    commands = parser.add_subparsers(required=True)
    options = auditor.options()
    verifying = commands.add_parser("verify", parents=[options], help="print the verdict on a ledger as one JSON line")
    verifying.add_argument("ledger")
    verifying.set_defaults(run=verify_ledger)
    comparing = commands.add_parser("compare", help="compare with a `verify` binary on one ledger")
    comparing.add_argument("binary")
    comparing.add_argument("ledger")
    comparing.add_argument("options", nargs=argparse.REMAINDER, help="those of `verify`")
    comparing.set_defaults(run=compare_with_binary)
    running = commands.add_parser("vectors", help="run the golden vectors below a folder")
    running.add_argument("folder")
    running.set_defaults(run=lambda arguments: tell(*vectors.run(arguments.folder)))
    walking = commands.add_parser("corpus", help="judge every case of the tamper corpus")
    walking.add_argument("folder")
    walking.add_argument("--verify", metavar="BINARY", help="demand that a `verify` binary says the same of each")
    walking.set_defaults(run=lambda arguments: tell(*corpus.run(arguments.folder, arguments.verify)))
    arguments = parser.parse_args()
    try:
        return arguments.run(arguments)
    except (Refused, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE


def verify_ledger(arguments):
    """Prints the verdict; its exit code is that of authority-v1 §6.2."""
    verdict = auditor.judge(arguments.ledger, arguments)
    print(json.dumps(verdict))
    return verdict["exit"]


def compare_with_binary(arguments):
    """Prints in what both verdicts differ."""
    verdict = auditor.judge(arguments.ledger, auditor.options().parse_args(arguments.options))
    found = compare.differences(compare.of_binary(arguments.binary, arguments.ledger, arguments.options), verdict)
    print(f"{arguments.ledger}: exit {verdict['exit']}, {'differs in ' + ', '.join(found) if found else 'the same'}")
    return 1 if found else 0


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
