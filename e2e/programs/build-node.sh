#!/usr/bin/env bash
# Builds what a real node is made of and prints one folder per part, in the order asked for:
#   debian   nft for kube-proxy, libseccomp for runc: Debian packages, unpacked and never installed
#   kubelet  kubelet and kube-proxy, from the Kubernetes module
#   containerd, runc, network (CNI plugins), dns (CoreDNS with few plugins): from their Go modules
# The cache is that of parts.sh.
# Apart from build.sh, so that nobody builds a node who does not need one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=parts.sh
. "$here/parts.sh"
kubernetes_version=v1.36.3
containerd_version=v2.3.7
runc_version=1.5.2
parts=(debian kubelet containerd runc network dns)

for needed in cc apt-get dpkg; do
  command -v "$needed" >/dev/null || { say "$needed is missing: the real node is built from Go modules and Debian packages."; exit 1; }
done

# PART: what its folder depends on
inputs() {
  echo "$go_version"
  declare -f compile "build_$1"
  case $1 in
    debian) ;;
    kubelet) cat "$here"/kubernetes/go.{mod,sum}; echo "$kubernetes_version" ;;
    runc) cat "$here"/runc/go.{mod,sum}; echo "$runc_version" ;;
    containerd) cat "$here"/containerd/go.{mod,sum}; echo "$containerd_version" ;;
    *) cat "$here/$1"/* ;;
  esac
}

build_debian() {
  local packages=(nftables libnftables1 libnftnl11 libmnl0 libedit2 libbsd0 libmd0 libtinfo6 libjansson4 libgmp10 libxtables12 libseccomp2 libseccomp-dev)
  say "fetching ${#packages[@]} Debian packages (once; kept in $cache)"
  mkdir "$1/packages" "$1/root"
  (cd "$1/packages" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}" >&2) ||
    { say "apt-get cannot download them: is its package list there (apt-get update)?"; return 1; }
  for package in "$1"/packages/*.deb; do dpkg -x "$package" "$1/root"; done
  rm -r "$1/packages"
  # next to its libraries, wherever the folder lies
  cat > "$1/nft" <<'SH'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu exec "$root/usr/sbin/nft" "$@"
SH
  chmod 755 "$1/nft"
}

build_kubelet() {
  local version="-s -w" package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    version="$version -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1 -X $package.gitMinor=36 -X $package.gitTreeState=clean"
  done
  for program in kubelet kube-proxy; do
    CGO_ENABLED=0 compile kubernetes "$1/$program" "k8s.io/kubernetes/cmd/$program" -ldflags "$version"
  done
}

build_containerd() {
  local module=github.com/containerd/containerd/v2
  for program in containerd containerd-shim-runc-v2 ctr; do
    CGO_ENABLED=0 compile containerd "$1/$program" "$module/cmd/$program" \
      -tags "no_btrfs no_zfs no_devmapper urfave_cli_no_docs" -ldflags "-s -w -X $module/version.Version=$containerd_version"
  done
}

# with C: runc enters namespaces before Go starts, and links the seccomp library
build_runc() {
  local debian
  debian=$(build debian)/root/usr
  cat > "$1/pkg-config" <<'SH'
#!/bin/sh
case "$*" in *--libs*) echo -lseccomp ;; esac
SH
  chmod 755 "$1/pkg-config"
  CGO_ENABLED=1 PKG_CONFIG=$1/pkg-config CGO_CFLAGS="-I$debian/include" CGO_LDFLAGS="-L$debian/lib/x86_64-linux-gnu" \
    compile runc "$1/runc" github.com/opencontainers/runc -tags "seccomp netgo osusergo" \
    -ldflags "-s -w -linkmode external -extldflags -static -X main.version=$runc_version"
}

build_network() {
  local plugins=github.com/containernetworking/plugins/plugins
  for plugin in main/ptp main/loopback ipam/host-local; do
    CGO_ENABLED=0 compile network "$1/${plugin#*/}" "$plugins/$plugin" -ldflags "-s -w"
  done
}

build_dns() {
  CGO_ENABLED=0 compile dns "$1/coredns" . -ldflags "-s -w"
}

for part in "${@:-${parts[@]}}"; do build "$part"; done
