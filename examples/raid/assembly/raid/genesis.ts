// The first state: who takes part, the world that gets the records, the dungeon of the configuration.

import { AbiReader, putWord } from "../channel/abi";
import { Funds } from "../channel/funds";
import { answer, allocate, bail, keccak256, same } from "../channel/host";
import { MsgPackReader } from "../channel/msgpack";
import {
  Item, create, everyone, isHero, namespace_, open, owner, setInWorld, setOwned, setPending, setRoomAt, sizeOf, ticketSeed,
} from "./layout";
import { enter } from "./rules";
import { Channel, ROOM_SIZE, Ticket } from "./ticket";

const MIN_SEATS: u32 = 3;
const MAX_SEATS: u32 = 16;
const MAX_ASSETS: u32 = 8;
const MAX_BENEFICIARIES: u32 = 8;

// Words of abi.encode(Params) (docs/protocol.md 1).
const PARTICIPANTS: u32 = 2;
const BENEFICIARIES: u32 = 3;
const SEQUENCER: u32 = 8;
const MODULE_HASH: u32 = 9;

// The words before the configuration (docs/encoding.md 25).
const WORLD: u32 = 1;
const NAMESPACE: u32 = 2;
const CONFIG_HASH: u32 = 3;
const TICKET: u32 = 4;
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
  const rest = text + PREFIX;

  // The result is terminal ‖ funds ‖ app; its sizes are known once the rooms are counted.
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
  let ticket: Ticket | null = null;
  if (!isZero(prefix.word(TICKET))) ticket = readTicket(params, participants, prefix, rest, length - PREFIX, keeper);
  const rooms = ticket === null ? readConfig(prefix, rest, length - PREFIX, keeper, seats) : enterDungeon(ticket, keeper, seats);
  for (let i: u32 = 0; i < seats; i++) {
    // A participant is two words, signer and owner; an address is the last 20 bytes of its word.
    memory.copy(owner(i), participants.word(2 + 2 * i) + 12, 20);
    if (ticket !== null && isHero(i)) setOwned(i, ticket.pack(i));
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

/** Checks the ticket and the records of the World that come with it. */
function readTicket(params: AbiReader, participants: AbiReader, prefix: AbiReader, rest: usize, length: u32, keeper: u32): Ticket {
  const channel = new Channel();
  channel.world = prefix.word(WORLD);
  channel.namespace = prefix.word(NAMESPACE);
  if (isZero(channel.world)) bail("a ticket is for a world");
  checkNamespace(channel.namespace);
  channel.moduleHash = params.word(MODULE_HASH);
  channel.configHash = prefix.word(CONFIG_HASH);
  channel.ticket = prefix.word(TICKET);
  channel.seats = participants.uint(0);
  channel.keeper = keeper;
  channel.owners = allocate((2 + channel.seats) << 5);
  putWord(putWord(channel.owners, 32), channel.seats);
  for (let i: u32 = 0; i < channel.seats; i++) memory.copy(channel.owner(i), participants.word(2 + 2 * i), 32);
  return new Ticket(channel, rest, length, MAX_ROOMS);
}

/** Takes over the dungeon of the World: a room is kind, hp (2), attack, defence, item, gold (2), big-endian. */
function enterDungeon(ticket: Ticket, keeper: u32, seats: u32): u32 {
  checkRounds(ticket.maxRounds);
  for (let i: u32 = 0, at = ticket.firstRoom; i < ticket.rooms; i++, at += ROOM_SIZE) {
    const kind = load<u8>(at);
    const hp = <u32>bswap<u16>(load<u16>(at, 1));
    const attack = load<u8>(at, 3);
    const defence = load<u8>(at, 4);
    const item = load<u8>(at, 5);
    const gold = <u32>bswap<u16>(load<u16>(at, 6));
    if (kind > MAX_KIND || hp > MAX_HP || attack > MAX_ATTACK || defence > MAX_DEFENCE || item > Item.Count || gold > MAX_GOLD) {
      bail("an integer is too large");
    }
    addRoom(i, kind, hp, attack, defence, item, gold);
  }
  create(keeper, seats, ticket.rooms, ticket.maxRounds);
  memory.copy(ticketSeed(), ticket.seed, 32);
  return ticket.rooms;
}

/** {maxRounds: uint, rooms: [[kind, hp, attack, defence, item, gold], …]}, each key once. Gives the number of rooms. */
function readConfig(prefix: AbiReader, raw: usize, length: u32, keeper: u32, seats: u32): u32 {
  checkConfigHash(raw, length, prefix.word(CONFIG_HASH));
  const config = new MsgPackReader(raw, raw + length);
  let rounds: u32 = 0;
  let rooms: u32 = 0;
  if (config.map(2) != 2) bail("the configuration is {maxRounds, rooms}");
  for (let k = 0; k < 2; k++) {
    config.string();
    if (config.is("maxRounds") && rounds == 0) {
      rounds = config.uint(0xff);
      checkRounds(rounds);
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
  addRoom(i, kind, hp, attack, defence, item, gold);
}

function checkRounds(rounds: u32): void {
  if (rounds == 0 || rounds > MAX_ROUNDS) bail("maxRounds is 1 to 48");
}

function addRoom(i: u32, kind: u32, hp: u32, attack: u32, defence: u32, item: u32, gold: u32): void {
  if (kind == 0 || hp == 0) bail("a monster has a kind and hit points");
  setRoomAt(i, kind, attack, defence, item, hp, gold);
}

/** Keeps the namespace's 14 bytes, if there is a world to write to. */
function readWorld(prefix: AbiReader): void {
  if (isZero(prefix.word(WORLD))) return;
  const id = prefix.word(NAMESPACE);
  checkNamespace(id);
  memory.copy(namespace_(), id + 2, 14);
  setInWorld();
}

function checkNamespace(id: usize): void {
  if (load<u16>(id) != 0x736e || (load<u64>(id, 16) | load<u64>(id, 24)) != 0) {
    bail("namespaceId is \"ns\" and 14 bytes of namespace");
  }
}

function isZero(word: usize): bool {
  return (load<u64>(word) | load<u64>(word, 8) | load<u64>(word, 16) | load<u64>(word, 24)) == 0;
}
