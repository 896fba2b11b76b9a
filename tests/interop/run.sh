#!/usr/bin/env bash
# Runs the second reader: all golden vectors, and where a `verify` binary is named, both readers side by side.
#
#   run.sh [--corpus DIR] [VERIFY FOLDER]
#
# FOLDER holds ledger.db, ledger.db-head and principal.did, as `countersign demo --dir FOLDER` leaves them. DIR is a tamper
# corpus (docs/tamper-corpus.md): this reader must answer as each case expects, and name all that VERIFY names.
#
# Needs python3 3.11 or newer; the packages of requirements.txt come from PyPI, by hash, into target/interop. Builds nothing.
# Exit code 0: both agree. 1: they do not. 77: there is no such python3, or the packages cannot be had.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

corpus='' verify=''
if [ "${1:-}" = --corpus ]; then
    corpus=${2:?--corpus needs a folder}
    shift 2
fi

cannot() {
    printf 'skipped: %s\n' "$1"
    exit 77
}

python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || cannot 'no python3 of version 3.11 or newer, with venv'
requirements=$root/tests/interop/requirements.txt
venv=$root/target/interop/venv
if ! cmp -s "$requirements" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    pip() {
        "$venv/bin/pip" --disable-pip-version-check --quiet "$@"
    }
    if ! pip install --require-hashes --only-binary :all: -r "$requirements"; then
        # A wrong hash is a failure; no registry is a reason to skip.
        pip download --no-deps --dest "$venv/reached" blake3 || cannot 'the package registry cannot be reached'
        exit 1
    fi
    cp "$requirements" "$venv/installed.txt"
fi

export PYTHONPATH=$root/tests PYTHONDONTWRITEBYTECODE=1
interop() {
    "$venv/bin/python" -m interop "$@"
}

interop vectors "$root/schemas/vectors"
if [ $# -gt 0 ]; then
    verify=$(realpath "$1") ledger=${2:?VERIFY needs a folder with a ledger}/ledger.db trust=$2/principal.did
    interop compare "$verify" "$ledger"
    interop compare "$verify" "$ledger" --trust "$trust"
    interop compare "$verify" "$ledger" --trust "$trust" --head "$ledger-head"
fi
if [ -n "$corpus" ]; then
    interop corpus "$corpus" ${verify:+--verify "$verify"}
fi
