TARGET := $(or $(CARGO_TARGET_DIR),target)

# The program of an S3-compatible server, in a Python environment of its own.
S3_SERVER := $(abspath $(TARGET))/s3-server/bin/moto_server

# An OpenID provider, in a folder of its own.
OPENID_PROVIDER := $(abspath $(TARGET))/openid-provider

.PHONY: demo test test-objects test-openid check bootstrap

# Scans this checkout and a weak little website, and keeps running until Ctrl-C; EXIT=1 ends by itself.
demo: bootstrap
	cargo build --locked --release --package millrace --bin millrace
	$(TARGET)/release/millrace demo $(if $(EXIT),--exit)

test: bootstrap
	cargo test --locked --workspace

# The object store in a bucket. It stands apart from `test` because it builds the clients of the clouds and
# fetches a server written in Python, which nobody needs who has no bucket.
test-objects: bootstrap $(S3_SERVER)
	TEST_S3_SERVER=$(S3_SERVER) cargo test --locked --workspace --features millrace/cloud-objects --test e2e buckets

$(S3_SERVER): ops/s3-server.txt
	@ops/bootstrap.sh python3-venv
	python3 -m venv $(dir $(@D))
	$(@D)/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Signing in through a real OpenID provider, which is written in JavaScript and nobody needs but this test.
test-openid: bootstrap $(OPENID_PROVIDER)/installed
	TEST_OPENID_PROVIDER=$(OPENID_PROVIDER) cargo test --locked --workspace --test e2e -- --ignored openid

$(OPENID_PROVIDER)/installed: $(wildcard ops/openid-provider/*)
	@ops/bootstrap.sh npm
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --no-audit --no-fund
	@touch $@

# The house's own rules, the generated documents among them, are tests. All of it is built with the
# features of the whole workspace, so that nothing is built twice.
check:
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo test --locked --workspace --test house

# Installs what is missing besides Rust, or says how; does nothing when everything is there.
bootstrap:
	@ops/bootstrap.sh
