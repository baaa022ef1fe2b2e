# `make` lists what there is to make. Everything starts from a clean clone on Debian.

export PATH := $(CURDIR)/target/tools:$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# What runs in a guest needs nothing of the guest: no libc, no loader.
FOR_GUESTS = x86_64-unknown-linux-musl
BUILD_GUEST_TOOL = cargo build --release --target $(FOR_GUESTS) -p hostinfo
# The same for guests with Windows.
FOR_WINDOWS = x86_64-pc-windows-gnu
BUILD_WINDOWS_TOOL = cargo build --release --target $(FOR_WINDOWS) -p hostinfo
# With the tests, whose dependencies have more features: without them all would be compiled a second time.
BUILD_FOR_TESTS = cargo build --workspace --lib --bins --tests && $(BUILD_GUEST_TOOL) && $(BUILD_WINDOWS_TOOL)

# What is installed, and where; scripts/install reads them.
export PREFIX ?= /usr/local
export DESTDIR ?=
TARGET = $(or $(CARGO_TARGET_DIR),target)
export BUILT ?= $(TARGET)/release
export GUEST_TOOL ?= $(TARGET)/$(FOR_GUESTS)/release/hostinfo
export PAGES ?= $(TARGET)/pages
# The day that man pages bear: that of the sources.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

FUZZ_TARGETS = request framer rules custom kernel control domain message scrape notices settings handover \
	lines reply answer conversation open run
FUZZ_SECONDS ?= 60
# FUZZ_FLAGS=--dev builds sooner what then tries fewer inputs in a second.
FUZZ_FLAGS ?=

.PHONY: help build install uninstall packages demo test test-lab test-long bench callgrind fuzz lint windows portable docs count clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the programs, optimised; the guest's is in target/x86_64-unknown-linux-musl/release
	scripts/setup build
	cargo build --release --workspace && $(BUILD_GUEST_TOOL)
	$(BUILT)/hostinfo-pages $(PAGES)

install: ## Copy what was built to PREFIX (/usr/local), below DESTDIR; starts no service, upgrades a running daemon
	@scripts/install install

uninstall: ## Remove it again; rules, settings, the log, state and sockets stay
	@scripts/install uninstall

windows: ## Build the guest's tool for Windows, in target/x86_64-pc-windows-gnu/release
	scripts/setup windows
	$(BUILD_WINDOWS_TOOL)

# Static, so that they run on every distribution; but for hostinfo-libvirt, which needs glibc 2.34 if it is built on
# Debian 12. Each holds the list of the crates that it was built from: see cargo audit bin. No path of this machine
# gets into them.
BUILD_FOR_PACKAGES = RUSTFLAGS="--remap-path-prefix=$(CURDIR)=/hostinfo \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo" \
	cargo auditable build --release --locked --target-dir $(TARGET)/packaged
packages: ## Build deb and rpm packages for host and guest, and a tarball, in target/packages
	scripts/setup packages
	$(BUILD_FOR_PACKAGES) --target $(FOR_GUESTS) -p hostinfo -p hostinfod -p hostinfoctl -p hostinfo-open \
		-p hostinfo-custom
	$(BUILD_FOR_PACKAGES) -p hostinfo-libvirt -p hostinfo-pages
	$(TARGET)/packaged/release/hostinfo-pages $(TARGET)/packaged/pages
	cp $(TARGET)/packaged/release/hostinfo-libvirt $(TARGET)/packaged/$(FOR_GUESTS)/release
	BUILT=$(TARGET)/packaged/$(FOR_GUESTS)/release GUEST_TOOL=$(TARGET)/packaged/$(FOR_GUESTS)/release/hostinfo \
		PAGES=$(TARGET)/packaged/pages scripts/package $(TARGET)/packages
	lintian --allow-root --fail-on error,warning $(TARGET)/packages/*.deb
	rpmlint -c dist/packages/rpmlint.toml $(TARGET)/packages/*.rpm

demo: ## Start a real guest that asks this machine why it is slow
	scripts/setup demo
	cargo build -p hostinfod && $(BUILD_GUEST_TOOL)
	cargo run -p hostinfo-tests --bin demo

# Half of the time a test of the whole system waits: for a guest's answer, a second step, a timeout.
test: ## Run all tests, also those that start guests, with one scenario in the lab
	scripts/setup test
	$(BUILD_FOR_TESTS)
	cargo nextest run --workspace --test-threads $$((3 * $$(nproc))) && cargo test --workspace --doc

test-lab: ## Run scenarios on emulated KVM hosts: Debian 12, AppArmor and SELinux
	scripts/setup test
	$(BUILD_FOR_TESTS)
	cargo nextest run --profile lab -p hostinfo-tests

test-long: ## Run the tests that take hours
	scripts/setup test lab hosts
	$(BUILD_FOR_TESTS) && cargo build --release -p hostinfod
	cargo nextest run --profile long -p hostinfo-tests

bench: ## Measure domains' XML, and a thousand guests beside a bare echo server; fails where a target is missed
	cargo build --release -p hostinfod -p hostinfo-bench
	cargo test --release --quiet -p hostinfo-answer a_minute -- --nocapture
	cargo bench -p hostinfo-domains --bench xml
	cargo run --release -p hostinfo-bench

callgrind: ## Count the instructions of a query, which do not depend on what else the machine does
	scripts/setup callgrind
	cargo build --release -p hostinfod -p hostinfo-bench
	cargo run --release -p hostinfo-bench -- --only instructions

# No sanitizer: what is fuzzed has no unsafe code, so it would find nothing and only slow this down.
fuzz: ## Feed random bytes to the parsers, FUZZ_SECONDS for each; with make -j2 -Otarget two at once
	scripts/setup fuzz
	cargo +nightly fuzz build -s none $(FUZZ_FLAGS)
	$(MAKE) $(FUZZ_TARGETS:%=fuzz-%)

fuzz-%:
	mkdir -p fuzz/corpus/$*
	cargo +nightly fuzz run -s none $(FUZZ_FLAGS) $* fuzz/corpus/$* fuzz/seeds/$* -- -max_total_time=$(FUZZ_SECONDS)

lint: ## Check format, clippy, the code's own pages, licences and versions of dependencies, unused dependencies
	scripts/setup lint
	cargo fmt --all --check && cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --target $(FOR_WINDOWS) -p hostinfo -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo deny check licenses bans sources
	cargo machete

OLDEST_RUST = $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)
ON_ARM = aarch64-unknown-linux-musl
portable: ## Check that it compiles with the oldest Rust that Cargo.toml promises, and for 64-bit ARM
	scripts/setup portable
	cargo +$(OLDEST_RUST) check --workspace --locked --target-dir $(TARGET)/oldest
	cargo check --locked --target $(ON_ARM)

docs: ## Make docs/statistics.md and the code's own pages
	UPDATE_DOCS=1 cargo test --quiet -p hostinfo-catalog
	cargo doc --workspace --no-deps

count: ## Count the lines of production code, crate by crate
	scripts/count

clean: ## Remove everything that was made
	cargo clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts
