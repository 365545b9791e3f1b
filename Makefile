# Every target sets up what it needs; the folder and the machine need nothing but python3 (3.11+, with venv), git, make.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell git ls-files operators_ui pyproject.toml 2>/dev/null)
# Build dependencies are pinned in pyproject.toml; run dependencies in the locks, with hashes.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-input --progress-bar on

.PHONY: demo test lint bench soak lock clean

demo: $(VENV)/.run
	@$(BIN)/csu demo

test: $(VENV)/.dev
	@$(BIN)/python -m tests.programs
	@$(BIN)/python -m operators_ui.npm test
	$(BIN)/python -m pytest -q -n 3 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m operators_ui.npm run check

soak: $(VENV)/.dev
	@$(BIN)/python -m tests.programs
	$(BIN)/python -m pytest -m soak --timeout=3600

bench: $(VENV)/.dev
	$(BIN)/csu bench record --cameras 50 --seconds 60 --burst
	$(BIN)/csu bench record --cameras 50 --seconds 60
	$(BIN)/csu bench live --viewers 50 --seconds 30

# The locks say exactly what is installed; run after a change of the dependencies in pyproject.toml.
lock:
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) uv
	$(BIN)/uv pip compile -q --upgrade --python-version 3.11 --no-emit-index-url --no-header --generate-hashes pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --all-extras --no-emit-index-url --no-header --generate-hashes -c requirements.lock pyproject.toml -o requirements-dev.lock

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml $(SOURCES) | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	@echo "Building the console (about half a minute the first time)…"
	$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf $(VENV) operators_ui/dist operators_ui/node_modules .mypy_cache .ruff_cache .pytest_cache
