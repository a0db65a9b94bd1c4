# Each target sets up what it needs: a virtual environment in .venv with everything from PyPI.
# The machine must have Python 3.11 or newer, g++, make and perl; `.venv/bin/dyad doctor` says what is missing.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test proofs lint install clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     the whole story on real data: accuracy, cycles, energy, and one layer checked on the RTL"
	@echo "make test     the tests, in minutes"
	@echo "make proofs   the formal proofs, those that take minutes too"
	@echo "make lint     ruff and mypy"
	@echo "make install  only the virtual environment, .venv; PYTHON=... chooses the interpreter"
	@echo "make clean    remove what was built, except .venv"

demo: .venv/installed
	@$(BIN)/dyad demo

test: .venv/installed
	@$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

proofs: .venv/installed
	@$(BIN)/pytest -n 2 --dist worksteal -m formal

lint: .venv/installed build/lint/dyad
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

install: .venv/installed

# The stamp spares a second installation until the dependencies change.
.venv/installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "dyad needs Python 3.11 or newer: $(PYTHON) is not on PATH" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
		"dyad needs Python 3.11 or newer: $(PYTHON) is %d.%d; try make PYTHON=python3.11" % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing dyad and what it needs into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,synthesis,formal,boards]'
	@touch $@

# mypy takes the package's name from its folder, which may have any name here.
build/lint/dyad:
	@mkdir -p $(@D)
	@ln -sfn ../.. $@

clean:
	rm -rf build dyad.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
