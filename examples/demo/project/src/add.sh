#!/bin/sh
# Prints the sum of two integers.
set -eu
echo "$(($1 - $2))"
