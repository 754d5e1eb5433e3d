# Every command for users and developers, including set-up. `make` lists them.
# The first Python that runs and is new enough; a version manager's shim may exist without working.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
READY := .venv/.ready
INSTALL := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check -c constraints.txt
# pytest's own options, for example: make test T="-k walk -n 0"
T ?=
# Test processes: twice as many as the two cores that tests are measured on, because tests often wait for processes.
WORKERS ?= 4
# bench and soak: the parts to run, and further options (O=--help)
ONLY ?=
O ?=
OTHER = .venv-dagster-$(V)

# Compiled modules are always kept, because hundreds of short processes would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
# docs: serve the site instead of building it
SERVE ?=

.PHONY: help demo dev docs docs-output test test-growth test-install test-dagster test-duckdb snapshot check bench soak clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "orgdata needs Python 3.11 or newer; set PYTHON=..." >&2; exit 2; }
	@echo "making .venv from pinned versions"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --upgrade pip || echo "going on with the pip that $(PYTHON) brings, which may take longer"
	@$(INSTALL) -e '.[dev]'
	@touch $@

demo: $(READY) ## simulated vendors, 7 days of every table, their status, then the UI on 127.0.0.1:3000 (UI=0: no UI)
	@$(BIN)/orgdata demo $(if $(filter 0,$(UI)),--no-ui)

dev: $(READY) ## the Dagster UI and daemon on your own data
	@$(BIN)/orgdata dev

docs: $(READY) ## the documentation site in .docs-site, warnings are errors; SERVE=1 serves it on 127.0.0.1:8000
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve -a 127.0.0.1:8000,build -q)

docs-output: $(READY) ## record again what docs/commands.md shows of each command, against simulated vendors (ONLY=status)
	@$(BIN)/python docs/outputs.py $(ONLY)

test: $(READY) ## the whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(T)

# `make test` has the warehouse's and the vendors' tests on a file
GROWTH = orgdata_dagster_tests/warehouse orgdata_dagster_tests/vendors

test-growth: $(READY) ## more than one machine: every test of it on each store and warehouse, 20 minutes at most
	@CI=true $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m growth $(T)
	@for kind in sqlite postgres; do echo "warehouse: a lake on $$kind"; \
		CI=true ORGDATA_TEST_WAREHOUSE=$$kind $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(T) $(GROWTH) || exit 1; done

test-install: $(READY) ## install the wheel with its dependencies on every Python 3.11 to 3.13 of this machine, and try it
	@ORGDATA_TEST_INSTALL=1 $(BIN)/python -m pytest -n 0 $(T) orgdata_dagster_tests/test_wheel.py

test-dagster: ## the suite against another Dagster, in an environment of its own: make test-dagster V=1.13.12
	@test -n "$(V)" || { echo "say which version: make test-dagster V=1.13.12" >&2; exit 2; }
	@test -x $(OTHER)/bin/pytest || $(PYTHON) -m venv $(OTHER)
	@sed -E -e 's/^(dagster[a-z-]*)==1\..*/\1==$(V)/' -e 's/^(dagster-postgres|dagster-celery)==.*/\1==0.$(shell expr $(word 2,$(subst ., ,$(V))) + 16).$(word 3,$(subst ., ,$(V)))/' constraints.txt > $(OTHER)/constraints.txt
	@$(OTHER)/bin/python -m pip install -qq --no-compile --disable-pip-version-check -c $(OTHER)/constraints.txt -e '.[dev]'
	@$(OTHER)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(T)

WITH_DUCKDB = $(addprefix orgdata_dagster_tests/,warehouse vendors writeback cli integration orchestration)

test-duckdb: $(READY) ## the tests that use DuckDB with another version of it: make test-duckdb V=2.0.1
	@test -n "$(V)" || { echo "say which version: make test-duckdb V=2.0.1" >&2; exit 2; }
	@test -d .duckdb-$(V) || $(BIN)/python -m pip install -qq --no-deps --disable-pip-version-check --target .duckdb-$(V) duckdb==$(V)
	@PYTHONPATH=$(CURDIR)/.duckdb-$(V) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(if $(T),$(T),$(WITH_DUCKDB))

snapshot: $(READY) ## rewrite the snapshots of the definitions; review the difference
	@ORGDATA_RENEW_SNAPSHOTS=1 $(BIN)/python -m pytest -n 0 -k definitions orgdata_dagster_tests/snapshots
	@git --no-pager diff --stat -- orgdata_dagster_tests/snapshots

check: $(READY) ## lint, format, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## whole commands beside a bare loop and dlt: seconds, CPU, memory (ONLY=csv,json O="--rounds 5")
	@$(BIN)/python -m benchmarks.bench $(if $(ONLY),--only $(ONLY)) $(O)

soak: $(READY) ## faults, kills, concurrent runs and large inputs, for 20 minutes at most (ONLY=kills O="--kills 5")
	@$(BIN)/python -m benchmarks.soak $(if $(ONLY),--only $(ONLY)) $(O)

clean: ## remove the environment, caches and the demo's data; your data in .orgdata/ stays
	rm -rf .venv .venv-dagster-* .duckdb-* .orgdata-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
