# `make` alone lists the targets. Every path is relative, so that a folder with
# a space in its name does no harm.
PYTHON ?= python3
RUN = .venv/bin/python

# The demo's size: CI makes it short with make demo MINUTES=0.2 COPIES=2
MINUTES ?= 2.5
COPIES ?= 3

# What `make fuzz` reads: how many files, which ones, and nrrd or nifti.
RUNS ?= 2000
SEED ?= 0
FORMAT ?= nrrd

.PHONY: help install demo test test-slow fuzz lint

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

demo: .venv/installed ## make phantoms, build a cube, train both networks, compare
	$(RUN) -m phantom demo/scans --cases 12 --seed 0 --force
	$(RUN) makeCube.py demo/scans/pairs.txt --output demo/cube.h5 \
	    --spacing 4 1.5 1.5 --copies $(COPIES) --force
	$(RUN) checkCube.py demo/cube.h5 --output demo/pictures --force
	$(RUN) train.py demo/cube.h5 --model both --loss dice-ce \
	    --minutes $(MINUTES) --output demo/run --force
	$(RUN) predict.py demo/scans/unseen/image.nrrd \
	    --model demo/run/unet2d/model.keras --output demo/labels --force
	@echo
	@echo "The scans with their labels:   demo/pictures/overview.png and one per case"
	@echo "Predictions on the test cases: demo/run/unet2d/overlays, demo/run/unet3d/overlays"
	@echo "Dice over epochs and minutes:  demo/run/curves.png"
	@echo "The comparison, as above:      demo/run/comparison.md"

test: .venv/installed-dev ## run the tests
	$(RUN) -m pytest

test-slow: .venv/installed-dev ## run the tests that take longer
	$(RUN) -m pytest -m slow

fuzz: .venv/installed-dev ## read files changed at random: RUNS=200000 SEED=1 FORMAT=nifti
	PYTHONPATH=.:tests $(RUN) tests/volumes/formats/fuzz_$(FORMAT).py --runs $(RUNS) --seed $(SEED)

lint: .venv/installed-dev ## check style and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
