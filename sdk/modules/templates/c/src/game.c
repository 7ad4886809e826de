// __NAME__: the game of 21.

#include "channels.h"

// The app, little-endian: total (4 bytes), seat that is to move (4 bytes).
enum { TOTAL = 0, TURN = 4, SIZE = 8, GOAL = 21 };

// {add: 1..3}
static uint32_t read_move(const ch_event *event) {
  ch_msgpack r = ch_msgpack_open(event->payload, event->length);
  if (ch_msgpack_map(&r, 1) != 1) ch_reject("a move is {add}");
  ch_msgpack_string(&r);
  if (!ch_msgpack_is(&r, "add")) ch_reject("a move is {add}");
  uint32_t add = (uint32_t)ch_msgpack_uint(&r, 3);
  ch_msgpack_done(&r);
  if (add == 0) ch_reject("add 1, 2 or 3");
  return add;
}

CH_EXPORT("init") uint64_t init(const uint8_t *ptr, uint32_t len) {
  ch_genesis genesis = ch_genesis_read(ptr, len);
  ch_result result = ch_genesis_result(&genesis, SIZE);
  return ch_result_answer(&result);
}

CH_EXPORT("reduce") uint64_t reduce(const uint8_t *state_ptr, uint32_t state_len, const uint8_t *event_ptr, uint32_t event_len) {
  ch_event event = ch_event_read(event_ptr, event_len);
  ch_state state = ch_state_read(state_ptr, state_len, &event);
  if (state.length != SIZE) ch_reject("this is not a state of the game");
  ch_result result = ch_state_result(&state, SIZE);
  uint8_t *app = result.app;
  if (event.kind == CH_EVENT) {
    if (event.author != ch_load32(app + TURN)) ch_reject("it is not your turn");
    uint32_t total = ch_load32(app + TOTAL) + read_move(&event);
    ch_store32(app + TOTAL, total);
    ch_store32(app + TURN, (event.author + 1) % event.seats);
    if (total >= GOAL) {
      for (uint32_t asset = 0; asset < event.assets; asset++)
        for (uint32_t seat = 0; seat < event.seats; seat++) ch_funds_transfer_all(result.funds, asset, seat, event.author);
      ch_result_end(&result);
    }
  } else if (event.kind == CH_TIMEOUT) {
    ch_result_end(&result);
  }
  return ch_result_answer(&result);
}

CH_EXPORT("effects") uint64_t effects(const uint8_t *state_ptr, uint32_t state_len) {
  (void)state_ptr, (void)state_len;
  ch_effects out = ch_effects_new();
  return ch_effects_answer(&out);
}
