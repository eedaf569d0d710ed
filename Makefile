# A fresh machine needs python3 (3.10 or later) with its venv and headers, a C++ compiler and make. pip installs everything
# else into .venv, including CMake.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
COMPARED := .venv/installed-bench
COMPAT := build/compat
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*.* native/*/*.*)

# If PYTHON is given (PYTHON=python3.12 make test), a .venv of another interpreter is replaced.
VERSION := import sys; print(*sys.version_info[:3], sep=".")
ifneq ($(origin PYTHON),file)
ifneq ($(shell { "$(PYTHON)" -c '$(VERSION)'; } 2>/dev/null),$(shell { $(BIN)/python -c '$(VERSION)'; } 2>/dev/null))
ANOTHER := another-python
endif
endif

# Prints the missing packages, and how to install them, in one line.
define CHECK
import importlib.util, os, pathlib, shutil, sys, sysconfig
if sys.version_info < (3, 10):
    sys.exit("recurra needs Python 3.10 or later; %s is %s. Name another: PYTHON=python3.12 make" % (sys.executable, sys.version.split()[0]))
python = "python%d.%d" % sys.version_info[:2]
missing = []
if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
    missing.append(python + "-venv")
if not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists():
    missing.append(python + "-dev")
if not any(shutil.which(compiler.split()[0]) for compiler in (os.environ.get("CXX") or "c++", "c++", "g++", "clang++")):
    missing.append("g++")
if missing:
    sys.exit("recurra cannot be built yet. Run: apt install " + " ".join(missing))
endef
export CHECK

.PHONY: help build browser demo docs bench bench-zoo bench-load test quick compat pythons explore lint sanitize fuzz gpu-compile wheel arm clean another-python

help:
	@echo 'make build   set up .venv and build the native module (most others do this by themselves)'
	@echo 'make demo    show what recurra does'
	@echo 'make docs    build the documentation into build/docs; begin with index.html'
	@echo 'make bench   time recurra beside other libraries; installs them first'
	@echo 'make bench-zoo  time every cell of the zoo beside a plain loop and torchrecurrent; takes long'
	@echo 'make bench-load  the same as bench on a machine that others keep busy'
	@echo 'make test    lint, then all the tests; the slowest are listed'
	@echo 'make quick   the tests that take no longer than some five seconds each'
	@echo 'make compat  tests beside neuralforecast, darts, gluonts, Resemblyzer, Keras and g2p_en, in an environment of their own'
	@echo 'make pythons the tests with each other Python that is found: python3.10, 3.12, 3.13, 3.14'
	@echo 'make explore the tests on random examples, with new ones: what they fail on is kept in .hypothesis and tried first'
	@echo 'make lint    ruff, mypy, clang-format and typos'
	@echo 'make sanitize  the tests under the compiler'"'"'s sanitizers; takes long'
	@echo 'make fuzz    broken files and programs under AddressSanitizer, for BUDGET=300 seconds'
	@echo 'make gpu-compile  the GPU kernels of the zoo, compiled without a GPU; takes long'
	@echo 'make wheel   a wheel for this platform in dist, checked and tested without torch'
	@echo 'make arm     the native module for aarch64, and its tests under emulation; on Debian 12'
	@echo 'make clean   remove .venv, build and caches'
	@echo
	@echo 'PYTHON=python3.12 make … uses another interpreter.'

build: $(INSTALLED)

# The constraints are environment variables, so that they also hold for the packages that build the native module. Older
# and newer versions of pip read different variables.
$(INSTALLED): $(SOURCES) $(ANOTHER)
	@command -v "$(PYTHON)" >/dev/null || { echo 'There is no $(PYTHON) here. Run: apt install python3 python3-venv python3-dev' >&2; exit 1; }
	@"$(PYTHON)" -c "$$CHECK"
	$(if $(ANOTHER),rm -rf .venv)
	@$(BIN)/python -c 'import pip' 2>/dev/null || { echo 'Making .venv with $(PYTHON)'; "$(PYTHON)" -m venv --clear .venv; }
	@echo 'Installing recurra and what it needs into .venv; the first time takes some minutes'
	PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[torch,cli,bpe,onnx,docs,dev]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/recurra demo

# A warning is an error: a name that does not exist, a link that leads nowhere. `make test` builds the same site elsewhere.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -b html -c tools/site -d build/docs-cache -W --keep-going -q docs build/docs
	@echo 'The documentation is build/docs/index.html'

# The other libraries are large and needed for benchmarks alone, so the first run installs them.
bench: $(COMPARED)
	@$(BIN)/python -m benchmarks.results

# Every cell at two sizes, in inference and training; writes the figures that docs/zoo.md shows.
bench-zoo: $(COMPARED)
	@$(BIN)/python -m benchmarks.zoo --write
	@$(BIN)/python -m tests.zoo_page

# Times layers beside other processes that keep the processors busy.
bench-load: $(COMPARED)
	@$(BIN)/python -m benchmarks.load

$(COMPARED): $(INSTALLED)
	@echo 'Installing the libraries to compare with into .venv; the first time takes some minutes'
	PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

test: lint browser
	$(BIN)/python -m pytest -n 2 --durations=25

quick: $(INSTALLED) browser
	$(BIN)/python -m pytest -n 2 -m 'not slow and not compat'

# The tests open pages in a browser.
browser:
	@tools/browser.sh install > /dev/null

# The libraries on whose models these tests run are large, and need older versions of packages: they stay out of .venv.
compat: $(COMPAT)/installed
	KERAS_BACKEND=torch $(COMPAT)/bin/python -m pytest -m compat --durations=25 $$(grep -rl --include='*.py' 'mark\.compat' tests)

$(COMPAT)/installed: $(SOURCES) tools/compat.txt
	@"$(PYTHON)" -c "$$CHECK"
	"$(PYTHON)" -m venv --clear $(COMPAT)
	@echo 'Installing recurra and the libraries into $(COMPAT); it takes some minutes'
	PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(COMPAT)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[torch]' -r tools/compat.txt
	@touch $@

# Each Python has its own environment. PYTHONS names other interpreters.
pythons: browser
	PYTHONS="$(PYTHONS)" tools/pythons.sh

# `make test` draws the same random examples in every run, so that a failure is due to a change; here they are new each time.
explore: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile explore

lint: $(INSTALLED)
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/clang-format --dry-run -Werror $(wildcard native/*.h native/*.cpp native/*.inl native/*/*.cpp)
	$(BIN)/typos

# Finds faults that tests alone do not: reads and writes outside of arrays, undefined behaviour, races between threads.
sanitize: $(INSTALLED)
	tools/sanitize.sh

# Compiles the GPU kernels of the zoo for three generations of GPUs, none of which must be there; takes about an hour on two
# cores. CELLS="lstm gru" compiles some. What is compiled stays in build/gpu-compile, so that a stopped run goes on.
gpu-compile: $(INSTALLED)
	TRITON_CACHE_DIR=$(CURDIR)/build/gpu-compile $(BIN)/python -m tests.engines.triton.compiling $(if $(CELLS),--cells $(CELLS))

# Feeds readers of files with nearly right inputs, for this number of seconds. The first run builds a module: some minutes.
BUDGET ?= 300
fuzz: $(INSTALLED)
	tools/fuzz.sh $(BUDGET)

# tools/wheel.sh makes its own environments: neither .venv nor torch is needed.
wheel:
	@"$(PYTHON)" -c "$$CHECK"
	PYTHON="$(PYTHON)" tools/wheel.sh

# tools/arm.sh fetches a Python for the other processor.
arm:
	@tools/arm.sh

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
