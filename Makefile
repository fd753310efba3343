# The commands of this project; each begins by making .venv where it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
# A process for each processor, and a few at most: each holds TensorFlow, 2 to 3 GB of memory.
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile

.DEFAULT_GOAL := help
.PHONY: help env env-dev env-runtimes env-tpu quickstart lint types test test-fast clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: .venv/installed  ## make .venv with the pinned requirements

env-dev: .venv/installed-dev  ## add the tools that the tests need

env-runtimes: .venv/installed-runtimes  ## add ONNX and the runtimes that verify_export knows

env-tpu: .venv-tpu/installed  ## make .venv-tpu, the TPU compiler of tools.tpu_compile

quickstart: env  ## all steps on Fashion-MNIST, or on your images: IMAGES=photos MINUTES=8
	$(BIN)/python -m tools.quickstart $(if $(IMAGES),--images='$(IMAGES)') $(if $(MINUTES),--minutes=$(MINUTES))

lint: env-dev  ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck --external-sources .ci/run tools/gcp/*.sh tools/gcp/host/*.sh

types: env-dev  ## static types
	$(BIN)/mypy bignas_tf tools

test: lint types  ## lint, types and every test
	$(PYTEST)

test-fast: lint types  ## the same without the tests marked slow
	$(PYTEST) -m 'not slow'

clean:  ## remove .venv, .venv-tpu and the caches; runs/ is kept
	rm -rf .venv .venv-tpu .mypy_cache .pytest_cache .ruff_cache

# The stamps are newer than the requirements only if the install came through.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed; name one with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@

.venv/installed-runtimes: requirements-runtimes.txt .venv/installed
	$(BIN)/python -m pip install --quiet --requirement requirements-runtimes.txt
	touch $@

.venv-tpu/installed: requirements-tpu.txt
	$(PYTHON) -m venv .venv-tpu
	.venv-tpu/bin/python -m pip install --quiet --requirement requirements-tpu.txt
	touch $@
