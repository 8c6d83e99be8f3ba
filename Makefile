# make build : environment, install, then the whole job on the embedded default: import, dbt build, audit, publish, summary
# make test  : environment, install, then lint, types and tests (ECONOMIC_INDEX_PROOFS=all: the proofs at full size too)
# make lint  : lint and types alone
# make bench : the benchmarks, as tables
#
# PYTHON           interpreter that makes the environment (3.11 or later)
# TORCH_INDEX_URL  optional: an index that serves CPU builds of PyTorch. Without it Linux on x86_64 installs the default
#                  build, which brings several GB of CUDA libraries (README, "Installing").
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
TORCH_INDEX_URL ?=

.PHONY: build test lint bench install clean

build: install
	$(BIN)/economic-index build

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: install-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 models tests/singular tests/macros

bench: install-dev
	$(BIN)/python benchmarks/run.py

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; name one with make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# PyTorch first and pinned, so that nothing after it pulls in another build.
$(VENV)/.installed: $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/python -m pip install --quiet -r requirements-dev.lock
	touch $@

clean:
	rm -rf target logs .mypy_cache .ruff_cache .pytest_cache
