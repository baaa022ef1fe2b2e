# `make` lists what there is to make. Everything starts from a clean clone on Debian.

export PATH := $(CURDIR)/target/tools:$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# What runs in a guest needs nothing of the guest: no libc, no loader.
GUEST_TOOL = cargo build --release --target x86_64-unknown-linux-musl -p hostinfo
FUZZ_TARGETS = request framer rules custom control
FUZZ_SECONDS ?= 60

.PHONY: help build demo test bench fuzz lint docs clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## The programs, optimised; for the guest in target/x86_64-unknown-linux-musl/release
	scripts/setup build
	cargo build --release --workspace && $(GUEST_TOOL)

demo: ## A real guest asks this machine why it is slow
	scripts/setup demo
	cargo build -p hostinfod && $(GUEST_TOOL)
	cargo run -p hostinfo-tests --bin demo

test: ## All tests, also those that start guests
	scripts/setup test
	cargo build --workspace && $(GUEST_TOOL)
	cargo nextest run --workspace && cargo test --workspace --doc

bench: ## A thousand guests, beside a bare echo server: fails where a target is missed
	cargo build --release -p hostinfod -p hostinfo-bench
	cargo run --release -p hostinfo-bench

fuzz: ## Any bytes against the parsers, FUZZ_SECONDS for each
	scripts/setup fuzz
	for target in $(FUZZ_TARGETS); do mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target \
		-- -max_total_time=$(FUZZ_SECONDS) || exit; done

lint: ## Format, clippy, licences and versions of dependencies, unused dependencies
	cargo fmt --all --check && cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo deny check licenses bans sources
	cargo machete

docs: ## docs/statistics.md and the code's own pages
	UPDATE_DOCS=1 cargo test --quiet -p hostinfo-catalog
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

clean: ## Everything that was made
	cargo clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts
