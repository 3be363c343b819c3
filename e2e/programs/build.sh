#!/usr/bin/env bash
# Builds the programs of the test control plane and prints one folder per part, in the order asked for:
#   kubernetes   etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl
#   prometheus   the server of the Prometheus probes
# From their Go modules. A warm call costs a few milliseconds.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=parts.sh
. "$here/parts.sh"
kubernetes_version=v1.36.3

inputs() {
  echo "$go_version"
  declare -f compile "build_$1"
  cat "$here/$1"/go.{mod,sum}
  [ "$1" != kubernetes ] || echo "$kubernetes_version"
}

build_kubernetes() {
  local version="-s -w" package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    version="$version -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1 -X $package.gitMinor=36 -X $package.gitTreeState=clean"
  done
  CGO_ENABLED=0 compile kubernetes "$1/etcd" go.etcd.io/etcd/server/v3 -ldflags "-s -w"
  for program in kube-apiserver kube-controller-manager kube-scheduler kubectl; do
    CGO_ENABLED=0 compile kubernetes "$1/$program" "k8s.io/kubernetes/cmd/$program" -ldflags "$version"
  done
}

build_prometheus() {
  CGO_ENABLED=0 compile prometheus "$1/prometheus" github.com/prometheus/prometheus/cmd/prometheus -tags remove_all_sd -ldflags "-s -w"
}

for part in "${@:-kubernetes}"; do build "$part"; done
