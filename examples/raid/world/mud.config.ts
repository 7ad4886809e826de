import { defineWorld } from "@latticexyz/world";

// What a raid leaves behind in the World. The settlement contract increments these records when a channel ends;
// nothing here knows about channels, so any MUD client reads them as ordinary tables.
export default defineWorld({
  namespace: "raid",
  tables: {
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
