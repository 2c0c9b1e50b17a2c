# `make check` is exactly CI: .ci/run does nothing else once a machine has what it needs.

.DEFAULT_GOAL := help
.PHONY: help check fmt-check lint doc house deny servers verifiers test chaos conform bench bench-api bench-micro fmt clean

help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: fmt-check lint doc house test deny ## Everything that CI checks

fmt-check: ## Formatting
	cargo fmt --check

lint: ## Clippy, every warning an error
	cargo clippy --locked --all-targets -- -D warnings

doc: ## Documentation, private items included, every warning an error
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

house: ## Which room uses which, which library lives where, how long a file is
	cargo test --locked --test promises house::

servers: ## PostgreSQL, Redis and Prometheus for the tests, where they are missing
	sh scripts/install-servers.sh

verifiers: ## What receivers in Python and Node verify deliveries with, and what manifests are checked with, for the tests
	sh scripts/install-verifiers.sh

# Without being told where to write, which it does not do here, criterion would ask cargo, and cargo perhaps a registry.
test: servers verifiers ## All tests, and each micro-benchmark once, over private PostgreSQL, Redis and Prometheus
	CRITERION_HOME=target/criterion cargo test --locked

# One at a time: they measure how fast deliveries go again after an outage. The seed is printed; CHAOS_SEED repeats it.
CHAOS ?= chaos::
chaos: servers ## The tests that kill, stop and flush under load, at full size; make chaos CHAOS_SEED=7 CHAOS_ROUNDS=3 CHAOS_SCALE=2
	CHAOS_SCALE=$${CHAOS_SCALE:-1} cargo test --locked --test promises $(CHAOS) -- --nocapture --test-threads=1

conform: servers verifiers ## The API against its own description, 500 examples for each call: half an hour; make conform CONFORM_SEED=7
	CONFORM_EXAMPLES=$${CONFORM_EXAMPLES:-500} cargo test --locked --test promises conform:: -- --nocapture --test-threads=1

# The advisory database needs the network, so it is asked only where somebody asks for it: make deny DENY=advisories
DENY ?= licenses bans sources
deny: ## Licences, banned crates and sources of the dependencies
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check $(DENY); \
	else echo "cargo-deny is not installed, so licences and sources were not checked. To install it: cargo install cargo-deny --locked"; fi

bench: servers ## How fast deliveries go, against a bare client; make bench BENCH="--events 5000 --rounds 1"
	cargo bench --locked --bench drain -- $(BENCH)

bench-api: servers ## How fast lists and totals are among 10 million deliveries; make bench-api API="--deliveries 100000"
	cargo bench --locked --bench api -- $(API)

bench-micro: servers ## What parsing, matching, signing, claiming and committing cost, each by itself; make bench-micro MICRO=match
	cargo bench --locked --bench micro -- $(MICRO)

fmt: ## Formats the code
	cargo fmt

clean: ## Removes what was built
	cargo clean
