# `make` alone lists the targets. All paths are relative, so that the folder's own
# path may contain spaces.
PYTHON ?= python3
RUN = .venv/bin/python
PIP = -m pip install --quiet --disable-pip-version-check

# Size of the demo; CI shortens it with make demo MINUTES=0.2 COPIES=2
MINUTES ?= 2.5
COPIES ?= 3

# For make fuzz: number of files, random seed, and file format (nrrd or nifti).
RUNS ?= 2000
SEED ?= 0
FORMAT ?= nrrd

.PHONY: help install demo test test-slow fuzz lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

install: .venv/installed ## create .venv and install the tested versions

.venv/installed: requirements.txt constraints.txt
	@echo "Installing TensorFlow and the packages of requirements.txt into .venv, 2.6 GB."
	@echo "This takes minutes, in which nothing is printed."
	@$(PYTHON) -m venv .venv
	@$(RUN) $(PIP) -r requirements.txt -c constraints.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements.txt requirements-dicom.txt \
                     requirements-cluster.txt .venv/installed
	$(RUN) $(PIP) -r requirements-dev.txt -c constraints.txt
	@touch $@

# All phantoms have one contrast, so the demo learns it: it has minutes, not an hour.
demo: .venv/installed ## run the whole pipeline on synthetic phantoms
	$(RUN) -m phantom demo/scans --cases 12 --seed 0 --force
	$(RUN) makeCube.py demo/scans/pairs.txt --output demo/cube.h5 \
	    --spacing 4 1.5 1.5 --copies $(COPIES) --force
	$(RUN) checkCube.py demo/cube.h5 --output demo/pictures --force
	$(RUN) train.py demo/cube.h5 --model both --loss dice-ce --contrast-curves 0 \
	    --minutes $(MINUTES) --output demo/run --force
	$(RUN) predict.py demo/scans/unseen/image.nrrd \
	    --model demo/run/unet2d/model.keras --output demo/labels --force
	@echo
	@echo "Scans and label maps:    demo/pictures/index.html, in a browser"
	@echo "Comparison, every case:  demo/run/report.html, in a browser"
	@echo "Label map of a new scan: demo/labels"

test: .venv/installed-dev ## run the tests
	$(RUN) -m pytest

test-slow: .venv/installed-dev ## run the slow tests
	$(RUN) -m pytest -m slow

fuzz: .venv/installed-dev ## fuzz a reader: RUNS=200000 SEED=1 FORMAT=nifti
	PYTHONPATH=.:tests $(RUN) tests/robustness/fuzz_$(FORMAT).py --runs $(RUNS) --seed $(SEED)

lint: .venv/installed-dev ## check style, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m basedpyright --project pyproject.toml --pythonpath $(RUN)
