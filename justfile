set shell := ["bash", "-euo", "pipefail", "-c"]

# `just check` is exactly what CI runs; the rest are shortcuts to parts of it.

# List the recipes.
default:
    @just --list

# Everything that must hold before a change is merged.
check:
    .ci/run

# All tests.
test:
    cargo test --workspace --locked

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The API documentation, as strict as CI.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Play the demo into a new folder, no key and no network needed.
demo dir="demo":
    cargo run --locked --bin countersign -- demo --dir {{dir}}

# Write the golden vectors anew and show what changed.
vectors:
    for crate in schemas identity ledger verifier; do \
        cargo run --quiet --locked -p "countersign-$crate" --example "$crate-vectors" || exit 1; \
    done
    git --no-pager diff --stat -- schemas/vectors
