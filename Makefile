# make demo    the whole workflow on this machine, from structures to a report, in some minutes
# make setup   the environment, in .venv (the others set up what is missing)
# make test    the tests, in three processes, as those on a cluster mostly wait
# make lint    ruff, mypy, snakefmt, snakemake --lint
# make clean   removes .venv

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo setup test lint clean

setup: $(READY)

$(READY): requirements.txt requirements-dev.txt requirements-lightshow.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "xanesflow needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1): make setup PYTHON=python3.11"; exit 1; }
	@echo "Setting up $(VENV): about 200 packages, a few minutes the first time ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-lightshow.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
	@echo "Ready: $(BIN)/snakemake"

demo: $(READY)
	@$(BIN)/python -m xanesflow demo

test: $(READY)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 15

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

clean:
	rm -rf $(VENV)
