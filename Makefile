TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test check bootstrap

# Scans this checkout and a weak little website, and keeps running until Ctrl-C; EXIT=1 ends by itself.
demo: bootstrap
	cargo build --locked --release --package millrace --bin millrace
	$(TARGET)/release/millrace demo $(if $(EXIT),--exit)

test: bootstrap
	cargo test --locked --workspace

check:
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --package millrace --test house
	cargo run --locked --quiet --package millrace -- schemas --check

# Installs what is missing besides Rust, or says how; does nothing when everything is there.
bootstrap:
	@ops/bootstrap.sh
