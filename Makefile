# `make run` and `make test` are all a new machine needs; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
TARGETS ?=
PORT ?= 3000

.PHONY: run test ui check doctor show-main show-trust show-claude show-fleet show-lab show-model show-device clean

run: $(VENV)/.installed
	@$(BIN)/rocm-pipeline run $(TARGETS)

ui: $(VENV)/.installed
	@$(BIN)/rocm-pipeline ui --port $(PORT)

doctor: $(VENV)/.installed
	@$(BIN)/rocm-pipeline doctor

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n 3 --dist worksteal

check: $(VENV)/.installed-check
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@DAGSTER_DISABLE_TELEMETRY=1 $(BIN)/dg check defs

show-main: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.main_job

show-trust: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks.trust

show-claude: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks.claude

show-lab: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks.lab

show-model: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.local_model

show-device: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.device

show-fleet: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.fleet

# pip comes last: a folder without it is half made
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "make: Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); \
			echo "make: venv or ensurepip is missing (apt-get install python3-venv)"; exit 2; }

$(VENV)/.installed: $(BIN)/pip pyproject.toml
	@echo "Installing (about a minute, once) ..."
	@$(INSTALL) .
	@touch $@

# each brings what the ones before it do, so that a new machine resolves and installs once
$(VENV)/.installed-test: $(BIN)/pip pyproject.toml
	@echo "Installing what the tests need (about a minute, once) ..."
	@$(INSTALL) '.[test]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-check: $(BIN)/pip pyproject.toml
	@$(INSTALL) '.[test,check]'
	@touch $(VENV)/.installed $(VENV)/.installed-test $@

# the state in .rocm_pipeline (answers, records, a person's targets) is no build product
clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find rocm_pipeline tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
