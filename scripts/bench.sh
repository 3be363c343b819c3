#!/usr/bin/env bash
# Measures release builds and prints each number next to its bar. WRITE=1 also writes docs/numbers.md, PARTS=admission,rules,large,rest,aborts measures less.
set -euo pipefail
cargo build --release --workspace --bins
exec target/release/sluice-bench ${WRITE:+--write docs/numbers.md} ${PARTS:+--only "$PARTS"} "$@"
