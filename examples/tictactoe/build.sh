#!/bin/sh
# Builds the module of each language named, or of all four. Usage: examples/tictactoe/build.sh [-o DIR] [assemblyscript|c|rust|zig …]
# Without -o the files go beside this script. A language whose compiler is missing is skipped, and the exit code is 3.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out=$here
if [ "${1:-}" = -o ]; then out=$2; shift 2; fi
if [ $# -eq 0 ]; then set -- assemblyscript c rust zig; fi
missing=0
for lang in "$@"; do
  case $lang in
    assemblyscript) source=index.ts ;;
    c) source=tictactoe.c ;;
    rust) source=lib.rs ;;
    zig) source=main.zig ;;
    *) echo "unknown language $lang; known are assemblyscript, c, rust, zig" >&2; exit 2 ;;
  esac
  status=0
  "$here/../../sdk/modules/build.sh" "$lang" "$here/$lang/$source" "$out/$lang.wasm" || status=$?
  if [ "$status" -eq 3 ]; then missing=3; elif [ "$status" -ne 0 ]; then exit "$status"; fi
done
exit "$missing"
