#!/usr/bin/env bash
# Runs every test and closes with one line: N passed, N failed, N skipped.
#
# The tests on the control plane share two cores with it, and wait: four at a time. One that fails there is run again alone, once, and named aloud:
# a machine that was too busy is told apart from a promise that is broken, and a test that needs its second try is a defect to be mended.
set -uo pipefail
log=$(mktemp)
# the audit logs of all planes, for the last step
export SLUICE_AUDIT_LOGS=$(mktemp -d)
programs=
# a job of its own process group: an interrupted script would leave the compilers running
trap 'rm -rf "$log" "$SLUICE_AUDIT_LOGS"; [ -z "$programs" ] || kill -- "-$programs" 2> /dev/null' EXIT
trap 'exit 130' INT TERM
sum() { grep -E '^test result:' "$log" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }

# why not, where it cannot
reasons=$(scripts/real-cluster.sh) && real=1 || real=
# Helm and promtool take four minutes of processor time to build, which the first run of a newcomer does not have; where a real cluster runs, they are asked for too
chart=${SLUICE_CHART-$real}

# Every step takes the whole workspace: another selection has other features, for which cargo would build the same crates again.
# The programs of the control plane (and of the real node) and ours are built side by side: while the one downloads or links, the other compiles.
set -m
{ e2e/programs/build.sh kubernetes prometheus && { [ -z "$real" ] || e2e/programs/build-node.sh; } && { [ -z "$chart" ] || e2e/programs/build-chart.sh; }; } > /dev/null &
programs=$!
set +m
cargo build --workspace --bins --tests && cargo test --quiet --workspace --test e2e --test cluster --no-run
[ $? -eq 0 ] || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# unit tests ask for none of the programs, which may still be building
cargo test --workspace --no-fail-fast 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
passed=$(sum passed) failed=$(sum failed) skipped=$(sum ignored)
# a test binary that does not build or dies says nothing: count it as a failure, never as silence
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
wait "$programs" || { printf 'FAILED: the programs of the control plane cannot be built\n%s passed, %s failed, 0 skipped\n' "$passed" "$((failed + 1))"; exit 1; }
programs=

# what is left out is named, with the reasons, and counted as skipped
names_of() { cargo test --quiet --workspace --test "$1" -- --list --format terse ${2:+"$2"} | sed -n 's/: test$//p'; }
# sends hundreds of requests a second and bounds how late they are: alone, below
leave=(--skip certificate_rotation::)
if [ -z "$chart" ]; then
  names=$(names_of e2e chart::)
  printf 'SKIPPED: no Helm and no promtool are built here (SLUICE_CHART=1 builds them):\n%s\n' "$names"
  skipped=$((skipped + $(printf '%s' "$names" | grep -c .)))
  leave+=(--skip chart::)
fi
tiers=(--test e2e)
if [ -z "$real" ]; then
  names=$(names_of cluster)
  left_out=$(printf '%s' "$names" | grep -c .)
  printf 'SKIPPED: this machine cannot run the real cluster:\n%s\nSKIPPED for that:\n%s\n' "$reasons" "$names"
  if [ "${SLUICE_REQUIRE_CLUSTER:-}" = 1 ] || [ "$left_out" -eq 0 ]; then
    printf 'FAILED: they were to run (SLUICE_REQUIRE_CLUSTER=1), or cannot even be listed\n'
    failed=$((failed + (left_out > 0 ? left_out : 1)))
  else
    skipped=$((skipped + left_out))
  fi
else
  tiers+=(--test cluster)
  # without images every test of the tier fails, and says that they are missing
  scripts/images.sh product next test
fi

# THREADS NAME ARGUMENTS...: a tier that dies without a result is counted as a failure
tier() {
  local threads=$1 name=$2 part
  shift 2
  part=$(mktemp)
  RUST_TEST_THREADS=${RUST_TEST_THREADS:-$threads} cargo test --workspace --test "$name" --no-fail-fast -- "$@" 2>&1 | tee "$part"
  [ "${PIPESTATUS[0]}" -eq 0 ] || grep -q '^test result: FAILED' "$part" || failed=$((failed + 1))
  cat "$part" >> "$log"
  rm -f "$part"
}
: > "$log"
tier 4 e2e "${leave[@]}"
tier 1 e2e certificate_rotation::
# each test there may hold a node with its containers
if [ -n "$real" ]; then
  tier 2 cluster --skip under_load:: --skip rotation::
  # hundreds of requests a second, of which enough must be reached: alone
  tier 1 cluster under_load:: rotation::
fi
plane_failed=$(sum failed)
passed=$((passed + $(sum passed))) skipped=$((skipped + $(sum ignored)))
again=$(grep -oE '^test [a-z_0-9:]+ \.\.\. FAILED' "$log" | cut -d' ' -f2 | sort -u)
named=$(printf '%s' "$again" | grep -c . || true)
# failures without a name cannot be tried again
failed=$((failed + (plane_failed > named ? plane_failed - named : 0)))
for name in $again; do
  printf '\nagain, alone: %s\n' "$name"
  if cargo test --workspace "${tiers[@]}" --no-fail-fast -- --exact "$name" 2>&1 | tee "$log"; then
    passed=$((passed + 1))
    printf 'FLAKY: %s failed among others and passed alone\n' "$name"
  else
    failed=$((failed + 1))
  fi
done
# least rights: what Sluice's programs did in all of them is what they are granted
if target/debug/sluice-e2e-rights "$SLUICE_AUDIT_LOGS"; then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  printf 'FAILED: the rights of api/src/access are not those that were used\n'
fi
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
