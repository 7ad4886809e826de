// A module that only tests call: what the parts of the SDK give for given arguments. probe.md says what the bytes are.

#include "channels.h"

static uint8_t *out;
static uint32_t size;

static void put(uint64_t v, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++, v >>= 8) out[size++] = (uint8_t)v;
}

static void copy(const uint8_t *from, uint32_t length) {
  ch_copy(out + size, from, length);
  size += length;
}

CH_EXPORT("init") uint64_t init(const uint8_t *ptr, uint32_t len) {
  ch_genesis g = ch_genesis_read(ptr, len);
  ch_result r = ch_genesis_result(&g, 0);
  return ch_result_answer(&r);
}

static void unpack_all(const uint8_t *p, uint32_t length) {
  uint32_t n = p[1];
  ch_msgpack r = ch_msgpack_open(p + 2 + n, length - 2 - n);
  for (uint32_t i = 0; i < n; i++) {
    switch (p[2 + i]) {
      case 'u': put(ch_msgpack_uint(&r, UINT64_MAX), 8); break;
      case 'c': put(ch_msgpack_uint(&r, 255), 8); break;
      case 'b': put(ch_msgpack_bool(&r), 1); break;
      case 's': ch_msgpack_string(&r); put(r.length, 4); copy(r.start, r.length); break;
      case 'x': ch_msgpack_bytes(&r); put(r.length, 4); copy(r.start, r.length); break;
      case 'h': copy(ch_msgpack_bytes32(&r), 32); break;
      case 'a': put(ch_msgpack_array(&r, 16), 4); break;
      case 'm': put(ch_msgpack_map(&r, 16), 4); break;
      case 'd': ch_msgpack_done(&r); break;
      default: ch_reject("unknown schema");
    }
  }
}

static uint64_t funds(const ch_state *state, const uint8_t *p, const uint8_t *end, uint32_t columns) {
  ch_result result = ch_state_result(state, 0);
  ch_funds f = result.funds;
  ch_cell *cells = ch_allocate(columns * sizeof(ch_cell)), pot;
  uint32_t *weights = ch_allocate(columns * 4);
  for (; p < end; p += 4) {
    uint32_t a = p[1], b = p[2], c = p[3];
    switch (p[0]) {
      case 0: ch_funds_transfer_all(f, a, b, c); break;
      case 1: ch_funds_check(f, a); break;
      case 2:
        ch_funds_unpack(f, a, columns, cells);
        pot = ch_half(cells[b]);
        ch_move(&cells[b], &cells[c], &pot);
        ch_funds_pack(f, a, columns, cells);
        break;
      case 3:
        ch_funds_unpack(f, a, columns, cells);
        pot = (ch_cell){0, 0};
        ch_move_all(&cells[b], &pot);
        for (uint32_t i = 0; i < columns; i++) weights[i] = i == b ? 0 : i * 7 * c;
        ch_split(&pot, weights, cells, columns);
        ch_move_all(&pot, &cells[b]);
        ch_funds_pack(f, a, columns, cells);
        break;
      case 4:
        ch_funds_unpack(f, a, columns, cells);
        pot = cells[c];
        ch_move(&cells[b], &cells[b + 1], &pot);
        ch_funds_pack(f, a, columns, cells);
        break;
    }
  }
  return ch_result_answer(&result);
}

static void dice(const uint8_t *p) {
  uint32_t salt = ch_load32(p + 66), n = p[74];
  put(ch_precedes(p[1], p + 2, p + 34), 1);
  ch_pool pool = ch_pool_new(n);
  for (uint32_t i = 0; i < n; i++) ch_pool_add(&pool, p + 75 + (i << 5));
  uint8_t seed[32];
  ch_pool_seed(&pool, salt, seed);
  copy(seed, 32);
  ch_dice d;
  ch_dice_open(&d, seed);
  ch_dice_cast(&d, salt);
  for (uint32_t k = 0; k < 8; k++) put(ch_dice_die(&d, k, ch_load32(p + 70)), 4);
}

