// Fair dice and cards from commit-reveal. Everybody commits to the tip of a hash chain; in each round everybody reveals
// the link before the last one shown. All the links of a round, hashed together, are the round's seed: nobody knows it
// before the last link is shown, and nobody can choose it. The last one to reveal can only keep silent, which the game's
// timeout rule must make dear. A link is bound to its seat: who copies another's tip can never reveal.
#ifndef CHANNELS_DICE_H
#define CHANNELS_DICE_H

// link is what seat hashed to get tip: tip = keccak256(seat (1 byte) ‖ link).
static inline bool ch_precedes(uint32_t seat, const uint8_t *link, const uint8_t *tip) {
  uint8_t text[33], hash[32];
  text[0] = (uint8_t)seat;
  ch_copy(text + 1, link, 32);
  ch_keccak256(text, 33, hash);
  return ch_same(hash, tip, 32);
}

// Collects the links of a round, in the order of seats.
typedef struct {
  uint8_t *base;
  uint32_t used, size;
} ch_pool;

static inline ch_pool ch_pool_new(uint32_t seats) { return (ch_pool){ch_allocate((seats << 5) + 4), 0, seats << 5}; }

static inline void ch_pool_add(ch_pool *p, const uint8_t *link) {
  if (p->used == p->size) ch_reject("too many links");
  ch_copy(p->base + p->used, link, 32);
  p->used += 32;
}

// out = keccak256(links ‖ round (4 bytes, little-endian)).
static inline void ch_pool_seed(ch_pool *p, uint32_t round, uint8_t *out) {
  ch_store32(p->base + p->used, round);
  ch_keccak256(p->base, p->used + 4, out);
}

// Eight dice, cast as often as needed: keccak256(seed ‖ salt (4 bytes, little-endian)), read as eight integers.
typedef struct { uint8_t text[36], hash[32]; } ch_dice;

static inline void ch_dice_open(ch_dice *d, const uint8_t *seed) {
  ch_copy(d->text, seed, 32);
  __builtin_memset(d->hash, 0, 32);
}

static inline void ch_dice_cast(ch_dice *d, uint32_t salt) {
  ch_store32(d->text + 32, salt);
  ch_keccak256(d->text, 36, d->hash);
}

// Die k (0..7) of the last cast, with that many sides, 1..sides. For few sides the bias of 2^32 mod sides is below 10^-7.
static inline uint32_t ch_dice_die(const ch_dice *d, uint32_t k, uint32_t sides) {
  if (k > 7 || sides == 0) ch_reject("no such die");
  return ch_load32(d->hash + (k << 2)) % sides + 1;
}

// Numbers without bias, as many as needed: block i is keccak256(seed ‖ salt ‖ i), both 4 bytes, little-endian.
typedef struct {
  uint8_t text[40], hash[32];
  uint32_t block, used;
} ch_random;

static inline void ch_random_open(ch_random *r, const uint8_t *seed, uint32_t salt) {
  ch_copy(r->text, seed, 32);
  ch_store32(r->text + 32, salt);
  r->block = 0;
  r->used = 8;
}

static inline uint32_t ch_random_next(ch_random *r) {
  if (r->used == 8) {
    ch_store32(r->text + 36, r->block++);
    ch_keccak256(r->text, 40, r->hash);
    r->used = 0;
  }
  return ch_load32(r->hash + (r->used++ << 2));
}

// 0..n-1, each as likely: what would favour the small ones is thrown away.
static inline uint32_t ch_random_below(ch_random *r, uint32_t n) {
  if (n == 0) ch_reject("a choice of none");
  uint64_t fair = (uint64_t)0x100000000 / n * n;
  uint32_t v = ch_random_next(r);
  while (v >= fair) v = ch_random_next(r);
  return v % n;
}

// Puts count cards, one byte each, into an order that nobody chose (Fisher and Yates, from the last card).
static inline void ch_shuffle(ch_random *r, uint8_t *cards, uint32_t count) {
  for (uint32_t i = count; i > 1; i--) {
    uint32_t j = ch_random_below(r, i);
    uint8_t last = cards[i - 1];
    cards[i - 1] = cards[j];
    cards[j] = last;
  }
}

#endif
