#!/usr/bin/env bash
# Plays the demo: on the real cluster where this machine can run one, otherwise on the control plane with fake nodes, and says which.
# ON=plane or ON=cluster chooses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
on=${ON:-}
case $on in
  plane) ;;
  "" | cluster)
    if reasons=$(scripts/real-cluster.sh); then
      on=cluster
    elif [ "$on" = cluster ]; then
      printf 'this machine cannot run the real cluster:\n%s\n' "$reasons" >&2
      exit 1
    else
      printf 'On fake nodes, for this machine cannot run the real cluster:\n%s\n' "$reasons"
      on=plane
    fi
    ;;
  *) echo "ON is cluster or plane, not $on" >&2; exit 1 ;;
esac
if [ "$on" = cluster ]; then
  if [ ! -e target/images/product ]; then
    echo "Building the node's programs and Sluice's images: once, and some minutes more than the fake nodes would need (ON=plane)."
  fi
  e2e/programs/build-node.sh > /dev/null
  scripts/images.sh product test > /dev/null
fi
exec target/debug/sluice-demo --on "$on" "$@"
