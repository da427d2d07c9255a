# Everything that a maintainer types. Each target prints what it does; the work itself is in scripts/.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Arguments for pytest, such as PYTEST="-k lock" or PYTEST=Tests/IntegrationTests/test_lock.py
PYTEST ?=
# Arguments for scripts/bench, such as BENCH=--quick
BENCH ?=
# How long each target is fuzzed, or with how many inputs, and which: FUZZ_SECONDS=60, FUZZ_RUNS=1000000, FUZZ="request json"
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?=
FUZZ ?=

.PHONY: help setup build release deb units-check run fleet fleet-check demo demo-check test unit-test integration-test \
	fleet-build fleet-test fuzz measure bench fresh-deb device board \
	device-test format lint clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## debug build of everything
	@scripts/setup build
	swift build

release: ## the two programs as they ship, with their part of the Swift runtime, in .build/ship
	@scripts/setup build
	@scripts/release

deb: ## Debian packages in .build/deb, checked by lintian, and what they take on a device
	@scripts/setup deb
	@scripts/deb

units-check: ## systemd reads all units without a complaint, and none is more exposed than it may be
	@scripts/setup deb
	@scripts/units-check

run: ## a virtual device that runs all of it and a demo app, in the foreground; Ctrl-C ends it
	@scripts/first-run
	@scripts/setup deb device
	@$(MAKE) --no-print-directory fresh-deb
	@scripts/device run

fleet: ## the fleet service and three virtual devices that it commands, in the foreground; Ctrl-C ends it
	@scripts/first-run
	@scripts/setup deb device fleet
	@$(MAKE) --no-print-directory fresh-deb
	@scripts/fleet

fleet-check: ## the same, non-interactively: commands the devices, exits 0 or 1
	@scripts/setup deb device fleet
	@$(MAKE) --no-print-directory fresh-deb
	@scripts/fleet --check

demo: ## the supervisor alone with the demo app, without packages and systemd; Ctrl-C ends and cleans up
	@scripts/setup demo
	@scripts/demo

demo-check: ## the same, non-interactively: checks the demo from inside its container, exits 0 or 1
	@scripts/setup demo
	@scripts/demo --check

test: ## unit tests, then the black-box suite against a real engine
	@scripts/setup test
	@scripts/test

unit-test: ## unit tests only
	@scripts/setup test
	@scripts/unit-test

integration-test: ## black-box suite only; PYTEST="-k name" picks tests
	@scripts/setup test
	swift build
	@scripts/integration-test $(PYTEST)

fleet-build: ## debug build of the fleet service, a package of its own in fleet/
	@scripts/setup fleet
	swift build --package-path fleet

fleet-test: fleet-build ## the fleet service against simulated devices on a real bus; PYTEST="-k name" picks tests
	@scripts/fleet-test $(PYTEST)

fuzz: ## made-up inputs for what reads the bytes of others; FUZZ_SECONDS=60, FUZZ_RUNS=1000000, FUZZ="request json"
	@scripts/setup build
	@scripts/fuzz $(if $(FUZZ_RUNS),--runs $(FUZZ_RUNS),--seconds $(FUZZ_SECONDS)) $(FUZZ)

measure: ## memory, threads, wake-ups and start of the release build, against the budgets
	@scripts/setup test
	@$(MAKE) --no-print-directory release
	@scripts/measure

bench: ## the release build beside node-express, Go and nginx, a quarter of an hour; BENCH="--quick", "--write", a stage
	@scripts/bench $(BENCH)

# The packages, built again if something that goes into them is newer.
fresh-deb:
	@if [[ ! -e .build/deb/.built || -n $$(find Package.swift Sources units packaging examples docs -newer .build/deb/.built -print -quit) ]]; then \
		$(MAKE) --no-print-directory deb && touch .build/deb/.built; fi

device: fresh-deb ## the virtual device in the background; scripts/device --help says more
	@scripts/device up
	@echo "Try scripts/device exec -- superctl status; scripts/device down ends it."

board: fresh-deb ## the same on a machine of its own, emulated by QEMU, with a LED; scripts/board --help says more
	@scripts/board up
	@echo "Try scripts/board exec -- superctl status; scripts/board down ends it."

device-test: fresh-deb ## the tests on the device and on the board; PYTEST="-k name" picks tests
	@scripts/setup device-test
	@scripts/device-test $(PYTEST)

format: ## rewrite the Swift sources in the project's format
	swift format format --in-place --parallel --recursive Package.swift Sources Tests fleet/Package.swift fleet/Sources

lint: ## check the format of the Swift sources, and the scripts
	@scripts/setup lint
	swift format lint --strict --parallel --recursive Package.swift Sources Tests fleet/Package.swift fleet/Sources
	@scripts/lint

clean: ## remove what builds and runs have made
	rm -rf .build .run Tests/IntegrationTests/.pytest_cache
