#!/usr/bin/env bash
# The long version of a test on the real cluster: for SOAK_SECONDS (two hours) releases, good and bad, while daemons of the node and Sluice's own programs are
# killed in turns and the API server is away for SLUICE_AWAY_SECONDS (five minutes).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export SLUICE_AWAY_SECONDS=${SLUICE_AWAY_SECONDS:-300} SLUICE_SOAK_SECONDS=${SOAK_SECONDS:-7200}
exec cargo test --workspace --test cluster -- --nocapture --exact during_a_release::releases_end_as_they_must_whatever_is_hurt_meanwhile
