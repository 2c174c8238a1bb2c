# What there is to run. `make test` is the whole check, the one that CI runs.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

# Tools, built from source into bin/, which git ignores.
lint_version := v2.15.0
gotestsum_version := v1.13.0
lint := $(CURDIR)/bin/golangci-lint-$(lint_version)
gotestsum := $(CURDIR)/bin/gotestsum-$(gotestsum_version)

# How functions and the embedded database server are compiled. Used for all checks
# that compile, so that each dependency is compiled once.
deployed := CGO_ENABLED=0 GOFLAGS='$(GOFLAGS) -trimpath'

# What must compile beside this machine's own: the functions' platform, and one of each
# other system, for nothing that is written here knows the architecture. The CDK is left
# to the tests, which compile it for this machine: it takes minutes.
platforms := linux/arm64 darwin/arm64 windows/amd64
embedded_platforms := darwin/arm64 windows/amd64
without_cdk = $$(go list ./... | grep -vxF "$$(go list ./infra/... | grep -v /infra/config)")
not_only_tests = -f '{{if .GoFiles}}{{.ImportPath}}{{end}}'

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: servers lint cross generate-check size tests ## Install what the tests need (Debian, root), then check and test everything

.PHONY: test-short
test-short: lint ## Lint, and the tests that need no database server
	go test -short ./...
	cd local/embeddeddb && go test -short ./...

.PHONY: tests
tests: $(gotestsum) ## All tests, on servers that are installed already
	$(gotestsum) --format pkgname-and-test-fails --hide-summary skipped,output --raw-command -- scripts/run-tests

.PHONY: servers
servers: ## Install the test servers on Debian (as root)
	scripts/install-test-servers

.PHONY: lint
lint: $(lint) ## Run the linter
	$(deployed) $(lint) run --allow-parallel-runners ./...
	cd local/embeddeddb && $(deployed) $(lint) run --allow-parallel-runners --config ../../.golangci.yml ./...

.PHONY: build
build: ## Compile the command line to bin/rekey
	CGO_ENABLED=0 go build -trimpath -o bin/rekey ./cmd/rekey

.PHONY: cross
cross: ## Compile and vet everything, tests too, for Linux, macOS and Windows
	@for platform in $(platforms); do \
		echo "vet and build for $$platform"; \
		export $(deployed) GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
		go vet $(without_cdk); \
		go build $$(go list $(not_only_tests) $(without_cdk)); \
	done
	@for platform in $(embedded_platforms); do \
		echo "vet and build local/embeddeddb for $$platform"; \
		export $(deployed) GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
		go -C local/embeddeddb vet ./...; \
		go -C local/embeddeddb build -o /dev/null .; \
	done

.PHONY: bench
bench: ## What a rotation costs, beside what it is compared with
	go run ./bench

.PHONY: size
size: ## Fail if a function's package or its memory is over the aim
	@go run ./bench --only init --runs 3 --check zip,peak

.PHONY: generate-check
generate-check: ## Fail if a generated file is not what its generator makes (needs npm)
	scripts/check-generated

$(lint):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(lint_version)
	mv bin/golangci-lint $@

$(gotestsum):
	GOBIN=$(CURDIR)/bin go install gotest.tools/gotestsum@$(gotestsum_version)
	mv bin/gotestsum $@
