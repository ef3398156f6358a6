# vpin: `make help` lists the targets. `make run` works for any user; `make test` installs what is missing, as root.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup run suite test lint format types unit parts integration conformance conformance-expected mails bench check-compose kills fuzz soak lock clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything that development needs into .venv, from the hashed requirements.txt

$(STAMP): requirements.txt pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
	@scripts/setup.sh $(PYTHON) $(VENV)
	@touch $@

run: $(STAMP) ## run everything in one process, without a broker or a database server
	@exec $(BIN)/vpin run

suite: $(STAMP) ## run five services with their own RabbitMQ, PostgreSQL and HAProxy (SUITE="--state 2 --gateway-hw 2")
	@PYTHONPATH=tests exec $(BIN)/python -m infra.suite $(SUITE)

test: lint types parts unit integration conformance-expected ## all checks and tests (what CI runs)

lint: $(STAMP) ## ruff (rules and format) and the rules of who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## let ruff mend and format what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(STAMP) ## pyright: strict in libs, standard elsewhere
	$(BIN)/pyright

unit: $(STAMP) ## tests that need nothing but Python, in seconds
	$(BIN)/pytest -q -m "not integration"

parts: $(STAMP) ## install what the integration tests need and this machine lacks (as root)
	@PYTHONPATH=tests $(BIN)/python -m infra.packages

integration: $(STAMP) parts ## tests with a real RabbitMQ and PostgreSQL, and with servers as processes
	$(BIN)/pytest -q -m integration

conformance: $(STAMP) parts ## all shared conformance tests in both runs, compared with tests/conformance.expected
	$(BIN)/python tests/run_conformance.py

conformance-expected: $(STAMP) parts # only the cases that are expected to pass
	$(BIN)/python tests/run_conformance.py --expected-only

mails: $(STAMP) parts ## pictures of all mails in build/mails, to look at
	PYTHONPATH=tests $(BIN)/python -m mails.sheet build/mails

bench: $(STAMP) parts ## measure the embedded run and the five services (minutes, on an idle machine)
	$(BIN)/python scripts/bench.py

check-compose: $(STAMP) ## bring compose.yaml up for real, with a private Docker engine, and test it
	PYTHONPATH=scripts $(BIN)/python -m check_compose

lock: ## write requirements.txt anew from the pyproject files
	@scripts/lock.sh

clean: ## remove what the targets above made (never a data folder)
	rm -rf $(VENV) tests/boards/node_modules .hypothesis .ruff_cache .pytest_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

soak: $(STAMP) ## 500 boards with broken networks for 5 minutes against five processes (MINUTES=5)
	PYTHONPATH=tests $(BIN)/python -m simulate --minutes $(or $(MINUTES),5)

kills: $(STAMP) ## kill every process COUNT=50 times at random moments: what was answered with 200 stays (a short form is among the tests)
	VPIN_KILLS=$(or $(COUNT),50) $(BIN)/pytest -q tests/faults/test_kills.py

fuzz: $(STAMP) ## attack a server with generated frames and garbage (COUNT=10000000 RUN=embedded; a short form is among the tests)
	PYTHONPATH=tests $(BIN)/python -m fuzz --count $(or $(COUNT),10000000) --run $(or $(RUN),embedded)
