// The first state: who takes part, the world that gets the records, the dungeon of the configuration.

import { AbiReader } from "../channel/abi";
import { Funds } from "../channel/funds";
import { answer, allocate, bail, keccak256, same } from "../channel/host";
import { MsgPackReader } from "../channel/msgpack";
import {
  Item, create, everyone, namespace_, open, owner, setInWorld, setPending, setRoomAt, sizeOf,
} from "./layout";
import { enter } from "./rules";

const MIN_SEATS: u32 = 3;
const MAX_SEATS: u32 = 16;
const MAX_ASSETS: u32 = 8;
const MAX_BENEFICIARIES: u32 = 8;

// Words of abi.encode(Params) (docs/protocol.md 1).
const PARTICIPANTS: u32 = 2;
const BENEFICIARIES: u32 = 3;
const SEQUENCER: u32 = 8;

// The words before the configuration (docs/encoding.md 25).
const WORLD: u32 = 1;
const NAMESPACE: u32 = 2;
const CONFIG_HASH: u32 = 3;
const PREFIX: u32 = 160;

const MAX_ROOMS: u32 = 12;
const MAX_KIND: u32 = 7;
const MAX_HP: u32 = 1000;
const MAX_ATTACK: u32 = 100;
const MAX_DEFENCE: u32 = 50;
const MAX_GOLD: u32 = 1000;
const ROOM_FIELDS: u32 = 6;
/** So that nobody authors more events than the manifest's maxEvents: 1 + 2 · 48. */
const MAX_ROUNDS: u32 = 48;

/** `input` is abi.encode(Params, Funding[], bytes). */
export function genesis(input: AbiReader): u64 {
  const params = input.tail(0);
  const participants = params.tail(PARTICIPANTS);
  const seats = participants.uint(0);
  if (seats < MIN_SEATS || seats > MAX_SEATS) bail("a party is a keeper and 2 to 15 heroes");
  const keeper = params.uint(SEQUENCER);
  if (keeper >= seats) bail("the sequencer is no participant");
  const beneficiaries = params.tail(BENEFICIARIES).uint(0);
  if (beneficiaries > MAX_BENEFICIARIES) bail("too many elements");

  const raw = input.tail(2);
  const length = raw.uint(0);
  const text = raw.bytes();
  if (length < PREFIX) bail("the input ends too early");
  const prefix = new AbiReader(text, text + PREFIX);
  const config = text + PREFIX;
  checkConfigHash(config, length - PREFIX, prefix.word(CONFIG_HASH));

  // The result is terminal ‖ funds ‖ app; its sizes are known once the rooms are counted.
  const reader = new MsgPackReader(config, config + length - PREFIX);
  const funding = input.tail(1);
  const assets = funding.uint(0);
  if (assets > MAX_ASSETS) bail("too many elements");
  const columns = seats + beneficiaries;
  const fundsSize = (assets * columns) << 5;
  const result = allocate(1 + fundsSize + sizeOf(MAX_SEATS, MAX_ROOMS));
  memory.fill(result, 0, 1 + fundsSize + sizeOf(MAX_SEATS, MAX_ROOMS));
  copyFunds(funding.skip(1), assets, seats, columns, result + 1);
  new Funds(result + 1, assets, columns).check(seats);

  open(result + 1 + fundsSize);
  const rooms = readConfig(reader, keeper, seats);
  for (let i: u32 = 0; i < seats; i++) {
    // A participant is two words, signer and owner; an address is the last 20 bytes of its word.
    memory.copy(owner(i), participants.word(2 + 2 * i) + 12, 20);
  }
  readWorld(prefix);
  setPending(everyone());
  enter(0);
  return answer(result, 1 + fundsSize + sizeOf(seats, rooms));
}

function checkConfigHash(config: usize, length: u32, want: usize): void {
  const hash = allocate(32);
  keccak256(config, length, hash);
  if (!same(hash, want, 32)) bail("configHash does not fit the configuration");
}

function copyFunds(funding: AbiReader, assets: u32, seats: u32, columns: u32, to: usize): void {
  for (let a: u32 = 0; a < assets; a++) {
    const amounts = funding.tail(a).tail(1);
    if (amounts.uint(0) != seats) bail("funding lacks an amount");
    amounts.word(seats); // all of them are there
    memory.copy(to + ((a * columns) << 5), amounts.word(1), seats << 5);
  }
}

/** {maxRounds: uint, rooms: [[kind, hp, attack, defence, item, gold], …]}, each key once. Gives the number of rooms. */
function readConfig(config: MsgPackReader, keeper: u32, seats: u32): u32 {
  let rounds: u32 = 0;
  let rooms: u32 = 0;
  if (config.map(2) != 2) bail("the configuration is {maxRounds, rooms}");
  for (let k = 0; k < 2; k++) {
    config.string();
    if (config.is("maxRounds") && rounds == 0) {
      rounds = config.uint(MAX_ROUNDS);
      if (rounds == 0) bail("maxRounds is 1 to 48");
    } else if (config.is("rooms") && rooms == 0) {
      rooms = config.array(MAX_ROOMS);
      if (rooms == 0) bail("a dungeon has 1 to 12 rooms");
      for (let i: u32 = 0; i < rooms; i++) readRoom(config, i);
    } else {
      bail("the configuration is {maxRounds, rooms}");
    }
  }
  config.done();
  create(keeper, seats, rooms, rounds);
  return rooms;
}

function readRoom(config: MsgPackReader, i: u32): void {
  if (config.array(ROOM_FIELDS) != ROOM_FIELDS) bail("a room is six numbers");
  const kind = config.uint(MAX_KIND);
  const hp = config.uint(MAX_HP);
  const attack = config.uint(MAX_ATTACK);
  const defence = config.uint(MAX_DEFENCE);
  const item = config.uint(Item.Count);
  const gold = config.uint(MAX_GOLD);
  if (kind == 0 || hp == 0) bail("a monster has a kind and hit points");
  setRoomAt(i, kind, attack, defence, item, hp, gold);
}

/** Keeps the namespace's 14 bytes, if there is a world to write to. */
function readWorld(prefix: AbiReader): void {
  const world = prefix.word(WORLD);
  if ((load<u64>(world) | load<u64>(world + 8) | load<u64>(world + 16) | load<u64>(world + 24)) == 0) return;
  const id = prefix.word(NAMESPACE);
  if (load<u8>(id) != 0x6e || load<u8>(id + 1) != 0x73 || (load<u64>(id + 16) | load<u64>(id + 24)) != 0) {
    bail("namespaceId is \"ns\" and 14 bytes of namespace");
  }
  memory.copy(namespace_(), id + 2, 14);
  setInWorld();
}
