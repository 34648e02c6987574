# `make` lists the targets. Only python3 with its venv module is needed; the rest goes into .venv.
PYTHON ?= python3
# Versions that the project is tested with. `make install CONSTRAINTS=` takes the newest ones.
CONSTRAINTS ?= .ci/constraints.txt
# Tests run in this many processes.
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# torch starts a thread per core in every process; the tests and the demo are faster without.
ONE_THREAD := OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo test check format nano clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

install: $(STAMP)  ## everything into .venv; again only when pyproject.toml or the versions change

$(STAMP): pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[dev]'
	@if $(BIN)/python -c 'import torchvision' 2>/dev/null; then \
		echo 'torchvision is in $(VENV): transformers would then prepare pictures by other code, with' >&2; \
		echo 'other results. Remove it: $(BIN)/python -m pip uninstall torchvision' >&2; \
		exit 1; \
	fi
	@touch $@

demo: install  ## a sweep of six LoRAs on the embedded small SDXL, with pictures; some 3 minutes
	$(BIN)/python -m lora_sweep -m rank=4,16,32 optimizer=prodigy,adamw train.max_train_steps=200 results.dir=results/demo

test: install  ## all tests, without network
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS)

check: install  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: install  ## sort imports and format every file
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

nano: install  ## rebuild the embedded base from nothing, some two hours; goes on where it was stopped
	$(BIN)/python scripts/build_nano.py --work build/nano

clean:  ## remove what tools leave behind; results/, build/ and .venv stay
	rm -rf dist .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
