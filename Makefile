# embdiff: 'make' prints what there is. Needs python3.11 and make, nothing else.
PYTHON ?= python3.11
TORCH ?=
TORCH_INDEX ?=
export TORCH TORCH_INDEX
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check
EVERYDAY := not slow and not server and not browser

.DEFAULT_GOAL := help
.PHONY: help setup frontend test-frontend demo gate test test-all test-slow test-server test-floors batteries check fix bench bench-full bench-readme docs docs-site picture constraints clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.setup  ## make .venv with what the demo needs (TORCH=none|cuda, TORCH_INDEX=URL choose torch)

$(VENV)/.setup: pyproject.toml constraints.txt scripts/setup_env.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/setup_env.py
	touch $@

$(VENV)/.test: $(VENV)/.setup
	$(PIP) -e '.[test]'
	touch $@

$(VENV)/.test-all: $(VENV)/.test
	$(PIP) -e '.[test-all]'
	touch $@

# The page that reports and notebooks show: bundled from frontend/, never committed.
STATIC := src/embdiff/views/static
frontend: $(STATIC)/view.js  ## bundle the report's page (Node on the PATH, else from a package)

$(STATIC)/view.js: $(VENV)/.setup $(wildcard frontend/src/*) frontend/package-lock.json frontend/build.mjs scripts/build_frontend.py
	$(BIN)/python scripts/build_frontend.py

test-frontend: $(STATIC)/view.js  ## types and unit tests of the page
	$(BIN)/python scripts/build_frontend.py --check

demo: setup frontend  ## run the main job on bundled sentences and offline models
	$(BIN)/embdiff demo

# Threads of torch that spin while they wait make a busy machine several times slower; tests are not measurements.
test test-all test-slow test-server test-floors batteries: export OMP_WAIT_POLICY := passive
# One worker per core: each keeps to a thread, so that they do not get in each other's way.
test test-all test-slow test-server test-floors batteries: export OMP_NUM_THREADS := 1

test: $(VENV)/.test frontend test-frontend  ## the everyday suite
	$(BIN)/python -m pytest -n auto -m "$(EVERYDAY)"

gate: $(VENV)/.setup frontend  ## hold the demo to rules, as a CI job of its users would (embdiff check)
	$(BIN)/embdiff demo --out build/gate >/dev/null
	$(BIN)/embdiff check build/gate --fail-if "self_retrieval@1 < 0.9" --fail-if "overlap@3 < 0.5" \
	    --fail-if "cka < 0.4" --junit build/gate.xml

# Tests with a server mostly wait for it: they run beside the others.
test-all: $(VENV)/.test-all check test gate  ## everything: checks, the everyday suite, then the slow, server and browser tests
	$(MAKE) --jobs=2 test-slow test-server

test-slow:
	$(BIN)/python -m pytest -n auto -m "(slow or browser) and not server"

test-server:
	$(BIN)/python -m pytest -m "server"

FLOORS := .venv-floors
$(FLOORS)/.floors: pyproject.toml scripts/floors.py scripts/setup_env.py
	$(PYTHON) -m venv --clear $(FLOORS)
	$(FLOORS)/bin/python scripts/floors.py
	touch $@

test-floors: $(FLOORS)/.floors frontend  ## with the lowest versions of all packages, in .venv-floors (TORCH=cuda, TORCH_INDEX=URL)
	$(FLOORS)/bin/python -m pytest -n auto -m "floors and not browser" $$(grep -rl "mark\.floors" tests)

batteries: $(VENV)/.test-all frontend  ## every cell of the drills that make test-all runs a slice of
	$(BIN)/python -m pytest -n auto -m battery --batteries

check: $(VENV)/.test  ## ruff, mypy, import contract, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate_docs.py --check

fix: $(VENV)/.test  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test-all frontend  ## measure: ratios against named peers, in one run
	$(BIN)/python -m benchmarks

bench-full: $(VENV)/.test-all frontend  ## the same, and what takes longer than 25 minutes
	$(BIN)/python -m benchmarks --full

bench-readme: $(VENV)/.setup  ## write the table in docs/benchmarks.md from the figures measured last
	$(BIN)/python -m benchmarks --page

docs: $(VENV)/.test  ## write the generated parts of the documentation
	$(BIN)/python scripts/generate_docs.py

$(VENV)/.docs: $(VENV)/.setup
	$(PIP) -e '.[docs]'
	touch $@

docs-site: $(VENV)/.docs frontend  ## build the documentation as a site, into build/site
	$(BIN)/python scripts/docs_site.py

picture: $(VENV)/.test-all frontend  ## take the picture of a report in README.md (needs Chromium)
	$(BIN)/python scripts/screenshot.py

constraints: $(VENV)/.test-all $(VENV)/.docs  ## pin what is installed now (for maintainers)
	$(BIN)/python scripts/write_constraints.py

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) $(FLOORS) $(STATIC) frontend/node_modules frontend/build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
