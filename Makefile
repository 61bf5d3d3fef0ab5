# Every target works on a fresh machine: it installs its requirements first. Needs GNU Make 3.81 (macOS) or later.
#   make check PYTHON=python3.12 VENV=.venv312    use another interpreter and environment

PYTHON ?= python3
VENV ?= .venv

# Test processes: one a core, at most four, each of which computes with one thread.
WORKERS ?= logical

BIN = $(VENV)/bin
STAMP = $(VENV)/.stamp
QUICK_TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" \
	--numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal
BENCHMARKS = startup predict polygons register memory train tracking hpo
# Held out by the demo: training never sees this cemetery.
HELD_OUT = sample_04
# Run in demo/, which then holds the data, the runs and the prediction.
IN_DEMO = PATH="$$(cd '$(BIN)' && pwd):$$PATH" && cd demo &&

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check docs bench lock dist sbom clean

help: ## list all targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | sort | \
		while IFS='	' read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: $(STAMP) ## install gravecli and its tools into .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" || \
		{ echo "gravecli needs Python 3.11 to 3.13; name one: make PYTHON=python3.13 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP) demo/.sample-data ## map a sample cemetery with the starter model, train 2 min on others, map it again
	@echo "1. The starter model, without any training:"
	$(IN_DEMO) gravecli predict-cemetery data/orthophotos/$(HELD_OUT).tif --model starter \
		--overwrite --out starter.gpkg --preview starter.png --truth data/annotations/$(HELD_OUT).gpkg
	@echo "2. Two minutes of training on the other sample cemeteries, from the starter model:"
	$(IN_DEMO) gravecli train --data data --channels rgb+dem --max-time 2m --name demo \
		--set 'data.test=["$(HELD_OUT)"]'
	$(IN_DEMO) gravecli predict-cemetery data/orthophotos/$(HELD_OUT).tif --model demo \
		--overwrite --out prediction.gpkg --preview prediction.png --truth data/annotations/$(HELD_OUT).gpkg
	@echo "Graves:   demo/prediction.gpkg   (open it in QGIS), before training demo/starter.gpkg"
	@echo "Overview: demo/prediction.png, before training demo/starter.png"
	@echo "Runs:     demo/runs"
	@echo "Generated cemeteries are what the starter model knows: on others it finds fewer graves."

demo/.sample-data: | $(STAMP)
	mkdir -p demo
	$(IN_DEMO) gravecli sample-data data --cemeteries 4 --seed 0
	@touch $@

test: $(STAMP) ## run the quick tests (COVERAGE=1 also prints the line coverage)
	$(QUICK_TESTS) $(if $(COVERAGE),--cov --cov-report=)
	@$(if $(COVERAGE),printf 'line coverage: %s %%\n' "$$($(BIN)/coverage report --format=total)",:)

test-slow: $(STAMP) ## run the slow tests
	$(BIN)/python -m pytest -m slow

check: $(STAMP) ## check format, lint, types and quick tests; every change must pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(QUICK_TESTS)

docs: $(STAMP) ## build the documentation site into build/site; broken links fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(STAMP) ## run the benchmarks of speed and memory; those of accuracy train for hours
	@set -e; for name in $(BENCHMARKS); do \
		echo "== benchmarks/$$name.py"; $(BIN)/python "benchmarks/$$name.py"; \
	done

lock: ## renew constraints.txt with the newest releases
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --disable-pip-version-check -e ".[dev]"
	sed -n '/^#/p' constraints.txt > build/constraints.txt
	build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip >> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

# Tools of a release, in an environment of their own: gravecli does not need them.
TOOLS = build/tools/bin/python
build/tools/.stamp:
	rm -rf build/tools
	$(PYTHON) -m venv build/tools
	$(TOOLS) -m pip install --disable-pip-version-check "build>=1.2" "twine>=6" "cyclonedx-bom>=7"
	@touch $@

dist: build/tools/.stamp ## build wheel and source distribution into dist/, and check what the index would refuse
	rm -rf dist
	$(TOOLS) -m build
	$(TOOLS) -m twine check --strict dist/*

sbom: build/tools/.stamp ## write dist/sbom.json: all packages that gravecli needs, with their licences (CycloneDX)
	rm -rf build/sbom
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/python -m pip install --disable-pip-version-check -c constraints.txt .
	mkdir -p dist
	build/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json build/sbom/bin/python
	rm -rf build/sbom

clean: ## delete the environment, caches, builds and the demo
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* *.egg-info
	find grave_cli tests -name __pycache__ -type d -prune -exec rm -rf {} +
