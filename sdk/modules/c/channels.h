// The SDK for modules of channels, in C11. One header, no library: include it in the one file of the module and build
// with sdk/modules/build.sh. What each part does is said once for all languages in sdk/modules/README.md.
//
// A module defines ch_init, ch_reduce and ch_effects with CH_EXPORT; the header exports allocate and the memory.
#ifndef CHANNELS_H
#define CHANNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(void *) == 4, "build with --target=wasm32-unknown-unknown");

#define CH_EXPORT(name) __attribute__((export_name(name), used))
#define CH_IMPORT(name) __attribute__((import_module("channels"), import_name(name)))

// ---- host ------------------------------------------------------------------------------------------------------

CH_IMPORT("keccak256") void ch_host_keccak256(const void *ptr, uint32_t len, void *out);
CH_IMPORT("emit") void ch_host_emit(const void *ptr, uint32_t len);
CH_IMPORT("log") void ch_host_log(const void *ptr, uint32_t len);
CH_IMPORT("reject") void ch_host_reject(const void *ptr, uint32_t len);

// keccak256 of len bytes at ptr, written to the 32 bytes at out.
static inline void ch_keccak256(const void *ptr, uint32_t len, void *out) { ch_host_keccak256(ptr, len, out); }

// Hands bytes to whoever watches the derivation. Never part of the state.
static inline void ch_emit(const void *ptr, uint32_t len) { ch_host_emit(ptr, len); }

static inline uint32_t ch_length(const char *text) {
  uint32_t n = 0;
  while (text[n] != 0) n++;
  return n;
}

// Writes a line for the module's developer. ASCII only. Never part of the state.
static inline void ch_log(const char *message) { ch_host_log(message, ch_length(message)); }

// Refuses the event: the call ends here and the state stays as it was. ASCII, at most 256 characters; players read it.
__attribute__((noreturn, noinline)) static void ch_reject(const char *reason) {
  ch_host_reject(reason, ch_length(reason));
  __builtin_trap();
}

extern unsigned char __heap_base; // from the linker: the first byte behind stack and data
static uintptr_t ch_free;

// Memory for len bytes, all zero, aligned to 8. Every call starts from the same snapshot, so nothing is ever freed. The
// memory grows at need, up to the module's own maximum; beyond that the call traps.
CH_EXPORT("allocate") void *ch_allocate(uint32_t len) {
  if (ch_free == 0) ch_free = ((uintptr_t)&__heap_base + 7) & ~(uintptr_t)7;
  uintptr_t at = ch_free;
  uint64_t end = ((uint64_t)at + len + 7) & ~(uint64_t)7;
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (uint32_t)((end - have + 0xffff) >> 16)) == (size_t)-1) __builtin_trap();
  ch_free = (uintptr_t)end;
  return (void *)at;
}

// The answer of a call: ptr << 32 | len.
static inline uint64_t ch_answer(const void *ptr, uint32_t len) { return (uint64_t)(uintptr_t)ptr << 32 | len; }

// ---- bytes -----------------------------------------------------------------------------------------------------

static inline uint16_t ch_load16(const void *at) { uint16_t v; __builtin_memcpy(&v, at, 2); return v; }
static inline uint32_t ch_load32(const void *at) { uint32_t v; __builtin_memcpy(&v, at, 4); return v; }
static inline uint64_t ch_load64(const void *at) { uint64_t v; __builtin_memcpy(&v, at, 8); return v; }
static inline void ch_store16(void *at, uint16_t v) { __builtin_memcpy(at, &v, 2); }
static inline void ch_store32(void *at, uint32_t v) { __builtin_memcpy(at, &v, 4); }
static inline void ch_store64(void *at, uint64_t v) { __builtin_memcpy(at, &v, 8); }
static inline void ch_copy(void *to, const void *from, uint32_t len) { __builtin_memcpy(to, from, len); }

// The bytes of v in the opposite order, in fewer steps than the compiler's: bytes in pairs, then pairs in eights.
static inline uint64_t ch_reversed(uint64_t v) {
  uint64_t pairs = (v & 0x00ff00ff00ff00ff) << 8 | (v >> 8 & 0x00ff00ff00ff00ff);
  uint64_t a = pairs & 0x0000ffff0000ffff, b = pairs << 16 | pairs >> 48;
  return (a >> 16 | a << 48) | (b & 0x0000ffff0000ffff);
}

