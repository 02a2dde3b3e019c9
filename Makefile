# Every target sets up .venv by itself: on a bare machine, Python 3.11 or newer and make are enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KERNELS := $(VENV)/.kernels
# What pytest ended with: make itself ends with 2 whatever it was.
STATUS := $(VENV)/.pytest-status
SEEDS ?= 1000
T ?=
# All tests go to four processes, file by file, in the order of tests/conftest.py: each has servers of its own, and waits
# for them half of the time. What T chooses runs in one, for -x and --pdb.
PROCESSES := $(if $(strip $(T)),,--numprocesses=4 --dist=loadfile --no-loadscope-reorder)

.PHONY: help setup test lint format types layers doctest demo bench quality dashboards simulate lock clean

help: ## this page
	@echo 'stream_seg labels customers while they act. Start here:'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'Examples:'
	@echo '  make demo DEMO_DATA=cdnow             the small data set, in seconds'
	@echo '  make test T="tests/contracts -x"      some tests; T goes to pytest as it is'
	@echo '  make simulate SEEDS=100000            many fault schedules; a failing seed prints how to replay it'
	@echo
	@echo 'After any of them, $(BIN)/stream-seg --help is there to explore.'

# Rebuilt when the declared or the pinned dependencies change; a half-made .venv is started again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "stream_seg needs Python 3.11 or newer; $(PYTHON) is older or not there. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Setting up $(VENV) (a minute or two, once) ...' >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >&2
	@touch $@

# numba does not see when a function in another file changes: what is compiled goes when any source of it is newer.
$(KERNELS): $(READY) $(wildcard stream_seg/core/*.py stream_seg/wire/*.py)
	@find stream_seg -name '*.nb[ic]' -delete
	@echo 'Compiling the kernels (half a minute, once) ...' >&2
	@$(BIN)/python -m stream_seg.bootstrap.warming
	@touch $@

setup: $(KERNELS) ## install everything into .venv (the other targets do it when needed)

test: $(KERNELS) ## run every test, on a real Kafka (Java 17, Maven) and a real Valkey
	@rm -f $(STATUS)
	@status=0; $(BIN)/python -m pytest $(PROCESSES) $(T) || status=$$?; echo $$status >$(STATUS); exit $$status

lint: $(READY) layers ## style: ruff check, ruff format, and the import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

layers: $(READY) ## who may import whom (.importlinter)
	@$(BIN)/lint-imports

doctest: $(KERNELS) ## run the examples in the docstrings
	@$(BIN)/python -m pytest stream_seg

# DEMO_DATA, from the command line or the environment, reaches the command as an environment variable.
demo: $(KERNELS) ## a year of real purchases, labelled by real workers, no server to install
	@$(BIN)/stream-seg demo

bench: $(KERNELS) ## measure throughput and latency on real Kafka and Valkey; last line is JSON
	@$(BIN)/python -m benchmarks.throughput

quality: $(KERNELS) ## measure how good the segments are, learner by learner, on three data sets; last line is JSON
	@$(BIN)/python -m benchmarks.quality

dashboards: $(KERNELS) ## execute every panel and rule against a real Prometheus; last line is JSON
	@$(BIN)/python -m tests.dashboards

simulate: $(KERNELS) ## SEEDS=n fault schedules against the oracle, in memory
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

lock: ## pin the newest versions that pyproject.toml allows into constraints.txt
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install --quiet uv; }
	@{ head -n 2 constraints.txt; \
	   .cache/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --all-extras --group dev \
	     --generate-hashes --no-header --no-annotate --no-emit-index-url; } > constraints.tmp
	@mv constraints.tmp constraints.txt

clean: ## remove .venv, caches and what the demo left
	@rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist run *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
