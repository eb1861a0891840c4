# Builds, shows, tests and checks the DMS. Needs Node 20.19 or newer and npm; everything else is installed by npm.

INSTALLED := node_modules/.installed
BUILT     := dist/.built
PROGRAMS  := builds/dms_linux_amd64 builds/dms_linux_arm64
# Folders too: a file that is added or removed changes its folder.
SOURCES   := $(shell find src -type d -o -name '*.mjs' -o -name '*.ts' ! -name '*.test.ts') $(wildcard scripts/*.* scripts/program/* scripts/support/*)

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := all
.PHONY: all build executables deb demo testdata test sim check format bench docs docs-check clean

# What is needed to work here, and the executables for machines without Node.
all: build executables

# bin/nunet, from the checkout.
build: $(BUILT)

executables: $(PROGRAMS)

# builds/nunet-dms_<version>_<architecture>.deb
deb: $(PROGRAMS)
	@tsx scripts/deb.ts

# Two nodes on this machine: one lends, the other runs a job on it.
demo: $(BUILT)
	@tsx scripts/demo.ts

# What micro machines boot from, out of Debian's packages, in .cache/; without it their tests are skipped.
testdata:
	@sh scripts/testdata.sh

test: $(BUILT)
	@vitest run

# Small worlds with all faults, and the same ten again: whoever changes the domain sees what it does in 200 days.
SIM_SEEDS ?= 1..200
sim: $(INSTALLED)
	@tsx scripts/sim.ts --seeds $(SIM_SEEDS) --nodes 5..20 --hours 24 --faults all --workers 2
	@tsx scripts/sim.ts --seeds 1..10 --nodes 5..20 --hours 24 --faults all --workers 2 --repeat

check: $(INSTALLED) docs-check
	biome check .
	tsc --noEmit -p tsconfig.json
	depcruise --config .dependency-cruiser.cjs src
	eslint src test scripts bench
	knip

format: $(INSTALLED)
	biome check --write .

bench: $(BUILT)
	@tsx bench/run.ts

docs: $(INSTALLED)
	@tsx scripts/reference.ts

# The references are printed from the code and committed: what is printed now must be what is there.
docs-check: $(INSTALLED)
	@sh scripts/check-docs.sh

clean:
	rm -rf dist bundle builds node_modules coverage .demo

# `npm install`, not `npm ci`: the lock file holds optional packages of other platforms that a registry need not have.
$(INSTALLED): package.json package-lock.json
	@sh scripts/check-node.sh
	npm install --no-audit --no-fund
	@touch $@

$(BUILT): $(INSTALLED) $(SOURCES) tsconfig.json tsconfig.build.json
	@sh scripts/check-node.sh
	@rm -rf dist bundle
	npm run --silent build
	@touch $@

# One run makes both.
$(PROGRAMS) &: $(BUILT)
	@tsx scripts/executable.ts
