# The commands of this project; `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DENY_VERSION := 0.20.2
export CARGO_TERM_COLOR ?= auto

.PHONY: help setup demo test crash soak fuzz bench load scoreboard lint deny

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Shows Damper working: load, replicas, a fault, the page; three minutes (STAY=1 keeps it up, KUBE=1: on Kubernetes)
	@tests/setup.sh prometheus3 $(if $(KUBE),kubernetes)
	@cargo build --locked --quiet --bin damper --example shop --example demo
	@target/debug/examples/demo $(if $(KUBE),--kube) $(if $(STAY),--stay)

test: setup lint deny ## Everything that CI checks: lints, all tests, licences
	@if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --locked --no-fail-fast; \
	else cargo test --locked --lib --bins --tests --no-fail-fast; fi
	cargo test --locked --doc

crash: export TEST_DAMPER_LONG = 1
crash: setup ## Kills Damper about 1,300 times at every store boundary and around every send; sets its clock; pauses it: half an hour
	@$(call long,$(crashes))

soak: export TEST_DAMPER_LONG = 1
soak: setup ## All tests of reliability in their long forms, with crash among them: hours
	@$(call long,crash:: delivery:: e2e:: accuracy:: scaling::)

crashes := crash:: delivery::crash:: scaling::kill:: scaling::clock:: scaling::kubernetes::killed::
# Tests by the beginnings of their names. With the plain runner nothing ends one that hangs.
define long
if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --locked --no-fail-fast --profile long --test damper -E 'test(/^($(subst $() ,|,$(strip $(1))))/)'; \
	else cargo test --locked --test damper --no-fail-fast -- --nocapture --test-threads 4 $(1); fi
endef

fuzz: ## Tries what nobody would write, an hour for each of seven kinds of input (TARGET=all MINUTES=60; INPUT=file tries one again; KEEP=1 adds to the corpus)
	@tests/fuzz/run.sh $(or $(TARGET),all) $(if $(INPUT),replay $(INPUT),$(if $(KEEP),keep,$(or $(MINUTES),60)))

bench: setup ## Measures Damper against the usual rules, side by side
	cargo bench --locked --bench damper

load: setup ## Watches very many SLOs with one Damper and says what that takes (SLOS=10000 MINUTES=60 SOURCE=prometheus or recorded)
	cargo bench --locked --bench load -- $(or $(SLOS),10000) $(or $(MINUTES),60) $(or $(SOURCE),prometheus)

scoreboard: ## Scores Damper's scaling beside the HPA, KEDA and others, in simulated time (WRITE=1 puts it into docs)
	@cargo run --locked --quiet --example scoreboard -- $(if $(WRITE),--write)

lint: ## The quick part of test: format, clippy, documentation, the lock file of the fuzzer
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
	cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null

setup: ## Gets the servers that tests run against, into ~/.cache/damper; installs nothing
	@tests/setup.sh

deny: ## Licences, banned crates and sources of what we depend on
	@cargo deny --version 2>/dev/null | grep -qF ' $(DENY_VERSION)' || { \
	  echo "installing cargo-deny $(DENY_VERSION): about two minutes, once"; \
	  cargo install cargo-deny --version $(DENY_VERSION) --locked --quiet; }
	cargo deny --locked --log-level error check bans licenses sources
