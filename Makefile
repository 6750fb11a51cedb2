# Every command of the project; `make help` lists them.
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run demo rehearsal test test-browser screenshots dashboard widget isolation chaos bench bench-turn bench-cold-start \
	bench-ingestion bench-ingestion-scale bench-index bench-load bench-costs bench-widget bench-push eval infra-check infra-faults lint \
	format types lock \
	setup setup-dev setup-test clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

run: setup ## Start the agent with the sample company's documents on http://localhost:7071/ (PORT overrides)
	@exec $(PY) -m local

demo: setup ## Play the whole story without a person, on a free port and a fresh data folder
	@exec $(PY) -m local.demo

test: setup-test ## Run all tests, with coverage
	@rm -f .coverage .coverage.*
	@$(PY) -m pytest --numprocesses auto --dist loadfile --cov --cov-report term:skip-covered $(ARGS)

rehearsal: setup-test ## Play it on all Azure adapters, and kill everything in turn under load (ARGS="--kills 20 --seed 1")
	@$(PY) -m local.rehearsal $(ARGS)

test-browser: setup-test ## Run the widget's tests in the system's Chromium
	@$(PY) -m pytest tests/browser

screenshots: setup-test ## Take the pictures of the documentation anew
	@SCREENSHOTS=1 $(PY) -m pytest tests/browser/test_screenshots.py

dashboard: setup-test ## Draw the dashboard from minutes of traffic, measured by Prometheus (needs Debian's prometheus)
	@$(PY) -m local.monitored $(ARGS)

widget: setup-dev ## Build the web widget from widget/ (needs Node) and print the tags that embed it
	@npm --prefix widget ci --ignore-scripts --no-audit --no-fund --silent
	@npm --prefix widget run --silent check
	@npm --prefix widget run --silent build
	@$(PY) -m tools.widget_tag --write docs/widget.md

eval: setup-dev ## Measure answers and retrieval (DATA=FOLDER of sets; default: small ones of our own), with gates
	@$(PY) -m evaluation $(DATA) $(ARGS)

bench: setup-test ## Run all benchmarks (ARGS="--write" for the documentation, ARGS="turn cold_start" for some)
	@$(PY) -m benchmarks $(ARGS)

bench-turn: setup-dev ## Measure a turn beside its parts and beside a LangGraph app (ARGS for options)
	@$(PY) -m benchmarks.turn $(ARGS)

bench-cold-start: setup-test ## Measure the way from a process's start to its first answer
	@$(PY) -m benchmarks.cold_start $(ARGS)

bench-widget: setup-test ## Measure what the widget costs a page
	@$(PY) -m benchmarks.widget_load $(ARGS)

bench-ingestion: setup-dev ## Measure ingestion beside a LangChain pipeline (DATA=FOLDER for a corpus, ARGS for options)
	@$(PY) -m benchmarks.ingestion $(if $(DATA),--data $(DATA)) $(ARGS)

bench-push: setup-dev ## Hold 1,000 connections to the laptop's hub and push 50 messages a second (ARGS for options)
	@$(PY) -m benchmarks.push $(ARGS)

bench-ingestion-scale: setup-dev ## Measure the ingestion of 10,000 documents in one go: memory, time, a kill (about ten minutes)
	@$(PY) -m benchmarks.ingestion_scale $(if $(DATA),--data $(DATA)) $(ARGS)

bench-load: setup-test ## Measure saturation, a soak, overload and a second instance (ARGS="--soak 900" for the full soak)
	@$(PY) -m benchmarks.load $(ARGS)

bench-costs: setup-test ## Play conversations, count what they take, and compute docs/costs.md from it
	@$(PY) -m benchmarks.costs --measure $(ARGS)

bench-index: setup-dev ## Measure the search index at 1,000 to 100,000 chunks (ARGS="--sizes …")
	@$(PY) -m benchmarks.index_scale $(ARGS)

chaos: setup-test ## Play 1,000 conversations in which everything fails, and print the figures
	@CHAOS_CONVERSATIONS=1000 $(PY) -m pytest -s tests/integration/test_escalation_chaos.py

isolation: setup-test ## Try for long to see what is another customer's
	@ISOLATION_STORIES=200 ISOLATION_STEPS=60 $(PY) -m pytest tests/integration/test_isolation.py

infra-check: setup-test .venv-checks/done ## Check infrastructure, workflows and containers (BICEP_CHECK=FILE for a checker of Azure's types)
	@INFRA_CHECK=1 PATH="$(CURDIR)/.venv-checks/bin:$$PATH" $(PY) -m pytest tests/infra

infra-faults: setup-test .venv-checks/done ## Make some hundred faults, one after the other, and tell which these checks catch (ARGS="alerts" for some)
	@INFRA_CHECK=1 PATH="$(CURDIR)/.venv-checks/bin:$$PATH" $(PY) -m tests.infra.faults $(ARGS)

.venv-checks/done: requirements-infra.txt
	@.venv/bin/python -m venv --clear .venv-checks
	@.venv/bin/uv pip install --quiet --python .venv-checks/bin/python --requirement requirements-infra.txt
	@touch $@

lint: setup-dev ## Check style
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: setup-dev ## Format the code
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

types: setup-dev ## Check types
	@$(PY) -m pyright

lock: setup-dev ## Pin every version anew from pyproject.toml
	@.venv/bin/uv pip compile --quiet --universal --no-emit-index-url --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	@.venv/bin/uv pip compile --quiet --universal --no-emit-index-url --custom-compile-command "make lock" --group dev -c requirements.txt -o requirements-dev.txt
	@.venv/bin/uv pip compile --quiet --python-version 3.13 --no-emit-index-url --custom-compile-command "make lock" --group infra -o requirements-infra.txt

setup:
	@tools/setup.sh

setup-dev:
	@tools/setup.sh dev

setup-test:
	@tools/setup.sh test

clean: ## Remove what was made here: environment, data, caches
	rm -rf widget/node_modules emulators/azurite/node_modules .venv .data .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov \
		.benchmarks .venv-checks .prometheus tests/infra/kql/node_modules
