#!/usr/bin/env node
// Writes the vectors that pin the MUD encodings: *.json beside this file, or in the folder given as the only argument.
// Every expected value comes out of MUD's own packages; the seed is fixed, so a second run gives the same bytes.
//
// Each file is one object of arrays of equal length ("columns"), with text, numbers and hex only, because that is what
// Foundry's vm.parseJson…Array reads without help. A list of types is text joined by commas, a list of values is the
// text of a JSON array in which integers are decimal text.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { hexToResource, readHex, resourceToHex, resourceToLabel } from "@latticexyz/common";
import {
  decodeValueArgs,
  encodeKey,
  encodeValueArgs,
  hexToEncodedLengths,
  hexToSchema,
  keySchemaToHex,
  valueSchemaToFieldLayoutHex,
  valueSchemaToHex,
} from "@latticexyz/protocol-parser/internal";
import { isStaticAbiType, schemaAbiTypes, staticAbiTypes, staticAbiTypeToByteLength } from "@latticexyz/schema-type/internal";
import { storeEventsAbi } from "@latticexyz/store";
import { flattenStoreLogs } from "@latticexyz/store/internal";
import { concatHex, decodeEventLog, encodeAbiParameters, encodeEventTopics, encodePacked, getAddress, keccak256, size, stringToHex, toHex } from "viem";

const folder = path.resolve(process.argv[2] ?? path.dirname(fileURLToPath(import.meta.url)));

// mulberry32: small, and the same everywhere.
let seed = 0x6d7564;
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const randomHex = (n) => toHex(Uint8Array.from({ length: n }, () => below(256)));
const alphabet = [..."abcXYZ 019_-\"\\\n{}é⚔🐉ß"];
const randomString = (n) => Array.from({ length: n }, () => pick(alphabet)).join("");

