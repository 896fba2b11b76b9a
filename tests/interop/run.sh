#!/usr/bin/env bash
# Runs the second reader: all golden vectors, a fresh demo ledger beside the `verify` binary, and a corpus if one is given.
#
#   run.sh [--corpus DIR] [COUNTERSIGN [VERIFY]]
#
# The binaries are target/debug/countersign and `verify` beside it unless named. A corpus holds NAME.db and NAME.json
# {"trust","head","exit","code","entry","class"}. The packages of requirements.txt come from PyPI, by hash, into target/interop.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

corpus=
if [ "${1:-}" = --corpus ]; then
    corpus=${2:?--corpus needs a folder}
    shift 2
fi
countersign=${1:-$root/target/debug/countersign}
verify=${2:-$(dirname "$countersign")/verify}

requirements=$root/tests/interop/requirements.txt
venv=$root/target/interop/venv
if ! cmp -s "$requirements" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
fi

export PYTHONPATH=$root/tests PYTHONDONTWRITEBYTECODE=1
interop() {
    "$venv/bin/python" -m interop "$@"
}

interop vectors "$root/schemas/vectors"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$countersign" demo --dir "$scratch/demo" >"$scratch/demo.log" 2>&1 || { cat "$scratch/demo.log" >&2; exit 1; }
interop compare "$verify" "$scratch/demo/ledger.db" --trust "$scratch/demo/principal.did"
interop compare "$verify" "$scratch/demo/ledger.db" --trust "$scratch/demo/principal.did" --head "$scratch/demo/ledger.db-head"
interop compare "$verify" "$scratch/demo/ledger.db"

if [ -n "$corpus" ]; then
    interop corpus "$corpus"
fi
