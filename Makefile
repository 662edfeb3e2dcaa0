# Every target is a short call into toolchain/: the scripts say what they write and where.
# Where cargo, pip and apt keep things is theirs to say; all else outside the checkout is in $MILLRACE_CACHE
# (default ~/.cache/millrace).
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --silent

CACHE = $(or $(MILLRACE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/millrace)

.PHONY: help demo test scale soak program idl localnet anchor setup fmt lint deny coverage ptx gpu-check clean fuzz error-rates bench

help: ## this list
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## set up, build, and show a whole market on a local network; ARGS="..." goes to the demo
	toolchain/demo $(ARGS)

test: ## everything that has to pass before a change is merged
	toolchain/test

bench: ## speed of hashing, multiplying and checking; ARGS="..." goes to criterion
	cargo bench --locked -p millrace-gemm --benches -- $(ARGS)

scale: ## one oracle with 1,000 to 1,000,000 nodes: writes docs/scale.csv and .svg, fails where 100,000 take too much; SEED=n ARGS="--sizes 1000,3000"
	cargo run --locked --release --quiet -p millrace-scale --bin scale -- --seed $(or $(SEED),1) $(ARGS)

soak: ## a million steps of the state machine, and every planted fault found; SOAK_STEPS=n SEED=n
	toolchain/soak

fuzz: ## hostile bytes for the readers and the verifier of the proof of GPU; FUZZ_SECS=n a target
	toolchain/fuzz

error-rates: ## run every cheat thousands of times and write docs/error-rates.*; SEED=n
	cargo run --locked --quiet -p millrace-cheats --bin error-rates -- --seed $(or $(SEED),1)

program: ## build the on-chain program, and the one its upgrade is tested with, to target/deploy
	toolchain/setup-system
	toolchain/build-program
	toolchain/build-program tests/second-build

idl: ## write idl/millrace.json from the program's source
	cargo run --locked --quiet -p millrace-idl

localnet: ## build the local network's binary and print its path
	localnet/build

anchor: ## anchor build and anchor test, with anchor-cli installed first (11 min once)
	toolchain/anchor

setup: ## only make what building needs: SBF compiler, Python environment, local network
	toolchain/setup

fmt: ## format all Rust code
	cargo fmt --all
	cargo fmt --manifest-path localnet/Cargo.toml
	cargo fmt --manifest-path tests/second-build/Cargo.toml
	cargo fmt --manifest-path crates/gemm/fuzz/Cargo.toml

lint: ## clippy, warnings refused
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## check every crate's source, licence and version
	toolchain/deny

coverage: ## which lines of the program its tests reach; fails below 95%
	toolchain/coverage

ptx: ## compile the GPU's kernels again, after a change of their source; needs no GPU
	toolchain/ptx

gpu-check: ## on a machine with a GPU: are its bits right, how fast is each part; writes docs/measurements
	cargo run --locked --release --quiet -p millrace-gemm --example gpu_check -- docs/measurements

clean: ## remove target/ and .demo/; the cache folder stays (its path is printed)
	rm -rf target .demo
	echo "kept: $(CACHE) (remove it to start over)"