function integerRange(type) {
  const bits = BigInt(staticAbiTypeToByteLength[type]) * 8n;
  return type.startsWith("u") ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

// mode: "least", "most" or "random"
function staticValue(type, mode) {
  const length = staticAbiTypeToByteLength[type];
  if (type === "bool") return mode === "random" ? random() < 0.5 : mode === "most";
  if (type === "address" || type.startsWith("bytes")) {
    const hex = mode === "random" ? randomHex(length) : `0x${(mode === "most" ? "ff" : "00").repeat(length)}`;
    return type === "address" ? getAddress(hex) : hex;
  }
  const [least, most] = integerRange(type);
  if (mode === "least") return least;
  if (mode === "most") return most;
  if (random() < 0.3) return least < 0n ? pick([-1n, 0n, 1n]) : pick([0n, 1n]);
  return least + (BigInt(randomHex(32)) % (most - least + 1n));
}

function value(type, mode, length = mode === "least" ? 0 : below(mode === "most" ? 20 : 9)) {
  if (isStaticAbiType(type)) return staticValue(type, mode);
  if (type === "bytes") return randomHex(length);
  if (type === "string") return randomString(length);
  return Array.from({ length }, () => staticValue(type.slice(0, -2), mode));
}

const dynamicTypes = schemaAbiTypes.slice(staticAbiTypes.length);
const toSchema = (types) => Object.fromEntries(types.map((type, i) => [`f${i}`, type]));
const toObject = (values) => Object.fromEntries(values.map((v, i) => [`f${i}`, v]));
const text = (values) => JSON.stringify(values, (_, v) => (typeof v === "bigint" ? v.toString() : v));
const typeBytes = (types) => (types.length ? concatHex(types.map((type) => toHex(schemaAbiTypes.indexOf(type), { size: 1 }))) : "0x");

function randomTypes() {
  const dynamics = below(6);
  const statics = below(pick([4, 8, 28 - dynamics + 1])) + (dynamics === 0 ? 1 : 0);
  return [...Array.from({ length: Math.min(statics, 28 - dynamics) }, () => pick(staticAbiTypes)), ...Array.from({ length: dynamics }, () => pick(dynamicTypes))];
}

// MUD packs lengths only together with data: give it zeros of these lengths.
const packLengths = (lengths) =>
  encodeValueArgs(toSchema(lengths.map(() => "bytes")), toObject(lengths.map((n) => `0x${"00".repeat(n)}`))).encodedLengths;

function columns(names, rows) {
  return Object.fromEntries(names.map((name, i) => [name, rows.map((row) => row[i])]));
}

function write(name, object) {
  writeFileSync(path.join(folder, name), JSON.stringify(object, null, 1) + "\n");
}

function schemaTypes() {
  return columns(
    ["names", "lengths"],
    schemaAbiTypes.map((type) => [type, isStaticAbiType(type) ? staticAbiTypeToByteLength[type] : 0]),
  );
}

function resources() {
  const typeIds = { table: "tb", offchainTable: "ot", namespace: "ns", system: "sy" };
  const rows = [
    ["table", "raid", "RaidResult"],
    ["table", "raid", "Loot"],
    ["table", "", "Rooted"],
    ["table", "store", "Tables"],
    ["table", "world", "NamespaceOwner"],
    ["offchainTable", "raid", "Log"],
    ["system", "raid", "RaidSystem"],
    ["system", "fourteen_bytes", "sixteen_bytes_ok"],
    ["table", "fourteen_bytes", "sixteen_bytes_ok"],
    ["namespace", "raid", ""],
    ["namespace", "fourteen_bytes", ""],
    ["namespace", "", ""],
    ["table", "a", ""],
    ["table", "héros", "Épée"],
  ];
  return columns(
    ["types", "namespaces", "names", "ids", "namespaceIds", "labels"],
    rows.map(([type, namespace, name]) => {
      const id = resourceToHex({ type, namespace, name });
      const decoded = hexToResource(id);
      if (decoded.type !== type || decoded.namespace !== namespace || decoded.name !== name) throw new Error(`${id} does not decode to itself`);
      return [typeIds[type], namespace, name, id, resourceToHex({ type: "namespace", namespace, name: "" }), resourceToLabel({ namespace, name })];
    }),
  );
}

function schemas() {
  const lists = [
    ["uint32", "uint32", "uint64", "uint64"],
    ["uint32"],
    ["bytes32", "bytes32", "bytes32", "bytes", "bytes"],
    ["string"],
    Array(28).fill("bytes32"),
    [...Array(23).fill("uint8"), "bytes", "string", "uint8[]", "address[]", "bool[]"],
    ...schemaAbiTypes.map((type) => [type]),
    ...Array.from({ length: 60 }, randomTypes),
  ];
  return columns(
    ["abiTypes", "typeBytes", "schemas", "fieldLayouts"],
    lists.map((types) => {
      const schema = valueSchemaToHex(toSchema(types));
      const { staticFields, dynamicFields } = hexToSchema(schema);
      if ([...staticFields, ...dynamicFields].join() !== types.join()) throw new Error(`${schema} does not decode to itself`);
      return [types.join(), typeBytes(types), schema, valueSchemaToFieldLayoutHex(toSchema(types))];
    }),
  );
}

function lengths() {
  const max = 2 ** 40 - 1;
  const small = [[], [0], [1], [255, 256], [0, 0, 7], [1, 2, 3, 4], [5, 4, 3, 2, 1], [0, 0, 0, 0, 0], [4096, 0, 1, 0, 65536]];
  const rows = small.map((list) => [list, packLengths(list)]);
  // Nobody holds a terabyte of zeros, so the greatest lengths are packed by hand and read back by MUD.
  for (const list of [[max], [0, 0, 0, 0, max], [max, max, max, max, max]]) {
    const reversed = [...list].reverse();
    const tail = encodePacked(
      [...reversed.map(() => "uint40"), "uint56"],
      [...reversed, list.reduce((sum, n) => sum + BigInt(n), 0n)],
    );
    rows.push([list, `0x${tail.slice(2).padStart(64, "0")}`]);
  }
  return columns(
    ["lengths", "encodedLengths"],
    rows.map(([list, encoded]) => {
      const { fieldByteLengths } = hexToEncodedLengths(encoded);
      if (fieldByteLengths.slice(0, list.length).join() !== list.join()) throw new Error(`${encoded} does not decode to itself`);
      return [encodeAbiParameters([{ type: "uint256[]" }], [list.map(BigInt)]), encoded];
    }),
  );
}

function storageSlots(tableId, keyTuple) {
  const slot = (name, first = 0) =>
    toHex(BigInt(keccak256(stringToHex(name))) ^ (BigInt(first) << 248n) ^ BigInt(keccak256(concatHex([tableId, ...keyTuple]))), { size: 32 });
  return [slot("mud.store"), slot("mud.store.dynamicDataLength"), slot("mud.store.dynamicData", 3)];
}

function keys() {
  const tableId = resourceToHex({ type: "table", namespace: "raid", name: "Loot" });
  const cases = [
    [["address", "uint32"], ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 3n]],
    [[], []],
    ...staticAbiTypes.flatMap((type) => ["least", "most"].map((mode) => [[type], [staticValue(type, mode)]])),
    ...Array.from({ length: 40 }, () => {
      const types = Array.from({ length: below(8) + 1 }, () => pick(staticAbiTypes));
      return [types, types.map((type) => staticValue(type, "random"))];
    }),
  ];
  return columns(
    ["abiTypes", "schemas", "values", "keyTuples", "tableIds", "staticSlots", "lengthSlots", "dynamicSlots3"],
    cases.map(([types, values]) => {
      const tuple = encodeKey(toSchema(types), toObject(values));
      return [types.join(), keySchemaToHex(toSchema(types)), text(values), tuple.length ? concatHex(tuple) : "0x", tableId, ...storageSlots(tableId, tuple)];
    }),
  );
}

