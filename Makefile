# Every target sets up what it needs: a virtual environment in .venv with pinned packages.
# Choose the interpreter with `make PYTHON=python3.12 …`. To use a particular PyTorch build (the
# small CPU one, say), run `make venv` and install it into .venv before anything else; see README.md.
PYTHON ?= python3
BIN := .venv/bin
BASE := .venv-base
RUNTIMES := .venv-runtimes
NODE := tests/runtimes

.PHONY: venv setup demo test test-base test-slow test-runtimes system docs-matrix docs-tutorial results lint bench artifacts clean

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
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --ignore tests/runtimes

# What takes long and rarely breaks: benchmarks of quality and memory, fifty exports in a row, torch's
# own exporters. A plain `pytest` runs these as well.
test-slow: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow --ignore tests/runtimes

# A plain `pip install .` with the oldest packages it allows: no torch, no onnx, no table library.
$(BASE)/.installed: pyproject.toml constraints-lowest.txt $(shell find lstm_export -name '*.py')
	test -x $(BASE)/bin/python || $(PYTHON) -m venv $(BASE)
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt pytest
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt --force-reinstall --no-deps .
	$(BASE)/bin/python -m pip install --quiet -c constraints-lowest.txt .
	touch $@

test-base: $(BASE)/.installed
	cd tests && ../$(BASE)/bin/python -m pytest -c ../pyproject.toml --rootdir .. base

# Every runtime that a bundle is verified in; that one is missing is a failure here. The packages of
# Python go into environments of their own, those of npm into tests/runtimes.
test-runtimes: setup system $(RUNTIMES)/.installed $(RUNTIMES)-onnxruntime-openvino/.installed $(NODE)/node_modules/.package-lock.json
	LSTM_EXPORT_RUNTIMES=all $(BIN)/python -m pytest -n auto --dist worksteal tests/runtimes

# Runs every runtime on every bundle and on small graphs that show what goes wrong, and writes the
# tables of docs/runtimes.md and what `lstm-export doctor` knows.
docs-matrix: setup system $(RUNTIMES)/.installed $(RUNTIMES)-onnxruntime-openvino/.installed $(NODE)/node_modules/.package-lock.json
	OMP_NUM_THREADS=1 $(BIN)/python docs/matrix/rebuild.py

# Runs everything that docs/tutorial.md shows and makes its figures and tables; half an hour on a core.
docs-tutorial: setup
	OMP_NUM_THREADS=1 $(BIN)/python docs/tutorial/rebuild.py

$(RUNTIMES)/.installed: constraints-runtimes.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet -c $< numpy opencv-python-headless openvino tract
	touch $@

# Its package is imported as onnxruntime, like the one that it must not replace.
$(RUNTIMES)-onnxruntime-openvino/.installed: constraints-runtimes.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet -c $< numpy onnxruntime-openvino
	touch $@

$(NODE)/node_modules/.package-lock.json: $(NODE)/package.json $(NODE)/package-lock.json
	@command -v npm > /dev/null || { echo "Node.js 20.12 or later and npm are needed on the PATH"; exit 1; }
	cd $(NODE) && npm ci --ignore-scripts
	touch $@

# What the system's packages bring: a browser, a C compiler.
SYSTEM := chromium gcc libc6-dev
system:
	@if command -v chromium > /dev/null && command -v gcc > /dev/null; then :; \
	elif test "$$(id -u)" = 0; then apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(SYSTEM); \
	else echo "chromium and gcc are needed on the PATH: as root, apt-get install $(SYSTEM)"; exit 1; fi

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Trains every task with five seeds, as many models side by side as there are cores, and writes the
# table of docs/results.md. Sets that do not come with the package: LSTM_EXPORT_DATA=FOLDER.
results: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/results.py

# benchmarks/exporters.py writes docs/exporters.md and takes a quarter of an hour: it is run alone,
# and so are `make results` and what its options were chosen by.
ALONE := benchmarks/exporters.py benchmarks/results.py benchmarks/results_page.py benchmarks/held_out.py
bench: setup
	for script in $(filter-out $(ALONE),$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

artifacts: setup
	$(BIN)/python artifacts/rebuild.py

clean:
	rm -rf .venv $(BASE) $(RUNTIMES) $(RUNTIMES)-onnxruntime-openvino $(NODE)/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
