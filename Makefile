# `make test` installs what the tests need and runs all of them.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/meshgate/target

.PHONY: build test lint
build:
	cargo build --release

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

test:
	cargo test
