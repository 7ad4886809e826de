#!/usr/bin/env bash
# Checks for what the Makefile cannot install itself, and says how to get it.
set -u
fail=0
need() { # name, found version, wanted major.minor, where from
  local name=$1 found=$2 want=$3 from=$4
  if [ -z "$found" ]; then
    echo "op-channels needs $name $want or newer: $from" >&2
    fail=1
  elif [ "$(printf '%s\n%s\n' "$want" "$found" | sort -V | head -1)" != "$want" ]; then
    echo "op-channels needs $name $want or newer, this is $found: $from" >&2
    fail=1
  fi
}
need Go "$(go env GOVERSION 2>/dev/null | sed 's/^go//')" 1.26 "https://go.dev/dl"
need Node.js "$(node --version 2>/dev/null | sed 's/^v//')" 20.0 "https://nodejs.org"
need npm "$(npm --version 2>/dev/null)" 9.0 "it comes with Node.js"
if ! command -v gcc >/dev/null && ! command -v cc >/dev/null; then
  echo "note: without a C compiler signatures are checked in pure Go, several times slower (Debian: apt-get install gcc)" >&2
fi
exit $fail
