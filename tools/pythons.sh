#!/usr/bin/env bash
# Runs the tests with other Pythons; each has the package in its own environment. `make pythons` calls it. PYTHONS names the
# interpreters; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
pythons=${PYTHONS:-python3.10 python3.12 python3.13 python3.14}
export PIP_CONSTRAINT=$PWD/constraints.txt PIP_BUILD_CONSTRAINT=$PWD/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=() missing=()

for python in $pythons; do
  if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    missing+=("$python")
    continue
  fi
  "$python" -V
  "$python" -m venv --clear "$work/venv"
  "$work/venv/bin/python" -m pip install --quiet '.[torch,cli,onnx,dev]'
  "$work/venv/bin/python" -m pytest -n 2 -p no:cacheprovider "$@"
  tried+=("$python")
done

echo "Tested with: ${tried[*]:-none}. Not found: ${missing[*]:-none}."
[[ ${#tried[@]} -gt 0 ]]
