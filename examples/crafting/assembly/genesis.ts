// The first state: {items, rolls, recipes: [[12 numbers], …], stock: [[count of each item] of each crafter]}, in this order.

import { bail } from "../../raid/assembly/channel/host";
import { MsgPackReader } from "../../raid/assembly/channel/msgpack";
import { Opening } from "../../internal/assembly/genesis";
import { setPending } from "../../internal/assembly/state";
import { VERSION, create, recipe, setCount, setInitial, size } from "./layout";

const MAX_SEATS: u32 = 8;
const MAX_ITEMS: u32 = 16;
const MAX_ROLLS: u32 = 120;
const MAX_RECIPES: u32 = 16;
const MAX_STOCK: u32 = 10000;
const MAX_FEE: u32 = 0xffffffff;
const MAX_NEEDED: u32 = 99;
const NEVER: u32 = 101;
/** So that every record fits into a channel's effects: one for each crafter and each of its items. */
const MAX_RECORDS: u32 = 22;
/** 32 + 8 · 20 + 32 + 16 · 16 + 8 · (40 + 8 · 16) + 2, rounded up. */
const MOST_BYTES: u32 = 2048;
const RECIPE_NUMBERS: u32 = 12;
const SHAPE = "the configuration is {items, rolls, recipes, stock}";

export function genesis(ptr: usize, len: u32): u64 {
  const opening = new Opening(ptr, len, 2, MAX_SEATS, MOST_BYTES);
  const crafters = opening.seats - 1;
  const config = opening.config;
  if (config.map(4) != 4) bail(SHAPE);
  named(config, "items");
  const items = config.uint(MAX_ITEMS);
  if (items == 0) bail("there are 1 to 16 items");
  if (crafters * (items + 1) > MAX_RECORDS) bail("crafters times items + 1 is at most 22");
  named(config, "rolls");
  const rolls = config.uint(MAX_ROLLS);
  if (rolls == 0) bail("rolls is 1 to 120");

  named(config, "recipes");
  const recipes = config.array(MAX_RECIPES);
  if (recipes == 0) bail("there are 1 to 16 recipes");
  create(items, recipes, opening.sequencer, rolls);
  for (let r: u32 = 0; r < recipes; r++) readRecipe(config, recipe(r), items);
  named(config, "stock");
  if (config.array(MAX_SEATS) != crafters) bail("stock has one row for each crafter");
  for (let i: u32 = 0; i <= crafters; i++) {
    if (i == opening.sequencer) continue;
    if (config.array(MAX_ITEMS) != items) bail("a row of stock has one number for each item");
    for (let item: u32 = 1; item <= items; item++) {
      const n = config.uint(MAX_STOCK);
      setInitial(i, item, n);
      setCount(i, item, n);
    }
  }
  config.done();
  setPending(1 << opening.sequencer);
  return opening.answer(VERSION, size());
}

function named(config: MsgPackReader, name: string): void {
  config.string();
  if (!config.is(name)) bail(SHAPE);
}

/** [fee, item, count, item, count, item, count, common, fine, master, fineAt, masterAt]. */
function readRecipe(config: MsgPackReader, at: usize, items: u32): void {
  if (config.array(RECIPE_NUMBERS) != RECIPE_NUMBERS) bail("a recipe is twelve numbers");
  store<u32>(at, config.uint(MAX_FEE));
  let seen: u32 = 0;
  for (let k: u32 = 0; k < 3; k++) {
    const item = config.uint(items);
    const n = config.uint(MAX_NEEDED);
    if ((item == 0) != (n == 0)) bail("an ingredient has an item and a count");
    if (item != 0 && seen & (1 << item)) bail("an ingredient appears twice");
    if (item != 0) seen |= 1 << item;
    store<u8>(at + (k << 1), <u8>item, 4);
    store<u8>(at + (k << 1), <u8>n, 5);
  }
  if (seen == 0) bail("nothing is made of nothing");
  for (let q: u32 = 0; q < 3; q++) store<u8>(at + q, <u8>config.uint(items), 10);
  const fine = config.uint(NEVER);
  const master = config.uint(NEVER);
  if (fine > master || fine == 0) bail("fineAt is at least 1 and not above masterAt");
  store<u8>(at, <u8>fine, 13);
  store<u8>(at, <u8>master, 14);
}
