#!/usr/bin/env bash
# Mutated cases for everything that reads what somebody else wrote: CASES (10,000,000) of each of TARGETS, JOBS (2) at a time, until the first that breaks.
# Another SEED (1) makes other cases; fuzz/src/main.rs says where a broken case is left.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
targets=${TARGETS:-quantity schedule expression policy manifest admission}
cargo build --profile fuzz -p sluice-fuzz --bin sluice-fuzz
printf '%s\n' $targets | nice -n 10 xargs -P "${JOBS:-2}" -I '{}' target/fuzz/sluice-fuzz '{}'
