# `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: fuzz conformance conformance-record help install peers clients try test lint types layers unit format bench figures counts docs clean lock
PEERS := .venv-peers
CLIENTS := tests/clients/node_modules

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements/run.txt requirements/dev.txt
	@echo "Making the environment in $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(VENV)/.runnable: pyproject.toml requirements/run.txt
	@test -f $(STAMP) || (echo "Making the environment in $(VENV) (once)" && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/pip install --quiet --disable-pip-version-check -r requirements/run.txt && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .)
	@touch $@

install: $(STAMP)  ## make the environment with everything for development

try: $(VENV)/.runnable  ## watch an agent work on a scratch project, no key needed
	@$(BIN)/ostler try

peers: $(PEERS)/.installed  ## make the environment of other makers' servers, for their tests

$(PEERS)/.installed: requirements/peers.txt
	@echo "Making the environment in $(PEERS) (once)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	@touch $@

test: lint types layers docs unit  ## everything CI checks

lint: $(STAMP)  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict, on src
	@$(BIN)/mypy

layers: $(STAMP)  ## imports go down the layers
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

clients:  ## bring OpenCode's own clients, for their tests, where npm is
	@if ! command -v npm >/dev/null; then echo "npm is not here: clients are not tested"; \
	elif [ ! $(CLIENTS)/.installed -nt $(dir $(CLIENTS))package.json ]; then echo "Bringing clients into $(CLIENTS) (once)"; \
	  cd $(dir $(CLIENTS)) && npm install --no-package-lock --legacy-peer-deps --no-audit --no-fund --loglevel=error && \
	  touch node_modules/.installed; fi

unit: $(STAMP) peers clients  ## the tests, in parallel
	@if command -v npm >/dev/null && command -v tmux >/dev/null; \
	  then export OSTLER_CLIENTS_REQUIRED=1; fi; OSTLER_PEERS_REQUIRED=1 $(BIN)/pytest

fuzz: $(STAMP) peers  ## generated requests against the API, for ten minutes or so
	@OSTLER_PEERS_REQUIRED=1 OSTLER_FUZZ_EXAMPLES=50 $(BIN)/pytest tests/peers/test_schemathesis.py -n 0

format: $(STAMP)  ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## measure against the original, where its binary is
	@$(BIN)/python -m bench

figures: $(STAMP)  ## the same, and renew docs/figures.* (OPENCODE_BINARY=…)
	@$(BIN)/python -m bench --docs

counts: $(STAMP)  ## what a start and a turn do, beside the baselines
	@$(BIN)/python -m bench.counts

docs: $(STAMP)  ## build the documentation into site/
	@$(BIN)/mkdocs build --strict --quiet

lock: $(STAMP)  ## pin the dependencies anew
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --output-file requirements/run.txt requirements/run.in pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --output-file requirements/dev.txt requirements/dev.in
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --output-file requirements/peers.txt requirements/peers.in

clean:  ## remove what the targets made
	rm -rf $(VENV) $(PEERS) $(CLIENTS) site dist build .mypy_cache .ruff_cache .pytest_cache

conformance: $(STAMP)  ## replay the original's transcripts against Ostler
	@$(BIN)/python -m conformance check

conformance-record: $(STAMP)  ## record them anew from the original (OPENCODE_BINARY=…)
	@$(BIN)/python -m conformance record