function records() {
  const cases = [
    [["uint32", "uint32", "uint64", "uint64"], [1n, 1n, 120n, 340n]],
    [["int8", "int64", "int128", "int256"], [-1n, -(2n ** 63n), -5n, -(2n ** 255n)]],
    [["bytes", "string", "int16[]"], ["0x", "", []]],
    [["uint8", "string"], [255n, "héros ⚔ 🐉"]],
    [["bytes"], [randomHex(4096)]],
    [["uint256[]"], [Array.from({ length: 64 }, () => staticValue("uint256", "random"))]],
    ...[..."least most".split(" ")].flatMap((mode) => schemaAbiTypes.map((type) => [[type], [value(type, mode)]])),
    ...Array.from({ length: 150 }, () => {
      const types = randomTypes();
      return [types, types.map((type) => value(type, "random"))];
    }),
  ];
  return columns(
    ["abiTypes", "values", "schemas", "fieldLayouts", "staticData", "encodedLengths", "dynamicData"],
    cases.map(([types, values]) => {
      const schema = toSchema(types);
      const args = encodeValueArgs(schema, toObject(values));
      return [types.join(), text(values), valueSchemaToHex(schema), valueSchemaToFieldLayoutHex(schema), args.staticData, args.encodedLengths, args.dynamicData];
    }),
  );
}

