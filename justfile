# Shortcuts. `just` lists them; each is a command that also works without just.

_default:
    @just --list --unsorted

# Format everything
fmt:
    cargo fmt --all

# What is quick to say: format, lints with warnings denied, policy
check:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo run --quiet --locked -- policy check --strict --policies policies
    cargo run --quiet --locked -- policy test --policies policies

# All tests, on SQLite in temporary files
test *args:
    cargo test --workspace --locked {{ args }}

# The same with the database tests on PostgreSQL too
test-pg url="postgres://postgres@127.0.0.1:5432/postgres" *args:
    TEST_DATABASE_URL={{ url }} cargo test --workspace --locked {{ args }}

# Random requests to two databases that differ in what their reader may not see, so many for each person
noninterference requests="100000" seed="1":
    XUEJI_NONINTERFERENCE={{ requests }} XUEJI_NONINTERFERENCE_SEED={{ seed }} cargo test --release --locked --test it noninterference:: -- --nocapture

# The same test against deliberate leaks: it must find each
leaks:
    cargo test --locked --features leaks --test leaks

# Serve the demo registry
run *args:
    cargo run --release --locked -- demo {{ args }}

# Write schema.graphql anew
schema:
    cargo run --quiet --locked -- schema --out schema.graphql

# Check the policy and print who sees what
policy:
    cargo run --quiet --locked -- policy check --policies policies
    cargo run --quiet --locked -- policy test --policies policies
    cargo run --quiet --locked -- policy matrix --policies policies

# Who sees what, as a page for a browser
policy-page file="policy.html":
    cargo run --quiet --locked -- policy matrix --policies policies --html {{ file }}

# Ask the advisory database about what the program is made of; needs a network and cargo-deny
advisories:
    cargo deny check advisories

# Drive a running server; see `xueji load --help`
bench *args:
    cargo run --release --locked -- load {{ args }}
