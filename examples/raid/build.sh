#!/bin/sh
# Builds the raid's module. Usage: examples/raid/build.sh [output.wasm [output.wat]], from anywhere; needs `make deps` once.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
out=${1:-examples/raid/raid.wasm}
if [ $# -ge 2 ]; then set -- --textFile "$2"; else set --; fi
exec node_modules/.bin/asc examples/raid/assembly/index.ts \
  --outFile "$out" "$@" \
  --runtime stub -O3s --noAssert \
  --initialMemory 1 --maximumMemory 1 \
  --use abort=examples/raid/assembly/channel/host/abort
