#!/bin/sh
# Builds __NAME__.wasm. Usage: ./build.sh [output.wasm]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
CHANNELS_ROOT=$here exec "$here/sdk/build.sh" assemblyscript "$here/src/index.ts" "${1:-$here/__NAME__.wasm}"
