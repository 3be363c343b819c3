# The steps of this project; `.ci/run` calls the same ones.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# A first build is a tenth shorter without what only makes the next ones shorter. Who builds by hand has that, and then so do these steps.
export CARGO_INCREMENTAL ?= $(if $(wildcard target/debug/incremental/*),1,0)

.PHONY: help preflight programs build images demo cluster cluster-down bench-cluster soak test check generate bench bench-peers fuzz

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

preflight: ## are Rust, Go and make here, in versions that work?
	@scripts/preflight.sh

programs: preflight ## etcd, Kubernetes, kubectl and Prometheus from their Go modules, kept outside the checkout
	@e2e/programs/build.sh kubernetes prometheus > /dev/null

build: preflight ## Sluice's own programs
	cargo build --workspace --bins

images: preflight ## one OCI archive per program in target/images/product, without a container engine
	@scripts/images.sh product

cluster: programs build images ## a real cluster on this machine (root): kubelet, containerd, Services, DNS; prints its KUBECONFIG
	@target/debug/sluice-cluster check
	@e2e/programs/build-node.sh > /dev/null
	@scripts/images.sh test
	@target/debug/sluice-cluster up

bench-cluster: programs build images ## memory and CPU of the installed pods, and what a killed webhook costs, on the real cluster (root)
	@e2e/programs/build-node.sh > /dev/null
	@scripts/images.sh test > /dev/null
	@target/debug/sluice-cluster measure $(if $(WRITE),--write docs/numbers-cluster.md)

soak: programs build images ## releases on the real cluster for SOAK_SECONDS (2 hours) while its daemons die and its API server is away (root)
	@e2e/programs/build-node.sh > /dev/null
	@scripts/images.sh test > /dev/null
	@scripts/soak.sh

cluster-down: ## ends it and leaves nothing behind
	@target/debug/sluice-cluster down

demo: programs build ## the story: a risky apply refused, a release gated, stepped and undone (KEEP=1 leaves it running, ON=plane needs no root)
	@scripts/demo.sh $(if $(KEEP),--keep)

test: preflight ## every test, those against the control plane and, where this machine can run one, the real cluster included
	@scripts/test.sh

check: preflight ## formatting, lints, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run --quiet -p sluice-cli --bin sluice-generate -- --check

generate: preflight ## manifests, generated docs and the table of Kubernetes' fields from their source
	cargo run --quiet -p sluice-cli --bin sluice-schema-table
	cargo run --quiet -p sluice-cli --bin sluice-generate

bench: programs ## numbers of the admission path and of a resting cluster, against a bare server in the same run
	@scripts/bench.sh

bench-peers: preflight ## `sluice check` beside kube-linter, kube-score, gator and kyverno on the same manifests
	@scripts/bench-peers.sh

fuzz: preflight ## 10,000,000 mutated texts for each thing that reads foreign texts (CASES, SEED, TARGETS, JOBS); a short run is part of `make test`
	@scripts/fuzz.sh
