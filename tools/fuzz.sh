#!/usr/bin/env bash
# Runs every native fuzz target of the module for the time given (default 20s), one after the other.
set -euo pipefail
time=${1:-20s}
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $target"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 200x
  done
done