static void cards(const uint8_t *p) {
  uint32_t salt = ch_load32(p + 33), n = p[37];
  ch_random r;
  ch_random_open(&r, p + 1, salt);
  for (uint32_t k = 0; k < 12; k++) put(ch_random_below(&r, ch_load32(p + 38)), 4);
  uint8_t *deck = out + size;
  for (uint32_t i = 0; i < n; i++) put(i, 1);
  ch_random_open(&r, p + 1, salt ^ 1);
  ch_shuffle(&r, deck, n);
}

static void maths(uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
  uint64_t v = 0;
  switch (op) {
    case 0: v = ch_mul_div(a, b, c); break;
    case 1: v = ch_isqrt(a); break;
    case 2: v = (uint64_t)ch_fixed_add((int64_t)a, (int64_t)b); break;
    case 3: v = (uint64_t)ch_fixed_sub((int64_t)a, (int64_t)b); break;
    case 4: v = (uint64_t)ch_fixed_mul((int64_t)a, (int64_t)b); break;
    case 5: v = (uint64_t)ch_fixed_div((int64_t)a, (int64_t)b); break;
    case 6: v = (uint64_t)(int64_t)ch_fixed_floor((int64_t)a); break;
    case 7: v = (uint64_t)ch_fixed((int32_t)a); break;
  }
  put(v, 8);
}

CH_EXPORT("reduce") uint64_t reduce(const uint8_t *state_ptr, uint32_t state_len, const uint8_t *event_ptr, uint32_t event_len) {
  ch_event event = ch_event_read(event_ptr, event_len);
  ch_state state = ch_state_read(state_ptr, state_len, &event);
  out = ch_allocate(8192);
  put(0, 1);
  const uint8_t *p = event.payload;
  switch (p[0]) {
    case 0: unpack_all(p, event.length); break;
    case 1: return funds(&state, p + 1, p + event.length, event.columns);
    case 2: dice(p); break;
    case 3: cards(p); break;
    case 4: maths(p[1], ch_load64(p + 2), ch_load64(p + 10), ch_load64(p + 18)); break;
    case 5:
      put(event.kind, 8), put(event.author, 8), put(event.seats, 8), put(event.assets, 8), put(event.columns, 8);
      put(event.time, 8), put(event.seq, 8), put(event.nonce, 8), put(event.length, 8);
      put(ch_state_last_timestamp(&state), 8);
      for (uint32_t i = 0; i < event.seats; i++) put(ch_state_nonce(&state, i), 8);
      put(ch_state_top_ups(&state), 8);
      put(ch_state_terminal(&state), 8);
      break;
    default: ch_reject("unknown probe");
  }
  return ch_answer(out, size);
}

CH_EXPORT("effects") uint64_t effects(const uint8_t *ptr, uint32_t len) {
  ch_effects e = ch_effects_new();
  uint8_t ns[14], table[32], system[32];
  for (uint32_t i = 0; i < 14; i++) ns[i] = (uint8_t)('a' + i);
  ch_table_id(table, ns, "Probe");
  ch_system_id(system, ns, "ProbeSystemIsLong");
  for (const uint8_t *p = ptr; p < ptr + len; p += 18) {
    uint32_t n = p[1], a = ch_load32(p + 2), b = ch_load32(p + 6);
    uint8_t *keys = ch_allocate(n << 5), *at = keys;
    for (uint32_t i = 0; i < n; i++) {
      if (i & 1) {
        uint8_t address[20];
        __builtin_memset(address, (int)(uint8_t)(a + i), 20);
        at = ch_put_address(at, address);
      } else {
        at = ch_put_uint(at, (uint64_t)a + i);
      }
    }
    uint8_t *bytes = ch_allocate(a + b + 64);
    for (uint32_t i = 0; i < a + b && i < 300; i++) bytes[i] = (uint8_t)(i * 3);
    switch (p[0]) {
      case 0: {
        uint8_t *lengths = ch_allocate(32);
        ch_put_uint(lengths, b);
        ch_effects_set(&e, table, keys, n, bytes, a, lengths, bytes + a, b);
        break;
      }
      case 1: ch_effects_remove(&e, table, keys, n); break;
      case 2: ch_effects_increment(&e, table, keys, n, a, (int64_t)ch_load64(p + 10)); break;
      case 3: ch_effects_call(&e, system, bytes, b); break;
    }
  }
  return ch_effects_answer(&e);
}
