# Five verbs: install, lint, check, test, run. `make` alone lists them.
# Needs Python 3.11 or newer and nothing else; everything lands in .venv.

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := dashboard $(wildcard loadgen)
# Flags for `make run`, such as ARGS="--port 9000 --open".
ARGS ?=

.PHONY: help install lint check test run audit clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      start the dashboard and the demo app   (ARGS="--open --port 9000")'
	@echo 'make test     set everything up, a browser included, and run all tests'
	@echo 'make install  set up for development'
	@echo 'make lint     correct what can be corrected by itself'
	@echo 'make check    lint, format and types, changing nothing'
	@echo 'make audit    look for known holes in what is depended upon'
	@echo 'make clean    remove everything that was made'

# Ctrl-C is how one stops it. A shell that it does not end says so; else make calls it an error.
run: $(VENV)/installed
	@trap : INT; $(BIN)/loopscope $(ARGS) || [ $$? -eq 130 ]

install: $(VENV)/installed-dev

lint: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)

test: check
	@$(BIN)/python .ci/test

# Not part of the tests: what is known today is fetched from elsewhere. Strict, as a
# package of which nothing could be fetched would pass for a clean one.
audit: $(BIN)/python
	@$(BIN)/python -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --strict .

clean:
	rm -rf $(VENV) .venv-3.* .venv-audit .venv-oldest build dist .coverage* .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo 'installing into $(VENV) (once) ...'
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@.ci/install-group $(BIN)/python dev
	@touch $@ $(VENV)/installed

$(BIN)/python:
	@python=$$(.ci/find-python) && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV)
