# Every target does all of its own set-up on a Debian or Ubuntu machine with Rust (https://rustup.rs).
SHELL := bash
CARGO ?= cargo
RELEASE := $${CARGO_TARGET_DIR:-target}/release/pagemill
CARGO_DENY_VERSION := 0.20

.PHONY: help demo install cluster test test-otel test-slow fuzz check bench bench-control image-test

help:
	@echo "make demo       build Pagemill, run it on samples/, show the result"
	@echo "make install    put pagemill on the PATH"
	@echo "make cluster    a cluster of real services on this machine, until Ctrl-C"
	@echo "make test       all tests, with format and lints"
	@echo "make test-otel  the build with OpenTelemetry: its lints, its unit tests, and spans that reach a collector"
	@echo "make test-slow  thousands of pages, kills at random moments, broken networks"
	@echo "make fuzz       damaged model files and odd pictures for the native engine, an hour (FUZZ_SECONDS=3600)"
	@echo "make bench      CPU per page, memory and accuracy beside the tesseract program"
	@echo "make bench-control  a million pages through the control plane: rates, memory, recovery"
	@echo "make image-test build the image, run it as it is meant to run, and start the Compose file"
	@echo "make check      format, lints, scripts, licences of the dependencies"

demo:
	@echo "demo: installs Tesseract and what the build needs (Debian packages), builds a release, runs it on six scans"
	@scripts/setup.sh build run
	$(CARGO) build --release --locked -p pagemill
	@scripts/demo.sh $(RELEASE)

install:
	@scripts/setup.sh build run
	$(CARGO) install --locked --path cli
	@command -v pagemill || echo "install: add $${CARGO_HOME:-$$HOME/.cargo}/bin to the PATH"

cluster:
	@echo "cluster: installs RabbitMQ, PostgreSQL and SeaweedFS (nothing of them is started by itself), builds a release"
	@scripts/setup.sh build run services
	$(CARGO) build --release --locked -p pagemill
	$(CARGO) run --release --locked -p pagemill-tests --example cluster

test:
	@scripts/setup.sh build run test
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --locked --no-fail-fast

# Another build of the program: so it is no part of `make test`.
OTEL := --workspace --locked --features pagemill/otel,pagemill-tests/otel

test-otel:
	@scripts/setup.sh build run test
	$(CARGO) clippy $(OTEL) --all-targets -- -D warnings
	$(CARGO) test $(OTEL) --bin pagemill -- telemetry::
	$(CARGO) test $(OTEL) --test telemetry

test-slow:
	@scripts/setup.sh build run test
	$(CARGO) test --workspace --locked --features pagemill-tests/slow --no-fail-fast --test faults --test volume
	@# All pages of the folder that PAGEMILL_CORPUS names, else two samples.
	$(CARGO) test --locked -p pagemill-recognition --lib differential

FUZZ_SECONDS ?= 3600

fuzz:
	@scripts/setup.sh build
	PAGEMILL_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked -p pagemill-recognition --lib native::fuzz -- --nocapture

bench:
	@scripts/setup.sh build run bench
	$(CARGO) build --release --locked -p pagemill
	python3 scripts/bench_run.py $(RELEASE)
	$(CARGO) bench --locked -p pagemill-recognition --bench reading
	python3 scripts/bench_network.py

bench-control:
	@scripts/setup.sh build run services
	$(CARGO) build --release --locked -p pagemill
	$(CARGO) bench --locked -p pagemill-tests --bench control

image-test:
	@scripts/setup.sh build image
	$(CARGO) build --release --locked -p pagemill
	scripts/image_test.sh $(RELEASE)

check:
	@scripts/setup.sh build check
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	shellcheck scripts/*.sh .ci/run
	@$(CARGO) deny --version 2>/dev/null || $(CARGO) install cargo-deny --locked --version '^$(CARGO_DENY_VERSION)'
	$(CARGO) deny check licenses bans sources
