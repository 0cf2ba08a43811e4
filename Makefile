# `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install try test lint types layers unit format bench docs clean lock

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

test: lint types layers unit  ## everything CI checks

lint: $(STAMP)  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict, on src
	@$(BIN)/mypy

layers: $(STAMP)  ## imports go down the layers
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

unit: $(STAMP)  ## the tests, in parallel
	@$(BIN)/pytest

format: $(STAMP)  ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## measure against the original, where its binary is
	@$(BIN)/python -m bench

docs: $(STAMP)  ## build the documentation into site/
	@$(BIN)/mkdocs build --strict

lock: $(STAMP)  ## pin the dependencies anew
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --output-file requirements/run.txt requirements/run.in pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-header --output-file requirements/dev.txt requirements/dev.in

clean:  ## remove what the targets made
	rm -rf $(VENV) site dist build .mypy_cache .ruff_cache .pytest_cache
