// Writes the MessagePack that payloads and configurations are made of.

/** Integers (number or bigint), booleans, null, strings, Uint8Array, arrays, and objects, whose keys keep their order. */
export function pack(value) {
  if (value === null) return [0xc0];
  switch (typeof value) {
    case "boolean":
      return [value ? 0xc3 : 0xc2];
    case "number":
      if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is no integer: modules know no others`);
      return integer(BigInt(value));
    case "bigint":
      return integer(value);
    case "string": {
      const bytes = new TextEncoder().encode(value);
      return [...head(bytes.length, 0xa0, 32, [0xd9, 0xda, 0xdb]), ...bytes];
    }
    case "object":
      if (value instanceof Uint8Array) return [...head(value.length, 0, 0, [0xc4, 0xc5, 0xc6]), ...value];
      if (Array.isArray(value)) return [...head(value.length, 0x90, 16, [null, 0xdc, 0xdd]), ...value.flatMap(pack)];
      return [
        ...head(Object.keys(value).length, 0x80, 16, [null, 0xde, 0xdf]),
        ...Object.entries(value).flatMap(([k, v]) => [...pack(k), ...pack(v)]),
      ];
  }
  throw new TypeError(`${typeof value} cannot be packed`);
}

function head(length, fix, below, [one, two, four]) {
  if (length < below) return [fix | length];
  if (length < 0x100 && one !== null) return [one, length];
  if (length < 0x10000) return [two, ...bigEndian(BigInt(length), 2)];
  return [four, ...bigEndian(BigInt(length), 4)];
}

function integer(v) {
  if (v >= 0n) {
    if (v < 0x80n) return [Number(v)];
    for (const [tag, size] of [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]) {
      if (v < 1n << BigInt(8 * size)) return [tag, ...bigEndian(v, size)];
    }
  } else {
    if (v >= -32n) return [Number(v) & 0xff];
    for (const [tag, size] of [[0xd0, 1], [0xd1, 2], [0xd2, 4], [0xd3, 8]]) {
      if (v >= -(1n << BigInt(8 * size - 1))) return [tag, ...bigEndian(BigInt.asUintN(8 * size, v), size)];
    }
  }
  throw new RangeError(`${v} has more than 64 bits`);
}

function bigEndian(v, size) {
  return Array.from({ length: size }, (_, i) => Number((v >> BigInt(8 * (size - 1 - i))) & 0xffn));
}
