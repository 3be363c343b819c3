#!/usr/bin/env bash
# Says in one line each what is missing on this machine, before a build fails with something less clear.
set -u
missing=0
want() { printf 'missing: %s\n' "$1" >&2; missing=1; }

pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
if ! command -v cargo >/dev/null; then
  want "Rust $pinned (cargo, rustc, clippy, rustfmt): install it with rustup; rust-toolchain.toml pins the version"
else
  found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
  [ "$found" = "$pinned" ] || want "Rust $pinned, found ${found:-none}: with rustup the right one is fetched by itself, else install it"
fi
if ! command -v go >/dev/null; then
  want "Go 1.26 (the test control plane is built from Go modules)"
else
  case $(go env GOVERSION) in
    go1.26 | go1.26.*) ;;
    *) want "Go 1.26, found $(go env GOVERSION): Kubernetes 1.36 built with another Go line serves broken OpenAPI" ;;
  esac
fi
command -v cc >/dev/null || want "a C compiler named cc (the TLS library aws-lc is built from source)"
command -v setpriv >/dev/null || want "setpriv (util-linux): it ends the programs of a test plane when the test ends"
command -v make >/dev/null || want "GNU make 4"
exit $missing
