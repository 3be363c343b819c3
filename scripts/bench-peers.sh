#!/usr/bin/env bash
# Measures `sluice check` beside kube-linter, kube-score, gator and the kyverno command on the same manifests. WRITE=1 also writes docs/peers.md.
set -euo pipefail
folders=$(e2e/programs/peers/build.sh)
arguments=()
for folder in $folders; do arguments+=(--peers "$folder"); done
[ -z "${WRITE:-}" ] || arguments+=(--write "$PWD/docs/peers.md")
exec cargo bench --workspace --bench check -- "${arguments[@]}" "$@"
