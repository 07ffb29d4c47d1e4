# Every command of the project. `.ci/run` calls the same targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)
unexport PYTHONPATH VIRTUAL_ENV

# What the wheel is made of.
SOURCES := $(shell find crates python -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name py.typed \) 2>/dev/null) \
	Cargo.toml Cargo.lock pyproject.toml rust-toolchain.toml
ENVIRONMENT := $(VENV)/.environment
WHEEL := $(VENV)/.wheel

.PHONY: help check test bench demo chaos fix needs jars environment wheel check-rust check-python check-instructions test-rust \
	test-python clean sim mutations

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Tells before the long build what is not installed, and what to install.
needs:
	@command -v $(PYTHON) >/dev/null || { echo 'python3 was not found: install Python 3.11 or later (python3, python3-venv)'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or later is needed, $(PYTHON) is {sys.version.split()[0]}: set PYTHON=")'
	@command -v cargo >/dev/null || { echo 'cargo was not found: install Rust with rustup; rust-toolchain.toml names the version'; exit 1; }

jars: needs ## fetch Kafka's jars into the cache, if they are not there
	@$(PYTHON) -m tests.realkafka jars >/dev/null

demo: $(WHEEL) ## real text through the embedded broker and a group of two, checked (FILE=path, BOOTSTRAP=host:port)
	@$(BIN)/python -m demo $(if $(FILE),--file '$(FILE)') $(if $(BOOTSTRAP),--bootstrap '$(BOOTSTRAP)')

check: check-rust check-python check-instructions ## formatting, lints, types, generated files, layers, instruction counts

test: test-rust test-python ## every test, on real Kafka and on the embedded broker

chaos: jars $(WHEEL) ## end and start brokers of a real cluster of three under a group (ROUNDS=12, SEED=, PACKAGE=confluent_kafka)
	@$(BIN)/python -m tests.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(if $(PACKAGE),--package $(PACKAGE))

sim: needs ## the simulation: SEEDS=10000 seeds (FROM=1 the first), or one SEED=n with its last events (ALL=1: all)
	@cargo run --quiet --locked --package ottla-sim -- $(if $(SEED),--seed $(SEED) $(if $(ALL),--all),--seeds $(or $(SEEDS),1000) $(if $(FROM),--from $(FROM)))

mutations: needs ## spoil the machines, one decision at a time, and have the simulation find each (NAME=part of one)
	@cargo xtask mutations $(NAME)

bench: jars $(WHEEL) ## Ottla beside confluent-kafka and the floor on real Kafka (QUICK=1: fewer records and runs; ROWS=a,b)
	@cargo build --quiet --locked --release --package ottla --package ottla-broker --examples
	@$(BIN)/python -m benches $(if $(QUICK),--quick) $(if $(ROWS),--rows '$(ROWS)')

fix: $(ENVIRONMENT) ## format, and mend what the linters can
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .

environment: $(ENVIRONMENT) ## the virtual environment with the pinned tools
wheel: $(WHEEL) ## build the wheel and install it into the virtual environment

check-rust: $(ENVIRONMENT) ## the Rust part of check
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo xtask codegen --check
	cargo xtask config docs --check
	cargo xtask tidy

check-python: $(WHEEL) ## the Python part of check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(wildcard python/ottla/_native.pyi),$(BIN)/python -m mypy.stubtest ottla._native)

check-instructions: $(ENVIRONMENT) ## instruction counts of append, encode and decode, where valgrind is present
ifneq ($(wildcard benches/instructions.py),)
	@if command -v valgrind >/dev/null; then $(BIN)/python benches/instructions.py --check; \
	else echo 'valgrind is not installed: instruction counts are not compared'; fi
endif

test-rust: jars $(ENVIRONMENT) ## the Rust tests, those on sockets on real Kafka and on the embedded broker
	$(BIN)/python -m tests.realkafka run -- $(BIN)/cargo-nextest nextest run --locked --no-tests=warn
	cargo test --locked --doc --quiet
ifneq ($(wildcard crates/client/tests/loom.rs),)
	$(BIN)/cargo-nextest nextest run --locked --package ottla --features loom --test loom
endif

test-python: jars $(WHEEL) ## the Python tests, on real Kafka and on the embedded broker (BROKER=real|embedded: on one)
	$(BIN)/python -m pytest $(if $(BROKER),--broker=$(BROKER)) --junit-xml=$(TARGET)/python-tests.xml || \
	{ $(BIN)/python -m tests.failures $(TARGET)/python-tests.xml; exit 1; }

clean: ## remove what was built (not the cache of Kafka's jars)
	rm -rf $(VENV) target

# --no-deps: the list is complete, and confluent-kafka names a certifi that may not exist in the index yet.
$(ENVIRONMENT): requirements-dev.txt | needs
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

$(WHEEL): $(ENVIRONMENT) $(SOURCES) | needs
	@rm -rf $(TARGET)/wheels
	$(BIN)/maturin build --quiet --release --locked --compatibility linux --interpreter $(BIN)/python --out $(TARGET)/wheels
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-index --force-reinstall $(TARGET)/wheels/ottla-*.whl
	@touch $@
