#!/usr/bin/env bash
# Runs every test and closes with one line: N passed, N failed, N skipped.
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
sum() { grep -E '^test result:' "$log" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }
failed=$(sum failed)
# a test binary that does not build or dies says nothing: count it as a failure, never as silence
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
printf '%s passed, %s failed, %s skipped\n' "$(sum passed)" "$failed" "$(sum ignored)"
[ "$status" -eq 0 ] && [ "$failed" -eq 0 ]
