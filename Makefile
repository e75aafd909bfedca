# Works in a fresh clone on a machine that has Python 3.11 or later and nothing else.
#   make demo     set up, build two examples, show their tying, train them on real data
#   make test     set up, run every test
#   make fast     the tests that take seconds
#   make check    lint, format, types, architecture
#   make test-oldest-triton   the tests of the kernels with the oldest Triton they support
PYTHON ?= python3
JOBS ?= 2
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
BUILT := build/packages

OLDEST := .venv-triton36

# Triton reads TRITON_INTERPRET once, when it is imported: its interpreter and its compiler need a
# process each. tests/conftest.py leaves out, in either, the tests that belong to the other.
COMPILED := env -u TRITON_INTERPRET
INTERPRETED := env TRITON_INTERPRET=1
# A choice of tests in ARGS may leave nothing for one of the two processes; pytest then says 5.
MAYBE_NONE = $(if $(ARGS),|| test $$? -eq 5)

.PHONY: demo test fast check format clean test-oldest-triton

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
	$(BIN)/eqcompile inspect examples/lattice_boltzmann/spec.yaml --layer Collision --degree 1
	$(BIN)/eqcompile build examples/digits/spec.yaml examples/lattice_boltzmann/spec.yaml -o $(BUILT)
	$(BIN)/python examples/lattice_boltzmann/train.py --packages $(BUILT)
	$(BIN)/python examples/digits/train.py --packages $(BUILT)

test: $(VENV)/installed-test
	$(COMPILED) $(BIN)/python -m pytest -n $(JOBS) $(ARGS) $(MAYBE_NONE)
	$(INTERPRETED) $(BIN)/python -m pytest -n $(JOBS) -m interpreter $(ARGS) $(MAYBE_NONE)

fast: $(VENV)/installed-test
	$(COMPILED) $(BIN)/python -m pytest -n $(JOBS) -m "not slow" $(ARGS) $(MAYBE_NONE)
	$(INTERPRETED) $(BIN)/python -m pytest -n $(JOBS) -m "interpreter and not slow" $(ARGS) $(MAYBE_NONE)

$(OLDEST)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(OLDEST)
	sed 's/^triton==.*/triton==3.6.0/; s/^numpy==.*/numpy==2.3.5/' constraints.txt > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OLDEST)/constraints.txt -e '.[test]'
	touch $@

# Its interpreter turns arrays of one number into numbers, of which NumPy 2.3 warns, and which
# NumPy 2.4 refuses.
test-oldest-triton: $(OLDEST)/installed
	$(COMPILED) $(OLDEST)/bin/python -m pytest -n $(JOBS) -m offline tests/kernels $(ARGS) $(MAYBE_NONE)
	$(INTERPRETED) $(OLDEST)/bin/python -m pytest -n $(JOBS) -m interpreter \
		-W "ignore:Conversion of an array with ndim:DeprecationWarning" tests/kernels $(ARGS) $(MAYBE_NONE)

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
