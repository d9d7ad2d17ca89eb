# Verbatim. `make run` and `make test` are all that a newcomer needs; both install what is missing and can be repeated.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Settings of your own; .env.example explains each.
ifneq ($(wildcard .env),)
include .env
export $(shell sed -n 's/^\([A-Z_]*\)=.*/\1/p' .env)
endif

setup = scripts/setup
leptos = PATH="$$(scripts/setup path):$$PATH" cargo leptos
verbatim = target/debug/verbatim
# Tests and checks have a new database server of their own unless TEST_DATABASE_URL names one: never the one that is served.
with_database = rm -rf target/test-database && env -u DATABASE_URL -u DATABASE_READ_URL $(if $(TEST_DATABASE_URL),DATABASE_URL=$(TEST_DATABASE_URL)) INSTA_UPDATE=no VERBATIM_LOG=warn VERBATIM_DATA_DIR=target/test-database $(verbatim) with-database
server_side = --workspace --exclude frontend
browser_side = -p frontend --target wasm32-unknown-unknown --target-dir target/front

.PHONY: help run build test dev lint unit browser lighthouse bench sqlx fmt

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | column -ts $$'\t'

run: build ## Build for use and serve on http://127.0.0.1:3000
	@echo "==> starting Verbatim"
	@exec target/release/verbatim serve

build: ## Make the optimised build
	@$(setup) build
	@echo "==> building the server and the pages (the first time takes minutes)"
	@$(leptos) build --release --precompress

test: lint unit browser ## Run everything: lint, unit, database, REST and browser tests

dev: ## Serve and rebuild on every change
	@$(setup) build
	@$(leptos) watch

lint: ## Check format, lints, boundaries and query metadata
	@$(setup) test
	@echo "==> format and boundaries"
	@cargo fmt --all --check
	@scripts/boundaries
	@echo "==> lints of the server side"
	@cargo clippy $(server_side) --all-targets -- -D warnings
	@echo "==> lints of the browser side"
	@cargo clippy $(browser_side) -- -D warnings
	@cargo clippy -p versioning --target wasm32-unknown-unknown --target-dir target/front -- -D warnings
	@echo "==> types of the browser tests and of the editor"
	@npm run --silent --prefix end2end lint
	@npm run --silent --prefix frontend lint
	@echo "==> query metadata"
	@cargo build --quiet -p server
	@$(with_database) scripts/sqlx-metadata --check

unit: ## Run the unit, database, REST and process tests
	@echo "==> unit, database, REST and process tests"
	@cargo build --quiet -p server
	@$(with_database) cargo test $(server_side)

browser: ## Run the browser tests
	@$(setup) test
	@echo "==> building the pages as they are shipped (the first time takes minutes)"
	@$(leptos) build --release --precompress --frontend-only
	@cargo build --quiet -p server
	@echo "==> browser tests"
	@scripts/end2end

lighthouse: build ## Score the pages with Lighthouse (release build)
	@$(setup) test
	@echo "==> scores of the pages"
	@scripts/with-server target/lighthouse node end2end/lighthouse.mjs

bench: build ## Measure, and print each figure with its limit
	@$(setup) test
	@echo "==> benchmarks and sizes of the pages (release build)"
	@failed=0; \
	env -u DATABASE_URL -u DATABASE_READ_URL cargo bench -p server || failed=1; \
	scripts/with-server target/sizes node end2end/sizes.mjs || failed=1; \
	exit $$failed

sqlx: ## Renew the committed query metadata after a change of SQL
	@cargo build --quiet -p server 2>/dev/null || test -x $(verbatim) || { echo "build the server once before you change its queries" >&2; exit 1; }
	@$(with_database) scripts/sqlx-metadata

fmt: ## Format the code
	@cargo fmt --all
