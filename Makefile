# Everything needs python3, pip, make and git; the rest is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := binder/constraints.txt
TIMELINE := casesnb/view/timeline
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

.PHONY: help demo lab test lint timeline timeline-check timeline-modules slow long engines browser spark spark-nightly awscli pm4py lowest newest bench drill \
  nightly mutants binder notebooks pictures readme clean

help:  ## show what there is to do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras: the project is installed again when its needs change.
$(VENV)/.demo: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing casesnb into $(VENV) ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.test: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing casesnb and its test tools into $(VENV) ..."
	@$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.lab: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing casesnb and JupyterLab into $(VENV) ..."
	@$(INSTALL) -e '.[lab]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo  ## the main job on the sandbox: no AWS account, no credentials
	@$(BIN)/casesnb demo

lab: $(VENV)/.lab  ## open JupyterLab on the notebooks, everything answered offline
	$(BIN)/jupyter lab --notebook-dir notebooks

test: $(VENV)/.test  ## every test, the notebooks included
	$(BIN)/pytest -n 2 --dist loadscope

slow: $(VENV)/.test  ## the tests of many seeds
	$(BIN)/pytest tests -m "slow and not spark and not nightly" -n 2

long: $(VENV)/.test  ## the tests that take a good many seconds each
	$(BIN)/pytest tests -m "long and not slow" -n 2

engines: $(VENV)/.test  ## every question on every engine and in each session time zone
	$(BIN)/pytest tests/test_engines.py -m "slow and not spark and not nightly" -n 2

# npm is needed only to change the timeline's script, and for the browser tests' axe-core.
$(TIMELINE)/node_modules/.package-lock.json: $(TIMELINE)/package-lock.json
	npm ci --prefix $(TIMELINE) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

timeline-modules: $(TIMELINE)/node_modules/.package-lock.json

timeline: $(TIMELINE)/node_modules/.package-lock.json  ## bundle the timeline's script again
	node $(TIMELINE)/build.mjs

timeline-check: $(TIMELINE)/node_modules/.package-lock.json  ## is the committed script what its sources give?
	node $(TIMELINE)/build.mjs $(CURDIR)/$(TIMELINE)/node_modules/timeline.js
	cmp $(TIMELINE)/node_modules/timeline.js $(TIMELINE)/timeline.js

browser: $(VENV)/.test  ## explorer and timeline in a real Chromium, which must be installed
	@$(MAKE) --no-print-directory timeline-modules || echo "No npm: axe-core is left out."
	$(BIN)/pytest tests -m browser

$(VENV)/.spark: $(VENV)/.test
	@$(INSTALL) -e '.[spark]'
	@touch $@

spark: $(VENV)/.spark  ## the analysis on a Spark master and two workers (Java 17)
	$(BIN)/pytest tests -m "spark and not nightly"

spark-nightly: $(VENV)/.spark  ## the same on 200 worlds at once
	$(BIN)/pytest tests -m "spark and nightly"

drill: $(VENV)/.test  ## attacks and faults by the thousand, in five minutes, as a table
	$(BIN)/python tests/drill.py

bench: $(VENV)/.test  ## the speed ratios, each measured in one run
	$(BIN)/pytest tests/benchmarks -m bench -s

nightly: $(VENV)/.test  ## ten thousand fuzzed pages, 200 worlds on every engine, a thousand simulated comparisons
	$(BIN)/pytest tests -m "nightly and not spark" -n 2

# The AWS CLI wants a docutils of its own; pm4py is AGPL, so it stays out of ours.
$(VENV)-awscli/bin/aws:
	$(PYTHON) -m venv $(VENV)-awscli
	$(VENV)-awscli/bin/python -m pip install --quiet --disable-pip-version-check awscli

awscli: $(VENV)/.test $(VENV)-awscli/bin/aws  ## the AWS CLI against the simulated service
	CASESNB_AWS=$(CURDIR)/$(VENV)-awscli/bin/aws $(BIN)/pytest tests -m awscli

$(VENV)-pm4py/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)-pm4py
	$(VENV)-pm4py/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' pm4py
	@touch $@

pm4py: $(VENV)-pm4py/.done  ## pm4py reads what we write and counts as we count
	$(VENV)-pm4py/bin/pytest tests -m pm4py

# Each dependency at the lower bound that pyproject claims, and at its newest release:
# botocore's model of Cases among them. Notebooks show the pinned versions' outputs.
$(VENV)-lowest/.done: pyproject.toml tests/lowest_bounds.py $(VENV)/.test
	$(PYTHON) -m venv $(VENV)-lowest
	$(BIN)/python tests/lowest_bounds.py > $(VENV)-lowest/constraints.txt
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c $(VENV)-lowest/constraints.txt -e '.[test]'
	@touch $@

lowest: $(VENV)-lowest/.done  ## every test but the notebooks with the oldest that we claim
	$(VENV)-lowest/bin/pytest tests casesnb -n 2 --dist loadscope --deselect tests/test_notebooks.py

newest:  ## every test but the notebooks with the newest of everything
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager -e '.[test]'
	$(VENV)-newest/bin/python -c 'import botocore; print("botocore", botocore.__version__)'
	$(VENV)-newest/bin/pytest tests casesnb -n 2 --dist loadscope --deselect tests/test_notebooks.py

$(VENV)-mutants/.done: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)-mutants
	$(VENV)-mutants/bin/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[test]' cosmic-ray
	@touch $@

mutants: $(VENV)-mutants/.done  ## the code changed in one place at a time: do the tests notice?
	$(VENV)-mutants/bin/python tests/mutants.py

binder:  ## what Binder does, without its image
	rm -rf .binder-venv && $(PYTHON) -m venv .binder-venv
	.binder-venv/bin/python -m pip install --quiet --disable-pip-version-check -r binder/requirements.txt
	PATH="$(CURDIR)/.binder-venv/bin:$$PATH" binder/postBuild
	PATH="$(CURDIR)/.binder-venv/bin:$$PATH" binder/start jupyter lab --version
	rm -rf .binder-venv

lint: $(VENV)/.test  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(VENV)/.test  ## record and execute the notebooks again
	$(BIN)/python tests/refresh_notebooks.py

pictures: $(VENV)/.demo  ## draw the README's pictures again
	$(BIN)/casesnb demo --seed 7 --out notebooks/pictures >/dev/null

readme: $(VENV)/.test  ## write the README's column tables again
	$(BIN)/python tests/refresh_readme.py

clean:  ## remove what the targets made
	rm -rf $(VENV) $(VENV)-awscli $(VENV)-pm4py $(VENV)-lowest $(VENV)-newest $(VENV)-mutants demo artifacts \
	  $(TIMELINE)/node_modules .pytest_cache .mypy_cache .ruff_cache
