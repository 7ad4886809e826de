// Tic-tac-toe for two and their stakes. Rules and layout are in ../README.md.

#include "channels.h"

// The app: 64 bytes, little-endian.
enum {
  VERSION = 1,
  OUTCOME = 1,
  TURN = 2,
  MOVES = 3,
  MARKS = 4, // of each seat, 2 bytes: bit k is square k
  NAMESPACE = 8,
  IN_WORLD = 22,
  WINNER = 23, // 1 + seat, 0 nobody
  OWNERS = 24,
  SIZE = 64,
};

enum { PLAYING, WON, DRAWN, FORFEITED };
enum { GAMES, WINS }; // fields of the World's table

// Nobody moves any more. A draw leaves every stake with its owner.
static void finish(ch_result *result, uint8_t outcome) {
  result->app[OUTCOME] = outcome;
  ch_result_end(result);
}

// The winner takes everything of every asset.
static void win(ch_result *result, uint32_t seat, uint8_t outcome) {
  result->app[WINNER] = (uint8_t)(1 + seat);
  for (uint32_t asset = 0; asset < result->funds.assets; asset++) ch_funds_transfer_all(result->funds, asset, 1 - seat, seat);
  finish(result, outcome);
}

static bool has_line(uint32_t marks) {
  static const uint16_t lines[] = {0x007, 0x038, 0x1c0, 0x049, 0x092, 0x124, 0x111, 0x054};
  for (uint32_t i = 0; i < 8; i++)
    if ((marks & lines[i]) == lines[i]) return true;
  return false;
}

// A map of one key whose value is at most max.
static uint32_t read_one(const uint8_t *ptr, uint32_t len, const char *key, uint32_t max, const char *otherwise) {
  ch_msgpack r = ch_msgpack_open(ptr, len);
  if (ch_msgpack_map(&r, 1) != 1) ch_reject(otherwise);
  ch_msgpack_string(&r);
  if (!ch_msgpack_is(&r, key)) ch_reject(otherwise);
  uint32_t value = (uint32_t)ch_msgpack_uint(&r, max);
  ch_msgpack_done(&r);
  return value;
}

static void play(ch_result *result, const ch_event *event) {
  uint8_t *app = result->app;
  uint32_t seat = event->author;
  if (seat != app[TURN]) ch_reject("it is not your turn");
  // 0 1 2 / 3 4 5 / 6 7 8
  uint32_t square = 1u << read_one(event->payload, event->length, "at", 8, "a move is {at}");
  uint8_t *mine = app + MARKS + 2 * seat;
  if ((ch_load16(app + MARKS) | ch_load16(app + MARKS + 2)) & square) ch_reject("this square is taken");
  uint32_t marks = ch_load16(mine) | square;
  ch_store16(mine, (uint16_t)marks);
  app[MOVES]++;
  if (has_line(marks)) win(result, seat, WON);
  else if (app[MOVES] == 9) finish(result, DRAWN);
  else app[TURN] = (uint8_t)(1 - seat);
}

// Refuses bytes that no call of this module can have written.
static void check(const uint8_t *app, uint32_t length) {
  if (length != SIZE || app[0] != VERSION || app[TURN] > 1) ch_reject("this is not the state of a game of tic-tac-toe");
}

CH_EXPORT("init") uint64_t init(const uint8_t *ptr, uint32_t len) {
  ch_genesis genesis = ch_genesis_read(ptr, len);
  if (genesis.seats != 2) ch_reject("tic-tac-toe is for two");
  uint32_t first = read_one(genesis.config, genesis.config_length, "first", 1, "the configuration is {first}");
  ch_result result = ch_genesis_result(&genesis, SIZE);
  uint8_t *app = result.app;
  app[0] = VERSION;
  app[TURN] = (uint8_t)first;
  if (genesis.in_world) {
    app[IN_WORLD] = 1;
    ch_copy(app + NAMESPACE, genesis.world_namespace, 14);
  }
  for (uint32_t seat = 0; seat < 2; seat++) ch_copy(app + OWNERS + seat * 20, ch_genesis_owner(&genesis, seat), 20);
  return ch_result_answer(&result);
}

CH_EXPORT("reduce") uint64_t reduce(const uint8_t *state_ptr, uint32_t state_len, const uint8_t *event_ptr, uint32_t event_len) {
  ch_event event = ch_event_read(event_ptr, event_len);
  ch_state state = ch_state_read(state_ptr, state_len, &event);
  check(state.app, state.length);
  if (event.seats != 2) ch_reject("tic-tac-toe is for two");
  if (state.app[OUTCOME] != PLAYING) ch_reject("the game is over");
  ch_result result = ch_state_result(&state, SIZE);
  switch (event.kind) {
    case CH_EVENT: play(&result, &event); break;
    case CH_TOP_UP:
      if (result.app[MOVES] != 0) ch_reject("the game has begun; stakes are fixed");
      break;
    case CH_TIMEOUT: win(&result, 1 - result.app[TURN], FORFEITED); break;
    default: ch_reject("unknown kind of event");
  }
  return ch_result_answer(&result);
}

CH_EXPORT("effects") uint64_t effects(const uint8_t *state_ptr, uint32_t state_len) {
  if (state_len < SIZE) ch_reject("the input ends too early");
  const uint8_t *app = state_ptr + state_len - SIZE;
  check(app, SIZE);
  ch_effects out = ch_effects_new();
  if (app[OUTCOME] != PLAYING && app[IN_WORLD] != 0) {
    uint8_t table[32];
    ch_table_id(table, app + NAMESPACE, "TicTacToe");
    for (uint32_t seat = 0; seat < 2; seat++) {
      uint8_t *key = ch_allocate(32);
      ch_put_address(key, app + OWNERS + seat * 20);
      ch_effects_increment(&out, table, key, 1, GAMES, 1);
      if (app[WINNER] == 1 + seat) ch_effects_increment(&out, table, key, 1, WINS, 1);
    }
  }
  return ch_effects_answer(&out);
}
