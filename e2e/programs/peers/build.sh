#!/usr/bin/env bash
# Builds the programs that `make bench-peers` measures `sluice check` beside, from their Go modules, and prints the folder of each.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../parts.sh
. "$here/../parts.sh"

inputs() {
  echo "$go_version"
  declare -f compile program "build_$1"
  cat "$here/$1"/go.{mod,sum}
}

# FOLDER NAME PACKAGE: the program, and which version of it that is
program() {
  CGO_ENABLED=0 compile "$2" "$1/$2" "$3" -ldflags "-s -w"
  go -C "$here/$2" list -f '{{.Module.Version}}' "$3" > "$1/version"
}

build_kube-linter() { program "$1" kube-linter golang.stackrox.io/kube-linter/cmd/kube-linter; }
build_kube-score() { program "$1" kube-score github.com/zegl/kube-score/cmd/kube-score; }
build_gator() { program "$1" gator github.com/open-policy-agent/gatekeeper/v3/cmd/gator; }
build_kyverno() { program "$1" kyverno github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno; }

[ $# -gt 0 ] || set -- kube-linter kube-score gator kyverno
for part; do build "$part"; done
