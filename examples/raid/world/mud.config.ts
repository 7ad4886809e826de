import { defineWorld } from "@latticexyz/world";

// What a raid is played over, and what it leaves behind in the World. A ticket takes a snapshot of the dungeon and of the
// heroes' loot; the settlement contract increments results and loot when a channel ends. Nothing here knows about channels,
// so any MUD client reads and writes these as ordinary tables.
export default defineWorld({
  namespace: "raid",
  tables: {
    // One record per dungeon, written by the game master, who owns the namespace: how many rounds a party has (1..48), and
    // 1 to 12 rooms of 8 bytes each: kind (1), hp for each hero (2), attack (1), defence (1), item (1), gold (2), big-endian.
    Dungeon: {
      schema: { dungeonId: "uint32", maxRounds: "uint8", rooms: "bytes" },
      key: ["dungeonId"],
    },
    // One record per player: totals over all settled raids.
    RaidResult: {
      schema: { player: "address", raids: "uint32", wins: "uint32", xp: "uint64", damage: "uint64" },
      key: ["player"],
    },
    // One record per player and kind of item: how many of it the player owns.
    Loot: {
      schema: { player: "address", itemId: "uint32", amount: "uint32" },
      key: ["player", "itemId"],
    },
  },
});
