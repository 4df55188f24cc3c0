# demo: the main job on a real recording, in a virtual environment of its own.    test: all tests.
# fuzz: files that lie or are damaged, for SECONDS.
# explore: tests on examples drawn at random.    endings: signals at random moments.
# sanitize: the C++ kernels, watched for errors of memory and undefined results; with SECONDS it looks further.
# test-arm64: the kernels, the engines and the main job on an emulated ARM64 processor; ARM64='--cpu max' names another.
# audit: known holes in what it is made of, and the list of that.    lock: its checksums.
# bench: each stage, measured.    bench-all: what the pages show, measured again in 15 minutes.
# lint: ruff, clang-format and mypy.
# docs: the site, in build/site, with every link followed.    man: build/echo-rt.1, the manual page.
# models: every shipped model from the data (train/models.mk).    models-precisions: their FP16 and INT8 files alone.
# pictures: those of the pages, by the program itself.
# clean: remove what these make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
SOURCES = pyproject.toml CMakeLists.txt constraints.txt $(wildcard cmake/*) $(wildcard runtime/native/*)

SECONDS ?= 600

.PHONY: demo test fuzz explore endings sanitize test-arm64 audit lock bench bench-all lint docs man models-precisions pictures clean
.DEFAULT_GOAL := demo

# A stamp for each environment: the package is built again when its build files change.
$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "echo-rt: expected Python 3.10 or newer, found " + sys.version.split()[0] + "; name one with make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "echo-rt: python -m venv failed (Debian: apt install python3-venv)"; exit 1; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.venv $(SOURCES)
	@echo "installing the runtime into $(VENV) (a minute or two)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.venv $(SOURCES)
	@echo "installing the runtime, the training module and the test tools into $(VENV) (a few minutes)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime
	@$(BIN)/echo-rt file "$$($(BIN)/python -c 'from pydicom.examples import get_path; print(get_path("ybr_color"))')" --out demo

# In so many processes. Each takes whole files, so that nothing a file makes for its tests is made twice.
PROCESSES ?= 2
test: $(VENV)/.dev
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile $(PYTEST)

# Every mutator of tests/robustness from a seed drawn at random; `make test` replays some seeds of each.
fuzz: $(VENV)/.dev
	@PYTHONPATH=tests $(BIN)/python -m robustness.fuzz --seconds $(SECONDS) $(FUZZ)

# The tests on examples that Hypothesis draws: each time others, where `make test` has the same. What fails is printed with
# what makes it again; it becomes an @example.
explore: $(VENV)/.dev
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=explore $(PYTEST)

SIGNALS ?= 500
endings: $(VENV)/.dev
	@PYTHONPATH=tests $(BIN)/python -m robustness.endings --signals $(SIGNALS)

# The kernels' tests on kernels that AddressSanitizer and UndefinedBehaviorSanitizer watch, then libFuzzer on each kernel.
SANITIZE = build/sanitize
$(SANITIZE)/.module: $(VENV)/.dev $(SOURCES)
	@CXX=g++ $(PIP) --no-deps --upgrade --target $(SANITIZE)/site -C build-dir=$(SANITIZE)/cmake \
	  -C cmake.build-type=RelWithDebInfo -C cmake.define.ECHO_RT_SANITIZE=ON -C cmake.define.ECHO_RT_CUDA=OFF .
	@touch $@

include tests/robustness/native/fuzz.mk

sanitize: $(SANITIZE)/.module
	@if command -v $(CLANG) >/dev/null; then $(MAKE) --no-print-directory --jobs 4 $(FUZZER); \
	  else echo "no $(CLANG) (Debian: apt install clang libclang-rt-dev): libFuzzer is left out"; fi
	@PYTHONPATH=tests $(BIN)/python -m robustness.sanitize $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

test-arm64: $(VENV)/.dev
	@PYTHONPATH=tests nice -n 19 $(BIN)/python -m arm64.run $(ARM64)

# In an environment of their own, for they bring libraries of their own. The SBOM is CycloneDX: build/sbom.json.
# --strict: a library that the index does not know was not looked at, and fails the target.
AUDIT = build/audit
$(AUDIT)/.tools:
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet 'pip-audit>=2.7' 'cyclonedx-bom>=5' 'uv>=0.5'
	@touch $@

audit: $(AUDIT)/.tools $(VENV)/.runtime
	@$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file build/sbom.json
	@$(AUDIT)/bin/pip-audit --requirement requirements.lock --disable-pip --require-hashes --strict
	@$(AUDIT)/bin/pip-audit --requirement constraints.txt --disable-pip --no-deps --strict

# Checksums cannot stand in constraints.txt: pip would then refuse `--editable .`, which has none.
lock: $(AUDIT)/.tools
	@{ sed -n 1p requirements.lock; $(AUDIT)/bin/uv pip compile pyproject.toml --extra web --extra igtl --extra reports --extra node --extra archive \
	  --generate-hashes \
	  --constraint constraints.txt --python-version 3.11 --no-header --no-annotate --quiet; } >build/requirements.lock
	@mv build/requirements.lock requirements.lock

# Every stage, measured; `make test` only sees that they run.
bench: $(VENV)/.dev
	@$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only --benchmark-columns=min,median,iqr,ops

# On a quiet machine: it writes benchmarks/results and the tables of the pages. BENCH='engines soak' measures these alone.
bench-all: $(VENV)/.dev
	@$(BIN)/python benchmarks/run_all.py $(BENCH)

lint: $(VENV)/.dev
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/clang-format --dry-run --Werror $(wildcard runtime/native/*.* $(addprefix tests/,support/*.?pp robustness/native/*.?pp))
	@$(BIN)/mypy

# Nothing is fetched: neither here nor by whoever reads the site. To search in it: python -m http.server -d build/site
docs: $(VENV)/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build
	@$(BIN)/python docs/building/check_links.py build/site

man: $(VENV)/.dev
	@mkdir -p build
	@$(BIN)/python docs/building/command_page.py >build/echo-rt.1

# Each passes the parity gate against its FP32 file, or the target fails. Of FP16 git keeps the recipe alone.
models-precisions: $(VENV)/.dev
	@set -e; for full in models/*.fp32.onnx; do name=$${full%.fp32.onnx}; for precision in fp16 int8; do \
	  $(BIN)/echo-rt export onnx $$full --precision $$precision -o $$name.$$precision.onnx; done; \
	  $(BIN)/python -c 'import sys, echo_rt.model as m; print(m.read_spec(sys.argv[1]).to_json())' $$name.fp16.onnx \
	  | $(BIN)/python -m json.tool --indent 1 --no-ensure-ascii - $$name.fp16.json; done

# In Chromium; PICTURES='live report' makes some of them.
pictures: $(VENV)/.dev
	@$(BIN)/python docs/building/pictures.py $(PICTURES)

include train/models.mk

clean:
	rm -rf $(VENV) build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
