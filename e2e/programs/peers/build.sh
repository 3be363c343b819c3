#!/usr/bin/env bash
# Builds the programs that `make bench-peers` measures `sluice check` beside, from their Go modules, and prints the folder of each.
# Works as ../build.sh does, with the same cache outside the checkout; a script of its own, since a change to that one builds Kubernetes anew.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}/programs

say() { printf '%s\n' "$*" >&2; }

command -v go >/dev/null || { say "Go is missing: install Go 1.26 (the programs are built from Go modules)."; exit 1; }
go_version=$(go env GOVERSION)

# the package of each, under the name of its folder
declare -A packages=(
  [kube-linter]=golang.stackrox.io/kube-linter/cmd/kube-linter
  [kube-score]=github.com/zegl/kube-score/cmd/kube-score
  [gator]=github.com/open-policy-agent/gatekeeper/v3/cmd/gator
  [kyverno]=github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno
)

# NAME: prints the folder of the built program
build() {
  local name=$1 package=${packages[$1]} key folder work began=$SECONDS
  key=$(cat "$here/$name/go.mod" "$here/$name/go.sum" <(echo "$package $go_version") | sha256sum | cut -c1-16)
  folder=$cache/$name-$key
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/$name-$key.lock"
    flock -n 9 || { say "waiting for another build of $name"; flock 9; }
    if [ ! -d "$folder" ]; then
      work=$(mktemp -d "$cache/.$name-XXXXXX")
      # shellcheck disable=SC2064
      trap "rm -rf '$work'" EXIT
      say "building $name from $package (once; kept in $cache)"
      CGO_ENABLED=0 nice -n 15 go -C "$here/$name" build -buildvcs=false -trimpath -ldflags "-s -w" -o "$work/$name" "$package"
      say "built $name in $((SECONDS - began)) s"
      mv "$work" "$folder"
    fi
    exec 9>&-
  fi
  [ -f "$folder/version" ] || go -C "$here/$name" list -f '{{.Module.Version}}' "$package" > "$folder/version"
  printf '%s\n' "$folder"
}

[ $# -gt 0 ] || set -- kube-linter kube-score gator kyverno
for name in "$@"; do build "$name"; done
