# All targets work as root and as an ordinary user. They need the network only for pip (tests also for npm and apt).
.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
MARKDOWN := README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs/*.md
# Tests mostly wait, for answers, leases and services: four at a time keep two cores busy.
JOBS ?= 4
PYTEST_ARGS ?=
# The first Python that is new enough and can make an environment: a shim on PATH may be neither. The distribution's
# own comes first: it is built with profile-guided optimisation, which a version manager's build usually lacks, and
# that is worth a tenth of the engine's CPU.
USABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in /usr/bin/python3.11 python3.11 python3 python3.12 python3.13 /usr/bin/python3; do \
	"$$p" -c '$(USABLE)' 2>/dev/null && { echo "$$p"; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q install --require-hashes
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: help setup setup-dev setup-peers setup-bench demo up test check check-coverage format docs lock sbom advisories bench chaos fuzz mutate schema-test clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: $(VENV)/.runtime ## install what Token-Burn needs to run

setup-dev: $(VENV)/.dev ## install development tools and test dependencies too

demo: setup ## run a 15 s load test against the mock chatbot and compare both counts
	@$(BIN)/python -m tokenburn_site.demo

up: setup ## start the whole site on this machine (ARGS="--port 9000")
	@$(BIN)/python manage.py up $(ARGS)

test: setup-dev setup-peers ## run all tests (PYTEST_ARGS="-k word" selects some)
	@if .ci/chromium; then only=(); else only=(-m "not browser"); fi; \
	PEERS_VENV=$(abspath $(VENV)-peers) $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal "$${only[@]}" $(PYTEST_ARGS)

check-coverage: ## run all tests with branch coverage; fail below the floor in pyproject.toml
	@$(MAKE) test PYTEST_ARGS="--cov --cov-report=term $(PYTEST_ARGS)"

check: setup-dev ## run all checks of CI except the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mdformat --check $(MARKDOWN)
	$(BIN)/mypy .
	$(BIN)/lint-imports
	TOKENBURN_VAR_DIR=$(VENV)/check TOKENBURN_ENV_FILE= $(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -c 'import sys; from metrics.report.document import PAGE, page; sys.exit(page() != PAGE.read_text("utf-8"))' \
		|| { echo "docs/metrics.md is not up to date: run make docs" >&2; exit 1; }
	@$(BIN)/python -m tokenburn_site.schema_files --check
	@$(BIN)/python -m tokenburn_site.chatbots_page --check
	@$(BIN)/python -m supply_chain.licences --check

format: setup-dev ## format code and Markdown
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mdformat $(MARKDOWN)

docs: setup-dev ## regenerate the pages that come from code
	$(BIN)/python -m metrics.report.document
	$(BIN)/python -m tokenburn_site.schema_files
	$(BIN)/python -m tokenburn_site.chatbots_page
	$(BIN)/python -m supply_chain.licences

lock: setup-dev ## pin requirements*.in again with as few changes as possible (UPGRADE=--upgrade)
	$(LOCK) $(UPGRADE) requirements.in -o requirements.txt
	$(LOCK) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	$(LOCK) $(UPGRADE) requirements-bench.in -o requirements-bench.txt
	$(LOCK) $(UPGRADE) requirements-peers.in -o requirements-peers.txt

sbom: setup-dev ## write the bill of materials, CycloneDX JSON, to var/ (ARGS="--output FILE")
	@$(BIN)/python -m supply_chain.sbom $(ARGS)

advisories: setup ## compare pinned packages with known advisories, offline (ARGS="--update PATH")
	@$(BIN)/python -m supply_chain.advisories $(ARGS)

bench: setup-dev setup-bench ## measure cost and fidelity, also of other tools
	BENCH_VENV=$(abspath $(VENV)-bench) $(BIN)/python -m tests.bench $(ARGS)

chaos: setup-dev ## run loads with faults and check that all counts agree (ARGS="--runs 300 --seed 1")
	$(BIN)/python -m tests.chaos $(ARGS)

mutate: setup-dev ## change 200 lines one by one: do the tests notice? takes hours (ARGS="--count 20 --seed 1")
	$(BIN)/python -m tests.mutate $(ARGS)

fuzz: setup-dev ## give the product 100,000 inputs that nobody meant; takes an hour (ARGS="--inputs 5000 --seed 2")
	$(BIN)/python -m tests.fuzz $(ARGS)

schema-test: setup-dev ## test the API against its schema, 5 minutes for each role (SECONDS=60)
	@TOKENBURN_SCHEMA_SECONDS=$(or $(SECONDS),300) $(BIN)/python -m pytest -q -s -p no:logging --timeout=0 \
		tests/integration/web/api/test_schema.py $(PYTEST_ARGS)

clean: ## remove environments and caches; keep your data in var/
	rm -rf $(VENV) $(VENV)-bench $(VENV)-peers tests/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each runs once, and again when its requirements change.
$(VENV)/.runtime: requirements.txt
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.11 or newer with venv found: install python3.11-venv, or give PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -c '$(USABLE)' || { echo "make: $(PYTHON) cannot be used: Python 3.11 or newer with venv is needed" >&2; exit 2; }
	@echo "Installing Token-Burn's requirements into $(VENV) ..."
	@$(BIN)/python -c '$(USABLE)' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@echo "Installing tools and tests ..."
	@$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@

setup-peers: $(VENV)-peers/.ready tests/peers/node_modules/.ready

setup-bench: $(VENV)-bench/.ready

$(VENV)-bench/.ready: requirements-bench.txt
	@echo "Installing the tools to compare with into $(VENV)-bench ..."
	@"$(PYTHON)" -m venv --clear $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip --disable-pip-version-check --no-input -q install --require-hashes -r requirements-bench.txt
	@touch $@

$(VENV)-peers/.ready: requirements-peers.txt
	@echo "Installing the servers that the tests drive into $(VENV)-peers ..."
	@"$(PYTHON)" -m venv --clear $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip --disable-pip-version-check --no-input -q install --require-hashes -r requirements-peers.txt
	@touch $@

tests/peers/node_modules/.ready: tests/peers/package-lock.json $(VENV)-peers/.ready $(VENV)/.dev
	@echo "Installing the npm packages that the tests speak to ..."
	@PEERS_VENV=$(abspath $(VENV)-peers) $(BIN)/python -m tests.peers.node >/dev/null
	@touch $@
