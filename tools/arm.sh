#!/usr/bin/env bash
# Builds the native module for aarch64, and runs the tests that tools/arm/tests lists with Debian 12's Python for arm64,
# emulated. `make arm` calls it; arguments go to pytest. It needs neither root nor .venv nor torch, and writes to build/arm
# alone.
#
# Debian is unpacked there, not booted. Each of its programs runs under qemu-aarch64-static, which looks for files in that
# folder first. So it works in containers, and on kernels without a handler (binfmt_misc) for other processors' programs.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/arm
root=$build/root     # Debian for arm64
venv=$build/venv     # recurra and safetensors, for Debian's Python
tools=$build/tools   # CMake and nanobind, for this machine
python=$venv/bin/python
compiler=aarch64-linux-gnu
packages=(python3 python3-numpy python3-pytest python3-pytest-xdist python3-hypothesis libpython3-dev libstdc++6)
export PIP_CONSTRAINT=$PWD/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1

# Prints the missing packages, and how to install them, in one line.
check() {
  local missing=()
  if [[ $(. /etc/os-release && echo "$ID-$VERSION_ID") != debian-12 ]]; then
    echo 'make arm needs Debian 12: it takes the packages of the machine that it runs on, for another processor' >&2
    exit 1
  fi
  command -v qemu-aarch64-static > /dev/null || missing+=(qemu-user-static)
  command -v $compiler-g++ > /dev/null || missing+=(g++-$compiler)
  python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
  if [[ ${#missing[@]} != 0 ]]; then
    echo "make arm cannot begin yet. Run: apt install ${missing[*]}" >&2
    exit 1
  fi
}

# Downloads Debian's packages for arm64 with their dependencies, from this machine's package sources.
fetch_debian() {
  local apt=$build/apt folder package options
  if [[ -e $root/complete && $(< "$root/complete") == "${packages[*]}" ]]; then return; fi
  echo 'Fetching Debian for arm64'
  rm -rf "$root" "$apt"
  mkdir -p "$root"/usr/{bin,sbin,lib} "$apt"/{state/lists,cache/archives}/partial
  : > "$apt/status"
  printf 'Package: *\nPin: release o=Debian\nPin-Priority: 500\n\nPackage: *\nPin: release o=*\nPin-Priority: -1\n' \
    > "$apt/preferences"
  options=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=false
    -o APT::Sandbox::User=root -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o Dir::Etc::Preferences="$apt/preferences" -o Debug::NoLocking=true)
  apt-get "${options[@]}" update > "$apt/log"
  apt-get "${options[@]}" install --yes --download-only "${packages[@]}" >> "$apt/log"
  for folder in bin sbin lib; do ln -s "usr/$folder" "$root/$folder"; done
  for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
  done
  ln -s blas/libblas.so.3 lapack/liblapack.so.3 "$root/usr/lib/$compiler/" # as the packages' own scripts do
  echo "${packages[*]}" > "$root/complete"
}

# Makes an environment whose interpreter is a script that starts Debian's Python, which takes the script for itself. Debian
# 12 has no package of safetensors and an older hypothesis, so their wheels are installed.
make_environment() {
  if [[ -e $venv/complete && ! constraints.txt -nt $venv/complete ]]; then return; fi
  rm -rf "$venv" "$tools"
  mkdir -p "$venv/bin"
  printf 'home = %s/usr/bin\ninclude-system-site-packages = true\n' "$root" > "$venv/pyvenv.cfg"
  printf '#!/bin/sh\nexec qemu-aarch64-static -L "%s" -0 "%s" "%s" "$@"\n' "$root" "$python" "$root/usr/bin/python3" > "$python"
  chmod +x "$python"
  python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet cmake nanobind
  "$tools/bin/python" -m pip install --quiet --no-deps --only-binary :all: --platform manylinux2014_aarch64 \
    --python-version 3.11 --target "$venv/lib/python3.11/site-packages" safetensors hypothesis
  mkdir "$tools/for_arm" # the tests call a compiler by these names
  ln -s "$(command -v $compiler-g++)" "$tools/for_arm/g++"
  ln -s "$(command -v $compiler-nm)" "$tools/for_arm/nm"
  touch "$venv/complete"
}

build_module() {
  local site=$venv/lib/python3.11/site-packages nanobind
  nanobind=$("$tools/bin/python" -m nanobind --cmake_dir)
  "$tools/bin/cmake" -S . -B "$build/native" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=$compiler-g++ -DCMAKE_CXX_FLAGS="-idirafter $root/usr/include" \
    -DPython_EXECUTABLE="$python" -DPython_INCLUDE_DIR="$root/usr/include/python3.11" -Dnanobind_DIR="$nanobind" > /dev/null
  "$tools/bin/cmake" --build "$build/native" --parallel "$(nproc)"
  rm -rf "$site/recurra"
  cp -r src/recurra "$build"/native/_native*.so "$site/"
  mv "$site"/_native*.so "$site/recurra/"
}

versions() {
  qemu-aarch64-static --version | head -n 1
  "$python" - <<'PYTHON'
import platform

import hypothesis
import numpy
import pytest

from recurra import _native

assert _native.cpu()["architecture"] == platform.machine() == "aarch64"
print(f"Python {platform.python_version()}, numpy {numpy.__version__}, pytest {pytest.__version__},", end=" ")
print(f"hypothesis {hypothesis.__version__}; native module by {_native.compiler()}, runs {_native.active_isa()}")
PYTHON
}

# Checks that older processors run the sets that they have: this one has no dot products, the next no bfloat16.
check_older_processors() {
  local choice
  for choice in cortex-a57:neon cortex-a76:neon_dot max:neon_bf16; do
    [[ $(QEMU_CPU=${choice%:*} "$python" -c 'from recurra import _native; print(_native.active_isa())') == "${choice#*:}" ]] ||
      { echo "a ${choice%:*} does not run ${choice#*:}" >&2; exit 1; }
  done
}

check
fetch_debian
make_environment
build_module
versions
check_older_processors
mapfile -t tests < tools/arm/tests
PATH=$tools/for_arm:$PATH
run_tests() { "$python" -m pytest -c tools/arm/pytest.ini --rootdir=. -q -n "$(nproc)" "$@"; }
for isa in neon_dot neon; do
  RECURRA_ISA=$isa run_tests tests/engines/native/test_{rounding,integers,ranged}.py
done
run_tests "${tests[@]}" "$@"
