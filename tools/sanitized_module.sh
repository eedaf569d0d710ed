# Sourced by scripts that run recurra under AddressSanitizer.

# Installs the whole project into a folder of its own, with the sanitizers' checks in its native module.
sanitized_module() {
  local python=$1 site=$2
  rm -rf "$site"
  CXXFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" \
  PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps -C cmake.build-type=RelWithDebInfo \
    --target "$site" .
}
