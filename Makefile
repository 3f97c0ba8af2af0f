# Everything runs in .venv, made when missing and brought up to date when the files below change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := setup.cfg pyproject.toml constraints.txt

BENCH := wanglandau benchmark cuau --atoms 4x4x4 5x5x5 7x7x7 10x10x10
BENCH_FILES := --figure runs/benchmark.png --out runs/benchmark.json --report runs/benchmark.md
DOS := wanglandau dos cuau --composition 16 --runs 8 --precision 0.007 --resume --out runs/cuau-dos.h5 --exact runs/cuau-exact.h5 --figure runs/cuau-dos.png

# Files stay together as long as both cores have work: what a file prepares for its tests is prepared once.
TWO_CORES := -n 2 --dist worksteal

INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable

.DELETE_ON_ERROR:
.PHONY: help dos test docs test-long test-faults test-gpu coverage lint bench bench-regressions lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

dos: $(VENV)/.installed ## density of states of CuAu: sampled, exact, thermodynamics, figure (files in runs/)
	@mkdir -p runs
	$(BIN)/$(DOS)

test: $(VENV)/.installed-test ## the test suite, on two cores
	$(BIN)/python -m pytest $(TWO_CORES)

test-long: $(VENV)/.installed-test ## tests of physics that take minutes
	$(BIN)/python -m pytest -m long

test-faults: $(VENV)/.installed-test ## faults injected by the thousand, counted in runs/faults.md: half an hour
	$(BIN)/python -m pytest tests/faults -m "" --fault-table runs/faults.md

test-gpu: $(VENV)/.installed-test ## on a machine with an accelerator: walks, energies and densities of states on it
	TRITON_INTERPRET=0 $(BIN)/python -m pytest -m gpu -rs tests/test_accelerator.py

coverage: $(VENV)/.installed-test ## the test suite with coverage of the Python code (compiled kernels count as not run)
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered

docs: $(VENV)/.installed-test ## pages and API reference as HTML, in docs/_build
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -b html . docs/_build

lint: $(VENV)/.installed-test ## style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-test ## trials per second of the sampling loops, with limits and figure (files in runs/; BENCH_MORE=--peers adds rivals)
	@mkdir -p runs
	$(BIN)/$(BENCH) $(BENCH_FILES) $(BENCH_MORE)

bench-regressions: $(VENV)/.installed-test ## rates compared with those of the last time (kept in .benchmarks)
	$(BIN)/python -m pytest tests/test_rates.py -m benchmark -W default --benchmark-autosave --benchmark-compare

# Local version suffixes and accelerator libraries belong to one build of torch, and any build must do.
lock: ## write constraints.txt anew from the newest versions that setup.cfg allows
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --disable-pip-version-check --quiet '.[test,peers]'
	.venv-lock/bin/python -m pip freeze --exclude alloy-wanglandau > constraints.txt.new
	sed -i -e 's/+[A-Za-z0-9.]*$$//' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton==/d' constraints.txt.new
	mv constraints.txt.new constraints.txt
	rm -rf .venv-lock build

clean: ## remove the environment, caches and build leftovers (not runs/)
	rm -rf $(VENV) .venv-lock build dist docs/_build docs/api/modules *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .coverage htmlcov
	find wanglandau surrogate lsms_bridge examples tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# The first stamp holds what the main job needs, the second everything; each can come first.
$(VENV)/.installed: $(VENV)/.created $(REQUIREMENTS)
	@echo "installing into $(VENV) ..."
	@$(INSTALL) '.[figures]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created $(REQUIREMENTS)
	@echo "installing into $(VENV), with torch and the test tools; this takes a few minutes ..."
	@$(INSTALL) '.[test]'
	@touch $@
