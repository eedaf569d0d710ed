# Sourced by what runs under AddressSanitizer.

# The whole project once more, in a folder of its own, its native module with the checks in it.
sanitized_module() {
  local python=$1 site=$2
  rm -rf "$site"
  CXXFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" \
  PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps -C cmake.build-type=RelWithDebInfo \
    --target "$site" .
}
