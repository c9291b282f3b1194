# `make` alone lists the targets. Every path is relative, so that a folder with
# a space in its name does no harm.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: help install demo test lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

install: .venv/installed ## make .venv with what requirements.txt names

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt .venv/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

test: .venv/installed-dev ## run the tests
	$(RUN) -m pytest

lint: .venv/installed-dev ## check style and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
