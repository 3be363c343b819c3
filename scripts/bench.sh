#!/usr/bin/env bash
# Measures release builds and prints each number next to its bar. WRITE=1 also writes docs/numbers.md, PARTS=admission,rules,large,rest,aborts measures less.
set -euo pipefail
# only what is measured and what measures: linking a program optimises all of it anew
cargo build --release --workspace --bin sluice-webhook --bin sluice-controller --bin sluice --bin sluice-bench --bin bare-server
exec target/release/sluice-bench ${WRITE:+--write docs/numbers.md} ${PARTS:+--only "$PARTS"} "$@"
