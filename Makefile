# Every target sets up what it needs: a virtual environment in .venv with pinned packages.
# Choose the interpreter with `make PYTHON=python3.12 …`. To use a particular PyTorch build (the
# small CPU one, say), run `make venv` and install it into .venv before anything else; see README.md.
PYTHON ?= python3
BIN := .venv/bin
BASE := .venv-base

.PHONY: venv setup demo test test-base lint bench artifacts clean

venv: .venv/pyvenv.cfg

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e '.[train]'
	touch $@

setup: .venv/.installed

demo: setup
	$(BIN)/lstm-export demo --out demo --force

test: setup test-base
	$(BIN)/python -m pytest -n auto --dist worksteal

# A plain `pip install .` with the oldest packages it allows: no torch, no onnx, no table library.
$(BASE)/.installed: pyproject.toml constraints-lowest.txt $(shell find lstm_export -name '*.py')
	test -x $(BASE)/bin/python || $(PYTHON) -m venv $(BASE)
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt pytest
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt --force-reinstall --no-deps .
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt .
	touch $@

test-base: $(BASE)/.installed
	cd tests && ../$(BASE)/bin/python -m pytest -c ../pyproject.toml --rootdir .. base

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# benchmarks/exporters.py writes docs/exporters.md and takes a quarter of an hour: it is run alone.
bench: setup
	for script in $(filter-out benchmarks/exporters.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

artifacts: setup
	$(BIN)/python artifacts/rebuild.py

clean:
	rm -rf .venv $(BASE) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
