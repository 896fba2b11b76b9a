#!/bin/sh
# Checks the calculator. Prints one line a check and exits 1 if any of them fails.
set -u
cd "$(dirname "$0")" || exit 2
failed=0

check() { # WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        echo "ok    $1 = $2"
    else
        echo "FAIL  $1: expected $2, got $3"
        failed=$((failed + 1))
    fi
}

check "0 + 0" 0 "$(sh src/add.sh 0 0)"
check "2 + 3" 5 "$(sh src/add.sh 2 3)"
check "-4 + 4" 0 "$(sh src/add.sh -4 4)"
check "6 x 7" 42 "$(sh src/multiply.sh 6 7)"

if [ "$failed" -gt 0 ]; then
    echo "$failed of 4 checks failed"
    exit 1
fi
echo "all 4 checks hold"
