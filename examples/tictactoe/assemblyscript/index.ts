// Tic-tac-toe for two and their stakes. Rules and layout are in ../README.md.

import {
  Effects, Event, Genesis, Kind, MsgPackReader, Result, State,
  allocate as heapAllocate, putAddress, reject, tableId,
} from "../../../sdk/modules/assemblyscript/assembly";

// The app: 64 bytes, little-endian.
const SIZE: u32 = 64;
const VERSION: u8 = 1;
const OUTCOME = 1;
const TURN = 2;
const MOVES = 3;
const MARKS = 4; // of each seat, 2 bytes: bit k is square k
const NAMESPACE = 8;
const IN_WORLD = 22;
const WINNER = 23; // 1 + seat, 0 nobody
const OWNERS = 24;

const PLAYING: u32 = 0;
const WON: u32 = 1;
const DRAWN: u32 = 2;
const FORFEITED: u32 = 3;

// Fields of the World's table.
const GAMES: u32 = 0;
const WINS: u32 = 1;

export function allocate(len: u32): u32 {
  return <u32>heapAllocate(len);
}

export function init(ptr: u32, len: u32): u64 {
  const genesis = new Genesis(ptr, len);
  if (genesis.seats != 2) reject("tic-tac-toe is for two");
  const first = readConfig(new MsgPackReader(genesis.config, genesis.configLength));
  const result = genesis.result(SIZE);
  const app = result.app;
  store<u8>(app, VERSION);
  store<u8>(app, <u8>first, TURN);
  if (genesis.inWorld) {
    store<u8>(app, 1, IN_WORLD);
    memory.copy(app + NAMESPACE, genesis.namespace, 14);
  }
  for (let seat: u32 = 0; seat < 2; seat++) memory.copy(app + OWNERS + seat * 20, genesis.owner(seat), 20);
  return result.answer();
}

export function reduce(statePtr: u32, stateLen: u32, eventPtr: u32, eventLen: u32): u64 {
  const event = new Event(eventPtr, eventLen);
  const state = new State(statePtr, stateLen, event);
  check(state.app, state.length);
  if (event.seats != 2) reject("tic-tac-toe is for two");
  if (load<u8>(state.app, OUTCOME) != PLAYING) reject("the game is over");
  const result = state.result(SIZE);
  if (event.kind == Kind.Event) {
    play(result, event);
  } else if (event.kind == Kind.TopUp) {
    if (load<u8>(result.app, MOVES) != 0) reject("the game has begun; stakes are fixed");
  } else if (event.kind == Kind.Timeout) {
    win(result, 1 - <u32>load<u8>(result.app, TURN), FORFEITED);
  } else {
    reject("unknown kind of event");
  }
  return result.answer();
}

export function effects(statePtr: u32, stateLen: u32): u64 {
  if (stateLen < SIZE) reject("the input ends too early");
  const app = statePtr + stateLen - SIZE;
  check(app, SIZE);
  const out = new Effects();
  if (load<u8>(app, OUTCOME) != PLAYING && load<u8>(app, IN_WORLD) != 0) {
    const table = tableId(app + NAMESPACE, "TicTacToe");
    for (let seat: u32 = 0; seat < 2; seat++) {
      const key = heapAllocate(32);
      putAddress(key, app + OWNERS + seat * 20);
      out.increment(table, key, 1, GAMES, 1);
      if (load<u8>(app, WINNER) == 1 + seat) out.increment(table, key, 1, WINS, 1);
    }
  }
  return out.answer();
}

/** {first: seat}: who begins. */
function readConfig(config: MsgPackReader): u32 {
  if (config.map(1) != 1) reject("the configuration is {first}");
  config.string();
  if (!config.is("first")) reject("the configuration is {first}");
  const first = <u32>config.uint(1);
  config.done();
  return first;
}

/** Refuses bytes that no call of this module can have written. */
function check(app: usize, length: u32): void {
  if (length != SIZE || load<u8>(app) != VERSION || load<u8>(app, TURN) > 1) reject("this is not the state of a game of tic-tac-toe");
}

function play(result: Result, event: Event): void {
  const app = result.app;
  const seat = event.author;
  if (seat != load<u8>(app, TURN)) reject("it is not your turn");
  const at = readMove(new MsgPackReader(event.payload, event.length));
  const mine = app + MARKS + (seat << 1);
  const square = <u32>1 << at;
  if ((load<u16>(app, MARKS) | load<u16>(app, MARKS + 2)) & square) reject("this square is taken");
  const marks = <u32>load<u16>(mine) | square;
  store<u16>(mine, <u16>marks);
  const moves = <u32>load<u8>(app, MOVES) + 1;
  store<u8>(app, <u8>moves, MOVES);
  if (hasLine(marks)) win(result, seat, WON);
  else if (moves == 9) finish(result, DRAWN);
  else store<u8>(app, <u8>(1 - seat), TURN);
}

/** {at: square}: 0 1 2 / 3 4 5 / 6 7 8. */
function readMove(payload: MsgPackReader): u32 {
  if (payload.map(1) != 1) reject("a move is {at}");
  payload.string();
  if (!payload.is("at")) reject("a move is {at}");
  const at = <u32>payload.uint(8);
  payload.done();
  return at;
}

function hasLine(marks: u32): bool {
  return (marks & 0x007) == 0x007 || (marks & 0x038) == 0x038 || (marks & 0x1c0) == 0x1c0 || // rows
    (marks & 0x049) == 0x049 || (marks & 0x092) == 0x092 || (marks & 0x124) == 0x124 || // columns
    (marks & 0x111) == 0x111 || (marks & 0x054) == 0x054; // diagonals
}

/** The winner takes everything of every asset. */
function win(result: Result, seat: u32, outcome: u32): void {
  store<u8>(result.app, <u8>(1 + seat), WINNER);
  for (let asset: u32 = 0; asset < result.funds.assets; asset++) result.funds.transferAll(asset, 1 - seat, seat);
  finish(result, outcome);
}

/** Nobody moves any more. A draw leaves every stake with its owner. */
function finish(result: Result, outcome: u32): void {
  store<u8>(result.app, <u8>outcome, OUTCOME);
  result.end();
}
