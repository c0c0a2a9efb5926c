# The commands to remember: `make run` and `make test`. Both install what they need first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed
# What looks at the template, and the AWS CLI: their pins do not go together with the project's own.
TOOLS := .venv-infrastructure/bin
TOOLS_INSTALLED := .venv-infrastructure/installed
TEMPLATE := infrastructure/template.yaml

SAMPLE = $(abspath $(or $(WORKFLOWS_HOME),.workflows))/samples/birds/CUB_200_2011
# One picture of each species that was not trained on.
FIRST_HELD_OUT = NR == FNR { held[$$1] = !$$2; next } held[$$1] { split($$2, part, "/"); if (!seen[part[1]]++) print $$2 }

# A failure is found again by the seed, which make prints with the command.
FUZZ_SCALE ?= 40
FUZZ_SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
fuzz: FUZZ_SEED := $(FUZZ_SEED)

# Each is a requirement file in tests/clients/requirements, and an environment that nothing else is in.
CLIENTS := aws-cli-v1 sdk-v2
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: run test check infrastructure-check chaos clients fuzz benchmarks screenshots lock clean

run: $(INSTALLED)  ## the whole bird-detection pipeline, on drawn pictures, in minutes
	$(BIN)/workflows run birds-detection --profile sample
	awk '$(FIRST_HELD_OUT)' $(SAMPLE)/train_test_split.txt $(SAMPLE)/images.txt | sed 's|^|$(SAMPLE)/images/|' \
		| xargs $(BIN)/workflows predict birds-detection

test: check infrastructure-check  ## lint, types, import contracts, the template, tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

infrastructure-check: $(TOOLS_INSTALLED)  ## cfn-lint and checkov; suppressions stand in the template, with reasons
	$(TOOLS)/cfn-lint $(TEMPLATE)
	$(TOOLS)/checkov --quiet --compact --skip-download --framework cloudformation --file $(TEMPLATE)

chaos: $(INSTALLED)  ## kill runs at 60 random moments, resume them, compare with an undisturbed run
	$(BIN)/python -m tests.chaos.storm --moments 60

clients: $(INSTALLED) $(CLIENTS:%=.clients/%/installed)  ## the AWS CLI and the SageMaker SDKs, as they are, against `workflows serve`
	$(BIN)/python -m pytest tests/clients -m '' -n 2 --dist loadfile

fuzz: $(INSTALLED)  ## hostile requests: FUZZ_SCALE times those of the tests, each time others
	FUZZ_SCALE=$(FUZZ_SCALE) $(BIN)/python -m pytest tests/server/fuzz --hypothesis-seed=$(FUZZ_SEED)

benchmarks: $(INSTALLED)  ## ratios, each in one run
	$(BIN)/python -m benchmarks.preparation_speed
	$(BIN)/python -m benchmarks.list_memory
	$(BIN)/python -m benchmarks.training_speed
	$(BIN)/python -m benchmarks.classification_speed
	$(BIN)/python -m benchmarks.engine_overhead
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.preflight
	$(BIN)/python -m benchmarks.inspect_speed
	$(BIN)/python -m benchmarks.copies_found
	$(BIN)/python -m benchmarks.channel_without_copy
	$(BIN)/python -m benchmarks.api_latency
	$(BIN)/python -m benchmarks.object_transfer
	$(BIN)/python -m benchmarks.endpoint_throughput

screenshots: $(INSTALLED)  ## docs/pictures/page-*.png, of a real run; needs chromium and chromium-driver
	$(BIN)/python -m tests.server.page.screenshots

lock: $(INSTALLED)  ## pin what pyproject.toml allows, the tools, and the clients of the tests, with digests
	$(COMPILE) --all-extras --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file infrastructure/requirements.txt infrastructure/requirements.in
	for name in $(CLIENTS:%=tests/clients/requirements/%); do \
		$(COMPILE) --output-file $$name.txt $$name.in || exit 1; \
	done

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	touch $(INSTALLED)

$(TOOLS_INSTALLED): infrastructure/requirements.txt
	$(PYTHON) -m venv .venv-infrastructure
	$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

.clients/%/installed: tests/clients/requirements/%.txt
	$(PYTHON) -m venv .clients/$*
	.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

clean:
	rm -rf .venv .venv-infrastructure .clients
