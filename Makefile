# The commands of this project; each begins by making .venv where it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip install --quiet --require-hashes --requirement
# For every platform, and with no address of an index, whichever this machine uses.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version=3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-emit-find-links --annotation-style=line \
	--custom-compile-command='make lock'
# A process for each processor, and a few at most: each holds TensorFlow, 2 to 3 GB of memory.
# Files are handed out in the order of tests/conftest.py, not by how many tests they have.
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile \
	--no-loadscope-reorder

# Docker's images of Python set it; then every process of the tests would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help map env env-dev env-runtimes env-tpu lock quickstart lint types test test-fast clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

map:  ## what each file is for, by its first line
	@grep --recursive --max-count=1 --include='*.py' '^"""' bignas_tf tools experiments \
		| sort | sed 's/:"""/: /; s/"""$$//'

env: .venv/installed .venv/bin/bignas  ## make .venv with the locked requirements

env-dev: .venv/installed-dev .venv/bin/bignas  ## add the tools that the tests need

env-runtimes: .venv/installed-runtimes  ## add ONNX and the runtimes that verify_export knows

env-tpu: .venv-tpu/installed  ## make .venv-tpu, the TPU compiler of tools.tpu_compile

lock: env-dev  ## renew the *.lock files: every package that requirements*.txt lead to, with hashes
	$(LOCK) requirements.txt --output-file=requirements.lock
	$(LOCK) requirements.txt requirements-dev.txt --constraint=requirements.lock \
		--output-file=requirements-dev.lock
	$(LOCK) requirements.txt requirements-runtimes.txt --constraint=requirements.lock \
		--output-file=requirements-runtimes.lock
	$(LOCK) requirements-tpu.txt --output-file=requirements-tpu.lock

quickstart: env  ## all steps on Fashion-MNIST, or on your images: IMAGES=photos MINUTES=8
	$(BIN)/python -m tools.quickstart $(if $(IMAGES),--images='$(IMAGES)') $(if $(MINUTES),--minutes=$(MINUTES))

lint: env-dev  ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck --external-sources .ci/run tools/gcp/*.sh tools/gcp/host/*.sh

types: env-dev  ## static types
	$(BIN)/mypy bignas_tf tools experiments

test: lint types  ## lint, types and every test
	$(PYTEST)

test-fast: lint types  ## the same without the tests marked slow
	$(PYTEST) -m 'not slow'

clean:  ## remove .venv, .venv-tpu and the caches; runs/ is kept
	rm -rf .venv .venv-tpu .mypy_cache .pytest_cache .ruff_cache

# The stamps are newer than the locks only if the install came through.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; name one with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

# What an installed package calls `bignas`, of this checkout, from any folder.
.venv/bin/bignas: | .venv/bin/python
	printf '#!/bin/sh\nBIGNAS_BY_NAME=1 PYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s" -P -m tools.bignas "$$@"\n' \
		'$(CURDIR)' '$(CURDIR)/$(BIN)/python' > $@
	chmod +x $@

.venv/installed: requirements.lock | .venv/bin/python
	$(BIN)/python $(INSTALL) requirements.lock
	touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	$(BIN)/python $(INSTALL) requirements-dev.lock
	touch $@

.venv/installed-runtimes: requirements-runtimes.lock .venv/installed
	$(BIN)/python $(INSTALL) requirements-runtimes.lock
	touch $@

.venv-tpu/installed: requirements-tpu.lock
	$(PYTHON) -m venv .venv-tpu
	.venv-tpu/bin/python $(INSTALL) requirements-tpu.lock
	touch $@
