# Each target sets up what it needs on a fresh machine. Works with GNU Make 3.81 (macOS) and later.
#   make check PYTHON=python3.12 VENV=.venv312    another interpreter, another environment

PYTHON ?= python3
VENV ?= .venv

# Test processes: one a core, at most four, each of which computes with one thread.
WORKERS ?= logical

BIN = $(VENV)/bin
STAMP = $(VENV)/.stamp
QUICK_TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" \
	--numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal
# The cemetery that the demo keeps for testing: training never sees it.
HELD_OUT = sample_04
# Runs in demo/, so that the data, the runs and the prediction all stay below it.
IN_DEMO = PATH="$$(cd '$(BIN)' && pwd):$$PATH" && cd demo &&

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | sort | \
		while IFS='	' read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: $(STAMP) ## install gravecli and its tools into .venv

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP) demo/.sample-data ## train on sample cemeteries (4 min) and map one it has not seen
	$(IN_DEMO) gravecli train --data data --channels rgb+dem --max-time 4m --name demo \
		--set 'data.test=["$(HELD_OUT)"]'
	$(IN_DEMO) gravecli predict-cemetery data/orthophotos/$(HELD_OUT).tif \
		--out prediction.gpkg --preview prediction.png \
		--truth data/annotations/$(HELD_OUT).gpkg
	@echo "Graves:   demo/prediction.gpkg   (open it in QGIS)"
	@echo "Overview: demo/prediction.png"
	@echo "Runs:     demo/runs"

demo/.sample-data: | $(STAMP)
	mkdir -p demo
	$(IN_DEMO) gravecli sample-data data --cemeteries 4 --seed 0
	@touch $@

test: $(STAMP) ## run the quick tests
	$(QUICK_TESTS)

test-slow: $(STAMP) ## run the slow tests
	$(BIN)/python -m pytest -m slow

check: $(STAMP) ## format, lint, types and quick tests: what a change has to pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(QUICK_TESTS)

bench: $(STAMP) ## run every benchmark in benchmarks/
	@set -e; for file in benchmarks/*.py; do \
		test -e "$$file" || { echo "benchmarks/ holds no benchmark"; continue; }; \
		echo "== $$file"; $(BIN)/python "$$file"; \
	done

lock: ## renew constraints.txt from a fresh environment with the newest releases
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --disable-pip-version-check -e ".[dev]"
	sed -n '/^#/p' constraints.txt > build/constraints.txt
	build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip >> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

clean: ## remove the environment, caches, builds and the demo
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find grave_cli tests -name __pycache__ -type d -prune -exec rm -rf {} +
