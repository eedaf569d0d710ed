#!/usr/bin/env bash
# Runs the tests with the native module under AddressSanitizer and UndefinedBehaviorSanitizer, and a program that tests the
# thread pool and the executor under ThreadSanitizer. `make sanitize` calls it; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
cxx=${CXX:-g++}
build=${SANITIZE_BUILD:-$PWD/build/sanitize}
site=$build/site
mkdir -p "$build"
source tools/sanitized_module.sh

threads() {
  local flags=(-std=c++20 -O1 -g -fsanitize=thread -Inative) objects=() isas=(portable)
  case $(uname -m) in
    x86_64) isas=(avx512 avx2 portable) ;;
    aarch64) isas=(neon) ;;
  esac
  for isa in "${isas[@]}"; do
    local target
    read -ra target <<< "$(sed -n "s/^ *recurra_target($isa \(-.*\))/\1/p" CMakeLists.txt | head -n 1)"
    "$cxx" "${flags[@]}" -ffp-contract=fast "${target[@]}" -c "native/targets/$isa.cpp" -o "$build/$isa.o"
    flags+=("-DRECURRA_HAS_${isa^^}")
    objects+=("$build/$isa.o")
  done
  "$cxx" "${flags[@]}" native/tests/pool_test.cpp native/{pool,executor,nats,quantized,check,code,dispatch,probe,tile_permission}.cpp "${objects[@]}" -pthread \
    -o "$build/pool_test"
  # Without address randomisation, as older runtimes of the sanitizer do not know the memory layout of newer kernels.
  TSAN_OPTIONS=halt_on_error=1 setarch -R "$build/pool_test"
}

module() {
  sanitized_module "$python" "$site"
  # The finder of the editable install precedes every path, and would find the module without sanitizers.
  cat > "$site/sitecustomize.py" <<'PYTHON'
import sys

# OpenVINO loads libraries with RTLD_DEEPBIND, for which AddressSanitizer ends the process: pretend that it is not installed.
sys.modules["openvino"] = None

sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "_editable_skbc_recurra"]
PYTHON
}

checked() {
  PYTHONPATH=$site LD_PRELOAD="$("$cxx" -print-file-name=libasan.so) $("$cxx" -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:allocator_may_return_null=1:handle_segv=0 \
  UBSAN_OPTIONS=print_stacktrace=1 "$@"
}

threads
module
checked "$python" -c "
import recurra
from recurra import _native
assert _native.__file__.startswith('$site') and recurra.__file__.startswith('$site'), _native.__file__"
# test_memory is left out: for an array of 8 GB AddressSanitizer itself needs more memory than the test allows. So are the
# tests in a browser, which would run under AddressSanitizer too.
checked "$python" -X faulthandler -m pytest -p no:cacheprovider --ignore tests/browser --deselect tests/model/test_museum.py::test_memory "$@"
