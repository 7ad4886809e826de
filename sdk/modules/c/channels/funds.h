// The funds of a state: assets · columns words of 32 bytes, asset-major (docs/encoding.md 5). Whatever moves, moves from
// one cell to another of the same asset, so the sums cannot change, down to the last wei.
//
// ch_funds_transfer_all works on words. A game that divides amounts reckons in cells of 128 bits, because wide numbers are
// dear on chain: words are unpacked into cells, one asset at a time, and packed again. No participant may have 2^124 or more
// of an asset then, which ch_funds_check establishes for the first funds and for each top-up, so that sixteen fit a cell.
#ifndef CHANNELS_FUNDS_H
#define CHANNELS_FUNDS_H

typedef struct {
  uint8_t *base;
  uint32_t assets, columns;
} ch_funds;

typedef struct { uint64_t low, high; } ch_cell;

// The word that says what column holds of asset.
static inline uint8_t *ch_funds_word(ch_funds f, uint32_t asset, uint32_t column) {
  if (asset >= f.assets || column >= f.columns) ch_reject("no such column of the funds");
  return f.base + ((asset * f.columns + column) << 5);
}

// All that from holds of an asset goes to to. Amounts may be of any size: a pot fits a word.
static inline void ch_funds_transfer_all(ch_funds f, uint32_t asset, uint32_t from, uint32_t to) {
  uint8_t *source = ch_funds_word(f, asset, from), *target = ch_funds_word(f, asset, to);
  if (source == target) return;
  uint64_t carry = 0;
  for (int i = 24; i >= 0; i -= 8) {
    uint64_t a = ch_reversed(ch_load64(source + i)), b = ch_reversed(ch_load64(target + i));
    uint64_t sum = a + b, all = sum + carry;
    carry = (sum < a) | (all < sum);
    ch_store64(target + i, ch_reversed(all));
    ch_store64(source + i, 0);
  }
  if (carry != 0) ch_reject("an amount is too large");
}

// Refuses amounts of 2^124 and more in the first count columns.
static inline void ch_funds_check(ch_funds f, uint32_t count) {
  for (uint32_t a = 0; a < f.assets; a++)
    for (uint32_t p = 0; p < count; p++) {
      const uint8_t *at = ch_funds_word(f, a, p);
      if ((ch_load64(at) | ch_load64(at + 8)) != 0 || at[16] > 15) ch_reject("a stake is 2^124 or more");
    }
}

// Fills cells with the first count columns of an asset.
static inline void ch_funds_unpack(ch_funds f, uint32_t asset, uint32_t count, ch_cell *cells) {
  if (count == 0) return;
  ch_funds_word(f, asset, count - 1); // all of them are there
  const uint8_t *at = ch_funds_word(f, asset, 0);
  for (uint32_t i = 0; i < count; i++, at += 32) cells[i] = (ch_cell){ch_reversed(ch_load64(at + 24)), ch_reversed(ch_load64(at + 16))};
}

// The inverse of unpack.
static inline void ch_funds_pack(ch_funds f, uint32_t asset, uint32_t count, const ch_cell *cells) {
  if (count == 0) return;
  ch_funds_word(f, asset, count - 1);
  uint8_t *at = ch_funds_word(f, asset, 0);
  for (uint32_t i = 0; i < count; i++, at += 32) {
    ch_store64(at + 24, ch_reversed(cells[i].low));
    ch_store64(at + 16, ch_reversed(cells[i].high));
  }
}

// to += amount.
static inline void ch_cell_add(ch_cell *to, uint64_t low, uint64_t high) {
  uint64_t sum = to->low + low;
  to->high += high + (sum < low);
  to->low = sum;
}

// from -= amount, to += amount; refuses when from holds less. Three different cells.
static inline void ch_move(ch_cell *from, ch_cell *to, const ch_cell *amount) {
  if (from->high < amount->high || (from->high == amount->high && from->low < amount->low)) ch_reject("a cell holds too little");
  from->high = from->high - amount->high - (from->low < amount->low);
  from->low -= amount->low;
  ch_cell_add(to, amount->low, amount->high);
}

// to += from, from = 0. Different cells.
static inline void ch_move_all(ch_cell *from, ch_cell *to) {
  ch_cell_add(to, from->low, from->high);
  *from = (ch_cell){0, 0};
}

// value / 2, rounded down.
static inline ch_cell ch_half(ch_cell value) { return (ch_cell){value.low >> 1 | value.high << 63, value.high >> 1}; }

// Divides pot by weight: adds pot · weight / sum of weights, rounded down, to each of count cells, and leaves in pot what
// does not divide, less than count. The sum of the weights is 1 to 2^32 - 1.
//
// With pot = q · whole + r a share is q · weight + r · weight / whole, so only the pot needs a long division.
static inline void ch_split(ch_cell *pot, const uint32_t *weights, ch_cell *cells, uint32_t count) {
  uint64_t by = 0;
  for (uint32_t i = 0; i < count; i++) by += weights[i];
  if (by == 0 || by >> 32 != 0) ch_reject("weights sum to nothing or to too much");
  uint64_t d3 = pot->high >> 32;
  uint64_t d2 = (d3 % by) << 32 | (uint32_t)pot->high;
  uint64_t d1 = (d2 % by) << 32 | pot->low >> 32;
  uint64_t d0 = (d1 % by) << 32 | (uint32_t)pot->low;
  uint64_t q3 = d3 / by, q2 = d2 / by, q1 = d1 / by, q0 = d0 / by;
  uint64_t r = d0 % by, left = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t w = weights[i];
    if (w == 0) continue;
    uint64_t f = r * w;
    left += f % by;
    uint64_t p0 = q0 * w + f / by;
    uint64_t p1 = q1 * w + (p0 >> 32);
    uint64_t p2 = q2 * w + (p1 >> 32);
    ch_cell_add(&cells[i], p1 << 32 | (uint32_t)p0, p2 + (q3 * w << 32));
  }
  *pot = (ch_cell){left / by, 0};
}

#endif
