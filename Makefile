# Needs Python 3.11 or later and make; everything else comes from requirements.lock, by hash, into .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format bench soak lock clean

# The first Python of 3.11 or later that can make a virtual environment.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(LOCKED): requirements.lock
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or later with venv was not found; name it with: make PYTHON=/path/to/python …' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes --only-binary :all: --requirement requirements.lock
	@touch $@

$(READY): pyproject.toml $(LOCKED)
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(READY) ## make .venv from the lock and install Daybook into it

demo: $(READY) ## fill a data folder with two years of a made-up company, then serve it
	$(BIN)/daybook demo

test: $(READY) ## run all tests
	$(BIN)/python -m pytest --quiet -m alone || test $$? -eq 5 # 5: no test needs the machine for itself
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not alone"

check: $(READY) ## lint, formatting, types, directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(READY) ## format and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## print what Daybook reaches, beside baselines of the same run
	$(BIN)/python -m bench

soak: $(READY) ## run the fault tests at full size
	DAYBOOK_SOAK=1 $(BIN)/python -m pytest --timeout 7200 tests/faults

lock: $(READY) ## resolve pyproject.toml anew into requirements.lock
	$(PIP) install "uv>=0.13,<0.14"
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --upgrade --output-file requirements.lock pyproject.toml

clean: ## remove .venv and every cache
	rm -rf $(VENV) .cache build dist *.egg-info .hypothesis .import_linter_cache .pytest_cache .ruff_cache
