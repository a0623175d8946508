# make demo           runs the whole workflow on this machine, from structures to a report, in some minutes
# make setup          installs the pinned packages into .venv (the other targets do so too if it is missing); Python
#                     compiles a module when it is first imported, as compiling all 23,000 takes a minute
# make test           runs the tests in four processes, because tests of the cluster mostly wait
# make lint           runs ruff, mypy, snakefmt and snakemake --lint
# make check-install  installs and runs xanesflow without a checkout, in an empty environment: pip install, xanesflow
#                     init, snakemake; downloads the newest releases of about 200 packages, CUDA included (for torch)
# make clean          removes .venv

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Jobs and tests start Python hundreds of times. Where it may not keep what it has compiled, as in many containers, every
# start compiles all that it imports anew (1.9 instead of 0.6 s for the embedded engine), so this setting is dropped.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo setup test lint check-install clean

setup: $(READY)

$(READY): requirements.txt requirements-dev.txt requirements-lightshow.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "xanesflow needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1): make setup PYTHON=python3.11"; exit 1; }
	@echo "Setting up $(VENV): about 200 packages, a few minutes the first time ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-lightshow.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
	@echo "Ready: $(BIN)/snakemake"

demo: $(READY)
	@$(BIN)/python -m xanesflow demo

test: $(READY)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --durations 15

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# Works outside of the checkout, so that Python cannot import from it by chance.
check-install:
	@set -eu; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	echo "In $$folder, an empty environment:"; \
	set -x; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$(CURDIR)"; \
	"$$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r requirements-lightshow.txt; \
	cd "$$folder"; PATH="$$folder/venv/bin:$$PATH"; \
	xanesflow --help >help.txt; \
	python -c 'from xanesflow.codes.lightshow_bridge import import_lightshow as find; print(find("parameters.feff"))'; \
	xanesflow init campaign; cd campaign; \
	snakemake --dry-run >plan.txt; sed -n '/^Job stats/,/^total/p;/^total/q' plan.txt; \
	snakemake structures; \
	ls results/structures; \
	{ set +x; } 2>/dev/null; echo "The installed package plans the campaign and runs its first stage."

clean:
	rm -rf $(VENV)
