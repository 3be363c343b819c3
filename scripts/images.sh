#!/usr/bin/env bash
# Packs container images into target/images without a container engine:
#   product   webhook, controller and CLI, as they are shipped
#   next      the same under another version, and so with another digest: what the tests upgrade to
#   test      what the real cluster of the tests runs: the test application, its pause container, the cluster's DNS
# Programs are linked statically, and no path of this machine gets into them, so that the same source makes the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
images=target/images
triple=x86_64-unknown-linux-gnu
programs=target/$triple/release
trust=${SLUICE_TRUST:-/etc/ssl/certs/ca-certificates.crt}

# a build that fails leaves no images, rather than old ones
for kind in "${@:-product}"; do rm -f "$images/$kind"/*.tar; done

export RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$PWD=/sluice --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
# all of them in one build: which features a dependency gets, and so every byte, does not hang on what is asked for
cargo build --release --target "$triple" -p sluice-webhook -p sluice-rollout-controller -p sluice-cli -p sluice-test-app -p sluice-images \
  --bin sluice-webhook --bin sluice-controller --bin sluice --bin sluice-test-app --bin sluice-images
pack() { "$programs/sluice-images" "$@"; }

for kind in "${@:-product}"; do
  case $kind in
    product)
      pack product --programs "$programs" --trust "$trust" --to "$images/product"
      ;;
    next)
      pack product --programs "$programs" --trust "$trust" --version next --to "$images/next"
      ;;
    test)
      dns=$(e2e/programs/build-node.sh dns)
      pack one --reference sluice.dev/coredns:test --program "$dns/coredns" --to "$images/test/coredns.tar"
      pack one --reference sluice.dev/pause:test --program "$programs/sluice-test-app" --to "$images/test/pause.tar" -- pause
      app() { # TAG ENVIRONMENT...
        local tag=$1
        shift
        pack one --reference "registry.test/shop/checkout:$tag" --program "$programs/sluice-test-app" --env "VERSION=$tag" "$@" --to "$images/test/checkout-$tag.tar"
      }
      for tag in v1 v2 v4 v5; do app "$tag"; done
      # answer every request with an error, and their readiness does not notice
      for tag in v2--errors-100 v3--errors-100; do app "$tag" --env 'BEHAVIOUR={"errors": 1}'; done
      # a job: asks once and ends
      pack one --reference registry.test/shop/report:v1 --program "$programs/sluice-test-app" --to "$images/test/report-v1.tar" -- get http://payments.shop.svc/
      ;;
    *) echo "no images called $kind: product, next or test" >&2; exit 1 ;;
  esac
done
