# `make test` installs what the tests need and runs all of them; `.ci/run` adds the lints.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/meshgate/target

.PHONY: build lint test test-rust test-clients compose-check
build:
	cargo build --release

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --document-private-items

test: test-rust test-clients compose-check

test-rust:
	cargo test

# The dev binary with real drivers; `make test-clients PYTEST="-k adbc"` runs a part.
# `cargo test` has made the binary; `cargo build` would make every dependency again, with other features.
test-clients:
	cargo test --no-run
	venv=$$(scripts/venv.sh) && \
	    MESHGATE_BIN="$(CARGO_TARGET_DIR)/debug/meshgate" "$$venv/bin/python" -m pytest -c tests/clients/pytest.ini tests/clients $(PYTEST)

compose-check:
	scripts/compose-check.sh
