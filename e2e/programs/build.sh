#!/usr/bin/env bash
# Builds the programs of the test control plane (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, prometheus)
# from their Go modules and prints the folder that holds them.
# The cache lies outside the checkout, one folder per (go.mod, go.sum, Go version, own build recipe); a warm call costs a few milliseconds.
# Two calls at once are safe: one builds under a lock, the other waits; a folder appears only when it is complete (atomic rename).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}/programs
kubernetes_version=v1.36.3

say() { printf '%s\n' "$*" >&2; }

command -v go >/dev/null || { say "Go is missing: install Go 1.26 (the control plane is built from Go modules)."; exit 1; }
go_version=$(go env GOVERSION)
case $go_version in
  go1.26 | go1.26.*) ;;
  *) say "Go 1.26 is needed, found $go_version: Kubernetes 1.36 built with another Go line serves broken OpenAPI."; exit 1 ;;
esac

# NAME MODULE-FOLDER: prints the folder of the built programs
build() {
  local name=$1 key folder work
  key=$(cat "$here/$name/go.mod" "$here/$name/go.sum" <(echo "$go_version" "$kubernetes_version"; declare -f compile "build_$name") | sha256sum | cut -c1-16)
  folder=$cache/$name-$key
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/$name-$key.lock"
    flock -n 9 || { say "waiting for another build of $name"; flock 9; }
    if [ ! -d "$folder" ]; then
      work=$(mktemp -d "$cache/.$name-XXXXXX")
      # shellcheck disable=SC2064
      trap "rm -rf '$work'" EXIT
      "build_$name" "$work"
      mv "$work" "$folder"
    fi
    exec 9>&-
  fi
  printf '%s\n' "$folder"
}

# PROGRAM PACKAGE OUT FLAGS...
# Debug information, which the linker would drop, is not made in the first place, and the compiler collects less garbage: a fifth less processor time.
compile() {
  local name=$1 package=$2 out=$3 module=$4 began=$SECONDS
  shift 4
  say "building $name from $package (once; kept in $cache)"
  CGO_ENABLED=0 GOGC=400 go -C "$here/$module" build -buildvcs=false -trimpath -gcflags=all=-dwarf=false "$@" -o "$out/$name" "$package"
  say "built $name in $((SECONDS - began)) s"
}

build_kubernetes() {
  local version="-s -w" package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    version="$version -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1 -X $package.gitMinor=36 -X $package.gitTreeState=clean"
  done
  compile etcd go.etcd.io/etcd/server/v3 "$1" kubernetes -ldflags "-s -w"
  for program in kube-apiserver kube-controller-manager kube-scheduler kubectl; do
    compile "$program" "k8s.io/kubernetes/cmd/$program" "$1" kubernetes -ldflags "$version"
  done
}

build_prometheus() {
  compile prometheus github.com/prometheus/prometheus/cmd/prometheus "$1" prometheus -tags remove_all_sd -ldflags "-s -w"
}

for name in "${@:-kubernetes}"; do build "$name"; done
