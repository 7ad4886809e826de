// A ticket: the raid is played in a dungeon of the World, with items that the heroes own in it.
//
// The rest of the genesis input is abi.encode(bytes config, Ticket ticket, Record[] records), config {dungeon: uint32} in
// MessagePack. The records are those of the ticket's snapshot, H(abi.encode(world, block, records)), and have to be exactly
//
//   Dungeon  (dungeon)            maxRounds uint8; rooms: 8 bytes each
//   Loot     (owner, 1..3)        amount uint32; for each hero in the order of seats, potions, swords, shields
//
// So the module builds these bytes itself, from what the channel names and the amounts and rooms that it was given: if
// they hash to the snapshot there is nothing missing, nothing else, and nothing changed.

import { AbiReader, putWord } from "../channel/abi";
import { allocate, bail, keccak256, same } from "../channel/host";
import { MsgPackReader } from "../channel/msgpack";
import { tableId } from "./effects";
import { Item, Pack } from "./layout";

// Words of the rest: the config's offset, the ticket, the records' offset.
const TICKET: u32 = 1;
const WORLD: u32 = 2;
const NAMESPACE: u32 = 3;
const MODULE_HASH: u32 = 4;
const CONFIG_HASH: u32 = 5;
const BLOCK: u32 = 7;
const OWNERS_HASH: u32 = 8;
const SNAPSHOT: u32 = 9;
const SEED: u32 = 10;
const RECORDS: u32 = 11;
const HEAD: u32 = 12 << 5;
const TICKET_SIZE: u32 = 10 << 5;

/** What six heroes can lose, 18 effects, fits into 8 KiB, and so do their records into the 8 KiB of a snapshot. */
const MAX_HEROES: u32 = 6;

// A record begins with resourceId, the offsets of key and static data, encodedLengths, the offset of dynamic data.
const LENGTHS: u32 = 3 << 5;
const KEY: u32 = 5 << 5;
// Of the dungeon's, its key being one word:
const ROUNDS: u32 = 8 << 5;
const ROOMS: u32 = 9 << 5;
const DUNGEON_SIZE: u32 = 10 << 5; // and the rooms
// Of an item's, its key being two words:
const ITEM: u32 = KEY + 64;
const AMOUNT: u32 = 9 << 5;
const LOOT_SIZE: u32 = 11 << 5;

export const ROOM_SIZE: u32 = 8;

/** What a channel says of itself: addresses of the words that a ticket has to agree with. */
export class Channel {
  world: usize = 0;
  /** "ns" ‖ namespace ‖ zeros, which is checked. */
  namespace: usize = 0;
  moduleHash: usize = 0;
  configHash: usize = 0;
  ticket: usize = 0;
  /** abi.encode(address[]): the owners of all seats. */
  owners: usize = 0;
  seats: u32 = 0;
  keeper: u32 = 0;
  /** The dungeon that the configuration names. */
  dungeon: u32 = 0;

  /** The word of a seat's owner. */
  owner(seat: u32): usize { return this.owners + 64 + (seat << 5); }
}

export class Ticket {
  seed: usize;
  maxRounds: u32;
  rooms: u32;
  /** The rooms, ROOM_SIZE each. */
  firstRoom: usize;

  private loot: usize;
  private keeper: u32;

  constructor(channel: Channel, rest: usize, length: u32, maxRooms: u32) {
    const words = new AbiReader(rest, rest + length);
    words.word(RECORDS);
    agree(channel, words);
    const at = HEAD + checkConfig(channel, words, rest, length);
    const heroes = channel.seats - 1;
    const count: u32 = 1 + heroes * Pack.Items;

    // As given: the number of records, their offsets, the dungeon, the loot.
    const given = rest + at;
    const records = new AbiReader(given, rest + length);
    const dungeon = given + 32 + (count << 5);
    if (records.uint(0) != count) bail(SET);
    records.word(count + (DUNGEON_SIZE >> 5));
    const id = allocate(32);
    tableId(id, channel.namespace + 2, "Dungeon");
    if (!same(dungeon, id, 32) || records.uint(1 + count + (KEY >> 5)) != 1) bail(SET);
    const roomBytes = records.uint(1 + count + (ROOMS >> 5));
    const rooms = roomBytes / ROOM_SIZE;
    if (rooms * ROOM_SIZE != roomBytes || rooms == 0 || rooms > maxRooms) bail("the world has no such dungeon");
    const dungeonSize = DUNGEON_SIZE + ((roomBytes + 31) & ~31);
    const size = 32 + (count << 5) + dungeonSize + heroes * Pack.Items * LOOT_SIZE;
    if (length - at != size) bail(SET);
    this.keeper = channel.keeper;
    this.seed = words.word(SEED);
    this.maxRounds = load<u8>(dungeon + ROUNDS);
    this.rooms = rooms;
    this.firstRoom = dungeon + DUNGEON_SIZE;
    this.loot = dungeon + dungeonSize;

    // As they have to be: the World and the block before them.
    const own = allocate(96 + size);
    memory.copy(own, channel.world, 32);
    memory.copy(own + 32, words.word(BLOCK), 32);
    putWord(own + 64, 96);
    let to = putWord(own + 96, count);
    let offset = count << 5;
    for (let i: u32 = 0; i < count; i++) {
      to = putWord(to, offset);
      offset += i == 0 ? dungeonSize : LOOT_SIZE;
    }
    putDungeon(to, channel, dungeon, roomBytes);
    putLoot(to + dungeonSize, channel, this.loot);

    const hashes = allocate(64);
    keccak256(own + 96, size, hashes);
    keccak256(given, size, hashes + 32);
    if (!same(hashes, hashes + 32, 32)) bail(SET);
    keccak256(own, 96 + size, hashes);
    if (!same(hashes, words.word(SNAPSHOT), 32)) bail("the records are not those of the ticket's snapshot");
  }

