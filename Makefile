# What a person or a CI job runs here; `make` lists it. Nothing but Go is needed.

# As the sandbox builds its parts, so that what is compiled is shared.
export CGO_ENABLED := 0
export GOFLAGS := -buildvcs=false
export GOWORK := off

# compile builds a program of the tests' module into bin: run from there instead
# of by `go run`, it gets its signals and gives its exit code itself.
define compile
	@test -x bin/$(1) || echo "Building bin/$(1); the first time that takes some minutes."
	@cd tests && go build -ldflags="-s -w" -o ../bin/$(1) $(2)
endef

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint replay chaos e2e browser fuzz bench simulate build sandbox clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\): ## \(.*\)/  make \1@\2/p' Makefile | while IFS=@ read -r name text; do printf '%-15s %s\n' "$$name" "$$text"; done

demo: ## canary, A/B test and abort on a sandbox; INTERACTIVE=1: you promote
	$(call compile,sluice-demo,./cmd/sluice-demo)
	@bin/sluice-demo

test: ## everything
	$(call compile,suites,./cmd/suites)
	@bin/suites

unit: ## the tests that need no sandbox
	$(call compile,suites,./cmd/suites)
	@bin/suites unit

lint: ## gofmt, go vet, determinism of workflows
	$(call compile,suites,./cmd/suites)
	@bin/suites lint

replay: ## workflows that ran before are replayed
	$(call compile,suites,./cmd/suites)
	@bin/suites replay

chaos: ## a crash at every write of every kind of rollout
	$(call compile,suites,./cmd/suites)
	@bin/suites chaos

e2e: ## rollouts on a sandbox, under load
	$(call compile,suites,./cmd/suites)
	@bin/suites e2e

browser: ## a rollout in the Temporal UI, in Chromium
	$(call compile,suites,./cmd/suites)
	@bin/suites browser

fuzz: ## every fuzz target for 15 seconds
	$(call compile,suites,./cmd/suites)
	@bin/suites fuzz

bench: ## figures on a sandbox, next to targets and peers; also as artefacts/bench.json
	$(call compile,sluice-bench,./cmd/sluice-bench)
	@bin/sluice-bench -o json artefacts/bench.json

simulate: ## how soon and how rightly metrics raise an alarm
	$(call compile,sluice-simulate,./cmd/sluice-simulate)
	@bin/sluice-simulate

build: ## bin/sluice and bin/sluice-worker
	go build -ldflags="-s -w" -o bin/sluice ./starter
	go build -ldflags="-s -w" -o bin/sluice-worker ./worker

sandbox: ## a sandbox until Ctrl-C
	$(call compile,sluice-sandbox,./sandbox/cmd/sluice-sandbox)
	@bin/sluice-sandbox up

clean: ## remove what was built here; the cache of parts stays
	rm -rf bin artefacts
