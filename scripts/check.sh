#!/usr/bin/env bash
# What CI runs, in CI's order. Nothing but cargo and a stock Linux is needed; the tests on real hosts make
# network namespaces, so they want root or user namespaces and say loudly when they have neither.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; "$@"; }

export INSTA_UPDATE=no
step cargo fmt --all --check
step cargo clippy --all-targets --locked -- -D warnings
step cargo clippy --all-targets --locked --no-default-features -- -D warnings
RUSTDOCFLAGS='-D warnings' step cargo doc --no-deps --document-private-items --locked
# Every bench once, so that none can rot.
step cargo test --benches --locked --quiet
# Last, because its closing lines are what one wants to see: the test command of the README.
step cargo test --locked