  /** What the hero in a seat may bring. */
  pack(seat: u32): u32 {
    const hero = seat > this.keeper ? seat - 1 : seat;
    let pack: u32 = 0;
    for (let item: u32 = 1; item <= Pack.Items; item++) {
      const amount = bswap<u32>(load<u32>(this.loot + (hero * Pack.Items + item - 1) * LOOT_SIZE + AMOUNT));
      pack |= Pack.bits(item, min(amount, Pack.most(item)));
    }
    return pack;
  }
}

const SET = "the snapshot is the dungeon and each hero's potions, swords and shields, in this order and nothing else";

/** The ticket is the one that the channel names, and it was sold for this channel's World, module, dungeon and players. */
function agree(channel: Channel, words: AbiReader): void {
  const hash = allocate(32);
  keccak256(words.word(TICKET), TICKET_SIZE, hash);
  if (!same(hash, channel.ticket, 32)) bail("this is not the ticket that the channel names");
  if (!same(words.word(WORLD), channel.world, 32) || !same(words.word(NAMESPACE), channel.namespace, 32)) {
    bail("the ticket is for another world");
  }
  if (!same(words.word(MODULE_HASH), channel.moduleHash, 32)) bail("the ticket is for another module");
  if (!same(words.word(CONFIG_HASH), channel.configHash, 32)) bail("the ticket is for another dungeon");
  keccak256(channel.owners, 64 + (channel.seats << 5), hash);
  if (!same(hash, words.word(OWNERS_HASH), 32)) bail("the ticket is for other players");
  if (channel.seats - 1 > MAX_HEROES) bail("with a ticket a party has at most 6 heroes");
  for (let i: u32 = 0; i < channel.seats; i++) {
    for (let k: u32 = i + 1; k < channel.seats; k++) {
      if (i == channel.keeper || k == channel.keeper) continue;
      // Two heroes of one owner could bring the same sword.
      if (same(channel.owner(i), channel.owner(k), 32)) bail("with a ticket each hero has an owner of its own");
    }
  }
}

/** {dungeon: uint32}. Gives the size of its encoding: the records come right after it. */
function checkConfig(channel: Channel, words: AbiReader, rest: usize, length: u32): u32 {
  if (words.uint(0) != HEAD) bail("the input is not encoded as it should be");
  const raw = words.tail(0);
  const config = raw.bytes();
  const size = raw.uint(0);
  const padded: u32 = 32 + ((size + 31) & ~31);
  if (words.uint(RECORDS) != HEAD + padded || HEAD + padded > length) bail("the input is not encoded as it should be");
  for (let i = size; i < padded - 32; i++) if (load<u8>(config + i) != 0) bail("the input is not encoded as it should be");
  const hash = allocate(32);
  keccak256(config, size, hash);
  if (!same(hash, channel.configHash, 32)) bail("configHash does not fit the configuration");
  const reader = new MsgPackReader(config, config + size);
  if (reader.map(1) != 1) bail("with a ticket the configuration is {dungeon}");
  reader.string();
  if (!reader.is("dungeon")) bail("with a ticket the configuration is {dungeon}");
  channel.dungeon = reader.uint(0xffffffff);
  reader.done();
  return padded;
}

/** The dungeon's record over zero bytes. */
function putDungeon(at: usize, channel: Channel, given: usize, roomBytes: u32): void {
  tableId(at, channel.namespace + 2, "Dungeon");
  putWord(at + 32, KEY);
  putWord(at + 64, KEY + 64);
  // All dynamic bytes, and those of the first dynamic field.
  store<u8>(at, <u8>roomBytes, LENGTHS + 31);
  store<u8>(at, <u8>roomBytes, LENGTHS + 24);
  putWord(at + 128, KEY + 128);
  putWord(putWord(at + KEY, 1), channel.dungeon);
  putWord(at + KEY + 64, 1);
  store<u8>(at, load<u8>(given, ROUNDS), ROUNDS);
  putWord(at + ROOMS, roomBytes);
  memory.copy(at + DUNGEON_SIZE, given + DUNGEON_SIZE, roomBytes);
}

/** The records of all heroes' items over zero bytes; the amounts are as given. */
function putLoot(at: usize, channel: Channel, given: usize): void {
  const first = at;
  tableId(at, channel.namespace + 2, "Loot");
  putWord(at + 32, KEY);
  putWord(at + 64, KEY + 96);
  putWord(at + 128, KEY + 160);
  putWord(at + KEY, 2);
  putWord(at + KEY + 96, 4);
  for (let seat: u32 = 0; seat < channel.seats; seat++) {
    if (seat == channel.keeper) continue;
    for (let item: u32 = Item.Potion; item <= Pack.Items; item++) {
      if (at != first) memory.copy(at, first, LOOT_SIZE);
      memory.copy(at + KEY + 32, channel.owner(seat), 32);
      putWord(at + ITEM, item);
      store<u32>(at, load<u32>(given, AMOUNT), AMOUNT);
      at += LOOT_SIZE;
      given += LOOT_SIZE;
    }
  }
}
