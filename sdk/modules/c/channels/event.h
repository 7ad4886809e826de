// What init and reduce get, and what they give back (docs/encoding.md 4-6, 14, 21-22, 25).
#ifndef CHANNELS_EVENT_H
#define CHANNELS_EVENT_H

enum {
  CH_EVENT = 0,   // a participant's event: its payload is what the author signed
  CH_TOP_UP = 1,  // the chain took money in: payload = asset (1 byte) ‖ amount (32). The funds are raised already
  CH_TIMEOUT = 2, // nobody moved: author 0xff, no payload. The module decides what silence costs
};

// What init and reduce give: terminal (1 byte) ‖ funds ‖ app.
typedef struct {
  ch_funds funds;
  uint8_t *app;
  uint8_t *base;
  uint32_t size;
} ch_result;

// A result of zeros.
static inline ch_result ch_result_new(uint32_t assets, uint32_t columns, uint32_t length) {
  uint32_t funds = (assets * columns) << 5, size = 1 + funds + length;
  uint8_t *base = ch_allocate(size);
  return (ch_result){{base + 1, assets, columns}, base + 1 + funds, base, size};
}

// No event follows: the channel can be closed with these funds, and effects are run.
static inline void ch_result_end(ch_result *r) { r->base[0] = 1; }

static inline uint64_t ch_result_answer(const ch_result *r) { return ch_answer(r->base, r->size); }

// The 32 bytes before the payload, and the payload.
typedef struct {
  uint32_t kind, author, seats, assets, columns;
  uint64_t time, seq, nonce;
  const uint8_t *payload;
  uint32_t length;
} ch_event;

static inline ch_event ch_event_read(const uint8_t *ptr, uint32_t len) {
  if (len < 32) ch_reject("the input ends too early");
  ch_event e = {ptr[0], ptr[1], ptr[2], ptr[3], ptr[4], ch_load64(ptr + 8), ch_load64(ptr + 16), ch_load64(ptr + 24), ptr + 32, len - 32};
  if (e.columns < e.seats) ch_reject("the input ends too early");
  return e;
}

// A state: header (N + 3 words) ‖ funds ‖ app.
typedef struct {
  const uint8_t *app;
  uint32_t length;
  const uint8_t *base;
  uint32_t seats, assets, columns;
} ch_state;

// The sizes of a state come with the event.
static inline ch_state ch_state_read(const uint8_t *ptr, uint32_t len, const ch_event *e) {
  uint32_t size = (e->seats + 3 + e->assets * e->columns) << 5;
  if (len < size) ch_reject("the input ends too early");
  return (ch_state){ptr + size, len - size, ptr, e->seats, e->assets, e->columns};
}

static inline uint64_t ch_state_header(const ch_state *s, uint32_t index) { return ch_reversed(ch_load64(s->base + (index << 5) + 24)); }
static inline uint64_t ch_state_last_timestamp(const ch_state *s) { return ch_state_header(s, 0); }
// Nonce of the last event of a participant that was accepted.
static inline uint64_t ch_state_nonce(const ch_state *s, uint32_t seat) {
  if (seat >= s->seats) ch_reject("no such participant");
  return ch_state_header(s, 1 + seat);
}
static inline uint64_t ch_state_top_ups(const ch_state *s) { return ch_state_header(s, s->seats + 1); }
static inline bool ch_state_terminal(const ch_state *s) { return ch_state_header(s, s->seats + 2) != 0; }

// A result with these funds and an app of length bytes, which begins as the state's does.
static inline ch_result ch_state_result(const ch_state *s, uint32_t length) {
  ch_result r = ch_result_new(s->assets, s->columns, length);
  uint32_t funds = (s->assets * s->columns) << 5;
  ch_copy(r.funds.base, s->app - funds, funds);
  ch_copy(r.app, s->app, length < s->length ? length : s->length);
  return r;
}

// What init gets: abi.encode(Params, Funding[], bytes genesisInput).
typedef struct {
  uint32_t seats, beneficiaries, assets;
  uint32_t columns;      // seats + beneficiaries
  uint32_t sequencer;    // the seat that orders events
  const uint8_t *config; // whose hash is checked: usually MessagePack
  uint32_t config_length;
  bool in_world;                  // there is a World to write effects to
  const uint8_t *world_namespace; // the 14 bytes of its namespace; meaningful only in_world
  ch_abi participants, funding;
} ch_genesis;

static inline ch_genesis ch_genesis_read(const uint8_t *ptr, uint32_t len) {
  ch_genesis g;
  ch_abi input = {ptr, ptr + len};
  ch_abi params = ch_abi_tail(input, 0);
  g.participants = ch_abi_tail(params, 2);
  g.seats = ch_abi_uint(g.participants, 0);
  if (g.seats < 2 || g.seats > 16) ch_reject("a channel has 2 to 16 participants");
  ch_abi_word(g.participants, 2 * g.seats); // all of them are there
  g.sequencer = ch_abi_uint(params, 8);
  if (g.sequencer >= g.seats) ch_reject("the sequencer is no participant");
  g.beneficiaries = ch_abi_uint(ch_abi_tail(params, 3), 0);
  if (g.beneficiaries > 8) ch_reject("too many elements");
  g.columns = g.seats + g.beneficiaries;
  ch_abi funding = ch_abi_tail(input, 1);
  g.assets = ch_abi_uint(funding, 0);
  if (g.assets > 8) ch_reject("too many elements");
  ch_abi raw = ch_abi_tail(input, 2);
  uint32_t length = ch_abi_uint(raw, 0);
  const uint8_t *text = ch_abi_bytes(raw);
  if (length < 160) ch_reject("the input ends too early");
  g.funding = ch_abi_skip(funding, 1);
  g.config = text + 160;
  g.config_length = length - 160;
  const uint8_t *world = text + 32, *id = text + 64, *config_hash = text + 96;
  g.world_namespace = id + 2;
  uint8_t hash[32];
  ch_keccak256(g.config, g.config_length, hash);
  if (!ch_same(hash, config_hash, 32)) ch_reject("configHash does not fit the configuration");
  g.in_world = (ch_load64(world) | ch_load64(world + 8) | ch_load64(world + 16) | ch_load64(world + 24)) != 0;
  if (g.in_world && (id[0] != 'n' || id[1] != 's' || (ch_load64(id + 16) | ch_load64(id + 24)) != 0))
    ch_reject("namespaceId is \"ns\" and 14 bytes of namespace");
  return g;
}

// The 20 bytes of a participant's owner: the wallet that pays, is paid, and plays in the World.
static inline const uint8_t *ch_genesis_owner(const ch_genesis *g, uint32_t seat) {
  if (seat >= g->seats) ch_reject("no such participant");
  return ch_abi_word(g->participants, 2 + 2 * seat) + 12;
}

// A result in which everybody has what it paid, with an app of length zero bytes.
static inline ch_result ch_genesis_result(const ch_genesis *g, uint32_t length) {
  ch_result r = ch_result_new(g->assets, g->columns, length);
  for (uint32_t a = 0; a < g->assets; a++) {
    ch_abi amounts = ch_abi_tail(ch_abi_tail(g->funding, a), 1);
    if (ch_abi_uint(amounts, 0) != g->seats) ch_reject("funding lacks an amount");
    ch_abi_word(amounts, g->seats); // all of them are there
    ch_copy(ch_funds_word(r.funds, a, 0), ch_abi_word(amounts, 1), g->seats << 5);
  }
  return r;
}

#endif