// The first len bytes at a and b are the same.
static inline bool ch_same(const void *a, const void *b, uint32_t len) {
  const uint8_t *x = a, *y = b;
  for (uint32_t i = 0; i < len; i++)
    if (x[i] != y[i]) return false;
  return true;
}

// The len bytes at at spell text.
static inline bool ch_spells(const void *at, uint32_t len, const char *text) {
  return len == ch_length(text) && ch_same(at, text, len);
}

// ---- ABI -------------------------------------------------------------------------------------------------------

// A view of the words that Solidity's abi.encode wrote. base is where offsets inside it count from.
typedef struct { const uint8_t *base, *end; } ch_abi;

// Word index.
static const uint8_t *ch_abi_word(ch_abi r, uint32_t index) {
  uint64_t at = (uint64_t)(uintptr_t)r.base + ((uint64_t)index << 5);
  if (at + 32 > (uintptr_t)r.end) ch_reject("the input ends too early");
  return (const uint8_t *)(uintptr_t)at;
}

// Word index as an integer below 2^32: nothing that a module counts is larger.
static uint32_t ch_abi_uint(ch_abi r, uint32_t index) {
  const uint8_t *at = ch_abi_word(r, index);
  if ((ch_load64(at) | ch_load64(at + 8) | ch_load64(at + 16) | ch_load32(at + 24)) != 0) ch_reject("an integer is too large");
  return __builtin_bswap32(ch_load32(at + 28));
}

// What the offset in word index points to.
static inline ch_abi ch_abi_tail(ch_abi r, uint32_t index) {
  uint64_t at = (uint64_t)(uintptr_t)r.base + ch_abi_uint(r, index);
  if (at > (uintptr_t)r.end) ch_reject("the input ends too early");
  return (ch_abi){(const uint8_t *)(uintptr_t)at, r.end};
}

// The same view without its first words: elements of an array after its length.
static inline ch_abi ch_abi_skip(ch_abi r, uint32_t words) {
  ch_abi_word(r, words - 1);
  return (ch_abi){r.base + ((uintptr_t)words << 5), r.end};
}

// The content of a `bytes` whose length is word 0.
static inline const uint8_t *ch_abi_bytes(ch_abi r) {
  uint64_t at = (uint64_t)(uintptr_t)r.base + 32;
  if (at + ch_abi_uint(r, 0) > (uintptr_t)r.end) ch_reject("the input ends too early");
  return (const uint8_t *)(uintptr_t)at;
}

// Writes an integer as a word over 32 zero bytes and gives the address after it.
static inline uint8_t *ch_put_uint(uint8_t *at, uint64_t value) {
  ch_store64(at + 24, ch_reversed(value));
  return at + 32;
}

// Writes the 20 bytes of an address as a word over 32 zero bytes and gives the address after it.
static inline uint8_t *ch_put_address(uint8_t *at, const uint8_t *from) {
  ch_copy(at + 12, from, 20);
  return at + 32;
}

// ---- MessagePack -----------------------------------------------------------------------------------------------

// A strict reader of the part of MessagePack that payloads and configurations need: unsigned integers of any width,
// booleans, strings, byte strings, arrays, maps. Anything else is refused, and every refusal is a rejection of the event.
typedef struct {
  const uint8_t *start; // the last string or byte string read
  uint32_t length;
  const uint8_t *at, *end;
} ch_msgpack;

static inline ch_msgpack ch_msgpack_open(const uint8_t *ptr, uint32_t len) { return (ch_msgpack){0, 0, ptr, ptr + len}; }

// size bytes as a big-endian integer.
static uint64_t ch_msgpack_take(ch_msgpack *r, uint32_t size) {
  if (size > (uint32_t)(r->end - r->at)) ch_reject("the input ends too early");
  uint64_t v = 0;
  for (uint32_t i = 0; i < size; i++) v = v << 8 | r->at[i];
  r->at += size;
  return v;
}

