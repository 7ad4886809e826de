// Records for tables of a MUD World: abi.encode(Effect[]) (docs/encoding.md 24).
//
// A channel may have 32 effects in 8 KiB. What does not fit is not added, and the function says so with false: write
// what matters most first. Keys are words of 32 bytes, one after the other; ch_put_address and ch_put_uint write them.
#ifndef CHANNELS_EFFECTS_H
#define CHANNELS_EFFECTS_H

enum { CH_MAX_EFFECTS = 32, CH_MAX_EFFECT_BYTES = 8 << 10, CH_EFFECTS_HEAD = 64 + CH_MAX_EFFECTS * 32 };

typedef struct {
  uint32_t count;
  uint8_t *first, *at;
  uint8_t **starts;
} ch_effects;

// Room for the array's offset, length and offsets is kept before the first effect.
static inline ch_effects ch_effects_new(void) {
  uint8_t **starts = ch_allocate(CH_MAX_EFFECTS * sizeof(uint8_t *));
  uint8_t *first = (uint8_t *)ch_allocate(CH_EFFECTS_HEAD + CH_MAX_EFFECT_BYTES) + CH_EFFECTS_HEAD;
  return (ch_effects){0, first, first, starts};
}

static inline uint32_t ch_padded(uint32_t size) {
  if (size > CH_MAX_EFFECT_BYTES) return CH_MAX_EFFECT_BYTES + 1; // too much, whatever it is
  return (size + 31) & ~31u;
}

// Everything of an effect before the content of its data. False when there is no room.
static bool ch_effects_begin(ch_effects *e, uint32_t op, const uint8_t *resource, const uint8_t *keys, uint32_t key_count, uint32_t data_size) {
  // Each bound by itself first, so that the sum cannot wrap.
  if (e->count == CH_MAX_EFFECTS || key_count > CH_MAX_EFFECT_BYTES || data_size > CH_MAX_EFFECT_BYTES) return false;
  uint32_t size = 192 + (key_count << 5) + ch_padded(data_size);
  uint32_t used = 64 + (e->count << 5) + (uint32_t)(e->at - e->first);
  if (used + 32 + size > CH_MAX_EFFECT_BYTES) return false;
  e->starts[e->count++] = e->at;
  uint8_t *at = ch_put_uint(e->at, op);
  ch_copy(at, resource, 32);
  at = ch_put_uint(at + 32, 128);
  at = ch_put_uint(at, 160 + (key_count << 5));
  at = ch_put_uint(at, key_count);
  ch_copy(at, keys, key_count << 5);
  e->at = ch_put_uint(at + (key_count << 5), data_size);
  return true;
}

// A static field of a record grows by delta, or shrinks. field is its index in the table's schema.
static inline bool ch_effects_increment(ch_effects *e, const uint8_t *table, const uint8_t *keys, uint32_t key_count, uint32_t field, int64_t delta) {
  if (!ch_effects_begin(e, 2, table, keys, key_count, 64)) return false;
  uint8_t *at = ch_put_uint(e->at, field);
  if (delta < 0) __builtin_memset(at, 0xff, 24);
  ch_store64(at + 24, ch_reversed((uint64_t)delta));
  e->at = at + 32;
  return true;
}

static inline uint8_t *ch_put_bytes(uint8_t *at, const uint8_t *from, uint32_t size) {
  at = ch_put_uint(at, size);
  ch_copy(at, from, size);
  return at + ch_padded(size);
}

// A whole record, packed as MUD packs it; lengths are its 32 bytes of encodedLengths.
static inline bool ch_effects_set(ch_effects *e, const uint8_t *table, const uint8_t *keys, uint32_t key_count, const uint8_t *fixed,
                                  uint32_t fixed_size, const uint8_t *lengths, const uint8_t *dynamic, uint32_t dynamic_size) {
  uint32_t first = ch_padded(fixed_size);
  if (!ch_effects_begin(e, 0, table, keys, key_count, 160 + first + ch_padded(dynamic_size))) return false;
  uint8_t *at = ch_put_uint(e->at, 96);
  ch_copy(at, lengths, 32);
  at = ch_put_uint(at + 32, 128 + first);
  at = ch_put_bytes(at, fixed, fixed_size);
  e->at = ch_put_bytes(at, dynamic, dynamic_size);
  return true;
}

// A record disappears.
static inline bool ch_effects_remove(ch_effects *e, const uint8_t *table, const uint8_t *keys, uint32_t key_count) {
  return ch_effects_begin(e, 1, table, keys, key_count, 0);
}

// A call of a System: data is selector ‖ arguments.
static inline bool ch_effects_call(ch_effects *e, const uint8_t *system, const uint8_t *data, uint32_t size) {
  if (!ch_effects_begin(e, 3, system, data, 0, size)) return false;
  ch_copy(e->at, data, size);
  e->at += ch_padded(size);
  return true;
}

static inline uint64_t ch_effects_answer(ch_effects *e) {
  uint8_t *head = e->first - 64 - (e->count << 5);
  uint8_t *base = ch_put_uint(ch_put_uint(head, 32), e->count); // element offsets count from here
  for (uint32_t k = 0; k < e->count; k++) ch_put_uint(base + (k << 5), (uint64_t)(e->starts[k] - base));
  return ch_answer(head, (uint32_t)(e->at - head));
}

// out = type (2 characters: tb a table, sy a System) ‖ namespace (14 bytes) ‖ name (ASCII, at most 16), 32 bytes.
static inline void ch_resource_id(uint8_t *out, const char *type, const uint8_t *world_namespace, const char *name) {
  out[0] = (uint8_t)type[0];
  out[1] = (uint8_t)type[1];
  ch_copy(out + 2, world_namespace, 14);
  uint32_t n = ch_length(name);
  for (uint32_t i = 0; i < 16; i++) out[16 + i] = i < n ? (uint8_t)name[i] : 0;
}

static inline void ch_table_id(uint8_t *out, const uint8_t *world_namespace, const char *name) { ch_resource_id(out, "tb", world_namespace, name); }
static inline void ch_system_id(uint8_t *out, const uint8_t *world_namespace, const char *name) { ch_resource_id(out, "sy", world_namespace, name); }

#endif
