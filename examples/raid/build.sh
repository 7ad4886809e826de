#!/bin/sh
# Builds the raid's module. Usage: examples/raid/build.sh [output], from anywhere; needs `npm ci` once.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
exec node_modules/.bin/asc examples/raid/assembly/index.ts \
  --outFile "${1:-examples/raid/raid.wasm}" \
  --runtime stub -O3s --noAssert \
  --initialMemory 1 --maximumMemory 4 \
  --use abort=examples/raid/assembly/channel/host/abort
