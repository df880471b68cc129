# `make run` and `make test` are all a new machine needs; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TARGETS ?=
PORT ?= 3000

.PHONY: run test ui check doctor show-main clean

run: $(VENV)/.installed
	@$(BIN)/rocm-pipeline run $(TARGETS)

ui: $(VENV)/.installed
	@$(BIN)/rocm-pipeline ui --port $(PORT)

doctor: $(VENV)/.installed
	@$(BIN)/rocm-pipeline doctor

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n 2

check: $(VENV)/.installed-check
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@DAGSTER_DISABLE_TELEMETRY=1 $(BIN)/dg check defs

show-main: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.main_job

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "make: Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "make: the venv module is missing (apt-get install python3-venv)"; exit 2; }

$(VENV)/.installed: $(BIN)/python pyproject.toml
	@echo "Installing (about a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.installed-check: $(VENV)/.installed-test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	@touch $@

clean:
	rm -rf $(VENV) .rocm_pipeline
