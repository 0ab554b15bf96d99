# Every target makes its own environment in .venv; nothing else has to be installed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint docs bench clean

demo: $(READY)
	$(BIN)/undertow run moons --report undertow-report.html

test: $(READY)
	$(BIN)/ruff format --check src tests bench lessons
	$(BIN)/ruff check src tests bench lessons
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(READY)
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(READY)
	$(BIN)/python -m undertow.app.cli.reference > docs/cli.md
	$(BIN)/python -m undertow.verbs.json_reference > docs/json.md

bench: $(READY)
	$(BIN)/python -m bench.training.start
	$(BIN)/python -m bench.training.laboratory

NATIVE := $(wildcard src/undertow/engine/lanes/native/*)

$(READY): pyproject.toml constraints.txt $(NATIVE)
	$(PYTHON) -c "import sys; sys.exit('Undertow needs Python 3.11 or newer, this is ' + sys.version.split()[0] + ': type  make PYTHON=python3.11') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,test]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
