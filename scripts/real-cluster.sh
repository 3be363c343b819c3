#!/usr/bin/env bash
# Can the real cluster run here? 0 when it can; otherwise 1, and why, one reason a line. Nothing is built for the question but Debian's packages unpacked.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
e2e/cluster/preflight.sh || exit 1
debian=$(e2e/programs/build-node.sh debian) || { echo "the Debian packages of the node cannot be fetched"; exit 1; }
e2e/cluster/preflight.sh "$debian/nft"
