#!/usr/bin/env bash
# Builds what the chart and the alerts are tested with and prints one folder per part, in the order asked for:
#   helm       Helm itself
#   promtool   checks and unit-tests alert rules
# From their Go modules. Apart from build.sh, so that nobody builds them who does not need them, and a change here builds no control plane anew.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=parts.sh
. "$here/parts.sh"
helm_version=v4.3.1

inputs() {
  echo "$go_version"
  declare -f compile "build_$1"
  cat "$here/$1"/go.{mod,sum}
  [ "$1" != helm ] || echo "$helm_version"
}

build_helm() {
  CGO_ENABLED=0 compile helm "$1/helm" helm.sh/helm/v4/cmd/helm -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$helm_version"
}

build_promtool() {
  CGO_ENABLED=0 compile promtool "$1/promtool" github.com/prometheus/prometheus/cmd/promtool -tags remove_all_sd -ldflags "-s -w"
}

[ $# -gt 0 ] || set -- helm promtool
for part; do build "$part"; done
