#!/usr/bin/env bash
# Prints the path of the browser for the tests of pages: $CHROMIUM, or the first Chromium or Chrome of the PATH. With the
# argument `install` it first installs Debian's Chromium where there is none and it may, as `make test` asks for.
set -euo pipefail

# Prints the path; fails if there is no browser.
find_browser() {
  local name
  for name in ${CHROMIUM:-chromium chromium-browser google-chrome google-chrome-stable}; do
    command -v "$name" && return
  done
  return 1
}

# Fails if apt-get is missing, or may not install.
install_browser() {
  local may=()
  command -v apt-get > /dev/null || return
  if [[ $EUID != 0 ]]; then
    sudo -n true 2> /dev/null || return
    may=(sudo -n)
  fi
  echo 'Installing Chromium, in which the tests look at pages; it takes a minute' >&2
  "${may[@]}" apt-get -qq update &&
    "${may[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium fonts-dejavu-core > /dev/null
}

find_browser && exit
if [[ -z ${CHROMIUM:-} && ${1:-} == install ]] && install_browser; then
  find_browser && exit
fi
if [[ -n ${CHROMIUM:-} ]]; then
  echo "The tests of pages need a browser, and CHROMIUM=$CHROMIUM is no program." >&2
else
  echo 'The tests of pages need a browser. Run: apt install chromium; or set CHROMIUM to the path of a Chromium or Chrome.' >&2
fi
exit 1
