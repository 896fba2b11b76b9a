"""What the auditor brings along and asks for (authority-v1 §6.4), and the verdict with it."""

import argparse
from pathlib import Path

from . import trust
from .verify import verify_file


def options():
    """Returns a parser of the options that this reader has."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--trust", action="append", default=[], metavar="DID|FILE")
    parser.add_argument("--head", action="append", default=[], metavar="FILE")
    parser.add_argument("--require", action="append", default=[], choices=["head", "witness", "pq"])
    return parser


def judge(ledger, asked):
    """Verifies a ledger file under these options."""
    trusted = [anchor for given in asked.trust for anchor in anchors_of(given)]
    return verify_file(ledger, trusted, [Path(given).read_bytes() for given in asked.head], asked.require)


def anchors_of(given):
    """Reads a DID, or a file of anchors."""
    return trust.read_file(given.encode() if given.startswith("did:") else Path(given).read_bytes())
