# Needs make and Python 3.11 or newer; everything else is installed into .venv on first use.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TESTS ?=
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test baselines chaos serve check lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

setup: $(STAMP) ## Make .venv with everything that is needed

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "gym-llm needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing). Try: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## A landing, live: starts the service, plays a run, fetches its GIF (BACKEND=, MODEL=, MAX_STEPS=, MAX_TOKENS=)
	@$(BIN)/python examples/demo.py

test: $(STAMP) ## Run the tests (TESTS="-k stream" for some of them)
	@$(BIN)/python -m pytest $(TESTS)

baselines: $(STAMP) ## Install Stable-Baselines3 too, to train and play policies (several GB)
	@# Not with pip: it stumbles over the extras of CUDA's packages.
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-sb3.lock

chaos: $(STAMP) ## Kill, stop and cut off the parts of a deployment while it plays; prints what came of it (10 minutes)
	@GYM_LLM_CHAOS=long $(BIN)/python -m pytest tests/chaos

serve: $(STAMP) ## Start the service on port 8000
	@$(BIN)/gym-llm serve

check: $(STAMP) ## Lint, formatting, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples/demo.py examples/custom_loop.py
	$(BIN)/lint-imports

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --no-annotate --quiet

# All but sb3, which brings several GB of PyTorch and CUDA.
EXTRAS := $(addprefix --extra ,minari minigrid parquet s3)

lock: $(STAMP) ## Write the lock files anew, with the newest releases: for development, for running, for building
	$(COMPILE) --upgrade pyproject.toml $(EXTRAS) --group dev --output-file requirements-dev.lock
	cp requirements-dev.lock requirements.lock && cp requirements-dev.lock requirements-build.lock
	$(COMPILE) pyproject.toml $(EXTRAS) --constraint requirements-dev.lock --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra sb3 --constraint requirements-dev.lock --output-file requirements-sb3.lock
	$(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements-build.lock
	@! grep -nE '://|file:' requirements*.lock || { echo "a lock file holds an address" >&2; exit 1; }

clean: ## Delete what was built, demo output and caches, .venv included
	rm -rf .venv demo-output build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