// Histories of one record: raw logs as a World emits them, and what MUD's client makes of them. All splices are ones
// that StoreCore allows: the length of a dynamic field changes at its end only.
function history(types, steps) {
  const tableId = resourceToHex({ type: "table", namespace: "raid", name: "History" });
  const keyTuple = encodeKey({ player: "address" }, { player: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" });
  const schema = toSchema(types);
  const statics = types.filter(isStaticAbiType);
  const staticLength = statics.reduce((sum, type) => sum + staticAbiTypeToByteLength[type], 0);
  const numDynamic = types.length - statics.length;
  const empty = () => Array(numDynamic).fill(0);
  let fieldLengths = empty();

  const raw = [];
  const emit = (eventName, args) => {
    const event = storeEventsAbi.find(({ name }) => name === eventName);
    const topics = encodeEventTopics({ abi: storeEventsAbi, eventName, args: { tableId } });
    const data = encodeAbiParameters(event.inputs.slice(1), event.inputs.slice(1).map(({ name }) => ({ keyTuple, ...args })[name]));
    raw.push({ topics, data });
  };
  const spliceDynamic = (field, startInField, deleteCount, data) => {
    const start = fieldLengths.slice(0, field).reduce((sum, n) => sum + n, startInField);
    fieldLengths = fieldLengths.map((n, i) => (i === field ? n - deleteCount + size(data) : n));
    const encodedLengths = packLengths(fieldLengths);
    emit("Store_SpliceDynamicData", { dynamicFieldIndex: field, start, deleteCount, encodedLengths, data });
  };

  for (let i = 0; i < steps; i++) {
    const operations = ["set", ...(staticLength ? ["static", "static"] : []), ...(numDynamic ? ["push", "push", "pop", "overwrite", "replace"] : [])];
    const operation = i === 0 && random() < 0.5 ? "set" : random() < 0.1 ? "delete" : pick(operations);
    const field = below(numDynamic);
    if (operation === "set") {
      const args = encodeValueArgs(schema, toObject(types.map((type) => value(type, "random"))));
      fieldLengths = hexToEncodedLengths(args.encodedLengths).fieldByteLengths.slice(0, numDynamic);
      emit("Store_SetRecord", args);
    } else if (operation === "delete") {
      fieldLengths = empty();
      emit("Store_DeleteRecord", {});
    } else if (operation === "static") {
      const start = below(staticLength);
      emit("Store_SpliceStaticData", { start, data: randomHex(1 + below(staticLength - start)) });
    } else if (operation === "push") {
      spliceDynamic(field, fieldLengths[field], 0, randomHex(below(40)));
    } else if (operation === "pop") {
      const count = below(fieldLengths[field] + 1);
      spliceDynamic(field, fieldLengths[field] - count, count, "0x");
    } else if (operation === "overwrite") {
      const start = below(fieldLengths[field] + 1);
      const count = below(fieldLengths[field] - start + 1);
      spliceDynamic(field, start, count, randomHex(count));
    } else {
      spliceDynamic(field, 0, fieldLengths[field], randomHex(below(40)));
    }
  }

  const logs = raw.map(({ topics, data }, i) => ({
    address: "0x00000000000000000000000000000000000000aa",
    blockNumber: BigInt(i),
    logIndex: 0,
    ...decodeEventLog({ abi: storeEventsAbi, topics, data }),
  }));
  const [record] = flattenStoreLogs(logs);
  const { staticData, encodedLengths, dynamicData } = record?.args ?? { staticData: "0x", encodedLengths: "0x", dynamicData: "0x" };
  return { raw, expected: [readHex(staticData, 0, staticLength), readHex(encodedLengths, 0, 32), dynamicData] };
}

function histories() {
  const numeric = staticAbiTypes.filter((type) => type !== "bool"); // raw splices would make bools that are none
  const rows = [];
  const log = { topics0: [], tableIds: [], data: [] };
  for (let i = 0; i < 60; i++) {
    const dynamics = below(6);
    const types = [
      ...Array.from({ length: below(6) + (dynamics ? 0 : 1) }, () => pick(numeric)),
      ...Array.from({ length: dynamics }, () => pick(["bytes", "uint8[]", "bytes1[]"])),
    ];
    const steps = 1 + below(8);
    const { raw, expected } = history(types, steps);
    for (const { topics, data } of raw) {
      log.topics0.push(topics[0]);
      log.tableIds.push(topics[1]);
      log.data.push(data);
    }
    rows.push([types.join(), valueSchemaToHex(toSchema(types)), valueSchemaToFieldLayoutHex(toSchema(types)), raw.length, ...expected]);
  }
  return { ...columns(["abiTypes", "schemas", "fieldLayouts", "logCounts", "staticData", "encodedLengths", "dynamicData"], rows), ...log };
}

mkdirSync(folder, { recursive: true });
const recordVectors = records();
for (const [i, abiTypes] of recordVectors.abiTypes.entries()) {
  decodeValueArgs(toSchema(abiTypes.split(",")), {
    staticData: recordVectors.staticData[i],
    encodedLengths: recordVectors.encodedLengths[i],
    dynamicData: recordVectors.dynamicData[i],
  }); // throws on what MUD itself cannot read
}
write("schematypes.json", schemaTypes());
write("resources.json", resources());
write("schemas.json", schemas());
write("lengths.json", lengths());
write("keys.json", keys());
write("records.json", recordVectors);
write("histories.json", histories());