static inline void ch_msgpack_content(ch_msgpack *r, uint64_t length) {
  if (length > (uint32_t)(r->end - r->at)) ch_reject("the input ends too early");
  r->start = r->at;
  r->length = (uint32_t)length;
  r->at += r->length;
}

// An unsigned integer not above max.
static inline uint64_t ch_msgpack_uint(ch_msgpack *r, uint64_t max) {
  uint32_t tag = (uint32_t)ch_msgpack_take(r, 1);
  uint64_t v = tag;
  if (tag > 0x7f) {
    if (tag >= 0xcc && tag <= 0xcf) {
      v = ch_msgpack_take(r, 1u << (tag - 0xcc));
    } else if (tag >= 0xd0 && tag <= 0xd3) {
      uint32_t size = 1u << (tag - 0xd0);
      v = ch_msgpack_take(r, size);
      if (v >> (size * 8 - 1)) ch_reject("expected an unsigned integer");
    } else {
      ch_reject("expected an unsigned integer");
    }
  }
  if (v > max) ch_reject("an integer is too large");
  return v;
}

static inline bool ch_msgpack_bool(ch_msgpack *r) {
  uint32_t tag = (uint32_t)ch_msgpack_take(r, 1);
  if (tag != 0xc2 && tag != 0xc3) ch_reject("expected true or false");
  return tag == 0xc3;
}

// A string; see start and length.
static inline void ch_msgpack_string(ch_msgpack *r) {
  uint32_t tag = (uint32_t)ch_msgpack_take(r, 1);
  if (tag >= 0xa0 && tag <= 0xbf) ch_msgpack_content(r, tag & 31);
  else if (tag >= 0xd9 && tag <= 0xdb) ch_msgpack_content(r, ch_msgpack_take(r, 1u << (tag - 0xd9)));
  else ch_reject("expected a string");
}

// A byte string; see start and length.
static inline const uint8_t *ch_msgpack_bytes(ch_msgpack *r) {
  uint32_t tag = (uint32_t)ch_msgpack_take(r, 1);
  if (tag < 0xc4 || tag > 0xc6) ch_reject("expected bytes");
  ch_msgpack_content(r, ch_msgpack_take(r, 1u << (tag - 0xc4)));
  return r->start;
}

// A byte string of exactly 32 bytes.
static inline const uint8_t *ch_msgpack_bytes32(ch_msgpack *r) {
  const uint8_t *at = ch_msgpack_bytes(r);
  if (r->length != 32) ch_reject("expected 32 bytes");
  return at;
}

static inline uint32_t ch_msgpack_count(ch_msgpack *r, uint32_t fix, uint32_t wide, uint32_t max, const char *otherwise) {
  uint32_t tag = (uint32_t)ch_msgpack_take(r, 1);
  uint64_t n = 0;
  if ((tag & 0xf0) == fix) n = tag & 15;
  else if (tag == wide) n = ch_msgpack_take(r, 2);
  else if (tag == wide + 1) n = ch_msgpack_take(r, 4);
  else ch_reject(otherwise);
  if (n > max) ch_reject("too many elements");
  return (uint32_t)n;
}

// The head of an array: how many values follow, at most max.
static inline uint32_t ch_msgpack_array(ch_msgpack *r, uint32_t max) { return ch_msgpack_count(r, 0x90, 0xdc, max, "expected an array"); }

// The head of a map: how many keys and values follow, at most max.
static inline uint32_t ch_msgpack_map(ch_msgpack *r, uint32_t max) { return ch_msgpack_count(r, 0x80, 0xde, max, "expected a map"); }

// The last string or byte string read spells text.
static inline bool ch_msgpack_is(const ch_msgpack *r, const char *text) { return ch_spells(r->start, r->length, text); }

// Nothing may follow.
static inline void ch_msgpack_done(const ch_msgpack *r) {
  if (r->at != r->end) ch_reject("bytes follow the value");
}

#include "channels/funds.h"
#include "channels/event.h"
#include "channels/effects.h"
#include "channels/dice.h"
#include "channels/fixed.h"

#endif
