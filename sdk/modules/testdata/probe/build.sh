#!/bin/sh
# Builds the probes. Usage: sdk/modules/testdata/probe/build.sh [-o DIR] [assemblyscript|c|rust|zig …]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out=$here
if [ "${1:-}" = -o ]; then out=$2; shift 2; fi
if [ $# -eq 0 ]; then set -- assemblyscript c rust zig; fi
for lang in "$@"; do
  case $lang in assemblyscript) ext=ts ;; c) ext=c ;; rust) ext=rs ;; *) ext=$lang ;; esac
  "$here/../../build.sh" "$lang" "$here/probe.$ext" "$out/$lang.wasm"
done
