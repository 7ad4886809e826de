// Numbers without floats: fixed point with 32 bits after the point in an int64_t, and the exact operations under it.
// Whatever does not fit refuses the event. Products and quotients are rounded towards zero.
#ifndef CHANNELS_FIXED_H
#define CHANNELS_FIXED_H

// 1 in fixed point. The range is -2^31 to just below 2^31, in steps of 2^-32.
#define CH_ONE ((int64_t)1 << 32)

static inline int64_t ch_fixed(int32_t v) { return (int64_t)v * CH_ONE; }

// The largest integer not above.
static inline int32_t ch_fixed_floor(int64_t v) { return (int32_t)(v >> 32); }

static inline int64_t ch_fixed_add(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) ch_reject("a number is too large");
  return sum;
}

static inline int64_t ch_fixed_sub(int64_t a, int64_t b) {
  int64_t difference;
  if (__builtin_sub_overflow(a, b, &difference)) ch_reject("a number is too large");
  return difference;
}

// The digit of (top · 2^32 + next) / (d1 · 2^32 + d0), for top below the divisor.
static inline uint64_t ch_digit(uint64_t top, uint64_t next, uint64_t d1, uint64_t d0) {
  uint64_t q = top / d1, r = top % d1;
  while (q >> 32 != 0 || q * d0 > (r << 32 | next)) {
    q--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  return q;
}

// a · b / c, rounded down, with all 128 bits of the product.
static uint64_t ch_mul_div(uint64_t a, uint64_t b, uint64_t c) {
  if (c == 0) ch_reject("a division by zero");
  uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
  uint64_t ll = al * bl, m = ah * bl + (ll >> 32), n = al * bh + (uint32_t)m;
  uint64_t low = n << 32 | (uint32_t)ll, high = ah * bh + (m >> 32) + (n >> 32);
  if (high == 0) return low / c;
  if (high >= c) ch_reject("a number is too large");
  // Two digits of 32 bits, each guessed from the divisor's first digit and then put right (Knuth, volume 2, 4.3.1 D).
  int shift = __builtin_clzll(c);
  uint64_t d = c << shift, d1 = d >> 32, d0 = (uint32_t)d;
  uint64_t top = shift == 0 ? high : high << shift | low >> (64 - shift), rest = low << shift;
  uint64_t q1 = ch_digit(top, rest >> 32, d1, d0);
  uint64_t next = (top << 32 | rest >> 32) - q1 * d;
  return q1 << 32 | ch_digit(next, (uint32_t)rest, d1, d0);
}

static inline uint64_t ch_magnitude(int64_t v) { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }

static inline int64_t ch_signed(uint64_t v, bool negative) {
  if (v > (uint64_t)INT64_MAX + negative) ch_reject("a number is too large");
  return (int64_t)(negative ? 0 - v : v);
}

static inline int64_t ch_fixed_mul(int64_t a, int64_t b) {
  return ch_signed(ch_mul_div(ch_magnitude(a), ch_magnitude(b), (uint64_t)CH_ONE), (a ^ b) < 0);
}

static inline int64_t ch_fixed_div(int64_t a, int64_t b) {
  return ch_signed(ch_mul_div(ch_magnitude(a), (uint64_t)CH_ONE, ch_magnitude(b)), (a ^ b) < 0);
}

// The square root, rounded down.
static inline uint64_t ch_isqrt(uint64_t v) {
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
    if (v >= root + bit) {
      v -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return root;
}

#endif
