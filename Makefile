# Works in a fresh clone on a machine that has Python 3.11 or later and nothing else.
#   make demo     set up, build two examples, show their tying, train them on real data
#   make test     set up, run every test
#   make fast     the tests that take seconds
#   make check    lint, format, types, architecture
PYTHON ?= python3
JOBS ?= 2
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
BUILT := build/packages

.PHONY: demo test fast check format clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eqcompile needs Python 3.11 or later, for instance: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# One stamp per extra of pyproject.toml, so that a second run installs nothing.
$(VENV)/installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $@

demo: $(VENV)/installed-examples
	$(BIN)/eqcompile solve examples/digits/spec.yaml
	$(BIN)/eqcompile solve examples/lattice_boltzmann/spec.yaml
	$(BIN)/eqcompile inspect examples/lattice_boltzmann/spec.yaml --degree 1
	$(BIN)/eqcompile build examples/digits/spec.yaml examples/lattice_boltzmann/spec.yaml -o $(BUILT)
	$(BIN)/python examples/lattice_boltzmann/train.py --packages $(BUILT)
	$(BIN)/python examples/digits/train.py --packages $(BUILT)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

fast: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" $(ARGS)

check: $(VENV)/installed-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(VENV)/installed-check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist
