# op-channels: event-sourced state channels for op-stack L2s and MUD worlds. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := build/bin/op-channels
# The binary itself: npm's wrapper around it exits with 0 when tests fail.
FORGE := node_modules/@foundry-rs/forge-$(shell uname -s | tr A-Z a-z)-$(shell uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')/bin/forge
# forge would fork a chain if the caller's environment named one.
unexport FOUNDRY_ETH_RPC_URL

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

.PHONY: prerequisites
prerequisites:
	@tools/prerequisites.sh

# Runs again whenever what is locked changes. Not `npm ci`: it wants the packages of every platform in the lock file, and a
# registry need not have those of platforms that nobody here uses; install follows the lock file too and does not write it.
build/.npm-installed: package-lock.json package.json .npmrc | prerequisites
	@echo "installing npm packages (once; about a minute)"
	npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	@mkdir -p build && touch $@

.PHONY: deps
deps: build/.npm-installed ## install what is needed: npm packages (Go fetches its modules when it builds)

.PHONY: build
build: prerequisites ## build build/bin/op-channels
	@mkdir -p build/bin
	@echo "building op-channels (the first time takes some minutes)"
	go build -o $(BIN) ./cmd/op-channels

.PHONY: demo
demo: deps build ## play a whole raid: three sidecars, a chain, a MUD World
	$(BIN) demo --dir build/demo

.PHONY: demo-fraud
demo-fraud: deps build ## let a whole party sign a forged raid, and watch it lose
	$(BIN) demo-fraud --dir build/demo-fraud

.PHONY: devnet
devnet: deps build ## keep the demo's environment running and say what to type next
	$(BIN) devnet --dir build/devnet

# The op-stack's programs need other versions of modules than the project: they have a module of their own.
OP_VERSIONS := e2e/opstack/go.mod e2e/opstack/go.sum
build/.op-binaries: $(OP_VERSIONS) | prerequisites
	@mkdir -p build/bin
	@echo "building op-node (1 of 3; all three take some minutes, once)"
	cd e2e/opstack && go build -o ../../build/bin/op-node github.com/ethereum-optimism/optimism/op-node/cmd
	@echo "building op-batcher (2 of 3)"
	cd e2e/opstack && go build -o ../../build/bin/op-batcher github.com/ethereum-optimism/optimism/op-batcher/cmd
	@echo "building op-geth (3 of 3)"
	cd e2e/opstack && go build -o ../../build/bin/op-geth github.com/ethereum/go-ethereum/cmd/geth
	@touch $@

.PHONY: op-binaries
op-binaries: build/.op-binaries ## build op-geth, op-node and op-batcher, for devnet-op, load and test-op

.PHONY: op-geth-channels
op-geth-channels: prerequisites ## build build/bin/op-geth-channels: op-geth with the sidecar inside
	@mkdir -p build/bin
	@echo "building op-geth-channels (the first time takes a minute or two)"
	go build -o build/bin/op-geth-channels ./cmd/op-geth-channels

.PHONY: devnet-op
devnet-op: deps build op-binaries ## devnet on a real op-stack: op-geth, op-node and op-batcher instead of anvil
	$(BIN) devnet --op-stack --dir build/devnet-op

.PHONY: test-op
test-op: deps build op-binaries op-geth-channels ## all scenarios on a real op-stack (not part of test; about twenty minutes)
	go test -tags opstack -timeout 40m -count 1 -p 1 ./e2e/opdevnet ./e2e

.PHONY: test-op-smoke
test-op-smoke: deps build op-binaries ## one raid on a real op-stack, from the opening to the payout (part of test)
	go test -tags opstack -timeout 10m -count 1 -run '^TestU1_RaidFromTheOpening' ./e2e

CHANNELS ?= 1000
RAIDS ?= 100
MINUTES ?= 10
.PHONY: load
load: deps build op-binaries ## CHANNELS (1000) beside a sequencer, RAIDS (100) of them played for MINUTES (10): what it costs
	$(BIN) load --op-stack --channels $(CHANNELS) --raids $(RAIDS) --duration $(MINUTES)m --dir build/load

.PHONY: module-compilers
module-compilers: build/.npm-installed ## compilers of modules in C, Rust and Zig: installed as root, otherwise named
	@tools/module-compilers.sh

.PHONY: test
test: deps module-compilers build lint test-contracts test-go test-op-smoke ## all tests (about fifteen minutes the first time)
	@echo "all tests passed"

.PHONY: test-contracts
test-contracts: build/.npm-installed ## Solidity: unit, fuzz, invariants, golden vectors
	$(FORGE) test

.PHONY: test-go
test-go: deps build ## Go: units, transcripts, crash tests, real processes on a real chain
	go test -timeout 20m ./...

.PHONY: lint
lint: prerequisites ## formatting and vet
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	go vet ./...
	go vet -tags opstack ./e2e/...

.PHONY: bench
bench: build ## figures: events/s and latency, derivation calls/s, journal appends/s, blocks with a sidecar in the node
	go test ./sidecar -run '^$$' -bench 'ClosedLoop|Pipelined|ManyChannels' -benchtime 5s
	go test ./derivation -run '^$$' -bench . -benchtime 2s
	go test ./channel ./eventstore -run '^$$' -bench . -benchtime 1s
	go test ./plugin/opgeth -run '^$$' -bench Block -benchtime 60x

FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s)
	@tools/fuzz.sh $(FUZZTIME)

.PHONY: long
long: ## random schedules, random modules on all engines, games of the examples, many more of them
	CHANNELS_LONG=1 go test -timeout 60m ./protocols/... ./eventstore/... ./derivation ./derivation/evm ./examples/... ./sdk/modules

.PHONY: machine
machine: ## generate the code and the listing of WasmMachine again
	go run ./derivation/evm/gen

.PHONY: bindings
bindings: build/.npm-installed ## generate the Go bindings of the contracts again
	$(FORGE) build
	go run ./adjudicator/bindings/gen

.PHONY: clean
clean: ## remove what was built
	rm -rf build cache
