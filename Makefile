# `make test` installs what the tests need and runs all of them; `.ci/run` adds the lints.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/meshgate/target

.PHONY: build lint test test-rust test-clients compose-check mutants shapes soak differential bench-gate bench-race bench-peers
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
	venv=$$(scripts/venv.sh requirements.txt "all clients: ADBC, pandas, polars, pyarrow, SQLAlchemy, JDBC; and of S3") && \
	    sqlalchemy14=$$(scripts/venv.sh requirements-sqlalchemy14.txt "SQLAlchemy 1.4") && jdbc=$$(scripts/jdbc.sh) && \
	    { [ -z "$$venv" ] || MESHGATE_SQLALCHEMY14="$$sqlalchemy14" MESHGATE_JDBC="$$jdbc" MESHGATE_BIN="$(CARGO_TARGET_DIR)/debug/meshgate" \
	    "$$venv/bin/python" -m pytest -c tests/clients/pytest.ini tests/clients $(PYTEST); }

compose-check:
	scripts/compose-check.sh

# Breaks the enforcement in each way of tests/mutants.toml; about half an hour. The table goes into docs/SECURITY.md.
mutants:
	scripts/mutants.py --write

# Statements of every kind whose readers go, the whole matrix of attacks, then random statements against two worlds:
# `make soak SEED=7 MINUTES=10`, or `STATEMENTS=100000`, which are of the last. A difference is printed with its seed and number and with
# the smallest statement that shows it. Then ten thousand damaged files, contracts and policies. Last, statements that hold much, eight of each at once, and sorts that spill.
MINUTES ?= $(if $(STATEMENTS),,10)
soak: shapes
	MESHGATE_MATRIX=whole cargo test --release --test it -- --nocapture leaks::
	MESHGATE_SOAK_SEED="$(SEED)" MESHGATE_SOAK_MINUTES="$(MINUTES)" MESHGATE_SOAK_STATEMENTS="$(STATEMENTS)" \
	    cargo test --release --test it -- --nocapture generate::
	MESHGATE_MUTANTS=1200 MESHGATE_MUTANT_SEED="$(SEED)" cargo test --release --test it -- --nocapture damage::
	MESHGATE_SOAK_MEMORY=256 MESHGATE_SOAK_SORTS=20 cargo test --release --test it -- --nocapture --test-threads 1 memory::

# Generated statements of four formats and two readers, whose answers DuckDB gives too: `make differential SEED=7 STATEMENTS=20000`.
# A difference that no reason explains is printed with its seed and number, and at the smallest it could be made.
differential:
	cargo test --no-run
	venv=$$(scripts/venv.sh requirements.txt "statements that DuckDB answers too") && \
	    { [ -z "$$venv" ] || (cd tests/clients && MESHGATE_BIN="$(CARGO_TARGET_DIR)/debug/meshgate" "$$venv/bin/python" -m differential --seed "$(or $(SEED),1)" --statements "$(or $(STATEMENTS),20000)"); }

# Prints how long each takes to end and the longest time it held a thread. Not beside other work.
shapes:
	MESHGATE_SHAPES=whole cargo test --release --test it -- --nocapture shapes::

# Fails where governance costs more than it may, in ratios of arms that take turns and in counts. Not a part of `make test`: run it where
# nothing else runs.
bench-gate:
	cargo bench --bench gateway -- gate

SCALE ?= 0.1
bench-race:
	cargo bench --bench gateway -- race --scale $(SCALE)

# Beside ROAPI and DuckDB, on the files that a race has made.
bench-peers:
	cargo bench --bench gateway -- race --scale $(SCALE) points
	venv=$$(scripts/venv.sh ../../benches/peers/requirements.txt "a race with peers") && \
	    { [ -z "$$venv" ] || "$$venv/bin/python" benches/peers/race.py "$(CARGO_TARGET_DIR)/tmp" $(SCALE) "$(CARGO_TARGET_DIR)/release/meshgate"; }
